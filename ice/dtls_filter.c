/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls_filter.h"

#include <string.h>

#include "rtp/bytes.h"

enum content_type {
    CHANGE_CIPHER_SPEC = 20,
    ALERT = 21,
    HANDSHAKE = 22,
    APPLICATION_DATA = 23,
};

enum handshake_type {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    HELLO_VERIFY_REQUEST = 3,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    SERVER_HELLO_DONE = 14,
    CERTIFICATE_VERIFY = 15,
    CLIENT_KEY_EXCHANGE = 16,
};

#define ALERT_FATAL 2

void dtls_filter_init(struct dtls_filter *f, bool server)
{
    memset(f, 0, sizeof(*f));
    f->server = server;
    f->sealed_min = DTLS_SEALED_MIN_UNKNOWN;
}

void dtls_filter_set_up(struct dtls_filter *f, uint8_t sealed_min)
{
    f->up = true;
    f->sealed_min = sealed_min;
}

/* Finished travels sealed; tickets and certificate status were not asked for. */
static bool is_message_of_peer(bool we_serve, uint8_t type)
{
    switch (type) {
    case CERTIFICATE:
        return true;
    case CLIENT_HELLO:
    case CERTIFICATE_VERIFY:
    case CLIENT_KEY_EXCHANGE:
        return we_serve;
    case SERVER_HELLO:
    case HELLO_VERIFY_REQUEST:
    case SERVER_KEY_EXCHANGE:
    case CERTIFICATE_REQUEST:
    case SERVER_HELLO_DONE:
        return !we_serve;
    default:
        return false;
    }
}

/* OpenSSL reserves what the first fragment of a message declares. */
static uint32_t length_max(uint8_t type)
{
    switch (type) {
    case CLIENT_HELLO:
        return DTLS_CLIENT_HELLO_MAX;
    case CERTIFICATE:
        return DTLS_CERTIFICATE_MAX;
    default:
        return DTLS_MESSAGE_MAX;
    }
}

/* Follows how far the peer's messages are complete. Fragments that come out of order are not
 * remembered, so the count may lag; DTLS_MESSAGE_SEQ_AHEAD spans a whole flight. */
static void note_fragment(struct dtls_filter *f, unsigned seq, uint32_t length, uint32_t offset,
                          uint32_t n)
{
    if (seq != f->next_message) {
        return;
    }
    if (offset <= f->covered) {
        f->covered = MAX(f->covered, offset + n);
    }
    if (f->covered >= length) {
        f->next_message++;
        f->covered = 0;
    }
}

/* All messages of one unsealed handshake record; BoringSSL puts several into one. */
static enum dtls_filter_reason check_handshake(struct dtls_filter *f, const uint8_t *p, size_t len)
{
    while (len > 0) {
        if (len < DTLS_HANDSHAKE_HDR) {
            return DTLS_FILTER_FRAGMENT;
        }
        uint32_t length = bytes_load24(p + 1);
        unsigned seq = bytes_load16(p + 4);
        uint32_t offset = bytes_load24(p + 6);
        uint32_t n = bytes_load24(p + 9);
        if (!is_message_of_peer(f->server, p[0])) {
            return DTLS_FILTER_MESSAGE_TYPE;
        }
        if (length > length_max(p[0])) {
            return DTLS_FILTER_MESSAGE_LENGTH;
        }
        if (n > len - DTLS_HANDSHAKE_HDR || offset + n > length || (n == 0 && length > 0)) {
            return DTLS_FILTER_FRAGMENT;
        }
        if (seq > (unsigned)f->next_message + DTLS_MESSAGE_SEQ_AHEAD ||
            (p[0] == CERTIFICATE && seq > DTLS_CERTIFICATE_SEQ)) {
            return DTLS_FILTER_MESSAGE_SEQ;
        }
        note_fragment(f, seq, length, offset, n);
        p += DTLS_HANDSHAKE_HDR + n;
        len -= DTLS_HANDSHAKE_HDR + n;
    }
    return DTLS_FILTER_OK;
}

static enum dtls_filter_reason check_sealed(const struct dtls_filter *f, uint8_t type, size_t len)
{
    if (type == CHANGE_CIPHER_SPEC) {
        return DTLS_FILTER_CCS;
    }
    if (type == APPLICATION_DATA && !f->up) {
        return DTLS_FILTER_EARLY_DATA;
    }
    return len < f->sealed_min ? DTLS_FILTER_UNDERSIZED : DTLS_FILTER_OK;
}

