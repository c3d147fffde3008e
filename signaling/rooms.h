/* SPDX-License-Identifier: Apache-2.0 */
/* rooms.h - the directory of names: rooms, their participants' streams, who publishes and how many
 * watch. A stream lives while it has a publisher or viewers, a room while it has streams or members
 * (sessions that play the room itself, conference.h). Ids are never reused. Role MAIN.
 *
 * A participant is a name; what it publishes are streams: "alice" is camera and microphone,
 * "alice~screen" a shared screen, "alice~x" any further camera. */
#ifndef SIGNALING_ROOMS_H
#define SIGNALING_ROOMS_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/auth.h"
#include "signaling/negotiate.h"

#define ROOMS_NAME_MAX  65  /* of a room or participant, with terminator */
#define ROOMS_LABEL_MAX 130 /* "room/participant" */
#define ROOMS_PEOPLE    64  /* buckets of a room's people: one webinar has thousands */
/* Silence of a publisher after which another principal may take its name (architecture §9). */
#define ROOMS_SILENT_US (2 * (int64_t)US_PER_S)

struct room {
    struct list node;
    struct list streams;
    struct list members; /* struct member.node, conference.h */
    struct list layouts; /* struct layout.node, conference.h */
    struct list people;  /* struct person.node, roster.h: who is here, in the order of coming */
    struct list by_name[ROOMS_PEOPLE]; /* struct person.by_name */
    struct list dirty;                 /* in conferences->dirty: something has changed */
    char name[ROOMS_NAME_MAX];
    int home;    /* worker that serves the room while it has room */
    bool locked; /* by a moderator: takes nobody new */
    unsigned n_members;
    unsigned n_slot_members; /* those with slots */
    unsigned n_people;
    unsigned n_named;       /* members that watch under a name */
    struct list publishers; /* struct person.publishing */
    uint64_t next_person;
    struct list dirty_people;               /* struct person.dirty */
    uint64_t dominant;                      /* stream that has the word; 0: none */
    int64_t due_us;                         /* dirty: when to settle it; 0: now */
    bool regroup;                           /* members may need another layout */
    bool new_seats;                         /* seats may have to change */
    bool new_slots;                         /* some member's seats are not what it was told */
    bool new_levels;                        /* somebody's level has changed */
    bool new_speech;                        /* since the last speakers event */
    bool new_people;                        /* since the last participants event */
    bool new_listed;                        /* and of somebody who is told by name */
    bool new_media;                         /* something began or ceased to be live */
    int64_t told_people_us, told_speech_us; /* when those events were sent */
};

/* What a publisher's media is like now. */
struct stream_media {
    bool live;               /* packets have come */
    bool audio, video;       /* flow: not switched off */
    bool no_audio, no_video; /* of person->muted: not shown nor heard in the room */
    uint64_t spoke;          /* turn when it last got the word; 0 */
    int64_t active_us;       /* when it was last heard; INT64_MIN */
    bool levelled;           /* its worker tells its levels */
    bool told_speaking;      /* the last speakers event named it */
    struct speaker_window heard;
};

/* Its simulcast layers as last heard of, for those who were asked to be told. */
struct stream_layers {
    uint64_t asked; /* tick of sse.c */
    unsigned n;
    struct stream_layer {
        char rid[API_RID_MAX];
        uint32_t bitrate_bps;
        uint16_t width, height;
    } layer[API_LAYERS_MAX];
};

struct stream {
    struct list node;
    struct list by_id;
    struct room *room;
    uint64_t id;
    char participant[ROOMS_NAME_MAX];
    uint64_t publisher; /* session id; 0: nobody publishes */
    int worker;         /* of the publisher; -1 */
    char principal[AUTH_NAME_MAX];
    bool silent; /* the plane hears nothing from the publisher */
    int64_t live_since_us;
    uint64_t turn;                  /* the more recent publisher has the larger one */
    unsigned viewers;               /* of this name; those of the room: conference_viewers */
    struct negotiate_source source; /* known while there is a publisher */
    struct stream_media media;
    struct stream_layers layers;
    struct person *person; /* whose it is; NULL without publisher */
    bool present;          /* its publisher is up and heard: counted in person->n_streams */
};

struct rooms {
    struct list buckets[1024]; /* struct room.node by name */
    struct list ids[1024];     /* struct stream.by_id */
    uint64_t seed;
    uint64_t next_stream;
    uint64_t next_turn;
    unsigned n_streams;
    unsigned n_live;
};

/* FNV-1a of a name, started from seed. */
uint64_t rooms_hash(const char *name, uint64_t seed);
/* An empty directory; seed: random, so that clients cannot choose collisions. */
void rooms_init(struct rooms *r, uint64_t seed);
/* Frees all rooms and streams. */
void rooms_fini(struct rooms *r);

/* ^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$ (SEC-32). name is len bytes. */
bool rooms_is_name(const char *name, size_t len);
/* Splits "room" or "room/participant", as they stand in a URL: a slash at the end and needless
 * percent-encoding (RFC 3986 6.2.2.2) are taken away. *ret_named: a participant was given; else it
 * is "main". Returns 0 or -EINVAL. */
int rooms_split(const char *url, char room[ROOMS_NAME_MAX], char participant[ROOMS_NAME_MAX],
                bool *ret_named) MUST_CHECK;

/* The stream, or NULL. */
struct stream *rooms_find(const struct rooms *r, const char *room, const char *participant);
/* The stream with this id, or NULL. */
struct stream *rooms_find_id(const struct rooms *r, uint64_t id);
/* The room, or NULL. */
struct room *rooms_find_room(const struct rooms *r, const char *room);
/* The stream, made if need be; home: worker for a new room. NULL when out of memory. Give it a
 * publisher or a viewer, or call rooms_release. */
struct stream *rooms_get(struct rooms *r, const char *room, const char *participant, int home);
/* The room, made if need be. NULL when out of memory. Give it a member or a stream, or call
 * rooms_release_room. */
struct room *rooms_get_room(struct rooms *r, const char *room, int home);
/* Frees the room if it has neither streams nor members. */
void rooms_release_room(struct room *room);
/* An id for something that is played like a stream (an alias of the plane). */
uint64_t rooms_new_id(struct rooms *r);

/* The participant that a stream's name belongs to: what stands before the first '~'. Returns out.
 */
const char *rooms_participant(const char *stream, char out[ROOMS_NAME_MAX]);
/* "camera", "screen", or what stands behind the '~'. */
const char *rooms_source(const char *stream);
/* True for "name~screen". */
bool rooms_is_screen(const char *stream);
/* True if st is published, without sound and picture: a bot in the chat, say. */
bool rooms_is_data_only(const struct stream *st);
/* The video codec that the room's publishers have agreed on, not counting stream but (NULL: all):
 * that of the first one. CODEC_NONE: free. */
enum codec_id rooms_video_codec(const struct room *room, const struct stream *but);

/* What plays under the room's own name: the only publisher, "main" among several, else the most
 * recent one. NULL: nobody publishes. */
struct stream *rooms_pick(const struct rooms *r, const char *room);
/* The same, without the streams of one person (NULL: with all). */
struct stream *rooms_pick_but(const struct rooms *r, const char *room, const struct person *own);

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
