/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/video_rx.h"

#include <stdlib.h>
#include <string.h>

/* libwebrtc's numbers */
#define NACK_RTT_US      (100 * US_PER_MS) /* a receiver that sends nothing does not know better */
#define NACK_TRIES       10
#define NACK_POLL_US     (20 * US_PER_MS)
#define KEY_WAIT_US      (200 * US_PER_MS)
#define STALL_WAIT_US    (3 * US_PER_S)
#define ACTIVE_US        (5 * US_PER_S)
#define REPAIR_MEMORY_US (60 * US_PER_S)
#define RENDER_US        (10 * US_PER_MS)
#define DELAY_STEP       10 /* playout moves by 1/10 of real time at most */

struct video_rx *video_rx_new(enum codec_id codec, bool nacks, int64_t now_us)
{
    struct video_rx *v = calloc(1, sizeof(*v));
    assert(v);
    v->codec = codec;
    v->nacks = nacks;
    v->key_required = true;
    v->stepped_us = v->waiting_us = now_us;
    v->last_packet_us = v->last_key_packet_us = INT64_MIN / 2;
    v->nacked_us[0] = v->nacked_us[1] = v->nacked_us[2] = INT64_MIN / 2;
    return v;
}

void video_rx_free(struct video_rx *v)
{
    if (v) {
        free(v->shown);
        free(v);
    }
}

static struct video_rx_packet *at(struct video_rx *v, uint64_t seq)
{
    struct video_rx_packet *p = &v->packets[seq % VIDEO_RX_PACKETS];
    return p->seq == seq ? p : NULL;
}

/* ---- loss ---- */

/* Half of the late packets came within so many others: so many are waited for. */
static unsigned reorder_wait(const struct video_rx *v)
{
    unsigned n = MIN(v->n_reorder, (unsigned)ARRAY_LEN(v->reorder)), count[16] = {0}, sum = 0;
    for (unsigned i = 0; i < n; i++) {
        count[MIN(v->reorder[i], 9)]++;
    }
    for (unsigned d = 0; n && d < 10; d++) {
        sum += count[d];
        if (2 * sum >= n) {
            return d;
        }
    }
    return 0;
}

static void note_gap(struct video_rx *v, uint64_t from, uint64_t to, int64_t now_us)
{
    unsigned wait = reorder_wait(v);
    for (uint64_t s = from; s < to; s++) {
        v->lost++;
        if (v->n_missing == VIDEO_RX_NACKS) {
            v->n_missing = 0; /* hopeless: a key frame instead */
            v->wants_key = true;
        }
        v->missing[v->n_missing++] =
            (struct video_rx_missing){.seq = s, .ask_at = s + wait, .since_us = now_us};
    }
}

static void forget(struct video_rx *v, int i)
{
    memmove(&v->missing[i], &v->missing[i + 1],
            (size_t)(v->n_missing - i - 1) * sizeof(v->missing[0]));
    v->n_missing--;
}

static void note_arrival(struct video_rx *v, uint64_t seq, uint64_t ts, bool repaired)
{
    for (int i = 0; i < v->n_missing; i++) {
        if (v->missing[i].seq == seq) {
            forget(v, i);
            break;
        }
    }
    if (!repaired) {
        v->late++;
        v->reorder[v->n_reorder++ % ARRAY_LEN(v->reorder)] = (uint8_t)MIN(v->top - seq, 127u);
    } else if (v->decoded_any && ts <= v->last_ts) {
        v->too_late++;
    } else {
        v->recovered++;
    }
}

int video_rx_nacks(struct video_rx *v, uint16_t *seqs, int max, int64_t now_us)
{
    int n = 0;
    bool timer = now_us >= v->nack_poll_us;
    v->nack_poll_us = timer ? now_us + NACK_POLL_US : v->nack_poll_us;
    for (int i = 0; i < v->n_missing && v->nacks && n < max; i++) {
        struct video_rx_missing *m = &v->missing[i];
        bool first = m->asks == 0 && v->top >= m->ask_at;
        bool again = m->asks > 0 && timer && now_us - m->asked_us >= NACK_RTT_US;
        if (!first && !again) {
            continue;
        }
        if (m->asks >= NACK_TRIES) {
            forget(v, i--);
            continue;
        }
        v->asked_once += first;
        v->asked++;
        m->asks++;
        m->asked_us = now_us;
        seqs[n++] = (uint16_t)m->seq;
    }
    return n;
}

