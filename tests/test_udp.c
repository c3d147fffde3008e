/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/udp.h"
#include "tests/net_kit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- a scripted sendmmsg between the product and the kernel ---- */

static struct {
    int pass;       /* messages let through before the error comes; -1: no error */
    int err;        /* the error, once, or for ever if sticky */
    bool sticky;    /* full socket */
    bool only_gso;  /* refuse segmented messages, each time */
    unsigned calls; /* system calls asked for */
} script = {.pass = -1};

static bool is_segmented(const struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR((struct msghdr *)h, c)) {
        if (c->cmsg_level == IPPROTO_UDP) {
            return true;
        }
    }
    return false;
}

int sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
    unsigned let = n;

    script.calls++;
    if (script.only_gso) {
        for (let = 0; let < n && !is_segmented(&vec[let].msg_hdr);) {
            let++;
        }
    } else if (script.pass >= 0) {
        let = MIN(n, (unsigned)script.pass);
        script.pass -= (int)let;
    }
    if (let == 0) {
        errno = script.err;
        script.pass = script.sticky || script.only_gso ? script.pass : -1;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, vec, let, flags);
}

/* ---- helpers ---- */

static struct udp *open_udp(const char *ip, bool offloads)
{
    struct udp_params p = {.bind = net_addr(ip, 0),
                           .rcvbuf_bytes = 4 << 20,
                           .sndbuf_bytes = 1 << 20,
                           .gso = offloads,
                           .gro = offloads};
    struct udp *u = NULL;

    cr_assert_eq(udp_new(&p, &u), 0);
    return u;
}

