/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/feed.h"

#define MAGIC      0x5eedf00d
#define NUMBER_AT  4
#define AUDIO_STEP 960
#define MID_URI    "urn:ietf:params:rtp-hdrext:sdes:mid"

static struct party *join(struct suite *s, const struct plan *plan, bool play)
{
    struct plan own = plan ? *plan : (struct plan){0};

    own.play = play;
    struct party *p = party_post(s, &own);
    peer_set_paused(p->peer, true);
    return party_up(p) ? p : NULL;
}

bool feed_open(struct suite *s, const struct plan *pub, const struct plan *view, struct feed *ret)
{
    *ret = (struct feed){.suite = s};
    ret->pub = join(s, pub, false);
    if (!ret->pub) {
        return false;
    }
    const struct check_doc *o = &ret->pub->offer, *a = &ret->pub->answer;
    ret->audio = doc_section(o, "audio", 0);
    ret->video = doc_section(o, "video", 0);
    ret->audio_pt = (uint8_t)doc_pt(a, ret->audio, "opus");
    ret->video_pt = (uint8_t)strtoul(ret->video ? check_pts(a, ret->video) : "0", NULL, 10);
    ret->rtx_pt = (uint8_t)doc_pt(a, ret->video, "rtx");
    ret->audio_ssrc = doc_ssrc(o, ret->audio);
    ret->video_ssrc = doc_ssrc(o, ret->video);
    const char *fid = ret->video ? check_get(o, ret->video, "a=ssrc-group:FID ") : NULL;
    unsigned first = 0, second = 0;
    if (fid && sscanf(fid, "%u %u", &first, &second) == 2) {
        ret->rtx_ssrc = second;
    }
    ret->mid_ext = doc_ext(a, ret->audio, MID_URI);
    ret->view = join(s, view, true);
    return ret->view != NULL;
}

void feed_send(struct feed *f, const struct peer_rtp *r, uint32_t number)
{
    uint8_t payload[40] = {0}, buf[PEER_PACKET_MAX];
    struct peer_rtp x = *r;

    if (!x.payload) {
        payload[0] = 0x78; /* an Opus TOC: 20 ms, one frame */
        peer_put32(payload + NUMBER_AT, MAGIC);
        peer_put32(payload + NUMBER_AT + 4, number);
        x.payload = payload;
        x.payload_len = sizeof(payload);
    }
    x.pt = x.pt ? x.pt : f->audio_pt;
    x.ssrc = x.ssrc ? x.ssrc : f->audio_ssrc;
    size_t n = peer_rtp_write(&x, buf, sizeof(buf));
    (void)peer_send_rtp(f->pub->peer, buf, n);
}

void feed_audio(struct feed *f, uint16_t seq, uint32_t number)
{
    feed_send(f, &(struct peer_rtp){.seq = seq, .ts = (uint32_t)seq * AUDIO_STEP}, number);
}

void feed_vp8_payload(uint8_t out[64], uint8_t picture_id, bool key, uint32_t number)
{
    /* descriptor: start of partition 0, 7 bit picture id; then a frame header, then the number */
    const uint8_t head[] = {0x90, 0x80, (uint8_t)(picture_id & 0x7f), key ? 0x10 : 0x11,
                            0x02, 0x00};

    memset(out, 0, 64);
    memcpy(out, head, sizeof(head));
    if (key) {
        memcpy(out + 6, "\x9d\x01\x2a\x40\x01\xf0\x00", 7); /* start code, 320x240 */
    }
    peer_put32(out + 16, MAGIC);
    peer_put32(out + 20, number);
}

void feed_vp8(struct feed *f, uint16_t seq, uint32_t ts, bool key, uint32_t number)
{
    uint8_t p[64];

    feed_vp8_payload(p, (uint8_t)seq, key, number);
    feed_send(f,
              &(struct peer_rtp){.pt = f->video_pt,
                                 .ssrc = f->video_ssrc,
                                 .seq = seq,
                                 .ts = ts,
                                 .marker = true,
                                 .payload = p,
                                 .payload_len = sizeof(p)},
              number);
}

uint32_t feed_number(const struct feed *f, const struct plain *x)
{
    struct peer_rtp r;

    (void)f;
    if (x->rtcp || peer_rtp_read(x->buf, x->len, false, &r) < 0) {
        return 0;
    }
    for (size_t at = 0; at + 8 <= r.payload_len && at <= 20; at++) {
        if (peer_get32(r.payload + at) == MAGIC) {
            return peer_get32(r.payload + at + 4);
        }
    }
    return 0;
}

static const struct plain *find(const struct feed *f, uint32_t number, unsigned *ret_count)
{
    const struct plain *found = NULL;

    *ret_count = 0;
    for (unsigned i = 0; i < party_plain_count(f->view); i++) {
        const struct plain *x = party_plain(f->view, i);
        if (feed_number(f, x) == number) {
            found = found ? found : x;
            ++*ret_count;
        }
    }
    return found;
}

unsigned feed_count(const struct feed *f, uint32_t number)
{
    unsigned n;

    (void)find(f, number, &n);
    return n;
}

struct wait {
    const struct feed *f;
    uint32_t number;
    unsigned n_plain;
    const struct plain *found;
};

static bool has_come(void *ctx)
{
    struct wait *w = ctx;
    unsigned n;

    if (w->n_plain != w->f->view->n_plain) {
        w->n_plain = w->f->view->n_plain;
        w->found = find(w->f, w->number, &n);
    }
    return w->found != NULL;
}

const struct plain *feed_wait(struct feed *f, uint32_t number, unsigned ms)
{
    struct wait w = {.f = f, .number = number, .n_plain = ~0U};

    (void)suite_until_ms(f->suite, ms, has_come, &w);
    return w.found;
}

int feed_seq(const struct feed *f, uint32_t number)
{
    unsigned n;
    const struct plain *x = find(f, number, &n);

    return x ? peer_get16(x->buf + 2) : -1;
}

bool feed_prime(struct feed *f, uint16_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        feed_audio(f, (uint16_t)(first + i), i + 1);
        suite_wait(f->suite, 10);
    }
    return suite_expect(f->suite, feed_wait(f, n, f->suite->o.patience_ms),
                        "a publisher's packets reach the viewer", "none of %u came", n);
}
