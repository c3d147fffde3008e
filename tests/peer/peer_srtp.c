/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_srtp.h"
#include "tests/peer/peer_bytes.h"

#include <errno.h>
#include <openssl/evp.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

#define GCM_TAG        16
#define GCM_IV         12
#define REPLAY_WINDOW  1024
#define FAST_SSRCS     16
#define SRTCP_INDEX    4
#define RTCP_HEAD      8
#define LABEL_RTP_KEY  0x00
#define LABEL_RTP_SALT 0x02
#define LABEL_CTP_KEY  0x03
#define LABEL_CTP_SALT 0x05

/* Rollover counter of one SSRC. */
struct fast_roc {
    uint32_t ssrc;
    bool used;
    uint64_t highest; /* roc << 16 | seq */
};

struct fast_dir {
    EVP_CIPHER_CTX *rtp;
    EVP_CIPHER_CTX *rtcp;
    uint8_t rtp_salt[GCM_IV];
    uint8_t rtcp_salt[GCM_IV];
    uint32_t rtcp_index;
    struct fast_roc rocs[FAST_SSRCS];
};

struct peer_srtp {
    srtp_t tx, rx; /* NULL when fast */
    bool fast;
    struct fast_dir ftx, frx;
};

/* ---- AES-GCM on EVP ---- */

