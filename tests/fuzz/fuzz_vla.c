/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_vla.c - one video layers allocation: what was read is written, and read the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/vla_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct vla v, again;
    if (vla_read(data, len, &v)) {
        return 0;
    }
    must(v.n_streams <= VLA_STREAMS_MAX && v.stream < VLA_STREAMS_MAX);
    must(vla_sent(&v) >> v.n_streams == 0);
    if (v.n_streams) {
        uint8_t out[VLA_WRITE_MAX];
        size_t n = vla_write(&v, out);
        must(n <= sizeof(out) && vla_read(out, n, &again) == 0);
        must(memcmp(&v, &again, sizeof(v)) == 0);
    }
    return 0;
}
