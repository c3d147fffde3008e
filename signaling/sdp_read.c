/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_read.c - one pass over an offer. A known attribute with a wrong value refuses the whole offer
 * where guessing could connect the wrong thing (credentials, mids, rtpmap, rid); elsewhere it is
 * left out, as unknown ones are (SDP-25). */
#include "signaling/sdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signaling/sdp_model.h"

struct reader {
    struct sdp *sdp;
    struct sdp_media *m; /* the section being read; NULL at session level */
    unsigned n_attrs;    /* of this level */
    unsigned n_candidates, n_ssrc_lines;
    bool has_version, has_origin, has_msid, has_simulcast;
    char *simulcast;              /* a=simulcast's value, looked at when all rids are known */
    bool is_rtx[SDP_FORMATS_MAX]; /* by index into formats */
    uint8_t fb_all;               /* from "a=rtcp-fb:* ..." */
    bool ext_used[256];
};

static struct sdp_transport *transport_of(struct reader *r)
{
    return r->m ? &r->m->transport : &r->sdp->transport;
}

/* The format that "96 rest" speaks of, or NULL if its payload type is not in the section; *value
 * moves to rest. */
static struct sdp_format *format_of(struct reader *r, char **value)
{
    uint64_t pt;
    const char *at = *value;
    if (!sdp_uint(&at, SDP_FORMATS_MAX - 1, &pt) || (*at && *at != ' ')) {
        return NULL;
    }
    *value += at - *value;
    *value += strspn(*value, " \t");
    uint8_t i = r->m->index_of_pt[pt];
    return i == SDP_NO_FORMAT ? NULL : &r->m->formats[i];
}

/* ---- attributes of both levels ---- */

static int read_ufrag(struct reader *r, char *value)
{
    transport_of(r)->ufrag = value;
    return sdp_is_ice_chars(value, 4, ICE_UFRAG_MAX) ? 0 : -EBADMSG;
}

static int read_pwd(struct reader *r, char *value)
{
    transport_of(r)->pwd = value;
    return sdp_is_ice_chars(value, 22, ICE_PWD_MAX) ? 0 : -EBADMSG;
}

static int read_fingerprint(struct reader *r, char *value)
{
    struct sdp_transport *t = transport_of(r);
    struct fingerprint fp;
    int err = fingerprint_read(value, strlen(value), &fp);
    if (err == -EPROTONOSUPPORT) {
        return 0; /* RFC 8122 5: others may be listed beside it */
    }
    if (err == 0 && t->n_fingerprints < LINK_FINGERPRINTS_MAX) {
        t->fingerprints[t->n_fingerprints++] = fp;
    }
    return err;
}

static int read_setup(struct reader *r, char *value)
{
    static const char *const names[] = {"", "actpass", "active", "passive", "holdconn"};
    for (unsigned i = 1; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(value, names[i]) == 0) {
            transport_of(r)->setup = (enum sdp_setup)i;
            return 0;
        }
    }
    return -EBADMSG;
}

static enum sdp_direction direction_named(const char *s)
{
    static const char *const names[] = {"", "sendrecv", "sendonly", "recvonly", "inactive"};
    for (unsigned i = 1; i < ARRAY_LEN(names); i++) {
        if (s[0] == names[i][0] && strcmp(s, names[i]) == 0) {
            return (enum sdp_direction)i;
        }
    }
    return SDP_DIRECTION_NONE;
}

static int read_allow_mixed(struct reader *r, char *value)
{
    (void)value;
    transport_of(r)->allow_mixed = true;
    return 0;
}

/* ---- session level ---- */

static int read_ice_lite(struct reader *r, char *value)
{
    (void)value;
    r->sdp->ice_lite = true;
    return 0;
}

