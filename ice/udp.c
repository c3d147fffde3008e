/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Headers of Debian 12 have both; older ones may not. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define RX_SLOT_BYTES 65536 /* a GRO train is at most 65535 bytes */
#define RX_CTRL_BYTES 128
#define TX_CTRL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))
#define RX_EMPTY_MAX  4 /* batches of nothing but empty datagrams read in one call */

static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
                      CMSG_SPACE(sizeof(uint32_t)) <=
                  RX_CTRL_BYTES,
              "all control messages that were asked for fit");

struct rx_slot {
    struct sockaddr_storage from;
    _Alignas(struct cmsghdr) uint8_t ctrl[RX_CTRL_BYTES];
};

/* One message of a sendmmsg: a run, a piece of one, or a lone segment. */
struct tx_slot {
    struct sockaddr_storage to;
    struct iovec iov;
    _Alignas(struct cmsghdr) uint8_t ctrl[TX_CTRL_BYTES];
    int run;        /* index of its run */
    bool segmented; /* carries UDP_SEGMENT */
};

struct udp {
    int fd;
    int family;
    int rcvbuf;
    uint16_t port;
    bool one_address; /* bound to it: the kernel needs not be told the source */
    bool gso;
    uint32_t rxq_ovfl; /* the kernel's drop count when last seen */
    struct udp_stats stats;

    /* The last batch, and how far it was cut. */
    int rx_n;
    int rx_at;
    size_t rx_off;
    uint8_t *rx_mem; /* UDP_RX_BATCH slots */
    struct mmsghdr rx_msg[UDP_RX_BATCH];
    struct iovec rx_iov[UDP_RX_BATCH];
    struct rx_slot rx_slot[UDP_RX_BATCH];

    struct mmsghdr tx_msg[UDP_TX_RUNS];
    struct tx_slot tx_slot[UDP_TX_RUNS];
};

/* ---- opening ---- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static bool is_any_v6(const struct addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

static bool is_any(const struct addr *a)
{
    static const uint8_t zero[4];

    return is_any_v6(a) || (addr_is_v4(a) && memcmp(a->ip + 12, zero, sizeof(zero)) == 0);
}

static int bind_family(const struct addr *bind_to, int family, bool reuse_port)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = addr_to_sockaddr(bind_to, family, &sa);
    int err = 0;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (family == AF_INET6) {
        err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (err == 0 && reuse_port) {
        err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (err == 0 && bind(fd, (const struct sockaddr *)&sa, sa_len) < 0) {
        err = -errno;
    }
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

/* Returns a bound descriptor or -errno. */
static int open_bound(const struct addr *bind_to, bool reuse_port, int *ret_family)
{
    int family = addr_is_v4(bind_to) ? AF_INET : AF_INET6;
    int fd = bind_family(bind_to, family, reuse_port);

    if (is_any_v6(bind_to) && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
        struct addr v4 = {.ip = {[10] = 0xff, [11] = 0xff}, .port = bind_to->port};
        family = AF_INET;
        fd = bind_family(&v4, family, reuse_port);
    }
    if (fd >= 0) {
        *ret_family = family;
    }
    return fd;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    struct addr a = {0};

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
        addr_from_sockaddr(&a, (const struct sockaddr *)&sa) < 0) {
        return 0;
    }
    return a.port;
}

int udp_probe(const struct addr *bind, uint16_t *ret_port)
{
    int family = 0;
    int fd = open_bound(bind, false, &family);

    if (fd < 0) {
        return fd;
    }
    *ret_port = bound_port(fd);
    (void)close(fd);
    return 0;
}

/* Asks for a buffer; the FORCE form passes the sysctl limit where the process may. Returns what was
 * granted, without the kernel's doubling. */
static int size_buffer(int fd, int name, int force_name, int want)
{
    int got = 0;
    socklen_t len = sizeof(got);

    if (want > 0 && set_int(fd, SOL_SOCKET, force_name, want) < 0) {
        (void)set_int(fd, SOL_SOCKET, name, want);
    }
    return getsockopt(fd, SOL_SOCKET, name, &got, &len) < 0 ? 0 : got / 2;
}

