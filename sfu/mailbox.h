/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h - bounded many-to-one queue of messages of one size, with a wake-up of the receiving
 * loop. Any thread posts; the owner takes. The lock is held for a copy only. */
#ifndef SFU_MAILBOX_H
#define SFU_MAILBOX_H

#include <pthread.h>

#include "rtp/base.h"

struct uv_async_s;

struct mailbox {
    pthread_mutex_t lock;
    uint8_t *slots;
    size_t size;           /* bytes of one message */
    uint32_t cap, n, head; /* messages: room, waiting, oldest */
    bool closed;           /* the receiver has gone: every post is refused */
    struct uv_async_s *wake;
};

/* wake may be NULL until mailbox_set_wake. Returns 0 or -ENOMEM. */
int mailbox_init(struct mailbox *m, size_t message_size, uint32_t cap) MUST_CHECK;
void mailbox_set_wake(struct mailbox *m, struct uv_async_s *wake);
/* Refuses what comes from now on; messages that wait can still be taken. */
void mailbox_close(struct mailbox *m);
void mailbox_fini(struct mailbox *m);
/* Copies the message in and wakes the owner. Returns 0 or -ENOBUFS: the caller still owns what the
 * message owns. */
int mailbox_post(struct mailbox *m, const void *message) MUST_CHECK;
/* Takes the oldest message. Owner's thread. Returns false when empty. */
bool mailbox_take(struct mailbox *m, void *ret_message);

#endif
