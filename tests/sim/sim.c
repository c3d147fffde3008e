/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/header.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_sr.h"
#include "rtp/seq.h"
#include "sfu/ring.h"

#define STEP_US   1000
#define FRAME_US  33333
#define AUDIO_US  20000
#define PT_OPUS   111
#define PT_VP8    96
#define PT_RTX    97
#define VIEW_OPUS 109
#define VIEW_VP8  100
#define PT_RED    63
#define RED_HEAD  5  /* one redundant block's header and the primary's */
#define RED_OLD   10 /* bytes of the redundant block */
#define VIEW_RTX  101
#define MAGIC     0x51u

/* What must hold whatever a test does; not an assertion of Criterion, since bench uses this too. */
#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

double sim_random(struct sim *s)
{
    s->random = s->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(s->random >> 11) / 9007199254740992.0;
}

static void on_event(struct api_event *ev, void *ctx)
{
    struct sim *s = ctx;
    s->events[ev->kind]++;
    if (ev->kind == API_EV_ENDED) {
        s->last_reason = ev->u.ended.reason;
    }
    for (unsigned i = 0; ev->kind == API_EV_LEVELS && i < ev->u.levels.n; i++) {
        s->level = ev->u.levels.levels[i];
    }
    if (ev->kind == API_EV_TRACKS) {
        s->audio_flows = ev->u.tracks.audio;
        s->video_flows = ev->u.tracks.video;
    }
    if (ev->kind == API_EV_FAULT) {
        s->fault = ev->u.fault;
    }
    if (ev->kind == API_EV_STATS) {
        s->query_n = ev->u.stats.n;
        s->query_id = ev->u.stats.n ? ev->u.stats.sessions[0]->id : 0;
    }
    api_event_fini(ev);
}

static void on_command(int worker, struct api_cmd *cmd, void *ctx)
{
    struct sim *s = ctx;
    MUST(s->n_cmds < (int)ARRAY_LEN(s->cmds));
    s->cmds[s->n_cmds].worker = worker;
    s->cmds[s->n_cmds++].cmd = *cmd;
}

struct sim *sim_new(uint64_t seed, int64_t start_us)
{
    struct sim *s = calloc(1, sizeof(*s));
    MUST(s);
    conf_defaults(&s->conf);
    s->seed = s->random = seed;
    s->now_us = start_us;
    s->next_id = 1;
    s->step_us = STEP_US;
    MUST(tx_init(&s->batch) == 0);
    MUST(seal_backend_select(SEAL_AUTO) == 0);
    for (int a = 0; a < SIM_WORKERS; a++) {
        for (int b = 0; b < SIM_WORKERS; b++) {
            s->ring[a][b] = a == b ? NULL : ring_new(1 << 20);
            s->to[a][b] = s->ring[a][b];
        }
        struct router_params p = {
            .worker = a,
            .n_workers = SIM_WORKERS,
            .conf = &s->conf,
            .ports = {.event = on_event, .command = on_command, .ctx = s},
            .to_worker = s->to[a],
            .seed = seed + (uint64_t)a,
        };
        MUST(router_init(&s->r[a], &p) == 0);
        s->r[a].wall_offset_us = 1700000000LL * US_PER_S;
    }
    return s;
}

void sim_free(struct sim *s)
{
    for (int i = 0; i < SIM_WORKERS; i++) {
        router_fini(&s->r[i]);
    }
    for (int i = 0; i < s->n_viewers; i++) {
        if (s->viewers[i]) {
            open_free(s->viewers[i]->open);
            seal_free(s->viewers[i]->seal);
            free(s->viewers[i]);
        }
    }
    for (int i = 0; i < s->n_publishers; i++) {
        open_free(s->publishers[i]->open);
        seal_free(s->publishers[i]->seal);
        free(s->publishers[i]);
    }
    for (int a = 0; a < SIM_WORKERS; a++) {
        for (int b = 0; b < SIM_WORKERS; b++) {
            ring_free(s->ring[a][b]);
        }
    }
    tx_fini(&s->batch);
    free(s);
}