/* ---- packets to frames ---- */

static struct video_rx_frame *free_frame(struct video_rx *v)
{
    struct video_rx_frame *oldest = &v->frames[0];
    for (int i = 0; i < VIDEO_RX_FRAMES; i++) {
        if (!v->frames[i].used) {
            return &v->frames[i];
        }
        oldest = v->frames[i].ts < oldest->ts ? &v->frames[i] : oldest;
    }
    return oldest;
}

/* The packets around seq are a frame if both ends are there. */
static void find_frame(struct video_rx *v, uint64_t seq, uint64_t ts, int64_t now_us)
{
    uint64_t a = seq, b = seq;
    struct video_rx_packet *first = at(v, a), *last = first;
    bool nacked = first->repaired;
    while (!first->d.start) {
        struct video_rx_packet *p = at(v, a - 1);
        if (!p || p->ts != first->ts || p->padding || p->d.end) {
            return;
        }
        first = p;
        a--;
        nacked |= p->repaired;
    }
    while (!last->d.end) {
        struct video_rx_packet *p = at(v, b + 1);
        if (!p || p->ts != last->ts || p->padding || p->d.start) {
            return;
        }
        last = p;
        b++;
        nacked |= p->repaired;
    }
    struct video_rx_frame *f = free_frame(v);
    *f = (struct video_rx_frame){.used = true,
                                 .marker = last->marker,
                                 .key = first->d.key,
                                 .nacked = nacked,
                                 .first = a,
                                 .last = b,
                                 .ts = ts,
                                 .complete_us = now_us,
                                 .d = first->d};
    video_rx_identify(v, f);
    v->changed = true;
    if (nacked) {
        v->nacked_us[0] = v->nacked_us[1];
        v->nacked_us[1] = v->nacked_us[2];
        v->nacked_us[2] = now_us;
    } else if (f->marker) {
        v->offsets[v->n_offsets++ % ARRAY_LEN(v->offsets)] = now_us - (int64_t)(ts * 100 / 9);
    }
}

void video_rx_packet(struct video_rx *v, const struct rx_rtp *p, bool repaired, const uint8_t *dd,
                     size_t dd_len, int64_t now_us)
{
    if (!v->any) {
        v->any = true;
        v->top = (1u << 20) + p->seq16 - 1u;
        v->ts = (1ULL << 34) + p->ts;
    }
    uint64_t seq = v->top + (uint64_t)(int64_t)(int16_t)(p->seq16 - (uint16_t)v->top);
    uint64_t ts = v->ts + (uint64_t)(int64_t)(int32_t)(p->ts - (uint32_t)v->ts);
    v->n_packets++;
    v->n_bytes += p->len;
    v->last_packet_us = now_us;
    if (at(v, seq)) {
        v->useless += repaired;
        v->duplicates += !repaired && !at(v, seq)->repaired;
        return;
    }
    if (seq + VIDEO_RX_PACKETS / 2 < v->top) {
        return;
    }
    if (seq > v->top) {
        note_gap(v, v->top + 1, seq, now_us);
        v->top = seq;
        v->ts = MAX(v->ts, ts);
    } else {
        note_arrival(v, seq, ts, repaired);
    }
    struct video_rx_packet *slot = &v->packets[seq % VIDEO_RX_PACKETS];
    *slot = (struct video_rx_packet){
        .seq = seq, .ts = p->ts, .marker = p->marker, .repaired = repaired};
    slot->padding = p->len == 0;
    v->n_padding += slot->padding;
    if (slot->padding) {
        return;
    }
    if (!rx_desc_read(v->codec, &v->dd, p, dd, dd_len, &slot->d)) {
        v->malformed += v->dd.known || !dd; /* else the structure has not come yet */
        slot->seq = 0;
        return;
    }
    v->last_key_packet_us = slot->d.key ? now_us : v->last_key_packet_us;
    if (!v->decoded_any || ts > v->last_ts) {
        find_frame(v, seq, ts, now_us);
    }
}

