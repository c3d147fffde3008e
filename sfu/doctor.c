/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - the checks of doctor.h, each a short function that reports findings in one form: what
 * was looked at, what was found, what to do. */
#include "sfu/doctor.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "ice/caller.h"
#include "ice/udp.h"
#include "signaling/announce.h"
#include "signaling/client.h"
#include "signaling/entropy.h"

#define CERT_SOON_S      (14 * 86400) /* an expiry this near is worth a warning */
#define CLOCK_OFF_S      30           /* tokens and TURN credentials survive less */
#define RCVBUF_MIN_BYTES (512 * 1024)
#define HTTP_TIMEOUT_MS  5000
#define CHECK_TIMEOUT_MS 1500
#define DTLS_TIMEOUT_MS  5000
#define PACKETS          50
#define PACKET_EVERY_MS  20
#define PACKET_LEN       60
#define RTP_HEAD         12
#define OPUS_PT          111
#define OPUS_TICKS       960
#define WHEP_TRIES       10

enum finding {
    FINE,
    DOUBTFUL,
    WRONG,
};

struct doctor {
    const struct conf *conf; /* NULL: another machine is examined */
    bool to_log;             /* at start: only what is not fine, into the log */
    int worst;
    char base[CONF_STR_MAX + 16]; /* "http://host:port" */
    bool ours;                    /* base is this machine's */
    bool bad_cert;                /* said already: go on all the same */
    char stream[CONF_STR_MAX];
    const char *publish_token, *play_token;
};

static void say(struct doctor *d, enum finding f, const char *what, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void say(struct doctor *d, enum finding f, const char *what, const char *fmt, ...)
{
    static const char *const words[] = {"ok   ", "warn ", "WRONG"};
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->worst = MAX(d->worst, (int)f);
    if (!d->to_log) {
        printf("%s %-12s %s\n", words[f], what, text);
        fflush(stdout);
    } else if (f != FINE) {
        log_warn("doctor", LOG_STR("check", what), LOG_STR("finding", text));
    }
}

/* ---- this machine ---- */

static void check_buffers(struct doctor *d)
{
    const struct udp_params p = {.rcvbuf_bytes = d->conf->media.rcvbuf_bytes,
                                 .sndbuf_bytes = d->conf->media.sndbuf_bytes,
                                 .gso = d->conf->media.gso};
    struct udp *u;
    int err = udp_new(&p, &u);
    if (err) {
        say(d, WRONG, "udp", "no UDP socket can be made: %s", strerror(-err));
        return;
    }
    int got = udp_rcvbuf(u), asked = d->conf->media.rcvbuf_bytes;
    if (asked < RCVBUF_MIN_BYTES) {
        say(d, WRONG, "buffers",
            "media.rcvbuf_bytes is %d: a burst of key frames is lost in it; set 4194304", asked);
    } else if (got < asked) {
        say(d, got < RCVBUF_MIN_BYTES ? WRONG : DOUBTFUL, "buffers",
            "the kernel grants %d of %d bytes to receive into; run: sysctl -w "
            "net.core.rmem_max=%d",
            got, asked, asked);
    } else {
        say(d, FINE, "buffers", "%d bytes to receive into", got);
    }
    if (d->conf->media.gso && !udp_gso(u)) {
        say(d, DOUBTFUL, "segments",
            "this kernel does not segment UDP (Linux 4.18 does): sending costs about twice as "
            "much");
    }
    udp_free(u);
}

static void check_kernel_clock(struct doctor *d)
{
    struct timex t = {.modes = 0};
    if (adjtimex(&t) == TIME_ERROR) {
        say(d, DOUBTFUL, "clock",
            "the kernel says that nothing keeps the clock right; run: timedatectl set-ntp true");
    }
}

/* A moment that a certificate names, against now. */
static void judge_expiry(struct doctor *d, const char *what, int64_t expires_s)
{
    int64_t left_s = expires_s - clock_wall_us() / US_PER_S;
    if (left_s <= 0) {
        say(d, WRONG, "certificate", "%s expired %lld days ago: renew it, then send SIGHUP", what,
            (long long)(-left_s / 86400));
    } else if (left_s < CERT_SOON_S) {
        say(d, DOUBTFUL, "certificate", "%s expires in %lld days: renew it, then send SIGHUP", what,
            (long long)(left_s / 86400));
    } else {
        say(d, FINE, "certificate", "%s is valid for %lld days", what, (long long)(left_s / 86400));
    }
}

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
        say(d, WRONG, "certificate", "%s cannot be read as PEM: %s", path,
            f ? "no certificate in it" : strerror(errno));
    } else if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
        judge_expiry(d, path, (int64_t)timegm(&tm));
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
        say(d, DOUBTFUL, "descriptors",
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
        say(d, WRONG, "announce", "%s; set media.announce to the address that clients reach",
            err == -EINVAL ? "media.announce has an entry that is no IP address"
                           : "this machine has no address that can be announced");
        return;
    }
    for (int i = 0; i < list.n; i++) {
        all_private &= addr_is_private(&list.addrs[i]);
        all_loopback &= addr_is_loopback(&list.addrs[i]);
    }
    if (is_public_name(d->conf) && all_loopback) {
        say(d, WRONG, "announce",
            "answers name only this machine's loopback; set media.announce to the address that "
            "clients reach");
    } else if (is_public_name(d->conf) && all_private) {
        say(d, DOUBTFUL, "announce",
            "answers name only private addresses: clients outside this network need "
            "media.announce = the public one");
    }
}

