/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate_play.c - WHEP: every payload type that may ever be sent, the current codec's first; our
 * SSRCs. */
#include <stdlib.h>

#include "signaling/negotiate.h"
#include "signaling/negotiate_plan.h"

/* A viewer sends RTCP only, each section from an SSRC of its own. */
#define VIEWER_SSRCS_MIN 8

static bool source_has(const struct negotiate_source *src, const struct sdp_media *m)
{
    return m->kind == SDP_AUDIO ? src->audio : src->video;
}

/* The first section of each kind, but none of a kind that the publisher lacks (WHEP-17, WHEP-18).
 * The first of all stays even then: libwebrtc under max-bundle refuses an answer that moves the
 * transport away from it, and the viewer is there when the publisher changes.
 */
static void accept_sections(struct negotiate_plan *plan, const struct negotiate_source *src)
{
    bool seen[2] = {false, false};
    for (unsigned i = 0; i < plan->offer->n_media; i++) {
        const struct sdp_media *m = plan->offer->media[i];
        if (!negotiate_is_media(plan->offer, m) || seen[m->kind]) {
            continue;
        }
        seen[m->kind] = true;
        if (plan->n_accepted == 0 || !src->known || source_has(src, m)) {
            plan->accepted[plan->n_accepted++] = (uint8_t)i;
        }
    }
}

/* Slots keep the order of the offer; what the room has now does not matter. */
static void accept_slots(struct negotiate_plan *plan)
{
    unsigned left[2] = {
        [SDP_AUDIO] = plan->p->max_audio_slots, [SDP_VIDEO] = plan->p->max_video_slots};
    for (unsigned i = 0; i < plan->offer->n_media; i++) {
        const struct sdp_media *m = plan->offer->media[i];
        if (negotiate_is_media(plan->offer, m) && left[m->kind] > 0) {
            left[m->kind]--;
            plan->accepted[plan->n_accepted++] = (uint8_t)i;
        }
    }
}

/* ---- codecs ---- */

static void add(struct api_mline *line, const struct sdp_media *m, const struct sdp_format *f)
{
    negotiate_codec_add(line, m, f);
    const struct sdp_format *red = f->codec == CODEC_OPUS ? negotiate_codec_red(m, f->pt) : NULL;
    if (red) {
        negotiate_codec_add(line, m, red);
    }
}

enum match {
    MATCH_EXACT,   /* the very profile, or a codec without profiles */
    MATCH_CLASS,   /* decodes the same streams */
    MATCH_RELAXED, /* decodes them in practice: by configuration */
    MATCH_LABEL, /* another profile by name, but decoders take more than they name: the last resort
                  */
    MATCH_NONE,
};

static enum match match_of(const struct negotiate_params *p, const struct api_codec *src,
                           const struct sdp_format *f)
{
    if (f->codec != src->id) {
        return MATCH_NONE;
    }
    bool h264 = src->id == CODEC_H264;
    if (h264 && negotiate_codec_h264_exact(src->fmtp, f)) {
        return MATCH_EXACT;
    }
    const struct codec_info *info = codec_info(src->id);
    if (!info->fmtp_match || info->fmtp_match(src->fmtp, f->fmtp)) {
        return MATCH_CLASS;
    }
    if (!h264 || !p->h264_relaxed || !negotiate_codec_h264_common(src->fmtp, f)) {
        return MATCH_NONE;
    }
    return negotiate_codec_h264_upward(src->fmtp, f) ? MATCH_RELAXED : MATCH_LABEL;
}

/* The payload types that can take the source as it is. */
static int add_source(const struct negotiate_plan *plan, const struct api_codec *src,
                      const struct sdp_media *m, struct api_mline *line)
{
    for (enum match want = MATCH_EXACT; want < MATCH_NONE; want++) {
        for (unsigned i = 0; i < m->n_formats; i++) {
            if (match_of(plan->p, src, &m->formats[i]) == want) {
                add(line, m, &m->formats[i]);
            }
        }
        if (want >= MATCH_CLASS && line->n_codecs > 0) {
            return 0;
        }
    }
    return negotiate_refuse(plan->why, 422, "no-codec",
                            "This stream's %s is %s%s%.100s%s, which the offer does not take; use "
                            "a player that decodes it, or publish with another codec.",
                            negotiate_kind_name(m), codec_info(src->id)->name,
                            src->fmtp[0] ? " (" : "", src->fmtp, src->fmtp[0] ? ")" : "");
}