/* ---- pictures ---- */

/* All frames of the picture at ts are there in sequence up to the marker, and all they need has
 * been decoded or belongs to it. Collects them in order of their numbers. */
static int picture(struct video_rx *v, uint64_t ts, struct video_rx_frame **out)
{
    int n = 0;
    for (int i = 0; i < VIDEO_RX_FRAMES; i++) {
        struct video_rx_frame *f = &v->frames[i];
        if (!f->used || f->ts != ts) {
            continue;
        }
        int k = n++;
        for (; k > 0 && out[k - 1]->first > f->first; k--) {
            out[k] = out[k - 1];
        }
        out[k] = f;
        if (n == RX_REFS) {
            break;
        }
    }
    if (!n || !out[n - 1]->marker) {
        return 0;
    }
    for (int i = 0; i < n; i++) {
        int64_t refs[RX_REFS + 1];
        int n_refs = video_rx_refs(v, out[i], refs);
        if (n_refs < 0 || (i && out[i]->first != out[i - 1]->last + 1)) {
            return 0;
        }
        for (int r = 0; r < n_refs; r++) {
            bool own = false;
            for (int k = 0; k < i; k++) {
                own |= out[k]->id == refs[r];
            }
            if (!own && !video_rx_is_done(v, refs[r])) {
                return 0;
            }
        }
    }
    return v->key_required && !out[0]->key ? 0 : n;
}

static uint64_t truth_id(uint32_t source, unsigned layer, uint32_t frame)
{
    return (uint64_t)source << 34 | (uint64_t)layer << 32 | frame;
}

static bool truth_done(const struct video_rx *v, uint64_t id)
{
    unsigned n = MIN(v->n_done, (unsigned)VIDEO_RX_DONE);
    for (unsigned i = 1; i <= n; i++) {
        if (v->done_truth[(v->n_done - i) % VIDEO_RX_DONE] == id) {
            return true;
        }
    }
    return false;
}

static void log_shown(struct video_rx *v, const struct video_rx_frame *f, int64_t at_us)
{
    if (v->n_shown == v->cap_shown) {
        v->cap_shown = v->cap_shown ? 2 * v->cap_shown : 1024;
        v->shown = realloc(v->shown, (size_t)v->cap_shown * sizeof(v->shown[0]));
        assert(v->shown);
    }
    const struct truth *t = &f->d.truth;
    v->shown[v->n_shown++] = (struct video_shown){.at_us = at_us,
                                                  .capture_us = t->capture_us,
                                                  .source = t->source,
                                                  .frame = t->frame,
                                                  .bytes = (uint32_t)t->bytes,
                                                  .layer = t->layer,
                                                  .sid = t->sid,
                                                  .tid = t->tid,
                                                  .key = f->key};
}

/* Decodes a picture; a reference that is really absent is a broken picture on the screen. */
static void decode(struct video_rx *v, struct video_rx_frame **f, int n, int64_t now_us)
{
    for (int i = 0; i < n; i++) {
        const struct truth *t = &f[i]->d.truth;
        v->malformed += !f[i]->d.has_truth;
        for (int r = 0; r < t->n_refs && f[i]->d.has_truth; r++) {
            v->broken += !truth_done(v, truth_id(t->source, t->layer, t->refs[r]));
        }
        v->done[v->n_done % VIDEO_RX_DONE] = f[i]->id;
        v->done_truth[v->n_done % VIDEO_RX_DONE] = truth_id(t->source, t->layer, t->frame);
        v->n_done++;
    }
    log_shown(v, f[n - 1], now_us);
    v->decoded_any = true;
    v->changed = true;
    v->key_required = false;
    v->waiting_us = now_us;
    v->last_ts = f[0]->ts;
    v->last_seq = f[n - 1]->last;
    for (int i = 0; i < VIDEO_RX_FRAMES; i++) {
        if (v->frames[i].used && v->frames[i].ts <= v->last_ts) {
            v->skipped += v->frames[i].ts < v->last_ts;
            v->frames[i].used = false;
        }
    }
    for (int i = 0; i < v->n_missing; i++) {
        if (v->missing[i].seq < v->last_seq) {
            forget(v, i--);
        }
    }
}

