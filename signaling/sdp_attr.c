/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/sdp_attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct sdp_transport *transport_of(struct sdp_attr *r)
{
    return r->m ? &r->m->transport : &r->sdp->transport;
}

/* The format that "96 rest" speaks of, or NULL if its payload type is not in the section; *value
 * moves to rest. */
static struct sdp_format *format_of(struct sdp_attr *r, char **value)
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

static int read_ufrag(struct sdp_attr *r, char *value)
{
    transport_of(r)->ufrag = value;
    return sdp_is_ice_chars(value, 4, ICE_UFRAG_MAX) ? 0 : -EBADMSG;
}

static int read_pwd(struct sdp_attr *r, char *value)
{
    transport_of(r)->pwd = value;
    return sdp_is_ice_chars(value, 22, ICE_PWD_MAX) ? 0 : -EBADMSG;
}

static int read_fingerprint(struct sdp_attr *r, char *value)
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

static int read_setup(struct sdp_attr *r, char *value)
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

static int read_allow_mixed(struct sdp_attr *r, char *value)
{
    (void)value;
    transport_of(r)->allow_mixed = true;
    return 0;
}

/* ---- session level ---- */

static int read_ice_lite(struct sdp_attr *r, char *value)
{
    (void)value;
    r->sdp->ice_lite = true;
    return 0;
}

static int read_group(struct sdp_attr *r, char *value)
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

static int read_mid(struct sdp_attr *r, char *value)
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

static int read_mux(struct sdp_attr *r, char *value)
{
    (void)value;
    r->m->mux = true;
    return 0;
}

static int read_rsize(struct sdp_attr *r, char *value)
{
    (void)value;
    r->m->rsize = true;
    return 0;
}

static int read_bundle_only(struct sdp_attr *r, char *value)
{
    (void)value;
    r->m->bundle_only = true;
    return 0;
}

/* More than one line in a section: the first counts (SDP-38). */
static int read_msid(struct sdp_attr *r, char *value)
{
    if (!r->has_msid) {
        const char *stream = sdp_word(&value);
        r->has_msid = true;
        r->m->msid_stream = stream && strcmp(stream, "-") != 0 ? stream : NULL;
    }
    return 0;
}

static int read_candidate(struct sdp_attr *r, char *value)
{
    (void)value; /* an ICE-lite server learns the peer's address from its checks */
    return ++r->n_candidates > SDP_CANDIDATES_MAX ? -E2BIG : 0;
}

static int read_rtpmap(struct sdp_attr *r, char *value)
{
    struct sdp_format *f = format_of(r, &value);
    if (!f || f->rtpmap) {
        return 0;
    }
    size_t name_len = strcspn(value, "/");
    uint64_t clock, channels = 0;
    const char *at = value + name_len;
    if (name_len == 0 || *at++ != '/' || !sdp_uint(&at, UINT32_MAX, &clock)) {
        return -EBADMSG;
    }
    if (*at == '/') {
        at++;
        if (!sdp_uint(&at, UINT8_MAX, &channels) || channels == 0) {
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

static int read_fmtp(struct sdp_attr *r, char *value)
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

static int read_rtcp_fb(struct sdp_attr *r, char *value)
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
static int read_extmap(struct sdp_attr *r, char *value)
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
static int read_sctp_port(struct sdp_attr *r, char *value)
{
    const char *at = value;
    uint64_t port;
    r->m->sctp_port = sdp_uint(&at, UINT16_MAX, &port) && !*at ? (uint16_t)port : 0;
    return 0;
}

static int read_max_message_size(struct sdp_attr *r, char *value)
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

/* The SSRC among a rid's restrictions: not in RFC 8851, but SDKs write it who make rids of their
 * own for streams that carry none. */
static uint32_t rid_ssrc(const char *restrictions)
{
    size_t len;
    uint64_t ssrc;
    const char *at = sdp_fmtp_param(restrictions, "ssrc", &len);
    return at && sdp_uint(&at, UINT32_MAX, &ssrc) ? (uint32_t)ssrc : 0;
}

/* "hi send", "hi send pt=96;max-width=1280": restrictions are the sender's own business. */
static int read_rid(struct sdp_attr *r, char *value)
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
    m->rid_ssrcs[m->n_rids] = rid_ssrc(value);
    m->rids[m->n_rids++] = id;
    return 0;
}

static int read_simulcast(struct sdp_attr *r, char *value)
{
    if (r->has_simulcast) {
        return -EBADMSG; /* SDP-40 */
    }
    r->has_simulcast = true;
    r->simulcast = value;
    return 0;
}

static int read_ssrc(struct sdp_attr *r, char *value)
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

/* The SSRCs of a group, each once; those that are none are left out. Returns their number. */
static unsigned read_group_ssrcs(char *list, uint32_t ssrcs[SDP_SIMS_MAX])
{
    unsigned n = 0;
    for (const char *word = sdp_word(&list); word && n < SDP_SIMS_MAX; word = sdp_word(&list)) {
        uint64_t ssrc;
        bool usable = sdp_uint(&word, UINT32_MAX, &ssrc) && !*word && ssrc != 0;
        for (unsigned i = 0; i < n && usable; i++) {
            usable = ssrcs[i] != ssrc;
        }
        if (usable) {
            ssrcs[n++] = (uint32_t)ssrc;
        }
    }
    return n;
}

static int read_ssrc_group(struct sdp_attr *r, char *value)
{
    struct sdp_media *m = r->m;
    const char *semantics = sdp_word(&value);
    uint32_t ssrcs[SDP_SIMS_MAX];
    unsigned n = semantics ? read_group_ssrcs(value, ssrcs) : 0;
    if (n < 2) {
        return 0;
    }
    if (strcmp(semantics, "SIM") == 0 && m->n_sims == 0) {
        memcpy(m->sims, ssrcs, n * sizeof(*ssrcs));
        m->n_sims = n;
    }
    if (strcmp(semantics, "FID") == 0 && m->n_fids < SDP_PAIRS_MAX) {
        m->fids[m->n_fids].primary = ssrcs[0];
        m->fids[m->n_fids++].rtx = ssrcs[1];
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
    int (*read)(struct sdp_attr *r, char *value);
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

int sdp_attr_read(struct sdp_attr *r, char *text)
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
    value += strspn(value, " \t"); /* "a=mid: 0", from SDP that people wrote */
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

/* "send a;b", "send a;b recv c", in either order; in draft 03 (Firefox until 67, players that
 * munge) "send rid=a;b paused=b", or payload types instead, which name no layers. */
static int finish_simulcast(struct sdp_attr *r)
{
    char *at = r->simulcast;
    unsigned n_words = 0;
    for (char *word = sdp_word(&at); word; word = sdp_word(&at), n_words++) {
        if (n_words > 0 && strncmp(word, "paused=", 7) == 0) {
            continue;
        }
        char *list = sdp_word(&at);
        if (!list || (strcmp(word, "send") != 0 && strcmp(word, "recv") != 0)) {
            return -EBADMSG;
        }
        list += strncmp(list, "rid=", 4) == 0 ? 4 : 0;
        if (word[0] == 's' && strncmp(list, "pt=", 3) != 0) {
            int err = r->m->n_layers == 0 ? read_layers(r->m, list) : -EBADMSG;
            if (err) {
                return err;
            }
        }
    }
    return n_words > 0 ? 0 : -EBADMSG;
}

int sdp_attr_finish(struct sdp_attr *r)
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
