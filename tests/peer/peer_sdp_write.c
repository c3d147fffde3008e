/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_sdp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Ids as Chromium hands them out, so that a server that assumes 1..6 in order is found out. */
static const struct {
    uint8_t id;
    bool audio, video, publish_only;
} ext_rows[PEER_EXT_COUNT] = {
    [PEER_EXT_LEVEL] = {1, true, false, false}, [PEER_EXT_ABS_TIME] = {2, true, true, false},
    [PEER_EXT_TWCC] = {3, true, true, false},   [PEER_EXT_MID] = {4, true, true, false},
    [PEER_EXT_RID] = {10, false, true, true},   [PEER_EXT_RRID] = {11, false, true, true},
};

static void put_session(struct peer_text *t, const struct peer_sdp_local *l, const char *bundle)
{
    peer_text_add(t, "v=0\r\no=- %llu 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE%s\r\n",
                  (unsigned long long)(l->session_id & INT64_MAX), bundle);
}

static void put_transport(struct peer_text *t, const struct peer_sdp_local *l, bool tagged)
{
    peer_text_add(t, "c=IN IP4 0.0.0.0\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", l->ufrag, l->pwd);
    peer_text_add(t, "a=ice-options:trickle\r\na=fingerprint:sha-256 %s\r\na=setup:%s\r\n",
                  l->fingerprint, l->setup);
    if (tagged && l->ip) {
        peer_text_add(t, "a=candidate:1 1 udp 2130706431 %s %u typ host\r\na=end-of-candidates\r\n",
                      l->ip, l->port);
    }
}

static void put_feedback(struct peer_text *t, const struct peer_sdp_local *l, uint8_t pt)
{
    if (l->twcc) {
        peer_text_add(t, "a=rtcp-fb:%u transport-cc\r\n", pt);
    }
    if (pt == peer_codec_info(PEER_OPUS)->pt) {
        return;
    }
    peer_text_add(t, "a=rtcp-fb:%u ccm fir\r\n", pt);
    if (l->nack) {
        peer_text_add(t, "a=rtcp-fb:%u nack\r\n", pt);
    }
    peer_text_add(t, "a=rtcp-fb:%u nack pli\r\n", pt);
}

static void put_codec(struct peer_text *t, const struct peer_sdp_local *l, enum peer_codec c)
{
    const struct peer_codec_info *i = peer_codec_info(c);

    peer_text_add(t, "a=rtpmap:%u %s/%u", i->pt, i->name, i->clock_hz);
    peer_text_add(t, i->channels ? "/%u\r\n" : "\r\n", i->channels);
    put_feedback(t, l, i->pt);
    if (i->fmtp[0]) {
        peer_text_add(t, "a=fmtp:%u %s\r\n", i->pt, i->fmtp);
    }
    if (l->rtx && i->rtx_pt) {
        peer_text_add(t, "a=rtpmap:%u rtx/%u\r\na=fmtp:%u apt=%u\r\n", i->rtx_pt, i->clock_hz,
                      i->rtx_pt, i->pt);
    }
}

static void put_ssrc(struct peer_text *t, const char *cname, uint32_t ssrc, uint32_t rtx)
{
    if (rtx) {
        peer_text_add(t, "a=ssrc-group:FID %u %u\r\n", ssrc, rtx);
    }
    peer_text_add(t, "a=ssrc:%u cname:%s\r\n", ssrc, cname);
    if (rtx) {
        peer_text_add(t, "a=ssrc:%u cname:%s\r\n", rtx, cname);
    }
}

static void put_ssrcs(struct peer_text *t, const struct peer_sdp_local *l, bool video)
{
    unsigned n = l->sim_group ? l->n_layers : 1;

    if (!video) {
        put_ssrc(t, l->cname, l->audio_ssrc, 0);
        return;
    }
    if (n > 1) {
        peer_text_add(t, "a=ssrc-group:SIM");
        for (unsigned i = 0; i < n; i++) {
            peer_text_add(t, " %u", l->video_ssrc[i]);
        }
        peer_text_add(t, "\r\n");
    }
    for (unsigned i = 0; i < n; i++) {
        put_ssrc(t, l->cname, l->video_ssrc[i], l->rtx ? l->rtx_ssrc[i] : 0);
    }
}

static void put_simulcast(struct peer_text *t, const char *direction, unsigned n,
                          const char *const *rids)
{
    for (unsigned i = 0; i < n; i++) {
        peer_text_add(t, "a=rid:%s %s\r\n", rids[i], direction);
    }
    peer_text_add(t, "a=simulcast:%s ", direction);
    for (unsigned i = 0; i < n; i++) {
        peer_text_add(t, i ? ";%s" : "%s", rids[i]);
    }
    peer_text_add(t, "\r\n");
}

