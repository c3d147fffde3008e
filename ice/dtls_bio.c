/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls_bio.h"
#include "ice/dtls.h"
#include "ice/dtls_filter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void dtls_bio_push(struct dtls_io *io, const uint8_t *buf, size_t len)
{
    uint8_t *copy = io->out_n < DTLS_QUEUE_LEN && len <= UINT16_MAX ? malloc(len) : NULL;
    if (!copy) {
        io->out_dropped++;
        return;
    }
    unsigned i = (io->out_first + io->out_n++) % DTLS_QUEUE_LEN;
    memcpy(copy, buf, len);
    io->out[i] = copy;
    io->out_len[i] = (uint16_t)len;
}

void dtls_bio_repeat_last(struct dtls_io *io)
{
    if (io->out_n > 0) {
        unsigned i = (io->out_first + io->out_n - 1) % DTLS_QUEUE_LEN;
        dtls_bio_push(io, io->out[i], io->out_len[i]);
    }
}

size_t dtls_bio_pop(struct dtls_io *io, uint8_t *out, size_t cap)
{
    if (io->out_n == 0) {
        return 0;
    }
    unsigned i = io->out_first;
    size_t len = io->out_len[i] <= cap ? io->out_len[i] : 0;
    memcpy(out, io->out[i], len);
    free(io->out[i]);
    io->out[i] = NULL;
    io->out_first = (i + 1) % DTLS_QUEUE_LEN;
    io->out_n--;
    return len;
}

void dtls_bio_clear(struct dtls_io *io)
{
    uint8_t none[1];
    while (io->out_n > 0) {
        dtls_bio_pop(io, none, 0);
    }
}

static uint64_t get_be(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* What OpenSSL has numbered up to now: it keeps these counts to itself. */
static void note_records(struct dtls_io *io, const uint8_t *p, size_t len)
{
    while (len >= DTLS_RECORD_HDR) {
        size_t n = DTLS_RECORD_HDR + get_be(p + 11, 2);
        if (n > len) {
            return;
        }
        if (get_be(p + 3, 2) == 1 && n >= DTLS_RECORD_HDR + 8) {
            io->sealed_seq = get_be(p + 5, 6) + 1;
            io->sealed_explicit = get_be(p + DTLS_RECORD_HDR, 8);
        }
        p += n;
        len -= n;
    }
}

static int bio_write(BIO *b, const char *buf, int len)
{
    struct dtls_io *io = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (len > 0) {
        note_records(io, (const uint8_t *)buf, (size_t)len);
        dtls_bio_push(io, (const uint8_t *)buf, (size_t)len);
    }
    return len;
}

static int bio_read(BIO *b, char *buf, int len)
{
    struct dtls_io *io = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!io->in || len <= 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t n = MIN(io->in_len, (size_t)len);
    memcpy(buf, io->in, n);
    io->in = NULL;
    return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    const struct dtls_io *io = BIO_get_data(b);
    (void)ptr;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT: /* deadlines are asked for by DTLSv1_get_timeout */
        return 1;
    case BIO_CTRL_PENDING:
        return io->in ? (long)io->in_len : 0;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_MTU;
    case BIO_CTRL_DGRAM_SET_MTU:
        return num;
    default: /* among them DGRAM_GET_MTU_OVERHEAD: DTLS_MTU counts UDP payload */
        return 0;
    }
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice datagrams");
    if (m && BIO_meth_set_write(m, bio_write) == 1 && BIO_meth_set_read(m, bio_read) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1 && BIO_meth_set_create(m, bio_create) == 1) {
        method = m;
    } else {
        BIO_meth_free(m);
    }
}

BIO *dtls_bio_new(struct dtls_io *io)
{
    pthread_once(&method_once, make_method);
    BIO *b = method ? BIO_new(method) : NULL;
    if (b) {
        BIO_set_data(b, io);
    }
    return b;
}
