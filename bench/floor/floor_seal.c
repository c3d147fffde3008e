/* SPDX-License-Identifier: Apache-2.0 */
/* SRTP's two ciphers with two libraries, in the cheapest way that each library has. Keys are made
 * up; nothing here is ever opened, only its cost counts. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_*: the only way to start from a stored state */
#include "bench/floor/floor.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#if FLOOR_IPSEC_MB
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#endif

#define GCM_TAG 16
#define CM_TAG  10
#define KEY     16
#define BURST   32 /* packets of AES-CM in flight */

struct viewer_keys {
    EVP_CIPHER_CTX *evp;
    SHA_CTX inner, outer;
    void *mb; /* gcm_key_data or cm_keys */
    uint64_t index;
};

struct floor_seal {
    enum floor_cipher cipher;
    unsigned n;
    struct viewer_keys *v;
#if FLOOR_IPSEC_MB
    IMB_MGR *mgr;
    unsigned in_flight;
    uint8_t ivs[BURST][16];
    uint8_t tags[BURST][SHA_DIGEST_LENGTH];
#endif
};

const char *floor_cipher_name(enum floor_cipher c)
{
    static const char *const names[FLOOR_CIPHERS] = {"none", "evp-gcm", "ipsec-mb-gcm", "evp-cm",
                                                     "ipsec-mb-cm"};
    return names[c];
}

size_t floor_cipher_tag(enum floor_cipher c)
{
    return c == FLOOR_EVP_GCM || c == FLOOR_MB_GCM ? GCM_TAG : CM_TAG;
}

static void make_key(unsigned viewer, uint8_t key[KEY])
{
    for (unsigned i = 0; i < KEY; i++) {
        key[i] = (uint8_t)(viewer * 31 + i * 7 + (viewer >> 8));
    }
}

static bool make_evp(struct viewer_keys *k, const uint8_t key[KEY], bool gcm)
{
    uint8_t pad[SHA_CBLOCK];

    k->evp = EVP_CIPHER_CTX_new();
    if (!k->evp ||
        !EVP_EncryptInit_ex(k->evp, gcm ? EVP_aes_128_gcm() : EVP_aes_128_ctr(), NULL, key, NULL)) {
        return false;
    }
    memset(pad, 0x36, sizeof(pad));
    SHA1_Init(&k->inner);
    SHA1_Update(&k->inner, pad, sizeof(pad));
    memset(pad, 0x5c, sizeof(pad));
    SHA1_Init(&k->outer);
    SHA1_Update(&k->outer, pad, sizeof(pad));
    return true;
}

#if FLOOR_IPSEC_MB
struct cm_keys {
    uint32_t enc[4 * 15] __attribute__((aligned(64)));
    uint32_t dec[4 * 15] __attribute__((aligned(64)));
    uint8_t inner[SHA_DIGEST_LENGTH] __attribute__((aligned(16)));
    uint8_t outer[SHA_DIGEST_LENGTH] __attribute__((aligned(16)));
};

static bool make_mb(struct floor_seal *s, struct viewer_keys *k, const uint8_t key[KEY])
{
    bool gcm = s->cipher == FLOOR_MB_GCM;

    if (posix_memalign(&k->mb, 64, gcm ? sizeof(struct gcm_key_data) : sizeof(struct cm_keys))) {
        return false;
    }
    if (gcm) {
        IMB_AES128_GCM_PRE(s->mgr, key, k->mb);
    } else {
        struct cm_keys *cm = k->mb;
        uint8_t pad[SHA_CBLOCK];
        IMB_AES_KEYEXP_128(s->mgr, key, cm->enc, cm->dec);
        memset(pad, 0x36, sizeof(pad));
        IMB_SHA1_ONE_BLOCK(s->mgr, pad, cm->inner);
        memset(pad, 0x5c, sizeof(pad));
        IMB_SHA1_ONE_BLOCK(s->mgr, pad, cm->outer);
    }
    return true;
}

static void take_mb(struct floor_seal *s, IMB_JOB *done)
{
    if (done) {
        memcpy(done->user_data, done->auth_tag_output, CM_TAG);
        s->in_flight--;
    }
}

static void seal_mb(struct floor_seal *s, struct viewer_keys *k, uint8_t *out, const uint8_t *body,
                    size_t n)
{
    uint64_t index = ++k->index;

    if (s->cipher == FLOOR_MB_GCM) {
        struct gcm_context_data ctx;
        uint8_t iv[12] = {0};
        memcpy(iv, &index, sizeof(index));
        IMB_AES128_GCM_ENC(s->mgr, k->mb, &ctx, out + FLOOR_HEAD, body, n, iv, out, FLOOR_HEAD,
                           out + FLOOR_HEAD + n, GCM_TAG);
        return;
    }
    if (s->in_flight == BURST) {
        floor_seal_flush(s);
    }
    const struct cm_keys *cm = k->mb;
    uint8_t *iv = s->ivs[s->in_flight];
    IMB_JOB *job = IMB_GET_NEXT_JOB(s->mgr);
    memset(iv, 0, 16);
    memcpy(iv, &index, sizeof(index));
    /* The roll-over counter is authenticated behind the packet, where the tag will be. */
    memset(out + FLOOR_HEAD + n, 0, 4);
    job->cipher_mode = IMB_CIPHER_CNTR;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_CIPHER_HASH;
    job->hash_alg = IMB_AUTH_HMAC_SHA_1;
    job->enc_keys = cm->enc;
    job->dec_keys = cm->enc;
    job->key_len_in_bytes = IMB_KEY_128_BYTES;
    job->iv = iv;
    job->iv_len_in_bytes = 16;
    job->src = body;
    job->dst = out + FLOOR_HEAD;
    job->cipher_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = n;
    job->hash_start_src_offset_in_bytes = (uint64_t)(out - body);
    job->msg_len_to_hash_in_bytes = FLOOR_HEAD + n + 4;
    job->u.HMAC._hashed_auth_key_xor_ipad = cm->inner;
    job->u.HMAC._hashed_auth_key_xor_opad = cm->outer;
    job->auth_tag_output = s->tags[s->in_flight];
    job->auth_tag_output_len_in_bytes = 12;
    job->user_data = out + FLOOR_HEAD + n;
    s->in_flight++;
    take_mb(s, IMB_SUBMIT_JOB(s->mgr));
}

