/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - SRTP and SRTCP (RFC 3711, RFC 7714): seals outgoing packets straight from their
 * plaintext into the run that is sent, opens incoming ones in place. Backends: intel-ipsec-mb,
 * OpenSSL EVP, libsrtp2; chosen once per process. Sans-I/O; role MEDIA, one owner per object.
 *
 * A nonce is never used twice: every sending SSRC has a window of the last SEAL_WINDOW packet
 * indices; an index that was sealed before, or lies below the window, is refused with -EALREADY.
 * Retransmissions therefore travel as RTX with an SSRC of their own. The only exception is
 * seal_rtp_again() for AES-CM profiles, whose output is byte-identical to the first. */
#ifndef ICE_SEAL_H
#define ICE_SEAL_H

#include "rtp/base.h"

/* OpenSSL's srtp.h, if it came first, has macros of these names, with these values. */
#undef SRTP_AES128_CM_SHA1_80
#undef SRTP_AEAD_AES_128_GCM
#undef SRTP_AEAD_AES_256_GCM

enum srtp_profile {
    SRTP_NONE = 0,
    SRTP_AES128_CM_SHA1_80 = 0x0001, /* RFC 5764 4.1.2; values are those of use_srtp */
    SRTP_AEAD_AES_128_GCM = 0x0007,  /* RFC 7714 14.2 */
    SRTP_AEAD_AES_256_GCM = 0x0008,
};

enum seal_backend {
    SEAL_AUTO, /* the fastest one built in that passes its self-test */
    SEAL_EVP,
    SEAL_IPSEC_MB,
    SEAL_SRTP2,
};

#define SRTP_KEY_MAX  32
#define SRTP_SALT_MAX 14
/* Bytes that sealing can add: RTP 16 (GCM) or 10; RTCP index word 4 + 16. */
#define SEAL_TAG_MAX     20
#define SEAL_WINDOW      1024 /* packet indices remembered per sending SSRC */
#define OPEN_WINDOW      1024 /* RTP replay window, packets (SEC-62) */
#define OPEN_WINDOW_RTCP 128

/* Master key and salt of one direction, from the DTLS exporter. Zeroise after use. */
struct srtp_keys {
    enum srtp_profile profile;
    uint8_t key[SRTP_KEY_MAX];
    uint8_t salt[SRTP_SALT_MAX];
};

/* lint: allow STEM named after what it tells about, enum srtp_profile */
size_t srtp_key_len(enum srtp_profile p); /* 16 or 32; 0 for SRTP_NONE */
/* lint: allow STEM named after what it tells about, enum srtp_profile */
size_t srtp_salt_len(enum srtp_profile p); /* 14 (CM) or 12 (GCM) */
const char *srtp_profile_name(enum srtp_profile p);

/* Chooses the backend for this process; call once before threads start. SEAL_AUTO never fails. A
 * named one that is not built in, or fails its known-answer self-test, gives -ENOTSUP. Returns 0.
 */
int seal_backend_select(enum seal_backend want) MUST_CHECK;
/* "ipsec-mb", "openssl" or "libsrtp2"; what SEAL_AUTO came to. */
const char *seal_backend_name(void);
/* Parses "auto", "openssl", "ipsec-mb", "libsrtp2". Returns 0 or -EINVAL. */
int seal_backend_parse(const char *text, enum seal_backend *ret) MUST_CHECK;

/* ---- sending ---- */

struct seal;        /* keys of one session's sending direction */
struct seal_stream; /* one sending SSRC: its index window */

/* Returns NULL when out of memory or when the backend refuses the profile. The keys are copied.
 * With ipsec-mb, each thread that seals or opens has a manager of 200 kB, made at its first use. */
struct seal *seal_new(const struct srtp_keys *keys);
void seal_free(struct seal *s); /* accepts NULL; zeroises */

/* The state of a sending SSRC, created at first use; the same SSRC always gives the same object, so
 * that no caller can start a second window for it. Owned by s. NULL when out of memory or beyond
 * 256 SSRCs. */
