/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/bytes.h"
#include "rtp/rtcp.h"
#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_sr.h"
#include "sfu/peer.h"

#define OPUS_PT       111
#define RED_PT        63
#define VIEW_PT       100
#define VIEW_RTX_PT   101
#define TWCC_ID       3
#define PLAYOUT_ID    5
#define AUDIO_US      (20 * US_PER_MS)
#define OPUS_BYTES    80
#define RTCP_SEALED   20    /* bytes that sealing adds to RTCP, about */
#define FLOW_TCP      10000 /* flows from here on are cross traffic */
#define FLOW_NOBODY   15000
#define FLOW_UPSTREAM 20000 /* and from here on publishers */
#define IS_RTCP       (1ULL << 32)

struct camera_params scene_camera(void)
{
    return (struct camera_params){.codec = CODEC_VP8,
                                  .n_layers = 3,
                                  .n_spatial = 1,
                                  .n_temporal = 3,
                                  .fps = 30,
                                  .kbps = {150, 500, 1500},
                                  .encode_us = 10 * US_PER_MS};
}

struct camera_params scene_svc_camera(enum codec_id codec)
{
    struct camera_params cam = scene_camera();
    cam.codec = codec;
    cam.n_layers = 1;
    cam.n_spatial = 3;
    cam.dd = true;
    cam.kbps[1] = 350;
    cam.kbps[2] = 1000;
    return cam;
}

struct camera_params scene_ksvc_camera(void)
{
    struct camera_params cam = scene_svc_camera(CODEC_VP9);
    cam.k_svc = true;
    cam.kbps[1] = 500;
    cam.kbps[2] = 1500;
    return cam;
}

int64_t scene_now(const struct scene *s)
{
    return s->sim->now_us - s->start_us;
}

/* ---- links ---- */

struct wire *scene_wire(struct scene *s, const struct wire_params *p)
{
    assert(s->n_wires < SCENE_WIRES);
    struct wire *w = calloc(1, sizeof(*w));
    assert(w);
    wire_init(w, p, s->seed * 977 + (uint64_t)s->n_wires, s->start_us);
    s->wires[s->n_wires++] = w;
    return w;
}

struct wire *scene_link(struct scene *s, const struct wire_step *trace, int n, int64_t delay_us,
                        int64_t queue_us)
{
    struct wire_params p = {
        .trace = trace, .n_steps = n, .delay_us = delay_us, .queue_us = queue_us};
    return scene_wire(s, &p);
}

struct tcp_flow *scene_flow(struct scene *s, struct wire *w, const struct tcp_params *p)
{
    assert(s->n_flows < SCENE_FLOWS);
    struct tcp_flow *f = malloc(sizeof(*f));
    assert(f);
    tcp_flow_init(f, p, w, FLOW_TCP + s->n_flows);
    s->flows[s->n_flows++] = f;
    return f;
}

void scene_fill(struct scene *s, struct wire *w, double share, int64_t from_us, int64_t to_us)
{
    assert(s->n_fillers < (int)ARRAY_LEN(s->fillers));
    s->fillers[s->n_fillers++] =
        (struct scene_filler){.wire = w, .share = share, .start_us = from_us, .stop_us = to_us};
}

static void fill(struct scene *s, struct scene_filler *f)
{
    int64_t t = scene_now(s);
    uint32_t bps = wire_rate(f->wire, s->sim->now_us);
    if (t < f->start_us || t >= f->stop_us || bps == UINT32_MAX) {
        return;
    }
    for (f->owed += bps * f->share / 8000; f->owed > 0; f->owed -= 1000) {
        (void)wire_send(f->wire, FLOW_NOBODY, 0, NULL, 1000 - WIRE_HEADERS, s->sim->now_us);
    }
}

/* ---- router to viewer ---- */

