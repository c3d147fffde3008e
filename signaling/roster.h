/* SPDX-License-Identifier: Apache-2.0 */
/* roster.h - who is in a room: people who publish or watch under a name, and how many watch without
 * one. Changes are collected and told as one event to everybody in the room, so that a join costs
 * each of them one small message. In a room of more than ROSTER_LISTED people those who only watch
 * are counted, not listed, and where more than ROSTER_LISTED sessions are told, their number is
 * told less often; the list can be read page by page. Role MAIN. */
#ifndef SIGNALING_ROSTER_H
#define SIGNALING_ROSTER_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/rooms.h"

struct strbuf;

#define ROSTER_LISTED 100 /* people who only watch are told while there are no more in the room */
#define ROSTER_PAGE   100 /* people in a snapshot or page, at most */

/* What moderators can mute of a person, one by one. */
enum roster_part {
    ROSTER_MICROPHONE = 1, /* the sound of all but the screen */
    ROSTER_CAMERA = 2,     /* the picture of all but the screen */
    ROSTER_SCREEN = 4,
    ROSTER_SCREEN_SOUND = 8,
    ROSTER_ALL = 15,
};

struct person {
    struct list node;       /* room->people */
    struct list by_name;    /* room->by_name */
    struct list dirty;      /* room->dirty_people: to be told */
    struct list publishing; /* room->publishers: while n_streams > 0 */
    uint64_t id;            /* rises with each that comes: the order of pages */
    char name[ROOMS_NAME_MAX];
    unsigned refs;        /* streams and members that point here; one more while it is muted */
    unsigned muted;       /* parts, by a moderator; stays when it leaves and comes back */
    unsigned n_published; /* streams that have a publisher, though its session may not be up */
    unsigned n_streams;   /* streams whose publisher is here */
    unsigned n_members;   /* sessions that watch the room under this name */
    bool told;            /* the others have been told of it */
    char *about;          /* members of its JSON that its token says, heap; NULL: nothing */
};

/* The person of that name, made if need be; give it back with roster_unref. NULL when out of
 * memory. It is here, for others, once it is counted for something. */
struct person *roster_ref(struct room *room, const char *name);
void roster_unref(struct person *p);
/* The person of that name, or NULL. */
struct person *roster_find(const struct room *room, const char *name);
/* What the others are told of p: its name as people read it, UTF-8, and its token's metadata, JSON.
 * What is "" leaves both as they were. */
void roster_describe(struct person *p, const char *display, const char *metadata);
/* p publishes or watches by so many more. With nothing left it has gone. */
void roster_count(struct room *room, struct person *p, int streams, int members);
/* A moderator mutes these parts of p, and no others: 0 ends it, and p, if it is not here. */
void roster_mute(struct room *room, struct person *p, unsigned parts);
/* p has changed what it publishes. */
void roster_changed(struct room *room, struct person *p);
/* Something about the room itself has changed. */
void roster_tell(struct room *room);
/* True when there is something to tell. */
bool roster_is_dirty(const struct room *room);
/* For how long changes are collected after an event. */
int64_t roster_pause_us(const struct room *room);

/* Appends the participants event since the last one, and forgets those who have gone. */
void roster_write_changes(struct room *room, struct strbuf *out);
/* Appends a snapshot: at most ROSTER_PAGE people, those who publish first. */
void roster_write_snapshot(const struct room *room, struct strbuf *out);
/* Appends a page: people with ids above after, in the order of coming. */
void roster_write_page(const struct room *room, uint64_t after, struct strbuf *out);
/* Nobody is left to be told anything: forgets all changes, and those who have gone. */
void roster_forget(struct room *room);
/* The room ends: forgets who is not here and was remembered as muted. */
void roster_end(struct room *room);
/* The directory ends: frees everybody, whoever points at them. */
void roster_free(struct room *room);

#endif
