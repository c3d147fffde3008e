/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_red.c - one RED payload: every block must lie inside it, in order, and together fill it; and
 * it is written as it was read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/red.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct red red;
    if (red_read(data, len, &red)) {
        return 0;
    }
    const uint8_t *at = data + 4 * (size_t)red.n_blocks + 1;
    for (unsigned i = 0; i < red.n_blocks; i++) {
        if (red.block[i].data != at) {
            abort();
        }
        at += red.block[i].len;
    }
    if (red.primary.data != at || red.primary.len == 0 || at + red.primary.len != data + len) {
        abort();
    }
    size_t head = (size_t)(at - data);
    uint8_t *copy = malloc(head);
    if (!copy || red_write(&red, copy, head) != (int)head || red_write(&red, copy, head - 1) >= 0 ||
        memcmp(copy, data, head) != 0) {
        abort();
    }
    free(copy);
    return 0;
}
