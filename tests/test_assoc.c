/* SPDX-License-Identifier: Apache-2.0 */
/* Two associations of one stack talk over a pipe in virtual time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "ice/assoc.h"
#include "rtp/bytes.h"

#define DELAY_US     (5 * US_PER_MS)
#define MESSAGE_MAX  65536u
#define SEND_BUFFER  1000000u
#define QUEUE_MAX    8192
#define RANDOM_FIRST 0x5eed5eed12345678ULL

struct end {
    struct assoc *a;
    struct end *peer;
    bool up, down, deaf; /* deaf: what is sent to it is lost */
    unsigned n_messages, n_too_long, n_resets, n_done;
    size_t n_bytes;
    uint64_t sum; /* of the content, order included */
    uint32_t ppid;
    uint16_t sid;
    uint8_t reset[ASSOC_STREAMS], done[ASSOC_STREAMS];
};

struct packet {
    int64_t due_us;
    struct end *to;
    size_t len;
    uint8_t *bytes;
};

static struct packet queue[QUEUE_MAX];
static unsigned first, used;
static int64_t now_us = US_PER_S;
static uint64_t state = RANDOM_FIRST;
static unsigned loss_percent;
static size_t longest;
static void (*spy)(const uint8_t *pkt, size_t len);

/* usrsctp reads the wall clock by itself: here it gets the virtual one. */
int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    (void)tz;
    tv->tv_sec = 1000000 + now_us / US_PER_S;
    tv->tv_usec = now_us % US_PER_S;
    return 0;
}

static uint64_t draw(void)
{
    state += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static void output(const uint8_t *pkt, size_t len, void *ctx)
{
    struct end *from = ctx;
    longest = MAX(longest, len);
    if (spy) {
        spy(pkt, len);
    }
    if (!from->peer || from->peer->deaf || draw() % 100 < loss_percent) {
        return;
    }
    cr_assert_lt(used, QUEUE_MAX);
    struct packet *p = &queue[(first + used++) % QUEUE_MAX];
    *p = (struct packet){.due_us = now_us + DELAY_US, .to = from->peer, .len = len};
    p->bytes = malloc(len);
    memcpy(p->bytes, pkt, len);
}

static void take(struct end *e, const struct assoc_event *ev)
{
    switch (ev->kind) {
    case ASSOC_UP:
        e->up = true;
        break;
    case ASSOC_DOWN:
        e->down = true;
        break;
    case ASSOC_MESSAGE:
        e->n_messages++;
        e->n_bytes += ev->len;
        e->ppid = ev->ppid;
        e->sid = ev->sid;
        for (size_t i = 0; i < ev->len; i++) {
            e->sum = e->sum * 31 + ev->data[i];
        }
        break;
    case ASSOC_TOO_LONG:
        e->n_too_long++;
        break;
    case ASSOC_RESET_BY_PEER:
        cr_assert_gt(ev->n_sids, 0);
        for (unsigned i = 0; i < ev->n_sids; i++) {
            e->reset[ev->sids[i]]++;
            e->n_resets++;
        }
        break;
    case ASSOC_RESET_DONE:
        for (unsigned i = 0; i < ev->n_sids; i++) {
            e->done[ev->sids[i]]++;
            e->n_done++;
        }
        break;
    case ASSOC_NOTHING:
        cr_assert_fail("no event");
    }
}

static void read_all(void)
{
    struct assoc_event ev;
    for (struct assoc *a = assoc_next_ready(); a; a = assoc_next_ready()) {
        while (assoc_read(a, &ev)) {
            take(assoc_ctx(a), &ev);
        }
    }
}

static void step(void)
{
    now_us += US_PER_MS;
    while (used && queue[first].due_us <= now_us) {
        struct packet p = queue[first];
        first = (first + 1) % QUEUE_MAX;
        used--;
        if (p.to->a) {
            cr_assert_eq(assoc_input(p.to->a, p.bytes, p.len, now_us), ASSOC_FILTER_OK);
        }
        free(p.bytes);
    }
    if (now_us % ASSOC_TICK_US == 0) {
        assoc_stack_tick(now_us);
    }
    read_all();
}

static void run_ms(int ms)
{
    for (int i = 0; i < ms; i++) {
        step();
    }
}

static void start(void)
{
    const struct assoc_stack_params p = {.output = output,
                                         .max_message_bytes = MESSAGE_MAX,
                                         .send_buffer_bytes = SEND_BUFFER,
                                         .random = draw};
    cr_assert_eq(assoc_stack_init(&p), 0);
    cr_assert_eq(assoc_stack_init(&p), -EBUSY);
}

static void stop(struct end *x, struct end *y)
{
    assoc_free(x->a);
    assoc_free(y->a);
    x->a = y->a = NULL;
    while (used) {
        free(queue[first].bytes);
        first = (first + 1) % QUEUE_MAX;
        used--;
    }
    cr_assert_eq(assoc_stack_count(), 0);
    assoc_stack_fini();
}

static void join(struct end *x, struct end *y)
{
    x->peer = y;
    y->peer = x;
    x->a = assoc_new(ASSOC_PORT, x, now_us);
    y->a = assoc_new(ASSOC_PORT, y, now_us);
    cr_assert(x->a && y->a);
}

static void connect_both(struct end *x, struct end *y)
{
    join(x, y);
    for (int i = 0; i < 5000 && !(x->up && y->up); i++) {
        step();
    }
    cr_assert(x->up && y->up);
}

static int send_text(struct end *e, uint16_t sid, size_t len)
{
    static uint8_t bytes[2 * MESSAGE_MAX];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)draw();
    }
    const struct assoc_message m = {
        .sid = sid, .ppid = DCEP_PPID_BINARY, .data = bytes, .len = len};
    int r = assoc_send(e->a, &m);
    for (size_t i = 0; r == 0 && i < len; i++) {
        e->sum = e->sum * 31 + bytes[i]; /* what the other side should come to */
    }
    return r;
}

