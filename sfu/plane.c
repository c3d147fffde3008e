/* SPDX-License-Identifier: Apache-2.0 */
/* plane.c - the media plane as MAIN sees it: starts and stops the workers, carries messages, sums
 * counters. Role MAIN. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/thread.h"
#include "sfu/data_loop.h"
#include "sfu/worker.h"

#define EVENTS_MAX 65536
#define ALIVE_US   (2 * US_PER_S)

struct plane {
    struct workers all;
    struct mailbox events;
    uv_async_t wake;
    api_event_fn *on_event;
    void *ctx;
    uint16_t port;
};

static void take_events(struct plane *p)
{
    struct api_event ev;
    while (mailbox_take(&p->events, &ev)) {
        p->on_event(&ev, p->ctx);
    }
}

static void on_wake(uv_async_t *handle)
{
    take_events(handle->data);
}

static int cores(void)
{
    return (int)uv_available_parallelism();
}

/* Reads media.listen and proves that nobody else has the port. */
static int probe(struct plane *p, const char **ret_what)
{
    char host[CONF_STR_MAX];
    uint16_t port;
    *ret_what = "media.listen is not an address and port";
    int err = conf_split_host_port(p->all.conf->media.listen, host, sizeof(host), &port);
    err = err ? err : addr_parse_ip(host, port, &p->all.media_addr);
    if (err) {
        return err;
    }
    static char what[CONF_STR_MAX + 64];
    err = udp_probe(&p->all.media_addr, &p->port);
    snprintf(what, sizeof(what), "media.listen: %s cannot be used%s", p->all.conf->media.listen,
             err == -EADDRINUSE ? "; is another instance running?" : "");
    *ret_what = what;
    p->all.media_addr.port = p->port;
    return err;
}

/* On the DATA thread. */
static void wake_worker(int worker, void *ctx)
{
    struct plane *p = ctx;
    uv_async_send(&p->all.w[worker].wake);
}

static int make_data(struct plane *p, const char **ret_what)
{
    const struct data_loop_params dp = {.conf = p->all.conf,
                                        .n_workers = p->all.n,
                                        .to_main = &p->events,
                                        .wake = wake_worker,
                                        .ctx = p};
    *ret_what = "the SCTP stack does not start";
    return p->all.conf->data.enabled ? data_loop_new(&dp, &p->all.data) : 0;
}

static int start_workers(struct plane *p, const char **ret_what)
{
    int n = p->all.conf->media.workers ? p->all.conf->media.workers : cores();
    p->all.n = MIN(n, OWNER_WORKERS_MAX);
    p->all.w = calloc((size_t)p->all.n, sizeof(*p->all.w));
    uint64_t seed;
    *ret_what = "out of memory";
    if (!p->all.w || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        p->all.n = 0;
        return -ENOMEM;
    }
    p->all.owners = owner_new(seed);
    if (!p->all.owners) {
        p->all.n = 0;
        return -ENOMEM;
    }
    int err = make_data(p, ret_what);
    if (err) {
        p->all.n = 0;
        return err;
    }
    for (int i = 0; i < p->all.n; i++) {
        err = worker_init(&p->all.w[i], &p->all, i, ret_what);
        if (err) {
            p->all.n = i + 1;
            return err;
        }
    }
    *ret_what = "cannot start a thread";
    err = p->all.data ? data_loop_start(p->all.data) : 0;
    for (int i = 0; !err && i < p->all.n; i++) {
        err = worker_start(&p->all.w[i]);
    }
    return err;
}

int plane_start(const struct plane_params *params, struct plane **ret, const char **ret_what)
{
    struct plane *p = calloc(1, sizeof(*p));
    *ret_what = "out of memory";
    if (!p) {
        return -ENOMEM;
    }
    p->all.conf = params->conf;
    p->all.to_main = &p->events;
    p->on_event = params->on_event;
    p->ctx = params->ctx;
    int err = mailbox_init(&p->events, sizeof(struct api_event), EVENTS_MAX);
    if (err) {
        free(p);
        return err;
    }
    uv_async_init(params->loop, &p->wake, on_wake);
    p->wake.data = p;
    mailbox_set_wake(&p->events, &p->wake);
    err = probe(p, ret_what);
    err = err ? err : start_workers(p, ret_what);
    if (err) {
        plane_stop(p);
        return err;
    }
    *ret = p;
    return 0;
}

int plane_workers(const struct plane *p)
{
    return p->all.n;
}

uint16_t plane_port(const struct plane *p)
{
    return p->port;
}

int plane_post(struct plane *p, int worker, struct api_cmd *cmd)
{
    assert(worker >= 0 && worker < p->all.n);
    return mailbox_post(&p->all.w[worker].inbox, cmd);
}

int plane_sessions(const struct plane *p, int worker)
{
    return atomic_load_explicit(&p->all.w[worker].sessions, memory_order_relaxed);
}

bool plane_alive(const struct plane *p)
{
    int64_t now_us = clock_now_us();
    for (int i = 0; i < p->all.n; i++) {
        if (now_us - atomic_load_explicit(&p->all.w[i].turned_us, memory_order_relaxed) >
            ALIVE_US) {
            return false;
        }
    }
    return true;
}

void plane_counters(const struct plane *p, struct api_counters *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int i = 0; i < p->all.n; i++) {
        struct worker *w = &p->all.w[i];
        pthread_mutex_lock(&w->counters_lock);
#define ADD_COUNTER(name, help) ret->name += w->counters.name;
        API_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
        for (int d = 0; d < LINK_DROP_COUNT; d++) {
            ret->link_drop[d] += w->counters.link_drop[d];
        }
        pthread_mutex_unlock(&w->counters_lock);
    }
    if (p->all.data) {
        data_loop_add_counters(p->all.data, ret);
    }
}

int plane_data_send(struct plane *p, uint64_t session, const char *room, const char *text,
                    size_t len)
{
    return p->all.data ? data_loop_send(p->all.data, session, room, text, len) : -ENOTSUP;
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void plane_stop(struct plane *p)
{
    if (p->all.data) {
        data_loop_stop(p->all.data); /* first: it wakes workers */
    }
    for (int i = 0; i < p->all.n; i++) {
        if (p->all.w[i].thread) {
            atomic_store(&p->all.w[i].stop_asked, true);
            uv_async_send(&p->all.w[i].wake);
        }
    }
    for (int i = 0; i < p->all.n; i++) {
        if (p->all.w[i].thread) {
            pthread_join(p->all.w[i].thread, NULL);
            p->all.w[i].thread = 0;
        }
    }
    for (int i = 0; i < p->all.n; i++) {
        worker_fini(&p->all.w[i]);
    }
    data_loop_free(p->all.data);
    take_events(p);
    free(p->all.w);
    owner_free(p->all.owners);
    mailbox_close(&p->events);
    mailbox_fini(&p->events);
    uv_close((uv_handle_t *)&p->wake, on_wake_closed);
}
