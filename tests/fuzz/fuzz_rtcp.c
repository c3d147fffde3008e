/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rtcp.c - compound walk and every message reader; what was read is written and read again. */
#include "rtp/rtcp_fb.h"
#include "rtp/rtcp_nack.h"
#include "rtp/rtcp_remb.h"
#include "rtp/rtcp_sdes.h"
#include "rtp/rtcp_sr.h"
#include "rtp/rtcp_twcc.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>

#define STATUSES_MAX 700

static uint8_t out[RTCP_COMPOUND_MAX * 2];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* The message in out[0..n). */
static struct rtcp_packet again(int n)
{
    struct rtcp_walk w;
    struct rtcp_packet p = {0};
    check(n > 0);
    rtcp_walk_init(&w, out, (size_t)n);
    check(rtcp_walk_next(&w, &p) == 1 && p.whole_len == n);
    return p;
}

static void try_report(const struct rtcp_packet *p)
{
    struct rtcp_report r;
    struct rtcp_report r2;
    if (rtcp_sr_read(p, &r) < 0) {
        return;
    }
    struct rtcp_packet q = again(rtcp_sr_write(out, sizeof(out), &r));
    check(rtcp_sr_read(&q, &r2) == 0 && r2.n_blocks == r.n_blocks && r2.is_sr == r.is_sr);
    for (unsigned i = 0; i < r.n_blocks; i++) {
        check(r2.blocks[i].lost == r.blocks[i].lost && r2.blocks[i].dlsr == r.blocks[i].dlsr);
        check(rtcp_sr_rtt_us(&r.blocks[i], r.sender.ntp) >= -1);
    }
}

static void try_sdes(const struct rtcp_packet *p)
{
    char name[RTCP_SDES_CNAME_MAX + 1];
    uint32_t ssrc = p->body_len >= 4 ? bytes_load32(p->body) : 0;
    int n = rtcp_sdes_read_cname(p, ssrc, name, sizeof(name));
    check(n < 0 || (n <= RTCP_SDES_CNAME_MAX && name[n] == 0));
    if (n > 0) {
        again(rtcp_sdes_write_cname(out, sizeof(out), ssrc, name));
    }
}

static void try_nack(const struct rtcp_packet *p)
{
    struct rtcp_nack nack;
    if (rtcp_nack_read(p, &nack) < 0) {
        return;
    }
    uint16_t seqs[17];
    int n = 0;
    while (n < 17 && rtcp_nack_next(&nack, &seqs[n])) {
        n++;
    }
    check(n > 0);
    struct rtcp_packet q =
        again(rtcp_nack_write(out, sizeof(out), nack.sender_ssrc, nack.media_ssrc, seqs, n));
    check(rtcp_nack_read(&q, &nack) == 0);
}

static void try_small(const struct rtcp_packet *p)
{
    uint32_t ssrcs[RTCP_FB_BYE_MAX];
    struct rtcp_fb_fir fir[RTCP_FB_BYE_MAX];
    struct rtcp_remb remb;
    int n = rtcp_fb_bye_read(p, ssrcs, RTCP_FB_BYE_MAX);
    if (n >= 0) {
        again(rtcp_fb_bye_write(out, sizeof(out), ssrcs, n));
    }
    n = rtcp_fb_fir_read(p, fir, RTCP_FB_BYE_MAX);
    if (n >= 0) {
        again(rtcp_fb_fir_write(out, sizeof(out), 1, fir, n));
    }
    if (rtcp_fb_pli_read(p, ssrcs) == 0) {
        again(rtcp_fb_pli_write(out, sizeof(out), 1, ssrcs[0]));
    }
    if (rtcp_remb_read(p, &remb) == 0) {
        struct rtcp_remb remb2;
        for (unsigned i = 0; i < MIN(remb.n_ssrcs, RTCP_FB_BYE_MAX); i++) {
            ssrcs[i] = bytes_load32(remb.ssrcs + 4 * i);
        }
        struct rtcp_packet q = again(rtcp_remb_write(out, sizeof(out), 1, remb.bps, ssrcs, 1));
        check(rtcp_remb_read(&q, &remb2) == 0);
        check(remb2.bps <= remb.bps && remb.bps - remb2.bps <= remb.bps >> 17);
    }
}

static void try_twcc(const struct rtcp_packet *p)
{
    static struct rtcp_twcc_status st[STATUSES_MAX];
    static struct rtcp_twcc_status st2[STATUSES_MAX];
    struct rtcp_twcc head;
    struct rtcp_twcc head2;
    int n = rtcp_twcc_read(p, &head, st, STATUSES_MAX);
    if (n <= 0) {
        return;
    }
    int len = rtcp_twcc_write(out, sizeof(out), &head, st, n);
    check(len > 0 && (size_t)len <= RTCP_TWCC_LEN_MAX(n));
    struct rtcp_packet q = {.type = out[1],
                            .count = out[0] & 31,
                            .body = out + RTCP_HEADER_LEN,
                            .body_len = (uint16_t)(len - RTCP_HEADER_LEN)};
    check(rtcp_twcc_read(&q, &head2, st2, STATUSES_MAX) == n);
    for (int i = 0; i < n; i++) {
        check(st2[i].seq16 == st[i].seq16 && st2[i].received == st[i].received &&
              st2[i].delta_us == st[i].delta_us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rtcp_walk w;
    struct rtcp_packet p;
    rtcp_walk_init(&w, data, len);
    while (rtcp_walk_next(&w, &p) == 1) {
        check(p.whole >= data && p.whole + p.whole_len <= data + len);
        check(p.body == p.whole + RTCP_HEADER_LEN && p.body_len + RTCP_HEADER_LEN <= p.whole_len);
        try_report(&p);
        try_sdes(&p);
        try_nack(&p);
        try_small(&p);
        try_twcc(&p);
    }
    return 0;
}
