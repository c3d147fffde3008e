/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer_wire.c - the peer's own codecs of STUN, RTP, RTCP, SRTP, SDP, HTTP and media, without
 * network: a tester whose instruments are wrong proves nothing. */
#include "tests/peer/peer_bytes.h"
#include "tests/peer/peer_clip.h"
#include "tests/peer/peer_http_text.h"
#include "tests/peer/peer_rx.h"
#include "tests/peer/peer_srtp.h"
#include "tests/peer/peer_stun.h"
#include "tests/peer/test_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

/* ---- STUN ---- */

/* RFC 5769 2.1, sample request with long-term-free integrity and fingerprint. */
static const uint8_t rfc5769_request[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

static void stun_vector(void)
{
    struct peer_stun s;
    uint8_t bad[sizeof(rfc5769_request)];

    int r = peer_stun_read(rfc5769_request, sizeof(rfc5769_request), &s);
    check(r == 0 && s.has_fingerprint && s.priority == 0x6e0001ff && s.has_controlled &&
              !strcmp(s.username, "evtj:h6vY"),
          "stun: reads the sample request of RFC 5769 2.1");
    check(r == 0 && peer_stun_verify(rfc5769_request, &s, "VOkJxbRl1RmTxUk/WvJxBt") &&
              !peer_stun_verify(rfc5769_request, &s, "VOkJxbRl1RmTxUk/WvJxBT"),
          "stun: its integrity fits its password and no other");
    unsigned accepted = 0;
    for (size_t i = 0; i < sizeof(bad); i++) {
        memcpy(bad, rfc5769_request, sizeof(bad));
        bad[i] ^= 0x10;
        accepted += peer_stun_read(bad, sizeof(bad), &s) == 0 && s.has_fingerprint;
        accepted += peer_stun_read(rfc5769_request, i, &s) == 0;
    }
    check(accepted == 0, "stun: refuses every changed byte and every truncation");
}

static void stun_round_trip(void)
{
    uint8_t buf[512];
    struct peer_stun a = {.type = PEER_STUN_SUCCESS, .tid = {1, 2, 3}}, b;

    for (int v6 = 0; v6 < 2; v6++) {
        memset(&a.mapped, 0, sizeof(a.mapped));
        if (v6) {
            struct sockaddr_in6 *x = (struct sockaddr_in6 *)&a.mapped;
            x->sin6_family = AF_INET6;
            x->sin6_port = htons(54321);
            inet_pton(AF_INET6, "2001:db8::17", &x->sin6_addr);
        } else {
            struct sockaddr_in *x = (struct sockaddr_in *)&a.mapped;
            x->sin_family = AF_INET;
            x->sin_port = htons(54321);
            inet_pton(AF_INET, "192.0.2.17", &x->sin_addr);
        }
        size_t n = peer_stun_write(&a, "password", buf, sizeof(buf));
        bool ok = n && peer_stun_read(buf, n, &b) == 0 && peer_stun_verify(buf, &b, "password") &&
                  !memcmp(&a.mapped, &b.mapped, sizeof(a.mapped));
        check(ok, "stun: mapped IPv%d address survives", v6 ? 6 : 4);
    }
    check(peer_stun_write(&a, "password", buf, 40) == 0,
          "stun: refuses a buffer that is too small");
}

/* ---- SRTP: EVP against libsrtp2 ---- */

static size_t make_rtp(uint8_t *buf, uint16_t seq, size_t payload)
{
    struct peer_rtp r = {.pt = 96, .seq = seq, .ts = seq * 3000U, .ssrc = 0x1234567};
    size_t n = peer_rtp_write_head(&r, buf, 64);

    memset(buf + n, (int)seq, payload);
    return n + payload;
}

static void srtp_pair(enum peer_profile profile, bool tx_fast, bool rx_fast)
{
    struct peer_srtp_keys k = {.profile = profile}, mirrored;
    uint8_t buf[PEER_PACKET_MAX + PEER_SRTP_TRAILER_MAX], copy[sizeof(buf)];
    unsigned bad = 0, tampered = 0;

    k.key_bytes = profile == PEER_PROFILE_GCM_256 ? 32 : 16;
    k.salt_bytes = profile == PEER_PROFILE_CM_SHA1_80 ? 14 : 12;
    (void)RAND_bytes(k.tx_key, sizeof(k.tx_key));
    (void)RAND_bytes(k.tx_salt, sizeof(k.tx_salt));
    mirrored = k;
    memcpy(mirrored.rx_key, k.tx_key, sizeof(k.tx_key));
    memcpy(mirrored.rx_salt, k.tx_salt, sizeof(k.tx_salt));
    struct peer_srtp *tx = peer_srtp_new(&k, tx_fast), *rx = peer_srtp_new(&mirrored, rx_fast);
    for (unsigned i = 0; tx && rx && i < 70000; i += 7) { /* over the rollover, with losses */
        uint16_t seq = (uint16_t)(65000 + i);
        size_t len = make_rtp(buf, seq, 1 + i % 1100), plain = len;
        memcpy(copy, buf, len);
        bad += peer_srtp_protect_rtp(tx, buf, &len) < 0 || len == plain;
        if (i % 7000 == 0) {
            uint8_t evil[sizeof(buf)];
            size_t evil_len = len;
            memcpy(evil, buf, len);
            evil[len - 11] ^= 1;
            tampered += peer_srtp_open_rtp(rx, evil, &evil_len) == 0;
        }
        bad += peer_srtp_open_rtp(rx, buf, &len) < 0 || len != plain || memcmp(buf, copy, len);
        if (i % 70 == 0) {
            struct peer_rtcp_out o = {.len = 0};
            peer_rtcp_put_rr(&o, i, NULL, 0);
            peer_rtcp_put_sdes(&o, i, "cname");
            len = o.len;
            bad += peer_srtp_protect_rtcp(tx, o.buf, &len) < 0;
            bad += peer_srtp_open_rtcp(rx, o.buf, &len) < 0 || len != o.len;
        }
    }
    check(tx && rx && !bad && !tampered, "srtp: profile %d, %s to %s, across the rollover", profile,
          tx_fast ? "evp" : "libsrtp2", rx_fast ? "evp" : "libsrtp2");
    peer_srtp_free(tx);
    peer_srtp_free(rx);
}

/* ---- RTP and RTCP ---- */

static void rtp_round_trip(void)
{
    uint8_t buf[256], level = 0x9e, long_value[20] = {7};
    struct peer_rtp r = {
        .pt = 111,
        .marker = true,
        .seq = 7,
        .ts = 8,
        .ssrc = 9,
        .n_exts = 2,
        .exts = {{1, 1, &level}, {4, 1, (const uint8_t *)"0"}},
        .payload = (const uint8_t *)"hello",
        .payload_len = 5,
        .padding = 3,
    };
    struct peer_rtp x;
    unsigned bad = 0;

    for (int form = 0; form < 2; form++) {
        size_t n = peer_rtp_write(&r, buf, sizeof(buf));
        bad += peer_rtp_read(buf, n, false, &x) < 0 || x.n_exts != 2 || x.payload_len != 5 ||
               x.padding != 3 || !x.marker || x.pt != 111 || !peer_rtp_ext(&x, 4) ||
               peer_rtp_ext(&x, 4)->data[0] != '0';
        for (size_t i = 0; i < n - 8; i++) {
            (void)peer_rtp_read(buf, i, false, &x); /* under the sanitizers: reads stay inside */
            bad += i < 12 && peer_rtp_read(buf, i, false, &x) == 0;
        }
        r.exts[0] = (struct peer_rtp_ext){1, sizeof(long_value), long_value}; /* two-byte form */
    }
    check(!bad, "rtp: header, both extension forms and padding survive");
}

static void nack_packs(void)
{
    static const uint16_t seqs[] = {65530, 65531, 65535, 0, 10, 11, 40};
    struct peer_rtcp_out o = {.len = 0};
    struct peer_rtcp r;
    size_t at = 0;
    unsigned found = 0, total = 0;

    peer_rtcp_put_nack(&o, 1, 2, seqs, PEER_LEN(seqs));
    int more = peer_rtcp_next(o.buf, o.len, &at, &r);
    for (size_t i = 4; more > 0 && i + 4 <= r.body_len; i += 4) {
        uint32_t mask = (uint32_t)peer_get16(r.body + i + 2) << 1 | 1;
        for (unsigned b = 0; b <= 16; b++) {
            uint16_t seq = (uint16_t)(peer_get16(r.body + i) + b);
            for (size_t k = 0; mask >> b & 1 && k < PEER_LEN(seqs); k++) {
                found += seqs[k] == seq;
            }
            total += mask >> b & 1;
        }
    }
    check(more == 1 && r.body_len == 4 + 3 * 4 && found == PEER_LEN(seqs) && total == found,
          "rtcp: NACK packs 7 numbers around the wrap into 3 pairs");
}

static void twcc_round_trip(void)
{
    struct peer_rng rng = {42};
    unsigned bad = 0, refused = 0;

    for (unsigned round = 0; round < 500; round++) {
        struct peer_twcc t = {.base = (uint16_t)peer_rng_next(&rng)}, x;
        struct peer_rtcp_out o = {.len = 0};
        struct peer_rtcp r;
        size_t at = 0;
        int64_t now_us = 1000000 + (int64_t)(peer_rng_next(&rng) % 1000000000);
        t.n = (uint16_t)(1 + peer_rng_next(&rng) % PEER_TWCC_MAX);
        for (unsigned i = 0; i < t.n; i++) {
            bool lost = i && peer_rng_unit(&rng) < (round % 3) * 0.3;
            now_us += (int64_t)(peer_rng_next(&rng) % (round % 2 ? 500 : 90000));
            t.at_us[i] = lost ? -1 : now_us - (i % 9 == 8 ? 3000 : 0);
        }
        peer_rtcp_put_twcc(&o, 1, 2, &t);
        bad += peer_rtcp_next(o.buf, o.len, &at, &r) != 1 || peer_twcc_read(&r, &x) < 0 ||
               x.n != t.n || x.base != t.base;
        for (unsigned i = 0; !bad && i < t.n; i++) {
            int64_t ref = t.at_us[0] / 64000 * 64000 - x.at_us[0] / 64000 * 64000;
            int64_t d = x.at_us[i] + ref - t.at_us[i];
            bad +=
                (t.at_us[i] < 0) != (x.at_us[i] < 0) || (t.at_us[i] >= 0 && (d > 250 || d < -250));
        }
        r.body_len -= 4; /* whole words: below that it is alignment */
        refused += peer_twcc_read(&r, &x) < 0;
    }
    check(!bad, "rtcp: 500 random TWCC reports survive within a tick");
    check(refused == 500, "rtcp: each of them is refused a word shorter (%u of 500)", refused);
}

/* ---- media ---- */

static void media_round_trip(enum peer_codec c)
{
    uint8_t buf[PEER_PAYLOAD_MAX];
    unsigned bad = 0, missed = 0;

    for (unsigned frame = 0; frame < 6; frame++) {
        bool key = c == PEER_OPUS || frame % 3 == 0;
        unsigned n = peer_media_count(c, key, c == PEER_OPUS ? 100 : frame < 3 ? 500 : 5000);
        for (unsigned i = 0; i < n; i++) {
            struct peer_media_pkt m = {
                .codec = c,
                .pic_id = (uint16_t)(0x7ffe + frame),
                .tl0 = 9,
                .width = 640,
                .height = 360,
                .payload_bytes = 100 + i * 90,
                .embed = {.stream = 77,
                          .track = 1,
                          .keyframe = key,
                          .frame = frame,
                          .pkt = (uint16_t)i,
                          .n_pkts = (uint16_t)n,
                          .sent_ns = 123456789012345},
            };
            struct peer_desc d;
            struct peer_embed e;
            size_t len = peer_media_write(&m, buf);
            bad += peer_media_read(c, buf, len, &d, &e) != PEER_MEDIA_OK || e.frame != frame ||
                   e.pkt != i || e.n_pkts != n || e.keyframe != key || e.stream != 77 ||
                   e.sent_ns != 123456789012345;
            bad += (c == PEER_VP8 || c == PEER_VP9) && d.pic_id != (m.pic_id & 0x7fff);
            for (size_t k = len - 60; k < len; k++) { /* embedded header's end, and filler */
                buf[k] ^= 1;
                missed += peer_media_read(c, buf, len, &d, &e) == PEER_MEDIA_OK;
                buf[k] ^= 1;
            }
            missed += peer_media_read(c, buf, len - 1, &d, &e) == PEER_MEDIA_OK;
        }
    }
    check(!bad, "media: %s frames survive, key and delta, one packet and many",
          peer_codec_info(c)->name);
    check(!missed, "media: %s, every changed byte is noticed", peer_codec_info(c)->name);
}

/* ---- clips ---- */

static void clips(void)
{
    static const uint8_t good[] = "DKIF\0\0\x20\0VP80????????????????????" /* two frames */
                                  "\4\0\0\0????????\x10key"
                                  "\1\0\0\0????????\x11";
    static const struct {
        const char *what;
        size_t len;
        unsigned at; /* byte to change */
        uint8_t to;
        int want;
    } rows[] = {
        {"two frames", sizeof(good) - 1, 0, 'D', 0},
        {"another file", sizeof(good) - 1, 0, 'R', -EINVAL},
        {"another codec", sizeof(good) - 1, 11, '9', -EINVAL},
        {"no key frame first", sizeof(good) - 1, 44, 0x11, -EINVAL},
        {"a frame cut off", sizeof(good) - 2, 0, 'D', -EINVAL},
        {"a frame's head cut off", 50, 0, 'D', -EINVAL},
        {"a frame larger than the file", sizeof(good) - 1, 35, 0xff, -EINVAL},
        {"no frame", 32, 0, 'D', -EINVAL},
        {"nothing", 0, 0, 'D', -EINVAL},
    };
    static struct peer_clip c;
    uint8_t file[sizeof(good)], out[PEER_PAYLOAD_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(file, good, sizeof(good));
        file[rows[i].at] = rows[i].to;
        check(peer_clip_read(file, rows[i].len, &c) == rows[i].want, "clip: %s", rows[i].what);
    }
    memcpy(file, good, sizeof(good));
    check(peer_clip_read(file, sizeof(good) - 1, &c) == 0 && c.n == 2 && c.frames[0].key &&
              c.frames[0].len == 4 && !c.frames[1].key && c.frames[1].len == 1,
          "clip: its frames");
    struct peer_media_pkt m = {.codec = PEER_VP8,
                               .pic_id = 5,
                               .body = c.frames[0].data,
                               .body_len = c.frames[0].len,
                               .embed = {.n_pkts = 1, .keyframe = true}};
    size_t n = peer_media_write(&m, out);
    check(n == 6 + 4 && out[0] == 0x90 && !memcmp(out + 6, "\x10key", 4),
          "clip: a frame travels behind its descriptor as it is");
}

/* ---- the verifier: a clean stream has no fault, each mutation has its own ---- */

struct mutation {
    const char *name;
    enum peer_fault fault;
    unsigned at; /* packet to change, or to act on */
    bool twice;  /* deliver it twice */
    int ts_add;  /* change its timestamp */
    int marker;  /* 0 leave, 1 flip */
    int pic_add; /* shift the picture ids from here on */
    int tl0_add;
    int frame_add; /* embedded frame number of this packet only */
    int layer;     /* layer from here on, without key frame */
    int skip;      /* leave this many packets out but close the sequence numbers up */
    int corrupt;   /* flip a byte of the filler */
};

static void run_mutation(const struct mutation *m)
{
    struct peer_stats stats = {0};
    struct peer_rx rx = {.stats = &stats, .codec = PEER_VP8, .video = true, .give_up_us = 100000};
    uint8_t buf[PEER_PACKET_MAX];
    uint16_t seq = 65500;
    unsigned index = 0;
    uint64_t duplicates = 0;

    if (peer_rx_init(&rx, 256) < 0) {
        abort();
    }
    for (unsigned frame = 0; frame < 40; frame++) {
        unsigned n = frame ? 3 : 6;
        for (unsigned i = 0; i < n; i++, index++) {
            bool here = index == m->at, after = index >= m->at;
            struct peer_media_pkt k = {
                .codec = PEER_VP8,
                .pic_id = (uint16_t)(frame + (after ? m->pic_add : 0)),
                .tl0 = (uint8_t)(frame + (after ? m->tl0_add : 0)),
                .width = 64,
                .height = 64,
                .payload_bytes = 200,
                .embed = {.stream = 1,
                          .track = 1,
                          .keyframe = !frame,
                          .layer = (uint8_t)(after ? m->layer : 0),
                          .frame = frame + (here ? (unsigned)m->frame_add : 0),
                          .pkt = (uint16_t)i,
                          .n_pkts = (uint16_t)n},
            };
            if (m->skip && index >= m->at && index < m->at + (unsigned)m->skip) {
                continue;
            }
            struct peer_rtp r = {
                .pt = 96,
                .marker = (i + 1 == n) != (here && m->marker),
                .seq = seq++,
                .ts = frame * 3000 + (here ? (uint32_t)m->ts_add : 0),
                .ssrc = 1,
                .payload = buf,
            };
            struct peer_embed e;
            bool has;
            r.payload_len = peer_media_write(&k, buf);
            buf[r.payload_len - 1] ^= (uint8_t)(here && m->corrupt);
            for (int times = here && m->twice ? 2 : 1; times; times--) {
                duplicates += peer_rx_packet(&rx, &r, r.seq, true, false, index * 1000, &e, &has) ==
                              PEER_RX_DUPLICATE;
            }
        }
    }
    stats.faults[PEER_FAULT_DUPLICATE] += duplicates;
    uint64_t total = 0;
    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        total += stats.faults[f];
    }
    bool clean = m->fault == PEER_FAULT_COUNT;
    check(clean ? total == 0 && stats.frames == 40 && stats.keyframes == 1
                : stats.faults[m->fault] > 0,
          "verifier: %s", m->name);
    peer_rx_fini(&rx);
}

