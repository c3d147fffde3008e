/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_codec.c - packets of one stream through codec_describe and rewrite. Input: a byte that picks
 * the codec, then packets of {payload length, descriptor length, control, payload, descriptor};
 * control bits: 0 marker, 1 timestamp steps, 2 timestamp goes back, 3 sequence number goes back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/codec.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct describe *d, const struct describe_in *in,
                  const struct pkt_desc *desc, const struct codec_info *info)
{
    if (!(desc->dt_mask & 1) || desc->head_len > in->len || d->n_dt < 1 || d->n_dt > DT_MAX ||
        (desc->sw_mask & ~desc->tsw_mask) || desc->pic_id > 0x7fff) {
        abort();
    }
    if (desc->flags & DESC_ENTRY && desc->sw_mask != DT_ALL) {
        abort();
    }
    if (info->rewrite) {
        struct codec_ids ids = {.pic_id = 0x1234, .tl0_idx = 5, .key_idx = 6};
        uint8_t out[CODEC_HEAD_MAX];
        uint8_t *head = exact_copy(in->payload, desc->head_len);
        uint8_t n = info->rewrite(head, desc, &ids, out);
        free(head);
        if (n > CODEC_HEAD_MAX || n < desc->head_len) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1) {
        return 0;
    }
    enum codec_id id = (enum codec_id)(data[0] % CODEC_COUNT);
    struct describe d;
    if (describe_init(&d, id)) {
        return 0;
    }
    uint32_t ts = 0;
    uint16_t seq16 = 0;
    for (size_t off = 1; len - off >= 3;) {
        size_t payload_len = data[off], dd_len = data[off + 1];
        uint8_t control = data[off + 2];
        off += 3;
        payload_len = MIN(payload_len, len - off);
        dd_len = MIN(dd_len, len - off - payload_len);
        uint8_t *payload = exact_copy(data + off, payload_len);
        uint8_t *dd = exact_copy(data + off + payload_len, dd_len);
        ts += control & 2 ? 3000 : 0;
        ts -= control & 4 ? 6000 : 0;
        seq16 = (uint16_t)(control & 8 ? seq16 - 2 : seq16 + 1);
        struct describe_in in = {.payload = payload,
                                 .len = payload_len,
                                 .ts = ts,
                                 .seq16 = seq16,
                                 .marker = control & 1,
                                 .dd = dd_len ? dd : NULL,
                                 .dd_len = (uint8_t)dd_len};
        struct pkt_desc desc;
        if (codec_describe(id, &d, &in, &desc) == 0) {
            check(&d, &in, &desc, codec_info(id));
        }
        free(payload);
        free(dd);
        off += payload_len + dd_len;
    }
    describe_fini(&d);
    return 0;
}
