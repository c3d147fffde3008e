/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/rtcp_fb.h"
#include "tests/rtcp_kit.h"
#include <errno.h>

Test(rtcp_fb, pli)
{
    uint8_t out[RTCP_FB_PLI_LEN];
    cr_assert_eq(rtcp_fb_pli_write(out, sizeof(out) - 1, 1, 0xabcdef01), -ENOSPC);
    cr_assert_eq(rtcp_fb_pli_write(out, sizeof(out), 1, 0xabcdef01), RTCP_FB_PLI_LEN);
    cr_assert_arr_eq(out, "\x81\xce\x00\x02\x00\x00\x00\x01\xab\xcd\xef\x01", 12);
    struct rtcp_packet p = rtcp_kit_one(out, sizeof(out));
    uint32_t ssrc = 0;
    cr_assert_eq(rtcp_fb_pli_read(&p, &ssrc), 0);
    cr_assert_eq(ssrc, 0xabcdef01);
    for (size_t cut = 0; cut < 8; cut++) {
        struct rtcp_packet c = rtcp_kit_cut(&p, cut);
        cr_assert_eq(rtcp_fb_pli_read(&c, &ssrc), -EBADMSG);
        free((void *)c.body);
    }
    p.count = RTCP_PSFB_FIR;
    cr_assert_eq(rtcp_fb_pli_read(&p, &ssrc), -EPROTONOSUPPORT);
}

Test(rtcp_fb, fir)
{
    const struct rtcp_fb_fir items[] = {{.ssrc = 0x01020304, .seq8 = 9}, {.ssrc = 5, .seq8 = 255}};
    uint8_t out[RTCP_FB_FIR_LEN(2)];
    cr_assert_eq(rtcp_fb_fir_write(out, sizeof(out) - 1, 1, items, 2), -ENOSPC);
    cr_assert_eq(rtcp_fb_fir_write(out, sizeof(out), 1, items, 2), 28);
    cr_assert_arr_eq(out,
                     "\x84\xce\x00\x06\x00\x00\x00\x01\x00\x00\x00\x00"
                     "\x01\x02\x03\x04\x09\x00\x00\x00\x00\x00\x00\x05\xff\x00\x00\x00",
                     28);
    struct rtcp_packet p = rtcp_kit_one(out, sizeof(out));
    for (size_t cut = 0; cut <= p.body_len; cut++) {
        struct rtcp_packet c = rtcp_kit_cut(&p, cut);
        struct rtcp_fb_fir got[2];
        int want = cut < 16 ? -EBADMSG : cut < 24 ? 1 : 2;
        cr_assert_eq(rtcp_fb_fir_read(&c, got, 2), want, "%zu", cut);
        for (int i = 0; i < want; i++) {
            cr_assert_eq(got[i].ssrc, items[i].ssrc);
            cr_assert_eq(got[i].seq8, items[i].seq8);
        }
        free((void *)c.body);
    }
    struct rtcp_fb_fir got[1];
    cr_assert_eq(rtcp_fb_fir_read(&p, got, 1), 1);
    p.count = RTCP_PSFB_PLI;
    cr_assert_eq(rtcp_fb_fir_read(&p, got, 1), -EPROTONOSUPPORT);
}

Test(rtcp_fb, bye)
{
    uint32_t ssrcs[RTCP_FB_BYE_MAX];
    for (int i = 0; i < RTCP_FB_BYE_MAX; i++) {
        ssrcs[i] = 0x01000000u + (uint32_t)i;
    }
    for (int n = 0; n <= RTCP_FB_BYE_MAX; n++) {
        uint8_t out[RTCP_FB_BYE_LEN(RTCP_FB_BYE_MAX)];
        int len = (int)RTCP_FB_BYE_LEN(n);
        cr_assert_eq(rtcp_fb_bye_write(out, (size_t)len - 1, ssrcs, n), -ENOSPC);
        cr_assert_eq(rtcp_fb_bye_write(out, sizeof(out), ssrcs, n), len);
        struct rtcp_packet p = rtcp_kit_one(out, (size_t)len);
        uint32_t got[RTCP_FB_BYE_MAX];
        cr_assert_eq(rtcp_fb_bye_read(&p, got, RTCP_FB_BYE_MAX), n);
        for (int i = 0; i < n; i++) {
            cr_assert_eq(got[i], ssrcs[i]);
        }
        cr_assert_eq(rtcp_fb_bye_read(&p, got, 3), MIN(n, 3));
        for (size_t cut = 0; cut < p.body_len; cut++) {
            struct rtcp_packet c = rtcp_kit_cut(&p, cut);
            cr_assert_eq(rtcp_fb_bye_read(&c, got, RTCP_FB_BYE_MAX), -EBADMSG);
            free((void *)c.body);
        }
    }
    struct rtcp_packet rr = {.type = RTCP_RR};
    cr_assert_eq(rtcp_fb_bye_read(&rr, ssrcs, 1), -EPROTONOSUPPORT);
}