static void check_machine(struct doctor *d)
{
    check_buffers(d);
    check_kernel_clock(d);
    check_cert_file(d);
    check_files(d);
    check_announced(d);
}

void doctor_warn(const struct conf *c)
{
    struct doctor d = {.conf = c, .to_log = true};
    check_machine(&d);
}

/* ---- the server ---- */

static struct client client_for(const struct doctor *d, const char *token)
{
    return (struct client){
        .token = token,
        /* On this machine the name in it is another; check_cert_file has looked at it. */
        .any_cert = d->ours || d->bad_cert,
        .timeout_ms = HTTP_TIMEOUT_MS,
    };
}

static void judge_clock(struct doctor *d, int64_t server_s)
{
    int64_t off_s = server_s ? clock_wall_us() / US_PER_S - server_s : 0;
    if (off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S) {
        say(d, WRONG, "clock",
            "this machine and the server differ by %lld s: tokens and TURN credentials fail; run "
            "timedatectl set-ntp true on both",
            (long long)off_s);
    } else if (server_s) {
        say(d, FINE, "clock", "this machine and the server agree");
    }
}

/* True when the server answers over HTTP at all. */
static bool check_http(struct doctor *d, const char *url)
{
    struct client c = client_for(d, NULL);
    struct client_answer a;
    int err = client_get(&c, url, &a);
    if (err && a.bad_cert) {
        say(d, WRONG, "certificate", "%s: %s; renew it, or use a name that it has", url, a.why);
        client_answer_fini(&a);
        d->bad_cert = true;
        c.any_cert = true;
        err = client_get(&c, url, &a);
    } else if (!err && a.cert_expires_s && !d->ours) {
        judge_expiry(d, "the server's certificate", a.cert_expires_s);
    }
    if (err && a.refused) {
        say(d, WRONG, "http", "%s: %s; start sluice there, or open the port", url, a.why);
    } else if (err) {
        say(d, WRONG, "http", "%s does not answer: %s", url, a.why);
    } else {
        say(d, FINE, "http", "%s answers", url);
        judge_clock(d, a.date_s);
    }
    client_answer_fini(&a);
    return err == 0;
}

/* One session of ours at the server. */
struct call {
    struct caller *caller;
    struct caller_remote remote;
    struct candidate candidates[CANDIDATE_MAX];
    int n_candidates;
    int status;
    char location[CLIENT_URL_MAX];
    char why[256];
};

static void hang_up(struct doctor *d, struct call *c, const char *token)
{
    if (c->location[0]) {
        struct client cl = client_for(d, token);
        struct client_answer a;
        client_delete(&cl, c->location, &a);
        client_answer_fini(&a);
    }
    caller_free(c->caller);
    c->caller = NULL;
    c->location[0] = '\0';
}

