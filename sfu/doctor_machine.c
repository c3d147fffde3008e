/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>

#include "ice/udp.h"
#include "sfu/doctor_check.h"
#include "signaling/announce.h"

#define RCVBUF_MIN_BYTES (512 * 1024)

static void check_buffers(struct doctor *d)
{
    const struct udp_params p = {.rcvbuf_bytes = d->conf->media.rcvbuf_bytes,
                                 .sndbuf_bytes = d->conf->media.sndbuf_bytes,
                                 .gso = d->conf->media.gso};
    struct udp *u;
    int err = udp_new(&p, &u);
    if (err) {
        doctor_say(d, WRONG, "udp", "no UDP socket can be made: %s", strerror(-err));
        return;
    }
    int got = udp_rcvbuf(u), asked = d->conf->media.rcvbuf_bytes;
    if (asked < RCVBUF_MIN_BYTES) {
        doctor_say(d, WRONG, "buffers",
                   "media.rcvbuf_bytes is %d: a burst of key frames is lost in it; set 4194304",
                   asked);
    } else if (got < asked) {
        doctor_say(d, got < RCVBUF_MIN_BYTES ? WRONG : DOUBTFUL, "buffers",
                   "the kernel grants %d of %d bytes to receive into; run: sysctl -w "
                   "net.core.rmem_max=%d",
                   got, asked, asked);
    } else {
        doctor_say(d, FINE, "buffers", "%d bytes to receive into", got);
    }
    if (d->conf->media.gso && !udp_gso(u)) {
        doctor_say(
            d, DOUBTFUL, "segments",
            "this kernel does not segment UDP (Linux 4.18 does): sending costs about twice as "
            "much");
    }
    udp_free(u);
}

static void check_kernel_clock(struct doctor *d)
{
    struct timex t = {.modes = 0};
    if (adjtimex(&t) == TIME_ERROR) {
        doctor_say(
            d, DOUBTFUL, "clock",
            "the kernel says that nothing keeps the clock right; run: timedatectl set-ntp true");
    }
}

/* A moment that a certificate names, against now. */
static void check_cert_file(struct doctor *d)
{
    const char *path = d->conf->tls.cert_file;
    if (!path[0]) {
        return;
    }
    FILE *f = fopen(path, "r");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    struct tm tm;
    if (!cert) {
        doctor_say(d, WRONG, "certificate", "%s cannot be read as PEM: %s", path,
                   f ? "no certificate in it" : strerror(errno));
    } else if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
        doctor_say_expiry(d, path, (int64_t)timegm(&tm));
    }
    X509_free(cert);
    if (f) {
        fclose(f);
    }
}

static void check_files(struct doctor *d)
{
    struct rlimit l;
    rlim_t want = (rlim_t)d->conf->http.max_connections + 256;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_max < want) {
        doctor_say(
            d, DOUBTFUL, "descriptors",
            "%llu open files are allowed, http.max_connections alone is %d; raise LimitNOFILE",
            (unsigned long long)l.rlim_max, d->conf->http.max_connections);
    }
}

static bool is_public_name(const struct conf *c)
{
    char host[CONF_STR_MAX];
    uint16_t port;
    struct addr a;
    if (c->http.public_origin[0]) {
        return !strstr(c->http.public_origin, "localhost") &&
               !strstr(c->http.public_origin, "127.0.0.1");
    }
    return conf_split_host_port(c->http.listen, host, sizeof(host), &port) == 0 &&
           addr_parse_ip(host, port, &a) == 0 && !addr_is_loopback(&a);
}

static void check_announced(struct doctor *d)
{
    struct announce list;
    const char *bad = "";
    int err = announce_build(d->conf, 1, &list, &bad);
    bool all_private = true, all_loopback = true;
    if (err) {
        doctor_say(d, WRONG, "announce", "%s; set media.announce to the address that clients reach",
                   err == -EINVAL ? "media.announce has an entry that is no IP address"
                                  : "this machine has no address that can be announced");
        return;
    }
    for (int i = 0; i < list.n; i++) {
        all_private &= addr_is_private(&list.addrs[i]);
        all_loopback &= addr_is_loopback(&list.addrs[i]);
    }
    if (is_public_name(d->conf) && all_loopback) {
        doctor_say(
            d, WRONG, "announce",
            "answers name only this machine's loopback; set media.announce to the address that "
            "clients reach");
    } else if (is_public_name(d->conf) && all_private) {
        doctor_say(d, DOUBTFUL, "announce",
                   "answers name only private addresses: clients outside this network need "
                   "media.announce = the public one");
    }
}

void doctor_machine_check(struct doctor *d)
{
    check_buffers(d);
    check_kernel_clock(d);
    check_cert_file(d);
    check_files(d);
    check_announced(d);
}