static void note_queue(struct scene_viewer *v, const struct wire_packet *p)
{
    if (v->n_queue == v->cap_queue) {
        v->cap_queue = v->cap_queue ? 2 * v->cap_queue : 4096;
        v->queue = realloc(v->queue, (size_t)v->cap_queue * sizeof(v->queue[0]));
        assert(v->queue);
    }
    v->queue[v->n_queue].at_us = p->arrival_us;
    v->queue[v->n_queue++].queue_us = (uint32_t)p->queued_us;
}

static void viewer_receive(struct scene_viewer *v, const struct wire_packet *p, const uint8_t *buf)
{
    size_t len = p->tag & 0xffff;
    v->delivered_bytes += p->len + WIRE_HEADERS;
    v->now.delivered += (uint32_t)p->len + WIRE_HEADERS;
    v->now.queue_us = (uint32_t)p->queued_us;
    note_queue(v, p);
    if (p->tag & IS_RTCP) {
        player_on_rtcp(v->player, buf, len, p->arrival_us);
    } else {
        player_on_rtp(v->player, buf, len, p->arrival_us);
    }
}

/* What leaves the router is opened and checked before it meets the network. */
static void check_packet(struct scene_viewer *v, const uint8_t *buf, size_t len)
{
    struct rx_rtp r;
    const struct player_params *p = &v->player->p;
    if (!rx_rtp_read(buf, len, &r)) {
        v->transport.bad++;
        return;
    }
    if (r.ext[TWCC_ID]) {
        stream_check_transport(&v->transport, r.ext[TWCC_ID]);
    }
    for (int i = 0; i < p->n_videos; i++) {
        if (r.ssrc == p->video_ssrc[i]) {
            const uint8_t *dd = r.ext[CAMERA_DD_ID];
            stream_check_packet(v->check[i], &r, dd, dd ? r.ext_len[CAMERA_DD_ID] : 0);
        } else if (p->rtx_ssrc[i] && r.ssrc == p->rtx_ssrc[i]) {
            stream_check_rtx(v->check[i], &r);
            v->now.rtx += (uint32_t)len + 16 + WIRE_HEADERS;
        }
    }
}

/* What the viewer's page does with encrypted pictures. */
static void decrypt(const struct scene_viewer *v, uint8_t *buf, size_t len)
{
    struct rx_rtp r;
    const struct player_params *p = &v->player->p;
    bool sound = rx_rtp_read(buf, len, &r);
    for (int i = 0; i < p->n_videos && sound && r.len > 0; i++) {
        size_t osn = p->rtx_ssrc[i] && r.ssrc == p->rtx_ssrc[i] ? 2 : 0;
        if ((osn || r.ssrc == p->video_ssrc[i]) && r.len > osn) {
            camera_crypt(buf + (r.payload - buf) + osn, r.len - osn);
        }
    }
}

static void to_viewer(struct scene_viewer *v, const uint8_t *pkt, size_t len)
{
    struct scene *s = v->scene;
    uint8_t buf[WIRE_MTU];
    memcpy(buf, pkt, len);
    bool rtcp = buf[1] >= 192 && buf[1] <= 223;
    int n = rtcp ? open_rtcp(v->open, buf, len) : open_rtp(v->open, buf, len);
    if (n <= 0) {
        fprintf(stderr, "a viewer cannot open what was sealed for it: %d\n", n);
        abort();
    }
    if (!rtcp && v->encrypted) {
        decrypt(v, buf, (size_t)n);
    }
    if (!rtcp && v->checked) {
        check_packet(v, buf, (size_t)n);
    }
    v->sent_bytes += len + WIRE_HEADERS;
    v->now.sent += (uint32_t)len + WIRE_HEADERS;
    uint64_t tag = (uint64_t)n | (rtcp ? IS_RTCP : 0);
    v->dropped += !wire_send(v->down, v->index, tag, buf, len, s->sim->now_us);
}

/* A viewer's RTCP goes onto its link back. */
static void from_player(const uint8_t *buf, size_t len, void *ctx)
{
    struct scene_viewer *v = ctx;
    uint8_t copy[WIRE_MTU] = {0};
    memcpy(copy, buf, len);
    (void)wire_send(v->up, v->index, len, copy, len + RTCP_SEALED, v->scene->sim->now_us);
}

