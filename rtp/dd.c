/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/dd.h"

#include <errno.h>
#include <string.h>

#include "rtp/bits.h"
#include "rtp/bytes.h"

#define HEAD_BITS  24 /* start, end, template id, frame number */
#define FLAGS_BITS 5

static_assert((DD_RECENT & (DD_RECENT - 1)) == 0, "the frame number's low bits are the index");

/* Which optional parts follow in this descriptor (A.8.2, extended_descriptor_fields). */
struct dd_flags {
    bool structure;
    bool active;
    bool custom_dtis;
    bool custom_fdiffs;
    bool custom_chains;
};

static uint32_t low_mask(unsigned n)
{
    return n >= 32 ? UINT32_MAX : ((uint32_t)1 << n) - 1;
}

static struct dd_dtis read_dtis(struct bits *b, unsigned n_targets)
{
    struct dd_dtis r = {0};
    for (unsigned t = 0; t < n_targets; t++) {
        uint32_t bit = (uint32_t)1 << t;
        uint32_t dti = bits_get(b, 2);
        r.present |= dti ? bit : 0;
        r.discardable |= dti == 1 ? bit : 0;
        r.switchable |= dti == 2 ? bit : 0;
    }
    return r;
}

/* The layer of each template, as steps from the one before. -EBADMSG beyond the limits. */
static int read_template_layers(struct bits *b, struct dd_structure *s)
{
    unsigned sid = 0, tid = 0, max_tid = 0, n = 0, step;
    do {
        if (n == DD_TEMPLATES_MAX) {
            return -EBADMSG;
        }
        s->templ[n].sid = (uint8_t)sid;
        s->templ[n].tid = (uint8_t)tid;
        n++;
        step = bits_get(b, 2);
        if (step == 1) {
            tid++;
            max_tid = MAX(max_tid, tid);
        } else if (step == 2) {
            tid = 0;
            sid++;
        }
        if (tid >= DD_TEMPORAL_MAX || sid >= DD_SPATIAL_MAX) {
            return -EBADMSG;
        }
    } while (step != 3 && !b->bad);
    s->n_templates = (uint8_t)n;
    s->n_sid = (uint8_t)(sid + 1);
    s->n_tid = (uint8_t)(max_tid + 1);
    return 0;
}

static int read_template_fdiffs(struct bits *b, struct dd_structure *s)
{
    for (unsigned i = 0; i < s->n_templates; i++) {
        struct dd_template *t = &s->templ[i];
        while (bits_flag(b)) {
            if (t->n_fdiffs == DD_FDIFFS_MAX) {
                return -EBADMSG;
            }
            t->fdiff[t->n_fdiffs++] = (uint8_t)(bits_get(b, 4) + 1);
        }
    }
    return 0;
}

static void read_template_chains(struct bits *b, struct dd_structure *s)
{
    s->n_chains = (uint8_t)bits_ns(b, (uint32_t)s->n_targets + 1);
    if (s->n_chains == 0) {
        return;
    }
    for (unsigned t = 0; t < s->n_targets; t++) {
        s->target_chain[t] = (uint8_t)bits_ns(b, s->n_chains);
    }
    for (unsigned i = 0; i < s->n_templates; i++) {
        for (unsigned c = 0; c < s->n_chains; c++) {
            s->templ[i].chain_fdiff[c] = (uint8_t)bits_get(b, 4);
        }
    }
}

/* A target's layers are the highest among the templates it contains (A.8.3, decode_target_layers).
 */
static void find_target_layers(struct dd_structure *s)
{
    for (unsigned t = 0; t < s->n_targets; t++) {
        for (unsigned i = 0; i < s->n_templates; i++) {
            if (s->templ[i].dtis.present >> t & 1) {
                s->target_sid[t] = MAX(s->target_sid[t], s->templ[i].sid);
                s->target_tid[t] = MAX(s->target_tid[t], s->templ[i].tid);
            }
        }
    }
}

