/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/clock.h"
#include "ice/caller.h"
#include "rtp/bytes.h"
#include "sfu/doctor_check.h"
#include "signaling/client.h"
#include "signaling/entropy.h"

#define CLOCK_OFF_S      30 /* tokens and TURN credentials survive less */
#define HTTP_TIMEOUT_MS  5000
#define CHECK_TIMEOUT_MS 1500
#define DTLS_TIMEOUT_MS  5000
#define PACKETS          50
#define PACKET_EVERY_MS  20
#define PACKET_LEN       60
#define RTP_HEAD         12
#define TIME_AT          16 /* where the time of sending stands in a packet */
#define OPUS_PT          111
#define OPUS_TICKS       960
#define OPUS_TOC         0xf8
#define OUR_SSRC         1
#define WHEP_TRIES       10

/* ---- HTTP ---- */

static struct client client_for(const struct doctor *d, const char *token)
{
    return (struct client){
        .token = token,
        /* On this machine the name in it is another; doctor_machine_check() has looked at it. */
        .any_cert = d->ours || d->bad_cert,
        .timeout_ms = HTTP_TIMEOUT_MS,
    };
}

static void judge_clock(struct doctor *d, int64_t server_s)
{
    int64_t off_s = server_s ? clock_wall_us() / US_PER_S - server_s : 0;
    if (off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S) {
        doctor_say(
            d, WRONG, "clock",
            "this machine and the server differ by %lld s: tokens and TURN credentials fail; run "
            "timedatectl set-ntp true on both",
            (long long)off_s);
    } else if (server_s) {
        doctor_say(d, FINE, "clock", "this machine and the server agree");
    }
}

bool doctor_server_http(struct doctor *d, const char *url)
{
    struct client c = client_for(d, NULL);
    struct client_answer a;
    int err = client_get(&c, url, &a);
    if (err && a.bad_cert) {
        doctor_say(d, WRONG, "certificate", "%s: %s; renew it, or use a name that it has", url,
                   a.why);
        client_answer_fini(&a);
        d->bad_cert = true;
        c.any_cert = true;
        err = client_get(&c, url, &a);
    } else if (!err && a.cert_expires_s && !d->ours) {
        doctor_say_expiry(d, "the server's certificate", a.cert_expires_s);
    }
    if (err && a.refused) {
        doctor_say(d, WRONG, "http", "%s: %s; start sluice there, or open the port", url, a.why);
    } else if (err && strstr(a.why, "wrong version number")) {
        doctor_say(d, WRONG, "http",
                   "%s: there is no TLS at this port; say http:// or set tls.cert_file", url);
    } else if (err) {
        doctor_say(d, WRONG, "http", "%s does not answer: %s", url, a.why);
    } else {
        doctor_say(d, FINE, "http", "%s answers", url);
        judge_clock(d, a.date_s);
    }
    client_answer_fini(&a);
    return err == 0;
}

/* ---- a session of ours ---- */

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

/* n random characters that ICE allows: no '-', no '_'. */
static void ice_text(char *out, size_t n)
{
    entropy_text(out, n);
    for (char *p = out; *p; p++) {
        *p = *p == '-' || *p == '_' ? 'x' : *p;
    }
}

/* POSTs an offer. Returns 0; c->status and c->why say what happened else. */
static int post(struct doctor *d, struct call *c, bool publish, const struct cert *cert)
{
    const char *token = publish ? d->publish_token : d->play_token;
    struct client cl = client_for(d, token);
    char ufrag[ICE_OUR_UFRAG_LEN + 1], pwd[ICE_OUR_PWD_LEN + 1], fp[208];
    char url[CLIENT_URL_MAX];
    struct client_answer a = {0};
    ice_text(ufrag, 8);
    ice_text(pwd, ICE_OUR_PWD_LEN);
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
        doctor_say(d, WRONG, what, "%d: %s Give --token, and the --stream that it is for",
                   c->status, c->why);
    } else {
        doctor_say(d, WRONG, what, "the server refuses the session with %d: %s", c->status, c->why);
    }
}

