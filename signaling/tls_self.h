/* SPDX-License-Identifier: Apache-2.0 */
/* tls_self.h - a self-signed certificate for HTTPS on a LAN. Role MAIN, at start. */
#ifndef SIGNALING_TLS_SELF_H
#define SIGNALING_TLS_SELF_H

#include "rtp/base.h"

struct conf;

/* Terminated PEM texts, heap. */
struct tls_pem {
    char *cert;
    char *key;
};

/* Makes a P-256 key and a certificate good for 397 days (phones refuse longer ones). Returns 0 or
 * -ENOMEM. */
int tls_self_make(const struct conf *c, struct tls_pem *ret) MUST_CHECK;

#endif
