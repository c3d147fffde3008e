/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "conf/thread.h"
#include "rtp/demux.h"
#include "sfu/data_loop.h"
#include "sfu/ring.h"

#define INBOX_MESSAGES 65536
#define RING_BYTES     (4u << 20)
/* Batches read per turn before what they caused is sent: bounds the latency of the first packet
 * under load. */
#define RX_BATCHES   4
#define IDLE_TICK_MS 500
#define MANY_RUNS    (UDP_TX_RUNS / 2)
#define DATA_AT_ONCE 8 /* SCTP packets between two flushes */
/* Looks in the longest wait for the rest of a frame. */
#define NAPS 4
/* At the end a full socket is waited for, so that close_notify leaves. */
#define STOP_TRIES   20
#define STOP_WAIT_MS 10

/* ---- ways out of the router ---- */

static void port_event(struct api_event *ev, void *ctx)
{
    struct worker *w = ctx;
    if (mailbox_post(w->all->to_main, ev)) {
        log_error("event_lost", LOG_INT("worker", w->index), LOG_INT("kind", ev->kind));
        api_event_fini(ev);
    }
}

static void port_command(int worker, struct api_cmd *cmd, void *ctx)
{
    struct worker *w = ctx;
    if (mailbox_post(&w->all->w[worker].inbox, cmd)) {
        api_cmd_fini(cmd);
    }
}

static void take_commands(struct worker *w, int64_t now_us);

static void port_catch_up(int64_t now_us, void *ctx)
{
    take_commands(ctx, now_us);
}

static void port_data_open(const struct api_session *s, void *ctx)
{
    struct worker *w = ctx;
    const struct data_open o = {.id = s->id,
                                .worker = w->index,
                                .client_even = s->link.role == DTLS_SERVER,
                                .data = s->data};
    data_loop_open(w->all->data, &o);
}

static void port_data_packet(uint64_t session, const uint8_t *pkt, size_t len, void *ctx)
{
    struct worker *w = ctx;
    if (!data_loop_put(w->all->data, w->index, session, pkt, len)) {
        w->router.n.drop_sctp_ring++;
    }
}

static void port_data_close(uint64_t session, void *ctx)
{
    struct worker *w = ctx;
    data_loop_close(w->all->data, session);
}

/* ---- sending ---- */

static void on_udp(uv_poll_t *handle, int status, int events);
static void on_shake(uv_idle_t *handle);

static void watch_udp(struct worker *w, int events)
{
    if (w->udp_events != events) {
        w->udp_events = events;
        uv_poll_start(&w->udp_poll, events, on_udp);
    }
}

/* A socket that epoll watches wakes it for every message that the kernel has sent, in vain, at a
 * twentieth of the message's cost: while many leave it is not watched. worker_flush watches it
 * again. */
static void look_away(struct worker *w)
{
    if (w->udp_events) {
        w->udp_events = 0;
        uv_poll_stop(&w->udp_poll);
    }
}

/* Runs to TCP peers leave one by one; stretches of UDP runs leave together. Returns false when the
 * UDP socket is full. */
static bool send_batch(struct worker *w)
{
    struct tx_batch *b = &w->batch;
    if (b->n > MANY_RUNS) {
        look_away(w);
    }
    while (w->batch_sent < b->n) {
        int end = w->batch_sent;
        if (b->paths[end].transport == TRANSPORT_TCP) {
            worker_tcp_send(w, &b->runs[end]);
            w->batch_sent++;
            continue;
        }
        while (end < b->n && b->paths[end].transport == TRANSPORT_UDP) {
            end++;
        }
        int n = end - w->batch_sent;
        int done = udp_send(w->udp, &b->runs[w->batch_sent], n);
        for (int i = w->batch_sent; i < w->batch_sent + done; i++) {
            if (b->gso[i] && b->runs[i].gso_off) {
                struct peer *p = router_peer(&w->router, b->owner[i]);
                if (p) {
                    p->gso_off = true; /* this path does not take segments */
                }
            }
        }
        w->batch_sent += done;
        if (done < n) {
            return false;
        }
    }
    tx_clear(b);
    w->batch_sent = 0;
    return true;
}

static void wake_siblings(struct worker *w)
{
    uint64_t todo = w->router.ring_wakes;
    w->router.ring_wakes = 0;
    while (todo) {
        int i = __builtin_ctzll(todo);
        todo &= todo - 1;
        uv_async_send(&w->all->w[i].wake);
    }
}

static void on_timer(uv_timer_t *handle);

/* Ten milliseconds while there are sessions, half that while viewers wait for their share of the
 * moment, half a second (enough for the heartbeat) without. */