static int read_structure(struct bits *b, struct dd_structure *s)
{
    s->id_offset = (uint8_t)bits_get(b, 6);
    s->n_targets = (uint8_t)(bits_get(b, 5) + 1);
    int rc = read_template_layers(b, s);
    if (rc) {
        return rc;
    }
    for (unsigned i = 0; i < s->n_templates; i++) {
        s->templ[i].dtis = read_dtis(b, s->n_targets);
    }
    rc = read_template_fdiffs(b, s);
    if (rc) {
        return rc;
    }
    read_template_chains(b, s);
    find_target_layers(s);
    s->has_resolutions = bits_flag(b);
    for (unsigned i = 0; s->has_resolutions && i < s->n_sid; i++) {
        s->width[i] = bits_get(b, 16) + 1;
        s->height[i] = bits_get(b, 16) + 1;
    }
    return b->bad ? -EMSGSIZE : 0;
}

static int read_frame_fdiffs(struct bits *b, struct dd_frame *f)
{
    f->n_fdiffs = 0;
    for (unsigned size = bits_get(b, 2); size; size = bits_get(b, 2)) {
        if (f->n_fdiffs == DD_FDIFFS_MAX) {
            return -EBADMSG;
        }
        f->fdiff[f->n_fdiffs++] = (uint16_t)(bits_get(b, 4 * size) + 1);
    }
    return 0;
}

/* Fills f from its template, then from what the packet says instead (frame_dependency_definition).
 */
static int read_definition(struct bits *b, const struct dd_structure *s,
                           const struct dd_flags *flags, struct dd_frame *f)
{
    unsigned index = (f->template_id + 64U - s->id_offset) % 64;
    if (index >= s->n_templates) {
        return -EBADMSG;
    }
    const struct dd_template *t = &s->templ[index];
    f->sid = t->sid;
    f->tid = t->tid;
    f->dtis = flags->custom_dtis ? read_dtis(b, s->n_targets) : t->dtis;
    f->n_fdiffs = t->n_fdiffs;
    for (unsigned i = 0; i < t->n_fdiffs; i++) {
        f->fdiff[i] = t->fdiff[i];
    }
    if (flags->custom_fdiffs) {
        int rc = read_frame_fdiffs(b, f);
        if (rc) {
            return rc;
        }
    }
    f->n_chains = s->n_chains;
    for (unsigned c = 0; c < s->n_chains; c++) {
        f->chain_fdiff[c] = flags->custom_chains ? (uint8_t)bits_get(b, 8) : t->chain_fdiff[c];
    }
    if (s->has_resolutions) {
        f->width = s->width[f->sid];
        f->height = s->height[f->sid];
    }
    return b->bad ? -EMSGSIZE : 0;
}

/* The fields before any structure. flags stay false in the short form of three bytes. */
static void read_head(struct bits *b, struct dd_frame *f, struct dd_flags *flags)
{
    f->start = bits_flag(b);
    f->end = bits_flag(b);
    f->template_id = (uint8_t)bits_get(b, 6);
    f->number = (uint16_t)bits_get(b, 16);
    if (b->len_bits > HEAD_BITS) {
        flags->structure = bits_flag(b);
        flags->active = bits_flag(b);
        flags->custom_dtis = bits_flag(b);
        flags->custom_fdiffs = bits_flag(b);
        flags->custom_chains = bits_flag(b);
    }
}

int dd_read(struct dd_state *s, const uint8_t *data, size_t len, struct dd_frame *ret_frame)
{
    if (len > DD_LEN_MAX) {
        return -EBADMSG;
    }
    struct bits b = bits_over(data, len);
    struct dd_frame f = {0};
    struct dd_flags flags = {0};
    read_head(&b, &f, &flags);
    if (b.bad) {
        return -EMSGSIZE;
    }
    struct dd_structure fresh;
    const struct dd_structure *use = &s->structure;
    uint32_t active = s->active_targets;
    if (flags.structure) {
        memset(&fresh, 0, sizeof(fresh));
        int rc = read_structure(&b, &fresh);
        if (rc) {
            return rc;
        }
        use = &fresh;
        active = low_mask(fresh.n_targets);
    } else if (!s->has_structure) {
        return -ENOENT;
    }
    if (flags.active) {
        active = bits_get(&b, use->n_targets);
    }
    int rc = read_definition(&b, use, &flags, &f);
    if (rc) {
        return rc;
    }
    f.structure = flags.structure;
    f.active_present = flags.active;
    if (flags.structure) {
        s->structure = fresh;
        s->has_structure = true;
    }
    s->active_targets = active;
    *ret_frame = f;
    return 0;
}

