/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - a bare UDP socket towards the server's candidate, for what no peer would send. */
#include "tests/conformance/suite.h"

#include "tests/peer/peer_bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PRIORITY_PRFLX 1853693695U

struct probe {
    struct suite *suite;
    struct peer_watch watch;
    bool woken;
    uint16_t port;
    struct probe *next;
};

static void on_ready(void *ctx, uint32_t events)
{
    (void)events;
    ((struct probe *)ctx)->woken = true;
}

static bool is_woken(void *ctx)
{
    return ((struct probe *)ctx)->woken;
}

/* The first UDP candidate, IPv4 preferred. */
static bool find_candidate(const struct check_doc *d, struct sockaddr_storage *ret)
{
    for (int v6 = 0; v6 < 2; v6++) {
        for (int s = 1; s <= d->n_sections; s++) {
            const char *v;
            for (int i = 0; (v = check_nth(d, s, "a=candidate:", i)); i++) {
                char transport[8], ip[64];
                unsigned component, priority, port;
                if (sscanf(v, "%*s %u %7s %u %63s %u", &component, transport, &priority, ip,
                           &port) != 5 ||
                    strcasecmp(transport, "udp") != 0) {
                    continue;
                }
                struct sockaddr_in *four = (struct sockaddr_in *)ret;
                struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
                memset(ret, 0, sizeof(*ret));
                ret->ss_family = v6 ? AF_INET6 : AF_INET;
                if (inet_pton(ret->ss_family, ip,
                              v6 ? (void *)&six->sin6_addr : (void *)&four->sin_addr) == 1) {
                    four->sin_port = htons((uint16_t)port); /* same place as sin6_port */
                    return true;
                }
            }
        }
    }
    return false;
}

struct probe *probe_open(struct party *p)
{
    struct probe *pr = suite_alloc(p->suite, sizeof(*pr));
    struct sockaddr_storage to, own;
    socklen_t len = sizeof(own);

    if (!suite_expect(p->suite, p->created->status == 201, "a session (201)", "%s",
                      reply_brief(p->created)) ||
        !suite_expect(p->suite, find_candidate(&p->answer, &to), "a UDP candidate in the answer",
                      "none")) {
        return NULL;
    }
    pr->suite = p->suite;
    pr->watch = (struct peer_watch){.fn = on_ready, .ctx = pr};
    pr->watch.fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (pr->watch.fd < 0 ||
        connect(pr->watch.fd, (struct sockaddr *)&to,
                to.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                         : sizeof(struct sockaddr_in)) ||
        getsockname(pr->watch.fd, (struct sockaddr *)&own, &len)) {
        fprintf(stderr, "no UDP socket: %s\n", strerror(errno));
        exit(2);
    }
    pr->port = ntohs(((struct sockaddr_in *)&own)->sin_port);
    pr->next = p->probes;
    p->probes = pr;
    return pr;
}

void probe_close_all(struct party *p)
{
    for (struct probe *pr = p->probes; pr; pr = pr->next) {
        close(pr->watch.fd);
    }
    p->probes = NULL;
}

uint16_t probe_port(const struct probe *pr)
{
    return pr->port;
}

void probe_send(struct probe *pr, const void *buf, size_t len)
{
    (void)!send(pr->watch.fd, buf, len, 0);
}

size_t probe_recv(struct probe *pr, unsigned ms, uint8_t *buf, size_t cap)
{
    int64_t end_us = suite_now_us() + (int64_t)ms * 1000;

    for (;;) {
        ssize_t n = recv(pr->watch.fd, buf, cap, 0);
        int64_t left_us = end_us - suite_now_us();
        if (n > 0) {
            return (size_t)n;
        }
        if (left_us <= 0) {
            return 0;
        }
        pr->woken = false;
        (void)peer_loop_watch(pr->suite->loop, &pr->watch, EPOLLIN);
        (void)suite_until_ms(pr->suite, (unsigned)(left_us / 1000 + 1), is_woken, pr);
        peer_loop_unwatch(pr->suite->loop, &pr->watch);
    }
}

const char *probe_remote_pwd(struct party *p)
{
    const char *pwd = doc_get(&p->answer, doc_tagged(&p->answer), "a=ice-pwd:");

    return pwd ? pwd : "";
}

