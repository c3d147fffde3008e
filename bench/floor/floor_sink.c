/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/floor/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define RCVBUF_BYTES (1 << 20)
#define BATCH        32
#define EVENTS       256
#define POLL_NS      1000000 /* a sleeping reader would charge its wake-ups to the sender */

static int open_socket(struct sockaddr_in *ret)
{
    int one = 1, size = RCVBUF_BYTES;
    socklen_t len = sizeof(*ret);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)ret, sizeof(*ret)) < 0 ||
        getsockname(fd, (struct sockaddr *)ret, &len) < 0) {
        return -errno;
    }
    (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return fd;
}

static _Noreturn void read_forever(const int *fds, unsigned n, int cpu)
{
    static uint8_t bytes[BATCH][65536];
    struct iovec iov[BATCH];
    struct mmsghdr msgs[BATCH];
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
    }
    for (unsigned i = 0; i < n; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[i]};
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    for (;;) {
        struct timespec ts = {.tv_nsec = POLL_NS};
        int m = epoll_wait(ep, events, EVENTS, 0);
        if (m <= 0) {
            nanosleep(&ts, NULL); /* lint: allow BANNED the polling interval is the measurement's */
        }
        for (int i = 0; i < m; i++) {
            for (int k = 0; k < BATCH; k++) {
                iov[k] = (struct iovec){bytes[k], sizeof(bytes[k])};
                msgs[k].msg_hdr = (struct msghdr){.msg_iov = &iov[k], .msg_iovlen = 1};
            }
            (void)recvmmsg(events[i].data.fd, msgs, BATCH, MSG_DONTWAIT, NULL);
        }
    }
}

int floor_sink_start(struct floor_sink *s, unsigned n, int cpu)
{
    struct rlimit files = {n + 64, n + 64};
    int *fds = calloc(n, sizeof(*fds));

    (void)setrlimit(RLIMIT_NOFILE, &files);
    *s = (struct floor_sink){.to = calloc(n, sizeof(*s->to)), .n = n};
    for (unsigned i = 0; fds && s->to && i < n; i++) {
        fds[i] = open_socket(&s->to[i]);
        if (fds[i] < 0) {
            return fds[i];
        }
    }
    if (!fds || !s->to) {
        return -ENOMEM;
    }
    s->pid = fork();
    if (s->pid == 0) {
        read_forever(fds, n, cpu);
    }
    for (unsigned i = 0; i < n; i++) {
        close(fds[i]);
    }
    free(fds);
    return s->pid < 0 ? -errno : 0;
}

void floor_sink_stop(struct floor_sink *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    free(s->to);
    *s = (struct floor_sink){0};
}
