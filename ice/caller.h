/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - the other end of a link: a session that Sluice itself starts, for `sluice doctor`. The
 * controlling ICE agent on one socket of its own, DTLS client, SRTP both ways. It waits for what it
 * asks for, so it belongs to no loop: one thread, one owner, deadlines on every call.
 *
 *   caller_new → caller_check an address → caller_connect → caller_send_rtp, caller_recv_rtp */
#ifndef ICE_CALLER_H
#define ICE_CALLER_H

#include "ice/link.h"
#include "rtp/base.h"

/* What the other side's answer says. */
struct caller_remote {
    char ufrag[ICE_UFRAG_MAX + 1];
    char pwd[ICE_PWD_MAX + 1];
    struct fingerprint fingerprints[LINK_FINGERPRINTS_MAX];
    unsigned n_fingerprints;
};

struct caller;

/* cert, ufrag and pwd are ours: what the offer said. NULL when out of memory. cert outlives it. */
struct caller *caller_new(const struct cert *cert, const char *ufrag, const char *pwd);
/* Says close_notify where there is a connection; accepts NULL. */
void caller_free(struct caller *c);

/* Sends connectivity checks (RFC 8445 7.2) to one address, over UDP every 100 ms or once over a new
 * TCP connection (RFC 6544), until an authenticated answer comes. Nothing is nominated.
 * Returns 0 and how long the answer took; -ETIMEDOUT: none came; -ECONNREFUSED: the host says that
 * nobody listens; -EACCES: it answers, but does not know these credentials; else -errno. */
int caller_check(struct caller *c, const struct caller_remote *remote, const struct addr *to,
                 enum transport transport, int timeout_ms, int64_t *ret_us) MUST_CHECK;

/* Nominates to (UDP), and does the DTLS handshake. Returns 0, -ETIMEDOUT, or -EPROTO: *ret_why then
 * is a fixed string of dtls_fail_reason. */
int caller_connect(struct caller *c, const struct caller_remote *remote, const struct addr *to,
                   int timeout_ms, const char **ret_why) MUST_CHECK;

/* Seals and sends one RTP packet of pkt_len bytes, of which hdr_len are the header. seq: its
 * extended sequence number. Returns 0 or -errno. */
int caller_send_rtp(struct caller *c, uint64_t seq, const uint8_t *pkt, size_t hdr_len,
                    size_t pkt_len) MUST_CHECK;
/* Waits for the next RTP packet, opened. Returns its length, 0 after timeout_ms without one, or
 * -errno. Consent checks are answered and RTCP is skipped meanwhile. */
int caller_recv_rtp(struct caller *c, int timeout_ms, uint8_t *out, size_t cap) MUST_CHECK;

#endif
