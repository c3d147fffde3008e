/* SPDX-License-Identifier: Apache-2.0 */
/* lite.h - the ICE-lite agent of one peer (RFC 8445 2.5): answers connectivity checks, remembers
 * the addresses that proved themselves, and says which of them is to be sent to. It never sends a
 * check of its own and never looks at remote candidates. Sans-I/O; role MEDIA.
 *
 * The STUN codec is libnice's (stun/stunagent.h). Three of its habits are worked around in lite.c:
 * it insists on FINGERPRINT or ignores it, it compares 20 bytes of a MESSAGE-INTEGRITY of any
 * length, and it pads attributes with spaces (SEC-37).
 *
 * lite.c and caller.c are the only files that include libnice's headers. */
#ifndef ICE_LITE_H
#define ICE_LITE_H

#include "ice/link.h"
#include "rtp/base.h"

#define LITE_PATHS_MAX 8   /* addresses remembered; the one unheard for longest gives way */
#define LITE_REPLY_MAX 160 /* bytes of an answer at most */
#define LITE_ATTRS_MAX 32  /* SEC-37 */

/* After this long without a nomination of the chosen path, a path of lower priority that is being
 * nominated takes over: Chromium nominates its selected pair only, again and again, and must be
 * followed when it gives a better pair up. Firefox nominates all pairs within its first seconds. */
#define LITE_RENOMINATE_US (3 * US_PER_S)

struct lite_path {
    struct path path;
    uint32_t priority; /* PRIORITY of its last check; 0 if it had none (FFmpeg) */
    uint32_t generation;
    bool nominated;
    int64_t heard_us;     /* last check */
    int64_t nominated_us; /* last check with USE-CANDIDATE */
};

/* One generation of credentials, with the USERNAME that belongs to it. */
struct lite_creds {
    struct ice_creds creds;
    uint32_t generation;
};

struct lite {
    struct lite_creds current;
    struct lite_creds old; /* during a restart */
    bool has_old;
    struct lite_path paths[LITE_PATHS_MAX];
    unsigned n_paths;
    int chosen; /* index of the path to send on, -1 before the first check */
};

/* What a datagram was. Only LITE_OK changed anything. */
enum lite_verdict {
    LITE_OK,        /* a valid check; the answer is a success */
    LITE_REFUSED,   /* authenticated, but refused with 420 or 487 */
    LITE_MALFORMED, /* no answer */
    LITE_INTEGRITY, /* credentials missing or wrong; no answer (SEC-39) */
    LITE_OTHER,     /* responses, indications, other methods, impossible sources; no answer */
};

struct lite_result {
    enum lite_verdict verdict;
    bool moved;       /* the chosen path is another one than before */
    size_t reply_len; /* bytes of answer for the source; 0: none */
};

/* Caller's memory. creds are copied. */
void lite_init(struct lite *l, const struct ice_creds *creds);
/* Forgets the passwords. */
void lite_fini(struct lite *l);

/* One datagram that RFC 7983 sorts as STUN; not modified. reply: where the answer is written. */
struct lite_result lite_on_datagram(struct lite *l, int64_t now_us, const struct path *from,
                                    const uint8_t *buf, size_t len, uint8_t reply[LITE_REPLY_MAX]);

/* Adds a generation of credentials (RFC 8445 9). The one before stays valid until a pair is
 * nominated under the new one; a third displaces the oldest. */
void lite_restart(struct lite *l, const struct ice_creds *creds);
/* True if ufrag (n bytes) is a local ufrag that checks may use. */
bool lite_has_ufrag(const struct lite *l, const char *ufrag, size_t n);

/* The path to send on: the nominated one of highest priority, the latest among equals (ICE-11,
 * ICE-26); before any nomination the one validated last. NULL before the first check. */
const struct path *lite_chosen(const struct lite *l);
/* True if p proved itself. */
bool lite_has_path(const struct lite *l, const struct path *p);
/* Forgets all paths of a TCP connection. Returns true if the chosen path was among them. */
bool lite_drop_conn(struct lite *l, uint64_t conn);

#endif