static int set_options(struct udp *u, const struct udp_params *p)
{
    int old = 0;
    socklen_t len = sizeof(old);
    int err = u->family == AF_INET6 ? set_int(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                    : set_int(u->fd, IPPROTO_IP, IP_PKTINFO, 1);

    if (err < 0) {
        return err;
    }
    u->rcvbuf = size_buffer(u->fd, SO_RCVBUF, SO_RCVBUFFORCE, p->rcvbuf_bytes);
    (void)size_buffer(u->fd, SO_SNDBUF, SO_SNDBUFFORCE, p->sndbuf_bytes);
    /* Conveniences: without them the socket is slower or counts less, and works. */
    (void)set_int(u->fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (p->gro) {
        (void)set_int(u->fd, IPPROTO_UDP, UDP_GRO, 1);
    }
    u->gso = p->gso && getsockopt(u->fd, IPPROTO_UDP, UDP_SEGMENT, &old, &len) == 0;
    return 0;
}

static void wire_rx(struct udp *u)
{
    for (int i = 0; i < UDP_RX_BATCH; i++) {
        u->rx_iov[i] = (struct iovec){u->rx_mem + (size_t)i * RX_SLOT_BYTES, RX_SLOT_BYTES};
        u->rx_msg[i].msg_hdr = (struct msghdr){.msg_name = &u->rx_slot[i].from,
                                               .msg_iov = &u->rx_iov[i],
                                               .msg_iovlen = 1,
                                               .msg_control = u->rx_slot[i].ctrl};
    }
}

int udp_new(const struct udp_params *p, struct udp **ret)
{
    struct udp *u = calloc(1, sizeof(*u));
    void *mem = NULL;
    int err = 0;

    if (!u) {
        return -ENOMEM;
    }
    u->fd = open_bound(&p->bind, true, &u->family);
    if (u->fd < 0) {
        err = u->fd;
        free(u);
        return err;
    }
    u->port = bound_port(u->fd);
    u->one_address = !is_any(&p->bind);
    err = set_options(u, p);
    if (err == 0) {
        mem = mmap(NULL, (size_t)UDP_RX_BATCH * RX_SLOT_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        err = mem == MAP_FAILED ? -errno : 0;
    }
    if (err < 0) {
        (void)close(u->fd);
        free(u);
        return err;
    }
    u->rx_mem = mem;
    wire_rx(u);
    *ret = u;
    return 0;
}

void udp_free(struct udp *u)
{
    if (!u) {
        return;
    }
    (void)munmap(u->rx_mem, (size_t)UDP_RX_BATCH * RX_SLOT_BYTES);
    (void)close(u->fd);
    free(u);
}

int udp_fd(const struct udp *u)
{
    return u->fd;
}

uint16_t udp_port(const struct udp *u)
{
    return u->port;
}

int udp_rcvbuf(const struct udp *u)
{
    return u->rcvbuf;
}

bool udp_gso(const struct udp *u)
{
    return u->gso;
}

const struct udp_stats *udp_stats(const struct udp *u)
{
    return &u->stats;
}

/* ---- receiving ---- */

static void read_pktinfo(const struct cmsghdr *c, struct path *path)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        memset(path->local.ip, 0, 10);
        memset(path->local.ip + 10, 0xff, 2);
        /* spec_dst is ours even where the packet was sent to a broadcast address. */
        memcpy(path->local.ip + 12, &info.ipi_spec_dst, 4);
        path->ifindex = (uint32_t)info.ipi_ifindex;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        memcpy(path->local.ip, &info.ipi6_addr, sizeof(path->local.ip));
        path->ifindex = info.ipi6_ifindex;
    }
}

/* Fills path; returns the length of a segment, or 0 if the message is one datagram. */
static size_t read_ctrl(struct udp *u, struct msghdr *msg, struct path *path)
{
    size_t seg = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int v = 0;
            memcpy(&v, CMSG_DATA(c), sizeof(v));
            seg = v > 0 ? (size_t)v : 0;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t v = 0;
            memcpy(&v, CMSG_DATA(c), sizeof(v));
            u->stats.rx_kernel_drops += (uint32_t)(v - u->rxq_ovfl); /* the kernel's wraps */
            u->rxq_ovfl = v;
        } else {
            read_pktinfo(c, path);
        }
    }
    return seg;
}

