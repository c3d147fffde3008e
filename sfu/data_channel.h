/* SPDX-License-Identifier: Apache-2.0 */
/* data_channel.h - sessions, channels and topics of struct data. Private to data*.c. Role DATA.
 *
 *   data ── rooms (name) ─┬─ sessions (id) ── channels (stream id)
 *                         └─ topics (label) ── the clients' channels of that label
 *   A client's channel has feeds: one channel of the server's towards each reader. */
#ifndef SFU_DATA_CHANNEL_H
#define SFU_DATA_CHANNEL_H

#include "ice/assoc.h"
#include "rtp/list.h"
#include "sfu/data.h"
#include "sfu/table.h"

#define DATA_FEEDS_MAX 128 /* channels towards one reader; the one unused longest gives way */

struct data_room {
    uint64_t key;
    struct list sessions;
    char name[API_NAME_MAX];
};

struct data_topic {
    uint64_t key;
    struct list channels; /* struct data_channel.in_topic */
};

struct data_session {
    struct data *data;
    uint64_t id;
    int worker;
    uint32_t serial;
    bool client_even, up;
    uint16_t n_streams; /* that we may send on */
    uint16_t next_sid;  /* where to look for a free one of ours */
    uint32_t peer_max_bytes;
    char name[API_NAME_MAX];
    struct assoc *assoc;
    struct data_room *room;
    struct list in_room;
    struct list throttled; /* data->throttled */
    /* A message that none of its readers has room for; nothing more is read until then. */
    struct list held; /* data->held */
    uint8_t *held_bytes;
    size_t held_len;
    uint32_t held_ppid;
    uint32_t held_serial; /* of its channel */
    uint16_t held_sid;
    int64_t held_us;      /* when a reader last got on */
    size_t held_low;      /* least that has waited for one of them */
    struct list changed;  /* data->changed */
    struct list channels; /* the client's: struct data_channel.in_session */
    struct list feeds;    /* the server's, longest unused first */
    unsigned n_channels, n_feeds;
    struct table by_sid; /* stream id + 1 -> struct data_channel */
    /* A stream is free again when both halves are reset. Bit sets by stream id. */
    uint8_t wait_out[ASSOC_STREAMS / 8]; /* our half: asked for, not done */
    uint8_t wait_in[ASSOC_STREAMS / 8];  /* the client's half */
    uint64_t stamp;                      /* of the last message routed to it */
    int64_t tokens_us;                   /* when the buckets were filled */
    int64_t message_tokens, byte_tokens; /* in millionths */
    struct api_data_stats stats;
};

/* A client's channel, or a feed. */
struct data_channel {
    struct data_session *session; /* where it lives; of a feed: the reader */
    uint16_t sid;
    bool is_feed;
    bool acked;    /* feed: the client has answered the OPEN */
    bool muted;    /* feed: the client has closed it; it has no stream any more */
    bool owes_ack; /* the stream's former use was not quite over when the OPEN came */
    struct list in_session;
    struct dcep_reliability reliability;
    uint16_t priority;
    /* a client's */
    uint32_t serial;
    struct data_topic *topic; /* NULL: addressed, or the control channel */
    struct list in_topic;
    struct list feeds;  /* struct data_channel.in_source */
    uint64_t topic_key; /* addressed: where its readers are */
    bool control;
    uint16_t label_len; /* without "@name" */
    uint16_t protocol_len;
    uint16_t to_len; /* 0: to all */
    /* a feed's */
    struct data_channel *source;
    struct list in_source;
    char text[]; /* a client's: label, protocol, addressee */
};

struct data {
    struct data_params p;
    uint64_t seed;
    uint32_t next_serial;
    uint64_t stamp;
    struct table sessions; /* id -> struct data_session */
    struct table rooms;    /* hash of the name -> struct data_room */
    struct table topics;   /* hash of room and label -> struct data_topic */
    struct table feeds;    /* serials of source and reader -> struct data_channel */
    struct list throttled; /* senders that have used up their share */
    struct list held;      /* senders whose readers have no room */
    struct list changed;
    unsigned n_sessions;
    struct api_counters n;
};

/* The client's OPEN on a stream. */
void data_channel_on_open(struct data_session *s, uint16_t sid, const struct dcep_open *o);
/* The client's ACK of one of ours. */
void data_channel_on_ack(struct data_session *s, uint16_t sid);
/* Resets of streams, as the association tells them. */
void data_channel_on_reset(struct data_session *s, uint16_t sid);
void data_channel_on_reset_done(struct data_session *s, uint16_t sid);
/* The channel of a stream, or NULL. */
struct data_channel *data_channel_at(const struct data_session *s, uint16_t sid);
/* Closes our half, and forgets the channel and its feeds. */
void data_channel_close(struct data_channel *c);
/* Resets a stream that has no channel: what came on it was refused. */
void data_channel_refuse(struct data_session *s, uint16_t sid);
/* All channels and feeds of a session that ends or whose association is down. */
void data_channel_clear(struct data_session *s);
/* True if the channel is reliable, has readers, and none of them has room. *ret_low: the least that
 * waits for one of them, bytes. */
bool data_channel_must_wait(struct data_channel *c, size_t *ret_low);
/* Closes it towards the readers that have no room. */
void data_channel_drop_slow(struct data_channel *c);
/* A user's message to all that should get it. */
void data_channel_route(struct data_channel *c, const struct assoc_event *ev);
/* A message on one channel of a session; true if it was queued. Counts. */
bool data_channel_send(struct data_channel *c, uint32_t ppid, const void *bytes, size_t len);
/* An event for MAIN about the control channel; bytes may be NULL. */
void data_channel_tell(const struct data_session *s, enum api_data_kind kind,
                       const struct assoc_event *ev);
/* s's numbers have changed. */
void data_channel_touch(struct data_session *s);

#endif