struct api_session *sim_session(struct sim *s, enum api_role role, uint64_t stream, int n_mlines)
{
    struct api_session *a = calloc(1, sizeof(*a) + (size_t)n_mlines * sizeof(a->mlines[0]));
    MUST(a);
    a->id = s->next_id++;
    a->role = role;
    a->stream = stream;
    a->n_mlines = (uint8_t)n_mlines;
    strcpy(a->cname, "sim");
    for (int i = 0; i < n_mlines; i++) {
        struct api_mline *ml = &a->mlines[i];
        ml->kind = i ? MEDIA_VIDEO : MEDIA_AUDIO;
        snprintf(ml->mid, sizeof(ml->mid), "%d", i);
        ml->index = (uint8_t)i;
        ml->rsize = true;
        ml->n_codecs = 1;
        ml->ext.id[EXT_MID] = 4;
        ml->ext.id[EXT_RID] = 10;
        ml->ext.id[EXT_RRID] = 11;
        ml->ext.id[EXT_TWCC] = 3;
        ml->ext.id[EXT_VLA] = i == 0 ? 0 : 12;
        ml->ext.id[EXT_AUDIO_LEVEL] = i == 0 ? 5 : 0;
    }
    return a;
}

static struct api_session *new_session(struct sim *s, enum api_role role, uint64_t stream)
{
    return sim_session(s, role, stream, 2);
}

struct open *sim_bring_up(struct sim *s, struct peer *p, struct seal **ret_seal)
{
    struct srtp_keys k = {.profile = SRTP_AEAD_AES_128_GCM};
    for (size_t i = 0; i < sizeof(k.key); i++) {
        k.key[i] = (uint8_t)(sim_random(s) * 256);
    }
    struct seal *seal = seal_new(&k);
    MUST(seal);
    p->has_path = true;
    p->path.remote.port = (uint16_t)p->id;
    peer_on_up(p, seal, s->now_us);
    *ret_seal = seal;
    return open_new(&k, 64);
}

void sim_post(struct sim *s, int worker, struct api_cmd cmd)
{
    router_on_cmd(&s->r[worker], &cmd, s->now_us);
}

void sim_announce(struct sim *s, uint64_t stream, int worker, uint64_t publisher)
{
    for (int w = 0; w < SIM_WORKERS; w++) {
        struct api_cmd c = {.kind = API_CMD_STREAM_SOURCE, .id = stream};
        c.u.source.worker = worker;
        c.u.source.publisher = publisher;
        sim_post(s, w, c);
    }
}

struct sim_publisher *sim_publish(struct sim *s, int worker, uint64_t stream, int n_layers,
                                  uint16_t seq0, uint32_t ts0)
{
    struct sim_publisher *p = calloc(1, sizeof(*p));
    struct api_session *a = new_session(s, API_PUBLISH, stream);
    MUST(p);
    a->mlines[0].codecs[0] = (struct api_codec){.id = CODEC_OPUS, .pt = PT_OPUS};
    a->mlines[0].codecs[1] = (struct api_codec){.id = CODEC_RED, .pt = PT_RED};
    a->mlines[0].n_codecs = 2;
    a->mlines[1].codecs[0] = (struct api_codec){.id = CODEC_VP8,
                                                .pt = PT_VP8,
                                                .rtx_pt = PT_RTX,
                                                .nack = true,
                                                .pli = true,
                                                .twcc = !s->encoders};
    if (n_layers > 1) {
        a->mlines[1].n_rids = (uint8_t)n_layers;
        for (int i = 0; i < n_layers; i++) {
            a->mlines[1].rids[i][0] = (char)('a' + i);
        }
    }
    p->id = a->id;
    p->stream = stream;
    p->r = &s->r[worker];
    p->n_layers = n_layers;
    p->answers_nacks = true;
    p->audio_ssrc = (uint32_t)(a->id * 1000);
    p->audio_seq = seq0;
    p->audio_ts = ts0;
    for (int i = 0; i < n_layers; i++) {
        p->layer[i].ssrc = (uint32_t)(a->id * 1000 + 10 + (unsigned)i);
        p->layer[i].rtx_ssrc = p->layer[i].ssrc + 100;
        p->layer[i].seq = seq0;
        p->layer[i].ts = ts0;
        p->layer[i].packets_per_frame = 1 + 2 * i;
        p->layer[i].key_wanted = true;
        p->layer[i].pid = (uint16_t)(0x7ff0 + i);
    }
    p->next_frame_us = p->next_audio_us = (uint64_t)s->now_us;
    struct api_cmd c = {.kind = API_CMD_SESSION_ADD, .id = a->id, .u.session = a};
    sim_post(s, worker, c);
    p->peer = router_peer(p->r, p->id);
    MUST(p->peer);
    sim_announce(s, stream, worker, p->id);
    p->open = sim_bring_up(s, p->peer, &p->seal);
    s->publishers[s->n_publishers++] = p;
    return p;
}

