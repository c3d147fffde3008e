/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls.h"
#include "ice/cert_private.h"
#include "ice/dtls_bio.h"
#include "ice/dtls_ctx.h"
#include "ice/dtls_filter.h"
#include "ice/dtls_stub.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define HANDSHAKE_US    (10LL * US_PER_S)
#define RETRANSMITS_MAX 8
#define WAIT_MAX_US     (4LL * US_PER_S)
#define CLOSE_COPIES    2 /* of close_notify: nothing repeats it when it is lost */
#define ALERT_WARNING   1
#define ALERT_FATAL     2
#define CLOSE_NOTIFY    0

struct dtls {
    enum dtls_role role;
    enum dtls_state state;
    const char *fail_reason;
    SSL *ssl; /* NULL after dtls_shrink */
    struct dtls_io io;
    struct dtls_filter filter;
    struct dtls_peer peer;
    struct dtls_stub stub; /* valid when ssl is NULL */
    uint8_t *plain;        /* DTLS_DATAGRAM_MAX bytes for application data; made in DTLS_UP */
    bool more;             /* the last datagram may hold more application data */
    unsigned retransmits;
    int64_t deadline_us;           /* for dtls_on_timer */
    int64_t handshake_deadline_us; /* in DTLS_HANDSHAKE */
};

struct dtls *dtls_new(const struct dtls_params *p)
{
    struct dtls *d = calloc(1, sizeof(*d));
    if (!d) {
        return NULL;
    }
    d->role = p->role;
    d->deadline_us = INT64_MAX;
    d->peer.no_media = p->no_media;
    d->peer.only_cm = p->only_cm;
    d->peer.n_fingerprints = MIN(p->n_fingerprints, DTLS_FINGERPRINTS_MAX);
    if (d->peer.n_fingerprints > 0) {
        memcpy(d->peer.fingerprints, p->fingerprints,
               d->peer.n_fingerprints * sizeof(*p->fingerprints));
    }
    dtls_filter_init(&d->filter, p->role == DTLS_SERVER);
    d->ssl = dtls_ctx_session(p->cert->ctx, &d->peer, dtls_bio_new(&d->io), p->role == DTLS_SERVER);
    if (!d->ssl) {
        free(d);
        return NULL;
    }
    return d;
}

void dtls_free(struct dtls *d)
{
    if (d) {
        SSL_free(d->ssl);
        dtls_bio_clear(&d->io);
        free(d->plain);
        OPENSSL_cleanse(d, sizeof(*d));
        free(d);
    }
}

enum dtls_state dtls_state(const struct dtls *d)
{
    return d->state;
}

const char *dtls_fail_reason(const struct dtls *d)
{
    return d->fail_reason;
}

uint32_t dtls_filtered(const struct dtls *d)
{
    uint32_t sum = 0;
    for (int i = 0; i < DTLS_FILTER_COUNT; i++) {
        sum += d->filter.drops[i];
    }
    return sum;
}

/* ---- progress ---- */

static void fail(struct dtls *d, const char *reason)
{
    d->state = DTLS_FAILED;
    d->fail_reason = reason;
    d->deadline_us = INT64_MAX;
}

/* OpenSSL counts its retransmission time in the wall clock. What it has left is carried over to the
 * caller's clock after every call; a wait is capped, so that a wall clock that jumps back delays a
 * retransmission by no more than that. */
static void set_deadline(struct dtls *d, int64_t now_us)
{
    struct timeval left;
    d->deadline_us = INT64_MAX;
    if (d->state != DTLS_HANDSHAKE && d->state != DTLS_UP) {
        return;
    }
    if (d->ssl && DTLSv1_get_timeout(d->ssl, &left) == 1) {
        int64_t wait_us = (int64_t)left.tv_sec * US_PER_S + left.tv_usec;
        d->deadline_us = now_us + MIN(wait_us, WAIT_MAX_US);
    }
    if (d->state == DTLS_HANDSHAKE) {
        d->deadline_us = MIN(d->deadline_us, d->handshake_deadline_us);
    }
}