void probe_check(struct party *p, struct peer_stun *ret)
{
    const char *theirs = doc_get(&p->answer, doc_tagged(&p->answer), "a=ice-ufrag:");
    const char *ours = doc_get(&p->offer, 1, "a=ice-ufrag:");

    *ret = (struct peer_stun){
        .type = PEER_STUN_REQUEST,
        .priority = PRIORITY_PRFLX,
        .has_controlling = true,
        .tie_breaker = 0x1122334455667788,
        .use_candidate = true,
    };
    snprintf(ret->username, sizeof(ret->username), "%.250s:%.250s", theirs ? theirs : "",
             ours ? ours : "");
    (void)RAND_bytes(ret->tid, sizeof(ret->tid));
}

bool probe_ask_raw(struct probe *pr, const uint8_t *buf, size_t len, unsigned ms,
                   struct peer_stun *ret, uint8_t *raw)
{
    uint8_t own[PROBE_MAX];
    uint8_t *in = raw ? raw : own;
    int64_t end_us = suite_now_us() + (int64_t)ms * 1000;

    probe_send(pr, buf, len);
    for (;;) {
        int64_t left_us = end_us - suite_now_us();
        size_t n = left_us > 0 ? probe_recv(pr, (unsigned)(left_us / 1000 + 1), in, PROBE_MAX) : 0;
        if (!n) {
            return false;
        }
        /* a message that this reader refuses still counts as an answer: type 0 */
        if (n >= 20 && in[0] <= 3 && !memcmp(in + 8, buf + 8, 12) && (in[0] & 1) == 1) {
            if (peer_stun_read(in, n, ret) < 0) {
                *ret = (struct peer_stun){.type = 0};
            }
            return true;
        }
    }
}

bool probe_ask(struct probe *pr, const struct peer_stun *rq, const char *password, unsigned ms,
               struct peer_stun *ret, uint8_t *raw)
{
    uint8_t buf[1200];
    size_t n = peer_stun_write(rq, password, buf, sizeof(buf));

    return n && probe_ask_raw(pr, buf, n, ms, ret, raw);
}

struct suite *probe_suite(const struct probe *pr)
{
    return pr->suite;
}

int probe_fd(const struct probe *pr)
{
    return pr->watch.fd;
}

bool probe_nominate(struct probe *pr, struct party *p)
{
    struct peer_stun rq, answer = {0};

    probe_check(p, &rq);
    bool any = probe_ask(pr, &rq, probe_remote_pwd(p), 2000, &answer, NULL);
    return suite_expect(p->suite, any && answer.type == PEER_STUN_SUCCESS,
                        "a check is answered with success", "%s", any ? "an error" : "nothing");
}

/* ---- by hand ---- */

void probe_begin(struct probe_message *m, uint16_t type)
{
    *m = (struct probe_message){.len = 20};
    peer_put16(m->buf, type);
    peer_put32(m->buf + 4, 0x2112A442);
    (void)RAND_bytes(m->buf + 8, 12);
}

void probe_attr(struct probe_message *m, uint16_t type, const void *value, size_t len)
{
    peer_put16(m->buf + m->len, type);
    peer_put16(m->buf + m->len + 2, (uint32_t)len);
    memcpy(m->buf + m->len + 4, value, len);
    m->len += 4 + (len + 3) / 4 * 4;
    peer_put16(m->buf + 2, (uint32_t)(m->len - 20));
}

void probe_sign(struct probe_message *m, const char *password)
{
    uint8_t mac[20];
    unsigned n = sizeof(mac);

    peer_put16(m->buf + 2, (uint32_t)(m->len + 24 - 20));
    HMAC(EVP_sha1(), password, (int)strlen(password), m->buf, m->len, mac, &n);
    probe_attr(m, 0x0008, mac, sizeof(mac));
}

void probe_fingerprint(struct probe_message *m)
{
    uint32_t crc = 0xffffffff;
    uint8_t v[4];

    peer_put16(m->buf + 2, (uint32_t)(m->len + 8 - 20));
    for (size_t i = 0; i < m->len; i++) {
        crc ^= m->buf[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        }
    }
    peer_put32(v, ~crc ^ 0x5354554e);
    probe_attr(m, 0x8028, v, sizeof(v));
}