/* POSTs an offer. Returns 0; c->status and c->why say what happened else. */
static int post(struct doctor *d, struct call *c, bool publish, const struct cert *cert)
{
    const char *token = publish ? d->publish_token : d->play_token;
    struct client cl = client_for(d, token);
    char ufrag[ICE_OUR_UFRAG_LEN + 1], pwd[ICE_OUR_PWD_LEN + 1], fp[208];
    char url[CLIENT_URL_MAX];
    struct client_answer a = {0};
    entropy_text(ufrag, 8);
    entropy_text(pwd, ICE_OUR_PWD_LEN);
    for (char *p = ufrag; *p; p++) { /* ice-chars have no '-' or '_' */
        *p = *p == '-' || *p == '_' ? 'x' : *p;
    }
    for (char *p = pwd; *p; p++) {
        *p = *p == '-' || *p == '_' ? 'x' : *p;
    }
    fingerprint_format(cert_fingerprint(cert), fp, sizeof(fp));
    snprintf(url, sizeof(url), "%s/%s/%s", d->base, publish ? "whip" : "whep", d->stream);
    char *offer = client_audio_offer(publish, ufrag, pwd, fp);
    c->caller = caller_new(cert, ufrag, pwd);
    int err = offer && c->caller ? client_post(&cl, url, offer, &a) : -ENOMEM;
    c->status = a.status;
    memcpy(c->why, a.why, sizeof(c->why));
    if (!err && a.status == 201) {
        memcpy(c->location, a.location, sizeof(c->location));
        struct client_remote r;
        c->n_candidates = client_read_answer(&a, &r, c->candidates, CANDIDATE_MAX);
        if (c->n_candidates >= 0) {
            memcpy(c->remote.ufrag, r.ufrag, sizeof(r.ufrag));
            memcpy(c->remote.pwd, r.pwd, sizeof(r.pwd));
            memcpy(c->remote.fingerprints, r.fingerprints, sizeof(r.fingerprints));
            c->remote.n_fingerprints = r.n_fingerprints;
        }
        err = c->n_candidates < 0 ? c->n_candidates : 0;
    } else if (!err) {
        err = -EPERM;
    }
    if (err) {
        hang_up(d, c, token);
    }
    free(offer);
    client_answer_fini(&a);
    return err;
}

static void blame_post(struct doctor *d, const struct call *c, const char *what)
{
    if (c->status == 401 || c->status == 403) {
        say(d, WRONG, what, "%d: %s; give --token and --stream that it is for", c->status, c->why);
    } else {
        say(d, WRONG, what, "the server refuses the session with %d: %s", c->status, c->why);
    }
}

static const char *in_words(int err)
{
    switch (err) {
    case -ETIMEDOUT:
        return "does not answer";
    case -ECONNREFUSED:
        return "is closed";
    case -EACCES:
        return "is another server's";
    default:
        return strerror(-err);
    }
}

/* The host that base names, at the port of the candidates: where the server is, whatever it
 * announces. */
static bool host_of_base(const struct doctor *d, uint16_t port, struct addr *ret)
{
    char host[CONF_STR_MAX];
    const char *at = strstr(d->base, "://");
    if (!at) {
        return false;
    }
    at += 3;
    size_t n = *at == '[' ? strcspn(++at, "]") : strcspn(at, ":/");
    if (n >= sizeof(host)) {
        return false;
    }
    memcpy(host, at, n);
    host[n] = '\0';
    return addr_parse_ip(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, ret) == 0;
}

/* Checks every announced address. Returns the first that answers over UDP. */
static const struct addr *check_candidates(struct doctor *d, struct call *c)
{
    const struct addr *best = NULL;
    struct addr host;
    char text[ADDR_TEXT_MAX];
    uint16_t port = c->n_candidates ? c->candidates[0].addr.port : 0;
    bool host_answers = false;
    int64_t us;
    if (port && host_of_base(d, port, &host)) {
        host_answers =
            caller_check(c->caller, &c->remote, &host, TRANSPORT_UDP, CHECK_TIMEOUT_MS, &us) == 0;
    }
    for (int i = 0; i < c->n_candidates; i++) {
        const struct candidate *k = &c->candidates[i];
        const char *name = k->transport == TRANSPORT_UDP ? "udp" : "tcp";
        addr_format(&k->addr, true, text);
        int err =
            caller_check(c->caller, &c->remote, &k->addr, k->transport, CHECK_TIMEOUT_MS, &us);
        if (!err) {
            say(d, FINE, "reachable", "%s/%s answers in %.1f ms", text, name, (double)us / 1000);
            best = !best && k->transport == TRANSPORT_UDP ? &k->addr : best;
        } else if (host_answers && !addr_equal(&host, &k->addr)) {
            char real[ADDR_TEXT_MAX];
            say(d, WRONG, "announce",
                "the answer names %s/%s, which %s, while %s does answer: set media.announce to an "
                "address that clients reach",
                text, name, in_words(err), addr_format(&host, true, real));
        } else {
            say(d, WRONG, "port",
                "%s/%s %s: open it in the firewall (udp and tcp), publish it from the container, "
                "or "
                "correct media.announce",
                text, name, in_words(err));
        }
    }
    if (!c->n_candidates) {
        say(d, WRONG, "announce", "the answer names no address at all: set media.announce");
    }
    return best;
}

