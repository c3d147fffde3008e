/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "signaling/http_conn.h"
#include "tests/net_kit.h"

static struct http_conns cs;

/* What the peer reads after a sweep: text, or -1 when the connection is still open. */
static ssize_t sweep_and_read(int64_t now_us, int fd, char *text, size_t cap)
{
    http_conns_sweep(&cs, now_us);
    ssize_t n = recv(fd, text, cap - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

Test(http_conn, shuts_those_that_are_late_in_each_phase)
{
    static const struct {
        enum http_phase phase;
        bool tls;
        int allowed_s; /* 0: for ever */
        const char *says;
    } rows[] = {
        {HTTP_PHASE_HEADERS, false, 5, ""},  {HTTP_PHASE_HEADERS, true, 10, ""},
        {HTTP_PHASE_BODY, false, 10, "408"}, {HTTP_PHASE_BODY, true, 10, ""},
        {HTTP_PHASE_HANDLING, false, 0, ""}, {HTTP_PHASE_SENDING, false, 60, ""},
        {HTTP_PHASE_IDLE, false, 30, ""},
    };
    http_conns_init(&cs, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fds[2];
        char text[256];
        struct addr a = net_addr("192.0.2.1", 1);
        int64_t limit_us = rows[i].allowed_s * (int64_t)US_PER_S;
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        struct http_conn *c = http_conns_add(&cs, fds[0], &a, rows[i].tls);
        http_conn_enter(c, rows[i].phase, 1000);
        cr_expect_eq(sweep_and_read(1000 + limit_us - 1, fds[1], text, sizeof(text)), -1,
                     "row %zu: too early", i);
        ssize_t n = sweep_and_read(1000 + (limit_us != 0 ? limit_us : INT64_MAX / 2), fds[1], text,
                                   sizeof(text));
        if (rows[i].allowed_s == 0) {
            cr_expect_eq(n, -1, "row %zu", i);
        } else {
            cr_expect_geq(n, 0, "row %zu: still open", i);
            cr_expect_eq(strstr(text, "408") != NULL, rows[i].says[0] != '\0', "row %zu", i);
        }
        http_conns_remove(&cs, c);
        close(fds[0]);
        close(fds[1]);
    }
    cr_expect_eq(cs.count, 0);
    cr_expect_eq(cs.timed_out, 6);
}

Test(http_conn, counts_by_network)
{
    static const struct {
        const char *who;
        unsigned count;
    } rows[] = {{"192.0.2.1", 1},     {"192.0.2.1", 2},       {"192.0.2.2", 1}, {"2001:db8::1", 1},
                {"2001:db8::2:1", 2}, {"2001:db8:0:1::1", 1}, {"192.0.2.1", 3}};
    struct http_conn *all[ARRAY_LEN(rows)];
    http_conns_init(&cs, 99);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct addr a = net_addr(rows[i].who, 1);
        all[i] = http_conns_add(&cs, -1, &a, false);
        cr_expect_eq(http_conns_from(&cs, &a), rows[i].count, "row %zu", i);
    }
    struct addr a = net_addr("192.0.2.1", 1);
    http_conns_remove(&cs, all[0]);
    cr_expect_eq(http_conns_from(&cs, &a), 2);
    for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
        http_conns_remove(&cs, all[i]);
    }
    cr_expect_eq(http_conns_from(&cs, &a), 0);
}
