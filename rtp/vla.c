/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/vla.h"

#include <errno.h>

#include "rtp/bytes.h"

#define LEB128_BYTES_MAX 5

/* The layers that are there, in the order in which all that is told of them comes. */
struct walk {
    struct vla_layer *layer[VLA_STREAMS_MAX * VLA_SPATIAL_MAX];
    unsigned n;
};

static uint16_t read_leb128(struct bytes_in *in)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < LEB128_BYTES_MAX; i++) {
        uint8_t b = bytes_in_u8(in);
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            break;
        }
    }
    return (uint16_t)MIN(v, UINT16_MAX);
}

/* One less than the size is told. */
static uint16_t read_size(struct bytes_in *in)
{
    uint32_t size = bytes_in_u16(in) + 1U;
    return (uint16_t)MIN(size, UINT16_MAX);
}

/* Four bits for each stream: the same for all of them (not 0), or in bytes of their own. */
static struct walk read_layers(struct bytes_in *in, uint8_t same, struct vla *v)
{
    struct walk w = {.n = 0};
    uint8_t pair = 0;
    for (unsigned s = 0; s < v->n_streams; s++) {
        if (!same && s % 2 == 0) {
            pair = bytes_in_u8(in);
        }
        unsigned there = same ? same : s % 2 == 0 ? pair >> 4 : pair & 0xf;
        for (unsigned i = 0; i < VLA_SPATIAL_MAX; i++) {
            if (there >> i & 1) {
                w.layer[w.n++] = &v->layer[s][i];
            }
        }
    }
    return w;
}

int vla_read(const uint8_t *data, size_t len, struct vla *ret)
{
    struct bytes_in in = bytes_in_init(data, len);
    struct vla v = {0};
    uint8_t head = bytes_in_u8(&in);
    if (len == 1 && head == 0) {
        *ret = v;
        return 0;
    }
    v.stream = head >> 6;
    v.n_streams = (uint8_t)((head >> 4 & 3) + 1);
    struct walk w = read_layers(&in, head & 0xf, &v);
    uint8_t four = 0;
    for (unsigned i = 0; i < w.n; i++) {
        four = i % 4 == 0 ? bytes_in_u8(&in) : four;
        w.layer[i]->n_tid = (uint8_t)((four >> (6 - 2 * (i % 4)) & 3) + 1);
    }
    for (unsigned i = 0; i < w.n; i++) {
        for (unsigned t = 0; t < w.layer[i]->n_tid; t++) {
            w.layer[i]->kbps[t] = read_leb128(&in);
        }
    }
    bool sizes = bytes_in_left(&in) > 0;
    for (unsigned i = 0; sizes && i < w.n; i++) {
        w.layer[i]->width = read_size(&in);
        w.layer[i]->height = read_size(&in);
        w.layer[i]->fps = bytes_in_u8(&in);
    }
    if (in.failed) {
        return -EMSGSIZE;
    }
    *ret = v;
    return 0;
}

uint8_t vla_sent(const struct vla *v)
{
    unsigned sent = 0;
    for (unsigned s = 0; s < v->n_streams; s++) {
        for (unsigned i = 0; i < VLA_SPATIAL_MAX; i++) {
            sent |= v->layer[s][i].n_tid ? 1U << s : 0;
        }
    }
    return (uint8_t)sent;
}
