/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate_publish.c - WHIP: as a rule one codec a section, all simulcast layers, the peer's
 * SSRCs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/negotiate.h"
#include "signaling/negotiate_plan.h"

/* Incoming SSRCs allowed to a section: media and RTX of each layer, and a few more, because
 * Chromium probes and Firefox renumbers. */
#define SSRCS_PER_LINE_MIN 32

/* RFC 9725 4.4.2: one MediaStream, at most one track a kind; 4.4.3: no section is refused alone,
 * but those that the token does not permit. */
static int accept_sections(struct negotiate_plan *plan)
{
    unsigned n_of[2] = {0, 0};
    const char *stream = NULL;
    const char *denied = NULL;
    for (unsigned i = 0; i < plan->offer->n_media; i++) {
        const struct sdp_media *m = plan->offer->media[i];
        if (!negotiate_is_media(plan->offer, m)) {
            continue;
        }
        if (plan->p->denied[m->kind] != NULL) {
            denied = plan->p->denied[m->kind];
            continue;
        }
        if (++n_of[m->kind] > 1) {
            return negotiate_refuse(plan->why, 422, "too-many-tracks",
                                    "The offer has more than one %s m-line; publish one audio and "
                                    "one video track per session.",
                                    negotiate_kind_name(m));
        }
        if (stream && m->msid_stream && strcmp(stream, m->msid_stream) != 0) {
            return negotiate_refuse(plan->why, 422, "too-many-tracks",
                                    "The m-lines belong to different media streams (a=msid); put "
                                    "the tracks into one stream.");
        }
        stream = stream ? stream : m->msid_stream;
        plan->accepted[plan->n_accepted++] = (uint8_t)i;
    }
    if (plan->n_accepted == 0 && denied != NULL) {
        return negotiate_refuse(
            plan->why, 403, "forbidden",
            "The token does not permit to publish any of this; it lacks the right "
            "%s.",
            denied);
    }
    return 0;
}

static int refuse_codec(const struct negotiate_plan *plan, const struct sdp_media *m)
{
    char names[128] = "";
    if (m->kind == SDP_AUDIO) {
        snprintf(names, sizeof(names), "opus, G722, PCMU, PCMA");
    }
    for (int i = 0; i < plan->p->n_video_codecs && m->kind == SDP_VIDEO; i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
                 codec_info(plan->p->video_codecs[i])->name);
    }
    return negotiate_refuse(plan->why, 422, "no-codec",
                            "The %s m-line offers no codec that this server takes; enable one of "
                            "%s.",
                            negotiate_kind_name(m), names);
}

/* One codec, so that every client knows what to send; or the best payload type of each, in the
 * order of preference, for a client that has made up its mind. */
static int choose_codecs(const struct negotiate_plan *plan, const struct sdp_media *m,
                         struct api_mline *line)
{
    enum codec_id order[CODEC_COUNT];
    unsigned n = negotiate_codec_order(plan, m, order);
    bool all = plan->p->own_codec && m->kind == SDP_VIDEO;
    for (unsigned i = 0; i < n && (all || line->n_codecs == 0); i++) {
        const struct sdp_format *f = negotiate_codec_best(m, order[i], plan->p->prefer_offer_order);
        if (!f) {
            continue;
        }
        negotiate_codec_add(line, m, f);
        if (m->kind == SDP_VIDEO && !plan->session->sprop[0]) {
            negotiate_codec_sprop(f, plan->session->sprop);
        }
        line->opaque = plan->p->opaque;
        if (codec_info(f->codec)->no_dd && !line->opaque) {
            line->ext.id[EXT_DD] = 0;
        }
        /* The frames of RED could not be told apart for viewers without it. */
        const struct sdp_format *red =
            f->codec == CODEC_OPUS && !line->opaque ? negotiate_codec_red(m, f->pt) : NULL;
        if (red) {
            negotiate_codec_add(line, m, red);
        }
    }
    return line->n_codecs > 0 ? 0 : refuse_codec(plan, m);
}

static uint32_t rtx_of(const struct sdp_media *m, uint32_t ssrc)
{
    for (unsigned i = 0; i < m->n_fids; i++) {
        if (m->fids[i].primary == ssrc) {
            return m->fids[i].rtx;
        }
    }
    return 0;
}

static bool is_rtx(const struct sdp_media *m, uint32_t ssrc)
{
    for (unsigned i = 0; i < m->n_fids; i++) {
        if (m->fids[i].rtx == ssrc) {
            return true;
        }
    }
    return false;
}

static void note_ssrc(const struct sdp_media *m, struct api_mline *line, uint32_t ssrc)
{
    if (line->n_ssrcs == API_SSRCS_MAX || is_rtx(m, ssrc)) {
        return;
    }
    for (unsigned i = 0; i < line->n_ssrcs; i++) {
        if (line->ssrcs[i] == ssrc) {
            return;
        }
    }
    line->ssrcs[line->n_ssrcs] = ssrc;
    line->rtx_ssrcs[line->n_ssrcs++] = rtx_of(m, ssrc);
}

/* FFmpeg writes a FID group whose second SSRC has no a=ssrc line: the group alone counts. */
static void note_ssrcs(const struct sdp_media *m, struct api_mline *line)
{
    for (unsigned i = 0; i < m->n_ssrcs; i++) {
        note_ssrc(m, line, m->ssrcs[i]);
    }
}