static void mutations(void)
{
    static const struct mutation rows[] = {
        {.name = "a clean stream has no fault", .fault = PEER_FAULT_COUNT, .at = 9999},
        {.name = "duplicate", .fault = PEER_FAULT_DUPLICATE, .at = 20, .twice = true},
        {.name = "timestamp backwards", .fault = PEER_FAULT_TIMESTAMP, .at = 20, .ts_add = -4000},
        {.name = "marker in mid-frame", .fault = PEER_FAULT_MARKER, .at = 19, .marker = 1},
        {.name = "frame end without marker", .fault = PEER_FAULT_MARKER, .at = 20, .marker = 1},
        {.name = "picture id jumps", .fault = PEER_FAULT_PICTURE_ID, .at = 21, .pic_add = 1},
        {.name = "TL0PICIDX jumps", .fault = PEER_FAULT_TL0, .at = 21, .tl0_add = 1},
        {.name = "packet of another frame", .fault = PEER_FAULT_ORDER, .at = 20, .frame_add = 5},
        {.name = "packet missing without a gap", .fault = PEER_FAULT_ORDER, .at = 20, .skip = 1},
        {.name = "layer switch without key frame",
         .fault = PEER_FAULT_SWITCH,
         .at = 21,
         .layer = 1},
        {.name = "content changed", .fault = PEER_FAULT_CHECKSUM, .at = 21, .corrupt = 1},
    };

    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        run_mutation(&rows[i]);
    }
}