/* ---- publishers ---- */

static void publisher_on_rtcp(struct scene_publisher *p, const uint8_t *buf, size_t len)
{
    struct rtcp_walk w;
    struct rtcp_packet one;
    rtcp_walk_init(&w, buf, len);
    while (rtcp_walk_next(&w, &one) == 1) {
        uint32_t ssrc;
        struct rtcp_nack nack;
        uint16_t seq16;
        if (one.type == RTCP_PSFB && rtcp_fb_pli_read(&one, &ssrc) == 0) {
            for (int i = 0; i < p->n_cameras; i++) {
                camera_on_pli(p->camera[i], ssrc);
            }
        } else if (one.type == RTCP_RTPFB && rtcp_nack_read(&one, &nack) == 0) {
            while (rtcp_nack_next(&nack, &seq16)) {
                p->nacked++;
                for (int i = 0; i < p->n_cameras; i++) {
                    camera_on_nack(p->camera[i], nack.media_ssrc, seq16, p->scene->sim->now_us);
                }
            }
        }
    }
}

static void upstream(struct scene_publisher *p, const uint8_t *buf, size_t len, bool rtcp)
{
    uint64_t tag = len | (rtcp ? IS_RTCP : 0);
    (void)wire_send(p->up, FLOW_UPSTREAM + p->index, tag, buf, len, p->scene->sim->now_us);
}

static void send_audio(struct scene_publisher *p)
{
    uint8_t pkt[300] = {0x90, (uint8_t)(p->red ? RED_PT : OPUS_PT)};
    bytes_store16(pkt + 2, p->audio_seq++);
    bytes_store32(pkt + 4, p->audio_ts);
    bytes_store32(pkt + 8, p->audio_ssrc);
    static const uint8_t ext[] = {0xbe, 0xde, 0, 1, CAMERA_MID_ID << 4, '0', 0, 0};
    memcpy(pkt + 12, ext, sizeof(ext));
    size_t n = 12 + sizeof(ext);
    if (p->red) {
        const uint8_t head[] = {0x80 | OPUS_PT, 960 >> 6, (uint8_t)((960 & 63) << 2), OPUS_BYTES,
                                OPUS_PT};
        memcpy(pkt + n, head, sizeof(head));
        n += sizeof(head);
        bytes_store32(pkt + n, p->audio_ts - 960);
        n += OPUS_BYTES;
    }
    bytes_store32(pkt + n, p->audio_ts); /* what a player can tell frames by */
    n += OPUS_BYTES;
    p->audio_ts += 960;
    p->audio_packets++;
    upstream(p, pkt, n, false);
}

static void report(struct scene_publisher *p, uint32_t ssrc, uint32_t ts, uint64_t pkts,
                   uint64_t octets)
{
    int64_t wall = p->scene->sim->now_us + 1700000000LL * US_PER_S - 3210987;
    struct rtcp_report sr = {.ssrc = ssrc, .is_sr = true};
    sr.sender.ntp = ((uint64_t)(wall / US_PER_S + 2208988800LL) << 32) |
                    ((uint64_t)(wall % US_PER_S) << 32) / US_PER_S;
    sr.sender.rtp_ts = ts;
    sr.sender.pkts = (uint32_t)pkts;
    sr.sender.octets = (uint32_t)octets;
    uint8_t buf[100];
    int len = rtcp_sr_write(buf, sizeof(buf), &sr);
    if (len > 0) {
        upstream(p, buf, (size_t)len, true);
    }
}

