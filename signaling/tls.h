/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - the certificate of the public listener: read from files, or made at start for phones on a
 * LAN. libmicrohttpd asks for it at each handshake, so that a reload needs no new listener. Role
 * MAIN. */
#ifndef SIGNALING_TLS_H
#define SIGNALING_TLS_H

#include "rtp/base.h"

struct conf;
struct tls;

#define TLS_FINGERPRINT_TEXT 96 /* "AB:CD:…" of SHA-256 with its terminator */

/* Reads tls.cert_file and tls.key_file, or makes a self-signed certificate (EC P-256; names:
 * localhost, the host's name, loopback and interface addresses, the host of http.public_origin).
 * The first tls_new becomes the one that handshakes use. Returns 0; -ENOENT, -EBADMSG (not PEM, key
 * does not fit), -ENOMEM; *ret_what says what. */
int tls_new(const struct conf *c, struct tls **ret, const char **ret_what) MUST_CHECK;
void tls_free(struct tls *t); /* accepts NULL; after the last handshake */

/* Reads the files as tls_new does, and forgets them. Same returns. */
int tls_check(const struct conf *c, const char **ret_what) MUST_CHECK;

/* Reads the files again and swaps on success; running handshakes keep the old pair. A self-signed
 * certificate stays. Same returns; on failure the old one stays in use. */
int tls_reload(struct tls *t, const struct conf *c, const char **ret_what) MUST_CHECK;

/* SHA-256 of the leaf certificate, as browsers show it. */
const char *tls_fingerprint(const struct tls *t);
/* End of the leaf's validity, seconds since 1970. */
int64_t tls_not_after_s(const struct tls *t);
/* The gnutls_certificate_retrieve_function2 to hand to libmicrohttpd, as a plain pointer. */
void *tls_callback(void);

#endif