struct seal_stream *seal_stream(struct seal *s, uint32_t ssrc);

/* Fetch what seal_rtp touches into the cache, the keys for a packet of so many bytes and an SSRC's
 * window: useful a few hundred nanoseconds before it. s and st may be NULL. */
void seal_prefetch(const struct seal *s, size_t bytes);
void seal_stream_prefetch(const struct seal_stream *st);

/* Seals one RTP packet.
 *   index    48-bit packet index (ROC << 16 | SEQ); its low 16 bits are in the header
 *   out      holds hdr_len bytes of header (fixed part and extensions; authenticated only), then
 *            head_len bytes of plaintext that replace the codec's descriptor, sealed in place
 *   cap      room at out, bytes; hdr_len + head_len + body_len + SEAL_TAG_MAX suffices
 *   body     body_len bytes of plaintext that follow the head; not modified; may not overlap out
 * Returns the sealed length; -EALREADY if the index was used or lies below the window (nothing is
 * written); -ENOSPC (nothing is written, the index stays free); -EIO if the library failed. */
int seal_rtp(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
             size_t hdr_len, size_t head_len, const uint8_t *body, size_t body_len) MUST_CHECK;

/* The same, but the packet may not be sent before seal_flush: where a backend finishes several at
 * once faster than one by one (AES-CM with ipsec-mb), the tag is missing until then. out and s stay
 * where they are until then. */
int seal_rtp_later(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
                   size_t hdr_len, size_t head_len, const uint8_t *body,
                   size_t body_len) MUST_CHECK;
/* Finishes all that this thread has sealed with seal_rtp_later. */
void seal_flush(void);

/* The same packet once more, for NACK without RTX. Only for AES-CM profiles (else -EPERM), only for
 * an index sealed before (else -ENOENT); the caller guarantees identical bytes, so that the output
 * is identical too. */
int seal_rtp_again(struct seal *s, struct seal_stream *st, uint64_t index, uint8_t *out, size_t cap,
                   size_t hdr_len, size_t head_len, const uint8_t *body,
                   size_t body_len) MUST_CHECK;

/* Seals a compound RTCP packet in place; the index is counted inside. len bytes at buf, cap bytes
 * of room. Returns the sealed length or -ENOSPC; -EOVERFLOW after 2^31 packets; -EIO. The first
 * packet carries index 1, as libsrtp's does. */
int seal_rtcp(struct seal *s, uint8_t *buf, size_t len, size_t cap) MUST_CHECK;

/* ---- receiving ---- */

struct open; /* keys and replay windows of one session's receiving direction */

/* max_ssrcs: cap on SSRCs that may create state by RTP (SEC-62). RTCP has a table of its own, of
 * max_ssrcs but at least 8 senders: viewers report and send no media. NULL as for seal_new. */
/* lint: allow STEM struct open is the other half of this header */
struct open *open_new(const struct srtp_keys *keys, unsigned max_ssrcs);
/* lint: allow STEM struct open is the other half of this header */
void open_free(struct open *o); /* accepts NULL; zeroises */

/* Opens one packet in place: verifies, decrypts, updates the replay window; state changes only
 * after authentication (SEC-58). The index is estimated as in RFC 3711 3.3.1; the first packet of
 * an SSRC is taken to be in roll-over 0. Returns the plaintext length; -EBADMSG authentication
 * failed (the body is garbage then) or malformed; -EALREADY replayed or too old; -EMLINK too many
 * SSRCs; -ENOMEM. */
/* lint: allow STEM struct open is the other half of this header */
int open_rtp(struct open *o, uint8_t *buf, size_t len) MUST_CHECK;
/* The same for SRTCP; packets without the E bit are refused (SEC-57). */
/* lint: allow STEM struct open is the other half of this header */
int open_rtcp(struct open *o, uint8_t *buf, size_t len) MUST_CHECK;
/* Fetches what open_rtcp touches, in two steps, 0 and 1: the second follows pointers that the first
 * has fetched. o may be NULL. */
void seal_prefetch_open(const struct open *o, unsigned step);

#endif
