/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/data_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "conf/thread.h"
#include "ice/assoc.h"
#include "ice/owner.h"
#include "sfu/ring.h"

#define INBOX_MESSAGES   65536
#define RING_BYTES       (1u << 20)
#define PACKETS_PER_TURN 1024 /* of one worker, before what they brought is routed */
#define IDLE_TICK_MS     1000
#define SEND_MAX         65536

enum msg_kind {
    MSG_OPEN,
    MSG_CLOSE,
    MSG_SEND,
};

struct send {
    char room[API_NAME_MAX];
    size_t len;
    char text[];
};

struct msg {
    enum msg_kind kind;
    uint64_t id; /* CLOSE, SEND */
    union {
        struct data_open *open; /* owned */
        struct send *send;      /* owned */
    } u;
};

struct data_loop {
    struct data_loop_params p;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    pthread_t thread;
    bool started;
    _Atomic bool stop_asked;
    struct mailbox inbox;                /* struct msg */
    struct ring *in[OWNER_WORKERS_MAX];  /* from worker w */
    struct ring *out[OWNER_WORKERS_MAX]; /* to worker w */
    struct data *data;
    uint64_t wakes; /* bit w: worker w has new records */
    int64_t published_us;
    pthread_mutex_t counters_lock; /* taken once a second here, and by data_loop_add_counters */
    struct api_counters counters;
};

/* ---- ways out of struct data ---- */

static bool put_record(struct data_loop *l, int worker, const struct data_record *head,
                       const void *bytes)
{
    struct data_record *rec = ring_reserve(l->out[worker], (uint32_t)sizeof(*head) + head->len);
    if (!rec) {
        return false;
    }
    *rec = *head;
    memcpy(rec->bytes, bytes, head->len);
    if (ring_commit(l->out[worker])) {
        l->wakes |= 1ULL << worker;
    }
    return true;
}

static bool port_packet(int worker, uint64_t session, const uint8_t *pkt, size_t len, void *ctx)
{
    const struct data_record head = {
        .kind = DATA_RECORD_PACKET, .len = (uint32_t)len, .session = session};
    return put_record(ctx, worker, &head, pkt);
}

static void port_event(struct api_event *ev, void *ctx)
{
    struct data_loop *l = ctx;
    if (mailbox_post(l->p.to_main, ev)) {
        log_error("event_lost", LOG_INT("kind", ev->kind));
        api_event_fini(ev);
    }
}

static void put_stats(int worker, uint64_t id, const struct api_data_stats *st, void *ctx)
{
    const struct data_record head = {.kind = DATA_RECORD_STATS, .len = sizeof(*st), .session = id};
    (void)put_record(ctx, worker, &head, st); /* told again with the next change */
}

static uint64_t random_key(void)
{
    uint64_t v = 0;
    while (getrandom(&v, sizeof(v), 0) != sizeof(v)) {
    }
    return v;
}

/* ---- the thread ---- */

static void msg_fini(struct msg *m)
{
    switch (m->kind) {
    case MSG_OPEN:
        free(m->u.open);
        break;
    case MSG_SEND:
        free(m->u.send);
        break;
    case MSG_CLOSE:
        break;
    }
}

static void take_messages(struct data_loop *l, int64_t now_us)
{
    struct msg m;
    while (mailbox_take(&l->inbox, &m)) {
        switch (m.kind) {
        case MSG_OPEN:
            data_on_open(l->data, m.u.open, now_us);
            break;
        case MSG_CLOSE:
            data_on_close(l->data, m.id);
            break;
        case MSG_SEND:
            data_send(l->data, m.id, m.u.send->room, m.u.send->text, m.u.send->len);
            break;
        }
        msg_fini(&m);
    }
}

/* Returns true when there is more. */
static bool take_packets(struct data_loop *l, int worker, int64_t now_us)
{
    uint32_t len;
    for (int i = 0; i < PACKETS_PER_TURN; i++) {
        const struct data_record *rec = ring_peek(l->in[worker], &len);
        if (!rec) {
            return false;
        }
        if (!data_has(l->data, rec->session)) {
            take_messages(l, now_us); /* its opening is on its way, in the mailbox */
        }
        data_on_packet(l->data, rec->session, rec->bytes, rec->len, now_us);
        ring_pop(l->in[worker]);
    }
    return true;
}

static void publish(struct data_loop *l, int64_t now_us)
{
    if (now_us - l->published_us < US_PER_S) {
        return;
    }
    l->published_us = now_us;
    data_each_changed(l->data, put_stats, l);
    pthread_mutex_lock(&l->counters_lock);
    l->counters = *data_counters(l->data);
    pthread_mutex_unlock(&l->counters_lock);
}

static void on_timer(uv_timer_t *handle);

/* The timers of SCTP run only while there are sessions. */
static void pace(struct data_loop *l)
{
    uint64_t ms = data_sessions(l->data) ? ASSOC_TICK_US / US_PER_MS : IDLE_TICK_MS;
    if (uv_timer_get_repeat(&l->timer) != ms) {
        uv_timer_start(&l->timer, on_timer, ms, ms);
    }
}

