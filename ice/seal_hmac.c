/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA1_* functions are deprecated in OpenSSL 3 in favour of EVP_Digest*, which allocates on
 * every EVP_MD_CTX_copy and has no way to start from a stored state. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ice/seal_hmac.h"
#include "ice/seal_backend.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

static void pad_state(const uint8_t key[20], uint8_t pad, uint32_t state[5])
{
    uint8_t block[SHA_CBLOCK];
    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < SEAL_AUTH_LEN; i++) {
        block[i] ^= key[i];
    }
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, block, sizeof(block));
    const uint32_t h[5] = {c.h0, c.h1, c.h2, c.h3, c.h4};
    memcpy(state, h, sizeof(h));
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&c, sizeof(c));
}

static void resume(SHA_CTX *c, const uint32_t state[5])
{
    SHA1_Init(c);
    c->h0 = state[0];
    c->h1 = state[1];
    c->h2 = state[2];
    c->h3 = state[3];
    c->h4 = state[4];
    c->Nl = SHA_CBLOCK * 8;
}

void seal_hmac_init(struct seal_hmac *h, const uint8_t key[20])
{
    pad_state(key, 0x36, h->inner);
    pad_state(key, 0x5c, h->outer);
}

/* Tag over everything before end and the word that the part appends. */
static void make_tag(const struct seal_hmac *h, const struct seal_pkt *p, const uint8_t *end,
                     uint8_t tag[SEAL_CM_TAG])
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    uint8_t word[4];
    SHA_CTX c;
    bytes_store32(word, p->part == SEAL_RTP ? (uint32_t)(p->index >> 16)
                                            : (uint32_t)p->index | SEAL_RTCP_E_BIT);
    resume(&c, h->inner);
    SHA1_Update(&c, p->buf, (size_t)(end - p->buf));
    SHA1_Update(&c, word, sizeof(word));
    SHA1_Final(digest, &c);
    resume(&c, h->outer);
    SHA1_Update(&c, digest, sizeof(digest));
    SHA1_Final(digest, &c);
    memcpy(tag, digest, SEAL_CM_TAG);
}

int seal_hmac_append(const struct seal_hmac *h, const struct seal_pkt *p, uint8_t *end)
{
    uint8_t tag[SEAL_CM_TAG];
    make_tag(h, p, end, tag);
    if (p->part == SEAL_RTCP) {
        bytes_store32(end, (uint32_t)p->index | SEAL_RTCP_E_BIT);
        end += SEAL_RTCP_WORD;
    }
    memcpy(end, tag, sizeof(tag));
    return (int)(end + sizeof(tag) - p->buf);
}

bool seal_hmac_matches(const struct seal_hmac *h, const struct seal_pkt *p, const uint8_t *end)
{
    uint8_t tag[SEAL_CM_TAG];
    make_tag(h, p, end, tag);
    if (p->part == SEAL_RTCP) {
        end += SEAL_RTCP_WORD;
    }
    return CRYPTO_memcmp(tag, end, sizeof(tag)) == 0;
}
