/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with OpenSSL EVP. A cipher context is more than a kilobyte in places that only OpenSSL
 * knows, and waiting for those of hundreds of viewers, one line of the cache after the other, takes
 * longer than expanding a key again. So a thread has one context for each cipher, part and
 * direction, which is keyed anew where another peer's packet comes: packets of one run share the
 * key. The head and the body are two updates of one stream, so nothing is copied first. */
#include "ice/seal_backend.h"
#include "ice/seal_hmac.h"
#include "rtp/prefetch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct evp_part {
    uint64_t serial; /* of this key, unlike any other's in the process */
    uint8_t key[SRTP_KEY_MAX];
    uint8_t salt[SRTP_SALT_MAX];
    struct seal_hmac hmac; /* AES-CM only */
};

static const struct {
    enum srtp_profile profile;
    const EVP_CIPHER *(*cipher)(void);
} ciphers[] = {
    {SRTP_AES128_CM_SHA1_80, EVP_aes_128_ctr},
    {SRTP_AEAD_AES_128_GCM, EVP_aes_128_gcm},
    {SRTP_AEAD_AES_256_GCM, EVP_aes_256_gcm},
};

struct evp_keys {
    unsigned cipher; /* in ciphers */
    bool gcm;
    bool sending;
    struct evp_part part[SEAL_PARTS];
};

/* ---- contexts of a thread ---- */

struct hot {
    EVP_CIPHER_CTX *ctx; /* made when first needed */
    uint64_t serial;     /* of the key that it has; 0 = none */
};

struct hots {
    struct hot of[ARRAY_LEN(ciphers)][SEAL_PARTS][2];
};

static _Thread_local struct hots *thread_hots;
static pthread_key_t hots_key;
static pthread_once_t hots_once = PTHREAD_ONCE_INIT;
static int hots_key_error;

static void free_hots(void *mem)
{
    struct hots *h = mem;
    struct hot *first = &h->of[0][0][0];
    for (size_t i = 0; i < sizeof(*h) / sizeof(*first); i++) {
        EVP_CIPHER_CTX_free(first[i].ctx);
    }
    free(h);
    thread_hots = NULL;
}

static void make_hots_key(void)
{
    hots_key_error = pthread_key_create(&hots_key, free_hots);
}

/* This thread's context for packets of k, keyed or not; NULL when out of memory. */
static struct hot *hot_of(const struct evp_keys *k, enum seal_part part)
{
    if (!thread_hots) {
        pthread_once(&hots_once, make_hots_key);
        struct hots *fresh = hots_key_error ? NULL : calloc(1, sizeof(*fresh));
        if (!fresh || pthread_setspecific(hots_key, fresh) != 0) {
            free(fresh);
            return NULL;
        }
        thread_hots = fresh;
    }
    struct hot *h = &thread_hots->of[k->cipher][part][k->sending];
    if (!h->ctx) {
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        /* Counter mode deciphers by enciphering. */
        if (!ctx || EVP_CipherInit_ex(ctx, ciphers[k->cipher].cipher(), NULL, NULL, NULL,
                                      k->sending || !k->gcm) != 1) {
            EVP_CIPHER_CTX_free(ctx);
            return NULL;
        }
        h->ctx = ctx;
    }
    return h;
}

/* A context with the key of that part of k, and iv. NULL on failure. */
static EVP_CIPHER_CTX *start(const struct evp_keys *k, enum seal_part part, const uint8_t *iv)
{
    const struct evp_part *from = &k->part[part];
    struct hot *h = hot_of(k, part);
    if (!h) {
        return NULL;
    }
    const uint8_t *key = h->serial == from->serial ? NULL : from->key;
    bool ok = EVP_CipherInit_ex(h->ctx, NULL, NULL, key, iv, -1) == 1;
    h->serial = ok ? from->serial : 0;
    return ok ? h->ctx : NULL;
}

/* ---- keys ---- */

static int evp_setup(void)
{
    return 0;
}

static void evp_keys_free(void *keys)
{
    struct evp_keys *k = keys;
    if (!k) {
        return;
    }
    for (int i = 0; i < SEAL_PARTS; i++) {
        struct hot *h = thread_hots ? &thread_hots->of[k->cipher][i][k->sending] : NULL;
        if (h && h->serial == k->part[i].serial) {
            static const uint8_t zeros[SRTP_KEY_MAX]; /* a key in place of this one */
            (void)EVP_CipherInit_ex(h->ctx, NULL, NULL, zeros, NULL, -1);
            h->serial = 0;
        }
    }
    OPENSSL_clear_free(k, sizeof(*k));
}