Test(assoc, both_sides_connect_at_once_and_are_up_in_two_round_trips)
{
    struct end x = {0}, y = {0};
    start();
    join(&x, &y);
    for (int i = 0; i < 1000 && !(x.up && y.up); i++) {
        step();
    }
    cr_assert(x.up && y.up);
    cr_assert_leq(now_us - US_PER_S, 5 * DELAY_US);
    stop(&x, &y);
}

Test(assoc, one_side_starts_late_and_loss_delays_but_does_not_prevent)
{
    static const unsigned losses[] = {0, 20, 40};
    for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
        struct end x = {0}, y = {0};
        start();
        x.peer = &y;
        y.peer = &x;
        loss_percent = losses[i];
        x.a = assoc_new(ASSOC_PORT, &x, now_us);
        run_ms(100);
        y.a = assoc_new(ASSOC_PORT, &y, now_us);
        for (int ms = 0; ms < 60000 && !(x.up && y.up); ms++) {
            step();
        }
        cr_expect(x.up && y.up, "loss %u %%", losses[i]);
        loss_percent = 0;
        stop(&x, &y);
    }
}

Test(assoc, messages_of_all_sizes_and_kinds_arrive_whole_and_in_order)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 1000, 1103, 1104, 1105, 16384, 65535, 65536};
    static const uint32_t ppids[] = {DCEP_PPID_CONTROL, DCEP_PPID_STRING, DCEP_PPID_BINARY,
                                     DCEP_PPID_STRING_EMPTY, DCEP_PPID_BINARY_EMPTY};
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        cr_assert_eq(send_text(&x, (uint16_t)(i % 3), sizes[i]), 0);
        run_ms(200);
        cr_assert_eq(y.n_messages, i + 1, "%zu bytes", sizes[i]);
        cr_assert_eq(y.sid, i % 3);
        cr_assert_eq(y.sum, x.sum);
    }
    for (size_t i = 0; i < ARRAY_LEN(ppids); i++) {
        const struct assoc_message m = {
            .sid = ASSOC_STREAMS - 1, .ppid = ppids[i], .data = (const uint8_t *)"", .len = 1};
        cr_assert_eq(assoc_send(x.a, &m), 0);
        run_ms(20);
        cr_expect_eq(y.ppid, ppids[i]);
        cr_expect_eq(y.sid, ASSOC_STREAMS - 1);
    }
    cr_expect_leq(longest, ASSOC_PACKET_MAX);
    cr_expect_gt(longest, ASSOC_PACKET_MAX - 40, "%zu: packets are not wasted", longest);
    stop(&x, &y);
}