static void pace(struct worker *w)
{
    uint64_t ms = w->router.n_peers ? ROUTER_TICK_US / US_PER_MS : IDLE_TICK_MS;
    ms = list_empty(&w->router.paced) ? ms : ROUTER_PACE_US / US_PER_MS;
    if (uv_timer_get_repeat(&w->timer) != ms) {
        uv_timer_start(&w->timer, on_timer, ms, ms);
    }
}

void worker_flush(struct worker *w, int64_t now_us)
{
    bool more = true;
    wake_siblings(w); /* they send while we send */
    while (more) {
        if (!send_batch(w)) {
            w->router.congested = true;
            w->router.n.tx_full++;
            watch_udp(w, UV_READABLE | UV_WRITABLE);
            return;
        }
        more = router_fill(&w->router, &w->batch, now_us);
        if (!more && w->batch.n == 0) {
            break;
        }
        more = true;
    }
    w->router.congested = false;
    watch_udp(w, UV_READABLE);
    pace(w);
}

/* What the DATA thread wants sent. It waits in its ring while the socket is full; few at a time,
 * since a link holds only so many. */
static void take_data(struct worker *w, int64_t now_us)
{
    struct data_loop *data = w->all->data;
    unsigned n = 0;
    const struct data_record *rec;
    while (data && !w->router.congested && (rec = data_loop_peek(data, w->index))) {
        struct peer *p = router_peer(&w->router, rec->session);
        switch (rec->kind) {
        case DATA_RECORD_PACKET:
            router_send_data(&w->router, rec->session, rec->bytes, rec->len);
            break;
        case DATA_RECORD_STATS:
            if (p) {
                memcpy(&p->data_stats, rec->bytes, sizeof(p->data_stats));
            }
            break;
        }
        data_loop_pop(data, w->index);
        if (++n % DATA_AT_ONCE == 0) {
            worker_flush(w, now_us);
        }
    }
    if (n % DATA_AT_ONCE) {
        worker_flush(w, now_us);
    }
}

/* ---- receiving ---- */

void worker_on_datagram(struct worker *w, const struct path *from, uint8_t *buf, size_t len,
                        int64_t now_us)
{
    int owner = w->index;
    const char *ufrag;
    size_t n;
    if (demux_classify(buf, len) != DEMUX_STUN) {
        /* The shared table first: an address may have moved to another worker's session. */
        int known = w->all->n > 1 ? owner_find(w->all->owners, &from->remote) : OWNER_NONE;
        owner = known == OWNER_NONE ? w->index : known;
    } else if (owner_peek_ufrag(buf, len, &ufrag, &n) == 0) {
        owner = owner_of_ufrag(ufrag, n);
    }
    if (owner < 0 || owner >= w->all->n) {
        w->router.n.rx_unknown++;
    } else if (owner != w->index) {
        router_pass_on(&w->router, owner, from, buf, len);
    } else {
        router_on_raw(&w->router, from, buf, len, now_us);
    }
}

/* Reads the clock, which nothing else does. */
static int64_t look_at_clock(struct worker *w)
{
    int64_t now_us = clock_now_us();
    atomic_store_explicit(&w->turned_us, now_us, memory_order_relaxed);
    return now_us;
}

/* One turn's beginning. A handshake that waits takes a step; while more wait the loop goes on
 * without sleeping, and media is read and sent between two of them. */
static int64_t turn(struct worker *w)
{
    int64_t now_us = look_at_clock(w);
    w->router.n.turns++;
    if (w->stopping) {
        return now_us;
    }
    bool more = router_shake(&w->router, now_us);
    if (more != (bool)uv_is_active((uv_handle_t *)&w->shake)) {
        (void)(more ? uv_idle_start(&w->shake, on_shake) : uv_idle_stop(&w->shake));
    }
    return now_us;
}

/* ---- messages ---- */

static void stop(struct worker *w, int64_t now_us)
{
    w->stopping = true;
    mailbox_close(&w->inbox);
    struct api_cmd late;
    while (mailbox_take(&w->inbox, &late)) {
        api_cmd_fini(&late);
    }
    worker_flush(w, now_us);
    while (w->router.n_peers) {
        unsigned before = w->router.n_peers;
        router_end_some(&w->router, API_END_SHUTDOWN, &w->batch, UDP_TX_RUNS / 2);
        for (int tries = 0; !send_batch(w) && tries < STOP_TRIES; tries++) {
            struct pollfd room = {.fd = udp_fd(w->udp), .events = POLLOUT};
            (void)poll(&room, 1, STOP_WAIT_MS); /* the last words of a thread: it may wait */
        }
        tx_clear(&w->batch);
        w->batch_sent = 0;
        assert(w->router.n_peers < before);
    }
    worker_tcp_close_all(w);
    uv_poll_stop(&w->udp_poll);
    uv_close((uv_handle_t *)&w->udp_poll, NULL);
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_close((uv_handle_t *)&w->shake, NULL);
    uv_close((uv_handle_t *)&w->wake, NULL);
}