/* ---- media there and back ---- */

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8) {
        p[i] = (uint8_t)v;
    }
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Number and time of sending in a payload that nobody decodes. */
static int send_one(struct caller *c, unsigned n)
{
    uint32_t ts = n * OPUS_TICKS;
    uint8_t pkt[PACKET_LEN] = {0x80,
                               OPUS_PT,
                               (uint8_t)(n >> 8),
                               (uint8_t)n,
                               (uint8_t)(ts >> 24),
                               (uint8_t)(ts >> 16),
                               (uint8_t)(ts >> 8),
                               (uint8_t)ts,
                               0,
                               0,
                               0,
                               1,
                               0xf8};
    put64(pkt + RTP_HEAD + 4, (uint64_t)clock_now_us());
    return caller_send_rtp(c, n, pkt, RTP_HEAD, sizeof(pkt));
}

struct tally {
    unsigned got;
    int64_t us[PACKETS];
};

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Listens until the next packet is to be sent. */
static void listen_for(struct caller *c, int64_t until_us, struct tally *t)
{
    for (;;) {
        uint8_t pkt[2048];
        int64_t left_us = until_us - clock_now_us();
        int len = left_us <= 0 || !c
                      ? 0
                      : caller_recv_rtp(c, (int)(left_us / US_PER_MS + 1), pkt, sizeof(pkt));
        if (len < PACKET_LEN) {
            if (len <= 0 && left_us <= 0) {
                return;
            }
            continue;
        }
        size_t head = (size_t)len - (PACKET_LEN - RTP_HEAD); /* extensions are ours to skip */
        if (t->got < PACKETS) {
            t->us[t->got++] = clock_now_us() - (int64_t)get64(pkt + head + 4);
        }
    }
}

/* Sends what a microphone would, and joins as a viewer as soon as the stream is live. */
static void exchange(struct doctor *d, struct call *pub, const struct addr *to,
                     const struct cert *cert)
{
    struct call play = {0};
    struct tally t = {0};
    const char *why = "no answer";
    unsigned n = 1, first = 0;
    int err = -EAGAIN, tries = 0;
    int64_t next_us = clock_now_us();
    while (!first || n < first + PACKETS) {
        (void)send_one(pub->caller, n++);
        next_us += PACKET_EVERY_MS * US_PER_MS;
        listen_for(first ? play.caller : NULL, next_us, &t);
        if (!first && n % 5 == 0 && tries++ < WHEP_TRIES) {
            err = post(d, &play, false, cert);
            if (!err) {
                err = caller_connect(play.caller, &play.remote, to, DTLS_TIMEOUT_MS, &why);
                tries = WHEP_TRIES;
            }
            first = err ? 0 : n;
            next_us = clock_now_us();
        }
        if (!first && tries >= WHEP_TRIES) {
            break;
        }
    }
    if (!first && play.status != 201) {
        blame_post(d, &play, "whep");
    } else if (!first) {
        say(d, WRONG, "dtls", "the viewer's handshake fails: %s (%s)", why, strerror(-err));
    } else {
        listen_for(play.caller, clock_now_us() + 300 * US_PER_MS, &t);
        qsort(t.us, t.got, sizeof(t.us[0]), compare_us);
        say(d, t.got >= PACKETS - PACKETS / 10 ? FINE : WRONG, "media",
            "%u of %d packets came back, half of them within %.1f ms%s", t.got, PACKETS,
            t.got ? (double)t.us[t.got / 2] / 1000 : 0.0,
            t.got ? "" : ": UDP passes one way only, look at the firewall's state table");
    }
    hang_up(d, &play, d->play_token);
}

static void check_media(struct doctor *d)
{
    struct cert *cert = cert_new();
    struct call pub = {0};
    const char *why = "";
    int err = cert ? post(d, &pub, true, cert) : -ENOMEM;
    if (err == -EPERM) {
        blame_post(d, &pub, "whip");
    } else if (err) {
        say(d, WRONG, "whip", "%s/whip/%s: %s", d->base, d->stream,
            err == -EBADMSG ? "the answer is no usable SDP" : pub.why);
    } else {
        say(d, FINE, "whip", "%s/whip/%s accepts a publisher", d->base, d->stream);
        const struct addr *to = check_candidates(d, &pub);
        err = to ? caller_connect(pub.caller, &pub.remote, to, DTLS_TIMEOUT_MS, &why) : 0;
        if (err) {
            say(d, WRONG, "dtls", "the publisher's handshake fails: %s (%s)", why, strerror(-err));
        } else if (to) {
            exchange(d, &pub, to, cert);
        }
    }
    hang_up(d, &pub, d->publish_token);
    cert_free(cert);
}

