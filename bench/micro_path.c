/* SPDX-License-Identifier: Apache-2.0 */
/* micro_path.c - what forwarding costs outside the kernel: CPU time a packet of router_fill with
 * the real sealing, on the simulator of tests/sim. Before each frame a buffer larger than the
 * second level of the cache is walked over, as the kernel's own work does between two frames.
 * usage: micro-path [viewers [packets a frame [openssl|ipsec-mb|libsrtp2]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sfu/sub.h"
#include "tests/sim/sim.h"

#define FRAMES      300
#define FRAME_US    33333
#define PACKET      800
#define EVICT_BYTES (4U << 20)

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Stores the packets of one frame, as if they had just come. */
static void store_frame(struct sim *s, int packets)
{
    static uint8_t payload[PACKET] = {0x10};
    struct encoding *e = &stream_track(router_stream(&s->r[0], 1, false), MEDIA_VIDEO)->enc[0];
    for (int i = 1; i <= packets; i++) {
        const struct pkt_desc desc = {.dt_mask = UINT16_MAX,
                                      .flags = i == packets ? DESC_FRAME_END : 0};
        const struct hist_in in = {
            .seq = e->hist.top_seq + 1,
            .ts = (uint32_t)(s->now_us * 9 / 100),
            .arrival_us = s->now_us,
            .marker = i == packets,
            .codec = CODEC_VP8,
            .desc = &desc,
            .payload = payload,
            .payload_len = PACKET,
        };
        (void)route_store(&s->r[0], e, &in);
    }
}

/* Seals all that is owed; returns how many packets that was. */
static uint64_t fill(struct sim *s)
{
    uint64_t packets = 0;
    for (bool more = true; more; tx_clear(&s->batch)) {
        more = router_fill(&s->r[0], &s->batch, s->now_us);
        packets += s->batch.packets;
    }
    return packets;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int viewers = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 400;
    int packets = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
    static double ns[FRAMES];
    enum seal_backend backend = SEAL_AUTO;
    uint8_t *evict = malloc(EVICT_BYTES);
    struct sim *s = sim_new(1, US_PER_S);
    if (argc > 3 && (seal_backend_parse(argv[3], &backend) || seal_backend_select(backend))) {
        return 1;
    }
    if (!evict || viewers < 1 || viewers > SIM_VIEWERS_MAX || packets < 1) {
        return 1;
    }
    sim_publish(s, 0, 1, 1, 100, 1000);
    for (int i = 0; i < viewers; i++) {
        (void)sim_view(s, 0, 1, true);
    }
    sim_run(s, US_PER_S);
    for (int i = 0; i < FRAMES; i++) {
        s->now_us += FRAME_US;
        store_frame(s, packets);
        memset(evict, i, EVICT_BYTES);
        double from = cpu_ns();
        uint64_t n = fill(s);
        ns[i] = n ? (cpu_ns() - from) / (double)n : 0;
    }
    qsort(ns, FRAMES, sizeof(ns[0]), by_value);
    printf("%d viewers, %d packets of %d bytes a frame: %.0f ns a packet (median; tenth %.0f)\n",
           viewers, packets, PACKET, ns[FRAMES / 2], ns[FRAMES / 10]);
    sim_free(s);
    free(evict);
    return 0;
}
