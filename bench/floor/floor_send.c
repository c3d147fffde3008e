/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/floor/floor.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

struct slot {
    struct iovec iov;
    _Alignas(struct cmsghdr) uint8_t ctrl[CMSG_SPACE(sizeof(uint16_t))];
};

static struct mmsghdr msgs[FLOOR_RUNS];
static struct slot slots[FLOOR_RUNS];

/* One message out of run r from packet at on: as many packets as may share it. Returns how many. */
static unsigned fill(unsigned m, const struct floor_run *r, unsigned at, uint8_t *from,
                     unsigned segments)
{
    struct slot *s = &slots[m];
    struct msghdr *h = &msgs[m].msg_hdr;
    size_t len = r->lens[at];
    unsigned n = 1;

    while (at + n < r->n && n < segments && r->lens[at + n - 1] == r->lens[at] &&
           r->lens[at + n] <= r->lens[at]) {
        len += r->lens[at + n++];
    }
    s->iov = (struct iovec){from, len};
    *h = (struct msghdr){.msg_name = (void *)(uintptr_t)r->to,
                         .msg_namelen = sizeof(*r->to),
                         .msg_iov = &s->iov,
                         .msg_iovlen = 1};
    if (n > 1) {
        h->msg_control = s->ctrl;
        h->msg_controllen = sizeof(s->ctrl);
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        memcpy(CMSG_DATA(c), &r->lens[at], sizeof(uint16_t));
    }
    return n;
}

static int flush(int fd, unsigned n, bool single, struct floor_sent *sent)
{
    for (unsigned at = 0; at < n;) {
        int got = single ? (sendmsg(fd, &msgs[at].msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1)
                         : sendmmsg(fd, msgs + at, n - at, MSG_DONTWAIT);
        sent->calls++;
        if (got > 0) {
            at += (unsigned)got;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            (void)poll(&p, 1, 100);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int floor_send(int fd, const struct floor_way *way, const struct floor_run *runs, unsigned n,
               struct floor_sent *sent)
{
    unsigned m = 0;

    for (unsigned i = 0; i < n; i++) {
        uint8_t *from = runs[i].buf;
        for (unsigned at = 0; at < runs[i].n;) {
            at += fill(m, &runs[i], at, from, way->segments);
            from += slots[m].iov.iov_len;
            sent->bytes += slots[m].iov.iov_len;
            sent->messages++;
            if (++m == way->batch) {
                int err = flush(fd, m, way->batch == 1, sent);
                if (err) {
                    return err;
                }
                m = 0;
            }
        }
        sent->datagrams += runs[i].n;
    }
    return m ? flush(fd, m, way->batch == 1, sent) : 0;
}