static struct sim_viewer *view(struct sim *s, int worker, uint64_t stream, bool rtx,
                               uint8_t opus_pt, bool red)
{
    struct sim_viewer *v = calloc(1, sizeof(*v));
    struct api_session *a = new_session(s, API_PLAY, stream);
    MUST(v);
    a->mlines[0].codecs[0] = (struct api_codec){.id = CODEC_OPUS, .pt = opus_pt};
    a->mlines[0].codecs[1] = (struct api_codec){.id = CODEC_RED, .pt = PT_RED};
    a->mlines[0].n_codecs = red ? 2 : 1;
    a->mlines[1].codecs[0] = (struct api_codec){
        .id = CODEC_VP8, .pt = VIEW_VP8, .rtx_pt = rtx ? VIEW_RTX : 0, .nack = true, .pli = true};
    for (int i = 0; i < 2; i++) {
        a->mlines[i].ssrcs[0] = (uint32_t)(a->id * 1000 + (unsigned)i);
        a->mlines[i].rtx_ssrcs[0] = rtx && i ? (uint32_t)(a->id * 1000 + 100) : 0;
        a->mlines[i].n_ssrcs = 1;
    }
    v->audio.ssrc = a->mlines[0].ssrcs[0];
    v->video.ssrc = a->mlines[1].ssrcs[0];
    v->id = a->id;
    v->r = &s->r[worker];
    v->nacks = true;
    struct stream *known = router_stream(&s->r[0], stream, false);
    if (known) {
        struct api_cmd src = {.kind = API_CMD_STREAM_SOURCE, .id = stream};
        src.u.source.worker = known->source_worker;
        src.u.source.publisher = known->publisher;
        sim_post(s, worker, src);
    }
    struct api_cmd c = {.kind = API_CMD_SESSION_ADD, .id = a->id, .u.session = a};
    sim_post(s, worker, c);
    v->peer = router_peer(v->r, v->id);
    MUST(v->peer);
    v->open = sim_bring_up(s, v->peer, &v->seal);
    s->viewers[s->n_viewers++] = v;
    return v;
}

struct sim_viewer *sim_view(struct sim *s, int worker, uint64_t stream, bool rtx)
{
    return view(s, worker, stream, rtx, VIEW_OPUS, false);
}

struct sim_viewer *sim_view_red(struct sim *s, int worker, uint64_t stream, uint8_t opus_pt)
{
    return view(s, worker, stream, true, opus_pt, true);
}

void sim_leave(struct sim *s, struct sim_viewer *v)
{
    (void)s;
    peer_end(v->peer, API_END_CLIENT, NULL, NULL);
    v->peer = NULL;
}

void sim_unpublish(struct sim *s, struct sim_publisher *p)
{
    peer_end(p->peer, API_END_CLIENT, NULL, NULL);
    p->peer = NULL;
    sim_announce(s, p->stream, -1, 0);
}

void sim_slot(struct sim *s, struct sim_viewer *v, uint8_t mline, uint64_t stream)
{
    struct api_cmd c = {.kind = API_CMD_SLOT, .id = v->id};
    c.u.slot.mline = mline;
    c.u.slot.stream = stream;
    router_on_cmd(v->r, &c, s->now_us);
}

void sim_alias(struct sim *s, uint64_t id, uint64_t target)
{
    for (int w = 0; w < SIM_WORKERS; w++) {
        struct api_cmd c = {.kind = API_CMD_STREAM_ALIAS, .id = id};
        c.u.alias.target = target;
        sim_post(s, w, c);
    }
}

void sim_want_levels(struct sim *s, int worker, uint64_t stream)
{
    struct api_cmd c = {.kind = API_CMD_LEVELS, .id = stream, .u.levels.want = true};
    sim_post(s, worker, c);
}

void sim_query(struct sim *s, int worker, uint64_t session)
{
    struct api_cmd c = {.kind = API_CMD_QUERY, .id = session};
    sim_post(s, worker, c);
}

/* ---- publishers ---- */

static void to_router(struct sim *s, struct sim_publisher *p, const uint8_t *pkt, size_t len)
{
    uint8_t copy[1500];
    memcpy(copy, pkt, len);
    router_on_rtp(p->r, p->peer, copy, len, s->now_us);
}

