/* SPDX-License-Identifier: Apache-2.0 */
/* conference.h - rooms that are played as a whole: POST /whep/{room}. A session that does so is a
 * member of the room; each of its media sections is a seat (slots.h), filled by what the room's
 * publishers send. A plain player has one seat for sound and one for the picture, which follow the
 * speaker.
 *
 * Members whose seats must be the same share a layout: the plane is told an alias for each of its
 * seats, so that a change costs one command per worker, however many watch. Whoever publishes into
 * the room (and must not see itself), or has wishes, has a layout of its own.
 *
 * Whatever changes (who publishes, speaks, is muted, wishes) marks the room; one pass per turn of
 * the loop settles it. Role MAIN. */
#ifndef SIGNALING_CONFERENCE_H
#define SIGNALING_CONFERENCE_H

#include "rtp/base.h"
#include "rtp/list.h"
#include "signaling/rooms.h"
#include "signaling/slots.h"
#include "signaling/wish.h"

struct api_event;
struct api_session;
struct conferences;
struct resource;
struct signaling;
struct strbuf;

/* Sections of one kind. */
struct seating {
    struct slots slots;
    uint32_t codecs;   /* bit per enum codec_id: what the members can decode */
    uint64_t *aliases; /* shared: one for each seat; else NULL */
};

struct layout {
    struct list node;    /* room->layouts */
    struct list members; /* struct member.by_layout */
    unsigned n_members;
    struct seating audio, video;
};

/* A session that plays a room. Owned by its resource. */
struct member {
    struct list node;      /* room->members */
    struct list by_layout; /* layout->members */
    struct room *room;
    struct resource *r;
    struct layout *layout;
    struct person *person; /* the participant whose session this is, NULL: anonymous */
    bool counted;          /* in person->n_members */
    bool slots;            /* more sections than one of a kind */
    uint8_t audio_lines[SLOTS_MAX], video_lines[SLOTS_MAX]; /* m-line index of each seat */
    struct wish_state *wishes;                              /* heap; NULL: none */
    uint64_t new_audio, new_video; /* seats changed since the last slots event */
};

/* NULL when out of memory. */
struct conferences *conference_new(struct signaling *s);
/* All members leave. Before resource_table_fini and rooms_fini. Accepts NULL. */
void conference_free(struct conferences *c);

/* Makes r a member of room, playing session (its sections and codecs are read). as: the
 * participant's name, "" for none. Returns 0 or -ENOMEM. */
int conference_join(struct signaling *s, struct room *room, struct resource *r,
                    const struct api_session *session, const char *as) MUST_CHECK;
/* The worker knows the session: tells it what to play. */
void conference_seat(struct signaling *s, struct member *m);
/* r leaves; the room may be gone afterwards. */
void conference_leave(struct signaling *s, struct resource *r);
/* The member's session is up, silent or back: whether it counts as present. */
void conference_presence(struct signaling *s, struct resource *r, bool present);

/* A publisher has been entered into the directory, or replaced. */
void conference_on_publish(struct signaling *s, struct stream *st);
/* A publisher is about to be taken out. */
void conference_on_unpublish(struct signaling *s, struct stream *st);
/* Its session is up: it is in the room from now on, though it may send nothing yet. */
void conference_on_up(struct signaling *s, struct stream *st);
/* Its first media, silence, return: media.live and silent of st. */
void conference_on_media(struct signaling *s, struct stream *st);
/* API_EV_LEVELS and API_EV_TRACKS. */
void conference_on_levels(struct signaling *s, const struct api_event *ev);
void conference_on_tracks(struct signaling *s, struct stream *st, const struct api_event *ev);

/* A moderator mutes (or unmutes) a publisher for everybody who plays the room. */
void conference_mute(struct signaling *s, struct stream *st, bool audio, bool video);
/* The member's wishes have changed. */
void conference_on_wish(struct signaling *s, struct member *m);

/* Something in the room has changed: it is settled before the loop sleeps. */
void conference_touch(struct signaling *s, struct room *room);
/* Settles all rooms that have been touched, now. */
void conference_settle(struct signaling *s);
/* Who may be seen or heard of the room by somebody called as ("": anonymous): what plays under the
 * room's own name now, as rooms_pick, or NULL. */
struct stream *conference_pick(const struct signaling *s, const char *room, const char *as);
/* True while somebody publishes or watches the room under this name, or is about to; who has fallen
 * silent does not count. */
bool conference_has(const struct signaling *s, const char *room, const char *name);
/* Viewers of st: those of its name, and members who have it in a seat. */
unsigned conference_viewers(const struct stream *st);

/* Appends the slots event of m: all seats, or those that have changed since the last one. */
void conference_write_slots(const struct signaling *s, struct member *m, bool all,
                            struct strbuf *out);
/* Appends the speakers event. */
void conference_write_speakers(const struct room *room, int64_t now_us, struct strbuf *out);
/* True while something of what m plays has media. */
bool conference_is_active(const struct signaling *s, const struct member *m);

#endif