static void publisher_step(struct scene_publisher *p)
{
    int64_t now = p->scene->sim->now_us;
    for (; p->next_audio_us <= now; p->next_audio_us += AUDIO_US) {
        send_audio(p);
    }
    for (int i = 0; i < p->n_cameras; i++) {
        camera_step(p->camera[i], now);
        for (struct camera_packet *c; (c = camera_poll(p->camera[i], now));) {
            upstream(p, c->buf, c->len, false);
            free(c);
        }
    }
    if (now >= p->next_report_us) {
        p->next_report_us += US_PER_S;
        int64_t since = p->next_audio_us - now;
        report(p, p->audio_ssrc, p->audio_ts - (uint32_t)(since * 48 / 1000), p->audio_packets,
               p->audio_packets * OPUS_BYTES);
        for (int i = 0; i < p->n_cameras; i++) {
            const struct camera *c = p->camera[i];
            for (int k = 0; k < c->p.n_layers; k++) {
                const struct camera_layer *l = &c->layer[k];
                if (l->packets && !l->paused) {
                    report(p, l->ssrc, l->ts_off + (uint32_t)(now * 9 / 100), l->packets,
                           l->octets);
                }
            }
        }
    }
}

/* ---- the network ---- */

static bool on_packet(uint64_t owner, const uint8_t *pkt, size_t len, void *net)
{
    struct scene *s = net;
    for (int i = 0; i < s->n_publishers; i++) {
        struct scene_publisher *p = s->publishers[i];
        if (p->id == owner) {
            uint8_t buf[WIRE_MTU];
            memcpy(buf, pkt, len);
            int n = open_rtcp(p->open, buf, len);
            assert(n > 0);
            (void)wire_send(p->down, FLOW_UPSTREAM + p->index, (uint64_t)n, buf, len,
                            s->sim->now_us);
            return true;
        }
    }
    /* Ids rise with the index. */
    int lo = 0, hi = s->n_viewers;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (s->viewers[mid]->id < owner) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == s->n_viewers || s->viewers[lo]->id != owner) {
        return false;
    }
    to_viewer(s->viewers[lo], pkt, len);
    return true;
}

struct arrival {
    struct scene *s;
    const struct wire *w;
};

static void on_arrival(const struct wire_packet *p, const uint8_t *buf, void *ctx)
{
    const struct arrival *a = ctx;
    struct scene *s = a->s;
    int64_t now = s->sim->now_us;
    if (p->flow >= FLOW_UPSTREAM) {
        struct scene_publisher *pub = s->publishers[p->flow - FLOW_UPSTREAM];
        uint8_t copy[WIRE_MTU];
        size_t len = p->tag & 0xffff;
        memcpy(copy, buf, len);
        if (a->w == pub->down) {
            publisher_on_rtcp(pub, copy, len);
        } else if (pub->peer && (p->tag & IS_RTCP)) {
            router_on_rtcp(pub->r, pub->peer, copy, len, now);
        } else if (pub->peer) {
            router_on_rtp(pub->r, pub->peer, copy, len, now);
        }
    } else if (p->flow == FLOW_NOBODY) {
        return;
    } else if (p->flow >= FLOW_TCP) {
        tcp_flow_on_packet(s->flows[p->flow - FLOW_TCP], p->tag, p->len, p->arrival_us);
    } else {
        struct scene_viewer *v = s->viewers[p->flow];
        if (a->w == v->down) {
            viewer_receive(v, p, buf);
        } else if (v->peer) {
            router_on_rtcp(v->r, v->peer, buf, p->tag & 0xffff, now);
        }
    }
}

static void sample(struct scene_viewer *v, int64_t now_us)
{
    if (v->n_samples == v->cap_samples) {
        v->cap_samples = v->cap_samples ? 2 * v->cap_samples : 1024;
        v->samples = realloc(v->samples, (size_t)v->cap_samples * sizeof(v->samples[0]));
        assert(v->samples);
    }
    const struct video_rx *x = v->player->video[0];
    const struct video_shown *last = x->n_shown ? &x->shown[x->n_shown - 1] : NULL;
    struct api_session_stats *st = v->peer ? peer_stats(v->peer, now_us) : NULL;
    v->now.at_us = now_us - v->scene->start_us;
    v->now.link_bps = wire_rate(v->down, now_us);
    if (st) {
        const struct api_track_stats *video = &st->tracks[st->n_tracks - 1];
        v->now.estimate_bps = st->estimate_bps;
        v->now.moved = st->estimate_why;
        v->now.backlog_us = st->backlog_us;
        v->now.loss_q8 = st->loss_q8;
        v->now.why = video->why;
        v->now.aim_bps = video->aim_bps;
    }
    v->now.layer = last ? (int8_t)(last->layer + last->sid) : -1;
    v->now.tid = last ? (int8_t)last->tid : -1;
    free(st);
    v->samples[v->n_samples++] = v->now;
    v->now.sent = v->now.delivered = v->now.rtx = 0;
    v->now.queue_us = 0;
}