/* The extensions with two-byte heads, and the publisher's word; returns their length. */
static size_t add_word(const struct sim_publisher *p, int layer, uint8_t *e)
{
    size_t n = 4;
    const uint8_t names[] = {4, 1, '1', 10, 1, (uint8_t)('a' + layer), 12, (uint8_t)p->word_len};
    memcpy(e + n, names, sizeof(names));
    n += sizeof(names);
    memcpy(e + n, p->word, p->word_len);
    e[n] = (uint8_t)(layer << 6 | (p->word[0] & 0x3f));
    n += p->word_len;
    memset(e + n, 0, 3);
    n = (n + 3) / 4 * 4;
    e[0] = 0x10;
    e[1] = 0;
    e[2] = 0;
    e[3] = (uint8_t)(n / 4 - 1);
    return n;
}

/* One packet with MID, RID and the given payload; returns its length. */
static size_t build(const struct sim_publisher *p, int layer, bool rtx, const struct rtp_header *h,
                    const uint8_t *payload, size_t len, uint8_t *out)
{
    rtp_header_write(out, h, true, false);
    uint8_t *e = out + RTP_HEADER_LEN;
    const char *mid = layer < 0 ? "0" : "1";
    uint8_t ext[] = {0xbe, 0xde, 0, 1, 0x40, (uint8_t)mid[0], 0, 0};
    if (layer >= 0 && p->n_layers > 1) {
        ext[6] = (uint8_t)((rtx ? 11 : 10) << 4);
        ext[7] = (uint8_t)('a' + layer);
    } else if (layer < 0 && p->level) {
        ext[6] = 5 << 4;
        ext[7] = p->level;
    }
    size_t n = sizeof(ext);
    memcpy(e, ext, n);
    if (layer >= 0 && !rtx && p->word_len && payload[0] & 0x10) {
        n = add_word(p, layer, e);
    }
    memcpy(e + n, payload, len);
    return RTP_HEADER_LEN + n + len;
}

/* The TID and Y bits of the frame in the making; upper frames refer to the base layer only. */
static uint8_t temporal(const struct sim_publisher *p, int layer)
{
    static const uint8_t tids[] = {0, 2, 1, 2};
    uint8_t tid = p->layer[layer].n_tid > 1 ? tids[p->layer[layer].frame % 4] : 0;
    return (uint8_t)(tid << 6 | (tid ? 0x20 : 0));
}

/* VP8 payload: full descriptor, frame tag, then {magic, layer, frame id (8), part, parts}. */
static size_t vp8_payload(struct sim_publisher *p, int layer, bool key, int part, int parts,
                          uint8_t *out)
{
    uint16_t pid = p->layer[layer].pid;
    const uint8_t head[] = {(uint8_t)(0x80 | (part == 0 ? 0x10 : 0)),
                            0x80 | 0x40 | 0x20,
                            (uint8_t)(0x80 | (pid >> 8)),
                            (uint8_t)pid,
                            p->layer[layer].tl0,
                            temporal(p, layer)};
    size_t n = sizeof(head);
    memcpy(out, head, n);
    out[n++] =
        key ? 0x10 : 0x11; /* frame tag: bit 0 clear for key frames; only looked at in part 0 */
    if (key && part == 0) {
        const uint8_t start[] = {0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01};
        memcpy(out + n, start, sizeof(start));
        n += sizeof(start);
    }
    out[n++] = MAGIC;
    out[n++] = (uint8_t)layer;
    memcpy(out + n, &p->layer[layer].frame, 8);
    n += 8;
    out[n++] = (uint8_t)part;
    out[n++] = (uint8_t)parts;
    memset(out + n, (uint8_t)(p->layer[layer].frame + (unsigned)part), 900);
    return n + 900;
}