static enum dtls_filter_reason check_unsealed(struct dtls_filter *f, uint8_t type, const uint8_t *p,
                                              size_t len)
{
    switch ((enum content_type)type) {
    case CHANGE_CIPHER_SPEC:
        return len == 1 && p[0] == 1 ? DTLS_FILTER_OK : DTLS_FILTER_CCS;
    case ALERT:
        /* Anyone on the path can forge it; a fatal one may still spare the ten seconds of waiting
         * for a peer that has given up. */
        return !f->up && len == 2 && p[0] == ALERT_FATAL ? DTLS_FILTER_OK : DTLS_FILTER_ALERT;
    case HANDSHAKE:
        return check_handshake(f, p, len);
    case APPLICATION_DATA:
        break;
    }
    return DTLS_FILTER_EARLY_DATA;
}

/* One record at p; *ret_len is its whole length. */
static enum dtls_filter_reason check_record(struct dtls_filter *f, const uint8_t *p, size_t left,
                                            size_t *ret_len)
{
    uint8_t type = p[0];
    if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA) {
        return DTLS_FILTER_TYPE;
    }
    if (left < DTLS_RECORD_HDR) {
        return DTLS_FILTER_LENGTH;
    }
    unsigned version = bytes_load16(p + 1);
    unsigned epoch = bytes_load16(p + 3);
    size_t len = bytes_load16(p + 11);
    if (epoch > 1) {
        return DTLS_FILTER_EPOCH;
    }
    if (version != 0xfefd && (version != 0xfeff || epoch == 1)) {
        return DTLS_FILTER_VERSION;
    }
    if (len == 0 || len > left - DTLS_RECORD_HDR) {
        return DTLS_FILTER_LENGTH;
    }
    if (!(f->up && type == APPLICATION_DATA) && ++f->records > DTLS_RECORDS_PER_S) {
        return DTLS_FILTER_RATE;
    }
    *ret_len = DTLS_RECORD_HDR + len;
    return epoch == 1 ? check_sealed(f, type, len)
                      : check_unsealed(f, type, p + DTLS_RECORD_HDR, len);
}

static enum dtls_filter_reason check_datagram(struct dtls_filter *f, const uint8_t *buf, size_t len)
{
    if (len == 0 || len > DTLS_DATAGRAM_MAX) {
        return DTLS_FILTER_DATAGRAM;
    }
    while (len > 0) {
        size_t n = 0;
        enum dtls_filter_reason r = check_record(f, buf, len, &n);
        if (r != DTLS_FILTER_OK) {
            return r;
        }
        buf += n;
        len -= n;
    }
    return DTLS_FILTER_OK;
}

enum dtls_filter_reason dtls_filter_check(struct dtls_filter *f, int64_t now_us, const uint8_t *buf,
                                          size_t len)
{
    if (now_us - f->window_us >= US_PER_S) {
        f->window_us = now_us;
        f->records = 0;
    }
    uint16_t next_message = f->next_message;
    uint32_t covered = f->covered;
    enum dtls_filter_reason r = check_datagram(f, buf, len);
    if (r != DTLS_FILTER_OK) {
        f->next_message = next_message;
        f->covered = covered;
        f->drops[r]++;
    }
    return r;
}

const char *dtls_filter_reason_name(enum dtls_filter_reason r)
{
    static const char *const names[DTLS_FILTER_COUNT] = {
        [DTLS_FILTER_OK] = "ok",
        [DTLS_FILTER_DATAGRAM] = "datagram",
        [DTLS_FILTER_TYPE] = "type",
        [DTLS_FILTER_VERSION] = "version",
        [DTLS_FILTER_EPOCH] = "epoch",
        [DTLS_FILTER_LENGTH] = "length",
        [DTLS_FILTER_EARLY_DATA] = "early_data",
        [DTLS_FILTER_CCS] = "ccs",
        [DTLS_FILTER_ALERT] = "alert",
        [DTLS_FILTER_UNDERSIZED] = "undersized",
        [DTLS_FILTER_MESSAGE_TYPE] = "message_type",
        [DTLS_FILTER_MESSAGE_LENGTH] = "message_length",
        [DTLS_FILTER_FRAGMENT] = "fragment",
        [DTLS_FILTER_MESSAGE_SEQ] = "message_seq",
        [DTLS_FILTER_RATE] = "rate",
    };
    return names[r];
}
