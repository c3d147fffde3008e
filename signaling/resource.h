/* SPDX-License-Identifier: Apache-2.0 */
/* resource.h - sessions as MAIN knows them: the unguessable URL, the entity tag, the generations of
 * ICE credentials, and the way from POST to tombstone:
 *
 *   NEW (no DTLS yet) ──UP──► UP ──end asked for──► ENDING ──the plane says so──► GONE
 *   GONE ──30 s──► freed
 *
 * Quotas count NEW and UP. Role MAIN. */
#ifndef SIGNALING_RESOURCE_H
#define SIGNALING_RESOURCE_H

#include "ice/addr.h"
#include "ice/link.h"
#include "rtp/base.h"
#include "rtp/codec.h"
#include "rtp/list.h"
#include "sfu/api.h"
#include "signaling/auth.h"
#include "signaling/auth_quota.h"
#include "signaling/quirks.h"
#include "signaling/rooms.h"

#define RESOURCE_TOKEN_LEN    32 /* characters of six random bits: 192 bits (SEC-20) */
#define RESOURCE_ETAG_LEN     16
#define RESOURCE_TOMBSTONE_US (30 * (int64_t)US_PER_S) /* DELETE is 200 that long (WHIP-28) */
#define RESOURCE_TOMBS_MAX    16384 /* beyond it the oldest go before their time; 1.6 kB each */
#define RESOURCE_OLD_UFRAGS   8

enum resource_state {
    RESOURCE_NEW,
    RESOURCE_UP,
    RESOURCE_ENDING,
    RESOURCE_GONE,
};

struct resource {
    struct list by_id;
    struct list by_token;
    struct list by_age; /* NEW: in half_open; GONE: in tombs */
    uint64_t id;
    char token[RESOURCE_TOKEN_LEN + 1];
    enum api_role role;
    enum resource_state state;
    int worker;
    struct stream *stream; /* NULL once it neither publishes into nor watches it, and for members */
    struct member *member; /* plays a whole room (conference.h); owned, NULL for others */
    char label[ROOMS_LABEL_MAX];
    char principal[AUTH_NAME_MAX];
    char display[AUTH_GRANT_DISPLAY_MAX]; /* name for people: of its token, else as asked for; "" */
    struct auth_grant *grant;             /* what its token permitted; NULL: there was none */
    struct auth_quota_ticket *ticket;     /* counts while NEW or UP; NULL */
    char codecs[64];                      /* "opus,VP8" */
    char program[QUIRKS_CLIENT_MAX];      /* "obs/32.2"; "" = not known */
    unsigned faults;                      /* publisher: bit f: enum api_fault f was seen */
    char quirks[QUIRKS_NAMES_MAX];        /* names of quirks that are worked around; "" = none */
    struct addr client;
    char etag[RESOURCE_ETAG_LEN + 1];         /* without quotes */
    struct ice_creds creds;                   /* the current generation */
    uint64_t old_ufrags[RESOURCE_OLD_UFRAGS]; /* digests of earlier remote ones */
    unsigned generation;
    char tag_mid[API_MID_MAX]; /* of the BUNDLE-tagged section */
    enum media_kind tag_kind;
    bool tag_data;  /* it is a data channel's */
    uint8_t n_mids; /* media sections of the answer, rejected ones too */
    char (*mids)[API_MID_MAX];
    uint64_t audio_lines, video_lines; /* bit per m-line index: accepted sections */
    /* sse.h */
    struct list event_streams;
    unsigned n_event_streams;
    unsigned sse_wanted; /* mask of kinds that somebody reads */
    uint64_t sse_tick;
    struct list by_control; /* signaling->controls: its control channel is open (control.h) */
    bool control_stale;     /* something could not be told there */
    bool told_active;
    unsigned told_viewers;
    uint64_t told_layers;
    bool silent;
    bool counted;                    /* among those in the room, event.h, */
    char counted_as[ROOMS_NAME_MAX]; /* under this name; "": nobody's */
    enum api_reason reason;          /* from ENDING on */
    int64_t created_us;              /* monotonic */
    int64_t up_us;
    int64_t ended_us;
};

struct resource_table {
    struct list ids[4096];
    struct list tokens[4096];
    struct list half_open; /* oldest first */
    struct list tombs;     /* oldest first */
    uint64_t next_id;
    unsigned n_half_open;
    unsigned n[2][RESOURCE_GONE + 1]; /* by role and state */
};

/* An empty table; ids begin with 1. */
void resource_table_init(struct resource_table *t);
/* Frees all that is left. */
void resource_table_fini(struct resource_table *t);

/* A new session in state NEW with random token and tag. NULL when out of memory. */
struct resource *resource_add(struct resource_table *t, enum api_role role, int64_t now_us);
/* The session of a URL's last part, tombs included, or NULL. Compared in constant time. */
struct resource *resource_find(const struct resource_table *t, const char *token);
struct resource *resource_find_id(const struct resource_table *t, uint64_t id);
/* Sessions that count: NEW and UP. */
unsigned resource_live(const struct resource_table *t);
/* The oldest session that is NEW, or NULL. */
struct resource *resource_oldest_half_open(const struct resource_table *t);

/* To UP; harmless unless NEW. */
void resource_set_up(struct resource_table *t, struct resource *r, int64_t now_us);
/* To ENDING; harmless when it is there or beyond. */
void resource_set_ending(struct resource_table *t, struct resource *r, enum api_reason reason,
                         int64_t now_us);
/* To GONE, from any state. */
void resource_set_gone(struct resource_table *t, struct resource *r, int64_t now_us);
/* Frees a session that was never told to anybody. */
void resource_drop(struct resource_table *t, struct resource *r);
/* Frees tombs that are older than RESOURCE_TOMBSTONE_US, and the oldest of too many. */
void resource_sweep(struct resource_table *t, int64_t now_us);

/* Reads the mids of all media sections from an answer. Returns 0 or -ENOMEM. */
int resource_set_mids(struct resource *r, const char *answer) MUST_CHECK;
/* True if mid names a media section, or is the index of one (MediaMTX). */
bool resource_has_mid(const struct resource *r, const char *mid);
/* A new generation: remembers the old remote ufrag, takes creds, makes a new tag. */
void resource_restart(struct resource *r, const struct ice_creds *creds);
/* True if ufrag belongs to an earlier generation of the client's. */
bool resource_is_old_ufrag(const struct resource *r, const char *ufrag);

#endif