static void gaps(void)
{
    struct peer_stats stats = {0};
    struct peer_rx rx = {.stats = &stats, .codec = PEER_VP8, .video = true, .give_up_us = 100000};
    uint8_t buf[PEER_PACKET_MAX];
    uint16_t nacks[64];
    struct peer_embed e;
    bool has;

    if (peer_rx_init(&rx, 256) < 0) {
        abort();
    }
    for (unsigned i = 0; i < 30; i++) {
        struct peer_media_pkt k = {.codec = PEER_VP8,
                                   .pic_id = (uint16_t)i,
                                   .tl0 = (uint8_t)i,
                                   .embed = {.frame = i, .n_pkts = 1, .keyframe = i == 0}};
        struct peer_rtp r = {.marker = true, .seq = (uint16_t)(65530 + i), .ts = i, .payload = buf};
        r.payload_len = peer_media_write(&k, buf);
        if (i != 10 && i != 11 && i != 20) {
            (void)peer_rx_packet(&rx, &r, r.seq, true, false, i * 1000, &e, &has);
        }
    }
    unsigned n = peer_rx_nacks(&rx, 40000, nacks, 64);
    check(n == 3 && nacks[0] == 4 && nacks[1] == 5 && nacks[2] == 14 &&
              peer_rx_nacks(&rx, 41000, nacks, 64) == 0,
          "receiver: asks once for each of three missing packets");
    struct peer_media_pkt k = {
        .codec = PEER_VP8, .pic_id = 10, .tl0 = 10, .embed = {.frame = 10, .n_pkts = 1}};
    struct peer_rtp r = {.marker = true, .ts = 10, .payload = buf};
    r.payload_len = peer_media_write(&k, buf);
    enum peer_rx_result got = peer_rx_packet(&rx, &r, 4, true, true, 50000, &e, &has);
    check(got == PEER_RX_NEW && stats.recovered == 1 && stats.missing == 3,
          "receiver: a retransmitted packet fills its gap");
    peer_rx_on_time(&rx, 500000);
    uint64_t order = stats.faults[PEER_FAULT_ORDER] + stats.faults[PEER_FAULT_PICTURE_ID];
    check(stats.lost == 2 && peer_rx_open_gaps(&rx) == 0 && stats.frames == 28 && !order,
          "receiver: gives up the others in time, without blaming the stream");
    peer_rx_fini(&rx);
}

