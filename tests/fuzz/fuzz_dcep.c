/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one message of PPID 50. What is read is written back and must be the same. */
#include "ice/dcep.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dcep_open o;
    uint8_t out[DCEP_OPEN_MAX];
    int r = dcep_read(data, len, &o);
    if (r != DCEP_OPEN) {
        must(r < 0 || (r == DCEP_ACK && len == DCEP_ACK_LEN));
        return 0;
    }
    must(o.label_len <= DCEP_TEXT_MAX && o.protocol_len <= DCEP_TEXT_MAX);
    int n = dcep_write_open(&o, out, sizeof(out));
    must(n == (int)len && n <= (int)sizeof(out));
    struct dcep_open again;
    must(dcep_read(out, (size_t)n, &again) == DCEP_OPEN);
    must(again.priority == o.priority && again.reliability.kind == o.reliability.kind &&
         again.reliability.param == o.reliability.param &&
         again.reliability.unordered == o.reliability.unordered);
    must(again.label_len == o.label_len && memcmp(again.label, o.label, o.label_len) == 0);
    must(again.protocol_len == o.protocol_len &&
         memcmp(again.protocol, o.protocol, o.protocol_len) == 0);
    return 0;
}
