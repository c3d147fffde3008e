/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/tcp.h"
#include "tests/net_kit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};

    cr_assert_eq(poll(&p, 1, 5000), 1, "nothing in 5 s");
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    struct addr a;

    cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    cr_assert_eq(addr_from_sockaddr(&a, (struct sockaddr *)&sa), 0);
    return a.port;
}

struct pair {
    int listener;
    int client; /* blocking */
    struct tcp_conn *conn;
};

static struct pair make_pair(const char *bind_ip, const char *connect_ip)
{
    struct addr bind_addr = net_addr(bind_ip, 0);
    struct pair p = {.listener = tcp_listen(&bind_addr)};
    struct sockaddr_storage sa;
    struct path path;

    cr_assert_geq(p.listener, 0);
    cr_assert_eq(tcp_accept(p.listener, &path), -EAGAIN);
    struct addr to = net_addr(connect_ip, port_of(p.listener));
    int family = addr_is_v4(&to) ? AF_INET : AF_INET6;
    socklen_t len = addr_to_sockaddr(&to, family, &sa);
    p.client = socket(family, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(p.client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    cr_assert_eq(connect(p.client, (struct sockaddr *)&sa, len), 0);
    wait_for(p.listener, POLLIN);
    int fd = tcp_accept(p.listener, &path);
    cr_assert_geq(fd, 0);
    cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    cr_assert_eq(path.transport, TRANSPORT_TCP);
    cr_assert(addr_equal(&path.local, &to), "the address that was asked");
    cr_assert_eq(path.remote.port, port_of(p.client));
    p.conn = tcp_conn_new(fd, &path);
    cr_assert_not_null(p.conn);
    cr_assert_eq(tcp_conn_fd(p.conn), fd);
    return p;
}

static void free_pair(struct pair *p)
{
    tcp_conn_free(p->conn);
    close(p->client);
    close(p->listener);
}

static void put_frame(uint8_t **at, const uint8_t *data, size_t len)
{
    (*at)[0] = (uint8_t)(len >> 8);
    (*at)[1] = (uint8_t)len;
    memcpy(*at + 2, data, len);
    *at += 2 + len;
}

Test(tcp, cuts_the_stream_into_frames_however_it_arrives)
{
    static const size_t lens[] = {1, 100, 0, 0, 2, TCP_FRAME_MAX, 0, 1200, TCP_FRAME_MAX, 7};
    static const size_t chunks[] = {1, 2, 3, 1000, 2049, 100000};
    static uint8_t stream[16384];
    static uint8_t data[TCP_FRAME_MAX];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 13 + 1);
    }
    for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
        struct pair p = make_pair("127.0.0.1", "127.0.0.1");
        uint8_t *end = stream;
        size_t next = 0;
        for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
            put_frame(&end, data, lens[i]);
        }
        size_t total = (size_t)(end - stream);
        for (size_t off = 0; off < total;) {
            size_t n = MIN(chunks[c], total - off);
            cr_assert_eq(write(p.client, stream + off, n), (ssize_t)n);
            off += n;
            wait_for(tcp_conn_fd(p.conn), POLLIN);
            struct pollfd more = {.fd = tcp_conn_fd(p.conn), .events = POLLIN};
            do {
                uint8_t *frame = NULL;
                const uint8_t *peeked = NULL;
                size_t len = 0;
                size_t peeked_len = 0;
                cr_assert_eq(tcp_conn_read(p.conn), 0);
                int peek = tcp_conn_peek(p.conn, &peeked, &peeked_len);
                while (tcp_conn_next(p.conn, &frame, &len) == 1) {
                    while (lens[next] == 0) {
                        next++;
                    }
                    cr_assert_eq(len, lens[next++]);
                    cr_assert_eq(memcmp(frame, data, len), 0);
                    if (peek == 1) {
                        cr_assert_eq(peeked, frame);
                        cr_assert_eq(peeked_len, len);
                        peek = 2;
                    }
                }
                cr_assert_neq(peek, 1, "peeked at, but not read");
            } while (poll(&more, 1, 0) == 1);
        }
        cr_assert_eq(next, ARRAY_LEN(lens), "chunks of %zu", chunks[c]);
        free_pair(&p);
    }
}

Test(tcp, refuses_frames_that_are_too_long)
{
    static const unsigned lens[] = {TCP_FRAME_MAX + 1, 0x7fff, 0xffff};

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct pair p = make_pair("127.0.0.1", "127.0.0.1");
        uint8_t head[] = {0, 0, 0, 1, 'x', (uint8_t)(lens[i] >> 8), (uint8_t)lens[i]};
        uint8_t *frame = NULL;
        const uint8_t *peeked = NULL;
        size_t len = 0;

        cr_assert_eq(write(p.client, head, sizeof(head)), sizeof(head));
        wait_for(tcp_conn_fd(p.conn), POLLIN);
        cr_assert_eq(tcp_conn_read(p.conn), 0);
        cr_assert_eq(tcp_conn_next(p.conn, &frame, &len), 1);
        cr_assert_eq(tcp_conn_next(p.conn, &frame, &len), -EMSGSIZE);
        cr_assert_eq(tcp_conn_peek(p.conn, &peeked, &len), -EMSGSIZE);
        free_pair(&p);
    }
}

