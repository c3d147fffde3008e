/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEN_BYTES     2 /* RFC 4571: each frame is preceded by its length */
#define RX_BYTES      (4 * (TCP_FRAME_MAX + LEN_BYTES))
#define LISTEN_QUEUE  256
#define PKT_BYTES_MAX 65535

static_assert(LEN_BYTES + PKT_BYTES_MAX <= TCP_TX_QUEUE_BYTES, "a partly sent frame always fits");

struct tcp_conn {
    int fd;
    struct path path;
    size_t rx_start; /* first unconsumed byte */
    size_t rx_end;
    size_t tx_start;
    size_t tx_end;
    uint8_t *tx; /* TCP_TX_QUEUE_BYTES; pages are not touched until the socket is full */
    uint8_t rx[RX_BYTES];
};

static int set_flag(int fd, int level, int name)
{
    int one = 1;

    return setsockopt(fd, level, name, &one, sizeof(one)) < 0 ? -errno : 0;
}

static int try_listen(const struct addr *bind_to, int family)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(bind_to, family, &sa);
    int zero = 0;
    int err = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    err = set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
    if (err == 0 && family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0) {
        err = -errno;
    }
    if (err == 0 &&
        (bind(fd, (const struct sockaddr *)&sa, sa_len) < 0 || listen(fd, LISTEN_QUEUE) < 0)) {
        err = -errno;
    }
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

int tcp_listen(const struct addr *bind)
{
    static const uint8_t any[16];
    int fd = try_listen(bind, addr_is_v4(bind) ? AF_INET : AF_INET6);

    if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && memcmp(bind->ip, any, sizeof(any)) == 0) {
        struct addr v4 = {.port = bind->port, .ip = {[10] = 0xff, [11] = 0xff}};
        return try_listen(&v4, AF_INET);
    }
    return fd;
}

