/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/turmoil_bytes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

unsigned turmoil_below(struct peer_rng *r, unsigned n)
{
    return n ? (unsigned)(peer_rng_next(r) % n) : 0;
}

bool turmoil_once_in(struct peer_rng *r, unsigned n)
{
    return turmoil_below(r, n) == 0;
}

void turmoil_fill(struct peer_rng *r, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)turmoil_below(r, turmoil_once_in(r, 2) ? 4 : 256);
    }
}

/* ---- text ---- */

static const char *const odd_lines[] = {
    "a=group:BUNDLE 0 0 1 7",
    "a=mid:",
    "a=mid:0",
    "a=setup:holdconn",
    "a=inactive",
    "a=sendrecv",
    "a=ice-lite",
    "a=ice-ufrag:x",
    "a=ice-pwd:tooshort",
    "a=rtcp-mux-only",
    "a=rid:q send pt=200;max-width=-1",
    "a=simulcast:send q;~h,f;;e recv q",
    "a=ssrc-group:FID 1 1 1",
    "a=ssrc-group:SIM 1 2 3 4 5 6 7 8",
    "a=ssrc:4294967296 cname:x",
    "a=extmap:15/sendonly urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:255 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "a=rtpmap:96 VP8/90000",
    "a=fmtp:96 apt=96",
    "a=fmtp:97 profile-level-id=zzzzzz;packetization-mode=2;sprop-parameter-sets=,,,",
    "a=rtcp-fb:* nack",
    "a=fingerprint:sha-256 00",
    "a=fingerprint:md5 00:11",
    "a=candidate:1 1 tcp 1 256.1.1.1 99999 typ relay",
    "a=sctp-port:0",
    "a=max-message-size:0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100",
    "m=audio 0 RTP/AVP 0",
    "a=end-of-candidates",
};

/* A piece of text that is put in the place of another one. */
struct edit {
    size_t at, gone;
    char put[600];
};

/* The beginning and length (with its end) of the line about there. */
static void line_at(const char *text, size_t len, size_t near, size_t *ret_at, size_t *ret_len)
{
    size_t at = near < len ? near : len;

    while (at > 0 && text[at - 1] != '\n') {
        at--;
    }
    const char *end = memchr(text + at, '\n', len - at);
    *ret_at = at;
    *ret_len = end ? (size_t)(end + 1 - (text + at)) : len - at;
}

static void draw_edit(struct peer_rng *r, const char *text, size_t len, struct edit *e)
{
    static const char *const numbers[] = {"0",     "-1",    "255",        "256",
                                          "65535", "65536", "4294967295", "99999999999999999999"};
    size_t line, n;

    line_at(text, len, turmoil_below(r, (unsigned)len), &e->at, &n);
    e->gone = 0;
    switch (turmoil_below(r, 7)) {
    case 0:
        e->gone = n;
        snprintf(e->put, sizeof(e->put), "%s", "");
        break;
    case 1: /* another line of it, once more */
        line_at(text, len, turmoil_below(r, (unsigned)len), &line, &n);
        snprintf(e->put, sizeof(e->put), "%.*s", (int)(n < 500 ? n : 0), text + line);
        break;
    case 2:
        snprintf(e->put, sizeof(e->put), "%s\r\n",
                 odd_lines[turmoil_below(r, PEER_LEN(odd_lines))]);
        break;
    case 3: /* the first number from here on */
        e->at += strcspn(text + e->at, "0123456789");
        e->gone = strspn(text + e->at, "0123456789");
        snprintf(e->put, sizeof(e->put), "%s", numbers[turmoil_below(r, PEER_LEN(numbers))]);
        break;
    case 4:
        e->at += turmoil_below(r, (unsigned)n);
        e->gone = e->at < len;
        snprintf(e->put, sizeof(e->put), "%c", (char)(1 + turmoil_below(r, 255)));
        break;
    case 5:
        memset(e->put, 'a' + (int)turmoil_below(r, 26), sizeof(e->put));
        e->put[turmoil_below(r, sizeof(e->put))] = '\0';
        e->put[sizeof(e->put) - 1] = '\0';
        e->at += turmoil_below(r, (unsigned)n);
        break;
    default:
        e->gone = turmoil_once_in(r, 5) ? len - e->at : 0;
        e->put[0] = '\0';
    }
}

char *turmoil_edit(struct peer_rng *r, const char *text, unsigned max_edits)
{
    size_t len = strlen(text);
    char *s = malloc(len + 600 * (size_t)max_edits + 1);

    if (!s) {
        return NULL;
    }
    memcpy(s, text, len + 1);
    for (unsigned i = turmoil_below(r, max_edits + 1); i; i--) {
        struct edit e;
        draw_edit(r, s, len, &e);
        size_t put = strlen(e.put);
        memmove(s + e.at + put, s + e.at + e.gone, len - e.at - e.gone + 1);
        memcpy(s + e.at, e.put, put);
        len += put - e.gone;
    }
    return s;
}

