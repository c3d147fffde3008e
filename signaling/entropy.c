/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/entropy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void entropy_fill(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            abort(); // nothing that follows would be safe
        }
        at += n;
        len -= (size_t)n;
    }
}

uint64_t entropy_u64(void)
{
    uint64_t v;
    entropy_fill(&v, sizeof(v));
    return v;
}

void entropy_text(char *out, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    static_assert(sizeof(alphabet) == 65, "six bits each");
    for (size_t i = 0; i < len;) {
        uint8_t raw[64];
        size_t n = MIN(len - i, sizeof(raw));
        entropy_fill(raw, n);
        for (size_t k = 0; k < n; k++) {
            out[i++] = alphabet[raw[k] & 63];
        }
    }
    out[len] = '\0';
}