void floor_seal_flush(struct floor_seal *s)
{
    while (s->cipher == FLOOR_MB_CM && s->in_flight) {
        IMB_JOB *done = IMB_FLUSH_JOB(s->mgr);
        if (!done) {
            s->in_flight = 0;
        }
        take_mb(s, done);
    }
}
#else
void floor_seal_flush(struct floor_seal *s)
{
    (void)s;
}
#endif

struct floor_seal *floor_seal_new(enum floor_cipher c, unsigned n)
{
    struct floor_seal *s = calloc(1, sizeof(*s));
    bool ok = s && (s->v = calloc(n, sizeof(*s->v)));

    if (ok) {
        s->cipher = c;
        s->n = n;
    }
    bool mb = c == FLOOR_MB_GCM || c == FLOOR_MB_CM;
#if FLOOR_IPSEC_MB
    if (ok && mb) {
        s->mgr = alloc_mb_mgr(0);
        ok = s->mgr;
        if (ok) {
            init_mb_mgr_auto(s->mgr, NULL);
        }
    }
#else
    ok = ok && !mb;
#endif
    for (unsigned i = 0; ok && i < n; i++) {
        uint8_t key[KEY];
        make_key(i, key);
        if (c == FLOOR_EVP_GCM || c == FLOOR_EVP_CM) {
            ok = make_evp(&s->v[i], key, c == FLOOR_EVP_GCM);
        }
#if FLOOR_IPSEC_MB
        if (mb) {
            ok = make_mb(s, &s->v[i], key);
        }
#endif
    }
    if (!ok) {
        floor_seal_free(s);
        return NULL;
    }
    return s;
}

void floor_seal_free(struct floor_seal *s)
{
    for (unsigned i = 0; s && i < s->n; i++) {
        EVP_CIPHER_CTX_free(s->v[i].evp);
        free(s->v[i].mb);
    }
#if FLOOR_IPSEC_MB
    if (s && s->mgr) {
        free_mb_mgr(s->mgr);
    }
#endif
    if (s) {
        free(s->v);
    }
    free(s);
}

static void seal_evp(enum floor_cipher c, struct viewer_keys *k, uint8_t *out, const uint8_t *body,
                     size_t n)
{
    uint64_t index = ++k->index;
    uint8_t iv[16] = {0};
    int len;

    memcpy(iv, &index, sizeof(index));
    (void)EVP_EncryptInit_ex(k->evp, NULL, NULL, NULL, iv);
    if (c == FLOOR_EVP_GCM) {
        (void)EVP_EncryptUpdate(k->evp, NULL, &len, out, FLOOR_HEAD);
        (void)EVP_EncryptUpdate(k->evp, out + FLOOR_HEAD, &len, body, (int)n);
        (void)EVP_EncryptFinal_ex(k->evp, out + FLOOR_HEAD + n, &len);
        (void)EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_GCM_GET_TAG, GCM_TAG, out + FLOOR_HEAD + n);
        return;
    }
    (void)EVP_EncryptUpdate(k->evp, out + FLOOR_HEAD, &len, body, (int)n);
    uint8_t digest[SHA_DIGEST_LENGTH], roc[4] = {0};
    SHA_CTX h = k->inner;
    SHA1_Update(&h, out, FLOOR_HEAD + n);
    SHA1_Update(&h, roc, sizeof(roc));
    SHA1_Final(digest, &h);
    h = k->outer;
    SHA1_Update(&h, digest, sizeof(digest));
    SHA1_Final(digest, &h);
    memcpy(out + FLOOR_HEAD + n, digest, CM_TAG);
}

void floor_seal_packet(struct floor_seal *s, unsigned viewer, uint8_t *out, const uint8_t *body,
                       size_t n)
{
    struct viewer_keys *k = &s->v[viewer];

#if FLOOR_IPSEC_MB
    if (s->cipher == FLOOR_MB_GCM || s->cipher == FLOOR_MB_CM) {
        seal_mb(s, k, out, body, n);
        return;
    }
#endif
    if (s->cipher == FLOOR_NONE) {
        memcpy(out + FLOOR_HEAD, body, n);
    } else {
        seal_evp(s->cipher, k, out, body, n);
    }
}
