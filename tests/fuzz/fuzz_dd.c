/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_dd.c - a sequence of dependency descriptors of one stream, each behind its length byte:
 * read, rewritten with another active mask, and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/dd.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct dd_state *s, const uint8_t *dd, size_t len, const struct dd_frame *f)
{
    static struct dd_state copy;
    uint8_t out[DD_LEN_MAX];
    struct dd_frame again;
    if (f->sid >= DD_SPATIAL_MAX || f->tid >= DD_TEMPORAL_MAX || f->n_fdiffs > DD_FDIFFS_MAX ||
        f->n_chains > DD_CHAINS_MAX || f->dtis.switchable & ~f->dtis.present) {
        abort();
    }
    int n = dd_write_active(s, dd, len, 0x5a5a5a5a & s->active_targets, out);
    if (n < 0) {
        if (len + 5 <= DD_LEN_MAX) {
            abort();
        }
        return;
    }
    copy = *s;
    if (dd_read(&copy, out, (size_t)n, &again) || again.number != f->number ||
        again.dtis.present != f->dtis.present || again.n_fdiffs != f->n_fdiffs ||
        copy.active_targets != (0x5a5a5a5a & s->active_targets)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct dd_state s;
    memset(&s, 0, sizeof(s));
    for (size_t off = 0; off < len;) {
        size_t n = data[off++];
        n = n < len - off ? n : len - off;
        uint8_t *dd = exact_copy(data + off, n);
        struct dd_frame f;
        if (dd_read(&s, dd, n, &f) == 0) {
            check(&s, dd, n, &f);
        }
        free(dd);
        off += n;
    }
    return 0;
}