static void send_frame(struct sim *s, struct sim_publisher *p, int layer)
{
    p->layer[layer].frame++;
    /* Key frames are frames of the base layer. */
    bool base = temporal(p, layer) == 0, key = p->layer[layer].key_wanted && base;
    int parts = p->layer[layer].packets_per_frame * (key ? 4 : 1);
    p->layer[layer].key_wanted &= !key;
    p->key_frames += key;
    p->layer[layer].pid = (p->layer[layer].pid + 1) & 0x7fff;
    p->layer[layer].tl0 = (uint8_t)(p->layer[layer].tl0 + base);
    p->layer[layer].ts += 3000;
    for (int part = 0; part < parts + p->padding; part++) {
        uint8_t payload[1200], pkt[1400];
        bool pad = part == parts;
        size_t len = pad ? 0 : vp8_payload(p, layer, key, part, parts, payload);
        struct rtp_header h = {.pt = PT_VP8,
                               .marker = part == parts - 1,
                               .seq16 = p->layer[layer].seq++,
                               .ts = p->layer[layer].ts,
                               .ssrc = p->layer[layer].ssrc};
        size_t n = build(p, layer, false, &h, payload, len, pkt);
        if (pad) {
            pkt[0] |= 0x20;
            memset(pkt + n, 0, 40);
            n += 40;
            pkt[n - 1] = 40;
        }
        memcpy(p->layer[layer].sent[h.seq16 % 2048], pkt, n);
        p->layer[layer].sent_len[h.seq16 % 2048] = (uint16_t)n;
        if (sim_random(s) >= p->loss) {
            to_router(s, p, pkt, n);
        }
    }
}

static void send_audio(struct sim *s, struct sim_publisher *p)
{
    uint8_t payload[100] = {0}, pkt[200];
    size_t at = 0;
    if (p->red) {
        const uint8_t head[RED_HEAD] = {0x80 | PT_OPUS, 960 >> 6, (uint8_t)(960 << 2), RED_OLD,
                                        PT_OPUS};
        memcpy(payload, head, sizeof(head));
        at = RED_HEAD + RED_OLD;
    }
    payload[at] = MAGIC;
    struct rtp_header h = {.pt = p->red ? PT_RED : PT_OPUS,
                           .seq16 = p->audio_seq++,
                           .ts = p->audio_ts,
                           .ssrc = p->audio_ssrc};
    p->audio_ts += 960;
    size_t n = build(p, -1, false, &h, payload, at + 80, pkt);
    to_router(s, p, pkt, n);
}

static void resend(struct sim *s, struct sim_publisher *p, int layer, uint16_t seq16)
{
    const uint8_t *old = p->layer[layer].sent[seq16 % 2048];
    size_t len = p->layer[layer].sent_len[seq16 % 2048];
    struct rtp_header h;
    if (!len || rtp_header_read(old, len, &h) || h.seq16 != seq16) {
        return;
    }
    uint8_t payload[1300], pkt[1400];
    payload[0] = (uint8_t)(seq16 >> 8);
    payload[1] = (uint8_t)seq16;
    memcpy(payload + 2, old + h.payload_off, h.payload_len);
    h.pt = PT_RTX;
    h.ssrc = p->layer[layer].rtx_ssrc;
    h.seq16 = p->layer[layer].rtx_seq++;
    size_t n = build(p, layer, true, &h, payload, 2U + h.payload_len, pkt);
    p->rtx_sent++;
    if (sim_random(s) >= p->loss) {
        to_router(s, p, pkt, n);
    }
}

static void publisher_rtcp(struct sim *s, struct sim_publisher *p, const uint8_t *buf, size_t len)
{
    struct rtcp_walk w;
    struct rtcp_packet pkt;
    rtcp_walk_init(&w, buf, len);
    while (rtcp_walk_next(&w, &pkt) == 1) {
        uint32_t ssrc;
        struct rtcp_nack nack;
        uint16_t seq16;
        if (pkt.type == RTCP_PSFB && rtcp_fb_pli_read(&pkt, &ssrc) == 0) {
            p->plis++;
            for (int i = 0; i < p->n_layers && !p->ignores_pli; i++) {
                p->layer[i].key_wanted |= p->layer[i].ssrc == ssrc;
            }
        } else if (pkt.type == RTCP_RTPFB && rtcp_nack_read(&pkt, &nack) == 0) {
            p->nacks++;
            for (int i = 0; i < p->n_layers; i++) {
                while (p->answers_nacks && p->layer[i].ssrc == nack.media_ssrc &&
                       rtcp_nack_next(&nack, &seq16)) {
                    resend(s, p, i, seq16);
                }
            }
        } else if (pkt.type == RTCP_RTPFB) {
            p->twccs++;
        }
    }
}

