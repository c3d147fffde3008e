/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dtls_ctx.h"
#include "ice/dtls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/srtp.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"   \
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS           "X25519:P-256:P-384"
#define PROFILES_ALL     "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"
#define PROFILES_CM      "SRTP_AES128_CM_SHA1_80"
#define CERT_LIST_MAX    16384 /* bytes (SEC-50) */
#define SEND_FRAGMENT    1200  /* no record is longer; OpenSSL's write buffer shrinks with it */
#define RSA_BITS_MIN     2048
#define RSA_BITS_MAX     4096
#define FIRST_TIMEOUT_US 250000u
#define LAST_TIMEOUT_US  4000000u

/* ---- the peer's certificate ---- */

static const EVP_MD *digest_of(enum fingerprint_hash h)
{
    switch (h) {
    case FP_SHA1:
        return EVP_sha1();
    case FP_SHA256:
        return EVP_sha256();
    case FP_SHA384:
        return EVP_sha384();
    case FP_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

/* The one place where a fingerprint is compared. */
static struct dtls_proof prove_peer(const struct dtls_peer *peer, const X509 *x509)
{
    struct dtls_proof proof = {NULL};
    for (unsigned i = 0; i < peer->n_fingerprints; i++) {
        const struct fingerprint *fp = &peer->fingerprints[i];
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        if (X509_digest(x509, digest_of(fp->hash), digest, &len) == 1 && len == fp->len &&
            CRYPTO_memcmp(digest, fp->digest, len) == 0) {
            proof.matched = fp;
        }
    }
    return proof;
}

/* RSA keys above 4,096 bits cost us time, other curves are nothing that WebRTC uses (SEC-52). */
static bool is_key_allowed(X509 *x509)
{
    char group[32];
    size_t len = 0;
    EVP_PKEY *key = X509_get0_pubkey(x509);
    if (!key) {
        return false;
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
    case EVP_PKEY_EC:
        return EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
               (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
    default:
        return false;
    }
}

/* Replaces chain building: certificates of WebRTC are self-signed and vouched for by SDP. A refusal
 * here ends the handshake with an alert before any key exists (RFC 5763 6.7). */
static int verify_peer(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct dtls_peer *peer = SSL_get_app_data(ssl);
    X509 *x509 = X509_STORE_CTX_get0_cert(store);
    (void)arg;
    if (!x509 || !is_key_allowed(x509)) {
        peer->fail_reason = "peer_key_type";
    } else {
        peer->proof = prove_peer(peer, x509);
        if (peer->proof.matched) {
            return 1;
        }
        peer->fail_reason = "fingerprint_mismatch";
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* ---- ClientHello ---- */

static bool offers_profile(const uint8_t *ext, size_t len, bool only_cm)
{
    size_t list = len >= 2 ? (size_t)ext[0] << 8 | ext[1] : 0;
    for (size_t i = 2; i + 2 <= 2 + list && i + 2 <= len; i += 2) {
        unsigned id = (unsigned)ext[i] << 8 | ext[i + 1];
        if (id == SRTP_AES128_CM_SHA1_80 ||
            (!only_cm && (id == SRTP_AEAD_AES_128_GCM || id == SRTP_AEAD_AES_256_GCM))) {
            return true;
        }
    }
    return false;
}

/* Without a common SRTP profile OpenSSL would finish the handshake in silence (DTLS-08). */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct dtls_peer *peer = SSL_get_app_data(ssl);
    const uint8_t *ext = NULL;
    size_t len = 0;
    (void)arg;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    if (!peer->no_media && (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_use_srtp, &ext, &len) != 1 ||
                            !offers_profile(ext, len, peer->only_cm))) {
        peer->fail_reason = "no_srtp_profile";
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &ext, &len) != 1) {
        peer->fail_reason = "no_extended_master_secret";
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* ---- context and session ---- */

SSL_CTX *dtls_ctx_new(EVP_PKEY *key, X509 *x509)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
    if (!ctx) {
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
    SSL_CTX_set_read_ahead(ctx, 1); /* a datagram is read whole or lost */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_peer, NULL);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 || SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
        SSL_CTX_set_max_send_fragment(ctx, SEND_FRAGMENT) != 1 ||
        SSL_CTX_use_certificate(ctx, x509) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* 250 ms, then doubling to 4 s: a lost ClientHello costs a join a quarter of a second. */
static unsigned next_timeout(SSL *ssl, unsigned last_us)
{
    (void)ssl;
    return last_us == 0 ? FIRST_TIMEOUT_US : MIN(2 * last_us, LAST_TIMEOUT_US);
}

SSL *dtls_ctx_session(SSL_CTX *ctx, struct dtls_peer *peer, BIO *bio, bool server)
{
    SSL *ssl = bio ? SSL_new(ctx) : NULL;
    if (!ssl) {
        BIO_free(bio);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, peer);
    SSL_set_mtu(ssl, DTLS_MTU);
    DTLS_set_timer_cb(ssl, next_timeout);
    /* 0 is success: the one call of OpenSSL that has it the other way round. */
    if (SSL_set_tlsext_use_srtp(ssl, peer->only_cm ? PROFILES_CM : PROFILES_ALL) != 0) {
        SSL_free(ssl);
        return NULL;
    }
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

static enum srtp_profile agreed_profile(SSL *ssl)
{
    const SRTP_PROTECTION_PROFILE *p = SSL_get_selected_srtp_profile(ssl);
    switch (p ? p->id : 0) {
    case SRTP_AES128_CM_SHA1_80:
        return SRTP_AES128_CM_SHA1_80;
    case SRTP_AEAD_AES_128_GCM:
        return SRTP_AEAD_AES_128_GCM;
    case SRTP_AEAD_AES_256_GCM:
        return SRTP_AEAD_AES_256_GCM;
    default:
        return SRTP_NONE;
    }
}

const char *dtls_ctx_check_finished(SSL *ssl, const struct dtls_peer *peer)
{
    if (!peer->proof.matched) {
        return "no_certificate";
    }
    if (!peer->no_media && agreed_profile(ssl) == SRTP_NONE) {
        return "no_srtp_profile";
    }
    if (SSL_get_extms_support(ssl) != 1) {
        return "no_extended_master_secret";
    }
    return NULL;
}

const char *dtls_ctx_error(const struct dtls_peer *peer)
{
    unsigned long e = ERR_get_error();
    int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
    ERR_clear_error();
    if (peer->fail_reason) {
        return peer->fail_reason;
    }
    if (reason >= SSL_AD_REASON_OFFSET) {
        return "peer_alert";
    }
    switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
        return "no_shared_cipher";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
        return "version";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "no_certificate";
    default:
        return "protocol";
    }
}

/* ---- keys ---- */

int dtls_ctx_export(SSL *ssl, const struct dtls_proof *proof, struct srtp_keys *ret_tx,
                    struct srtp_keys *ret_rx)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    uint8_t block[2 * (SRTP_KEY_MAX + SRTP_SALT_MAX)];
    enum srtp_profile profile = agreed_profile(ssl);
    size_t key = srtp_key_len(profile);
    size_t salt = srtp_salt_len(profile);
    if (!proof->matched || profile == SRTP_NONE ||
        SSL_export_keying_material(ssl, block, 2 * (key + salt), label, sizeof(label) - 1, NULL, 0,
                                   0) != 1) {
        return -EAGAIN;
    }
    struct srtp_keys client = {.profile = profile};
    struct srtp_keys server = {.profile = profile};
    memcpy(client.key, block, key);
    memcpy(server.key, block + key, key);
    memcpy(client.salt, block + 2 * key, salt);
    memcpy(server.salt, block + 2 * key + salt, salt);
    *ret_tx = SSL_is_server(ssl) ? server : client;
    *ret_rx = SSL_is_server(ssl) ? client : server;
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&client, sizeof(client));
    OPENSSL_cleanse(&server, sizeof(server));
    return 0;
}
