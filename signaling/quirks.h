/* SPDX-License-Identifier: Apache-2.0 */
/* quirks.h - clients with known faults: how each is told (User-Agent, or the o= and s= lines of its
 * offer) and what Sluice does about it. One table (quirks.c), each row with its source. What Sluice
 * does for everybody, because some client needs it, is not here: order of layers by weight,
 * liveness by any packet, NACK in a packet of its own, answers below 8 KiB, Content-Length. Pure;
 * any thread. */
#ifndef SIGNALING_QUIRKS_H
#define SIGNALING_QUIRKS_H

#include "rtp/base.h"
#include "sfu/api.h"

/* What is done. The first three travel to the plane as api_session.quirks. */
enum quirk {
    QUIRK_NO_PLI = API_QUIRK_NO_PLI,           /* ignores key frame requests */
    QUIRK_NO_NACK = API_QUIRK_NO_NACK,         /* its retransmissions are corrupt: ask for none */
    QUIRK_ONE_SPATIAL = API_QUIRK_ONE_SPATIAL, /* AV1: send it the lowest spatial layer alone */
    QUIRK_NO_VP9 = 1 << 8,                     /* do not agree on VP9 */
    QUIRK_OWN_CODEC = 1 << 9,                  /* agree on all codecs: it sends the one it has */
};

/* An o= line as Pion and what was made after it (webrtc-rs) write it. */
#define QUIRK_PION "- random unix-seconds"

struct quirk_row {
    const char *name;    /* for the log: "obs-no-pli" */
    const char *agent;   /* what stands before the version in User-Agent, or NULL */
    const char *origin;  /* the user name of the o= line, or the session name of s=, QUIRK_PION, or
                            NULL */
    unsigned from, upto; /* versions, major * 1000 + minor, both included; 0 = open */
    unsigned roles;      /* bit API_PUBLISH, bit API_PLAY */
    unsigned bits;       /* enum quirk */
    const char *what;    /* what is wrong, in a sentence */
    const char *source;  /* where that is known from */
};

/* All rows; for documentation and tests. */
const struct quirk_row *quirks_rows(size_t *ret_n);

#define QUIRKS_CLIENT_MAX 48
#define QUIRKS_NAMES_MAX  128

struct quirks {
    char client[QUIRKS_CLIENT_MAX]; /* "obs/32.2", "firefox/153.0", "" = not known */
    char names[QUIRKS_NAMES_MAX];   /* of the rows that fit, with commas; "" = none */
    unsigned bits;
};

/* Fills ret. user_agent: the header, or NULL; offer: len bytes of SDP, as it came (nothing about it
 * is believed). */
void quirks_find(const char *user_agent, const char *offer, size_t len, enum api_role role,
                 struct quirks *ret);

#endif
