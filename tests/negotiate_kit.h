/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate_kit.h - for the tests of signaling/negotiate*.c: offers in, answers and sessions out.
 */
#ifndef TESTS_NEGOTIATE_KIT_H
#define TESTS_NEGOTIATE_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/negotiate.h"
#include "signaling/sdp.h"

#define FP                                                                                         \
    "73:09:2E:3A:CE:D6:B1:6B:51:0C:82:39:92:48:A5:D4:9A:BE:23:72:BA:62:7F:27:27:59:6E:B3:FD:C5:A6" \
    ":8E"
#define TRANSPORT                                                                                  \
    "a=ice-ufrag:NZ1N\r\na=ice-pwd:/v5MJK+UBIxgXMCz738Qi5Ll\r\na=fingerprint:sha-256 " FP          \
    "\r\na=setup:actpass\r\n"

/* What a server with all codecs and three candidates would answer by. */
static inline struct negotiate_params params(void)
{
    static const struct fingerprint ours = {.hash = FP_SHA256, .len = 32, .digest = {1, 2, 3}};
    struct negotiate_params p = {
        .fingerprint = &ours,
        .creds = {.local_ufrag = "AbcdefghijkL", .local_pwd = "0123456789abcdefghijABCD"},
        .n_candidates = 3,
        .candidates[2].tcp = true,
        .sdp_session_id = 0x123456789abcdef,
        .n_video_codecs = 4,
        .video_codecs = {CODEC_VP8, CODEC_H264, CODEC_VP9, CODEC_AV1},
        .id = 7,
        .stream = 9,
        .label = "room/main",
        .cname = "cnamecname",
        .ssrc_seed = 0xdecafbad,
        .max_kbps = 5000,
    };
    cr_assert_eq(addr_parse_ip("192.0.2.1", 8189, &p.candidates[0].addr), 0);
    cr_assert_eq(addr_parse_ip("2001:db8::1", 8189, &p.candidates[1].addr), 0);
    cr_assert_eq(addr_parse_ip("192.0.2.1", 8189, &p.candidates[2].addr), 0);
    return p;
}

/* Answers text; src NULL: nothing is known of the stream. Returns 0, or the HTTP status of the
 * refusal, whose words are looked at. */
static inline int answer(const char *text, bool publish, const struct negotiate_params *p,
                         const struct negotiate_source *src, struct negotiate_result *r,
                         struct negotiate_refusal *why)
{
    static const struct negotiate_source unknown;
    struct sdp *offer = NULL;
    int line = 0;
    *why = (struct negotiate_refusal){0};
    int err = sdp_read(text, strlen(text), &offer, &line);
    if (err) {
        snprintf(why->detail, sizeof(why->detail), "line %d", line);
        why->type = "sdp-malformed";
        return 400;
    }
    err = publish ? negotiate_publish(offer, p, r, why)
                  : negotiate_play(offer, p, src ? src : &unknown, r, why);
    sdp_free(offer);
    if (err) {
        cr_assert_eq(err, -EPROTO);
        cr_assert(why->status == 400 || why->status == 422);
        cr_assert(strlen(why->detail) > 20 && why->type);
        for (const char *c = why->detail; *c; c++) {
            cr_assert(*c >= ' ' && *c <= '~', "%s", why->detail);
        }
        return why->status;
    }
    return 0;
}

static inline void done(struct negotiate_result *r)
{
    free(r->session);
    free(r->answer);
    *r = (struct negotiate_result){0};
}

#endif
