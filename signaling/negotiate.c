/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate.c - the frame of an answer that both protocols share. */
#include "signaling/negotiate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signaling/negotiate_plan.h"
#include "signaling/sdp_write.h"

int negotiate_refuse(struct negotiate_refusal *why, int status, const char *type, const char *fmt,
                     ...)
{
    va_list args;
    *why = (struct negotiate_refusal){.status = status, .type = type};
    va_start(args, fmt);
    vsnprintf(why->detail, sizeof(why->detail), fmt, args);
    va_end(args);
    for (char *c = why->detail; *c; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?'; /* a name of the peer's choice, on its way into JSON and logs */
        }
    }
    return -EPROTO;
}

static bool is_rejected(const struct sdp_media *m)
{
    return m->port == 0 && !m->bundle_only;
}

enum sdp_direction negotiate_direction(const struct sdp *offer, const struct sdp_media *m)
{
    if (m->transport.direction != SDP_DIRECTION_NONE) {
        return m->transport.direction;
    }
    enum sdp_direction d = offer->transport.direction;
    return d == SDP_DIRECTION_NONE ? SDP_SENDRECV : d;
}

bool negotiate_is_media(const struct sdp *offer, const struct sdp_media *m)
{
    return m->kind <= SDP_VIDEO && !is_rejected(m) && negotiate_direction(offer, m) != SDP_INACTIVE;
}

const char *negotiate_kind_name(const struct sdp_media *m)
{
    return m->kind == SDP_AUDIO ? "audio" : "video";
}

/* ---- the whole offer ---- */

static int check_bundle(const struct negotiate_plan *plan)
{
    const struct sdp *o = plan->offer;
    unsigned n_open = 0;
    const struct sdp_media *outside = NULL;
    for (unsigned i = 0; i < o->n_media; i++) {
        const struct sdp_media *m = o->media[i];
        n_open += is_rejected(m) ? 0 : 1;
        if (negotiate_is_media(plan->offer, m) && !m->in_bundle) {
            outside = m;
        }
    }
    if (o->n_bundles > 1) {
        return negotiate_refuse(plan->why, 422, "bundle-required",
                                "The offer has %u BUNDLE groups; all m-lines must be in one "
                                "(bundlePolicy max-bundle).",
                                o->n_bundles);
    }
    if (n_open > 1 && o->n_bundles == 0) {
        return negotiate_refuse(plan->why, 422, "bundle-required",
                                "The offer has %u m-lines and no a=group:BUNDLE line; all media "
                                "must share one transport (bundlePolicy max-bundle).",
                                n_open);
    }
    if (n_open > 1 && outside) {
        return negotiate_refuse(plan->why, 422, "bundle-required",
                                "The %s m-line with mid \"%s\" is not in the BUNDLE group; all "
                                "media must share one transport.",
                                negotiate_kind_name(outside), outside->mid);
    }
    return 0;
}

static bool is_same_config(const struct sdp_format *a, const struct sdp_format *b)
{
    if (a->codec != b->codec || (a->rtpmap == NULL) != (b->rtpmap == NULL)) {
        return false;
    }
    if (a->codec == CODEC_NONE) {
        return !a->rtpmap || strcasecmp(a->rtpmap, b->rtpmap) == 0;
    }
    const struct codec_info *info = codec_info(a->codec);
    return !info->fmtp_match || info->fmtp_match(a->fmtp, b->fmtp) ||
           info->fmtp_match(b->fmtp, a->fmtp);
}

/* SDP-18: in one BUNDLE a payload type has one meaning. */
static int check_payload_types(const struct negotiate_plan *plan)
{
    const struct sdp_format *first[SDP_FORMATS_MAX] = {0};
    for (unsigned i = 0; i < plan->offer->n_media; i++) {
        const struct sdp_media *m = plan->offer->media[i];
        for (unsigned k = 0; k < m->n_formats && negotiate_is_media(plan->offer, m); k++) {
            const struct sdp_format *f = &m->formats[k];
            if (!first[f->pt]) {
                first[f->pt] = f;
            } else if (!is_same_config(first[f->pt], f)) {
                return negotiate_refuse(plan->why, 422, "sdp-malformed",
                                        "Payload type %u means two different codecs in bundled "
                                        "m-lines; number them apart.",
                                        (unsigned)f->pt);
            }
        }
    }
    return 0;
}