/* RFC 3711 4.3.1 with RFC 7714 11's 96-bit salt: AES-CM of the master key over label and salt. */
static bool derive(const uint8_t *key, size_t key_len, const uint8_t salt[GCM_IV], uint8_t label,
                   uint8_t *out, size_t n)
{
    uint8_t iv[16] = {0}, zeros[32] = {0};
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;

    memcpy(iv, salt, GCM_IV);
    iv[7] ^= label;
    bool ok = c &&
              EVP_EncryptInit_ex(c, key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(), NULL,
                                 key, iv) == 1 &&
              EVP_EncryptUpdate(c, out, &len, zeros, (int)n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static EVP_CIPHER_CTX *make_gcm(const uint8_t *key, size_t len, bool encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    if (c && EVP_CipherInit_ex(c, len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), NULL, key,
                               NULL, encrypt) != 1) {
        EVP_CIPHER_CTX_free(c);
        return NULL;
    }
    return c;
}

static bool fast_init(struct fast_dir *d, const uint8_t *key, size_t key_len, const uint8_t *salt,
                      bool encrypt)
{
    uint8_t session[PEER_SRTP_KEY_MAX];

    if (!derive(key, key_len, salt, LABEL_RTP_KEY, session, key_len)) {
        return false;
    }
    d->rtp = make_gcm(session, key_len, encrypt);
    if (!derive(key, key_len, salt, LABEL_CTP_KEY, session, key_len)) {
        return false;
    }
    d->rtcp = make_gcm(session, key_len, encrypt);
    return d->rtp && d->rtcp && derive(key, key_len, salt, LABEL_RTP_SALT, d->rtp_salt, GCM_IV) &&
           derive(key, key_len, salt, LABEL_CTP_SALT, d->rtcp_salt, GCM_IV);
}

static void fast_fini(struct fast_dir *d)
{
    EVP_CIPHER_CTX_free(d->rtp);
    EVP_CIPHER_CTX_free(d->rtcp);
}

/* The index (ROC and sequence number) of a packet, RFC 3711 3.3.1; *ret_roc where to note it. */
static uint64_t fast_index(struct fast_dir *d, uint32_t ssrc, uint16_t seq,
                           struct fast_roc **ret_roc)
{
    struct fast_roc *r = &d->rocs[0];

    for (size_t i = 0; i < FAST_SSRCS; i++) {
        r = &d->rocs[i];
        if (!r->used || r->ssrc == ssrc) {
            break;
        }
    }
    *ret_roc = r;
    if (!r->used || r->ssrc != ssrc) {
        return seq;
    }
    uint64_t base = r->highest & ~(uint64_t)0xffff;
    uint64_t index = base | seq;
    int32_t diff = (int32_t)seq - (int32_t)(r->highest & 0xffff);
    if (diff > 0x8000 && base) {
        index -= 0x10000;
    } else if (diff < -0x8000) {
        index += 0x10000;
    }
    return index;
}

static void fast_note(struct fast_roc *r, uint32_t ssrc, uint64_t index)
{
    if (!r->used || r->ssrc != ssrc || index > r->highest) {
        *r = (struct fast_roc){.ssrc = ssrc, .used = true, .highest = index};
    }
}

static void rtp_iv(const uint8_t salt[GCM_IV], uint32_t ssrc, uint64_t index, uint8_t iv[GCM_IV])
{
    uint8_t x[GCM_IV] = {0};

    peer_put32(x + 2, ssrc);
    peer_put32(x + 6, (uint32_t)(index >> 16));
    peer_put16(x + 10, (uint32_t)index);
    for (int i = 0; i < GCM_IV; i++) {
        iv[i] = x[i] ^ salt[i];
    }
}

static void rtcp_iv(const uint8_t salt[GCM_IV], uint32_t ssrc, uint32_t index, uint8_t iv[GCM_IV])
{
    uint8_t x[GCM_IV] = {0};

    peer_put32(x + 2, ssrc);
    peer_put32(x + 8, index & 0x7fffffff);
    for (int i = 0; i < GCM_IV; i++) {
        iv[i] = x[i] ^ salt[i];
    }
}

/* Bytes before the payload: header, CSRCs, extension; 0 when that is not a packet. */
static size_t rtp_head(const uint8_t *p, size_t len)
{
    size_t n = len >= 12 ? 12 + (size_t)(p[0] & 15) * 4 : 0;

    if (n && p[0] & 0x10) {
        n = n + 4 <= len ? n + 4 + (size_t)peer_get16(p + n + 2) * 4 : 0;
    }
    return n <= len ? n : 0;
}

static int fast_protect_rtp(struct fast_dir *d, uint8_t *p, size_t *len)
{
    struct fast_roc *roc;
    uint8_t iv[GCM_IV];
    size_t head = rtp_head(p, *len);
    int n = 0;

    if (!head) {
        return -EBADMSG;
    }
    uint32_t ssrc = peer_get32(p + 8);
    uint64_t index = fast_index(d, ssrc, peer_get16(p + 2), &roc);
    rtp_iv(d->rtp_salt, ssrc, index, iv);
    if (EVP_EncryptInit_ex(d->rtp, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(d->rtp, NULL, &n, p, (int)head) != 1 ||
        EVP_EncryptUpdate(d->rtp, p + head, &n, p + head, (int)(*len - head)) != 1 ||
        EVP_EncryptFinal_ex(d->rtp, p + *len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->rtp, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, p + *len) != 1) {
        return -EBADMSG;
    }
    fast_note(roc, ssrc, index);
    *len += GCM_TAG;
    return 0;
}

static int fast_open_rtp(struct fast_dir *d, uint8_t *p, size_t *len)
{
    struct fast_roc *roc;
    uint8_t iv[GCM_IV];
    size_t head = rtp_head(p, *len);
    int n = 0;

    if (!head || *len < head + GCM_TAG) {
        return -EBADMSG;
    }
    size_t body = *len - head - GCM_TAG;
    uint32_t ssrc = peer_get32(p + 8);
    uint64_t index = fast_index(d, ssrc, peer_get16(p + 2), &roc);
    rtp_iv(d->rtp_salt, ssrc, index, iv);
    if (EVP_DecryptInit_ex(d->rtp, NULL, NULL, NULL, iv) != 1 ||
        EVP_DecryptUpdate(d->rtp, NULL, &n, p, (int)head) != 1 ||
        EVP_DecryptUpdate(d->rtp, p + head, &n, p + head, (int)body) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->rtp, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, p + head + body) != 1 ||
        EVP_DecryptFinal_ex(d->rtp, p + head + body, &n) != 1) {
        return -EBADMSG;
    }
    fast_note(roc, ssrc, index);
    *len -= GCM_TAG;
    return 0;
}

/* RFC 7714 9: header and ESRTCP word are authenticated, the rest is encrypted, the tag stands
 * before the ESRTCP word. */
static int fast_protect_rtcp(struct fast_dir *d, uint8_t *p, size_t *len)
{
    uint8_t iv[GCM_IV], word[SRTCP_INDEX];
    int n = 0;

    if (*len < RTCP_HEAD) {
        return -EBADMSG;
    }
    uint32_t index = d->rtcp_index = (d->rtcp_index + 1) & 0x7fffffff;
    peer_put32(word, index | 0x80000000U);
    rtcp_iv(d->rtcp_salt, peer_get32(p + 4), index, iv);
    if (EVP_EncryptInit_ex(d->rtcp, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(d->rtcp, NULL, &n, p, RTCP_HEAD) != 1 ||
        EVP_EncryptUpdate(d->rtcp, NULL, &n, word, SRTCP_INDEX) != 1 ||
        EVP_EncryptUpdate(d->rtcp, p + RTCP_HEAD, &n, p + RTCP_HEAD, (int)(*len - RTCP_HEAD)) !=
            1 ||
        EVP_EncryptFinal_ex(d->rtcp, p + *len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->rtcp, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, p + *len) != 1) {
        return -EBADMSG;
    }
    memcpy(p + *len + GCM_TAG, word, SRTCP_INDEX);
    *len += GCM_TAG + SRTCP_INDEX;
    return 0;
}

static int fast_open_rtcp(struct fast_dir *d, uint8_t *p, size_t *len)
{
    uint8_t iv[GCM_IV];
    int n = 0;

    if (*len < RTCP_HEAD + GCM_TAG + SRTCP_INDEX) {
        return -EBADMSG;
    }
    uint8_t *word = p + *len - SRTCP_INDEX;
    uint8_t *tag = word - GCM_TAG;
    size_t body = (size_t)(tag - p) - RTCP_HEAD;
    bool encrypted = word[0] & 0x80;
    rtcp_iv(d->rtcp_salt, peer_get32(p + 4), peer_get32(word), iv);
    if (!encrypted || EVP_DecryptInit_ex(d->rtcp, NULL, NULL, NULL, iv) != 1 ||
        EVP_DecryptUpdate(d->rtcp, NULL, &n, p, RTCP_HEAD) != 1 ||
        EVP_DecryptUpdate(d->rtcp, NULL, &n, word, SRTCP_INDEX) != 1 ||
        EVP_DecryptUpdate(d->rtcp, p + RTCP_HEAD, &n, p + RTCP_HEAD, (int)body) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->rtcp, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) != 1 ||
        EVP_DecryptFinal_ex(d->rtcp, tag, &n) != 1) {
        return -EBADMSG;
    }
    *len = RTCP_HEAD + body;
    return 0;
}

/* ---- libsrtp2 ---- */

static bool lib_new(const struct peer_srtp_keys *k, bool tx, srtp_t *ret)
{
    static bool ready;
    uint8_t key[PEER_SRTP_KEY_MAX + PEER_SRTP_SALT_MAX];
    srtp_policy_t p;

    if (!ready && srtp_init() != srtp_err_status_ok) {
        return false;
    }
    ready = true;
    memset(&p, 0, sizeof(p));
    if (k->profile == PEER_PROFILE_CM_SHA1_80) {
        srtp_crypto_policy_set_rtp_default(&p.rtp);
        srtp_crypto_policy_set_rtcp_default(&p.rtcp);
    } else if (k->profile == PEER_PROFILE_GCM_128) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&p.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&p.rtcp);
    } else {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&p.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&p.rtcp);
    }
    memcpy(key, tx ? k->tx_key : k->rx_key, k->key_bytes);
    memcpy(key + k->key_bytes, tx ? k->tx_salt : k->rx_salt, k->salt_bytes);
    p.ssrc.type = tx ? ssrc_any_outbound : ssrc_any_inbound;
    p.key = key;
    p.window_size = REPLAY_WINDOW;
    p.allow_repeat_tx = 1; /* a plain resend is the same packet once more */
    return srtp_create(ret, &p) == srtp_err_status_ok;
}