static bool have_v6(void)
{
    struct addr a = net_addr("::1", 0);
    uint16_t port = 0;

    return udp_probe(&a, &port) == 0;
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

static uint8_t payload[400 * 1000];

static void fill_payload(void)
{
    for (size_t i = 0; i < sizeof(payload); i++) {
        payload[i] = pattern(i);
    }
}

/* Everything that has arrived, in order; loopback delivers before sendmmsg returns. */
static struct udp_in got[4096];
static uint8_t got_bytes[2 << 20];

static int receive_all(struct udp *u, int max_per_call)
{
    int n = 0;
    size_t used = 0;

    for (;;) {
        int r = udp_recv(u, got + n, MIN(max_per_call, (int)ARRAY_LEN(got) - n));
        cr_assert_geq(r, 0);
        if (r == 0) {
            return n;
        }
        for (int i = n; i < n + r; i++) { /* the next call overwrites the buffers */
            cr_assert_leq(used + got[i].len, sizeof(got_bytes));
            memcpy(got_bytes + used, got[i].buf, got[i].len);
            got[i].buf = got_bytes + used;
            used += got[i].len;
        }
        n += r;
    }
}

/* ---- tests ---- */

struct run_row {
    const char *ip;
    uint32_t len;
    uint16_t seg;
    bool tx_gso;
    bool rx_gro;
    bool gso_off;
    int max;
};

static void run_arrives(const struct run_row *r)
{
    struct udp *tx = open_udp("::", r->tx_gso);
    struct udp *rx = open_udp(r->ip, r->rx_gro);
    struct path to = {.remote = net_addr(r->ip, udp_port(rx))};
    struct udp_run run = {
        .to = &to, .buf = payload, .len = r->len, .seg_len = r->seg, .gso_off = r->gso_off};
    uint32_t segs = (r->len + r->seg - 1) / r->seg;

    cr_assert_eq(udp_send(tx, &run, 1), 1);
    cr_assert_eq(run.error, 0);
    cr_assert_eq(udp_stats(tx)->tx_datagrams, segs);
    cr_assert_eq(udp_stats(tx)->tx_bytes, r->len);
    int n = receive_all(rx, r->max);
    cr_assert_eq(n, (int)segs, "%s %u/%u: %d datagrams", r->ip, r->len, r->seg, n);
    uint32_t off = 0;
    for (int i = 0; i < n; i++) {
        cr_assert_eq(got[i].len, MIN(r->seg, r->len - off));
        cr_assert_eq(memcmp(got[i].buf, payload + off, got[i].len), 0);
        cr_assert_eq(got[i].from.remote.port, udp_port(tx));
        cr_assert(addr_is_loopback(&got[i].from.remote));
        cr_assert_eq(got[i].from.transport, TRANSPORT_UDP);
        off += got[i].len;
    }
    cr_assert_eq(udp_stats(rx)->rx_datagrams, segs);
    cr_assert_eq(udp_stats(rx)->rx_bytes, r->len);
    cr_assert_eq(udp_stats(rx)->rx_truncated, 0);
    udp_free(tx);
    udp_free(rx);
}

Test(udp, runs_arrive_as_the_datagrams_they_hold)
{
    static const struct run_row rows[] = {
        {"127.0.0.1", 64 * 1000, 1000, true, true, false, UDP_RX_MAX},
        {"127.0.0.1", 10 * 1200 + 7, 1200, true, false, false, UDP_RX_MAX},
        {"127.0.0.1", 10 * 1200 + 7, 1200, false, true, false, UDP_RX_MAX},
        {"127.0.0.1", 10 * 1200 + 7, 1200, true, true, true, UDP_RX_MAX},
        {"127.0.0.1", 300 * 100 + 1, 100, true, true, false, UDP_RX_MAX}, /* over 64 segments */
        {"127.0.0.1", 300 * 1200, 1200, true, true, false, UDP_RX_MAX},   /* over 65,000 bytes */
        {"127.0.0.1", 300 * 1200, 1200, false, false, false, UDP_RX_MAX}, /* over a sendmmsg */
        {"127.0.0.1", 64 * 1000, 1000, true, true, false, 7},             /* little room at ret */
        {"127.0.0.1", 1, 1200, true, true, false, UDP_RX_MAX},
        {"127.0.0.1", 1200, 1200, true, true, false, UDP_RX_MAX},
        {"127.0.0.1", 1201, 1200, true, true, false, UDP_RX_MAX},
        {"127.0.0.1", 60000, 65000, true, true, false, UDP_RX_MAX},
        {"::1", 64 * 1000, 1000, true, true, false, UDP_RX_MAX},
        {"::1", 10 * 1200 + 7, 1200, false, false, false, UDP_RX_MAX},
    };

    fill_payload();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strchr(rows[i].ip, ':') && !have_v6()) {
            cr_log_warn("no IPv6 here: row %zu skipped", i);
            continue;
        }
        run_arrives(&rows[i]);
    }
}

Test(udp, segments_save_system_calls_and_messages)
{
    struct udp *tx = open_udp("127.0.0.1", true);
    struct udp *rx = open_udp("127.0.0.1", true);
    struct path to = {.remote = net_addr("127.0.0.1", udp_port(rx))};
    struct udp_run runs[UDP_TX_RUNS];

    fill_payload();
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        runs[i] = (struct udp_run){
            .to = &to, .buf = payload + i * 4000, .len = 4000 - (uint32_t)i, .seg_len = 1000};
    }
    cr_assert_eq(udp_send(tx, runs, UDP_TX_RUNS), UDP_TX_RUNS);
    cr_assert_eq(udp_stats(tx)->tx_syscalls, udp_gso(tx) ? 1 : 4);
    int n = receive_all(rx, UDP_RX_MAX);
    cr_assert_eq(n, 4 * UDP_TX_RUNS);
    for (int i = 0; i < n; i++) {
        cr_assert_eq(memcmp(got[i].buf, payload + i * 1000, got[i].len), 0);
    }
    udp_free(tx);
    udp_free(rx);
}