static void work(struct data_loop *l, int64_t now_us)
{
    bool more = false;
    take_messages(l, now_us);
    for (int w = 0; w < l->p.n_workers; w++) {
        more |= take_packets(l, w, now_us);
    }
    more |= data_turn(l->data, now_us);
    pace(l);
    for (; l->wakes; l->wakes &= l->wakes - 1) {
        l->p.wake(__builtin_ctzll(l->wakes), l->p.ctx);
    }
    if (more) {
        uv_async_send(&l->wake);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct data_loop *l = handle->data;
    thread_assert_data();
    if (atomic_load(&l->stop_asked)) {
        uv_stop(&l->loop);
        return;
    }
    work(l, clock_now_us());
}

static void on_timer(uv_timer_t *handle)
{
    struct data_loop *l = handle->data;
    thread_assert_data();
    int64_t now_us = clock_now_us();
    data_tick(l->data, now_us);
    publish(l, now_us);
    work(l, now_us);
}

static void *data_main(void *arg)
{
    struct data_loop *l = arg;
    thread_become(THREAD_DATA, 0);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    data_free(l->data);
    l->data = NULL;
    return NULL;
}

/* ---- life ---- */

int data_loop_new(const struct data_loop_params *p, struct data_loop **ret)
{
    struct data_loop *l = calloc(1, sizeof(*l));
    if (!l) {
        return -ENOMEM;
    }
    l->p = *p;
    pthread_mutex_init(&l->counters_lock, NULL);
    int err = uv_loop_init(&l->loop);
    if (err) {
        pthread_mutex_destroy(&l->counters_lock);
        free(l);
        return err;
    }
    uv_async_init(&l->loop, &l->wake, on_wake);
    l->wake.data = l;
    uv_timer_init(&l->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, IDLE_TICK_MS, IDLE_TICK_MS);
    err = mailbox_init(&l->inbox, sizeof(struct msg), INBOX_MESSAGES);
    for (int w = 0; !err && w < p->n_workers; w++) {
        l->in[w] = ring_new(RING_BYTES);
        l->out[w] = ring_new(RING_BYTES);
        err = l->in[w] && l->out[w] ? 0 : -ENOMEM;
    }
    const struct data_params dp = {
        .conf = p->conf,
        .ports = {.packet = port_packet, .event = port_event, .ctx = l},
        .random = random_key,
    };
    l->data = err ? NULL : data_new(&dp);
    if (!l->data) {
        data_loop_free(l);
        return err ? err : -ENOMEM;
    }
    mailbox_set_wake(&l->inbox, &l->wake);
    *ret = l;
    return 0;
}

int data_loop_start(struct data_loop *l)
{
    int err = pthread_create(&l->thread, NULL, data_main, l);
    l->started = err == 0;
    return -err;
}

void data_loop_stop(struct data_loop *l)
{
    atomic_store(&l->stop_asked, true);
    mailbox_close(&l->inbox);
    if (l->started) {
        uv_async_send(&l->wake);
        pthread_join(l->thread, NULL);
        l->started = false;
    }
}

void data_loop_free(struct data_loop *l)
{
    if (!l) {
        return;
    }
    data_free(l->data); /* if the thread never ran */
    struct msg m;
    while (l->inbox.slots && mailbox_take(&l->inbox, &m)) {
        msg_fini(&m);
    }
    mailbox_fini(&l->inbox);
    for (int w = 0; w < l->p.n_workers; w++) {
        ring_free(l->in[w]);
        ring_free(l->out[w]);
    }
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_loop_close(&l->loop);
    pthread_mutex_destroy(&l->counters_lock);
    free(l);
}

/* ---- from workers and MAIN ---- */

static int post(struct data_loop *l, struct msg *m)
{
    int err = mailbox_post(&l->inbox, m);
    if (err) {
        msg_fini(m);
    }
    return err;
}

void data_loop_open(struct data_loop *l, const struct data_open *o)
{
    struct msg m = {.kind = MSG_OPEN, .u.open = malloc(sizeof(*o))};
    if (m.u.open) {
        *m.u.open = *o;
        (void)post(l, &m); /* full, or stopping: the session goes on without data channels */
    }
}

void data_loop_close(struct data_loop *l, uint64_t id)
{
    struct msg m = {.kind = MSG_CLOSE, .id = id};
    if (post(l, &m) && !atomic_load(&l->stop_asked)) {
        log_error("data_close_lost", LOG_INT("id", id));
    }
}

bool data_loop_put(struct data_loop *l, int worker, uint64_t id, const uint8_t *pkt, size_t len)
{
    if (len > ASSOC_FILTER_PACKET_MAX) {
        return false;
    }
    struct data_record *rec =
        ring_reserve(l->in[worker], (uint32_t)(sizeof(struct data_record) + len));
    if (!rec) {
        return false;
    }
    *rec = (struct data_record){.kind = DATA_RECORD_PACKET, .len = (uint32_t)len, .session = id};
    memcpy(rec->bytes, pkt, len);
    if (ring_commit(l->in[worker])) {
        uv_async_send(&l->wake);
    }
    return true;
}

const struct data_record *data_loop_peek(struct data_loop *l, int worker)
{
    uint32_t len;
    return ring_peek(l->out[worker], &len);
}

void data_loop_pop(struct data_loop *l, int worker)
{
    ring_pop(l->out[worker]);
}

int data_loop_send(struct data_loop *l, uint64_t session, const char *room, const char *text,
                   size_t len)
{
    if (len == 0 || len > SEND_MAX || (session == 0 && strlen(room) >= API_NAME_MAX)) {
        return -EMSGSIZE;
    }
    struct msg m = {.kind = MSG_SEND, .id = session};
    m.u.send = calloc(1, sizeof(*m.u.send) + len);
    if (!m.u.send) {
        return -ENOMEM;
    }
    if (session == 0) {
        memcpy(m.u.send->room, room, strlen(room));
    }
    m.u.send->len = len;
    memcpy(m.u.send->text, text, len);
    return post(l, &m);
}

void data_loop_add_counters(struct data_loop *l, struct api_counters *sum)
{
    pthread_mutex_lock(&l->counters_lock);
#define ADD_COUNTER(name, help) sum->name += l->counters.name;
    API_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
    pthread_mutex_unlock(&l->counters_lock);
}
