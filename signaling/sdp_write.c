/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_write.c - the text of answers. Whatever is echoed from the offer was checked by sdp_read to
 * be free of control characters, so that no line can be smuggled in. */
#include "signaling/sdp_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ice/candidate.h"
#include "ice/cert.h"
#include "signaling/sdp_model.h"

#define FIRST_CAP       4096
#define START_KBPS      1000
#define START_KBPS_TEXT "1000"

static bool reserve(struct sdp_write *w, size_t more)
{
    size_t need = w->len + more + 1;
    if (need <= w->cap) {
        return true;
    }
    size_t cap = w->cap ? w->cap : FIRST_CAP;
    while (cap < need && cap < SDP_WRITE_MAX) {
        cap *= 2;
    }
    char *text = cap >= need ? realloc(w->text, cap) : NULL;
    if (!text) {
        w->failed = true;
        return false;
    }
    w->text = text;
    w->cap = cap;
    return true;
}

void sdp_write_fmt(struct sdp_write *w, const char *fmt, ...)
{
    if (w->failed) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !reserve(w, (size_t)n)) {
        w->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(w->text + w->len, (size_t)n + 1, fmt, args);
    va_end(args);
    w->len += (size_t)n;
}

char *sdp_write_take(struct sdp_write *w)
{
    char *text = w->text;
    if (w->failed) {
        free(text);
        text = NULL;
    }
    *w = (struct sdp_write){0};
    return text;
}

/* ---- transport ---- */

void sdp_write_candidates(struct sdp_write *w, const struct negotiate_params *p, int n_max)
{
    unsigned n_of[2] = {0, 0};
    for (int i = 0; i < MIN(p->n_candidates, n_max); i++) {
        enum transport transport = p->candidates[i].tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
        struct candidate c = {.foundation = (unsigned)i + 1,
                              .transport = transport,
                              .priority = candidate_priority(transport, n_of[transport]++),
                              .addr = p->candidates[i].addr};
        char text[CANDIDATE_TEXT_MAX];
        sdp_write_fmt(w, "a=%s\r\n", candidate_format(&c, text));
    }
}

static void write_transport(struct sdp_write *w, const struct negotiate_params *p,
                            const struct api_session *s, bool tagged)
{
    char fingerprint[208];
    fingerprint_format(p->fingerprint, fingerprint, sizeof(fingerprint));
    sdp_write_fmt(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:%s\r\n",
                  p->creds.local_ufrag, p->creds.local_pwd, fingerprint,
                  s->link.role == DTLS_CLIENT ? "active" : "passive");
    if (tagged) {
        sdp_write_candidates(w, p, NEGOTIATE_CANDIDATES_MAX);
        sdp_write_fmt(w, "a=end-of-candidates\r\n");
    }
}

/* ---- sections ---- */

static void write_extensions(struct sdp_write *w, const struct sdp_media *m,
                             const struct api_mline *line)
{
    for (int kind = 0; kind < EXT_COUNT; kind++) {
        if (line->ext.id[kind] == 0) {
            continue;
        }
        const char *direction = "";
        if (m->ext[kind].direction == SDP_SENDONLY) {
            direction = "/recvonly"; /* SDP-15: seen from our side */
        } else if (m->ext[kind].direction == SDP_RECVONLY) {
            direction = "/sendonly";
        }
        sdp_write_fmt(w, "a=extmap:%u%s %s\r\n", (unsigned)line->ext.id[kind], direction,
                      ext_info((enum ext_kind)kind)->uri);
    }
}

static const struct sdp_format *format_of(const struct sdp_media *m, uint8_t pt)
{
    return &m->formats[m->index_of_pt[pt]];
}

/* Chromium starts publishing at 300 kbps and climbs for seconds unless it is told otherwise. Only
 * where it would hear from our estimator if that was too much, where the cap leaves room, and where
 * the client has no figure of its own (Unreal, Unity), which ours would replace. */
static const char *start_bitrate(const struct negotiate_params *p, const struct api_session *s,
                                 const struct api_codec *c)
{
    size_t len;
    bool wanted = s->role == API_PUBLISH && codec_info(c->id)->kind == MEDIA_VIDEO &&
                  (c->twcc || c->remb) && (p->max_kbps == 0 || p->max_kbps >= START_KBPS) &&
                  !sdp_fmtp_param(c->fmtp, "x-google-start-bitrate", &len);
    return wanted ? "x-google-start-bitrate=" START_KBPS_TEXT : "";
}

