/* SPDX-License-Identifier: Apache-2.0 */
/* micro_bwe.c - what the bandwidth estimator costs: CPU time and, where the kernel lets it be
 * counted, instructions, for each operation that runs once a packet, a message or a tick. Many
 * viewers take turns, as on a media worker, so that none finds its memory in the first-level cache.
 * usage: micro-bwe [viewers] */
#include "rtp/bwe.h"
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VIEWERS 1000
#define PACKETS 10 /* in a message */
#define ROUNDS  300

static int counter = -1;

static void counter_open(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

struct reading {
    double ns;
    long long instructions;
};

static struct reading take(void)
{
    struct timespec t;
    struct reading r = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    r.ns = (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
    if (counter >= 0 && read(counter, &r.instructions, sizeof(r.instructions)) < 0) {
        r.instructions = 0;
    }
    return r;
}

struct cost {
    const char *what;
    double ns;
    double instructions;
    double n;
};

static void add(struct cost *c, struct reading from, int n)
{
    struct reading to = take();
    c->ns += to.ns - from.ns;
    c->instructions += (double)(to.instructions - from.instructions);
    c->n += n;
}

/* A message about the last PACKETS packets, each in a group of its own; queues come and go. */
static void make(struct rtcp_twcc *head, struct rtcp_twcc_status *st, uint16_t seq16, int round)
{
    *head = (struct rtcp_twcc){.base_seq16 = seq16, .status_count = PACKETS};
    int64_t at_us = (int64_t)round * PACKETS * 8000 + 70000 + (round % 20 < 10 ? 500 : 1500);
    head->ref_time = (uint32_t)(at_us / RTCP_TWCC_REF_US);
    int64_t before = head->ref_time * (int64_t)RTCP_TWCC_REF_US;
    for (int i = 0; i < PACKETS; i++) {
        st[i] = (struct rtcp_twcc_status){.seq16 = (uint16_t)(seq16 + i),
                                          .received = true,
                                          .delta_us = (int32_t)(at_us - before)};
        before = at_us;
        at_us += 8000 + (i * 7 + round) % 5 * 250 - 500;
    }
}

static void print(const struct cost *c)
{
    printf("%-32s %8.1f ns", c->what, c->ns / c->n);
    if (counter >= 0) {
        printf(" %8.0f instructions", c->instructions / c->n);
    }
    printf("\n");
}

static void run(struct bwe **all, int viewers)
{
    struct cost sent = {.what = "bwe_on_sent"};
    struct cost fed = {.what = "bwe_on_twcc of 10 packets"};
    struct cost tick = {.what = "bwe_tick"};
    struct cost facts = {.what = "bwe_facts"};
    struct bwe_facts f;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t now_us = (int64_t)round * PACKETS * 8000;
        uint16_t seq16 = bwe_seq16(all[0]);
        struct reading from = take();
        for (int v = 0; v < viewers; v++) {
            for (int i = 0; i < PACKETS; i++) {
                bwe_on_sent(all[v], 1100, 0, now_us + i * 8000);
            }
        }
        add(&sent, from, viewers * PACKETS);
        now_us += PACKETS * 8000;
        struct rtcp_twcc head;
        struct rtcp_twcc_status st[PACKETS];
        make(&head, st, seq16, round);
        from = take();
        for (int v = 0; v < viewers; v++) {
            bwe_on_twcc(all[v], &head, st, PACKETS, now_us + 50000);
        }
        add(&fed, from, viewers);
        from = take();
        for (int v = 0; v < viewers; v++) {
            bwe_tick(all[v], now_us);
        }
        add(&tick, from, viewers);
        from = take();
        for (int v = 0; v < viewers; v++) {
            bwe_facts(all[v], &f);
        }
        add(&facts, from, viewers);
    }
    print(&sent);
    print(&fed);
    print(&tick);
    print(&facts);
    bwe_facts(all[0], &f);
    printf("%d viewers; at the end mode %d, estimate %u, acked %u, queue %u us\n", viewers, f.mode,
           f.estimate_bps, f.acked_bps, f.queue_us);
}

int main(int argc, char **argv)
{
    int viewers = argc > 1 ? (int)strtol(argv[1], NULL, 10) : VIEWERS;
    if (viewers < 1 || viewers > 100000) {
        fprintf(stderr, "usage: micro-bwe [viewers, 1 to 100000]\n");
        return 2;
    }
    struct bwe **all = calloc((size_t)viewers, sizeof(*all));
    struct bwe_params p = {.start_bps = 1000000, .min_bps = 50000, .max_bps = 10000000};
    for (int v = 0; v < viewers; v++) {
        all[v] = bwe_new(&p, 1, 0);
        if (!all[v]) {
            return 1;
        }
    }
    counter_open();
    run(all, viewers);
    for (int v = 0; v < viewers; v++) {
        bwe_free(all[v]);
    }
    free(all);
    return 0;
}