static void put_m_line(struct peer_text *t, const struct peer_sdp_local *l, bool video)
{
    peer_text_add(t, "m=%s 9 UDP/TLS/RTP/SAVPF", video ? "video" : "audio");
    for (unsigned c = 0; c < PEER_CODEC_COUNT; c++) {
        const struct peer_codec_info *i = peer_codec_info(c);
        if (video ? c != PEER_OPUS && l->codecs & 1U << c : c == PEER_OPUS) {
            peer_text_add(t, " %u", i->pt);
            if (l->rtx && i->rtx_pt) {
                peer_text_add(t, " %u", i->rtx_pt);
            }
        }
    }
    peer_text_add(t, "\r\n");
}

static void put_section(struct peer_text *t, const struct peer_sdp_local *l, unsigned mid,
                        bool video)
{
    put_m_line(t, l, video);
    put_transport(t, l, mid == 0);
    peer_text_add(t, "a=mid:%u\r\n", mid);
    for (unsigned e = 0; l->extensions && e < PEER_EXT_COUNT; e++) {
        bool wanted = (video ? ext_rows[e].video : ext_rows[e].audio) &&
                      (l->publish || !ext_rows[e].publish_only) && (l->twcc || e != PEER_EXT_TWCC);
        if (wanted) {
            peer_text_add(t, "a=extmap:%u %s\r\n", ext_rows[e].id, peer_ext_uri(e));
        }
    }
    peer_text_add(t, "a=%s\r\na=rtcp-mux\r\n", l->publish ? "sendonly" : "recvonly");
    if (l->publish) {
        peer_text_add(t, "a=msid:%s %s-%u\r\n", l->cname, l->cname, mid);
    }
    if (l->rsize) {
        peer_text_add(t, "a=rtcp-rsize\r\n");
    }
    for (unsigned c = 0; c < PEER_CODEC_COUNT; c++) {
        if (video ? c != PEER_OPUS && l->codecs & 1U << c : c == PEER_OPUS) {
            put_codec(t, l, c);
        }
    }
    if (l->publish && video && l->n_layers > 1 && !l->sim_group) {
        put_simulcast(t, "send", l->n_layers, l->rids);
    } else if (l->publish && l->ssrc_lines) {
        put_ssrcs(t, l, video);
    }
}