static void write_codec(struct sdp_write *w, const struct sdp_media *m, const struct api_codec *c,
                        const char *more_fmtp)
{
    static const char *const fb_names[] = {"nack", "nack pli", "ccm fir", "transport-cc",
                                           "goog-remb"};
    const struct codec_info *info = codec_info(c->id);
    const struct sdp_format *f = format_of(m, c->pt);
    const bool fb[] = {c->nack, c->pli, c->fir, c->twcc, c->remb};
    static_assert(ARRAY_LEN(fb) == ARRAY_LEN(fb_names), "one name each");
    unsigned pt = c->pt;
    if (f->rtpmap) {
        sdp_write_fmt(w, "a=rtpmap:%u %s\r\n", pt, f->rtpmap);
    } else {
        sdp_write_fmt(w, "a=rtpmap:%u %s/%u\r\n", pt, info->name, (unsigned)info->clock_hz);
    }
    if (c->fmtp[0] || more_fmtp[0]) {
        sdp_write_fmt(w, "a=fmtp:%u %s%s%s\r\n", pt, c->fmtp, c->fmtp[0] && more_fmtp[0] ? ";" : "",
                      more_fmtp);
    }
    for (unsigned i = 0; i < ARRAY_LEN(fb); i++) {
        if (fb[i]) {
            sdp_write_fmt(w, "a=rtcp-fb:%u %s\r\n", pt, fb_names[i]);
        }
    }
    if (c->rtx_pt) {
        sdp_write_fmt(w, "a=rtpmap:%u %s\r\na=fmtp:%u apt=%u\r\n", (unsigned)c->rtx_pt,
                      format_of(m, c->rtx_pt)->rtpmap, (unsigned)c->rtx_pt, pt);
    }
}

/* SIM-05: one line, and OBS counts its semicolons. Layers of an SSRC group have names of ours,
 * which the offerer does not know. */
static void write_simulcast(struct sdp_write *w, const struct sdp_media *m,
                            const struct api_mline *line)
{
    bool offered = false;
    for (unsigned i = 0; i < m->n_layers && line->n_rids > 0; i++) {
        offered = offered || strcmp(m->layers[i], line->rids[0]) == 0;
    }
    if (!offered) {
        return;
    }
    for (unsigned i = 0; i < line->n_rids; i++) {
        sdp_write_fmt(w, "a=rid:%s recv\r\n", line->rids[i]);
    }
    for (unsigned i = 0; i < line->n_rids; i++) {
        sdp_write_fmt(w, "%s%s", i == 0 ? "a=simulcast:recv " : ";", line->rids[i]);
    }
    sdp_write_fmt(w, "\r\n");
}

/* SDP-37: FID only with a line for each of both, else Chromium refuses the answer. */
static void write_ssrcs(struct sdp_write *w, const struct api_session *s,
                        const struct api_mline *line)
{
    for (unsigned i = 0; i < line->n_ssrcs; i++) {
        unsigned ssrc = line->ssrcs[i];
        unsigned rtx = line->rtx_ssrcs[i];
        if (rtx) {
            sdp_write_fmt(w, "a=ssrc-group:FID %u %u\r\n", ssrc, rtx);
        }
        sdp_write_fmt(w, "a=ssrc:%u cname:%s\r\n", ssrc, s->cname);
        if (rtx) {
            sdp_write_fmt(w, "a=ssrc:%u cname:%s\r\n", rtx, s->cname);
        }
    }
}

static void write_accepted(struct sdp_write *w, const struct sdp *offer,
                           const struct negotiate_params *p, const struct api_session *s,
                           const struct api_mline *line, bool tagged)
{
    const struct sdp_media *m = offer->media[line->index];
    sdp_write_fmt(w, "m=%s 9 %s", m->name, m->proto);
    for (unsigned i = 0; i < line->n_codecs; i++) {
        sdp_write_fmt(w, " %u", (unsigned)line->codecs[i].pt);
        if (line->codecs[i].rtx_pt) {
            sdp_write_fmt(w, " %u", (unsigned)line->codecs[i].rtx_pt);
        }
    }
    sdp_write_fmt(w, "\r\nc=IN IP4 0.0.0.0\r\n");
    if (s->role == API_PUBLISH && line->kind == MEDIA_VIDEO && s->max_kbps) {
        /* Browsers keep to it; a tenth is left for audio, repair and headers (RFC 8866 5.8). */
        sdp_write_fmt(w, "b=AS:%u\r\n", (unsigned)(s->max_kbps / 10 * 9));
    }
    if (line->mid[0]) {
        sdp_write_fmt(w, "a=mid:%s\r\n", line->mid);
    }
    write_transport(w, p, s, tagged);
    if (m->transport.allow_mixed && !offer->transport.allow_mixed) {
        sdp_write_fmt(w, "a=extmap-allow-mixed\r\n");
    }
    write_extensions(w, m, line);
    sdp_write_fmt(w, "a=%s\r\n", s->role == API_PUBLISH ? "recvonly" : "sendonly");
    if (s->role == API_PLAY) {
        /* one stream id, so that players keep lips and voice together (WHEP-16); slots have
         * nothing to do with each other */
        if (p->slots) {
            sdp_write_fmt(w, "a=msid:%s-%u %s-%u\r\n", s->cname, (unsigned)line->index, s->cname,
                          (unsigned)line->index);
        } else {
            sdp_write_fmt(w, "a=msid:%s %s-%s\r\n", s->cname, s->cname, m->name);
        }
    }
    sdp_write_fmt(w, "a=rtcp-mux\r\na=rtcp-mux-only\r\n%s", line->rsize ? "a=rtcp-rsize\r\n" : "");
    for (unsigned i = 0; i < line->n_codecs; i++) {
        write_codec(w, m, &line->codecs[i], start_bitrate(p, s, &line->codecs[i]));
    }
    if (s->role == API_PUBLISH) {
        write_simulcast(w, m, line);
    } else {
        write_ssrcs(w, s, line);
    }
}

