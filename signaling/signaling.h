/* SPDX-License-Identifier: Apache-2.0 */
/* signaling.h - the HTTP side as the program's main sees it: start, the plane's events in, reload,
 * drain, stop. Role MAIN. */
#ifndef SIGNALING_SIGNALING_H
#define SIGNALING_SIGNALING_H

#include "rtp/base.h"

struct api_event;
struct cert;
struct conf;
struct plane;
struct signaling;
struct uv_loop_s;

struct signaling_params {
    struct uv_loop_s *loop;
    const struct conf *conf; /* outlives signaling, or the reload that replaces it */
    const struct cert *cert; /* DTLS; outlives signaling */
    /* The admin API asks to drain and end; 0: until the last session ends. NULL: it cannot. */
    void (*drain)(int timeout_ms, void *ctx);
    void *ctx;
};

/* Binds the listeners. Until signaling_set_plane, POSTs are 503 and /readyz says no. Returns 0 or
 * -errno; then *ret_what says in words what failed. */
int signaling_start(const struct signaling_params *p, struct signaling **ret,
                    const char **ret_what) MUST_CHECK;
/* The media plane is there, and with it the addresses to announce. Same returns. */
int signaling_set_plane(struct signaling *s, struct plane *plane, const char **ret_what) MUST_CHECK;
/* An api_event_fn: pass it to plane_start with s as ctx. Owns *ev. */
void signaling_on_event(struct api_event *ev, void *ctx);

/* Takes a new configuration: tokens, CORS, ICE servers, limits, TLS files. What needs a restart is
 * logged and left as it is. On failure (same returns) the old one stays in use; else the caller may
 * free it. */
int signaling_reload(struct signaling *s, const struct conf *conf,
                     const char **ret_what) MUST_CHECK;

/* Reads what the settings name (keys of tokens, the certificate) and forgets it: --check-config.
 * Returns 0; -EINVAL, -ENOMEM with *ret_what in words (valid until the next call). */
int signaling_check(const struct conf *c, const char **ret_what) MUST_CHECK;

/* Refuses new sessions, waits for the present ones, ends those that are left at the deadline, and
 * calls fn once (never from within). A second call can only bring the deadline forward.
 * timeout_ms   0: now; negative: until the last session ends */
void signaling_drain(struct signaling *s, int timeout_ms, void (*fn)(void *ctx), void *ctx);
/* Closes everything without waiting; memory goes once the loop has run on. Call before plane_stop,
 * and pass no events afterwards. Accepts NULL. */
void signaling_stop(struct signaling *s);

/* The URL of the pages, e.g. "http://127.0.0.1:8080/". Returns out. */
const char *signaling_url(const struct signaling *s, char *out, size_t cap);
/* SHA-256 of the certificate when it was made at start, else NULL. */
const char *signaling_self_signed(const struct signaling *s);
/* Ports bound, for tests and for port 0. */
uint16_t signaling_port(const struct signaling *s);
uint16_t signaling_admin_port(const struct signaling *s);

#endif