/* A bit writer over a zeroed block of DD_LEN_MAX bytes. */
struct bit_sink {
    uint8_t *out;
    size_t pos_bits;
    bool full;
};

static void put_bits(struct bit_sink *w, uint32_t v, unsigned n)
{
    if (w->pos_bits + n > (size_t)DD_LEN_MAX * 8) {
        w->full = true;
        return;
    }
    while (n-- > 0) {
        w->out[w->pos_bits / 8] |= (uint8_t)((v >> n & 1) << (7 - w->pos_bits % 8));
        w->pos_bits++;
    }
}

static void copy_bits(struct bit_sink *w, struct bits *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_bits(w, bits_get(from, 1), 1);
    }
}

int dd_write_active(const struct dd_state *s, const uint8_t *data, size_t len, uint32_t active,
                    uint8_t out[DD_LEN_MAX])
{
    struct bits b = bits_over(data, len);
    struct dd_frame f = {0};
    struct dd_flags flags = {0};
    read_head(&b, &f, &flags);
    if (b.bad || len > DD_LEN_MAX) {
        return -EMSGSIZE;
    }
    memset(out, 0, DD_LEN_MAX);
    struct bit_sink w = {.out = out};
    for (size_t i = 0; i < 3; i++) {
        put_bits(&w, data[i], 8);
    }
    put_bits(&w, flags.structure, 1);
    put_bits(&w, 1, 1);
    put_bits(&w, flags.custom_dtis, 1);
    put_bits(&w, flags.custom_fdiffs, 1);
    put_bits(&w, flags.custom_chains, 1);
    if (flags.structure) {
        size_t from = b.pos_bits;
        struct dd_structure skipped;
        memset(&skipped, 0, sizeof(skipped));
        int rc = read_structure(&b, &skipped);
        if (rc) {
            return rc;
        }
        struct bits again = b;
        again.pos_bits = from;
        copy_bits(&w, &again, b.pos_bits - from);
    }
    put_bits(&w, active, s->structure.n_targets);
    if (flags.active) {
        bits_skip(&b, s->structure.n_targets);
    }
    /* What follows is the packet's own definition; its length must be found by reading it, because
     * the padding after it would push the copy past the old length. */
    struct bits tail = b;
    int rc = read_definition(&b, &s->structure, &flags, &f);
    if (rc) {
        return rc;
    }
    copy_bits(&w, &tail, b.pos_bits - tail.pos_bits);
    return w.full ? -ENOSPC : (int)((w.pos_bits + 7) / 8);
}

uint16_t dd_number(const uint8_t *data, size_t len)
{
    return data && len * 8 >= HEAD_BITS ? bytes_load16(data + 1) : 0;
}

int dd_narrow(unsigned n_targets, const uint8_t *data, size_t len, uint32_t active,
              uint8_t out[DD_LEN_MAX])
{
    if (len == 3 && n_targets > 0 && n_targets <= DD_TARGETS_MAX) {
        struct bit_sink w = {.out = out, .pos_bits = 24};
        memset(out, 0, 8);
        memcpy(out, data, 3);
        put_bits(&w, 1 << 3, 5); /* only the mask is present */
        put_bits(&w, active, n_targets);
        return (int)((w.pos_bits + 7) / 8);
    }
    struct dd_state s;
    struct dd_frame f;
    memset(&s, 0, sizeof(s));
    if (dd_read(&s, data, len, &f)) {
        return -ENOENT;
    }
    return dd_write_active(&s, data, len, active, out);
}
