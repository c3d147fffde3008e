/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - WHIP and WHEP from the client's side (RFC 9725 4.2, draft-ietf-wish-whep 4), for
 * `sluice doctor`: one request at a time, waiting for its answer. HTTP and TLS are libcurl's. Any
 * thread, one call at a time each. */
#ifndef SIGNALING_CLIENT_H
#define SIGNALING_CLIENT_H

#include "ice/candidate.h"
#include "ice/link.h"
#include "rtp/base.h"

#define CLIENT_URL_MAX  1024
#define CLIENT_BODY_MAX (128 * 1024) /* of an answer; more is an error */

struct client {
    const char *token; /* bearer token, or NULL */
    bool any_cert;     /* accept certificates that do not verify */
    int timeout_ms;    /* of a whole request */
};

/* What came back. Zeroed by each call that fills it; client_answer_fini frees. */
struct client_answer {
    int status;                    /* HTTP; 0: no answer at all */
    bool bad_cert;                 /* TLS: the certificate does not verify; why says how */
    bool refused;                  /* TCP: nobody listens */
    char why[256];                 /* without an answer: libcurl's words; with an error: the
                                      problem's detail */
    char location[CLIENT_URL_MAX]; /* absolute; "" = none */
    int64_t date_s;                /* the server's clock, seconds since 1970; 0 = it does not say */
    int64_t cert_expires_s;        /* of the server's own certificate; 0 = plain HTTP, or unknown */
    char *body;                    /* terminated; NULL = none */
    size_t body_len;
};
void client_answer_fini(struct client_answer *a); /* accepts a zeroed one */

/* Once per process, before other threads; and at its end. */
int client_init(void) MUST_CHECK;
void client_fini(void);

/* GET, or POST of an SDP offer, or DELETE. Redirects of POST are followed with method and body.
 * Returns 0 when an answer came, whatever its status; -ENOMEM; -EIO: none came, see ret->why. What
 * a DELETE comes to may be ignored: a session without packets ends by itself. */
int client_get(const struct client *c, const char *url, struct client_answer *ret) MUST_CHECK;
int client_post(const struct client *c, const char *url, const char *offer,
                struct client_answer *ret) MUST_CHECK;
int client_delete(const struct client *c, const char *url, struct client_answer *ret);

/* An offer of one Opus section, sendonly (publish) or recvonly. fingerprint: "sha-256 AB:…".
 * Returns text to free(3), NULL when out of memory. */
char *client_audio_offer(bool publish, const char *ufrag, const char *pwd, const char *fingerprint);

/* Credentials and certificate of the other side. Terminated strings. */
struct client_remote {
    char ufrag[ICE_UFRAG_MAX + 1];
    char pwd[ICE_PWD_MAX + 1];
    struct fingerprint fingerprints[LINK_FINGERPRINTS_MAX];
    unsigned n_fingerprints;
};

/* What an SDP answer says about where and how to connect: credentials, fingerprints and the host
 * candidates of its first section, at most max. Returns how many candidates there are, -EBADMSG if
 * the answer does not parse or lacks credentials. */
int client_read_answer(const struct client_answer *a, struct client_remote *ret_remote,
                       struct candidate *ret_candidates, int max) MUST_CHECK;

#endif
