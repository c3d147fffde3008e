/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/told.h"

#include <string.h>

/* Packets of a layer that come so long after it was said not to be sent belie that. */
#define STRAGGLERS_US (200 * US_PER_MS)
/* Payloads of a full packet against WIRE_OVERHEAD. */
#define OVERHEAD_PART 16

/* What is said with e's packets holds for the whole track. */
static void apply(struct encoding *e, int64_t now_us)
{
    struct track *t = e->track;
    unsigned begin = t->sent ? e->map.sent & ~(unsigned)t->sent : 0;
    for (uint8_t i = 0; i < t->n_enc; i++) {
        if (begin >> i & 1) { /* what was measured before it ended says nothing of what it is now */
            t->enc[i].meter.ticks = 0;
        }
    }
    if (e->map.sent != t->sent) {
        t->sent = e->map.sent;
        t->sent_us = now_us;
    }
    for (unsigned i = 0; i < VLA_SPATIAL_MAX && e->map.opaque; i++) {
        if (e->map.told[i].width) { /* nobody but the receiver can read it in the payload */
            e->width = e->map.told[i].width;
            e->height = e->map.told[i].height;
        }
    }
}

int told_on_packet(struct encoding *e, const uint8_t *data, size_t len, int64_t now_us)
{
    struct vla v;
    int err = vla_read(data, len, &v);
    if (err) {
        return err;
    }
    /* Its streams are in the order of a=simulcast, or nothing can be made of it. */
    if (v.n_streams == 0 || v.stream != e->index) {
        return 0;
    }
    e->map.sent = vla_sent(&v);
    for (unsigned i = 0; i < VLA_SPATIAL_MAX; i++) {
        struct vla_layer *l = &v.layer[e->index][i], *was = &e->map.told[i];
        if (l->n_tid && !l->width) { /* sizes are said only when they have changed */
            l->width = was->width;
            l->height = was->height;
            l->fps = was->fps;
        }
        *was = *l;
    }
    apply(e, now_us);
    return 0;
}

void told_follow(struct encoding *e, const struct layer_map *map, int64_t now_us)
{
    bool news = e->map.sent != map->sent || memcmp(e->map.told, map->told, sizeof(map->told)) != 0;
    e->map = *map;
    if (news && map->sent) {
        apply(e, now_us);
    }
}

bool told_is_off(const struct encoding *e)
{
    const struct track *t = e->track;
    return t->sent && !(t->sent >> e->index & 1) && e->last_packet_us <= t->sent_us + STRAGGLERS_US;
}

/* The spatial layer that target d shows; NULL if nothing is told of it. */
static const struct vla_layer *layer_of(const struct encoding *e, unsigned d)
{
    unsigned sid = e->map.sid[d];
    return sid < VLA_SPATIAL_MAX && e->map.told[sid].n_tid ? &e->map.told[sid] : NULL;
}

uint32_t told_bps(const struct encoding *e, unsigned d)
{
    uint32_t kbps = 0;
    for (unsigned sid = 0; layer_of(e, d) && sid <= e->map.sid[d]; sid++) {
        const struct vla_layer *l = &e->map.told[sid];
        kbps += l->n_tid ? l->kbps[MIN(e->map.tid[d], l->n_tid - 1U)] : 0;
    }
    return (kbps + kbps / OVERHEAD_PART) * 1000;
}

uint16_t told_fps_q4(const struct encoding *e, unsigned d)
{
    const struct vla_layer *l = layer_of(e, d);
    unsigned tid = e->map.tid[d];
    unsigned halved = l && tid < l->n_tid ? l->n_tid - 1U - tid : 0;
    return (uint16_t)(l ? l->fps * 16U >> halved : 0);
}

uint32_t told_pixels(const struct encoding *e, unsigned d)
{
    const struct vla_layer *l = layer_of(e, d);
    return l ? (uint32_t)l->width * l->height : 0;
}