static void publisher_step(struct sim *s, struct sim_publisher *p)
{
    if (!p->peer) {
        return;
    }
    while (p->next_audio_us <= (uint64_t)s->now_us) {
        if (!p->silent) {
            send_audio(s, p);
        }
        p->next_audio_us += AUDIO_US;
    }
    while (p->next_frame_us <= (uint64_t)s->now_us) {
        for (int i = 0; i < p->n_layers; i++) {
            if (!p->layer[i].paused && !p->blind) {
                send_frame(s, p, i);
            }
        }
        p->next_frame_us += FRAME_US;
    }
}

/* ---- viewers ---- */

static void check_video(struct sim_stream *st, const uint8_t *payload, size_t len, bool in_order)
{
    size_t head = 6;
    uint16_t pid = (uint16_t)((payload[2] & 0x7f) << 8 | payload[3]);
    bool start = payload[0] & 0x10;
    const uint8_t *body = payload + head + 1;
    if (start && !(payload[head] & 1)) {
        body += 9;
    }
    if (len < head + 20 || !(payload[1] & 0x80) || body[0] != MAGIC) {
        st->bad++;
        return;
    }
    uint64_t frame;
    memcpy(&frame, body + 2, 8);
    if (body[12] != (uint8_t)(frame + body[10])) {
        st->bad++;
    }
    st->layer = body[1];
    st->layer_packets[body[1] & 3]++;
    st->tid_packets[payload[5] >> 6]++;
    if (in_order && st->has_pid && pid != st->last_pid && pid != ((st->last_pid + 1) & 0x7fff)) {
        st->pid_gaps++;
    }
    if (in_order) {
        st->last_pid = pid;
        st->has_pid = true;
        st->last_frame_id = frame;
    }
}

static void stream_on_packet(struct sim *s, struct sim_stream *st, const struct rtp_header *h,
                             const uint8_t *payload, size_t len, uint16_t seq16)
{
    uint64_t seq = st->any ? seq_unwrap(st->top, seq16) : 0x10000U + seq16;
    bool in_order = !st->any || seq > st->top;
    if (!st->any) {
        st->any = true;
        st->top = seq - 1;
        st->first_ts = st->top_ts = h->ts;
        st->first_us = s->now_us;
        memset(st->seen, 1, sizeof(st->seen));
    }
    if (in_order) {
        for (uint64_t g = st->top + 1; g <= seq; g++) {
            st->missing += !st->seen[g % 8192] && g > 8192;
            st->seen[g % 8192] = 0;
        }
        st->ts_back += ts_diff(h->ts, st->top_ts) < 0;
        st->top = seq;
        st->top_ts = h->ts;
    } else if (st->seen[seq % 8192]) {
        st->duplicates++;
        return;
    }
    st->seen[seq % 8192] = 1;
    st->packets++;
    st->pt = h->pt;
    st->last_us = s->now_us;
    if (len == 0 && h->pt == VIEW_RTX) {
        return; /* the number is nobody's */
    }
    if (h->pt == VIEW_VP8 || h->pt == VIEW_RTX) {
        check_video(st, payload, len, in_order);
    } else {
        size_t at = h->pt == PT_RED ? RED_HEAD + RED_OLD : 0;
        st->bad += len != at + 80 || payload[at] != MAGIC;
    }
}

static void viewer_on_rtp(struct sim *s, struct sim_viewer *v, uint8_t *pkt, int len)
{
    struct rtp_header h;
    MUST(rtp_header_read(pkt, (size_t)len, &h) == 0);
    const uint8_t *payload = pkt + h.payload_off;
    if (h.ssrc == v->audio.ssrc) {
        stream_on_packet(s, &v->audio, &h, payload, h.payload_len, h.seq16);
    } else if (h.ssrc == v->video.ssrc) {
        stream_on_packet(s, &v->video, &h, payload, h.payload_len, h.seq16);
    } else {
        MUST(h.pt == VIEW_RTX);
        struct sim_stream *st = &v->video;
        uint16_t seq16 = (uint16_t)(payload[0] << 8 | payload[1]);
        uint64_t seq = seq_unwrap(st->top, seq16);
        st->rtx++;
        st->rtx_back += st->rtx_us == s->now_us && seq < st->rtx_seq;
        st->rtx_us = s->now_us;
        st->rtx_seq = seq;
        stream_on_packet(s, st, &h, payload + 2, h.payload_len - 2U, seq16);
    }
}