static void on_cmd(struct worker *w, struct api_cmd *cmd, int64_t now_us)
{
    struct peer *p;
    switch (cmd->kind) {
    case API_CMD_SESSION_END:
        p = router_peer(&w->router, cmd->id);
        if (p) {
            peer_end(p, cmd->u.end.reason, NULL, &w->batch);
        }
        break;
    case API_CMD_TCP_CONN:
        worker_tcp_adopt(w, cmd->u.conn);
        break;
    case API_CMD_SESSION_ADD:
    case API_CMD_SESSION_ICE:
    case API_CMD_STREAM_SOURCE:
    case API_CMD_SLOT:
    case API_CMD_LEVELS:
    case API_CMD_STREAM_ALIAS:
    case API_CMD_LAYER:
    case API_CMD_QUERY:
    case API_CMD_REPLICA:
    case API_CMD_FEEDBACK:
    case API_CMD_MUTE:
        router_on_cmd(&w->router, cmd, now_us);
        break;
    }
}

static void take_commands(struct worker *w, int64_t now_us)
{
    struct api_cmd cmd;
    while (!w->stopping && mailbox_take(&w->inbox, &cmd)) {
        on_cmd(w, &cmd, now_us);
        if (w->batch.n > UDP_TX_RUNS / 2) {
            worker_flush(w, now_us);
        }
    }
    atomic_store_explicit(&w->sessions, (int)w->router.n_peers, memory_order_relaxed);
    if (!w->stopping) {
        pace(w);
    }
}

/* Reads what the socket has, a few batches at most; one that is not full was the last. */
static void receive(struct worker *w, int64_t now_us)
{
    int n = UDP_RX_BATCH;
    for (int batch = 0; batch < RX_BATCHES && n >= UDP_RX_BATCH; batch++) {
        n = udp_recv(w->udp, w->rx, UDP_RX_MAX);
        w->router.n.rx_datagrams += (uint64_t)MAX(n, 0);
        for (int i = 0; i < n; i++) {
            if (i % ROUTER_AHEAD == 0) {
                router_prefetch_reports(&w->router, &w->rx[i], MIN(n - i, ROUTER_AHEAD));
            }
            worker_on_datagram(w, &w->rx[i].from, w->rx[i].buf, w->rx[i].len, now_us);
        }
    }
}

static void read_rings(struct worker *w, int64_t now_us)
{
    for (int i = 0; i < w->all->n; i++) {
        if (i != w->index) {
            router_on_ring(&w->router, w->all->w[i].to[w->index], now_us);
        }
    }
}

/* Naps, a little at a time, while the rest of a frame is still to come (media.gather_us). Returns
 * the time afterwards. */
static int64_t gather(struct worker *w, int64_t now_us)
{
    int64_t patience_us = router_patience_us(&w->router), until_us = now_us + patience_us;
    w->router.n.gathers += patience_us > 0;
    while (patience_us > 0 && now_us < until_us) {
        const struct timespec nap = {.tv_nsec = (patience_us / NAPS + 1) * 1000};
        (void)ppoll(NULL, 0, &nap, NULL);
        now_us = look_at_clock(w);
        receive(w, now_us);
        read_rings(w, now_us);
        patience_us = router_patience_us(&w->router);
    }
    return now_us;
}

static void on_shake(uv_idle_t *handle)
{
    struct worker *w = handle->data;
    thread_assert_media();
    worker_flush(w, turn(w));
}

static void on_udp(uv_poll_t *handle, int status, int events)
{
    struct worker *w = handle->data;
    thread_assert_media();
    int64_t now_us = turn(w);
    if (status < 0) { /* libuv has stopped watching */
        w->udp_events = 0;
        watch_udp(w, UV_READABLE);
    }
    take_commands(w, now_us);
    if (events & UV_READABLE) {
        receive(w, now_us);
        now_us = gather(w, now_us);
    }
    worker_flush(w, now_us);
    take_data(w, now_us);
}

static void on_wake(uv_async_t *handle)
{
    struct worker *w = handle->data;
    thread_assert_media();
    int64_t now_us = turn(w);
    take_commands(w, now_us);
    read_rings(w, now_us);
    now_us = gather(w, now_us);
    if (atomic_load(&w->stop_asked) && !w->stopping) {
        stop(w, now_us);
    }
    if (!w->stopping) {
        worker_flush(w, now_us);
        take_data(w, now_us);
    }
}

