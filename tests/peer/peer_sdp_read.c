/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_sdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const ext_uris[PEER_EXT_COUNT] = {
    [PEER_EXT_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [PEER_EXT_ABS_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [PEER_EXT_TWCC] = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [PEER_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [PEER_EXT_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [PEER_EXT_RRID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
};

const char *peer_ext_uri(enum peer_ext e)
{
    return ext_uris[e];
}

/* "name" or "name:value": the value if the line is that attribute, else NULL. */
static const char *attr(const char *line, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(line, name, n) || (line[n] && line[n] != ':')) {
        return NULL;
    }
    return line[n] ? line + n + 1 : line + n;
}

static void copy(char *out, size_t cap, const char *v)
{
    snprintf(out, cap, "%s", v);
}

static struct peer_sdp_codec *codec_of(struct peer_sdp_media *m, unsigned long pt)
{
    for (unsigned i = 0; i < m->n_codecs; i++) {
        if (m->codecs[i].pt == pt) {
            return &m->codecs[i];
        }
    }
    return NULL;
}

static void read_media_line(struct peer_sdp *s, const char *v)
{
    struct peer_sdp_media *m = &s->media[s->n_media];
    unsigned port = 0;
    int used = 0;

    if (s->n_media == PEER_SDP_MEDIA_MAX) {
        s->fault = "more m-lines than this reader takes";
        return;
    }
    memset(m, 0, sizeof(*m));
    if (sscanf(v, "%11s %u %*s%n", m->kind, &port, &used) < 2 || !used) {
        s->fault = "m-line";
        return;
    }
    s->n_media++;
    m->rejected = !port;
    for (const char *p = v + used; *p && m->n_codecs < PEER_SDP_CODECS_MAX;) {
        char *end;
        unsigned long pt = strtoul(p, &end, 10);
        if (end == p) {
            break;
        }
        m->codecs[m->n_codecs++] = (struct peer_sdp_codec){.pt = (uint8_t)pt, .apt = -1};
        p = end;
    }
}

static void read_candidate(struct peer_sdp *s, const char *v)
{
    struct peer_sdp_cand c = {0};
    char transport[8] = "";
    unsigned port = 0, component = 0;

    if (sscanf(v, "%*32s %u %7s %u %63s %u typ %7s", &component, transport, &c.priority, c.ip,
               &port, c.type) != 6 ||
        component != 1 || port > 65535) {
        s->fault = "candidate";
        return;
    }
    c.tcp = !strcasecmp(transport, "tcp");
    c.port = (uint16_t)port;
    if (s->n_cands < PEER_SDP_CANDS_MAX) {
        s->cands[s->n_cands++] = c;
    }
}

static void read_rtpmap(struct peer_sdp_media *m, const char *v)
{
    char name[16];
    unsigned pt = 0, clock = 0;

    if (sscanf(v, "%u %15[^/]/%u", &pt, name, &clock) == 3) {
        struct peer_sdp_codec *c = codec_of(m, pt);
        if (c) {
            copy(c->name, sizeof(c->name), name);
            c->clock_hz = clock;
        }
    }
}

static void read_feedback(struct peer_sdp_media *m, const char *v)
{
    char *end;
    struct peer_sdp_codec *c = codec_of(m, strtoul(v, &end, 10));

    if (!c) {
        return;
    }
    c->nack = c->nack || !strcmp(end, " nack");
    c->pli = c->pli || !strcmp(end, " nack pli");
    c->fir = c->fir || !strcmp(end, " ccm fir");
    c->twcc = c->twcc || !strcmp(end, " transport-cc");
    c->remb = c->remb || !strcmp(end, " goog-remb");
}

static void read_extmap(struct peer_sdp *s, struct peer_sdp_media *m, const char *v)
{
    char uri[160];
    unsigned id = 0;

    if (sscanf(v, "%u%*[^ ] %159s", &id, uri) != 2 && sscanf(v, "%u %159s", &id, uri) != 2) {
        s->fault = "extmap";
        return;
    }
    if (m->n_exts < PEER_LEN(m->ext_ids)) {
        m->ext_ids[m->n_exts++] = (uint8_t)id;
    }
    for (unsigned e = 0; e < PEER_EXT_COUNT; e++) {
        if (!strcmp(uri, ext_uris[e])) {
            m->ext[e] = (uint8_t)id;
        }
    }
}

static void read_ssrc(struct peer_sdp_media *m, const char *v)
{
    uint32_t ssrc = (uint32_t)strtoul(v, NULL, 10);

    m->ssrc = m->ssrc ? m->ssrc : ssrc;
}

static void read_fid(struct peer_sdp_media *m, const char *v)
{
    unsigned a = 0, b = 0;

    if (sscanf(v, "FID %u %u", &a, &b) == 2 && !m->rtx_ssrc) {
        m->ssrc = a;
        m->rtx_ssrc = b;
    }
}

static void read_rid(struct peer_sdp_media *m, const char *v)
{
    if (m->n_rids < PEER_LAYERS_MAX) {
        sscanf(v, "%16s", m->rids[m->n_rids++]);
    }
}

/* Attributes that may stand at either level: session values are copied into later sections. */
static bool read_transport(struct peer_sdp_media *m, const char *line)
{
    const char *v;

    if ((v = attr(line, "ice-ufrag"))) {
        copy(m->ufrag, sizeof(m->ufrag), v);
    } else if ((v = attr(line, "ice-pwd"))) {
        copy(m->pwd, sizeof(m->pwd), v);
    } else if ((v = attr(line, "setup"))) {
        copy(m->setup, sizeof(m->setup), v);
    } else if ((v = attr(line, "fingerprint"))) {
        sscanf(v, "%11s %199s", m->fingerprint_alg, m->fingerprint);
    } else {
        return false;
    }
    return true;
}

static bool read_codec_attr(struct peer_sdp *s, struct peer_sdp_media *m, const char *line)
{
    const char *v;
    unsigned pt = 0, apt = 0;

    if ((v = attr(line, "rtpmap"))) {
        read_rtpmap(m, v);
    } else if ((v = attr(line, "rtcp-fb"))) {
        read_feedback(m, v);
    } else if ((v = attr(line, "fmtp"))) {
        if (sscanf(v, "%u apt=%u", &pt, &apt) == 2 && codec_of(m, pt)) {
            codec_of(m, pt)->apt = (int)apt;
        }
    } else if ((v = attr(line, "extmap"))) {
        read_extmap(s, m, v);
    } else {
        return false;
    }
    return true;
}

static void read_media_attr(struct peer_sdp *s, struct peer_sdp_media *m, const char *line)
{
    static const char *const directions[] = {"sendrecv", "sendonly", "recvonly", "inactive"};
    const char *v;

    if (read_codec_attr(s, m, line)) {
        return;
    }
    if ((v = attr(line, "mid"))) {
        copy(m->mid, sizeof(m->mid), v);
    } else if (attr(line, "rtcp-mux")) {
        m->rtcp_mux = true;
    } else if (attr(line, "rtcp-rsize")) {
        m->rtcp_rsize = true;
    } else if ((v = attr(line, "ssrc"))) {
        read_ssrc(m, v);
    } else if ((v = attr(line, "ssrc-group"))) {
        read_fid(m, v);
    } else if ((v = attr(line, "rid"))) {
        read_rid(m, v);
    } else if ((v = attr(line, "simulcast"))) {
        copy(m->simulcast, sizeof(m->simulcast), v);
        m->n_simulcast_lines++;
    } else if ((v = attr(line, "msid"))) {
        copy(m->msid, sizeof(m->msid), v);
    } else if (attr(line, "bundle-only")) {
        m->rejected = false;
    } else if ((v = attr(line, "sctp-port"))) {
        m->sctp_port = (uint16_t)strtoul(v, NULL, 10);
    } else if ((v = attr(line, "max-message-size"))) {
        m->message_bytes = (uint32_t)strtoul(v, NULL, 10);
    }
    for (unsigned i = 0; i < PEER_LEN(directions); i++) {
        if (!strcmp(line, directions[i])) {
            copy(m->direction, sizeof(m->direction), directions[i]);
        }
    }
}

static void read_attr(struct peer_sdp *s, struct peer_sdp_media *session, const char *line)
{
    struct peer_sdp_media *m = s->n_media ? &s->media[s->n_media - 1] : session;
    const char *v;

    if ((v = attr(line, "candidate"))) {
        read_candidate(s, v);
    } else if (attr(line, "end-of-candidates")) {
        s->end_of_candidates = true;
    } else if (attr(line, "ice-lite")) {
        s->ice_lite = true;
    } else if (attr(line, "extmap-allow-mixed")) {
        s->mixed = true;
    } else if ((v = attr(line, "group")) && !strncmp(v, "BUNDLE ", 7)) {
        copy(s->bundle, sizeof(s->bundle), v + 7);
    } else if (!read_transport(m, line) && s->n_media) {
        read_media_attr(s, m, line);
    }
}

static void inherit(struct peer_sdp *s, const struct peer_sdp_media *session)
{
    struct peer_sdp_media *m = &s->media[s->n_media - 1];

    memcpy(m->ufrag, session->ufrag, sizeof(m->ufrag));
    memcpy(m->pwd, session->pwd, sizeof(m->pwd));
    memcpy(m->setup, session->setup, sizeof(m->setup));
    memcpy(m->fingerprint_alg, session->fingerprint_alg, sizeof(m->fingerprint_alg));
    memcpy(m->fingerprint, session->fingerprint, sizeof(m->fingerprint));
}

int peer_sdp_read(const char *text, size_t len, struct peer_sdp *ret)
{
    struct peer_sdp_media session = {0};
    char line[2048];
    bool any = false;

    memset(ret, 0, sizeof(*ret));
    for (const char *p = text, *end = text + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
        if (!nl || !n || p[n - 1] != '\r') {
            ret->fault = "a line does not end in CRLF";
        }
        n -= n && p[n - 1] == '\r';
        if (n >= sizeof(line) || n < 2 || p[1] != '=') {
            return -EBADMSG;
        }
        memcpy(line, p, n);
        line[n] = '\0';
        unsigned before = ret->n_media;
        if (line[0] == 'm') {
            read_media_line(ret, line + 2);
        } else if (line[0] == 'a') {
            read_attr(ret, &session, line + 2);
        }
        if (ret->n_media > before) {
            inherit(ret, &session);
        }
        any = true;
        p = nl ? nl + 1 : end;
    }
    if (any && !ret->n_media && session.ufrag[0]) {
        ret->media[0] = session; /* a fragment without an m-line: only its credentials count */
    }
    return any ? 0 : -EBADMSG;
}

/* ---- does the answer fit the offer? ---- */

static const struct peer_sdp_codec *find_pt(const struct peer_sdp_media *m, uint8_t pt)
{
    for (unsigned i = 0; i < m->n_codecs; i++) {
        if (m->codecs[i].pt == pt) {
            return &m->codecs[i];
        }
    }
    return NULL;
}

static const char *codec_fault(const struct peer_sdp_media *o, const struct peer_sdp_media *a)
{
    for (unsigned i = 0; i < a->n_codecs; i++) {
        const struct peer_sdp_codec *x = &a->codecs[i], *y = find_pt(o, x->pt);
        if (!y) {
            return "payload type that was not offered";
        }
        if (x->name[0] && (strcasecmp(x->name, y->name) || x->clock_hz != y->clock_hz)) {
            return "payload type with another codec than offered";
        }
        if (x->apt >= 0 && (x->apt != y->apt || !find_pt(a, (uint8_t)x->apt))) {
            return "RTX for a payload type that is not in the answer";
        }
        if ((x->nack && !y->nack) || (x->pli && !y->pli) || (x->fir && !y->fir) ||
            (x->twcc && !y->twcc) || (x->remb && !y->remb)) {
            return "rtcp-fb that was not offered";
        }
    }
    return a->n_codecs ? NULL : "section without formats";
}

static const char *ext_fault(const struct peer_sdp_media *o, const struct peer_sdp_media *a)
{
    for (unsigned i = 0; i < a->n_exts; i++) {
        if (!memchr(o->ext_ids, a->ext_ids[i], o->n_exts)) {
            return "extmap id that was not offered";
        }
    }
    for (unsigned e = 0; e < PEER_EXT_COUNT; e++) {
        if (a->ext[e] && a->ext[e] != o->ext[e]) {
            return "extmap with another id than offered";
        }
    }
    return NULL;
}

static const char *direction_fault(const struct peer_sdp_media *o, const struct peer_sdp_media *a)
{
    bool receives = !strcmp(a->direction, "recvonly"), sends = !strcmp(a->direction, "sendonly");

    if (!strcmp(o->direction, "sendonly")) {
        return receives ? NULL : "offer sendonly needs answer recvonly";
    }
    if (!strcmp(o->direction, "recvonly")) {
        return sends ? NULL : "offer recvonly needs answer sendonly";
    }
    return receives || sends ? NULL : "direction";
}

static const char *setup_fault(const struct peer_sdp_media *o, const struct peer_sdp_media *a)
{
    bool active = !strcmp(a->setup, "active"), passive = !strcmp(a->setup, "passive");

    if (!active && !passive) {
        return "setup neither active nor passive";
    }
    return !strcmp(o->setup, a->setup) ? "setup equal to the offer's" : NULL;
}

static const char *simulcast_fault(const struct peer_sdp_media *o, const struct peer_sdp_media *a)
{
    if (!a->n_simulcast_lines) {
        return NULL;
    }
    if (!o->n_simulcast_lines || a->n_simulcast_lines > 1) {
        return "simulcast line";
    }
    if (strncmp(a->simulcast, "recv ", 5)) {
        return "simulcast direction";
    }
    for (unsigned i = 0; i < a->n_rids; i++) {
        bool known = false;
        for (unsigned k = 0; k < o->n_rids; k++) {
            known = known || !strcmp(a->rids[i], o->rids[k]);
        }
        if (!known) {
            return "rid that was not offered";
        }
    }
    return NULL;
}

static bool bundled(const struct peer_sdp *s, const char *mid)
{
    char padded[sizeof(s->bundle) + 2], word[40];

    snprintf(padded, sizeof(padded), " %s ", s->bundle);
    snprintf(word, sizeof(word), " %s ", mid);
    return strstr(padded, word) != NULL;
}

static const char *section_fault(const struct peer_sdp *answer, const struct peer_sdp_media *o,
                                 const struct peer_sdp_media *a)
{
    const char *why = NULL;

    if (!bundled(answer, a->mid)) {
        return "accepted section outside the BUNDLE group";
    }
    if (strcmp(o->kind, "application")) {
        why = a->rtcp_mux ? NULL : "no rtcp-mux";
        why = why ? why : codec_fault(o, a);
        why = why ? why : direction_fault(o, a);
    } else if (!a->sctp_port || !a->message_bytes) {
        why = "data section without sctp-port or max-message-size";
    }
    if (!why && a->rtcp_rsize && !o->rtcp_rsize) {
        why = "rtcp-rsize that was not offered";
    }
    why = why ? why : ext_fault(o, a);
    why = why ? why : simulcast_fault(o, a);
    return why ? why : setup_fault(o, a);
}

const char *peer_sdp_fault(const struct peer_sdp *offer, const struct peer_sdp *answer)
{
    bool any = false;

    if (answer->fault) {
        return answer->fault;
    }
    if (offer->n_media != answer->n_media) {
        return "number of m-lines";
    }
    if (answer->mixed && !offer->mixed) {
        return "extmap-allow-mixed that was not offered";
    }
    for (unsigned i = 0; i < answer->n_media; i++) {
        const struct peer_sdp_media *o = &offer->media[i], *a = &answer->media[i];
        if (strcmp(o->kind, a->kind) || strcmp(o->mid, a->mid)) {
            return "kind or mid of an m-line";
        }
        if (a->rejected) {
            continue;
        }
        const char *why = section_fault(answer, o, a);
        if (why) {
            return why;
        }
        if (!any && (!a->ufrag[0] || !a->pwd[0] || !a->fingerprint[0])) {
            return "no ufrag, pwd or fingerprint in the first accepted section";
        }
        if (strlen(a->ufrag) < 4 || strlen(a->pwd) < 22) {
            return "ufrag or pwd too short";
        }
        any = true;
    }
    return any ? NULL : "every section is rejected";
}