Test(tcp, tells_of_closed_connections)
{
    struct pair p = make_pair("127.0.0.1", "127.0.0.1");
    uint8_t *frame = NULL;
    size_t len = 0;

    cr_assert_eq(tcp_conn_read(p.conn), 0, "nothing there is no error");
    cr_assert_eq(write(p.client, "\0\5ab", 4), 4);
    shutdown(p.client, SHUT_WR);
    wait_for(tcp_conn_fd(p.conn), POLLIN);
    cr_assert_eq(tcp_conn_read(p.conn), 0);
    cr_assert_eq(tcp_conn_next(p.conn, &frame, &len), 0, "half a frame");
    wait_for(tcp_conn_fd(p.conn), POLLIN);
    cr_assert_eq(tcp_conn_read(p.conn), -ECONNRESET);
    free_pair(&p);

    p = make_pair("127.0.0.1", "127.0.0.1");
    struct linger hard = {.l_onoff = 1};
    setsockopt(p.client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(p.client);
    wait_for(tcp_conn_fd(p.conn), POLLIN);
    cr_assert_eq(tcp_conn_read(p.conn), -ECONNRESET);
    cr_assert_lt(tcp_conn_send(p.conn, (const uint8_t *)"x", 1), 0, "and no SIGPIPE");
    p.client = dup(p.listener);
    free_pair(&p);
}

/* Reads whole frames from a blocking socket and checks that they are numbered upwards. */
static unsigned drain_frames(int fd, unsigned *next, unsigned until)
{
    static uint8_t buf[70000];
    unsigned n = 0;

    while (*next <= until) {
        uint8_t head[2];
        cr_assert_eq(recv(fd, head, 2, MSG_WAITALL), 2);
        size_t len = (size_t)head[0] << 8 | head[1];
        cr_assert_eq(recv(fd, buf, len, MSG_WAITALL), (ssize_t)len);
        unsigned serial = (unsigned)buf[0] << 16 | (unsigned)buf[1] << 8 | buf[2];
        cr_assert_geq(serial, *next, "frames in order");
        for (size_t i = 3; i < len; i++) {
            cr_assert_eq(buf[i], (uint8_t)(serial + i), "a frame torn");
        }
        *next = serial + 1;
        n++;
    }
    return n;
}

Test(tcp, drops_whole_packets_when_the_queue_is_full)
{
    struct pair p = make_pair("127.0.0.1", "127.0.0.1");
    static uint8_t pkt[1400];
    unsigned sent = 0;
    unsigned dropped = 0;
    unsigned next = 1;
    unsigned last = 0;

    int small = 65536; /* keep the kernel's part small; a window below the MTU of lo stalls */
    setsockopt(tcp_conn_fd(p.conn), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    setsockopt(p.client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (unsigned serial = 1; dropped < 100; serial++) {
        size_t len = 3 + serial * 7919 % (sizeof(pkt) - 3);
        pkt[0] = (uint8_t)(serial >> 16);
        pkt[1] = (uint8_t)(serial >> 8);
        pkt[2] = (uint8_t)serial;
        for (size_t i = 3; i < len; i++) {
            pkt[i] = (uint8_t)(serial + i);
        }
        int r = tcp_conn_send(p.conn, pkt, len);
        cr_assert(r == 0 || r == -ENOBUFS);
        dropped += r == -ENOBUFS;
        sent += r == 0;
        last = r == 0 ? serial : last;
        cr_assert_lt(serial, 20000U);
    }
    cr_assert(tcp_conn_wants_write(p.conn));
    /* The peer reads; what was queued arrives, whole. */
    pid_t reader = fork();
    if (reader == 0) {
        unsigned n = drain_frames(p.client, &next, last);
        _exit(n == sent ? 0 : 1);
    }
    while (tcp_conn_wants_write(p.conn)) {
        wait_for(tcp_conn_fd(p.conn), POLLOUT);
        cr_assert_eq(tcp_conn_flush(p.conn), 0);
    }
    int status = -1;
    cr_assert_eq(waitpid(reader, &status, 0), reader);
    cr_assert_eq(status, 0, "status %d", status);
    cr_assert_eq(tcp_conn_send(p.conn, pkt, 0), -EMSGSIZE);
    cr_assert_eq(tcp_conn_send(p.conn, pkt, 65536), -EMSGSIZE);
    free_pair(&p);
}

Test(tcp, serves_both_families_and_gives_descriptors_back)
{
    static const char *const rows[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {"::", "127.0.0.1"}, {"::", "::1"}, {"0.0.0.0", "127.0.0.3"}};
    struct addr v6 = net_addr("::1", 0);
    int v6_fd = tcp_listen(&v6);

    if (v6_fd >= 0) {
        close(v6_fd);
    }
    int before = net_count_fds();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (v6_fd < 0 && strcmp(rows[i][1], "::1") == 0) {
            continue;
        }
        struct pair p = make_pair(rows[i][0], rows[i][1]);
        tcp_conn_set_id(p.conn, 77);
        cr_assert_eq(tcp_conn_path(p.conn)->conn, 77);
        cr_assert_not(tcp_conn_wants_write(p.conn));
        cr_assert_eq(tcp_conn_flush(p.conn), 0);
        struct addr taken = net_addr(rows[i][0], port_of(p.listener));
        cr_assert_eq(tcp_listen(&taken), -EADDRINUSE);
        free_pair(&p);
    }
    struct addr elsewhere = net_addr("192.0.2.77", 0);
    cr_assert_eq(tcp_listen(&elsewhere), -EADDRNOTAVAIL);
    tcp_conn_free(NULL);
    cr_assert_eq(net_count_fds(), before);
}
