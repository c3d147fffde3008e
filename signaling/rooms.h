/* SPDX-License-Identifier: Apache-2.0 */
/* rooms.h - the directory of names: rooms, their participants' streams, who publishes and how many
 * watch. A stream lives while it has a publisher or viewers, a room while it has streams. Ids are
 * never reused. Role MAIN. */
#ifndef SIGNALING_ROOMS_H
#define SIGNALING_ROOMS_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/auth.h"
#include "signaling/negotiate.h"

#define ROOMS_NAME_MAX  65  /* of a room or participant, with terminator */
#define ROOMS_LABEL_MAX 130 /* "room/participant" */
/* Silence of a publisher after which another principal may take its name (architecture §9). */
#define ROOMS_SILENT_US (2 * (int64_t)US_PER_S)

struct room {
    struct list node;
    struct list streams;
    char name[ROOMS_NAME_MAX];
    int home; /* worker that serves the room while it has room */
};

struct stream {
    struct list node;
    struct room *room;
    uint64_t id;
    char participant[ROOMS_NAME_MAX];
    uint64_t publisher; /* session id; 0: nobody publishes */
    int worker;         /* of the publisher; -1 */
    char principal[AUTH_NAME_MAX];
    bool silent; /* the plane hears nothing from the publisher */
    int64_t live_since_us;
    uint64_t turn; /* the more recent publisher has the larger one */
    unsigned viewers;
    struct negotiate_source source; /* known while there is a publisher */
};

struct rooms {
    struct list buckets[1024];
    uint64_t seed;
    uint64_t next_stream;
    uint64_t next_turn;
    unsigned n_streams;
    unsigned n_live;
};

/* An empty directory; seed: random, so that clients cannot choose collisions. */
void rooms_init(struct rooms *r, uint64_t seed);
/* Frees all rooms and streams. */
void rooms_fini(struct rooms *r);

/* ^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$ (SEC-32). name is len bytes. */
bool rooms_is_name(const char *name, size_t len);
/* Splits "room" or "room/participant". *ret_named: a participant was given; else it is "main".
 * Returns 0 or -EINVAL. */
int rooms_split(const char *path, char room[ROOMS_NAME_MAX], char participant[ROOMS_NAME_MAX],
                bool *ret_named) MUST_CHECK;

/* The stream, or NULL. */
struct stream *rooms_find(const struct rooms *r, const char *room, const char *participant);
/* The room, or NULL. */
struct room *rooms_find_room(const struct rooms *r, const char *room);
/* The stream, made if need be; home: worker for a new room. NULL when out of memory. Give it a
 * publisher or a viewer, or call rooms_release. */
struct stream *rooms_get(struct rooms *r, const char *room, const char *participant, int home);
/* What plays under the room's own name: the only publisher, "main" among several, else the most
 * recent one. NULL: nobody publishes. */
struct stream *rooms_pick(const struct rooms *r, const char *room);

/* May principal publish into st now (st may be NULL: not there yet)?
 * idle_us   how long the present publisher has been silent; -1: not known
 * ret_old   the session that has to go, 0: none
 * Returns 0; -EBUSY: another principal's live stream; -EAGAIN: depends on idle_us, ask for it. */
int rooms_claim(const struct stream *st, const char *principal, int64_t idle_us,
                uint64_t *ret_old) MUST_CHECK;

struct rooms_publisher {
    uint64_t session;
    int worker;
    const char *principal;
    const struct negotiate_source *source;
};
/* Makes p the publisher of st, whoever it was before. */
void rooms_publish(struct rooms *r, struct stream *st, const struct rooms_publisher *p,
                   int64_t now_us);
/* The publisher has gone, if it is still session; returns true then. The stream may be gone
 * afterwards. */
bool rooms_unpublish(struct rooms *r, struct stream *st, uint64_t session);
/* One viewer more. */
void rooms_watch(struct stream *st);
/* One viewer less. The stream may be gone afterwards. */
void rooms_unwatch(struct rooms *r, struct stream *st);
/* Frees st if it has neither publisher nor viewers. */
void rooms_release(struct rooms *r, struct stream *st);

/* "room/participant". Returns out. */
const char *rooms_label(const struct stream *st, char out[ROOMS_LABEL_MAX]);

#endif