static void put_data(struct peer_text *t, const struct peer_sdp_local *l, unsigned mid)
{
    peer_text_add(t, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    put_transport(t, l, mid == 0);
    peer_text_add(t, "a=mid:%u\r\na=sctp-port:5000\r\n", mid);
    if (l->message_bytes) {
        peer_text_add(t, "a=max-message-size:%u\r\n", l->message_bytes);
    }
}

size_t peer_sdp_offer(const struct peer_sdp_local *l, char *out, size_t cap)
{
    struct peer_text t = {.buf = out, .cap = cap};
    char bundle[256] = "";
    size_t at = 0;

    for (unsigned i = 0; i < l->n_audio + l->n_video + l->data; i++) {
        at += (size_t)snprintf(bundle + at, sizeof(bundle) - at, " %u", i);
    }
    put_session(&t, l, bundle);
    if (l->extensions) {
        peer_text_add(&t, "a=extmap-allow-mixed\r\n");
    }
    peer_text_add(&t, "a=msid-semantic: WMS *\r\n");
    for (unsigned i = 0; i < l->n_audio + l->n_video; i++) {
        put_section(&t, l, i, i >= l->n_audio);
    }
    if (l->data) {
        put_data(&t, l, l->n_audio + l->n_video);
    }
    return t.over ? 0 : t.len;
}

/* ---- the answering side ---- */

static const struct peer_sdp_codec *choose(const struct peer_sdp_local *l,
                                           const struct peer_sdp_media *m,
                                           const struct peer_sdp_codec **ret_rtx)
{
    for (unsigned i = 0; i < m->n_codecs; i++) {
        enum peer_codec c = peer_codec_find(m->codecs[i].name, m->codecs[i].clock_hz);
        bool audio = !strcmp(m->kind, "audio");
        if (audio ? c != PEER_OPUS : c == PEER_CODEC_COUNT || !(l->codecs & 1U << c)) {
            continue;
        }
        *ret_rtx = NULL;
        for (unsigned k = 0; l->rtx && k < m->n_codecs; k++) {
            if (m->codecs[k].apt == m->codecs[i].pt) {
                *ret_rtx = &m->codecs[k];
            }
        }
        return &m->codecs[i];
    }
    return NULL;
}

static void answer_codecs(struct peer_text *t, const struct peer_sdp_local *l,
                          const struct peer_sdp_codec *c, const struct peer_sdp_codec *rtx)
{
    const struct peer_codec_info *info = peer_codec_info(peer_codec_find(c->name, c->clock_hz));

    peer_text_add(t, "a=rtpmap:%u %s/%u", c->pt, info->name, info->clock_hz);
    peer_text_add(t, info->channels ? "/%u\r\n" : "\r\n", info->channels);
    if (c->nack && l->nack) {
        peer_text_add(t, "a=rtcp-fb:%u nack\r\n", c->pt);
    }
    if (c->pli) {
        peer_text_add(t, "a=rtcp-fb:%u nack pli\r\n", c->pt);
    }
    if (c->twcc && l->twcc) {
        peer_text_add(t, "a=rtcp-fb:%u transport-cc\r\n", c->pt);
    }
    if (info->fmtp[0]) {
        peer_text_add(t, "a=fmtp:%u %s\r\n", c->pt, info->fmtp);
    }
    if (rtx) {
        peer_text_add(t, "a=rtpmap:%u rtx/%u\r\na=fmtp:%u apt=%u\r\n", rtx->pt, rtx->clock_hz,
                      rtx->pt, c->pt);
    }
}

static void answer_section(struct peer_text *t, const struct peer_sdp_local *l,
                           const struct peer_sdp_media *m, bool tagged)
{
    const struct peer_sdp_codec *rtx = NULL, *c = choose(l, m, &rtx);
    const char *rids[PEER_LAYERS_MAX];
    bool video = !strcmp(m->kind, "video");

    if (!c) {
        peer_text_add(t, "m=%s 0 UDP/TLS/RTP/SAVPF %u\r\na=mid:%s\r\na=inactive\r\n", m->kind,
                      m->n_codecs ? m->codecs[0].pt : 0, m->mid);
        return;
    }
    peer_text_add(t, "m=%s 9 UDP/TLS/RTP/SAVPF %u", m->kind, c->pt);
    peer_text_add(t, rtx ? " %u\r\n" : "\r\n", rtx ? rtx->pt : 0);
    put_transport(t, l, tagged);
    peer_text_add(t, "a=mid:%s\r\n", m->mid);
    for (unsigned e = 0; l->extensions && e < PEER_EXT_COUNT; e++) {
        if (m->ext[e] && (l->twcc || e != PEER_EXT_TWCC)) {
            peer_text_add(t, "a=extmap:%u %s\r\n", m->ext[e], peer_ext_uri(e));
        }
    }
    peer_text_add(t, "a=%s\r\na=rtcp-mux\r\n", l->publish ? "sendonly" : "recvonly");
    if (m->rtcp_rsize) {
        peer_text_add(t, "a=rtcp-rsize\r\n");
    }
    answer_codecs(t, l, c, rtx);
    if (m->n_simulcast_lines && !l->publish) {
        for (unsigned i = 0; i < m->n_rids; i++) {
            rids[i] = m->rids[i];
        }
        put_simulcast(t, "recv", m->n_rids, rids);
    }
    if (l->publish) {
        peer_text_add(t, "a=msid:%s %s-%s\r\n", l->cname, l->cname, m->kind);
        put_ssrcs(t, l, video);
    }
}

size_t peer_sdp_answer(const struct peer_sdp_local *l, const struct peer_sdp *offer, char *out,
                       size_t cap)
{
    struct peer_text t = {.buf = out, .cap = cap};
    const struct peer_sdp_codec *rtx;
    char bundle[256] = "";
    size_t at = 0;
    int tagged = -1;

    for (unsigned i = 0; i < offer->n_media; i++) {
        if (choose(l, &offer->media[i], &rtx)) {
            at += (size_t)snprintf(bundle + at, sizeof(bundle) - at, " %s", offer->media[i].mid);
            tagged = tagged < 0 ? (int)i : tagged;
        }
    }
    put_session(&t, l, bundle);
    peer_text_add(&t, "a=ice-lite\r\na=msid-semantic: WMS *\r\n");
    for (unsigned i = 0; i < offer->n_media; i++) {
        answer_section(&t, l, &offer->media[i], (int)i == tagged);
    }
    return t.over ? 0 : t.len;
}

size_t peer_sdp_fragment(const struct peer_sdp_local *l, char *out, size_t cap)
{
    struct peer_text t = {.buf = out, .cap = cap};

    peer_text_add(&t, "a=group:BUNDLE 0\r\nm=%s 9 UDP/TLS/RTP/SAVPF %u\r\na=mid:0\r\n",
                  l->n_audio ? "audio" : "video",
                  l->n_audio ? peer_codec_info(PEER_OPUS)->pt : peer_codec_info(PEER_VP8)->pt);
    peer_text_add(&t, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", l->ufrag, l->pwd);
    if (l->ip) {
        peer_text_add(&t,
                      "a=candidate:1 1 udp 2130706431 %s %u typ host\r\na=end-of-candidates\r\n",
                      l->ip, l->port);
    }
    return t.over ? 0 : t.len;
}