static int check_directions(const struct negotiate_plan *plan)
{
    bool publish = plan->role == API_PUBLISH;
    enum sdp_direction wanted = publish ? SDP_SENDONLY : SDP_RECVONLY;
    unsigned n_media = 0;
    for (unsigned i = 0; i < plan->offer->n_media; i++) {
        const struct sdp_media *m = plan->offer->media[i];
        if (!negotiate_is_media(plan->offer, m)) {
            continue;
        }
        enum sdp_direction d = negotiate_direction(plan->offer, m);
        if (d != wanted && d != SDP_SENDRECV) {
            return negotiate_refuse(
                plan->why, 422, "direction",
                publish ? "The %s m-line is not sent by the client; a WHIP offer must be sendonly. "
                          "To play a stream, POST to its /whep/ URL."
                        : "The %s m-line is not received by the client; a WHEP offer must be "
                          "recvonly. To publish, POST to the stream's /whip/ URL.",
                negotiate_kind_name(m));
        }
        n_media++;
    }
    if (n_media == 0 && plan->data < 0) {
        return negotiate_refuse(plan->why, 422, "no-codec",
                                "The offer has no open audio or video m-line (port not 0, not "
                                "inactive); at least one is needed."); /* DC-05 */
    }
    return 0;
}

/* One SCTP association: the first section of the kind that browsers offer, in the BUNDLE like all
 * else. Others, and the old form with a=sctpmap (DC-02), are answered with port 0. */
static int find_data(const struct negotiate_plan *plan)
{
    const struct sdp *o = plan->offer;
    for (unsigned i = 0; i < o->n_media && plan->p->data; i++) {
        const struct sdp_media *m = o->media[i];
        bool proto =
            strcmp(m->proto, "UDP/DTLS/SCTP") == 0 || strcmp(m->proto, "TCP/DTLS/SCTP") == 0;
        if (m->kind == SDP_APPLICATION && !is_rejected(m) && proto && m->sctp_port != 0 &&
            strcmp(m->first_format, "webrtc-datachannel") == 0 &&
            (m->in_bundle || o->n_media == 1)) {
            return (int)i;
        }
    }
    return -1;
}

int negotiate_begin(struct negotiate_plan *plan)
{
    plan->data = find_data(plan);
    int err = check_bundle(plan);
    err = err ? err : check_directions(plan);
    return err ? err : check_payload_types(plan);
}

/* ---- accepted sections ---- */

