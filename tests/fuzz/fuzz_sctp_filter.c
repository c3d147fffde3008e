/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte of flags (1: the association is up), then fuzz_packets. What passes the filter is
 * well formed, chunk by chunk, and goes on into usrsctp. */
#include "ice/assoc.h"
#include "rtp/bytes.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_key(void)
{
    static uint64_t key = 1;
    return key += 0x9e3779b97f4a7c15ULL;
}

static uint8_t tag[4]; /* that our INIT asks the peer to use: packets without it go nowhere */

static void on_output(const uint8_t *pkt, size_t len, void *ctx)
{
    (void)ctx;
    must(pkt && len >= 16 && len <= ASSOC_PACKET_MAX);
    if (pkt[12] == 1) {
        memcpy(tag, pkt + 16, sizeof(tag));
    }
}

static void check_passed(const uint8_t *p, size_t len)
{
    must(len >= 16 && len % 4 == 0 && bytes_load16(p + 2) == ASSOC_PORT);
    must((bytes_load32(p + 4) == 0) == (p[12] == 1));
    for (size_t at = 12; at < len;) {
        size_t n = bytes_load16(p + at + 2);
        must(n >= 4 && at + n <= len);
        must(p[at] <= 11 || p[at] == 14 || p[at] == 130 || p[at] == 192);
        at += (n + 3) & ~(size_t)3;
    }
}

/* The checksum that usrsctp will want to see: else nothing would get past it. */
static void fix_checksum(uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffff;
    memset(p + 8, 0, 4);
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }
    crc = ~crc;
    memcpy(p + 8, &crc, 4); /* little endian on the wire (RFC 9260 appendix A), as here */
}

/* The association that packets go to, the same for all inputs until one of them ends it: to make
 * one for each input takes a thousand times longer than what is looked at here. */
static struct assoc *assoc_at(int64_t now_us)
{
    static const struct assoc_stack_params sp = {.output = on_output,
                                                 .max_message_bytes = 65536,
                                                 .send_buffer_bytes = 1000000,
                                                 .random = next_key};
    static bool has_stack;

    if (!has_stack) {
        must(assoc_stack_init(&sp) == 0);
        has_stack = true;
    }
    struct assoc *a = assoc_new(ASSOC_PORT, NULL, now_us);
    must(a);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct assoc *a;
    static int64_t now_us = US_PER_S; /* goes on from input to input: usrsctp has one clock */
    struct assoc_filter f;
    bool closed = false;

    if (len == 0) {
        return 0;
    }
    a = a ? a : assoc_at(now_us);
    struct fuzz_packets in = {.data = data + 1, .len = len - 1, .now_us = now_us};
    assoc_filter_init(&f, ASSOC_PORT, ASSOC_PORT, now_us);
    if (data[0] & 1) {
        assoc_filter_set_up(&f);
    }
    uint8_t *copy;
    size_t n;
    while ((copy = fuzz_next_packet(&in, &n))) {
        if (assoc_filter_check(&f, copy, n, in.now_us) == ASSOC_FILTER_OK) {
            check_passed(copy, n);
            if (copy[12] != 1) {
                memcpy(copy + 4, tag, sizeof(tag));
            }
            fix_checksum(copy, n);
            (void)assoc_input(a, copy, n, in.now_us);
        }
        struct assoc_event ev;
        while (assoc_read(a, &ev)) {
            closed = closed || ev.kind == ASSOC_DOWN;
        }
        free(copy);
    }
    assoc_stack_tick(in.now_us);
    now_us = in.now_us;
    if (closed) {
        assoc_free(a);
        a = NULL;
    }
    return 0;
}