Test(udp, answers_leave_from_the_address_that_was_asked)
{
    static const struct {
        const char *server; /* bound to */
        const char *asked;
        const char *client;
    } rows[] = {
        {"0.0.0.0", "127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "127.0.0.9", "127.0.0.1"},
        {"::", "127.0.0.9", "127.0.0.1"},
        {"::", "127.0.0.1", "127.0.0.7"},
        {"::", "::1", "::1"},
        {"127.0.0.9", "127.0.0.9", "127.0.0.1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strchr(rows[i].asked, ':') && !have_v6()) {
            continue;
        }
        struct udp *server = open_udp(rows[i].server, true);
        struct udp *client = open_udp(rows[i].client, true);
        struct addr asked = net_addr(rows[i].asked, udp_port(server));
        struct path to = {.remote = asked};
        struct udp_run run = {.to = &to, .buf = (const uint8_t *)"ping", .len = 4, .seg_len = 4};

        cr_assert_eq(udp_send(client, &run, 1), 1);
        cr_assert_eq(receive_all(server, UDP_RX_MAX), 1, "row %zu", i);
        struct path from = got[0].from;
        cr_assert_eq(memcmp(from.local.ip, asked.ip, 16), 0, "row %zu", i);
        cr_assert_neq(from.ifindex, 0);
        run = (struct udp_run){.to = &from, .buf = (const uint8_t *)"pong", .len = 4, .seg_len = 2};
        cr_assert_eq(udp_send(server, &run, 1), 1);
        cr_assert_eq(run.error, 0, "row %zu: %d", i, run.error);
        cr_assert_eq(receive_all(client, UDP_RX_MAX), 2);
        cr_assert(addr_equal(&got[0].from.remote, &asked), "row %zu", i);
        udp_free(server);
        udp_free(client);
    }
}

Test(udp, workers_share_a_port_but_instances_do_not)
{
    struct addr any = net_addr("::", 0);
    uint16_t port = 0;
    uint16_t again = 0;
    struct udp *a = NULL;
    struct udp *b = NULL;

    cr_assert_eq(udp_probe(&any, &port), 0);
    cr_assert_neq(port, 0);
    struct udp_params p = {.bind = net_addr("::", port)};
    cr_assert_eq(udp_probe(&p.bind, &again), 0, "free until somebody binds it");
    cr_assert_eq(again, port);
    cr_assert_eq(udp_new(&p, &a), 0);
    cr_assert_eq(udp_new(&p, &b), 0, "a second worker");
    cr_assert_eq(udp_port(b), port);
    again = 1;
    cr_assert_eq(udp_probe(&p.bind, &again), -EADDRINUSE);
    cr_assert_eq(again, 1, "untouched on failure");
    struct addr v4 = net_addr("0.0.0.0", port);
    cr_assert_eq(udp_probe(&v4, &again), -EADDRINUSE, "the dual-stack socket has it too");
    udp_free(a);
    udp_free(b);
    cr_assert_eq(udp_probe(&p.bind, &again), 0);
}

Test(udp, skips_bad_runs_and_sends_the_others)
{
    struct udp *tx = open_udp("127.0.0.1", true);
    struct udp *rx = open_udp("127.0.0.1", true);
    struct path good = {.remote = net_addr("127.0.0.1", udp_port(rx))};
    struct path port0 = {.remote = net_addr("127.0.0.1", 0)};
    struct path v6 = {.remote = net_addr("2001:db8::1", 9)};
    struct udp_run runs[] = {
        {.to = &port0, .buf = payload, .len = 10, .seg_len = 10},
        {.to = &good, .buf = payload, .len = 20, .seg_len = 10},
        {.to = &v6, .buf = payload, .len = 10, .seg_len = 10},
        {.to = &good, .buf = payload, .len = 10, .seg_len = 0},
        {.to = &good, .buf = payload, .len = 0, .seg_len = 10},
        {.to = &port0, .buf = payload, .len = 100, .seg_len = 10},
        {.to = &good, .buf = payload + 20, .len = 5, .seg_len = 10},
        {.to = &port0, .buf = payload, .len = 10, .seg_len = 10},
    };
    static const bool bad[] = {true, false, true, true, false, true, false, true};

    fill_payload();
    cr_assert_eq(udp_send(tx, runs, ARRAY_LEN(runs)), ARRAY_LEN(runs));
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        cr_expect_eq(runs[i].error < 0, bad[i], "run %zu: %d", i, runs[i].error);
    }
    cr_assert_eq(runs[2].error, -EAFNOSUPPORT);
    cr_assert_eq(udp_stats(tx)->tx_errors, 5);
    cr_assert_eq(receive_all(rx, UDP_RX_MAX), 3);
    cr_assert_eq(memcmp(got[2].buf, payload + 20, 5), 0);
    udp_free(tx);
    udp_free(rx);
}