Test(assoc, a_megabyte_gets_through_five_percent_loss)
{
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    loss_percent = 5;
    int64_t began = now_us;
    for (unsigned sent = 0; sent < 64;) {
        sent += send_text(&x, 0, 16384) == 0;
        step();
    }
    for (int i = 0; i < 60000 && y.n_bytes < 1 << 20; i++) {
        step();
    }
    cr_expect_eq(y.n_bytes, 1 << 20);
    cr_expect_eq(y.sum, x.sum);
    cr_expect_lt(now_us - began, 30 * US_PER_S, "%lld ms", (long long)(now_us - began) / 1000);
    stop(&x, &y);
}

Test(assoc, partially_reliable_messages_are_given_up_and_later_ones_arrive)
{
    static const struct dcep_reliability kinds[] = {
        {.kind = DCEP_REXMIT, .unordered = true, .param = 0},
        {.kind = DCEP_REXMIT, .param = 0},
        {.kind = DCEP_TIMED, .unordered = true, .param = 5},
        {.kind = DCEP_TIMED, .param = 5},
    };
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct end x = {0}, y = {0};
        const uint8_t bytes[100] = {0};
        start();
        connect_both(&x, &y);
        loss_percent = 20;
        for (int i = 0; i < 2000; i++) {
            const struct assoc_message m = {.sid = 2,
                                            .ppid = DCEP_PPID_BINARY,
                                            .reliability = kinds[k],
                                            .data = bytes,
                                            .len = sizeof(bytes)};
            int r = assoc_send(x.a, &m);
            cr_assert(r == 0 || r == -EAGAIN, "%d", r);
            step();
        }
        loss_percent = 0;
        run_ms(8000); /* a retransmission may have backed off */
        cr_expect_gt(y.n_messages, 300, "row %zu: %u", k, y.n_messages);
        cr_expect_lt(y.n_messages, 2000, "row %zu: %u", k, y.n_messages);
        unsigned before = y.n_messages;
        cr_expect_eq(send_text(&x, 4, 10), 0);
        run_ms(300);
        cr_expect_eq(y.n_messages, before + 1, "row %zu: %u, %u", k, before, y.n_messages);
        stop(&x, &y);
    }
}

Test(assoc, a_peer_that_does_not_read_costs_less_than_a_megabyte)
{
    static const size_t sizes[] = {1, 100, 1100, 16384, 65536};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct end x = {0}, y = {0};
        start();
        connect_both(&x, &y);
        y.deaf = true;
        size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
        int r = 0;
        unsigned n = 0;
        while (n < 1000000 && (r = send_text(&x, 0, sizes[i])) == 0) {
            n++;
        }
        run_ms(2000);
        while (n < 1000000 && send_text(&x, 0, sizes[i]) == 0) {
            n++;
        }
        size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
        cr_expect_eq(r, -EAGAIN, "%zu bytes: %d", sizes[i], r);
        cr_expect_lt(after - before, 1000000, "%u messages of %zu bytes cost %zu", n, sizes[i],
                     after - before);
        fprintf(stderr, "%u messages of %zu bytes cost %zu\n", n, sizes[i], after - before);
        stop(&x, &y);
    }
}

Test(assoc, a_message_above_the_limit_is_told_and_thrown_away)
{
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    cr_assert_eq(send_text(&x, 0, MESSAGE_MAX + 1), 0);
    cr_assert_eq(send_text(&x, 0, 2 * MESSAGE_MAX), 0);
    cr_assert_eq(send_text(&x, 0, 7), 0);
    run_ms(1000);
    cr_expect_eq(y.n_too_long, 2);
    cr_expect_eq(y.n_messages, 1);
    cr_expect_eq(y.n_bytes, 7);
    stop(&x, &y);
}

