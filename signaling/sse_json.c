/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/sse_json.h"

#include <inttypes.h>
#include <string.h>

#include "rtp/codec.h"
#include "signaling/conference.h"
#include "signaling/resource.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"

bool sse_is_active(const struct signaling *s, const struct resource *r)
{
    if (r->role == API_PUBLISH) {
        return false;
    }
    if (r->member != NULL) {
        return conference_is_active(s, r->member);
    }
    const struct stream *st = r->stream;
    return st != NULL && st->publisher != 0 && !st->silent && st->media.live;
}

unsigned sse_viewers(const struct signaling *s, const struct resource *r)
{
    (void)s;
    if (r->member != NULL) {
        return r->member->room->n_members;
    }
    return r->stream != NULL ? conference_viewers(r->stream) : 0;
}

unsigned sse_sources(const struct signaling *s, const struct resource *r,
                     struct stream **ret_sources)
{
    unsigned n = 0;
    if (r->member == NULL) {
        ret_sources[0] = r->stream;
        return r->stream != NULL && r->role == API_PLAY ? 1 : 0;
    }
    const struct slots *video = &r->member->layout->video.slots;
    for (unsigned i = 0; i < video->n; i++) {
        struct stream *st = rooms_find_id(&s->rooms, video->seat[i].stream);
        if (st != NULL) {
            ret_sources[n++] = st;
        }
    }
    return n;
}

void sse_note_layers(struct stream *st, const struct api_session_stats *stats)
{
    struct stream_layers *l = &st->layers;
    l->n = 0;
    for (unsigned i = 0; i < stats->n_tracks && l->n < API_LAYERS_MAX; i++) {
        const struct api_track_stats *t = &stats->tracks[i];
        if (t->kind == MEDIA_VIDEO) {
            memcpy(l->layer[l->n].rid, t->rid, sizeof(l->layer[0].rid));
            l->layer[l->n].bitrate_bps = t->bitrate_bps;
            l->layer[l->n].width = t->width;
            l->layer[l->n++].height = t->height;
        }
    }
}

static uint64_t mix(uint64_t digest, uint64_t v)
{
    return (digest ^ v) * 0x100000001b3ULL + 1;
}

/* Rates change all the time; told are changes by about a quarter. */
static uint64_t rough(uint32_t bps)
{
    unsigned bits = 0;
    for (uint32_t v = bps; v > 0; v >>= 1) {
        bits++;
    }
    return bits < 3 ? bits : bits * 4 + (bps >> (bits - 3) & 3);
}

static uint64_t write_stream_layers(const struct stream *st, unsigned mline, const char *before,
                                    struct strbuf *out)
{
    uint64_t digest = mix(st->id, mline);
    strbuf_addf(out, "%s\"%u\":[", before, mline);
    for (unsigned i = 0; i < st->layers.n; i++) {
        const struct stream_layer *l = &st->layers.layer[i];
        strbuf_addf(out, i > 0 ? ",{" : "{");
        if (l->rid[0] != '\0') {
            strbuf_addf(out, "\"rid\":\"%s\"", l->rid);
        } else {
            strbuf_addf(out, "\"spatialLayerId\":0"); // the draft asks for a name of some kind
        }
        strbuf_addf(out, ",\"bitrate\":%u", (unsigned)l->bitrate_bps);
        if (l->width > 0) {
            strbuf_addf(out, ",\"width\":%u,\"height\":%u", (unsigned)l->width,
                        (unsigned)l->height);
        }
        strbuf_addf(out, "}");
        digest = mix(mix(digest, rough(l->bitrate_bps)), (uint64_t)l->width << 16 | l->height);
    }
    strbuf_addf(out, "]");
    return digest;
}

/* The m-line of r's first accepted video section. */
static unsigned video_line(const struct resource *r)
{
    return r->video_lines != 0 ? (unsigned)__builtin_ctzll(r->video_lines) : 0;
}

uint64_t sse_write_layers(const struct signaling *s, const struct resource *r, struct strbuf *out)
{
    uint64_t digest = 0;
    const char *before = "{";
    if (r->member == NULL) {
        const struct stream *st = r->stream;
        if (st != NULL && st->layers.n > 0) {
            digest = write_stream_layers(st, video_line(r), before, out);
            before = ",";
        }
    } else {
        const struct slots *video = &r->member->layout->video.slots;
        for (unsigned i = 0; i < video->n; i++) {
            const struct stream *st = rooms_find_id(&s->rooms, video->seat[i].stream);
            if (st != NULL && st->layers.n > 0) {
                digest =
                    mix(digest, write_stream_layers(st, r->member->video_lines[i], before, out));
                before = ",";
            }
        }
    }
    strbuf_addf(out, digest != 0 ? "}" : "{}");
    return digest;
}

void sse_write_stats(const struct signaling *s, const struct api_session_stats *st,
                     struct strbuf *out)
{
    strbuf_addf(out, "{\"rtt_ms\":%.1f,\"transport\":\"%s\"", st->rtt_us / 1000.0, st->transport);
    if (st->role == API_PLAY) {
        strbuf_addf(out, ",\"estimate_bps\":%u", (unsigned)st->estimate_bps);
    }
    strbuf_addf(out, ",\"tracks\":[");
    for (unsigned i = 0; i < st->n_tracks; i++) {
        const struct api_track_stats *t = &st->tracks[i];
        const struct stream *source = rooms_find_id(&s->rooms, t->stream);
        strbuf_addf(out, "%s{\"mid\":\"%s\",\"kind\":\"%s\",\"stream\":", i > 0 ? "," : "", t->mid,
                    t->kind == MEDIA_AUDIO ? "audio" : "video");
        strbuf_addf(out, source != NULL ? "\"%s\"" : "%s",
                    source != NULL ? source->participant : "null");
        strbuf_addf(out,
                    ",\"codec\":\"%s\",\"rid\":\"%s\",\"width\":%u,\"height\":%u,"
                    "\"bitrate_bps\":%u,\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
                    ",\"lost\":%" PRIu64 ",\"fraction_lost\":%.3f,\"jitter_ms\":%.1f,"
                    "\"repaired\":%" PRIu64 ",\"nacks\":%" PRIu64 ",\"plis\":%" PRIu64,
                    codec_info(t->codec)->name, t->rid, (unsigned)t->width, (unsigned)t->height,
                    (unsigned)t->bitrate_bps, t->packets, t->bytes, t->lost,
                    t->fraction_lost_q8 / 256.0, t->jitter_us / 1000.0, t->rtx_packets, t->nacks,
                    t->plis);
        if (st->role == API_PLAY && t->kind == MEDIA_VIDEO && t->why != NULL) {
            strbuf_addf(out, ",\"reason\":\"%s\"", t->why);
        }
        strbuf_addf(out, "}");
    }
    strbuf_addf(out, "]}");
}