/* ---- SDP ---- */

static char *make_offer(struct peer_sdp_local *l)
{
    static char text[PEER_SDP_TEXT_MAX];

    return peer_sdp_offer(l, text, sizeof(text)) ? text : NULL;
}

static void sdp_faults(void)
{
    static const struct {
        const char *name, *from, *to;
    } rows[] = {
        {"clean answer", "", ""},
        {"LF only", "s=-\r\n", "s=-\n"},
        {"mid changed", "a=mid:1", "a=mid:7"},
        {"foreign payload type", "a=rtpmap:96 VP8", "a=rtpmap:96 VP9"},
        {"extmap id changed", "a=extmap:4 ", "a=extmap:5 "},
        {"setup actpass", "a=setup:passive", "a=setup:actpass"},
        {"direction", "a=recvonly", "a=sendonly"},
        {"no rtcp-mux", "a=rtcp-mux\r\n", ""},
        {"outside BUNDLE", "BUNDLE 0 1", "BUNDLE 0"},
        {"short password", "a=ice-pwd:0123456789", "a=ice-pwd:"},
        {"feedback not offered", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 goog-remb"},
        {"second simulcast line", "a=simulcast:", "a=simulcast:recv q\r\na=simulcast:"},
        {"unknown rid", "a=rid:q recv", "a=rid:z recv"},
    };
    static struct peer_sdp offer, answer;
    static char text[PEER_SDP_TEXT_MAX];
    struct peer_sdp_local l = {
        .publish = true,
        .n_audio = 1,
        .n_video = 1,
        .codecs = 1U << PEER_VP8,
        .ufrag = "abcdefgh",
        .pwd = "012345678901234567890123",
        .fingerprint = "AB:CD",
        .setup = "actpass",
        .ip = "127.0.0.1",
        .port = 9,
        .rtx = true,
        .nack = true,
        .twcc = true,
        .extensions = true,
        .rsize = true,
        .ssrc_lines = true,
        .cname = "me",
        .n_layers = 3,
        .rids = {"q", "h", "f"},
    };
    char *o = make_offer(&l);

    check(o && peer_sdp_read(o, strlen(o), &offer) == 0 && !offer.fault && offer.n_media == 2 &&
              offer.media[1].n_rids == 3 && offer.n_cands == 1 && offer.media[1].ext[PEER_EXT_RID],
          "sdp: reads its own offer");
    l.publish = false;
    l.setup = "passive";
    size_t n = peer_sdp_answer(&l, &offer, text, sizeof(text));
    for (size_t i = 0; n && i < PEER_LEN(rows); i++) {
        char *copy = malloc(n + 256), *at = strstr(text, rows[i].from);
        size_t before = at ? (size_t)(at - text) : 0;
        int len = snprintf(copy, n + 256, "%.*s%s%s", (int)before, text, rows[i].to,
                           text + before + strlen(rows[i].from));
        int r = peer_sdp_read(copy, (size_t)len, &answer);
        const char *why = r ? "unreadable" : peer_sdp_fault(&offer, &answer);
        check(at && (i == 0) == !why, "sdp: %s (%s)", rows[i].name, why ? why : "no fault");
        free(copy);
    }
}

/* ---- HTTP ---- */

#define HEAD_201 "HTTP/1.1 201 Created\r\nlocation:  /s/1\r\nLink: <a>\r\nLINK: <b>\r\n"

static void http_responses(void)
{
    static const struct {
        const char *what, *in;
        bool head_only, eof;
        int rc;
        const char *body; /* when it is whole */
    } rows[] = {
        {"a length", HEAD_201 "Content-Length: 3\r\n\r\nabcd", false, false, 1, "abc"},
        {"half of it", HEAD_201 "Content-Length: 5\r\n\r\nabcd", false, false, 0, NULL},
        {"never more", HEAD_201 "Content-Length: 5\r\n\r\nabcd", false, true, -EBADMSG, NULL},
        {"chunks", HEAD_201 "Transfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         false, false, 1, "abc"},
        {"no last chunk", HEAD_201 "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", false, false, 0,
         NULL},
        {"until the end", HEAD_201 "\r\nabc", false, true, 1, "abc"},
        {"not yet the end", HEAD_201 "\r\nabc", false, false, 0, NULL},
        {"an answer to HEAD", HEAD_201 "Content-Length: 3\r\n\r\n", true, false, 1, ""},
        {"no content", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false, false, 1, ""},
        {"half a head", HEAD_201, false, false, 0, NULL},
        {"no HTTP", "SSH-2.0-x\r\n\r\n", false, true, -EBADMSG, NULL},
    };

    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        struct peer_http_text t = {0};
        size_t len = strlen(rows[i].in);
        char *in = strdup(rows[i].in);
        int rc = peer_http_text_read(in, len, rows[i].head_only, rows[i].eof, &t);
        bool ok = rc == rows[i].rc;
        if (ok && rc == 1) {
            ok = t.body_len == strlen(rows[i].body) && !memcmp(t.body, rows[i].body, t.body_len);
        } else if (ok) {
            ok = !strcmp(in, rows[i].in);
        }
        check(ok, "http: %s (%d)", rows[i].what, rc);
        free(in);
    }
    size_t n = 0;
    const char *v = peer_http_text_header(HEAD_201, "Location", 0, &n);
    check(v && n == 4 && !strncmp(v, "/s/1", n), "http: a header, its name in any case");
    v = peer_http_text_header(HEAD_201, "Link", 1, &n);
    check(v && n == 3 && !strncmp(v, "<b>", n) && !peer_http_text_header(HEAD_201, "Link", 2, &n),
          "http: the second of two of one name, and no third");
}

static void http_urls(void)
{
    static const struct {
        const char *url, *host, *port, *path; /* host NULL: refused */
    } rows[] = {
        {"http://a.example/x?y", "a.example", "80", "/x?y"},
        {"https://[::1]:8443", "::1", "8443", "/"},
        {"http://10.0.0.1:81/", "10.0.0.1", "81", "/"},
        {"ftp://a/", NULL, NULL, NULL},
        {"http:///x", NULL, NULL, NULL},
    };

    for (size_t i = 0; i < PEER_LEN(rows); i++) {
        struct peer_http_url u;
        int rc = peer_http_url_read(rows[i].url, &u);
        check(rows[i].host
                  ? rc == 0 && !strcmp(u.host, rows[i].host) && !strcmp(u.port, rows[i].port) &&
                        !strcmp(u.path, rows[i].path) && u.tls == (rows[i].url[4] == 's')
                  : rc == -EINVAL,
              "http: %s", rows[i].url);
    }
}

int main(void)
{
    stun_vector();
    stun_round_trip();
    for (int i = 0; i < 4; i++) {
        srtp_pair(PEER_PROFILE_GCM_128, i & 1, i & 2);
        srtp_pair(PEER_PROFILE_GCM_256, i & 1, i & 2);
    }
    srtp_pair(PEER_PROFILE_CM_SHA1_80, true, false);
    rtp_round_trip();
    nack_packs();
    twcc_round_trip();
    for (unsigned c = 0; c < PEER_CODEC_COUNT; c++) {
        media_round_trip(c);
    }
    clips();
    mutations();
    gaps();
    sdp_faults();
    http_responses();
    http_urls();
    return checks_report();
}