Test(assoc, many_streams_are_reset_at_once_and_used_again)
{
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    for (int round = 1; round <= 3; round++) {
        for (uint16_t sid = 0; sid < 200; sid++) {
            cr_assert_eq(send_text(&x, sid, 10), 0, "stream %u, round %d", sid, round);
        }
        run_ms(100);
        for (uint16_t sid = 0; sid < 200; sid++) {
            cr_assert_eq(assoc_reset(x.a, sid), 0);
        }
        cr_expect_lt(send_text(&x, 5, 10), 0);
        run_ms(1000);
        for (uint16_t sid = 0; sid < 200; sid++) {
            cr_assert_eq(y.reset[sid], round, "stream %u: %u resets", sid, y.reset[sid]);
            cr_assert_eq(x.done[sid], round, "stream %u: done %u", sid, x.done[sid]);
        }
    }
    cr_expect_eq(y.n_messages, 600);
    stop(&x, &y);
}

Test(assoc, freeing_one_end_takes_the_other_down)
{
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    assoc_free(x.a);
    x.a = NULL;
    run_ms(20);
    cr_expect(y.down);
    cr_expect_eq(send_text(&y, 0, 1), -ENOTCONN);
    stop(&x, &y);
}

/* Eight bytes that look like an address of ours. */
static unsigned n_addresses, n_seen;
static uintptr_t heap_low, heap_high;

static void look_for_addresses(const uint8_t *pkt, size_t len)
{
    n_seen++;
    for (size_t i = 0; i + 8 <= len; i++) {
        uint64_t v;
        memcpy(&v, pkt + i, sizeof(v));
        uint64_t swapped = __builtin_bswap64(v);
        n_addresses +=
            (v >= heap_low && v < heap_high) || (swapped >= heap_low && swapped < heap_high);
    }
}

Test(assoc, no_packet_holds_a_heap_address)
{
    struct end x = {0}, y = {0};
    void *probe = malloc(64);
    heap_low = ((uintptr_t)probe & ~(uintptr_t)0xffffffff);
    heap_high = heap_low + 0x200000000;
    free(probe);
    start();
    spy = look_for_addresses;
    connect_both(&x, &y);
    cr_expect_eq(send_text(&x, 0, 1), 0);
    run_ms(500);
    spy = NULL;
    cr_expect_geq(n_seen, 6);
    cr_expect_eq(n_addresses, 0);
    stop(&x, &y);
}

Test(assoc, forged_packets_change_nothing)
{
    struct end x = {0}, y = {0};
    start();
    connect_both(&x, &y);
    uint8_t pkt[64] = {0};
    bytes_store16(pkt, ASSOC_PORT);
    bytes_store16(pkt + 2, ASSOC_PORT);
    bytes_store32(pkt + 4, 0x01020304);
    pkt[12] = 6; /* ABORT */
    bytes_store16(pkt + 14, 4);
    cr_expect_eq(assoc_input(y.a, pkt, 16, now_us), ASSOC_FILTER_OK); /* wrong tag and checksum */
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 4; k < sizeof(pkt); k++) {
            pkt[k] = (uint8_t)draw();
        }
        (void)assoc_input(y.a, pkt, 12 + draw() % (sizeof(pkt) - 12), now_us);
    }
    cr_expect_eq(send_text(&x, 0, 100), 0);
    run_ms(100);
    cr_expect_not(y.down);
    cr_expect_eq(y.n_messages, 1);
    stop(&x, &y);
}

Test(assoc, an_idle_association_is_small)
{
    struct end x[50] = {0}, y[50] = {0};
    start();
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int i = 0; i < 50; i++) {
        connect_both(&x[i], &y[i]);
    }
    run_ms(1000);
    size_t each = (mallinfo2().uordblks + mallinfo2().hblkhd - before) / 100;
    fprintf(stderr, "%zu bytes each\n", each);
    cr_expect_lt(each, 70000, "%zu", each);
    for (int i = 1; i < 50; i++) {
        assoc_free(x[i].a);
        assoc_free(y[i].a);
    }
    stop(&x[0], &y[0]);
}