static int read_group(struct reader *r, char *value)
{
    struct sdp *s = r->sdp;
    const char *semantics = sdp_word(&value);
    if (r->m || !semantics || strcmp(semantics, "BUNDLE") != 0) {
        return 0; /* LS and others: SDP-08 */
    }
    if (s->n_bundles++ > 0) {
        return 0; /* counted, so that it can be refused: SDP-10 */
    }
    for (const char *mid = sdp_word(&value); mid; mid = sdp_word(&value)) {
        bool again = false;
        for (unsigned i = 0; i < s->n_bundle && !again; i++) {
            again = strcmp(s->bundle[i], mid) == 0;
        }
        if (again) {
            continue;
        }
        if (s->n_bundle == SDP_MEDIA_MAX) {
            return -E2BIG;
        }
        s->bundle[s->n_bundle++] = mid;
    }
    return 0;
}

/* ---- section level ---- */

static int read_mid(struct reader *r, char *value)
{
    if (r->m->mid[0] || !sdp_is_token(value, SDP_LINE_MAX)) {
        return -EBADMSG;
    }
    if (strlen(value) > SDP_MID_MAX) {
        return -E2BIG;
    }
    for (unsigned i = 0; i < r->sdp->n_media; i++) {
        if (strcmp(r->sdp->media[i]->mid, value) == 0) {
            return -EBADMSG;
        }
    }
    r->m->mid = value;
    return 0;
}

static int read_mux(struct reader *r, char *value)
{
    (void)value;
    r->m->mux = true;
    return 0;
}

static int read_rsize(struct reader *r, char *value)
{
    (void)value;
    r->m->rsize = true;
    return 0;
}

static int read_bundle_only(struct reader *r, char *value)
{
    (void)value;
    r->m->bundle_only = true;
    return 0;
}

/* More than one line in a section: the first counts (SDP-38). */
static int read_msid(struct reader *r, char *value)
{
    if (!r->has_msid) {
        const char *stream = sdp_word(&value);
        r->has_msid = true;
        r->m->msid_stream = stream && strcmp(stream, "-") != 0 ? stream : NULL;
    }
    return 0;
}

static int read_candidate(struct reader *r, char *value)
{
    (void)value; /* an ICE-lite server learns the peer's address from its checks */
    return ++r->n_candidates > SDP_CANDIDATES_MAX ? -E2BIG : 0;
}

static int read_rtpmap(struct reader *r, char *value)
{
    struct sdp_format *f = format_of(r, &value);
    if (!f || f->rtpmap) {
        return 0;
    }
    size_t name_len = strcspn(value, "/");
    uint64_t clock, channels = 1;
    const char *at = value + name_len;
    if (name_len == 0 || *at++ != '/' || !sdp_uint(&at, UINT32_MAX, &clock)) {
        return -EBADMSG;
    }
    if (*at == '/') {
        at++;
        if (!sdp_uint(&at, UINT8_MAX, &channels)) {
            return -EBADMSG;
        }
    }
    if (*at) {
        return -EBADMSG;
    }
    f->rtpmap = value;
    if (name_len == 3 && strncasecmp(value, "rtx", 3) == 0) {
        r->is_rtx[f - r->m->formats] = true; /* whose, its fmtp says, before or after this line */
        return 0;
    }
    f->codec = codec_find(value, name_len, (uint32_t)clock, (unsigned)channels);
    return 0;
}

static int read_fmtp(struct reader *r, char *value)
{
    struct sdp_format *f = format_of(r, &value);
    if (!f || f->fmtp[0]) {
        return 0;
    }
    for (const char *p = value; *p; p++) {
        if (*p < ' ' || *p > '~') {
            return -EBADMSG; /* it is echoed into answers */
        }
    }
    f->fmtp = value;
    return 0;
}

static int read_rtcp_fb(struct reader *r, char *value)
{
    static const struct {
        const char *text;
        uint8_t bit;
    } known[] = {
        {"nack", SDP_FB_NACK},         {"nack pli", SDP_FB_PLI},   {"ccm fir", SDP_FB_FIR},
        {"transport-cc", SDP_FB_TWCC}, {"goog-remb", SDP_FB_REMB},
    };
    uint8_t *fb = &r->fb_all;
    if (value[0] == '*' && value[1] == ' ') {
        value += 2;
    } else {
        struct sdp_format *f = format_of(r, &value);
        if (!f) {
            return 0;
        }
        fb = &f->fb;
    }
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(value, known[i].text) == 0) {
            *fb |= known[i].bit;
        }
    }
    return 0;
}

