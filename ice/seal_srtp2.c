/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with libsrtp2: a fallback that can be chosen, and the reference of the tests.
 *
 * libsrtp2 guesses indices by itself; it is told ours by setting the roll-over counter before every
 * packet. It follows any jump ahead, but not one of more than 2^15 back, which the front's windows
 * never let through. Its SRTCP indices are its own (one count per SSRC, from 1): p->index is not
 * used when sealing RTCP. */
#include "ice/seal_backend.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

/* Not below the front's windows, so that only the front decides. */
#define SRTP2_WINDOW (2 * OPEN_WINDOW)

struct srtp2_keys {
    srtp_t session;
    srtp_policy_t policy;
    uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX];
    enum srtp_profile profile;
    bool sending;
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static srtp_err_status_t init_status;

static void init_library(void)
{
    init_status = srtp_init();
}

static int srtp2_setup(void)
{
    pthread_once(&init_once, init_library);
    return init_status == srtp_err_status_ok ? 0 : -ENOTSUP;
}

static void srtp2_keys_free(void *keys)
{
    struct srtp2_keys *k = keys;
    if (!k) {
        return;
    }
    if (k->session) {
        srtp_dealloc(k->session);
    }
    OPENSSL_clear_free(k, sizeof(*k));
}

static bool set_policy(srtp_policy_t *policy, enum srtp_profile profile)
{
    switch (profile) {
    case SRTP_AES128_CM_SHA1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return true;
    case SRTP_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        return true;
    case SRTP_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        return true;
    case SRTP_NONE:
        break;
    }
    return false;
}

static void *srtp2_keys_new(const struct srtp_keys *master, const struct seal_session_keys *session,
                            bool sending)
{
    struct srtp2_keys *k = OPENSSL_zalloc(sizeof(*k));
    (void)session;
    if (!k) {
        return NULL;
    }
    size_t key_len = srtp_key_len(master->profile);
    memcpy(k->key, master->key, key_len);
    memcpy(k->key + key_len, master->salt, srtp_salt_len(master->profile));
    k->profile = master->profile;
    k->sending = sending;
    k->policy.key = k->key;
    k->policy.ssrc.type = sending ? ssrc_any_outbound : ssrc_any_inbound;
    k->policy.window_size = SRTP2_WINDOW;
    k->policy.allow_repeat_tx = 1; /* seal_rtp_again; the front refuses all other repeats */
    if (!set_policy(&k->policy, master->profile) ||
        srtp_create(&k->session, &k->policy) != srtp_err_status_ok) {
        srtp2_keys_free(k);
        return NULL;
    }
    return k;
}

/* Makes libsrtp2 take the index that the front chose. A stream that it does not have yet starts at
 * roll-over 0 by itself; for sending, one that starts elsewhere is made first. */
static bool set_index(struct srtp2_keys *k, uint32_t ssrc, uint64_t index)
{
    uint32_t roc = (uint32_t)(index >> 16);
    if (srtp_set_stream_roc(k->session, ssrc, roc) == srtp_err_status_ok) {
        return true;
    }
    if (roc == 0 || !k->sending) {
        return roc == 0;
    }
    srtp_policy_t one = k->policy;
    one.ssrc.type = ssrc_specific;
    one.ssrc.value = ssrc;
    return srtp_add_stream(k->session, &one) == srtp_err_status_ok &&
           srtp_set_stream_roc(k->session, ssrc, roc) == srtp_err_status_ok;
}

static int srtp2_seal(void *keys, const struct seal_pkt *p)
{
    struct srtp2_keys *k = keys;
    int len = (int)(p->hdr_len + p->head_len + p->body_len);
    srtp_err_status_t status;
    if (p->body_len > 0) {
        memmove(p->buf + p->hdr_len + p->head_len, p->body, p->body_len);
    }
    if (p->part == SEAL_RTP) {
        if (!set_index(k, p->ssrc, p->index)) {
            return -EIO;
        }
        status = srtp_protect(k->session, p->buf, &len);
    } else {
        status = srtp_protect_rtcp(k->session, p->buf, &len);
    }
    return status == srtp_err_status_ok ? len : -EIO;
}

static int srtp2_open(void *keys, const struct seal_pkt *p)
{
    struct srtp2_keys *k = keys;
    int len = (int)(p->hdr_len + p->body_len + seal_trailer_len(k->profile, p->part));
    srtp_err_status_t status;
    if (p->part == SEAL_RTP) {
        if (!set_index(k, p->ssrc, p->index)) {
            return -EBADMSG;
        }
        status = srtp_unprotect(k->session, p->buf, &len);
    } else {
        status = srtp_unprotect_rtcp(k->session, p->buf, &len);
    }
    return status == srtp_err_status_ok ? len : -EBADMSG;
}

const struct seal_ops seal_srtp2_ops = {
    .name = "libsrtp2",
    .setup = srtp2_setup,
    .keys_new = srtp2_keys_new,
    .keys_free = srtp2_keys_free,
    .seal = srtp2_seal,
    .open = srtp2_open,
};