static void *evp_keys_new(const struct srtp_keys *master, const struct seal_session_keys *session,
                          bool sending)
{
    static _Atomic uint64_t serials;
    unsigned cipher = 0;
    (void)master;
    while (cipher < ARRAY_LEN(ciphers) && ciphers[cipher].profile != session->profile) {
        cipher++;
    }
    struct evp_keys *k = cipher < ARRAY_LEN(ciphers) ? OPENSSL_zalloc(sizeof(*k)) : NULL;
    if (!k) {
        return NULL;
    }
    k->cipher = cipher;
    k->gcm = seal_is_gcm(session->profile);
    k->sending = sending;
    for (int i = 0; i < SEAL_PARTS; i++) {
        const struct seal_part_keys *from = &session->part[i];
        struct evp_part *to = &k->part[i];
        to->serial = atomic_fetch_add(&serials, 1) + 1;
        memcpy(to->key, from->enc, sizeof(to->key));
        memcpy(to->salt, from->salt, sizeof(to->salt));
        if (!k->gcm) {
            seal_hmac_init(&to->hmac, from->auth);
        }
        if (!hot_of(k, i)) { /* now, so that no packet has to make one */
            evp_keys_free(k);
            return NULL;
        }
    }
    return k;
}

/* ---- packets ---- */

/* Enciphers or deciphers n bytes; in and out may be the same. */
static bool evp_update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t n)
{
    int done = 0;
    return n == 0 || EVP_CipherUpdate(ctx, out, &done, in, (int)n) == 1;
}

static EVP_CIPHER_CTX *evp_gcm_start(const struct evp_keys *k, const struct seal_pkt *p)
{
    uint8_t iv[12];
    uint8_t word[SEAL_RTCP_WORD];
    int done = 0;
    seal_iv_gcm(iv, k->part[p->part].salt, p);
    EVP_CIPHER_CTX *ctx = start(k, p->part, iv);
    if (!ctx || EVP_CipherUpdate(ctx, NULL, &done, p->buf, (int)p->hdr_len) != 1) {
        return NULL;
    }
    bytes_store32(word, (uint32_t)p->index | SEAL_RTCP_E_BIT);
    bool rtcp = p->part == SEAL_RTCP;
    return !rtcp || EVP_CipherUpdate(ctx, NULL, &done, word, sizeof(word)) == 1 ? ctx : NULL;
}

static EVP_CIPHER_CTX *evp_start(const struct evp_keys *k, const struct seal_pkt *p)
{
    uint8_t iv[16];
    if (k->gcm) {
        return evp_gcm_start(k, p);
    }
    seal_iv_cm(iv, k->part[p->part].salt, p);
    return start(k, p->part, iv);
}

static int evp_seal(void *keys, const struct seal_pkt *p)
{
    const struct evp_keys *k = keys;
    uint8_t *head = p->buf + p->hdr_len;
    uint8_t *end = head + p->head_len + p->body_len;
    EVP_CIPHER_CTX *ctx = evp_start(k, p);
    int done = 0;

    if (!ctx || !evp_update(ctx, head, head, p->head_len) ||
        !evp_update(ctx, head + p->head_len, p->body, p->body_len)) {
        return -EIO;
    }
    if (k->gcm) {
        if (EVP_CipherFinal_ex(ctx, end, &done) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_GCM_TAG, end) != 1) {
            return -EIO;
        }
        end += SEAL_GCM_TAG;
        if (p->part == SEAL_RTCP) {
            bytes_store32(end, (uint32_t)p->index | SEAL_RTCP_E_BIT);
            end += SEAL_RTCP_WORD;
        }
        return (int)(end - p->buf);
    }
    return seal_hmac_append(&k->part[p->part].hmac, p, end);
}

static int evp_open(void *keys, const struct seal_pkt *p)
{
    const struct evp_keys *k = keys;
    uint8_t *body = p->buf + p->hdr_len;
    uint8_t *end = body + p->body_len;
    int done = 0;

    if (!k->gcm && !seal_hmac_matches(&k->part[p->part].hmac, p, end)) {
        return -EBADMSG;
    }
    EVP_CIPHER_CTX *ctx = evp_start(k, p);
    if (!ctx || !evp_update(ctx, body, body, p->body_len)) {
        return -EBADMSG;
    }
    if (k->gcm && (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_GCM_TAG, end) != 1 ||
                   EVP_CipherFinal_ex(ctx, end, &done) != 1)) {
        return -EBADMSG;
    }
    return (int)(end - p->buf);
}

static void evp_prefetch(const void *keys, enum seal_part part, size_t bytes)
{
    const struct evp_keys *k = keys;
    (void)bytes;
    prefetch_bytes(k, PREFETCH_LINE);
    prefetch_bytes(&k->part[part], sizeof(k->part[part]));
}

const struct seal_ops seal_evp_ops = {
    .name = "openssl",
    .setup = evp_setup,
    .keys_new = evp_keys_new,
    .keys_free = evp_keys_free,
    .seal = evp_seal,
    .open = evp_open,
    .prefetch = evp_prefetch,
};
