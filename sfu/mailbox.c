/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int mailbox_init(struct mailbox *m, size_t message_size, uint32_t cap)
{
    memset(m, 0, sizeof(*m));
    m->slots = calloc(cap, message_size);
    if (!m->slots) {
        return -ENOMEM;
    }
    m->size = message_size;
    m->cap = cap;
    pthread_mutex_init(&m->lock, NULL);
    return 0;
}

void mailbox_set_wake(struct mailbox *m, struct uv_async_s *wake)
{
    pthread_mutex_lock(&m->lock);
    m->wake = wake;
    pthread_mutex_unlock(&m->lock);
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    m->wake = NULL;
    pthread_mutex_unlock(&m->lock);
}

void mailbox_fini(struct mailbox *m)
{
    if (m->slots) {
        pthread_mutex_destroy(&m->lock);
        free(m->slots);
        m->slots = NULL;
    }
}

int mailbox_post(struct mailbox *m, const void *message)
{
    int err = 0;
    pthread_mutex_lock(&m->lock);
    if (m->closed || m->n == m->cap) {
        err = -ENOBUFS;
    } else {
        memcpy(m->slots + (size_t)((m->head + m->n) % m->cap) * m->size, message, m->size);
        m->n++;
        if (m->n == 1 && m->wake) {
            uv_async_send(m->wake);
        }
    }
    pthread_mutex_unlock(&m->lock);
    return err;
}

bool mailbox_take(struct mailbox *m, void *ret_message)
{
    pthread_mutex_lock(&m->lock);
    bool any = m->n > 0;
    if (any) {
        memcpy(ret_message, m->slots + (size_t)m->head * m->size, m->size);
        m->head = (m->head + 1) % m->cap;
        m->n--;
    }
    pthread_mutex_unlock(&m->lock);
    return any;
}