/* What else the publisher might come back with: the best payload type of each codec, then the rest
 * while there is room. */
static void add_others(const struct negotiate_plan *plan, const struct sdp_media *m,
                       struct api_mline *line)
{
    enum codec_id order[CODEC_COUNT];
    unsigned n = negotiate_codec_order(plan, m, order);
    bool has[CODEC_COUNT] = {false};
    for (unsigned i = 0; i < line->n_codecs; i++) {
        has[line->codecs[i].id] = true;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct sdp_format *f =
            has[order[i]] ? NULL : negotiate_codec_best(m, order[i], plan->p->prefer_offer_order);
        if (f) {
            add(line, m, f);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < m->n_formats; k++) {
            if (m->formats[k].codec == order[i]) {
                add(line, m, &m->formats[k]);
            }
        }
    }
}

static int choose_codecs(const struct negotiate_plan *plan, const struct negotiate_source *src,
                         const struct sdp_media *m, struct api_mline *line)
{
    if (src->known && source_has(src, m)) {
        int err =
            add_source(plan, m->kind == SDP_AUDIO ? &src->audio_codec : &src->video_codec, m, line);
        if (err) {
            return err;
        }
    }
    add_others(plan, m, line);
    if (line->n_codecs == 0) {
        return negotiate_refuse(plan->why, 422, "no-codec",
                                "The %s m-line offers no codec that this server sends; use a "
                                "player that decodes opus and one of VP8, H264, VP9, AV1.",
                                negotiate_kind_name(m));
    }
    return 0;
}

/* ---- the session ---- */

/* xorshift32: a permutation of the non-zero numbers, so that neither 0 nor a number twice comes. */
static uint32_t next_ssrc(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

static void give_ssrcs(struct api_mline *line, uint32_t *state)
{
    bool rtx = false;
    for (unsigned i = 0; i < line->n_codecs; i++) {
        rtx |= line->codecs[i].rtx_pt != 0;
    }
    line->n_ssrcs = 1;
    line->ssrcs[0] = next_ssrc(state);
    line->rtx_ssrcs[0] = rtx ? next_ssrc(state) : 0;
}

/* NACK without RTX is answered by sending the same packet again, which AES-GCM would not forgive.
 */
static bool needs_cm(const struct api_mline *line)
{
    bool cm = false;
    for (unsigned i = 0; i < line->n_codecs && line->kind == MEDIA_VIDEO; i++) {
        cm |= line->codecs[i].nack && line->codecs[i].rtx_pt == 0;
    }
    return cm;
}

static int fill_lines(const struct negotiate_plan *plan, const struct negotiate_source *src)
{
    struct api_session *s = plan->session;
    uint32_t state = plan->p->ssrc_seed ? plan->p->ssrc_seed : 1;
    for (unsigned i = 0; i < s->n_mlines; i++) {
        struct api_mline *line = &s->mlines[i];
        int err = choose_codecs(plan, src, plan->offer->media[line->index], line);
        if (err) {
            return err;
        }
        give_ssrcs(line, &state);
        s->link.only_cm |= needs_cm(line);
    }
    s->link.max_ssrcs = MAX(2U * s->n_mlines, (unsigned)VIEWER_SSRCS_MIN);
    return 0;
}

int negotiate_play(const struct sdp *offer, const struct negotiate_params *p,
                   const struct negotiate_source *src, struct negotiate_result *ret,
                   struct negotiate_refusal *ret_why)
{
    struct negotiate_plan plan = {.offer = offer, .p = p, .role = API_PLAY, .why = ret_why};
    assert(p->cname[0]); /* also the stream id of a=msid */
    int err = negotiate_begin(&plan);
    if (!err) {
        if (p->slots) {
            accept_slots(&plan);
        } else {
            accept_sections(&plan, src);
        }
        err = negotiate_build(&plan);
    }
    err = err ? err : fill_lines(&plan, src);
    err = err ? err : negotiate_finish(&plan, ret);
    if (err == 0) {
        ret->source = *src;
    }
    free(plan.session);
    return err;
}
