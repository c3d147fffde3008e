/* SPDX-License-Identifier: Apache-2.0 */
/* An offer is read, answered as WHIP and as WHEP (source unknown, VP8, H264), and each answer must
 * read as a description again: nothing that was echoed may break its form. */
#include <stdlib.h>
#include <string.h>

#include "signaling/negotiate.h"
#include "signaling/sdp.h"
#include "tests/fuzz/fuzz.h"

static const struct fingerprint ours = {.hash = FP_SHA256, .len = 32};

static struct negotiate_params params(bool by_offer)
{
    struct negotiate_params p = {
        .fingerprint = &ours,
        .creds = {.local_ufrag = "AbcdefghijkL", .local_pwd = "0123456789abcdefghijABCD"},
        .n_candidates = 1,
        .n_video_codecs = 5,
        .video_codecs = {CODEC_H264, CODEC_VP8, CODEC_VP9, CODEC_AV1, CODEC_H265},
        .prefer_offer_order = by_offer,
        .video_orientation = by_offer,
        .h264_relaxed = by_offer,
        .cname = "cname",
        .ssrc_seed = 1,
    };
    if (addr_parse_ip("192.0.2.1", 8189, &p.candidates[0].addr)) {
        abort();
    }
    return p;
}

static void check(int err, struct negotiate_result *r)
{
    if (err) {
        return;
    }
    struct sdp *again = NULL;
    int line = 0;
    if (sdp_read(r->answer, strlen(r->answer), &again, &line) || !r->session->n_mlines) {
        abort();
    }
    sdp_free(again);
    free(r->answer);
    free(r->session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct negotiate_source sources[] = {
        {.known = false},
        {.known = true, .video = true, .video_codec = {.id = CODEC_VP8}},
        {.known = true,
         .audio = true,
         .video = true,
         .audio_codec = {.id = CODEC_OPUS},
         .video_codec = {.id = CODEC_H264, .fmtp = "packetization-mode=1;profile-level-id=42e01f"}},
    };
    struct sdp *offer = NULL;
    int line = 0;
    if (sdp_read((const char *)data, len, &offer, &line)) {
        return 0;
    }
    for (int by_offer = 0; by_offer < 2; by_offer++) {
        struct negotiate_params p = params(by_offer);
        struct negotiate_refusal why;
        struct negotiate_result r;
        check(negotiate_publish(offer, &p, &r, &why), &r);
        for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
            check(negotiate_play(offer, &p, &sources[i], &r, &why), &r);
        }
    }
    sdp_free(offer);
    return 0;
}