/* "3 uri", "3/sendonly uri attributes". What cannot be used is left out: id 0 and 15, ids "to be
 * chosen" from 4096 on, ids used before in this section (SDP-16). */
static int read_extmap(struct reader *r, char *value)
{
    char *id_text = sdp_word(&value);
    const char *uri = sdp_word(&value);
    const char *at = id_text;
    uint64_t id;
    if (!uri || !sdp_uint(&at, 255, &id) || id == 0 || id == 15 || r->ext_used[id]) {
        return 0;
    }
    enum sdp_direction direction = SDP_SENDRECV;
    if (*at == '/') {
        direction = direction_named(at + 1);
    } else if (*at) {
        return 0;
    }
    r->ext_used[id] = true;
    int kind = ext_find(uri, strlen(uri));
    if (kind >= 0 && direction != SDP_DIRECTION_NONE && r->m->ext[kind].id == 0) {
        r->m->ext[kind] = (struct sdp_ext){.id = (uint16_t)id, .direction = direction};
    }
    return 0;
}

/* What cannot be used is left out, and the section is not accepted then. */
static int read_sctp_port(struct reader *r, char *value)
{
    const char *at = value;
    uint64_t port;
    r->m->sctp_port = sdp_uint(&at, UINT16_MAX, &port) && !*at ? (uint16_t)port : 0;
    return 0;
}

static int read_max_message_size(struct reader *r, char *value)
{
    const char *at = value;
    uint64_t bytes;
    if (sdp_uint(&at, UINT64_MAX / 10 - 1, &bytes) && !*at) {
        r->m->max_message_bytes = (uint32_t)MIN(bytes, (uint64_t)UINT32_MAX);
    }
    return 0;
}

static bool is_rid(const char *s)
{
    size_t n = strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    return n >= 1 && n <= 255 && s[n] == '\0';
}

/* "hi send", "hi send pt=96;max-width=1280": restrictions are the sender's own business. */
static int read_rid(struct reader *r, char *value)
{
    struct sdp_media *m = r->m;
    const char *id = sdp_word(&value);
    const char *direction = sdp_word(&value);
    if (!id || !direction || !is_rid(id)) {
        return -EBADMSG;
    }
    if (strcmp(direction, "recv") == 0) {
        return 0;
    }
    if (strcmp(direction, "send") != 0) {
        return -EBADMSG;
    }
    for (unsigned i = 0; i < m->n_rids; i++) {
        if (strcmp(m->rids[i], id) == 0) {
            return -EBADMSG;
        }
    }
    if (m->n_rids == SDP_RIDS_MAX) {
        return -E2BIG;
    }
    m->rids[m->n_rids++] = id;
    return 0;
}

static int read_simulcast(struct reader *r, char *value)
{
    if (r->has_simulcast) {
        return -EBADMSG; /* SDP-40 */
    }
    r->has_simulcast = true;
    r->simulcast = value;
    return 0;
}

static int read_ssrc(struct reader *r, char *value)
{
    struct sdp_media *m = r->m;
    const char *at = value;
    uint64_t ssrc;
    if (!sdp_uint(&at, UINT32_MAX, &ssrc) || (*at && *at != ' ')) {
        return -EBADMSG;
    }
    if (++r->n_ssrc_lines > SDP_SSRC_LINES_MAX) {
        return -E2BIG;
    }
    if (ssrc != 0 && (m->n_ssrcs == 0 || m->ssrcs[m->n_ssrcs - 1] != ssrc)) {
        m->ssrcs[m->n_ssrcs++] = (uint32_t)ssrc;
    }
    value += at - value;
    const char *word = sdp_word(&value);
    if (word && strncmp(word, "msid:", 5) == 0 && !m->msid_stream && !r->has_msid &&
        strcmp(word + 5, "-") != 0) {
        m->msid_stream = word + 5; /* GStreamer says it only here; an a=msid line still wins */
    }
    return 0;
}

