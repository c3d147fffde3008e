/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/http_bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ice/addr.h"

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct addr a = {0};
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
        addr_from_sockaddr(&a, (const struct sockaddr *)&ss) < 0) {
        return 0;
    }
    return a.port;
}

int http_bind(const char *listen_at, int *ret_fd, uint16_t *ret_port)
{
    char host[CONF_STR_MAX];
    char service[8];
    uint16_t port;
    if (conf_split_host_port(listen_at, host, sizeof(host), &port) < 0) {
        return -EINVAL;
    }
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &found) != 0) {
        return -EADDRNOTAVAIL;
    }
    int r = -EADDRNOTAVAIL;
    for (struct addrinfo *i = found; i != NULL; i = i->ai_next) {
        int one = 1;
        int zero = 0;
        int fd = socket(i->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            r = -errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (i->ai_family == AF_INET6) {
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        }
        if (bind(fd, i->ai_addr, i->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
            *ret_fd = fd;
            *ret_port = bound_port(fd);
            r = 0;
            break;
        }
        r = -errno;
        close(fd);
    }
    freeaddrinfo(found);
    return r;
}
