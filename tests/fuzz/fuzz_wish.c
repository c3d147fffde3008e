/* SPDX-License-Identifier: Apache-2.0 */
/* Wishes of viewers: the first byte chooses the wish URL's body or the layer URL's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/wish.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char mids[4][API_MID_MAX] = {"0", "1", "2", "x"};
    static const struct wish_session s = {.n_mids = 4, .mids = mids, .audio = 1, .video = 6};
    struct wish w;
    struct api_wish layer;
    char why[160];
    if (len < 1) {
        return 0;
    }
    if (data[0] & 1) {
        if (wish_read_layer((const char *)data + 1, len - 1, &s, &layer, why) == 0 &&
            (!(s.video >> layer.mline & 1) || layer.max_width > 16384 || layer.sid > 7)) {
            abort();
        }
        return 0;
    }
    if (wish_read((const char *)data + 1, len - 1, &s, &w, why) < 0) {
        if (strlen(why) >= sizeof(why)) {
            abort();
        }
        return 0;
    }
    struct wish_state st = {0};
    (void)wish_apply(&st, &w);
    (void)wish_is_empty(&st);
    if ((st.off & ~(s.audio | s.video)) != 0 || st.n_pins > WISH_NAMES ||
        w.n_layers > API_MLINES_MAX) {
        abort();
    }
    return 0;
}