static void on_step(void *net)
{
    struct scene *s = net;
    int64_t now = s->sim->now_us;
    for (int i = 0; i < s->n_publishers; i++) {
        if (s->publishers[i]->peer) {
            publisher_step(s->publishers[i]);
        }
    }
    for (int i = 0; i < s->n_flows; i++) {
        tcp_flow_step(s->flows[i], now);
    }
    for (int i = 0; i < s->n_fillers; i++) {
        fill(s, &s->fillers[i]);
    }
    for (int i = 0; i < s->n_wires; i++) {
        struct arrival a = {.s = s, .w = s->wires[i]};
        wire_poll(s->wires[i], now, on_arrival, &a);
    }
    for (int i = 0; i < s->n_viewers; i++) {
        if (s->viewers[i]->peer) {
            player_step(s->viewers[i]->player, now);
        }
    }
    if (now >= s->next_sample_us) {
        s->next_sample_us += SCENE_SAMPLE_US;
        for (int i = 0; i < s->n_viewers; i++) {
            if (s->viewers[i]->checked) {
                sample(s->viewers[i], now);
            }
        }
    }
}

/* ---- comings and goings ---- */

struct scene *scene_new(uint64_t seed)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert(s);
    s->seed = seed;
    s->sim = sim_new(seed, 10 * US_PER_S);
    s->sim->on_packet = on_packet;
    s->sim->on_step = on_step;
    s->sim->net = s;
    s->start_us = s->next_sample_us = s->sim->now_us;
    /* wires[0], [1]: for those who have none of their own */
    (void)scene_wire(s, &(struct wire_params){.delay_us = 1 * US_PER_MS});
    (void)scene_wire(s, &(struct wire_params){.delay_us = 10 * US_PER_MS});
    return s;
}

static void free_viewer(struct scene_viewer *v)
{
    for (int i = 0; i < PLAYER_VIDEOS; i++) {
        free(v->check[i]);
    }
    player_free(v->player);
    open_free(v->open);
    seal_free(v->seal);
    free(v->samples);
    free(v->queue);
    free(v);
}

void scene_free(struct scene *s)
{
    struct sim *sim = s->sim;
    sim->on_packet = NULL;
    sim_free(sim);
    for (int i = 0; i < s->n_viewers; i++) {
        free_viewer(s->viewers[i]);
    }
    for (int i = 0; i < s->n_publishers; i++) {
        struct scene_publisher *p = s->publishers[i];
        for (int k = 0; k < p->n_cameras; k++) {
            camera_fini(p->camera[k]);
            free(p->camera[k]);
        }
        open_free(p->open);
        seal_free(p->seal);
        free(p);
    }
    for (int i = 0; i < s->n_wires; i++) {
        wire_fini(s->wires[i]);
        free(s->wires[i]);
    }
    for (int i = 0; i < s->n_flows; i++) {
        free(s->flows[i]);
    }
    free(s);
}

