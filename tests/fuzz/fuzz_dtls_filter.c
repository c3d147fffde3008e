/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte of flags (1: we serve, 2: handshake over), then datagrams, each behind a byte of
 * time (units of 50 ms) and two bytes of length. */
#include "ice/dtls_filter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* What OpenSSL gets to see is well formed, record by record. */
static void check_passed(const struct dtls_filter *f, const uint8_t *p, size_t len)
{
    expect(len > 0 && len <= DTLS_DATAGRAM_MAX);
    while (len > 0) {
        expect(len > DTLS_RECORD_HDR && p[0] >= 20 && p[0] <= 23 && p[3] == 0 && p[4] <= 1);
        size_t n = DTLS_RECORD_HDR + ((size_t)p[11] << 8 | p[12]);
        expect(n > DTLS_RECORD_HDR && n <= len);
        expect(p[0] != 23 || (f->up && p[4] == 1));
        expect(p[4] == 0 || n - DTLS_RECORD_HDR >= f->sealed_min);
        p += n;
        len -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dtls_filter f;
    int64_t now_us = 0;
    if (len == 0) {
        return 0;
    }
    dtls_filter_init(&f, data[0] & 1);
    if (data[0] & 2) {
        dtls_filter_set_up(&f, DTLS_SEALED_MIN_AES_GCM);
    }
    data++;
    len--;
    while (len >= 3) {
        now_us += data[0] * 50000LL;
        size_t n = (size_t)data[1] << 8 | data[2];
        data += 3;
        len -= 3;
        n = MIN(n, len);
        uint8_t *copy = malloc(n ? n : 1);
        expect(copy != NULL);
        memcpy(copy, data, n);
        struct dtls_filter before = f;
        enum dtls_filter_reason r = dtls_filter_check(&f, now_us, copy, n);
        expect(dtls_filter_reason_name(r) != NULL);
        if (r == DTLS_FILTER_OK) {
            check_passed(&f, copy, n);
        } else {
            expect(f.drops[r] == before.drops[r] + 1);
            expect(f.next_message == before.next_message && f.covered == before.covered);
        }
        free(copy);
        data += n;
        len -= n;
    }
    return 0;
}