static void finish(struct dtls *d)
{
    const char *missing = dtls_ctx_check_finished(d->ssl, &d->peer);
    d->plain = missing ? NULL : malloc(DTLS_DATAGRAM_MAX);
    if (!d->plain) {
        SSL_shutdown(d->ssl);
        fail(d, missing ? missing : "memory");
        return;
    }
    /* All our suites but ChaCha20 carry an explicit nonce. */
    int nid = SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(d->ssl));
    dtls_filter_set_up(&d->filter, nid == NID_chacha20_poly1305 ? DTLS_SEALED_MIN_UNKNOWN
                                                                : DTLS_SEALED_MIN_AES_GCM);
    d->state = DTLS_UP;
}

static void close_by_peer(struct dtls *d)
{
    SSL_shutdown(d->ssl); /* answers with a close_notify of ours, RFC 5246 7.2.1 */
    d->state = DTLS_CLOSED;
}

/* Sorts out a call of OpenSSL that did not succeed. */
static void on_ssl_result(struct dtls *d, int result)
{
    switch (SSL_get_error(d->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_ZERO_RETURN:
        close_by_peer(d);
        break;
    default:
        fail(d, dtls_ctx_error(&d->peer));
        break;
    }
}

static void shake_hands(struct dtls *d)
{
    ERR_clear_error();
    int r = SSL_do_handshake(d->ssl);
    if (r == 1) {
        finish(d);
    } else {
        on_ssl_result(d, r);
    }
}

/* Next application data, or 0 when the datagram holds no more. */
static size_t read_data(struct dtls *d)
{
    ERR_clear_error();
    int n = SSL_read(d->ssl, d->plain, DTLS_DATAGRAM_MAX);
    if (n > 0) {
        return (size_t)n;
    }
    on_ssl_result(d, n);
    return 0;
}

void dtls_start(struct dtls *d, int64_t now_us)
{
    if (d->role != DTLS_CLIENT || d->state != DTLS_NEW) {
        return;
    }
    d->state = DTLS_HANDSHAKE;
    d->handshake_deadline_us = now_us + HANDSHAKE_US;
    shake_hands(d);
    set_deadline(d, now_us);
}

/* After dtls_shrink: alerts are all that still matters. */
static void stub_on_datagram(struct dtls *d, const uint8_t *buf, size_t len)
{
    while (len > 0 && d->state == DTLS_UP) {
        /* The filter has checked that records fill the datagram exactly. */
        size_t n = DTLS_RECORD_HDR + ((size_t)buf[11] << 8 | buf[12]);
        uint8_t level;
        uint8_t description;
        if (dtls_stub_read_alert(&d->stub, buf, n, &level, &description)) {
            if (description == CLOSE_NOTIFY) {
                dtls_close(d);
            } else if (level == ALERT_FATAL) {
                fail(d, "peer_alert");
            }
        }
        buf += n;
        len -= n;
    }
}

static void on_records(struct dtls *d, const uint8_t *buf, size_t len, size_t *ret_len)
{
    /* What the caller left of the last datagram must not be taken for part of this one. */
    while (d->more && len > 0 && d->state == DTLS_UP) {
        d->more = read_data(d) > 0;
    }
    if (len > 0) {
        d->io.in = buf;
        d->io.in_len = len;
    }
    if (d->state == DTLS_HANDSHAKE) {
        shake_hands(d);
    }
    if (d->state == DTLS_UP) {
        *ret_len = read_data(d);
        d->more = *ret_len > 0;
    }
    d->io.in = NULL;
}

enum dtls_state dtls_on_datagram(struct dtls *d, int64_t now_us, const uint8_t *buf, size_t len,
                                 const uint8_t **ret_data, size_t *ret_len)
{
    *ret_len = 0;
    *ret_data = NULL;
    if (d->state == DTLS_CLOSED || d->state == DTLS_FAILED) {
        return d->state;
    }
    if (len == 0) {
        if (!d->more) {
            return d->state;
        }
    } else if (dtls_filter_check(&d->filter, now_us, buf, len) != DTLS_FILTER_OK) {
        return d->state;
    }
    if (d->state == DTLS_NEW) {
        if (d->role == DTLS_CLIENT) {
            return d->state; /* nothing was asked yet */
        }
        d->state = DTLS_HANDSHAKE;
        d->handshake_deadline_us = now_us + HANDSHAKE_US;
    }
    if (!d->ssl) {
        stub_on_datagram(d, buf, len);
    } else {
        on_records(d, buf, len, ret_len);
        *ret_data = *ret_len > 0 ? d->plain : NULL;
    }
    set_deadline(d, now_us);
    return d->state;
}

size_t dtls_poll(struct dtls *d, uint8_t *out, size_t cap)
{
    return dtls_bio_pop(&d->io, out, cap);
}

void dtls_on_timer(struct dtls *d, int64_t now_us)
{
    if (now_us < d->deadline_us) {
        return;
    }
    if (d->state == DTLS_HANDSHAKE && now_us >= d->handshake_deadline_us) {
        fail(d, "timeout");
        return;
    }
    if (d->ssl) {
        ERR_clear_error();
        long r = DTLSv1_handle_timeout(d->ssl);
        if (r < 0 || (r > 0 && ++d->retransmits > RETRANSMITS_MAX)) {
            ERR_clear_error();
            fail(d, "timeout");
            return;
        }
    }
    set_deadline(d, now_us);
}

int64_t dtls_next_deadline(const struct dtls *d)
{
    return d->deadline_us;
}

/* ---- after the handshake ---- */

int dtls_export_keys(struct dtls *d, struct srtp_keys *ret_tx, struct srtp_keys *ret_rx)
{
    if (d->state != DTLS_UP || !d->ssl) {
        return -EAGAIN;
    }
    return dtls_ctx_export(d->ssl, &d->peer.proof, ret_tx, ret_rx);
}

int dtls_send(struct dtls *d, const uint8_t *data, size_t len)
{
    if (d->state != DTLS_UP || !d->ssl) {
        return -EAGAIN;
    }
    if (len == 0 || len > DTLS_MTU - 64) {
        return -EMSGSIZE;
    }
    ERR_clear_error();
    int n = SSL_write(d->ssl, data, (int)len);
    if (n <= 0) {
        on_ssl_result(d, n);
        return -EAGAIN;
    }
    return 0;
}

void dtls_close(struct dtls *d)
{
    if (d->state == DTLS_CLOSED || d->state == DTLS_FAILED) {
        return;
    }
    if (d->state == DTLS_UP && d->ssl) {
        SSL_shutdown(d->ssl);
        dtls_bio_repeat_last(&d->io);
        ERR_clear_error();
    } else if (d->state == DTLS_UP) {
        for (int i = 0; i < CLOSE_COPIES; i++) {
            uint8_t record[DTLS_ALERT_RECORD_MAX];
            size_t n =
                dtls_stub_alert(&d->stub, ALERT_WARNING, CLOSE_NOTIFY, record, sizeof(record));
            dtls_bio_push(&d->io, record, n);
        }
    }
    d->state = DTLS_CLOSED;
    d->deadline_us = INT64_MAX;
}

void dtls_shrink(struct dtls *d)
{
    if (d->state != DTLS_UP || !d->ssl || dtls_stub_init(&d->stub, d->ssl, &d->io) != 0) {
        return;
    }
    SSL_free(d->ssl);
    d->ssl = NULL;
    free(d->plain);
    d->plain = NULL;
    d->more = false;
    d->deadline_us = INT64_MAX;
}