static int read_batch(struct udp *u)
{
    int n = 0;

    for (int i = 0; i < UDP_RX_BATCH; i++) {
        u->rx_msg[i].msg_hdr.msg_namelen = sizeof(u->rx_slot[i].from);
        u->rx_msg[i].msg_hdr.msg_controllen = sizeof(u->rx_slot[i].ctrl);
    }
    do {
        n = recvmmsg(u->fd, u->rx_msg, UDP_RX_BATCH, MSG_DONTWAIT, NULL);
    } while (n < 0 && errno == EINTR);
    u->stats.rx_syscalls++;
    u->rx_at = 0;
    u->rx_off = 0;
    u->rx_n = MAX(n, 0);
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    return n;
}

/* Cuts the batch into datagrams from where it was left. */
static int cut_batch(struct udp *u, struct udp_in *ret, int max)
{
    int out = 0;

    while (u->rx_at < u->rx_n && out < max) {
        struct mmsghdr *m = &u->rx_msg[u->rx_at];
        uint8_t *buf = u->rx_iov[u->rx_at].iov_base;
        size_t len = m->msg_len;
        struct path from = {.transport = TRANSPORT_UDP};
        size_t seg = read_ctrl(u, &m->msg_hdr, &from);
        int err = addr_from_sockaddr(&from.remote, m->msg_hdr.msg_name);

        if (err < 0 || (m->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
            u->stats.rx_truncated++;
            len = 0;
        }
        seg = seg == 0 || seg > len ? len : seg;
        while (u->rx_off < len && out < max) {
            size_t n = MIN(seg, len - u->rx_off);
            ret[out++] = (struct udp_in){.buf = buf + u->rx_off, .len = (uint16_t)n, .from = from};
            u->rx_off += n;
            u->stats.rx_datagrams++;
            u->stats.rx_bytes += n;
        }
        if (u->rx_off >= len) {
            u->rx_at++;
            u->rx_off = 0;
        }
    }
    return out;
}

int udp_recv(struct udp *u, struct udp_in *ret, int max)
{
    for (int tries = 0; tries < RX_EMPTY_MAX; tries++) {
        int out = 0;
        if (u->rx_at == u->rx_n) {
            int n = read_batch(u);
            if (n <= 0) {
                return n;
            }
        }
        out = cut_batch(u, ret, max);
        if (out > 0 || max <= 0) {
            return out;
        }
    }
    return 0;
}

/* ---- sending ---- */

/* Appends a control message to ctrl, which has room; returns the new length. */
static size_t put_cmsg(uint8_t *ctrl, size_t at, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)(ctrl + at);

    memset(c, 0, CMSG_SPACE(len));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    return at + CMSG_SPACE(len);
}

/* The source address is set, the interface is not: routing may have changed since, and source
 * address selection is all that a multi-homed host needs. */