static int read_ssrc_group(struct reader *r, char *value)
{
    struct sdp_media *m = r->m;
    const char *semantics = sdp_word(&value);
    const char *a = sdp_word(&value);
    const char *b = sdp_word(&value);
    uint64_t first, second;
    if (!b || !sdp_uint(&a, UINT32_MAX, &first) || *a || !sdp_uint(&b, UINT32_MAX, &second) || *b) {
        return 0;
    }
    if (strcmp(semantics, "SIM") == 0 && m->sim_first == 0) {
        m->sim_first = (uint32_t)first;
    }
    if (strcmp(semantics, "FID") == 0 && m->n_fids < SDP_PAIRS_MAX && first && second) {
        m->fids[m->n_fids].primary = (uint32_t)first;
        m->fids[m->n_fids++].rtx = (uint32_t)second;
    }
    return 0;
}

enum level {
    BOTH,
    SECTION, /* ignored at session level */
    RTP,     /* ignored there and in sections other than audio and video */
};

static const struct {
    const char *name;
    enum level level;
    int (*read)(struct reader *r, char *value);
} attributes[] = {
    {"rtcp-fb", RTP, read_rtcp_fb},
    {"rtpmap", RTP, read_rtpmap},
    {"fmtp", RTP, read_fmtp},
    {"ssrc", RTP, read_ssrc},
    {"extmap", RTP, read_extmap},
    {"candidate", SECTION, read_candidate},
    {"ssrc-group", RTP, read_ssrc_group},
    {"rid", RTP, read_rid},
    {"simulcast", RTP, read_simulcast},
    {"msid", RTP, read_msid},
    {"mid", SECTION, read_mid},
    {"rtcp-mux", SECTION, read_mux},
    {"rtcp-rsize", SECTION, read_rsize},
    {"bundle-only", SECTION, read_bundle_only},
    {"sctp-port", SECTION, read_sctp_port},
    {"max-message-size", SECTION, read_max_message_size},
    {"ice-lite", BOTH, read_ice_lite},
    {"ice-ufrag", BOTH, read_ufrag},
    {"ice-pwd", BOTH, read_pwd},
    {"fingerprint", BOTH, read_fingerprint},
    {"setup", BOTH, read_setup},
    {"extmap-allow-mixed", BOTH, read_allow_mixed},
    {"group", BOTH, read_group},
};

static int read_attribute(struct reader *r, char *text)
{
    if (++r->n_attrs > SDP_ATTRS_MAX) {
        return -E2BIG;
    }
    char *value = strchr(text, ':');
    if (value) {
        *value++ = '\0';
    } else {
        value = text + strlen(text);
        enum sdp_direction d = direction_named(text);
        if (d != SDP_DIRECTION_NONE) {
            transport_of(r)->direction = d;
            return 0;
        }
    }
    size_t n = strlen(value);
    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t')) {
        value[--n] = '\0';
    }
    bool rtp = r->m && r->m->kind <= SDP_VIDEO;
    for (unsigned i = 0; i < ARRAY_LEN(attributes); i++) {
        if (text[0] == attributes[i].name[0] && strcmp(text, attributes[i].name) == 0) {
            bool here = attributes[i].level == BOTH || (attributes[i].level == SECTION && r->m) ||
                        (attributes[i].level == RTP && rtp);
            return here ? attributes[i].read(r, value) : 0;
        }
    }
    return 0;
}

/* ---- the end of a section ---- */

/* One item of a=simulcast: "~a,b" -> the first alternative that has a rid line; NULL: none. item is
 * cut. -EBADMSG in *err when a word is not a rid. */
static const char *pick_alternative(const struct sdp_media *m, char *item, int *err)
{
    const char *picked = NULL;
    while (item) {
        char *next = strchr(item, ',');
        if (next) {
            *next++ = '\0';
        }
        const char *id = item[0] == '~' ? item + 1 : item;
        if (!is_rid(id)) {
            *err = -EBADMSG;
            return NULL;
        }
        for (unsigned i = 0; i < m->n_rids && !picked; i++) {
            picked = strcmp(m->rids[i], id) == 0 ? id : NULL;
        }
        item = next;
    }
    return picked;
}