/* ---- what to examine ---- */

/* Where a server with these settings listens, as seen from this machine. */
static void base_of_conf(struct doctor *d)
{
    const struct conf *c = d->conf;
    char host[CONF_STR_MAX];
    uint16_t port = 0;
    bool tls = c->tls.cert_file[0] || c->tls.self_signed;
    if (conf_split_host_port(c->http.listen, host, sizeof(host), &port)) {
        return;
    }
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    }
    bool v6 = strchr(host, ':');
    snprintf(d->base, sizeof(d->base), "%s://%s%.200s%s:%u", tls ? "https" : "http", v6 ? "[" : "",
             host, v6 ? "]" : "", port);
    d->ours = true;
}

/* A token of the configuration for each half, and a stream that its pattern allows. */
static void tokens_of_conf(struct doctor *d, const char *name)
{
    const struct conf *c = d->conf;
    for (int i = 0; i < c->auth.n_tokens; i++) {
        const struct conf_token *t = &c->auth.tokens[i];
        if (t->publish && !d->publish_token) {
            size_t star = strcspn(t->pattern, "*");
            snprintf(d->stream, sizeof(d->stream), "%.*s%s", (int)MIN(star, 100u), t->pattern,
                     t->pattern[star] ? name : "");
            d->publish_token = t->token;
        }
    }
    for (int i = 0; i < c->auth.n_tokens; i++) {
        const struct conf_token *t = &c->auth.tokens[i];
        size_t star = strcspn(t->pattern, "*");
        if (t->play && !d->play_token && strncmp(t->pattern, d->stream, star) == 0) {
            d->play_token = t->token;
        }
    }
}

static int usage(void)
{
    fputs("usage: sluice doctor [flags of sluice]              this machine, with its settings\n"
          "       sluice doctor URL [--token T] [--stream S]   a server, from outside\n",
          stderr);
    return CONF_EXIT;
}

static int examine(struct doctor *d)
{
    if (seal_backend_select(SEAL_AUTO) || client_init()) {
        return EXIT_FAILURE;
    }
    if (d->conf) {
        check_machine(d);
        if (d->conf->http.public_origin[0]) {
            struct doctor outside = {.worst = d->worst};
            (void)check_http(&outside, d->conf->http.public_origin);
            d->worst = outside.worst;
        }
    }
    if (check_http(d, d->base)) {
        check_media(d);
    }
    client_fini();
    puts(d->worst == FINE       ? "All is well."
         : d->worst == DOUBTFUL ? "It works; the lines marked warn are worth a look."
                                : "Something is wrong: the lines marked WRONG say what to do.");
    return d->worst == WRONG ? EXIT_FAILURE : EXIT_SUCCESS;
}

int doctor_main(int argc, char **argv, char **envp)
{
    struct doctor d = {0};
    struct conf_request req = {0};
    struct conf_error err = {0};
    char name[32] = "doctor-";
    entropy_text(name + strlen(name), 8);
    for (char *p = name; *p; p++) {
        *p = *p == '_' ? 'x' : *p;
    }
    memcpy(d.stream, name, strlen(name) + 1);
    if (argc > 2 && strncmp(argv[2], "http", 4) == 0) {
        size_t len = strlen(argv[2]);
        if (len >= sizeof(d.base)) {
            return usage();
        }
        memcpy(d.base, argv[2], len + 1);
        while (len && d.base[len - 1] == '/') {
            d.base[--len] = '\0';
        }
        for (int i = 3; i < argc; i += 2) {
            if (i + 1 < argc && strcmp(argv[i], "--token") == 0) {
                d.publish_token = d.play_token = argv[i + 1];
            } else if (i + 1 < argc && strcmp(argv[i], "--stream") == 0) {
                snprintf(d.stream, sizeof(d.stream), "%s", argv[i + 1]);
            } else {
                return usage();
            }
        }
        return examine(&d);
    }
    struct conf *c = calloc(1, sizeof(*c));
    int code = CONF_EXIT;
    argv[1] = argv[0];
    if (!c || conf_load(argc - 1, argv + 1, envp, c, &req, &err) < 0) {
        fprintf(stderr, "sluice: %s\n", err.text[0] ? err.text : "out of memory");
    } else if (req.help) {
        (void)usage();
        code = EXIT_SUCCESS;
    } else {
        d.conf = c;
        base_of_conf(&d);
        tokens_of_conf(&d, name);
        code = examine(&d);
    }
    free(c);
    return code;
}