static size_t put_source(const struct udp *u, const struct path *to, uint8_t *ctrl)
{
    if (u->one_address || is_any_v6(&to->local) ||
        addr_is_v4(&to->local) != addr_is_v4(&to->remote)) {
        return 0;
    }
    if (u->family == AF_INET6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, to->local.ip, sizeof(info.ipi6_addr));
        return put_cmsg(ctrl, 0, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, to->local.ip + 12, 4);
    return put_cmsg(ctrl, 0, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

/* How many bytes of a run the next message takes. */
static uint32_t piece_len(const struct udp *u, const struct udp_run *r, uint32_t off)
{
    uint32_t left = r->len - off;
    uint32_t segs = UDP_RUN_BYTES / r->seg_len;

    if (left <= r->seg_len) {
        return left;
    }
    if (!u->gso || r->gso_off) {
        return r->seg_len;
    }
    segs = MAX(1U, MIN(segs, (uint32_t)UDP_RUN_SEGMENTS));
    return MIN(left, segs * r->seg_len);
}

/* Fills message m with len bytes of run r at off. Returns 0, or -errno if they cannot be
 * addressed. */
static int fill_msg(struct udp *u, int m, const struct udp_run *r, uint32_t off, uint32_t len)
{
    struct tx_slot *s = &u->tx_slot[m];
    struct msghdr *h = &u->tx_msg[m].msg_hdr;
    socklen_t to_len = addr_to_sockaddr(&r->to->remote, u->family, &s->to);
    size_t ctrl = 0;

    if (to_len == 0) {
        return -EAFNOSUPPORT;
    }
    ctrl = put_source(u, r->to, s->ctrl);
    s->segmented = len > r->seg_len;
    if (s->segmented) {
        ctrl = put_cmsg(s->ctrl, ctrl, IPPROTO_UDP, UDP_SEGMENT, &r->seg_len, sizeof(r->seg_len));
    }
    s->iov = (struct iovec){(void *)(uintptr_t)(r->buf + off), len};
    *h = (struct msghdr){.msg_name = &s->to,
                         .msg_namelen = to_len,
                         .msg_iov = &s->iov,
                         .msg_iovlen = 1,
                         .msg_control = ctrl ? s->ctrl : NULL,
                         .msg_controllen = ctrl};
    return 0;
}

static void fail_run(struct udp *u, struct udp_run *r, int err)
{
    r->error = err;
    u->stats.tx_errors++;
}

/* Makes messages out of the runs from first on. A run that cannot be sent at all is marked and left
 * out. */
static int fill_batch(struct udp *u, struct udp_run *runs, int first, int n)
{
    int m = 0;

    for (int i = first; i < n && m < UDP_TX_RUNS; i++) {
        struct udp_run *r = &runs[i];
        uint32_t off = 0;
        if (r->error == 0 && r->len > 0 && r->seg_len == 0) {
            fail_run(u, r, -EINVAL);
        }
        while (r->error == 0 && off < r->len && m < UDP_TX_RUNS) {
            uint32_t len = piece_len(u, r, off);
            int err = fill_msg(u, m, r, off, len);
            if (err < 0) {
                fail_run(u, r, err);
                break;
            }
            u->tx_slot[m++].run = i;
            off += len;
        }
    }
    return m;
}

/* Message m went out: its run starts behind it now. */
static void advance_run(struct udp *u, struct udp_run *runs, int m)
{
    struct udp_run *r = &runs[u->tx_slot[m].run];
    uint32_t len = (uint32_t)u->tx_slot[m].iov.iov_len;

    r->buf += len;
    r->len -= len;
    u->stats.tx_messages++;
    u->stats.tx_datagrams += (len + r->seg_len - 1) / r->seg_len;
    u->stats.tx_bytes += len;
}

static int skip_done(const struct udp_run *runs, int at, int n)
{
    while (at < n && (runs[at].error != 0 || runs[at].len == 0)) {
        at++;
    }
    return at;
}

int udp_send(struct udp *u, struct udp_run *runs, int n)
{
    int at = 0;

    for (int i = 0; i < n; i++) {
        runs[i].error = 0;
    }
    for (at = skip_done(runs, 0, n); at < n; at = skip_done(runs, at, n)) {
        int msgs = fill_batch(u, runs, at, n);
        int sent = 0;
        int err = 0;
        struct udp_run *r = NULL;

        if (msgs == 0) {
            continue; /* everything left was marked */
        }
        sent = sendmmsg(u->fd, u->tx_msg, (unsigned)msgs, MSG_DONTWAIT | MSG_NOSIGNAL);
        err = sent < 0 ? errno : 0;
        u->stats.tx_syscalls++;
        for (int m = 0; m < sent; m++) {
            advance_run(u, runs, m);
        }
        if (sent >= 0 || err == EINTR) {
            continue; /* if it stopped early, the next call tells why */
        }
        if (err == EAGAIN || err == EWOULDBLOCK) {
            u->stats.tx_full++;
            break;
        }
        r = &runs[u->tx_slot[0].run];
        if (u->tx_slot[0].segmented && (err == EINVAL || err == EMSGSIZE || err == EIO)) {
            r->gso_off = true;
        } else {
            fail_run(u, r, -err);
        }
    }
    return at;
}