Test(udp, resends_refused_segments_one_by_one)
{
    static const int errors[] = {EINVAL, EMSGSIZE, EIO};

    fill_payload();
    for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
        struct udp *tx = open_udp("127.0.0.1", true);
        struct udp *rx = open_udp("127.0.0.1", false);
        struct path to = {.remote = net_addr("127.0.0.1", udp_port(rx))};
        struct udp_run runs[] = {
            {.to = &to, .buf = payload, .len = 1000, .seg_len = 1000},
            {.to = &to, .buf = payload + 1000, .len = 100 * 90 + 1, .seg_len = 100},
            {.to = &to, .buf = payload + 10001, .len = 500, .seg_len = 1000},
        };

        if (!udp_gso(tx)) {
            cr_skip("no UDP_SEGMENT in this kernel");
        }
        script.only_gso = true;
        script.err = errors[e];
        cr_assert_eq(udp_send(tx, runs, 3), 3);
        script.only_gso = false;
        cr_assert_not(runs[0].gso_off);
        cr_assert(runs[1].gso_off, "to be remembered");
        cr_assert_eq(runs[1].error, 0);
        cr_assert_eq(udp_stats(tx)->tx_errors, 0);
        int n = receive_all(rx, UDP_RX_MAX);
        cr_assert_eq(n, 1 + 91 + 1);
        size_t off = 0;
        for (int i = 0; i < n; i++) {
            cr_assert_eq(memcmp(got[i].buf, payload + off, got[i].len), 0);
            off += got[i].len;
        }
        cr_assert_eq(off, 10501);
        udp_free(tx);
        udp_free(rx);
    }
}

Test(udp, stops_at_a_full_socket_and_goes_on_without_loss_or_repetition)
{
    fill_payload();
    for (int pass = 0; pass < 40; pass++) {
        struct udp *tx = open_udp("127.0.0.1", pass % 2 == 0);
        struct udp *rx = open_udp("127.0.0.1", true);
        struct path to = {.remote = net_addr("127.0.0.1", udp_port(rx))};
        struct udp_run runs[5];
        size_t off = 0;

        for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
            runs[i] =
                (struct udp_run){.to = &to, .buf = payload + i * 700, .len = 700, .seg_len = 100};
        }
        script.pass = pass;
        script.err = EAGAIN;
        script.sticky = true;
        int done = udp_send(tx, runs, 5);
        script.pass = -1;
        script.sticky = false;
        cr_assert_eq(done < 5, udp_stats(tx)->tx_full == 1);
        if (done < 5) {
            cr_assert_eq(runs[done].error, 0, "not a failure");
            cr_assert_eq(udp_send(tx, runs + done, 5 - done), 5 - done);
        }
        int n = receive_all(rx, UDP_RX_MAX);
        cr_assert_eq(n, 35, "after %d messages: %d", pass, n);
        for (int i = 0; i < n; i++) {
            cr_assert_eq(memcmp(got[i].buf, payload + off, got[i].len), 0);
            off += got[i].len;
        }
        udp_free(tx);
        udp_free(rx);
    }
}

