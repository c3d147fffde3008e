/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte of flags (1: we serve, 2: handshake over), then fuzz_packets. */
#include "ice/dtls_filter.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What OpenSSL gets to see is well formed, record by record. */
static void check_passed(const struct dtls_filter *f, const uint8_t *p, size_t len)
{
    must(len > 0 && len <= DTLS_DATAGRAM_MAX);
    while (len > 0) {
        must(len > DTLS_RECORD_HDR && p[0] >= 20 && p[0] <= 23 && p[3] == 0 && p[4] <= 1);
        size_t n = DTLS_RECORD_HDR + ((size_t)p[11] << 8 | p[12]);
        must(n > DTLS_RECORD_HDR && n <= len);
        must(p[0] != 23 || (f->up && p[4] == 1));
        must(p[4] == 0 || n - DTLS_RECORD_HDR >= f->sealed_min);
        p += n;
        len -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dtls_filter f;
    if (len == 0) {
        return 0;
    }
    dtls_filter_init(&f, data[0] & 1);
    if (data[0] & 2) {
        dtls_filter_set_up(&f, DTLS_SEALED_MIN_AES_GCM);
    }
    struct fuzz_packets in = {.data = data + 1, .len = len - 1};
    uint8_t *copy;
    size_t n;
    while ((copy = fuzz_next_packet(&in, &n))) {
        struct dtls_filter before = f;
        enum dtls_filter_reason r = dtls_filter_check(&f, in.now_us, copy, n);
        must(dtls_filter_reason_name(r) != NULL);
        if (r == DTLS_FILTER_OK) {
            check_passed(&f, copy, n);
        } else {
            must(f.drops[r] == before.drops[r] + 1);
            must(f.next_message == before.next_message && f.covered == before.covered);
        }
        free(copy);
    }
    return 0;
}