/* Once a second: a copy of the counters that MAIN may read. */
static void publish_counters(struct worker *w)
{
    const struct udp_stats *u = udp_stats(w->udp);
    w->router.n.tx_messages = u->tx_messages;
    w->router.n.tx_syscalls = u->tx_syscalls;
    w->router.n.tx_errors = u->tx_errors;
    w->router.n.rx_kernel_drops = u->rx_kernel_drops;
    pthread_mutex_lock(&w->counters_lock);
    w->counters = w->router.n;
    pthread_mutex_unlock(&w->counters_lock);
}

static void on_timer(uv_timer_t *handle)
{
    struct worker *w = handle->data;
    thread_assert_media();
    int64_t now_us = turn(w);
    w->router.wall_offset_us = clock_wall_us() - now_us;
    router_tick(&w->router, now_us);
    if (w->router.slice % (ROUTER_WHEEL / 4) == 0 || !w->router.n_peers) {
        publish_counters(w);
        worker_tcp_resume(w);
        pace(w);
        atomic_store_explicit(&w->sessions, (int)w->router.n_peers, memory_order_relaxed);
    }
    worker_flush(w, now_us);
    take_data(w, now_us);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    thread_become(THREAD_MEDIA, w->index);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- life ---- */

static int init_router(struct worker *w)
{
    struct router_params p = {
        .worker = w->index,
        .n_workers = w->all->n,
        .conf = w->all->conf,
        .ports = {.event = port_event,
                  .command = port_command,
                  .catch_up = port_catch_up,
                  .ctx = w},
        .to_worker = w->to,
    };
    if (w->all->data) {
        p.ports.data_open = port_data_open;
        p.ports.data_packet = port_data_packet;
        p.ports.data_close = port_data_close;
    }
    if (getrandom(&p.seed, sizeof(p.seed), 0) != sizeof(p.seed)) {
        return -EIO;
    }
    p.owners = w->all->owners;
    int err = router_init(&w->router, &p);
    w->router.wall_offset_us = clock_wall_us() - clock_now_us();
    return err;
}

static int init_loop(struct worker *w)
{
    int err = uv_loop_init(&w->loop);
    if (err) {
        return err;
    }
    uv_async_init(&w->loop, &w->wake, on_wake);
    w->wake.data = w;
    mailbox_set_wake(&w->inbox, &w->wake);
    uv_idle_init(&w->loop, &w->shake);
    w->shake.data = w;
    uv_timer_init(&w->loop, &w->timer);
    w->timer.data = w;
    uv_timer_start(&w->timer, on_timer, IDLE_TICK_MS, IDLE_TICK_MS);
    uv_poll_init(&w->loop, &w->udp_poll, udp_fd(w->udp));
    w->udp_poll.data = w;
    watch_udp(w, UV_READABLE);
    return 0;
}

int worker_init(struct worker *w, struct workers *all, int index, const char **ret_what)
{
    const struct conf *c = all->conf;
    w->all = all;
    w->index = index;
    w->listen_fd = -1;
    w->next_conn = 1;
    pthread_mutex_init(&w->counters_lock, NULL);
    const struct udp_params up = {
        .bind = all->media_addr,
        .rcvbuf_bytes = c->media.rcvbuf_bytes,
        .sndbuf_bytes = c->media.sndbuf_bytes,
        .gso = c->media.gso,
        .gro = c->media.gro,
    };
    int err = udp_new(&up, &w->udp);
    *ret_what = "media.listen cannot be used";
    if (err) {
        return err;
    }
    *ret_what = "out of memory";
    for (int i = 0; i < all->n; i++) {
        w->to[i] = i == index ? NULL : ring_new(RING_BYTES);
        if (i != index && !w->to[i]) {
            return -ENOMEM;
        }
    }
    err = mailbox_init(&w->inbox, sizeof(struct api_cmd), INBOX_MESSAGES);
    err = err ? err : tx_init(&w->batch);
    err = err ? err : init_router(w);
    err = err ? err : init_loop(w);
    if (!err && index == 0 && c->media.tcp) {
        *ret_what = "cannot listen on media.listen for TCP";
        err = worker_tcp_listen(w, &all->media_addr);
    }
    return err;
}

int worker_start(struct worker *w)
{
    atomic_store(&w->turned_us, clock_now_us());
    return -pthread_create(&w->thread, NULL, worker_main, w);
}

void worker_fini(struct worker *w)
{
    if (w->thread) {
        pthread_join(w->thread, NULL);
    }
    if (w->router.p.conf) {
        router_fini(&w->router);
        uv_loop_close(&w->loop);
    }
    table_fini(&w->conns);
    tx_fini(&w->batch);
    mailbox_fini(&w->inbox);
    for (int i = 0; i < w->all->n; i++) {
        ring_free(w->to[i]);
    }
    udp_free(w->udp);
    pthread_mutex_destroy(&w->counters_lock);
}