int tcp_accept(int listen_fd, struct path *ret_path)
{
    struct sockaddr_storage remote = {0};
    struct sockaddr_storage local = {0};
    socklen_t remote_len = sizeof(remote);
    socklen_t local_len = sizeof(local);
    struct path path = {.transport = TRANSPORT_TCP};
    int err = 0;
    int fd =
        accept4(listen_fd, (struct sockaddr *)&remote, &remote_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
    err = set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
    if (err == 0 && getsockname(fd, (struct sockaddr *)&local, &local_len) < 0) {
        err = -errno;
    }
    if (err == 0) {
        err = addr_from_sockaddr(&path.remote, (const struct sockaddr *)&remote);
    }
    if (err == 0) {
        err = addr_from_sockaddr(&path.local, (const struct sockaddr *)&local);
    }
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    *ret_path = path;
    return fd;
}

struct tcp_conn *tcp_conn_new(int fd, const struct path *path)
{
    struct tcp_conn *c = calloc(1, sizeof(*c));

    if (c) {
        c->tx = malloc(TCP_TX_QUEUE_BYTES);
    }
    if (!c || !c->tx) {
        free(c);
        (void)close(fd);
        return NULL;
    }
    c->fd = fd;
    c->path = *path;
    return c;
}

void tcp_conn_free(struct tcp_conn *c)
{
    if (!c) {
        return;
    }
    (void)close(c->fd);
    free(c->tx);
    free(c);
}

int tcp_conn_fd(const struct tcp_conn *c)
{
    return c->fd;
}

const struct path *tcp_conn_path(const struct tcp_conn *c)
{
    return &c->path;
}

void tcp_conn_set_id(struct tcp_conn *c, uint64_t id)
{
    c->path.conn = id;
}

int tcp_conn_read(struct tcp_conn *c)
{
    ssize_t n = 0;

    if (c->rx_start > 0) {
        memmove(c->rx, c->rx + c->rx_start, c->rx_end - c->rx_start);
        c->rx_end -= c->rx_start;
        c->rx_start = 0;
    }
    if (c->rx_end == RX_BYTES) {
        return 0; /* whole frames wait: the caller takes them first */
    }
    do {
        n = recv(c->fd, c->rx + c->rx_end, RX_BYTES - c->rx_end, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        return -ECONNRESET;
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    c->rx_end += (size_t)n;
    return 0;
}

/* Where the next frame that is not empty lies; empty ones are stepped over. Returns as
 * tcp_conn_next. */
static int find_frame(struct tcp_conn *c, size_t *ret_len)
{
    while (c->rx_end - c->rx_start >= LEN_BYTES) {
        size_t len = (size_t)c->rx[c->rx_start] << 8 | c->rx[c->rx_start + 1];
        if (len > TCP_FRAME_MAX) {
            return -EMSGSIZE;
        }
        if (len > 0) {
            if (c->rx_end - c->rx_start < LEN_BYTES + len) {
                return 0;
            }
            *ret_len = len;
            return 1;
        }
        c->rx_start += LEN_BYTES;
    }
    return 0;
}

int tcp_conn_next(struct tcp_conn *c, uint8_t **ret_frame, size_t *ret_len)
{
    size_t len = 0;
    int r = find_frame(c, &len);

    if (r == 1) {
        *ret_frame = c->rx + c->rx_start + LEN_BYTES;
        *ret_len = len;
        c->rx_start += LEN_BYTES + len;
    }
    return r;
}

int tcp_conn_peek(struct tcp_conn *c, const uint8_t **ret_frame, size_t *ret_len)
{
    size_t len = 0;
    int r = find_frame(c, &len);

    if (r == 1) {
        *ret_frame = c->rx + c->rx_start + LEN_BYTES;
        *ret_len = len;
    }
    return r;
}

int tcp_conn_flush(struct tcp_conn *c)
{
    while (c->tx_start < c->tx_end) {
        ssize_t n =
            send(c->fd, c->tx + c->tx_start, c->tx_end - c->tx_start, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        }
        c->tx_start += (size_t)n;
    }
    c->tx_start = 0;
    c->tx_end = 0;
    return 0;
}

static void queue_bytes(struct tcp_conn *c, const uint8_t *p, size_t len)
{
    memcpy(c->tx + c->tx_end, p, len);
    c->tx_end += len;
}

/* Appends a frame of which the socket already took skip bytes. */
static void queue_frame(struct tcp_conn *c, const uint8_t head[LEN_BYTES], const uint8_t *pkt,
                        size_t len, size_t skip)
{
    if (TCP_TX_QUEUE_BYTES - c->tx_end < LEN_BYTES + len) {
        memmove(c->tx, c->tx + c->tx_start, c->tx_end - c->tx_start);
        c->tx_end -= c->tx_start;
        c->tx_start = 0;
    }
    if (skip < LEN_BYTES) {
        queue_bytes(c, head + skip, LEN_BYTES - skip);
        skip = LEN_BYTES;
    }
    queue_bytes(c, pkt + (skip - LEN_BYTES), len - (skip - LEN_BYTES));
}

int tcp_conn_send(struct tcp_conn *c, const uint8_t *pkt, size_t len)
{
    uint8_t head[LEN_BYTES] = {(uint8_t)(len >> 8), (uint8_t)len};
    struct iovec iov[2] = {{head, LEN_BYTES}, {(void *)(uintptr_t)pkt, len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t n = 0;

    if (len == 0 || len > PKT_BYTES_MAX) {
        return -EMSGSIZE;
    }
    if (c->tx_start == c->tx_end) {
        do {
            n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            return -errno;
        }
        n = MAX(n, 0);
        if ((size_t)n == LEN_BYTES + len) {
            return 0;
        }
    } else if (c->tx_end - c->tx_start + LEN_BYTES + len > TCP_TX_QUEUE_BYTES) {
        return -ENOBUFS;
    }
    queue_frame(c, head, pkt, len, (size_t)n);
    return 0;
}

bool tcp_conn_wants_write(const struct tcp_conn *c)
{
    return c->tx_start < c->tx_end;
}
