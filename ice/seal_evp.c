/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with OpenSSL EVP. A cipher context stays keyed; a packet only sets its IV. The head and
 * the body are two updates of one stream, so nothing is copied first. */
#include "ice/seal_backend.h"
#include "ice/seal_hmac.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

struct evp_part {
    EVP_CIPHER_CTX *ctx;
    struct seal_hmac hmac; /* AES-CM only */
    uint8_t salt[SRTP_SALT_MAX];
};

struct evp_keys {
    bool gcm;
    struct evp_part part[SEAL_PARTS];
};

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
        EVP_CIPHER_CTX_free(k->part[i].ctx);
    }
    OPENSSL_clear_free(k, sizeof(*k));
}

static const EVP_CIPHER *evp_cipher(enum srtp_profile p)
{
    switch (p) {
    case SRTP_AES128_CM_SHA1_80:
        return EVP_aes_128_ctr();
    case SRTP_AEAD_AES_128_GCM:
        return EVP_aes_128_gcm();
    case SRTP_AEAD_AES_256_GCM:
        return EVP_aes_256_gcm();
    case SRTP_NONE:
        break;
    }
    return NULL;
}

static void *evp_keys_new(const struct srtp_keys *master, const struct seal_session_keys *session,
                          bool sending)
{
    const EVP_CIPHER *cipher = evp_cipher(session->profile);
    struct evp_keys *k = cipher ? OPENSSL_zalloc(sizeof(*k)) : NULL;
    (void)master;
    if (!k) {
        return NULL;
    }
    k->gcm = seal_is_gcm(session->profile);
    for (int i = 0; i < SEAL_PARTS; i++) {
        const struct seal_part_keys *from = &session->part[i];
        struct evp_part *to = &k->part[i];
        memcpy(to->salt, from->salt, sizeof(to->salt));
        if (!k->gcm) {
            seal_hmac_init(&to->hmac, from->auth);
        }
        to->ctx = EVP_CIPHER_CTX_new();
        /* Counter mode deciphers by enciphering. */
        if (!to->ctx ||
            EVP_CipherInit_ex(to->ctx, cipher, NULL, from->enc, NULL, sending || !k->gcm) != 1) {
            evp_keys_free(k);
            return NULL;
        }
    }
    return k;
}

/* Enciphers or deciphers n bytes; in and out may be the same. */
static bool evp_update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t n)
{
    int done = 0;
    return n == 0 || EVP_CipherUpdate(ctx, out, &done, in, (int)n) == 1;
}

static bool evp_gcm_start(const struct evp_part *k, const struct seal_pkt *p)
{
    uint8_t iv[12];
    uint8_t word[SEAL_RTCP_WORD];
    int done = 0;
    seal_iv_gcm(iv, k->salt, p);
    if (EVP_CipherInit_ex(k->ctx, NULL, NULL, NULL, iv, -1) != 1 ||
        EVP_CipherUpdate(k->ctx, NULL, &done, p->buf, (int)p->hdr_len) != 1) {
        return false;
    }
    if (p->part == SEAL_RTP) {
        return true;
    }
    bytes_store32(word, (uint32_t)p->index | SEAL_RTCP_E_BIT);
    return EVP_CipherUpdate(k->ctx, NULL, &done, word, sizeof(word)) == 1;
}

static bool evp_cm_start(const struct evp_part *k, const struct seal_pkt *p)
{
    uint8_t iv[16];
    seal_iv_cm(iv, k->salt, p);
    return EVP_CipherInit_ex(k->ctx, NULL, NULL, NULL, iv, -1) == 1;
}

static int evp_seal(void *keys, const struct seal_pkt *p)
{
    const struct evp_keys *k = keys;
    const struct evp_part *part = &k->part[p->part];
    uint8_t *head = p->buf + p->hdr_len;
    uint8_t *end = head + p->head_len + p->body_len;
    int done = 0;

    if (!(k->gcm ? evp_gcm_start(part, p) : evp_cm_start(part, p)) ||
        !evp_update(part->ctx, head, head, p->head_len) ||
        !evp_update(part->ctx, head + p->head_len, p->body, p->body_len)) {
        return -EIO;
    }
    if (k->gcm) {
        if (EVP_CipherFinal_ex(part->ctx, end, &done) != 1 ||
            EVP_CIPHER_CTX_ctrl(part->ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_GCM_TAG, end) != 1) {
            return -EIO;
        }
        end += SEAL_GCM_TAG;
        if (p->part == SEAL_RTCP) {
            bytes_store32(end, (uint32_t)p->index | SEAL_RTCP_E_BIT);
            end += SEAL_RTCP_WORD;
        }
        return (int)(end - p->buf);
    }
    return seal_hmac_append(&part->hmac, p, end);
}

static int evp_open(void *keys, const struct seal_pkt *p)
{
    const struct evp_keys *k = keys;
    const struct evp_part *part = &k->part[p->part];
    uint8_t *body = p->buf + p->hdr_len;
    uint8_t *end = body + p->body_len;
    int done = 0;

    if (!k->gcm) {
        if (!seal_hmac_matches(&part->hmac, p, end) || !evp_cm_start(part, p) ||
            !evp_update(part->ctx, body, body, p->body_len)) {
            return -EBADMSG;
        }
        return (int)(end - p->buf);
    }
    if (!evp_gcm_start(part, p) || !evp_update(part->ctx, body, body, p->body_len) ||
        EVP_CIPHER_CTX_ctrl(part->ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_GCM_TAG, end) != 1 ||
        EVP_CipherFinal_ex(part->ctx, end, &done) != 1) {
        return -EBADMSG;
    }
    return (int)(end - p->buf);
}

const struct seal_ops seal_evp_ops = {
    .name = "openssl",
    .setup = evp_setup,
    .keys_new = evp_keys_new,
    .keys_free = evp_keys_free,
    .seal = evp_seal,
    .open = evp_open,
};