/* ---- layers ---- */

/* Unless there is no room for it, or it is there already. ssrc 0: its packets name it. */
static void add_layer(const struct sdp_media *m, struct api_mline *line, const char *rid,
                      uint32_t ssrc)
{
    if (line->n_rids == API_LAYERS_MAX || strlen(rid) >= API_RID_MAX) {
        return;
    }
    for (unsigned i = 0; i < line->n_rids; i++) {
        if (strcmp(line->rids[i], rid) == 0 || (ssrc != 0 && line->ssrcs[i] == ssrc)) {
            return;
        }
    }
    line->ssrcs[line->n_rids] = ssrc;
    line->rtx_ssrcs[line->n_rids] = rtx_of(m, ssrc);
    snprintf(line->rids[line->n_rids++], API_RID_MAX, "%s", rid);
}

static uint32_t ssrc_of_rid(const struct sdp_media *m, const char *rid)
{
    for (unsigned i = 0; i < m->n_rids; i++) {
        if (strcmp(m->rids[i], rid) == 0) {
            return m->rid_ssrcs[i];
        }
    }
    return 0;
}

static bool is_announced(const struct sdp_media *m, uint32_t ssrc)
{
    for (unsigned i = 0; i < m->n_ssrcs; i++) {
        if (m->ssrcs[i] == ssrc) {
            return !is_rtx(m, ssrc);
        }
    }
    return false;
}

/* Layers of a=simulcast need the extension that names them (SIM-15), or an SSRC each. */
static void add_named_layers(const struct sdp_media *m, struct api_mline *line)
{
    bool ssrcs = m->n_layers > 0;
    for (unsigned i = 0; i < m->n_layers; i++) {
        ssrcs = ssrcs && ssrc_of_rid(m, m->layers[i]) != 0;
    }
    for (unsigned i = 0; i < m->n_layers && (ssrcs || line->ext.id[EXT_RID] != 0); i++) {
        add_layer(m, line, m->layers[i], ssrcs ? ssrc_of_rid(m, m->layers[i]) : 0);
    }
    line->by_ssrc = ssrcs;
}

/* A legacy ssrc-group:SIM (RFC 5576, Chromium's sender munged): the streams that are announced, by
 * names of ours. */
static void add_group_layers(const struct sdp_media *m, struct api_mline *line)
{
    for (unsigned i = 0; i < m->n_sims; i++) {
        char rid[API_RID_MAX];
        snprintf(rid, sizeof(rid), "s%u", line->n_rids);
        if (is_announced(m, m->sims[i])) {
            add_layer(m, line, rid, m->sims[i]);
        }
    }
    line->by_ssrc = line->n_rids > 1;
    line->n_rids = line->by_ssrc ? line->n_rids : 0;
}

/* Where there are none the section is one stream; and where key frames cannot be told from others,
 * since nobody could go from one layer to another. */
static void find_layers(const struct sdp_media *m, struct api_mline *line)
{
    if (m->kind != SDP_VIDEO || (line->opaque && line->ext.id[EXT_DD] == 0)) {
        return;
    }
    add_named_layers(m, line);
    if (line->n_rids == 0) {
        add_group_layers(m, line);
    }
}

static int fill_lines(const struct negotiate_plan *plan)
{
    struct api_session *s = plan->session;
    for (unsigned i = 0; i < s->n_mlines; i++) {
        struct api_mline *line = &s->mlines[i];
        const struct sdp_media *m = plan->offer->media[line->index];
        int err = choose_codecs(plan, m, line);
        if (err) {
            return err;
        }
        find_layers(m, line);
        if (line->by_ssrc) {
            line->n_ssrcs = line->n_rids;
        } else {
            note_ssrcs(m, line);
        }
        unsigned n_layers = MAX(line->n_rids, 1);
        s->link.max_ssrcs += MAX(2 * n_layers + 2, SSRCS_PER_LINE_MIN);
    }
    return 0;
}

static struct negotiate_source source_of(const struct api_session *s)
{
    struct negotiate_source src = {.known = true};
    for (unsigned i = 0; i < s->n_mlines; i++) {
        if (s->mlines[i].kind == MEDIA_AUDIO) {
            src.audio = true;
            src.audio_codec = s->mlines[i].codecs[0];
            src.audio_level = s->mlines[i].ext.id[EXT_AUDIO_LEVEL] != 0;
        } else {
            src.video = true;
            src.video_codec = s->mlines[i].codecs[0];
            src.n_rids = s->mlines[i].n_rids;
            memcpy(src.rids, s->mlines[i].rids, sizeof(src.rids));
        }
    }
    return src;
}

int negotiate_publish(const struct sdp *offer, const struct negotiate_params *p,
                      struct negotiate_result *ret, struct negotiate_refusal *ret_why)
{
    struct negotiate_plan plan = {.offer = offer, .p = p, .role = API_PUBLISH, .why = ret_why};
    int err = negotiate_begin(&plan);
    err = err ? err : accept_sections(&plan);
    err = err ? err : negotiate_build(&plan);
    err = err ? err : fill_lines(&plan);
    struct negotiate_source source = err ? (struct negotiate_source){0} : source_of(plan.session);
    err = err ? err : negotiate_finish(&plan, ret);
    if (err == 0) {
        ret->source = source;
    }
    free(plan.session);
    return err;
}