/* ---- playout ---- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Late enough for all but the two latest of the last pictures; a round trip more when repair has
 * been needed lately; and no earlier than the sender asks for. */
static int64_t playout_target(const struct video_rx *v, int64_t now_us)
{
    int64_t sorted[ARRAY_LEN(v->offsets)];
    unsigned n = MIN(v->n_offsets, (unsigned)ARRAY_LEN(v->offsets));
    if (!n) {
        return v->playout_us;
    }
    memcpy(sorted, v->offsets, n * sizeof(sorted[0]));
    qsort(sorted, n, sizeof(sorted[0]), by_value);
    int64_t target = sorted[n > 30 ? n - 3 : n - 1] + RENDER_US;
    if (now_us - v->nacked_us[0] < REPAIR_MEMORY_US) {
        target = MAX(target, sorted[n / 2] + NACK_RTT_US + RENDER_US);
    }
    return v->least_us ? MAX(target, sorted[n / 2] + v->least_us) : target;
}

static void move_playout(struct video_rx *v, int64_t now_us)
{
    int64_t dt = now_us - v->stepped_us;
    v->stepped_us = now_us;
    if (!v->n_offsets) {
        return;
    }
    if (v->targeted != v->n_offsets || now_us >= v->retarget_us) {
        v->targeted = v->n_offsets;
        v->retarget_us = now_us + 100 * US_PER_MS;
        v->target_us = playout_target(v, now_us);
    }
    int64_t target = v->target_us;
    if (!v->has_playout) {
        v->has_playout = true;
        v->playout_us = target;
    }
    int64_t most = dt / DELAY_STEP;
    v->playout_us += MIN(MAX(target - v->playout_us, -most), most);
}

/* The first picture after the last one that could be decoded now; 0: none. */
static int next_picture(struct video_rx *v, struct video_rx_frame **out)
{
    uint64_t after = v->decoded_any ? v->last_ts : 0;
    for (;;) {
        uint64_t ts = UINT64_MAX;
        for (int i = 0; i < VIDEO_RX_FRAMES; i++) {
            if (v->frames[i].used && v->frames[i].ts > after) {
                ts = MIN(ts, v->frames[i].ts);
            }
        }
        if (ts == UINT64_MAX) {
            return 0;
        }
        int n = picture(v, ts, out);
        if (n) {
            return n;
        }
        after = ts;
    }
}

void video_rx_step(struct video_rx *v, int64_t now_us)
{
    move_playout(v, now_us);
    struct video_rx_frame **f = v->ready;
    if (v->changed) {
        v->n_ready = next_picture(v, f);
        v->changed = false;
    }
    int n = v->n_ready;
    if (n) {
        int64_t due = (int64_t)(f[0]->ts * 100 / 9) + v->playout_us;
        if (now_us >= due) {
            /* Shown late: what comes after is expected to be late too. */
            v->playout_us += MIN(now_us - due, MAX(v->target_us - v->playout_us, 0));
            decode(v, f, n, now_us);
        }
        return;
    }
    int64_t patience = v->key_required ? KEY_WAIT_US : STALL_WAIT_US;
    if (now_us - v->waiting_us >= patience) {
        v->waiting_us = now_us;
        bool coming = now_us - v->last_key_packet_us < KEY_WAIT_US;
        if (now_us - v->last_packet_us < ACTIVE_US && !coming) {
            v->wants_key = true;
        }
    }
}
