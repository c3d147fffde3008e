/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_stun - owner_peek_ufrag and the ICE-lite agent, with credentials that the input may use.
 * First byte: bit 0 signs the message anew (MESSAGE-INTEGRITY and FINGERPRINT appended), so that
 * the fuzzer gets past the HMAC; bit 1 only FINGERPRINT; bit 2 restarts first. The rest is the
 * message. */
#include <stdlib.h>
#include <string.h>

#include "ice/lite.h"
#include "ice/owner.h"
#include "tests/fuzz/fuzz.h"
#include "tests/stun_kit.h"

#define PWD "0123456789abcdefghijklmn"

static void peek(const uint8_t *msg, size_t len)
{
    const char *ufrag = NULL;
    size_t n = 0;

    if (owner_peek_ufrag(msg, len, &ufrag, &n) == 0) {
        must(n > 0 && n <= ICE_UFRAG_MAX && (const uint8_t *)ufrag >= msg + 20 &&
             (const uint8_t *)ufrag + n < msg + len);
        must(owner_of_ufrag(ufrag, n) < OWNER_WORKERS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct ice_creds creds = {"AbcdefghijkL", PWD, "remo", ""};
    static const struct ice_creds next = {"AnewnewnewnW", PWD, "rem2", ""};
    struct path from = {
        .remote = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 198, [15] = 7}, .port = 50001}};
    struct kit_msg m = {0};
    struct lite l;
    uint8_t reply[LITE_REPLY_MAX];

    if (len == 0 || len - 1 > sizeof(m.b) - 32) {
        return 0;
    }
    m.len = len - 1;
    memcpy(m.b, data + 1, m.len);
    if (data[0] & 3 && m.len >= 20) {
        m.len &= ~(size_t)3;
        kit_set_len(&m);
        if (data[0] & 1) {
            kit_integrity(&m, PWD);
        }
        kit_fingerprint(&m);
    }
    uint8_t *exact = exact_copy(m.b, m.len);
    peek(exact, m.len);
    lite_init(&l, &creds);
    if (data[0] & 4) {
        lite_restart(&l, &next);
    }
    for (int64_t now = 1; now < 3; now++) {
        struct lite_result r = lite_on_datagram(&l, now, &from, exact, m.len, reply);
        must(r.reply_len <= sizeof(reply));
        must((r.reply_len > 0) == (r.verdict == LITE_OK || r.verdict == LITE_REFUSED));
        must(r.reply_len == 0 ||
             kit_answer_ok(reply, r.reply_len, r.verdict == LITE_OK ? KIT_SUCCESS : KIT_ERROR, &m,
                           PWD));
        must((lite_chosen(&l) != NULL) == (r.verdict == LITE_OK));
        from.remote.port++;
    }
    lite_fini(&l);
    free(exact);
    return 0;
}
