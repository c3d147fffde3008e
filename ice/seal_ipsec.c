/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with intel-ipsec-mb. GCM goes through its single-call functions, which are stateless.
 * AES-CM uses its counter mode (75 ns for 1,200 bytes, OpenSSL 264). Its HMAC is sixteen lanes wide
 * and pays for all of them when one packet is in flight, so a lone packet gets our own
 * HMAC-SHA1, and packets sealed for later wait for company. */
#if SLUICE_IPSEC_MB
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

#include "ice/seal_backend.h"
#include "ice/seal_hmac.h"
#include "rtp/prefetch.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define IPSEC_ALIGN 64
#define SHA1_BYTES  20
#define ROC_BYTES   4

struct ipsec_part {
    union {
        struct gcm_key_data gcm __attribute__((aligned(IPSEC_ALIGN)));
        struct {
            uint32_t enc[4 * 15] __attribute__((aligned(IPSEC_ALIGN)));
            struct seal_hmac hmac;
        } cm;
    };
};

struct ipsec_keys {
    enum srtp_profile profile;
    aes_gcm_enc_dec_t gcm_enc;
    aes_gcm_enc_dec_t gcm_dec;
    uint8_t salt[SEAL_PARTS][SRTP_SALT_MAX];
    struct ipsec_part part[SEAL_PARTS];
};

/* A manager is 200 kB of job queues and belongs to one thread. It is made when a thread first
 * needs it and freed when the thread ends. */
static _Thread_local IMB_MGR *thread_mgr;
static pthread_key_t mgr_key;
static pthread_once_t mgr_once = PTHREAD_ONCE_INIT;
static int mgr_key_error;

static void free_mgr(void *m)
{
    free_mb_mgr(m);
    thread_mgr = NULL;
}

static void make_mgr_key(void)
{
    mgr_key_error = pthread_key_create(&mgr_key, free_mgr);
}

static IMB_MGR *ipsec_mgr(void)
{
    if (thread_mgr) {
        return thread_mgr;
    }
    pthread_once(&mgr_once, make_mgr_key);
    IMB_MGR *m = mgr_key_error ? NULL : alloc_mb_mgr(0);
    if (!m) {
        return NULL;
    }
    init_mb_mgr_auto(m, NULL);
    if (imb_get_errno(m) != 0 || pthread_setspecific(mgr_key, m) != 0) {
        free_mb_mgr(m);
        return NULL;
    }
    thread_mgr = m;
    return m;
}

static int ipsec_setup(void)
{
    /* The structures of the header must be those of the library that was found at run time. */
    if (imb_get_version() < IMB_VERSION(1, 3, 0) || !ipsec_mgr()) {
        return -ENOTSUP;
    }
    return 0;
}

static void ipsec_keys_free(void *keys)
{
    if (keys) {
        imb_clear_mem(keys, sizeof(struct ipsec_keys));
        free(keys);
    }
}

static void load_part(IMB_MGR *m, enum srtp_profile profile, const struct seal_part_keys *from,
                      struct ipsec_part *to)
{
    if (profile == SRTP_AEAD_AES_128_GCM) {
        IMB_AES128_GCM_PRE(m, from->enc, &to->gcm);
    } else if (profile == SRTP_AEAD_AES_256_GCM) {
        IMB_AES256_GCM_PRE(m, from->enc, &to->gcm);
    } else {
        /* Counter mode never deciphers: the second schedule is made and thrown away. */
        uint32_t dec[4 * 15] __attribute__((aligned(IPSEC_ALIGN)));
        IMB_AES_KEYEXP_128(m, from->enc, to->cm.enc, dec);
        OPENSSL_cleanse(dec, sizeof(dec));
        seal_hmac_init(&to->cm.hmac, from->auth);
    }
}