void turmoil_name(struct peer_rng *r, char *out, size_t cap)
{
    static const char *const pieces[] = {"a",   "Z9", "~screen", "%41",       "%c3%a9", "%00",  "%",
                                         "%zz", "..", "%2e%2e",  "%2F",       "%ff%fe", "\xc3", ":",
                                         "+",   "=",  "*",       "aaaaaaaaaa"};
    struct peer_text t = {.buf = out, .cap = cap};

    out[0] = '\0';
    for (unsigned i = 1 + turmoil_below(r, turmoil_once_in(r, 8) ? 100 : 4); i; i--) {
        peer_text_add(&t, "%s", pieces[turmoil_below(r, PEER_LEN(pieces))]);
    }
}

/* ---- media ---- */

size_t turmoil_rtcp(struct peer_rng *r, uint32_t from, uint32_t about, uint8_t *out)
{
    size_t len = 0;

    for (unsigned n = 1 + turmoil_below(r, 3); n; n--) {
        unsigned words = 1 + turmoil_below(r, turmoil_once_in(r, 4) ? 110 : 8);
        uint8_t *p = out + len;
        turmoil_fill(r, p, 4 + 4 * (size_t)words);
        p[0] = (uint8_t)(0x80 | turmoil_once_in(r, 10) << 5 |
                         turmoil_below(r, turmoil_once_in(r, 3) ? 32 : 16));
        p[1] = (uint8_t)(turmoil_once_in(r, 10) ? 192 + turmoil_below(r, 32)
                                                : 200 + turmoil_below(r, 8));
        peer_put16(p + 2, words);
        peer_put32(p + 4, from);
        if (words > 1) {
            peer_put32(p + 8, about);
        }
        len += 4 + 4 * (size_t)words;
    }
    return turmoil_once_in(r, 6) ? 8 + turmoil_below(r, (unsigned)len - 8) : len;
}

size_t turmoil_rtp(struct peer_rng *r, uint8_t pt, uint16_t seq, uint32_t ssrc, uint8_t *out)
{
    size_t len = 12 + turmoil_below(r, turmoil_once_in(r, 2) ? 30 : 1250);

    turmoil_fill(r, out, len);
    out[0] = (uint8_t)(0x80 | turmoil_below(r, 4) << 4 |
                       (turmoil_once_in(r, 8) ? turmoil_below(r, 16) : 0));
    out[1] = (uint8_t)(pt | turmoil_below(r, 2) << 7);
    peer_put16(out + 2, seq);
    peer_put32(out + 8, ssrc);
    if (out[0] & 0x10 && len > 40) { /* of both forms, with ids that mean something */
        peer_put16(out + 12, turmoil_once_in(r, 2) ? 0xbede : 0x1000);
        peer_put16(out + 14, 1 + turmoil_below(r, 6));
    }
    return len;
}

/* ---- transport ---- */

size_t turmoil_chunk(struct peer_rng *r, uint8_t type, uint8_t *out)
{
    size_t len = turmoil_below(r, turmoil_once_in(r, 4) ? 200 : 40);

    turmoil_fill(r, out, len);
    if (type == 0 && len >= 12) { /* DATA: stream, and a DCEP identifier or one of text */
        peer_put16(out + 4, turmoil_below(r, 70));
        peer_put32(out + 8, turmoil_once_in(r, 2) ? 50 : 51 + turmoil_below(r, 8));
    } else if (type == 130 && len >= 16) { /* RE-CONFIG: one parameter that fits */
        peer_put16(out, 13 + turmoil_below(r, 6));
        peer_put16(out + 2, (uint32_t)len);
    }
    return len;
}

static size_t put_attr(uint8_t *out, uint16_t type, const void *value, size_t len)
{
    peer_put16(out, type);
    peer_put16(out + 2, (uint32_t)len);
    memset(out + 4, 0, (len + 3) / 4 * 4);
    memcpy(out + 4, value, len);
    return 4 + (len + 3) / 4 * 4;
}

size_t turmoil_stun(struct peer_rng *r, const char *user, const char *password, uint8_t *out)
{
    static const uint16_t types[] = {0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015,
                                     0x001c, 0x0020, 0x0024, 0x0025, 0x7fff, 0x8022, 0x8023,
                                     0x8028, 0x8029, 0x802a, 0xc057, 0xffff};
    uint8_t value[80], mac[EVP_MAX_MD_SIZE];
    unsigned mac_len;
    size_t at = 20;

    peer_put16(out, turmoil_once_in(r, 8) ? turmoil_below(r, 0x4000) : 1);
    peer_put32(out + 4, 0x2112a442);
    turmoil_fill(r, out + 8, 12);
    at += put_attr(out + at, 0x0006, user, strlen(user) < 128 ? strlen(user) : 128);
    for (unsigned n = turmoil_below(r, 5); n; n--) {
        turmoil_fill(r, value, sizeof(value));
        size_t len = turmoil_once_in(r, 2) ? 4 + 4 * (size_t)turmoil_below(r, 2)
                                           : turmoil_below(r, sizeof(value));
        at += put_attr(out + at, types[turmoil_below(r, PEER_LEN(types))], value, len);
    }
    peer_put16(out + 2, (uint32_t)(at - 20 + 24)); /* with the integrity */
    HMAC(EVP_sha1(), password, (int)strlen(password), out, at, mac, &mac_len);
    return at + put_attr(out + at, 0x0008, mac, 20);
}