struct peer_srtp *peer_srtp_new(const struct peer_srtp_keys *k, bool fast)
{
    struct peer_srtp *s = calloc(1, sizeof(*s));

    if (!s) {
        return NULL;
    }
    s->fast = fast && k->profile != PEER_PROFILE_CM_SHA1_80;
    bool ok = s->fast ? fast_init(&s->ftx, k->tx_key, k->key_bytes, k->tx_salt, true) &&
                            fast_init(&s->frx, k->rx_key, k->key_bytes, k->rx_salt, false)
                      : lib_new(k, true, &s->tx) && lib_new(k, false, &s->rx);
    if (!ok) {
        peer_srtp_free(s);
        return NULL;
    }
    return s;
}

void peer_srtp_free(struct peer_srtp *s)
{
    if (!s) {
        return;
    }
    if (s->tx) {
        srtp_dealloc(s->tx);
    }
    if (s->rx) {
        srtp_dealloc(s->rx);
    }
    fast_fini(&s->ftx);
    fast_fini(&s->frx);
    free(s);
}

static int from_status(srtp_err_status_t st, size_t *len, const int *n)
{
    if (st == srtp_err_status_replay_fail || st == srtp_err_status_replay_old) {
        return -EALREADY;
    }
    if (st != srtp_err_status_ok) {
        return -EBADMSG;
    }
    *len = (size_t)*n;
    return 0;
}

int peer_srtp_protect_rtp(struct peer_srtp *s, uint8_t *buf, size_t *len)
{
    int n = (int)*len;

    return s->fast ? fast_protect_rtp(&s->ftx, buf, len)
                   : from_status(srtp_protect(s->tx, buf, &n), len, &n);
}

int peer_srtp_protect_rtcp(struct peer_srtp *s, uint8_t *buf, size_t *len)
{
    int n = (int)*len;

    return s->fast ? fast_protect_rtcp(&s->ftx, buf, len)
                   : from_status(srtp_protect_rtcp(s->tx, buf, &n), len, &n);
}

int peer_srtp_open_rtp(struct peer_srtp *s, uint8_t *buf, size_t *len)
{
    int n = (int)*len;

    return s->fast ? fast_open_rtp(&s->frx, buf, len)
                   : from_status(srtp_unprotect(s->rx, buf, &n), len, &n);
}

int peer_srtp_open_rtcp(struct peer_srtp *s, uint8_t *buf, size_t *len)
{
    int n = (int)*len;

    return s->fast ? fast_open_rtcp(&s->frx, buf, len)
                   : from_status(srtp_unprotect_rtcp(s->rx, buf, &n), len, &n);
}

void peer_srtp_skip_rtp(struct peer_srtp *s, const uint8_t *buf, size_t len)
{
    struct fast_roc *roc;

    if (s->fast && len >= 12) {
        uint32_t ssrc = peer_get32(buf + 8);
        uint64_t index = fast_index(&s->frx, ssrc, peer_get16(buf + 2), &roc);
        fast_note(roc, ssrc, index);
    }
}
