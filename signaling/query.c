/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "conf/clock.h"
#include "rtp/list.h"
#include "sfu/api.h"
#include "signaling/post.h"

#define CHECK_MS 50

struct query {
    struct list node;
    uint64_t token;
    uint64_t waiting; /* bit per worker */
    int64_t deadline_us;
    query_done_fn *fn;
    void *ctx;
    struct api_session_stats **sessions;
    unsigned n;
    bool failed; /* no memory for an answer */
};

struct queries {
    struct post *post;
    struct list list;
    unsigned n;
    uint64_t next_token;
    uv_timer_t timer;
};

struct queries *query_new(struct uv_loop_s *loop, struct post *post)
{
    struct queries *q = calloc(1, sizeof(*q));
    if (q == NULL) {
        return NULL;
    }
    q->post = post;
    q->next_token = 1;
    list_init(&q->list);
    uv_timer_init(loop, &q->timer);
    q->timer.data = q;
    return q;
}

static void finish(struct queries *q, struct query *one)
{
    list_remove(&one->node);
    if (--q->n == 0) {
        uv_timer_stop(&q->timer);
    }
    struct query_result res = {
        .sessions = one->sessions,
        .n = one->n,
        .partial = one->waiting != 0 || one->failed,
    };
    one->fn(&res, one->ctx);
    for (unsigned i = 0; i < one->n; i++) {
        free(one->sessions[i]);
    }
    free(one->sessions);
    free(one);
}

static void on_timer(uv_timer_t *h)
{
    struct queries *q = h->data;
    int64_t now_us = clock_now_us();
    LIST_EACH(it, &q->list)
    {
        struct query *one = container_of(it, struct query, node);
        if (one->waiting == 0 || one->deadline_us <= now_us) {
            finish(q, one);
        }
    }
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void query_free(struct queries *q)
{
    if (q == NULL) {
        return;
    }
    LIST_EACH(it, &q->list)
    {
        finish(q, container_of(it, struct query, node));
    }
    uv_close((uv_handle_t *)&q->timer, on_closed);
}

int query_start(struct queries *q, int worker, int n_workers, query_done_fn *fn, void *ctx)
{
    if (q->n >= QUERY_MAX) {
        return -EBUSY;
    }
    struct query *one = calloc(1, sizeof(*one));
    if (one == NULL) {
        return -ENOMEM;
    }
    list_init(&one->node);
    one->token = q->next_token++;
    one->fn = fn;
    one->ctx = ctx;
    one->deadline_us = clock_now_us() + QUERY_TIMEOUT_MS * US_PER_MS;
    list_append(&q->list, &one->node);
    if (q->n++ == 0) {
        uv_timer_start(&q->timer, on_timer, CHECK_MS, CHECK_MS);
    }
    int first = worker == QUERY_ALL ? 0 : worker;
    int last = worker == QUERY_ALL ? n_workers - 1 : worker;
    for (int w = first; w <= last; w++) {
        struct api_cmd cmd = {.kind = API_CMD_QUERY, .u.query.token = one->token};
        one->waiting |= 1ULL << w;
        post_surely(q->post, w, &cmd);
    }
    return 0;
}

void query_on_stats(struct queries *q, struct api_event *ev)
{
    LIST_EACH(it, &q->list)
    {
        struct query *one = container_of(it, struct query, node);
        uint64_t bit = 1ULL << ev->worker;
        if (one->token != ev->u.stats.token || (one->waiting & bit) == 0) {
            continue;
        }
        unsigned n = one->n + ev->u.stats.n;
        struct api_session_stats **all = realloc(one->sessions, MAX(n, 1U) * sizeof(*all));
        one->waiting &= ~bit;
        if (all == NULL) {
            one->failed = true;
        } else {
            if (ev->u.stats.n > 0) {
                memcpy(all + one->n, ev->u.stats.sessions, ev->u.stats.n * sizeof(*all));
            }
            one->sessions = all;
            one->n = n;
            ev->u.stats.n = 0; // the array itself still goes with the event
        }
        if (one->waiting == 0) {
            finish(q, one);
        }
        break;
    }
    api_event_fini(ev);
}