static void *ipsec_keys_new(const struct srtp_keys *master, const struct seal_session_keys *session,
                            bool sending)
{
    IMB_MGR *m = ipsec_mgr();
    void *mem = NULL;
    (void)master;
    (void)sending;
    if (!m || posix_memalign(&mem, IPSEC_ALIGN, sizeof(struct ipsec_keys)) != 0) {
        return NULL;
    }
    struct ipsec_keys *k = mem;
    memset(k, 0, sizeof(*k));
    k->profile = session->profile;
    bool wide = session->profile == SRTP_AEAD_AES_256_GCM;
    k->gcm_enc = wide ? m->gcm256_enc : m->gcm128_enc;
    k->gcm_dec = wide ? m->gcm256_dec : m->gcm128_dec;
    for (int i = 0; i < SEAL_PARTS; i++) {
        memcpy(k->salt[i], session->part[i].salt, sizeof(k->salt[i]));
        load_part(m, session->profile, &session->part[i], &k->part[i]);
    }
    return k;
}

/* Additional data: the header, and for RTCP the word behind it. Returns where it lies. */
static const uint8_t *gcm_aad(const struct seal_pkt *p, uint8_t scratch[12], size_t *ret_len)
{
    if (p->part == SEAL_RTP) {
        *ret_len = p->hdr_len;
        return p->buf;
    }
    memcpy(scratch, p->buf, SEAL_RTCP_HDR);
    bytes_store32(scratch + SEAL_RTCP_HDR, (uint32_t)p->index | SEAL_RTCP_E_BIT);
    *ret_len = SEAL_RTCP_HDR + SEAL_RTCP_WORD;
    return scratch;
}

static int ctr(const struct ipsec_keys *k, const struct seal_pkt *p, const uint8_t *src,
               uint8_t *dst, size_t len)
{
    const struct ipsec_part *part = &k->part[p->part];
    uint8_t iv[16];
    IMB_MGR *m = ipsec_mgr();
    if (!m) {
        return -EIO;
    }
    if (len == 0) {
        return 0;
    }
    seal_iv_cm(iv, k->salt[p->part], p);
    IMB_JOB job = {
        .enc_keys = part->cm.enc,
        .dec_keys = part->cm.enc,
        .key_len_in_bytes = IMB_KEY_128_BYTES,
        .src = src,
        .dst = dst,
        .msg_len_to_cipher_in_bytes = len,
        .iv = iv,
        .iv_len_in_bytes = sizeof(iv),
    };
    unsigned n = IMB_SUBMIT_CIPHER_BURST_NOCHECK(m, &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
                                                 IMB_KEY_128_BYTES);
    return n == 1 ? 0 : -EIO;
}

/* ---- HMAC-SHA1 of several packets at once ---- */

#define HMAC_BURST 32

struct hmac_burst {
    unsigned n;
    struct IMB_JOB jobs[HMAC_BURST]; /* user_data: where the tag goes */
    uint8_t tags[HMAC_BURST][SHA1_BYTES];
};

static _Thread_local struct hmac_burst burst;

static void ipsec_flush(void)
{
    struct hmac_burst *b = &burst;
    if (!b->n) {
        return;
    }
    IMB_MGR *m = ipsec_mgr(); /* there: each job had its counter mode from it */
    unsigned done = IMB_SUBMIT_HASH_BURST_NOCHECK(m, b->jobs, b->n, IMB_AUTH_HMAC_SHA_1);
    assert(done == b->n);
    for (unsigned i = 0; i < b->n; i++) {
        memcpy(b->jobs[i].user_data, b->tags[i], SEAL_CM_TAG);
    }
    b->n = 0;
}

/* The tag of RTP packet p, whose ciphertext ends at end, comes with the next flush. */
static void tag_later(const struct seal_hmac *h, const struct seal_pkt *p, uint8_t *end)
{
    struct hmac_burst *b = &burst;
    if (b->n == HMAC_BURST) {
        ipsec_flush();
    }
    bytes_store32(end, (uint32_t)(p->index >> 16)); /* authenticated, not sent (RFC 3711 4.2) */
    b->jobs[b->n] = (struct IMB_JOB){
        .src = p->buf,
        .msg_len_to_hash_in_bytes = (uint64_t)(end + ROC_BYTES - p->buf),
        .hash_alg = IMB_AUTH_HMAC_SHA_1,
        .u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)h->inner,
        .u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)h->outer,
        .auth_tag_output = b->tags[b->n],
        .auth_tag_output_len_in_bytes = SHA1_BYTES,
        .user_data = end,
    };
    b->n++;
}

/* ---- packets ---- */