static int read_layers(struct sdp_media *m, char *list)
{
    int err = 0;
    while (list) {
        char *next = strchr(list, ';');
        if (next) {
            *next++ = '\0';
        }
        const char *id = pick_alternative(m, list, &err);
        if (err) {
            return err;
        }
        if (id && m->n_layers < SDP_RIDS_MAX) {
            m->layers[m->n_layers++] = id;
        }
        list = next;
    }
    return 0;
}

/* "send a;b", "send a;b recv c", in either order. */
static int finish_simulcast(struct reader *r)
{
    char *at = r->simulcast;
    unsigned n_words = 0;
    for (char *word = sdp_word(&at); word; word = sdp_word(&at), n_words++) {
        char *list = sdp_word(&at);
        if (!list || (strcmp(word, "send") != 0 && strcmp(word, "recv") != 0)) {
            return -EBADMSG;
        }
        if (word[0] == 's') {
            int err = r->m->n_layers == 0 ? read_layers(r->m, list) : -EBADMSG;
            if (err) {
                return err;
            }
        }
    }
    return n_words > 0 ? 0 : -EBADMSG;
}

/* What needs all lines of the section: attributes come in any order. */
static int finish_section(struct reader *r)
{
    struct sdp_media *m = r->m;
    if (!m) {
        return 0;
    }
    for (unsigned i = 0; i < m->n_formats; i++) {
        struct sdp_format *f = &m->formats[i];
        f->fb |= r->fb_all;
        if (!f->rtpmap) {
            f->codec = codec_find_static(f->pt);
        }
        if (f->codec != CODEC_NONE && codec_info(f->codec)->kind != (enum media_kind)m->kind) {
            f->codec = CODEC_NONE;
        }
        size_t len;
        uint64_t apt;
        const char *value = r->is_rtx[i] ? sdp_fmtp_param(f->fmtp, "apt", &len) : NULL;
        if (value && sdp_uint(&value, SDP_FORMATS_MAX - 1, &apt) &&
            m->index_of_pt[apt] != SDP_NO_FORMAT && m->formats[m->index_of_pt[apt]].rtx_pt == 0) {
            m->formats[m->index_of_pt[apt]].rtx_pt = f->pt; /* SDP-34 */
        }
    }
    return r->has_simulcast ? finish_simulcast(r) : 0;
}

/* ---- lines ---- */

static unsigned count_words(const char *s)
{
    unsigned n = 0;
    for (s += strspn(s, " \t"); *s; n++) {
        s += strcspn(s, " \t");
        s += strspn(s, " \t");
    }
    return n;
}

static enum sdp_kind kind_named(const char *name)
{
    static const char *const names[] = {"audio", "video", "application"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum sdp_kind)i;
        }
    }
    return SDP_OTHER;
}

static int read_formats(struct sdp_media *m, char *list)
{
    for (char *word = sdp_word(&list); word; word = sdp_word(&list)) {
        const char *at = word;
        uint64_t pt;
        m->first_format = m->first_format ? m->first_format : word;
        if (m->kind > SDP_VIDEO) {
            return sdp_is_token(word, SDP_LINE_MAX) ? 0 : -EBADMSG;
        }
        if (!sdp_uint(&at, SDP_FORMATS_MAX - 1, &pt) || *at) {
            return -EBADMSG;
        }
        if (m->index_of_pt[pt] == SDP_NO_FORMAT) {
            m->index_of_pt[pt] = (uint8_t)m->n_formats;
            m->formats[m->n_formats++] = (struct sdp_format){.pt = (uint8_t)pt, .fmtp = ""};
        }
    }
    return 0;
}

static bool is_proto(const char *s)
{
    for (; *s; s++) {
        if (*s < '!' || *s > '~') {
            return false;
        }
    }
    return true;
}