struct scene_publisher *scene_publish(struct scene *s, uint64_t stream,
                                      const struct camera_params *p, int n, struct wire *up,
                                      struct wire *down)
{
    assert(s->n_publishers < SCENE_PUBLISHERS && n <= PLAYER_VIDEOS);
    struct scene_publisher *pub = calloc(1, sizeof(*pub));
    assert(pub);
    struct api_session *a = sim_session(s->sim, API_PUBLISH, stream, 1 + n);
    a->mlines[0].n_codecs = 2;
    a->mlines[0].codecs[0] = (struct api_codec){.id = CODEC_OPUS, .pt = OPUS_PT};
    a->mlines[0].codecs[1] = (struct api_codec){.id = CODEC_RED, .pt = RED_PT};
    a->mlines[0].opaque = p->encrypted;
    pub->scene = s;
    pub->index = s->n_publishers;
    pub->id = a->id;
    pub->stream = stream;
    pub->r = &s->sim->r[0];
    pub->n_cameras = n;
    pub->up = up ? up : s->wires[1];
    pub->down = down ? down : s->wires[1];
    if (pub->up == pub->down) {
        pub->down = scene_wire(s, &(struct wire_params){.delay_us = 10 * US_PER_MS});
    }
    pub->audio_ssrc = (uint32_t)(a->id * 10000);
    for (int i = 0; i < n; i++) {
        struct api_mline *ml = &a->mlines[1 + i];
        struct camera_params cp = p[i];
        cp.mid = i == 0 ? "1" : i == 1 ? "2" : "3";
        ml->codecs[0] = (struct api_codec){.id = cp.codec,
                                           .pt = CAMERA_PT,
                                           .rtx_pt = CAMERA_RTX_PT,
                                           .nack = true,
                                           .pli = true,
                                           .twcc = !cp.ignores_pli};
        ml->ext.allow_mixed = true;
        ml->ext.id[EXT_DD] = cp.dd ? CAMERA_DD_ID : 0;
        ml->ext.id[EXT_VLA] = cp.vla ? CAMERA_VLA_ID : 0;
        ml->opaque = cp.encrypted;
        ml->ext.id[EXT_CONTENT_TYPE] = CAMERA_TYPE_ID;
        ml->n_rids = (uint8_t)(cp.n_layers > 1 ? cp.n_layers : 0);
        for (int k = 0; k < ml->n_rids; k++) {
            ml->rids[k][0] = (char)('a' + k);
        }
        pub->camera[i] = calloc(1, sizeof(*pub->camera[i]));
        assert(pub->camera[i]);
        camera_init(pub->camera[i], &cp, pub->audio_ssrc + 1000u * (unsigned)(i + 1),
                    s->seed + a->id, s->sim->now_us);
    }
    pub->next_audio_us = pub->next_report_us = s->sim->now_us;
    sim_post(s->sim, 0, (struct api_cmd){.kind = API_CMD_SESSION_ADD, .id = a->id, .u.session = a});
    pub->peer = router_peer(pub->r, pub->id);
    assert(pub->peer);
    sim_announce(s->sim, stream, 0, pub->id);
    pub->open = sim_bring_up(s->sim, pub->peer, &pub->seal);
    s->publishers[s->n_publishers++] = pub;
    return pub;
}