static void viewer_on_rtcp(struct sim_viewer *v, const uint8_t *buf, size_t len)
{
    struct rtcp_walk w;
    struct rtcp_packet pkt;
    struct rtcp_report rep;
    rtcp_walk_init(&w, buf, len);
    while (rtcp_walk_next(&w, &pkt) == 1) {
        if (pkt.type == RTCP_SR && rtcp_sr_read(&pkt, &rep) == 0) {
            v->audio.reports += rep.ssrc == v->audio.ssrc;
            v->video.reports += rep.ssrc == v->video.ssrc;
        }
    }
}

/* Asks again for what is missing among the last 500 numbers, as a browser would. */
static void viewer_step(struct sim *s, struct sim_viewer *v)
{
    struct sim_stream *st = &v->video;
    if (!v->peer || !st->any || !v->nacks || (s->now_us / STEP_US) % 20 != 0) {
        return;
    }
    uint16_t seqs[64];
    int n = 0;
    for (uint64_t g = st->top > 500 ? st->top - 500 : 0; g < st->top && n < 64; g++) {
        if (!st->seen[g % 8192]) {
            seqs[n++] = (uint16_t)g;
        }
    }
    uint8_t buf[400];
    int len = n ? rtcp_nack_write(buf, sizeof(buf), 1, st->ssrc, seqs, n) : 0;
    if (len > 0) {
        router_on_rtcp(v->r, v->peer, buf, (size_t)len, s->now_us);
    }
}

/* ---- time ---- */

static void deliver(struct sim *s, uint64_t owner, const uint8_t *pkt, size_t len)
{
    if (s->on_packet && s->on_packet(owner, pkt, len, s->net)) {
        return;
    }
    uint8_t copy[TX_PACKET_MAX];
    memcpy(copy, pkt, len);
    bool rtcp = copy[1] >= 192 && copy[1] <= 223;
    for (int i = 0; i < s->n_viewers; i++) {
        struct sim_viewer *v = s->viewers[i];
        if (v->id != owner) {
            continue;
        }
        if (!rtcp && sim_random(s) < v->loss) {
            v->video.lost_on_link++;
            return;
        }
        int n = rtcp ? open_rtcp(v->open, copy, len) : open_rtp(v->open, copy, len);
        MUST(n >= 0); /* a viewer opens what was sealed for it */
        if (rtcp) {
            viewer_on_rtcp(v, copy, (size_t)n);
        } else {
            viewer_on_rtp(s, v, copy, n);
        }
        return;
    }
    for (int i = 0; i < s->n_publishers; i++) {
        struct sim_publisher *p = s->publishers[i];
        if (p->id == owner && p->peer) {
            int n = open_rtcp(p->open, copy, len);
            MUST(n > 0);
            publisher_rtcp(s, p, copy, (size_t)n);
            return;
        }
    }
}

static void flush(struct sim *s, struct router *r)
{
    bool more = true;
    while (more) {
        more = router_fill(r, &s->batch, s->now_us);
        for (int i = 0; i < s->batch.n; i++) {
            const struct udp_run *run = &s->batch.runs[i];
            for (uint32_t off = 0; off < run->len; off += run->seg_len) {
                deliver(s, s->batch.owner[i], run->buf + off,
                        MIN((uint32_t)run->seg_len, run->len - off));
            }
        }
        tx_clear(&s->batch);
    }
}

static void exchange(struct sim *s)
{
    for (int i = 0; i < s->n_cmds; i++) {
        router_on_cmd(&s->r[s->cmds[i].worker], &s->cmds[i].cmd, s->now_us);
    }
    s->n_cmds = 0;
    for (int a = 0; a < SIM_WORKERS; a++) {
        for (int b = 0; b < SIM_WORKERS; b++) {
            if (s->ring[a][b]) {
                router_on_ring(&s->r[b], s->ring[a][b], s->now_us);
            }
        }
    }
}

void sim_run(struct sim *s, int64_t us)
{
    for (int64_t end = s->now_us + us; s->now_us < end; s->now_us += s->step_us) {
        for (int i = 0; i < s->n_publishers; i++) {
            publisher_step(s, s->publishers[i]);
        }
        for (int i = 0; i < s->n_viewers; i++) {
            viewer_step(s, s->viewers[i]);
        }
        if (s->on_step) {
            s->on_step(s->net);
        }
        exchange(s);
        for (int i = 0; i < SIM_WORKERS; i++) {
            router_tick(&s->r[i], s->now_us);
            flush(s, &s->r[i]);
        }
    }
}
