/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/post.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "conf/log.h"
#include "ice/owner.h"
#include "rtp/list.h"
#include "sfu/api.h"

#define RETRY_MS 2

struct waiting {
    struct list node;
    struct api_cmd cmd;
};

struct post {
    struct plane *plane;
    struct list queues[OWNER_WORKERS_MAX];
    unsigned n;
    uv_timer_t retry;
};

struct post *post_new(struct uv_loop_s *loop)
{
    struct post *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(p->queues); i++) {
        list_init(&p->queues[i]);
    }
    uv_timer_init(loop, &p->retry);
    p->retry.data = p;
    return p;
}

void post_set_plane(struct post *p, struct plane *plane)
{
    p->plane = plane;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void post_free(struct post *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(p->queues); i++) {
        LIST_EACH(it, &p->queues[i])
        {
            struct waiting *w = container_of(it, struct waiting, node);
            api_cmd_fini(&w->cmd);
            free(w);
        }
    }
    uv_close((uv_handle_t *)&p->retry, on_closed);
}

static void flush(struct post *p, int worker)
{
    LIST_EACH(it, &p->queues[worker])
    {
        struct waiting *w = container_of(it, struct waiting, node);
        if (plane_post(p->plane, worker, &w->cmd) < 0) {
            return;
        }
        list_remove(&w->node);
        free(w);
        p->n--;
    }
}

static void on_retry(uv_timer_t *h)
{
    struct post *p = h->data;
    for (size_t i = 0; i < ARRAY_LEN(p->queues); i++) {
        flush(p, (int)i);
    }
    if (p->n == 0) {
        uv_timer_stop(&p->retry);
    }
}

int post_try(struct post *p, int worker, struct api_cmd *cmd)
{
    if (!list_empty(&p->queues[worker])) {
        return -ENOBUFS;
    }
    return plane_post(p->plane, worker, cmd);
}

void post_surely(struct post *p, int worker, struct api_cmd *cmd)
{
    if (post_try(p, worker, cmd) == 0) {
        return;
    }
    struct waiting *w = malloc(sizeof(*w));
    if (w == NULL) {
        log_error("command_lost", LOG_INT("worker", worker), LOG_INT("kind", cmd->kind));
        api_cmd_fini(cmd);
        return;
    }
    w->cmd = *cmd;
    list_init(&w->node);
    list_append(&p->queues[worker], &w->node);
    if (p->n++ == 0) {
        uv_timer_start(&p->retry, on_retry, RETRY_MS, RETRY_MS);
    }
}

unsigned post_waiting(const struct post *p)
{
    return p->n;
}