/* "audio 9 UDP/TLS/RTP/SAVPF 111 63", port perhaps "9/2". */
static int read_media(struct reader *r, char *text)
{
    char *name = sdp_word(&text);
    char *port_text = sdp_word(&text);
    char *proto = sdp_word(&text);
    unsigned n_formats = count_words(text);
    const char *at = port_text;
    uint64_t port, n_ports = 1;
    if (!proto || n_formats == 0 || !sdp_is_token(name, SDP_LINE_MAX) || !is_proto(proto) ||
        !sdp_uint(&at, UINT16_MAX, &port)) {
        return -EBADMSG;
    }
    if (*at == '/') {
        at++;
        if (!sdp_uint(&at, UINT16_MAX, &n_ports)) {
            return -EBADMSG;
        }
    }
    if (*at) {
        return -EBADMSG;
    }
    if (r->sdp->n_media == SDP_MEDIA_MAX || n_formats > SDP_FORMATS_MAX) {
        return -E2BIG;
    }
    struct sdp_media *m = calloc(1, sizeof(*m) + n_formats * sizeof(m->formats[0]));
    if (!m) {
        return -ENOMEM;
    }
    r->sdp->media[r->sdp->n_media++] = m;
    *r = (struct reader){.sdp = r->sdp, .m = m, .has_version = true, .has_origin = true};
    m->name = name;
    m->kind = kind_named(name);
    m->port = (uint16_t)port;
    m->proto = proto;
    m->mid = "";
    m->max_message_bytes = SDP_MESSAGE_DEFAULT;
    memset(m->index_of_pt, SDP_NO_FORMAT, sizeof(m->index_of_pt));
    return read_formats(m, text);
}

static int read_line(struct reader *r, char *line, size_t len)
{
    if (len < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=') {
        return -EBADMSG;
    }
    char *text = line + 2;
    if (!r->has_version) {
        r->has_version = strcmp(line, "v=0") == 0;
        return r->has_version ? 0 : -EBADMSG;
    }
    int err;
    switch (line[0]) {
    case 'o':
        r->has_origin = true;
        return count_words(text) == 6 ? 0 : -EBADMSG;
    case 'm':
        err = r->has_origin ? finish_section(r) : -EBADMSG;
        return err ? err : read_media(r, text);
    case 'a':
        return read_attribute(r, text);
    default: /* s= and t= included: nothing depends on them */
        return 0;
    }
}

static void mark_bundle(struct sdp *s)
{
    for (unsigned i = 0; i < s->n_media; i++) {
        for (unsigned k = 0; k < s->n_bundle && !s->media[i]->in_bundle; k++) {
            s->media[i]->in_bundle =
                s->media[i]->mid[0] && strcmp(s->media[i]->mid, s->bundle[k]) == 0;
        }
    }
}

static int read_lines(struct reader *r, size_t len, int *line_no)
{
    char *text = r->sdp->text;
    const char *at = text;
    const char *line;
    size_t n;
    while (sdp_line(&at, text + len, &line, &n)) {
        ++*line_no;
        if (n == 0) {
            continue; /* SDP-24 */
        }
        if (n > SDP_LINE_MAX) {
            return -E2BIG;
        }
        if (!sdp_line_is_clean(line, n)) {
            return -EBADMSG;
        }
        char *own = text + (line - text);
        own[n] = '\0'; /* over the line end, or the byte behind the copy */
        int err = read_line(r, own, n);
        if (err) {
            return err;
        }
    }
    return r->m ? finish_section(r) : -EBADMSG; /* no m-line */
}

int sdp_read(const char *text, size_t len, struct sdp **ret, int *ret_line)
{
    int line_no = 0;
    if (len > SDP_BYTES_MAX) {
        *ret_line = 1;
        return -E2BIG;
    }
    struct sdp *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->text = malloc(len + 1);
    if (!s->text) {
        sdp_free(s);
        return -ENOMEM;
    }
    if (len > 0) {
        memcpy(s->text, text, len);
    }
    s->text[len] = '\0';
    struct reader r = {.sdp = s};
    int err = read_lines(&r, len, &line_no);
    if (err) {
        *ret_line = MAX(line_no, 1);
        sdp_free(s);
        return err;
    }
    mark_bundle(s);
    *ret = s;
    return 0;
}

void sdp_free(struct sdp *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < s->n_media; i++) {
        free(s->media[i]);
    }
    free(s->text);
    free(s);
}