static bool is_secure_proto(const char *proto)
{
    static const char *const known[] = {
        "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP",   "TCP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVP",
        "RTP/SAVPF",         "TCP/DTLS/RTP/SAVPF", "RTP/SAVP",          "TCP/DTLS/RTP/SAVP",
    };
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(proto, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check_accepted(const struct negotiate_plan *plan)
{
    for (unsigned i = 0; i < plan->n_accepted; i++) {
        const struct sdp_media *m = plan->offer->media[plan->accepted[i]];
        if (!is_secure_proto(m->proto)) {
            return negotiate_refuse(plan->why, 422, "setup",
                                    "The %s m-line offers %.40s; media must be encrypted: offer "
                                    "UDP/TLS/RTP/SAVPF.",
                                    negotiate_kind_name(m), m->proto);
        }
        if (!m->mux) {
            return negotiate_refuse(plan->why, 422, "mux-required",
                                    "The %s m-line lacks a=rtcp-mux; RTP and RTCP must share one "
                                    "port.",
                                    negotiate_kind_name(m));
        }
    }
    return 0;
}

/* The transport is that of the first accepted section in the order of the group (RFC 9143 7.3.1);
 * the lone section's, if there is no group. */
static unsigned choose_tag(const struct negotiate_plan *plan)
{
    const struct sdp *o = plan->offer;
    for (unsigned i = 0; i < o->n_bundle; i++) {
        for (unsigned k = 0; k < plan->n_accepted; k++) {
            if (strcmp(o->media[plan->accepted[k]]->mid, o->bundle[i]) == 0) {
                return plan->accepted[k];
            }
        }
        if (plan->data >= 0 && strcmp(o->media[plan->data]->mid, o->bundle[i]) == 0) {
            return (unsigned)plan->data;
        }
    }
    return plan->n_accepted ? plan->accepted[0] : (unsigned)plan->data;
}

/* Where transport attributes are looked for, in this order: the tagged section, the session level,
 * then the other bundled sections, for a tagged one that is bundle-only and says nothing. */
static const struct sdp_transport *transport_at(const struct negotiate_plan *plan, unsigned i)
{
    const struct sdp *o = plan->offer;
    if (i == 0) {
        return &o->media[plan->tag]->transport;
    }
    if (i == 1) {
        return &o->transport;
    }
    return i - 2 < o->n_media && o->media[i - 2]->in_bundle ? &o->media[i - 2]->transport : NULL;
}

struct remote {
    const char *ufrag, *pwd;
    const struct sdp_transport *fingerprints;
    enum sdp_setup setup;
};

static struct remote find_remote(const struct negotiate_plan *plan)
{
    struct remote r = {0};
    for (unsigned i = 0; i < plan->offer->n_media + 2; i++) {
        const struct sdp_transport *t = transport_at(plan, i);
        if (!t) {
            continue;
        }
        r.ufrag = r.ufrag ? r.ufrag : t->ufrag;
        r.pwd = r.pwd ? r.pwd : t->pwd;
        r.fingerprints = r.fingerprints || t->n_fingerprints == 0 ? r.fingerprints : t;
        r.setup = r.setup != SDP_SETUP_NONE ? r.setup : t->setup;
    }
    return r;
}

static int fill_transport(const struct negotiate_plan *plan, struct link_params *link)
{
    struct remote r = find_remote(plan);
    if (!r.ufrag || !r.pwd) {
        return negotiate_refuse(plan->why, 400, "sdp-malformed",
                                "The offer has no a=ice-ufrag and a=ice-pwd lines for its first "
                                "m-line.");
    }
    if (!r.fingerprints) {
        return negotiate_refuse(plan->why, 400, "sdp-malformed",
                                "The offer has no a=fingerprint line with a known hash (sha-256) "
                                "for its first m-line.");
    }
    if (plan->offer->ice_lite) {
        return negotiate_refuse(plan->why, 422, "ice-lite",
                                "The offer says a=ice-lite, and so does this server: nobody would "
                                "make the connectivity checks; use a full ICE agent.");
    }
    if (r.setup == SDP_SETUP_HOLDCONN) {
        return negotiate_refuse(plan->why, 422, "setup",
                                "The offer says a=setup:holdconn; offer actpass, active or "
                                "passive.");
    }
    link->creds = plan->p->creds;
    snprintf(link->creds.remote_ufrag, sizeof(link->creds.remote_ufrag), "%s", r.ufrag);
    snprintf(link->creds.remote_pwd, sizeof(link->creds.remote_pwd), "%s", r.pwd);
    link->n_fingerprints = r.fingerprints->n_fingerprints;
    memcpy(link->fingerprints, r.fingerprints->fingerprints, sizeof(link->fingerprints));
    link->role = r.setup == SDP_SETUP_PASSIVE ? DTLS_CLIENT : DTLS_SERVER;
    return 0;
}

/* Ids echo the offer (SDP-15). An extension that the peer would use in the direction without media
 * is left out; one above 14 needs two-byte headers, which need a=extmap-allow-mixed (RFC 8285 6).
 */
static void fill_extensions(const struct negotiate_plan *plan, const struct sdp_media *m,
                            struct api_mline *line)
{
    bool publish = plan->role == API_PUBLISH;
    enum sdp_direction useless = publish ? SDP_RECVONLY : SDP_SENDONLY;
    line->ext.allow_mixed = m->transport.allow_mixed || plan->offer->transport.allow_mixed;
    for (int kind = 0; kind < EXT_COUNT; kind++) {
        const struct ext_info *info = ext_info((enum ext_kind)kind);
        const struct sdp_ext *e = &m->ext[kind];
        bool wanted = (publish ? info->publish : info->play) &&
                      (m->kind == SDP_AUDIO ? info->audio : info->video) &&
                      (kind != EXT_VIDEO_ORIENTATION || plan->p->video_orientation);
        bool usable = e->id != 0 && e->direction != SDP_INACTIVE && e->direction != useless &&
                      (e->id <= 14 || line->ext.allow_mixed);
        line->ext.id[kind] = wanted && usable ? (uint8_t)e->id : 0;
    }
}

/* In one BUNDLE an id has one meaning (RFC 9143 9.1). aiortc gives one a meaning in its audio and
 * another in its video section, reads every packet by the last one, and stops receiving where the
 * length does not fit. Of two that clash only the video's is answered, which congestion control
 * needs. */
static void drop_clashing_extensions(struct api_session *s)
{
    uint32_t kinds_of_video[256] = {0}; /* by id, a bit for each kind */
    for (unsigned i = 0; i < s->n_mlines; i++) {
        for (int k = 0; k < EXT_COUNT && s->mlines[i].kind == MEDIA_VIDEO; k++) {
            kinds_of_video[s->mlines[i].ext.id[k]] |= 1U << k;
        }
    }
    for (unsigned i = 0; i < s->n_mlines; i++) {
        for (int k = 0; k < EXT_COUNT && s->mlines[i].kind == MEDIA_AUDIO; k++) {
            uint8_t *id = &s->mlines[i].ext.id[k];
            *id = kinds_of_video[*id] & ~(1U << k) ? 0 : *id;
        }
    }
}

static void fill_data(const struct negotiate_plan *plan, struct api_session *s)
{
    if (plan->data < 0) {
        return;
    }
    const struct sdp_media *m = plan->offer->media[plan->data];
    s->link.data_channel = true;
    s->link.no_media = plan->n_accepted == 0;
    s->data.on = true;
    s->data.index = (uint8_t)plan->data;
    s->data.port = m->sctp_port;
    s->data.max_message_bytes = m->max_message_bytes;
    snprintf(s->data.mid, sizeof(s->data.mid), "%s", m->mid);
    snprintf(s->data.room, sizeof(s->data.room), "%s", plan->p->data_room);
    snprintf(s->data.name, sizeof(s->data.name), "%s", plan->p->data_name);
}

int negotiate_build(struct negotiate_plan *plan)
{
    struct link_params link = {0};
    int err = check_accepted(plan);
    if (err) {
        return err;
    }
    plan->tag = (uint8_t)choose_tag(plan);
    err = fill_transport(plan, &link);
    if (err) {
        return err;
    }
    const struct negotiate_params *p = plan->p;
    struct api_session *s = calloc(1, sizeof(*s) + plan->n_accepted * sizeof(s->mlines[0]));
    if (!s) {
        return -ENOMEM;
    }
    s->id = p->id;
    s->role = plan->role;
    s->stream = p->stream;
    s->link = link;
    s->max_kbps = p->max_kbps;
    snprintf(s->label, sizeof(s->label), "%s", p->label);
    snprintf(s->cname, sizeof(s->cname), "%s", p->cname);
    fill_data(plan, s);
    s->n_mlines = (uint8_t)plan->n_accepted;
    for (unsigned i = 0; i < plan->n_accepted; i++) {
        const struct sdp_media *m = plan->offer->media[plan->accepted[i]];
        struct api_mline *line = &s->mlines[i];
        line->kind = m->kind == SDP_AUDIO ? MEDIA_AUDIO : MEDIA_VIDEO;
        line->index = plan->accepted[i];
        line->rsize = m->rsize;
        snprintf(line->mid, sizeof(line->mid), "%s", m->mid);
        fill_extensions(plan, m, line);
    }
    drop_clashing_extensions(s);
    plan->session = s;
    return 0;
}

int negotiate_finish(struct negotiate_plan *plan, struct negotiate_result *ret)
{
    char *answer = sdp_write_answer(plan->offer, plan->p, plan->session, plan->tag);
    if (!answer) {
        return -ENOMEM;
    }
    ret->session = plan->session;
    ret->answer = answer;
    plan->session = NULL;
    return 0;
}

/* ---- restart ---- */

char *negotiate_restart_fragment(const struct negotiate_params *p, const char *mid,
                                 enum media_kind kind, bool data)
{
    struct sdp_write w = {0};
    sdp_write_fmt(&w, "a=ice-lite\r\na=ice-options:trickle ice2\r\n");
    if (mid[0]) {
        sdp_write_fmt(&w, "a=group:BUNDLE %s\r\n", mid);
    }
    if (data) {
        sdp_write_fmt(&w, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    } else {
        sdp_write_fmt(&w, "m=%s 9 UDP/TLS/RTP/SAVPF 0\r\n",
                      kind == MEDIA_AUDIO ? "audio" : "video");
    }
    if (mid[0]) {
        sdp_write_fmt(&w, "a=mid:%s\r\n", mid);
    }
    sdp_write_fmt(&w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", p->creds.local_ufrag,
                  p->creds.local_pwd);
    /* one only, the preferred: @binbat/whip-whep joins several with commas (WHIP-47) */
    sdp_write_candidates(&w, p, 1);
    sdp_write_fmt(&w, "a=end-of-candidates\r\n");
    return sdp_write_take(&w);
}
