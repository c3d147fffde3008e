/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads on one ring, four on one mailbox: run under ThreadSanitizer. Exit status 0 and "ok"
 * when every message came once, in its sender's order. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sfu/mailbox.h"
#include "sfu/ring.h"

#define RECORDS  400000u
#define POSTERS  3
#define MESSAGES 60000u

static struct ring *ring;
static struct mailbox box;

static void *produce(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t len = 8 + (i * 7) % 1500;
        uint32_t *rec;
        while (!(rec = ring_reserve(ring, len))) {
            sched_yield();
        }
        memset(rec, (int)(i & 0xff), len);
        rec[0] = i;
        rec[1] = len;
        (void)ring_commit(ring);
    }
    return NULL;
}

static int consume(void)
{
    for (uint32_t i = 0; i < RECORDS;) {
        uint32_t len;
        const uint32_t *rec = ring_peek(ring, &len);
        if (!rec) {
            sched_yield();
            continue;
        }
        if (rec[0] != i || rec[1] != len ||
            (len > 8 && ((const uint8_t *)rec)[len - 1] != (uint8_t)i)) {
            fprintf(stderr, "record %u is wrong\n", i);
            return 1;
        }
        ring_pop(ring);
        i++;
    }
    return 0;
}

struct note {
    uint32_t from, n;
};

static void *post(void *arg)
{
    struct note m = {.from = (uint32_t)(uintptr_t)arg};
    for (m.n = 0; m.n < MESSAGES; m.n++) {
        while (mailbox_post(&box, &m)) {
            sched_yield();
        }
    }
    return NULL;
}

static int collect(void)
{
    uint32_t next[POSTERS] = {0};
    for (uint32_t n = 0; n < POSTERS * MESSAGES;) {
        struct note m;
        if (!mailbox_take(&box, &m)) {
            sched_yield();
            continue;
        }
        if (m.from >= POSTERS || m.n != next[m.from]++) {
            fprintf(stderr, "message %u of %u is out of order\n", m.n, m.from);
            return 1;
        }
        n++;
    }
    return 0;
}

int main(void)
{
    pthread_t t[POSTERS];
    ring = ring_new(1 << 16);
    if (!ring || mailbox_init(&box, sizeof(struct note), 128)) {
        return 1;
    }
    pthread_create(&t[0], NULL, produce, NULL);
    int bad = consume();
    pthread_join(t[0], NULL);
    for (uintptr_t i = 0; i < POSTERS; i++) {
        pthread_create(&t[i], NULL, post, (void *)i);
    }
    bad |= collect();
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(t[i], NULL);
    }
    ring_free(ring);
    mailbox_fini(&box);
    puts(bad ? "not ok" : "ok");
    return bad;
}