static void write_data(struct sdp_write *w, const struct sdp_media *m,
                       const struct negotiate_params *p, const struct api_session *s, bool tagged)
{
    sdp_write_fmt(w, "m=%s 9 %s %s\r\nc=IN IP4 0.0.0.0\r\n", m->name, m->proto, m->first_format);
    if (m->mid[0]) {
        sdp_write_fmt(w, "a=mid:%s\r\n", m->mid);
    }
    write_transport(w, p, s, tagged);
    sdp_write_fmt(w, "a=sctp-port:%d\r\na=max-message-size:%u\r\n", API_SCTP_PORT,
                  (unsigned)p->data_max_message_bytes);
}

/* A browser only sees that it may not send; people who look at the answer see why. */
static void write_rejected(struct sdp_write *w, const struct sdp_media *m,
                           const struct negotiate_params *p)
{
    sdp_write_fmt(w, "m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0\r\n", m->name, m->proto, m->first_format);
    if (m->mid[0]) {
        sdp_write_fmt(w, "a=mid:%s\r\n", m->mid);
    }
    sdp_write_fmt(w, "a=inactive\r\n");
    if (m->kind <= SDP_VIDEO && p->denied[m->kind] != NULL) {
        sdp_write_fmt(w, "a=sluice-refused:%s\r\n", p->denied[m->kind]);
    }
}

static const struct api_mline *line_of(const struct api_session *s, unsigned index)
{
    for (unsigned i = 0; i < s->n_mlines; i++) {
        if (s->mlines[i].index == index) {
            return &s->mlines[i];
        }
    }
    return NULL;
}

/* The accepted mids in the order of the offer's group: its first is the tag (RFC 9143 7.3.1). */
static void write_bundle(struct sdp_write *w, const struct sdp *offer, const struct api_session *s)
{
    const char *before = "a=group:BUNDLE ";
    for (unsigned i = 0; i < offer->n_bundle; i++) {
        for (unsigned k = 0; k < s->n_mlines; k++) {
            if (strcmp(s->mlines[k].mid, offer->bundle[i]) == 0) {
                sdp_write_fmt(w, "%s%s", before, offer->bundle[i]);
                before = " ";
            }
        }
        if (s->data.on && strcmp(s->data.mid, offer->bundle[i]) == 0) {
            sdp_write_fmt(w, "%s%s", before, offer->bundle[i]);
            before = " ";
        }
    }
    sdp_write_fmt(w, "%s", before[1] ? "" : "\r\n"); /* a lone section needs no group */
}

char *sdp_write_answer(const struct sdp *offer, const struct negotiate_params *p,
                       const struct api_session *s, unsigned tag)
{
    struct sdp_write w = {0};
    sdp_write_fmt(&w, "v=0\r\no=- %llu 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
                  (unsigned long long)(p->sdp_session_id & INT64_MAX));
    write_bundle(&w, offer, s);
    sdp_write_fmt(&w, "%s", offer->transport.allow_mixed ? "a=extmap-allow-mixed\r\n" : "");
    sdp_write_fmt(&w, "a=ice-lite\r\na=ice-options:trickle ice2\r\n%s",
                  s->role == API_PLAY ? "a=msid-semantic: WMS *\r\n" : "");
    for (unsigned i = 0; i < offer->n_media; i++) {
        const struct api_mline *line = line_of(s, i);
        if (line) {
            write_accepted(&w, offer, p, s, line, i == tag);
        } else if (s->data.on && s->data.index == i) {
            write_data(&w, offer->media[i], p, s, i == tag);
        } else {
            write_rejected(&w, offer->media[i], p);
        }
    }
    return sdp_write_take(&w);
}