static const char *in_words(int err, char other[80])
{
    switch (err) {
    case -ETIMEDOUT:
        return "does not answer";
    case -ECONNREFUSED:
        return "is closed";
    case -EACCES:
        return "is another server's";
    default:
        snprintf(other, 80, "cannot be reached (%s)", strerror(-err));
        return other;
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
        char other[80];
        addr_format(&k->addr, true, text);
        int err =
            caller_check(c->caller, &c->remote, &k->addr, k->transport, CHECK_TIMEOUT_MS, &us);
        if (!err) {
            doctor_say(d, FINE, "reachable", "%s/%s answers in %.1f ms", text, name,
                       (double)us / 1000);
            best = !best && k->transport == TRANSPORT_UDP ? &k->addr : best;
        } else if (host_answers && !addr_equal(&host, &k->addr)) {
            char real[ADDR_TEXT_MAX];
            doctor_say(
                d, WRONG, "announce",
                "the answer names %s/%s, which %s, while %s does answer: set media.announce to an "
                "address that clients reach",
                text, name, in_words(err, other), addr_format(&host, true, real));
        } else {
            doctor_say(
                d, WRONG, "port",
                "%s/%s %s: open it in the firewall (udp and tcp), publish it from the container, "
                "or "
                "correct media.announce",
                text, name, in_words(err, other));
        }
    }
    if (!c->n_candidates) {
        doctor_say(d, WRONG, "announce", "the answer names no address at all: set media.announce");
    }
    return best;
}

/* ---- media there and back ---- */

/* Number and time of sending in a payload that nobody decodes. */
static int send_one(struct caller *c, unsigned n)
{
    uint8_t pkt[PACKET_LEN] = {0x80, OPUS_PT, [RTP_HEAD] = OPUS_TOC};
    bytes_store16(pkt + 2, (uint16_t)n);
    bytes_store32(pkt + 4, n * OPUS_TICKS);
    bytes_store32(pkt + 8, OUR_SSRC);
    bytes_store64(pkt + TIME_AT, (uint64_t)clock_now_us());
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
        uint8_t *sent = pkt + len - (PACKET_LEN - TIME_AT); /* behind any extensions */
        if (t->got < PACKETS) {
            t->us[t->got++] = clock_now_us() - (int64_t)bytes_load64(sent);
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
        doctor_say(d, WRONG, "dtls", "the viewer's handshake fails: %s (%s)", why, strerror(-err));
    } else {
        listen_for(play.caller, clock_now_us() + 300 * US_PER_MS, &t);
        qsort(t.us, t.got, sizeof(t.us[0]), compare_us);
        doctor_say(d, t.got >= PACKETS - PACKETS / 10 ? FINE : WRONG, "media",
                   "%u of %d packets came back, half of them within %.1f ms%s", t.got, PACKETS,
                   t.got ? (double)t.us[t.got / 2] / 1000 : 0.0,
                   t.got ? "" : ": UDP passes one way only, look at the firewall's state table");
    }
    hang_up(d, &play, d->play_token);
}

void doctor_server_media(struct doctor *d)
{
    struct cert *cert = cert_new();
    struct call pub = {0};
    const char *why = "";
    int err = cert ? post(d, &pub, true, cert) : -ENOMEM;
    if (err == -EPERM) {
        blame_post(d, &pub, "whip");
    } else if (err) {
        doctor_say(d, WRONG, "whip", "%s/whip/%s: %s", d->base, d->stream,
                   err == -EBADMSG ? "the answer is no usable SDP" : pub.why);
    } else {
        doctor_say(d, FINE, "whip", "%s/whip/%s accepts a publisher", d->base, d->stream);
        const struct addr *to = check_candidates(d, &pub);
        err = to ? caller_connect(pub.caller, &pub.remote, to, DTLS_TIMEOUT_MS, &why) : 0;
        if (err) {
            doctor_say(d, WRONG, "dtls", "the publisher's handshake fails: %s (%s)", why,
                       strerror(-err));
        } else if (to) {
            exchange(d, &pub, to, cert);
        }
    }
    hang_up(d, &pub, d->publish_token);
    cert_free(cert);
}