Test(udp, survives_errors_in_the_middle_of_a_batch)
{
    fill_payload();
    for (int pass = 0; pass < 6; pass++) {
        static const int errors[] = {ECONNREFUSED, EPERM, ENETUNREACH, EINTR};
        for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
            struct udp *tx = open_udp("127.0.0.1", true);
            struct udp *rx = open_udp("127.0.0.1", true);
            struct path to = {.remote = net_addr("127.0.0.1", udp_port(rx))};
            struct udp_run runs[6];

            for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
                runs[i] = (struct udp_run){.to = &to, .buf = payload + i, .len = 1, .seg_len = 1};
            }
            script.pass = pass;
            script.err = errors[e];
            cr_assert_eq(udp_send(tx, runs, 6), 6);
            int lost = errors[e] == EINTR ? 0 : 1;
            for (int i = 0; i < 6; i++) {
                cr_assert_eq(runs[i].error, i == pass && lost ? -errors[e] : 0);
            }
            cr_assert_eq(udp_stats(tx)->tx_errors, (uint64_t)lost);
            cr_assert_eq(receive_all(rx, UDP_RX_MAX), 6 - lost);
            udp_free(tx);
            udp_free(rx);
        }
    }
}

Test(udp, counts_what_the_kernel_dropped)
{
    struct udp_params p = {.bind = net_addr("127.0.0.1", 0), .rcvbuf_bytes = 8192};
    struct udp *rx = NULL;
    struct udp *tx = open_udp("127.0.0.1", false);

    cr_assert_eq(udp_new(&p, &rx), 0);
    cr_assert_gt(udp_rcvbuf(rx), 0);
    struct path to = {.remote = net_addr("127.0.0.1", udp_port(rx))};
    int n = 0;
    for (int round = 0; round < 2; round++) { /* the count of a full queue comes with the next */
        struct udp_run run = {
            .to = &to, .buf = payload, .len = round == 0 ? 200000 : 1000, .seg_len = 1000};
        cr_assert_eq(udp_send(tx, &run, 1), 1);
        n += receive_all(rx, UDP_RX_MAX);
    }
    cr_assert_lt(n, 201);
    cr_assert_eq(udp_stats(rx)->rx_kernel_drops, (uint64_t)(201 - n));
    udp_free(tx);
    udp_free(rx);
}

Test(udp, an_empty_socket_and_empty_datagrams_produce_nothing)
{
    struct udp *rx = open_udp("127.0.0.1", true);
    struct sockaddr_storage sa;
    struct addr a = net_addr("127.0.0.1", udp_port(rx));
    socklen_t sa_len = addr_to_sockaddr(&a, AF_INET, &sa);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    cr_assert_eq(udp_recv(rx, got, UDP_RX_MAX), 0);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(sendto(fd, "", 0, 0, (struct sockaddr *)&sa, sa_len), 0);
    }
    cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sa_len), 1);
    cr_assert_eq(receive_all(rx, UDP_RX_MAX), 1);
    cr_assert_eq(udp_recv(rx, got, UDP_RX_MAX), 0);
    close(fd);
    udp_free(rx);
}

Test(udp, gives_every_descriptor_back)
{
    int before = net_count_fds();
    struct udp *u = NULL;
    uint16_t port = 0;

    for (int i = 0; i < 20; i++) {
        u = open_udp(i % 2 ? "::" : "127.0.0.1", true);
        cr_assert_eq(
            udp_probe(&(struct addr){.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
                                     .port = udp_port(u)},
                      &port) == 0,
            false);
        udp_free(u);
        struct udp_params elsewhere = {.bind = net_addr("192.0.2.77", 0)};
        cr_assert_eq(udp_new(&elsewhere, &u), -EADDRNOTAVAIL);
    }
    udp_free(NULL);
    cr_assert_eq(net_count_fds(), before);
}