/* The sections of a viewer, and the same for its player. */
static void view_sections(struct api_session *a, const struct scene_view_params *p,
                          struct player_params *pp)
{
    enum codec_id codec = p->codec == CODEC_NONE ? CODEC_VP8 : p->codec;
    a->mlines[0].codecs[0] = (struct api_codec){.id = CODEC_OPUS, .pt = OPUS_PT};
    a->mlines[0].codecs[1] = (struct api_codec){.id = CODEC_RED, .pt = RED_PT};
    a->mlines[0].n_codecs = p->red ? 2 : 1;
    a->mlines[0].ext.id[EXT_TWCC] = p->remb ? 0 : TWCC_ID;
    pp->codec = codec;
    pp->n_videos = MAX(p->n_videos, 1);
    pp->audio_ssrc = (uint32_t)(a->id * 10000);
    pp->opus_pt = OPUS_PT;
    pp->red_pt = p->red ? RED_PT : 0;
    pp->video_pt = VIEW_PT;
    pp->rtx_pt = VIEW_RTX_PT;
    pp->twcc_id = p->remb ? 0 : TWCC_ID;
    pp->abs_id = p->remb ? 2 : 0;
    pp->dd_id = CAMERA_DD_ID;
    pp->playout_id = PLAYOUT_ID;
    pp->nack = true;
    pp->remb = p->remb;
    a->mlines[0].ssrcs[0] = pp->audio_ssrc;
    a->mlines[0].n_ssrcs = 1;
    for (int i = 0; i < pp->n_videos; i++) {
        struct api_mline *ml = &a->mlines[1 + i];
        ml->codecs[0] = (struct api_codec){.id = codec,
                                           .pt = VIEW_PT,
                                           .rtx_pt = p->no_rtx ? 0 : VIEW_RTX_PT,
                                           .nack = true,
                                           .pli = true,
                                           .twcc = !p->remb,
                                           .remb = p->remb};
        ml->ext.allow_mixed = true;
        ml->ext.id[EXT_TWCC] = p->remb ? 0 : TWCC_ID;
        ml->ext.id[EXT_ABS_SEND_TIME] = p->remb ? 2 : 0;
        ml->ext.id[EXT_PLAYOUT_DELAY] = PLAYOUT_ID;
        bool dd = p->encrypted || (codec != CODEC_VP8 && codec != CODEC_H264);
        ml->ext.id[EXT_DD] = dd ? CAMERA_DD_ID : 0;
        ml->n_ssrcs = 1;
        ml->ssrcs[0] = pp->video_ssrc[i] = pp->audio_ssrc + 1u + (unsigned)i;
        ml->rtx_ssrcs[0] = pp->rtx_ssrc[i] = p->no_rtx ? 0 : pp->audio_ssrc + 101u + (unsigned)i;
    }
}

struct scene_viewer *scene_view(struct scene *s, const struct scene_view_params *p)
{
    assert(s->n_viewers < SCENE_VIEWERS);
    struct scene_viewer *v = calloc(1, sizeof(*v));
    assert(v);
    struct player_params pp = {0};
    struct api_session *a = sim_session(s->sim, API_PLAY, p->stream, 1 + MAX(p->n_videos, 1));
    view_sections(a, p, &pp);
    v->scene = s;
    v->index = s->n_viewers;
    v->id = a->id;
    v->r = &s->sim->r[p->worker];
    v->checked = !p->unchecked;
    v->encrypted = p->encrypted;
    v->down = p->down ? p->down : s->wires[0];
    v->up = p->up ? p->up : scene_wire(s, &(struct wire_params){.delay_us = v->down->p.delay_us});
    v->joined_us = s->sim->now_us;
    v->player = player_new(&pp, from_player, v, s->sim->now_us);
    for (int i = 0; i < pp.n_videos && v->checked; i++) {
        v->check[i] = malloc(sizeof(*v->check[i]));
        assert(v->check[i]);
        stream_check_init(v->check[i], pp.codec, p->lossy_source);
    }
    s->viewers[s->n_viewers++] = v;
    for (int i = 0; i < s->n_publishers; i++) {
        struct api_cmd src = {.kind = API_CMD_STREAM_SOURCE, .id = s->publishers[i]->stream};
        src.u.source.publisher = s->publishers[i]->id;
        sim_post(s->sim, p->worker, src);
    }
    sim_post(s->sim, p->worker,
             (struct api_cmd){.kind = API_CMD_SESSION_ADD, .id = a->id, .u.session = a});
    v->peer = router_peer(v->r, v->id);
    assert(v->peer);
    v->open = sim_bring_up(s->sim, v->peer, &v->seal);
    return v;
}

void scene_leave(struct scene_viewer *v)
{
    peer_end(v->peer, API_END_CLIENT, NULL, NULL);
    v->peer = NULL;
}

void scene_slot(struct scene_viewer *v, int mline, uint64_t stream)
{
    struct api_cmd c = {.kind = API_CMD_SLOT, .id = v->id};
    c.u.slot.mline = (uint8_t)mline;
    c.u.slot.stream = stream;
    router_on_cmd(v->r, &c, v->scene->sim->now_us);
}

void scene_run(struct scene *s, int64_t us)
{
    sim_run(s->sim, us);
}