/* later: the tag of an AES-CM packet comes with the next flush. */
static int seal_packet(void *keys, const struct seal_pkt *p, bool later)
{
    const struct ipsec_keys *k = keys;
    const struct ipsec_part *part = &k->part[p->part];
    uint8_t *head = p->buf + p->hdr_len;
    size_t len = p->head_len + p->body_len;
    const uint8_t *src = p->body;

    if (p->head_len > 0 || p->body_len == 0) {
        if (p->body_len > 0) {
            memcpy(head + p->head_len, p->body, p->body_len);
        }
        src = head;
    }
    if (!seal_is_gcm(k->profile)) {
        int err = ctr(k, p, src, head, len);
        if (err || !later) {
            return err ? err : seal_hmac_append(&part->cm.hmac, p, head + len);
        }
        tag_later(&part->cm.hmac, p, head + len);
        return (int)(p->hdr_len + len + SEAL_CM_TAG);
    }

    struct gcm_context_data ctx UNINITIALIZED;
    uint8_t iv[12];
    uint8_t scratch[12];
    size_t aad_len;
    const uint8_t *aad = gcm_aad(p, scratch, &aad_len);
    seal_iv_gcm(iv, k->salt[p->part], p);
    k->gcm_enc(&part->gcm, &ctx, head, src, len, iv, aad, aad_len, head + len, SEAL_GCM_TAG);
    if (p->part == SEAL_RTP) {
        return (int)(p->hdr_len + len + SEAL_GCM_TAG);
    }
    bytes_store32(head + len + SEAL_GCM_TAG, (uint32_t)p->index | SEAL_RTCP_E_BIT);
    return (int)(p->hdr_len + len + SEAL_GCM_TAG + SEAL_RTCP_WORD);
}

static int ipsec_seal(void *keys, const struct seal_pkt *p)
{
    return seal_packet(keys, p, false);
}

static int ipsec_seal_later(void *keys, const struct seal_pkt *p)
{
    return seal_packet(keys, p, true);
}

static int ipsec_open(void *keys, const struct seal_pkt *p)
{
    const struct ipsec_keys *k = keys;
    const struct ipsec_part *part = &k->part[p->part];
    uint8_t *body = p->buf + p->hdr_len;
    uint8_t *end = body + p->body_len;

    if (!seal_is_gcm(k->profile)) {
        if (!seal_hmac_matches(&part->cm.hmac, p, end) || ctr(k, p, body, body, p->body_len) != 0) {
            return -EBADMSG;
        }
        return (int)(end - p->buf);
    }

    struct gcm_context_data ctx UNINITIALIZED;
    uint8_t iv[12];
    uint8_t tag[SEAL_GCM_TAG];
    uint8_t scratch[12];
    size_t aad_len;
    const uint8_t *aad = gcm_aad(p, scratch, &aad_len);
    seal_iv_gcm(iv, k->salt[p->part], p);
    k->gcm_dec(&part->gcm, &ctx, body, body, p->body_len, iv, aad, aad_len, tag, sizeof(tag));
    if (CRYPTO_memcmp(tag, end, sizeof(tag)) != 0) {
        return -EBADMSG;
    }
    return (int)(end - p->buf);
}

/* GCM needs a power of its hash key for each block of the packet, counted from the table's end. */
static void ipsec_prefetch(const void *keys, enum seal_part part, size_t bytes)
{
    const struct ipsec_keys *k = keys;
    const struct gcm_key_data *gcm = &k->part[part].gcm;
    size_t powers = MIN(bytes, sizeof(gcm->ghash_keys));
    prefetch_bytes(k, offsetof(struct ipsec_keys, part));
    prefetch_bytes(gcm, sizeof(k->part[part].cm)); // round keys; no fewer for GCM
    prefetch_bytes((const uint8_t *)(gcm + 1) - powers, powers);
}

const struct seal_ops seal_ipsec_ops = {
    .name = "ipsec-mb",
    .setup = ipsec_setup,
    .keys_new = ipsec_keys_new,
    .keys_free = ipsec_keys_free,
    .seal = ipsec_seal,
    .seal_later = ipsec_seal_later,
    .flush = ipsec_flush,
    .open = ipsec_open,
    .prefetch = ipsec_prefetch,
};

#else
typedef int seal_ipsec_not_built; /* ISO C wants a declaration in every file */
#endif
