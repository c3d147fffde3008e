/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - everything that signaling (MAIN) and the media plane (MEDIA x N) say to each other.
 * Commands go down, events come up; both are typed structs whose ownership moves with the message.
 * Ids are 64 bit, never 0, never reused: a late message finds nothing.
 *
 * MAIN owns names: it knows rooms, participants and tokens. The plane knows numbers: a session has
 * an id, and publishes into or plays from a stream id. A stream is one participant's media; it
 * outlives its publisher, so that viewers play on when the publisher returns. */
#ifndef SFU_API_H
#define SFU_API_H

#include "ice/addr.h"
#include "ice/link.h"
#include "rtp/base.h"
#include "rtp/codec.h"
#include "rtp/ext.h"
#include "rtp/speaker.h"

#define API_MLINES_MAX 64
#define API_CODECS_MAX 8
#define API_LAYERS_MAX 4
#define API_SSRCS_MAX  8
#define API_MID_MAX    32
#define API_RID_MAX    32
#define API_CNAME_MAX  32
#define API_FMTP_MAX   160
#define API_SPROP_MAX  320
#define API_ALL        255  /* of tracks or layers */
#define API_SCTP_PORT  5000 /* ours, in every answer */
#define API_NAME_MAX   65   /* of a room or participant, with terminator */

enum api_role {
    API_PUBLISH,
    API_PLAY,
};

/* One negotiated payload type. */
struct api_codec {
    enum codec_id id;
    uint8_t pt;
    uint8_t rtx_pt; /* 0: no RTX */
    bool nack, pli, fir, twcc, remb;
    char fmtp[API_FMTP_MAX]; /* as negotiated, "" = none */
};

/* One accepted media section. */
struct api_mline {
    enum media_kind kind;
    uint8_t index; /* m-line index in the SDP */
    char mid[API_MID_MAX];
    struct ext_map ext; /* ids of this section */
    bool rsize;         /* reduced-size RTCP negotiated */
    bool opaque;        /* publish: payloads are encrypted end to end */
    uint8_t n_codecs;
    struct api_codec codecs[API_CODECS_MAX]; /* publish: one (and RED beside Opus), or all that a
                                                publisher may choose from; play:
                                                all that the viewer can take, preferred first */
    /* publish: announced by the peer, 0 = not; play: ours */
    uint8_t n_ssrcs;
    uint32_t ssrcs[API_SSRCS_MAX];
    uint32_t rtx_ssrcs[API_SSRCS_MAX]; /* [i] repairs ssrcs[i] */
    /* publish only: simulcast layers in the order of a=simulcast, or of an SSRC group */
    bool by_ssrc; /* ssrcs[i] is that of layer i; else packets name their layer */
    uint8_t n_rids;
    char rids[API_LAYERS_MAX][API_RID_MAX];
};

/* Faults of the client that the plane works around (signaling/quirks.h). */
enum api_quirk {
    API_QUIRK_NO_PLI = 1 << 0,      /* publisher: ignores key frame requests */
    API_QUIRK_NO_NACK = 1 << 1,     /* publisher: its retransmissions are not to be had */
    API_QUIRK_ONE_SPATIAL = 1 << 2, /* viewer: stalls on AV1 with more than one spatial layer */
};

/* The data channel section of a session, and who it is to others there. */
struct api_data {
    bool on;                    /* an m=application section was accepted */
    uint8_t index;              /* m-line index in the SDP */
    char mid[API_MID_MAX];      /* "" = none */
    uint16_t port;              /* the peer's a=sctp-port */
    uint32_t max_message_bytes; /* the peer's a=max-message-size; 0: any */
    char room[API_NAME_MAX];    /* messages go to sessions of the same room */
    char name[API_NAME_MAX];    /* what others are told as their sender; URL-safe characters */
};

/* All that a worker needs to serve a session. */
struct api_session {
    uint64_t id;
    enum api_role role;
    uint64_t stream;           /* published into, or played from by all sections; play: 0 = each
                                  section waits for API_CMD_SLOT */
    char label[64];            /* "room/participant", for logs and the sessions listing */
    struct link_params link;   /* link.cert is the process's */
    char cname[API_CNAME_MAX]; /* play: of our SDES and of a=ssrc lines; the same for audio and
                                  video (RTP-13) */
    uint32_t max_kbps;         /* publish: cap */
    uint32_t quirks;           /* enum api_quirk */
    char sprop[API_SPROP_MAX]; /* publish: fmtp that tells the first video section's parameter sets;
                                  "" = none */
    struct api_data data;
    uint8_t n_mlines;
    struct api_mline mlines[]; /* accepted audio and video sections only */
};

/* What a viewer wishes of one section. */
struct api_wish {
    uint8_t mline;           /* m-line index of the viewer's answer */
    char rid[API_RID_MAX];   /* the encoding, by rid; "" = by layer */
    int8_t layer;            /* index in the order of the publisher's a=simulcast; -1: automatic */
    int8_t sid, tid;         /* exactly these spatial and temporal layers; -1: automatic */
    int8_t max_sid, max_tid; /* none above these; -1: all */
    uint16_t max_width, max_height; /* pixels of the area it is shown in; 0 = not known */
    bool off;                       /* nothing, until the next wish */
    uint8_t priority; /* against the viewer's other sections: 1 as good as any (0 too), 2 twice */
};
/* A wish for nothing in particular. */
#define API_WISH_NONE                                                                              \
    {                                                                                              \
        .layer = -1, .sid = -1, .tid = -1, .max_sid = -1, .max_tid = -1                            \
    }

enum api_cmd_kind {
    API_CMD_SESSION_ADD,
    API_CMD_SESSION_END,
    API_CMD_SESSION_ICE,   /* a new generation of credentials */
    API_CMD_STREAM_SOURCE, /* a stream's publisher has come, moved or gone; sent to every worker */
    API_CMD_SLOT,          /* a viewer's section goes over to another stream */
    API_CMD_STREAM_ALIAS,  /* an id that stands for a stream, and for which; sent to every worker */
    API_CMD_LAYER,         /* a viewer's wish for one section; replaces the one before */
    API_CMD_MUTE,          /* a publisher's packets are dropped, or no longer */
    API_CMD_QUERY,         /* answer with API_EV_STATS: session id, or 0 for all */
    API_CMD_LEVELS,        /* tell who speaks: stream id; to its publisher's worker */
    API_CMD_TCP_CONN,      /* between workers: a TCP connection for its owner */
    API_CMD_REPLICA,       /* between workers: "send me stream" or "stop" */
    API_CMD_FEEDBACK,      /* between workers: a keyframe is wanted */
};

/* Why a session ended; names in api_reason_name. */
enum api_reason {
    API_END_CLIENT,      /* DELETE */
    API_END_PEER_CLOSED, /* close_notify */
    API_END_ICE_TIMEOUT,
    API_END_DTLS_TIMEOUT,
    API_END_DTLS_FAILED,
    API_END_MEDIA_TIMEOUT,
    API_END_SILENT,
    API_END_TAKEN_OVER, /* a second publisher of the same name */
    API_END_KICKED,     /* admin */
    API_END_HALF_OPEN,  /* gave way to newer half-open sessions */
    API_END_SHUTDOWN,
    API_END_NO_MEMORY,
    API_END_REVOKED, /* its token was */
    API_END_EXPIRED, /* its token has, with auth.end_on_expiry */
    API_END_REMOVED, /* by a moderator */
    API_END_ROOM,    /* the room was ended */
    API_END_COUNT
};
const char *api_reason_name(enum api_reason r);

struct api_cmd {
    enum api_cmd_kind kind;
    uint64_t id; /* session or stream */
    union {
        struct api_session *session; /* SESSION_ADD; owned by the message */
        struct {
            enum api_reason reason;
        } end;
        struct ice_creds *creds; /* SESSION_ICE; owned by the message */
        struct {
            int worker;         /* of the publisher, -1: nobody publishes */
            uint64_t publisher; /* its session id, 0 */
        } source;
        struct {
            uint8_t mline;   /* m-line index of the viewer's answer */
            uint64_t stream; /* or alias, played from now on; 0: nothing */
        } slot;
        struct {
            uint64_t target; /* 0: nothing, and the alias may be forgotten. Not an alias itself */
        } alias;
        struct api_wish wish; /* LAYER */
        struct {
            uint64_t token; /* echoed in the answer */
        } query;
        struct {
            bool want;
        } levels;
        struct tcp_conn *conn; /* TCP_CONN; owned by the message */
        struct {
            int from; /* worker that asks */
            bool want;
        } replica;
        struct {
            uint8_t track, layer; /* API_ALL: every one */
            bool urgent;          /* a viewer has no picture until then */
        } feedback;
        struct {
            bool audio, video;
        } mute;
    } u;
};

/* What is wrong with a publisher's media and shows at its viewers, for who runs the encoder. */
enum api_fault {
    API_FAULT_B_FRAMES,  /* pictures are not sent in the order in which they are shown */
    API_FAULT_NO_PARAMS, /* key frames without parameter sets, and none are known */
    API_FAULT_RARE_KEYS, /* none on request, and far apart by themselves */
    API_FAULT_COUNT
};
/* As in logs and the sessions listing: "b-frames". */
const char *api_fault_name(enum api_fault f);
/* A sentence that says what shows, and what to set. */
const char *api_fault_remedy(enum api_fault f);

enum api_ev_kind {
    API_EV_UP,     /* DTLS finished */
    API_EV_LIVE,   /* publisher: first media arrived, or came back after silence */
    API_EV_SILENT, /* publisher: nothing authenticated for gone_timeout */
    API_EV_ENDED,
    API_EV_STATS,
    API_EV_LEVELS, /* who speaks, of the streams named by API_CMD_LEVELS; those that are silent and
                      were so the last time are left out */
    API_EV_TRACKS, /* publisher: a kind has begun or ceased to flow; at first all count as flowing
                    */
    API_EV_CODEC,  /* publisher with several codecs: its video has this one, at first or from now on
                    */
    API_EV_FAULT,  /* publisher: a fault of its media was seen, once each */
    API_EV_DATA,   /* something happened on a session's control channel (API_CONTROL_LABEL) */
};

/* One stream in API_EV_LEVELS. */
struct api_level {
    uint64_t stream;
    struct speaker_window window;
};

/* The data channel between a client and the server itself; messages on all others go to the room.
 */
#define API_CONTROL_LABEL "sluice"

enum api_data_kind {
    API_DATA_OPENED, /* the client has opened it: plane_data_send reaches it from now on */
    API_DATA_MESSAGE,
    API_DATA_CLOSED,
};

struct api_data_event {
    enum api_data_kind kind;
    bool binary;
    size_t len;
    char bytes[]; /* len, and a terminator; may hold zeros */
};

/* One session's numbers at one moment. */
struct api_track_stats {
    enum media_kind kind;
    enum codec_id codec;
    char mid[API_MID_MAX];
    uint64_t stream;       /* published into, or played from now; 0 = none */
    char rid[API_RID_MAX]; /* publish: of this layer; play: of the layer being sent */
    uint32_t ssrc;
    uint64_t packets, bytes; /* received from a publisher, sent to a viewer; RTP payload and header,
                                without repair */
    uint64_t rtx_packets;
    uint64_t nacks, plis, firs; /* publish: sent by us; play: received */
    uint64_t lost; /* publish: as our receiver reports say; play: as the viewer's say */
    uint32_t fraction_lost_q8;
    uint32_t jitter_us;
    uint32_t bitrate_bps;   /* over the last second */
    uint16_t width, height; /* 0 = not known */
    /* video: */
    /* index in the order of a=simulcast: received, or sent to the viewer; -1 = none */
    int8_t layer;
    int8_t sid, tid;      /* play: highest spatial and temporal layer sent */
    uint8_t n_sid, n_tid; /* of the encoding that is received, or sent */
    int8_t aim_layer;     /* play: what the viewer should get, when an entry point lets it */
    int8_t aim_sid, aim_tid;
    uint32_t aim_bps;  /* play: what that costs, on the wire */
    uint32_t switches; /* play: changes of the aim so far */
    const char *why;   /* play: fixed string, why it is not more (alloc.h): "best", "bandwidth" */
};

/* Data channels of a session, seen from the server. */
struct api_data_stats {
    uint32_t channels; /* open now, both the client's and those made for its room's senders */
    uint64_t messages_in, bytes_in, messages_out, bytes_out;
    uint64_t dropped; /* messages that it was too slow for */
};

struct api_session_stats {
    uint64_t id;
    enum api_role role;
    enum link_state state;
    bool silent;
    int worker;
    char label[64];
    char remote[ADDR_TEXT_MAX]; /* "" before a path is chosen */
    char transport[4];          /* "udp", "tcp" */
    enum srtp_profile profile;
    int64_t age_us;
    int64_t idle_us;       /* since the last authenticated packet */
    uint32_t rtt_us;       /* from RTCP; 0 = not known */
    uint32_t estimate_bps; /* play: what the viewer's network carries, by rtp/bwe.h, else its REMB;
                              0 = not known */
    const char *estimate_by;  /* play: fixed string: "none", "start", "twcc", "report", "remb" */
    const char *estimate_why; /* play: fixed string, what moved the estimate last */
    uint32_t queue_us;        /* play: delay above the least of late, in the network */
    uint32_t backlog_us;      /* play: how old the oldest video packet is that waits for its pace */
    uint16_t loss_q8;         /* play: packets lost of 256, before repair */
    bool congested;           /* play: queues grow */
    bool has_data;            /* data channels were negotiated */
    struct api_data_stats data;
    uint8_t n_tracks;
    struct api_track_stats tracks[]; /* publish: one per layer */
};

struct api_event {
    enum api_ev_kind kind;
    int worker;
    uint64_t id; /* session */
    union {
        struct {
            enum api_reason reason;
            const char *detail;              /* fixed string or NULL */
            struct api_session_stats *stats; /* last numbers; owned by the message, may be NULL */
        } ended;
        struct {
            uint64_t token;
            unsigned n;
            struct api_session_stats **sessions; /* owned by the message, each and the array */
        } stats;
        struct {
            unsigned n;
            struct api_level *levels; /* owned by the message */
        } levels;
        struct {
            bool audio, video;
        } tracks;
        struct api_codec *codec; /* owned by the message */
        struct {
            char remote[ADDR_TEXT_MAX];
            enum srtp_profile profile;
            int64_t took_us; /* since SESSION_ADD */
        } up;
        struct api_data_event *data; /* owned by the message */
        enum api_fault fault;
    } u;
};

/* Frees what a message owns; for messages that were never delivered, and after handling. */
void api_cmd_fini(struct api_cmd *c);
void api_event_fini(struct api_event *e);

/* ---- the media plane as MAIN sees it ---- */

struct plane;
struct uv_loop_s;
struct conf;

/* Called on MAIN for each event; the callee owns *ev and calls api_event_fini. */
typedef void(api_event_fn)(struct api_event *ev, void *ctx);

struct plane_params {
    const struct conf *conf; /* outlives the plane */
    const struct cert *cert; /* outlives the plane */
    struct uv_loop_s *loop;  /* MAIN's */
    api_event_fn *on_event;
    void *ctx;
};

/* Probes and binds the media port, starts the workers. Returns 0 or -errno; on failure *ret_what
 * says in a sentence what was tried. MAIN. */
int plane_start(const struct plane_params *p, struct plane **ret, const char **ret_what) MUST_CHECK;
int plane_workers(const struct plane *p);
/* Port actually bound (conf may say 0). */
uint16_t plane_port(const struct plane *p);
/* Posts to a worker. Returns 0 (ownership moved) or -ENOBUFS (mailbox full; the caller still owns).
 * MAIN. */
int plane_post(struct plane *p, int worker, struct api_cmd *cmd) MUST_CHECK;
/* Sessions that worker serves now, about. Any thread. */
int plane_sessions(const struct plane *p, int worker);
/* True while every worker's loop turned within the last 2 s. */
bool plane_alive(const struct plane *p);
/* Sends a message on the control channel of a session, or of all sessions of a room when session is
 * 0. What cannot be sent is lost: nothing is told by a client that has not opened the channel, and
 * the channel of one that does not read is closed (it opens it again). Returns 0, -ENOBUFS when the
 * mailbox is full, -EMSGSIZE, -ENOMEM, -ENOTSUP when data channels are off. MAIN. */
int plane_data_send(struct plane *p, uint64_t session, const char *room, const char *text,
                    size_t len) MUST_CHECK;
/* Closes all sessions with close_notify, waits for the workers, frees. MAIN. */
void plane_stop(struct plane *p);

/* ---- counters ---- */

/* Counters of the plane, summed over workers: one line adds one, here and in /metrics. */
#define API_COUNTERS(X)                                                                            \
    X(rx_datagrams, "datagrams received")                                                          \
    X(rx_kernel_drops, "datagrams that the kernel dropped because the receive buffer was full")    \
    X(rx_foreign, "datagrams passed to their owner")                                               \
    X(rx_unknown, "datagrams of no session")                                                       \
    X(rx_rtp_packets, "RTP packets received from publishers")                                      \
    X(rx_rtp_bytes, "RTP bytes received from publishers")                                          \
    X(tx_rtp_packets, "RTP packets sent to viewers")                                               \
    X(tx_rtp_bytes, "RTP bytes sent to viewers")                                                   \
    X(tx_rtx_packets, "retransmissions sent")                                                      \
    X(tx_rtx_refused, "retransmissions refused because the viewer's share for repair was used up") \
    X(tx_red_packets, "audio packets sent with copies of frames before, since packets are lost")   \
    X(tx_probe_packets, "packets sent to probe for bandwidth: repetitions and padding")            \
    X(drop_lag, "packets not sent because the viewer was behind: upper layers")                    \
    X(rx_rtcp_packets, "RTCP packets received")                                                    \
    X(tx_rtcp_packets, "RTCP packets sent")                                                        \
    X(rx_nack, "NACK messages received")                                                           \
    X(tx_nack, "NACK messages sent")                                                               \
    X(rx_pli, "PLI received")                                                                      \
    X(rx_fir, "FIR received")                                                                      \
    X(tx_pli, "PLI sent")                                                                          \
    X(turns, "turns of the media loops")                                                           \
    X(gathers, "turns that waited for the rest of a frame")                                        \
    X(tx_messages, "messages given to the kernel: single packets, or runs of segments")            \
    X(tx_syscalls, "sendmmsg calls")                                                               \
    X(tx_errors, "runs the kernel refused")                                                        \
    X(tx_full, "turns that ended with a full socket")                                              \
    X(drop_stale,                                                                                  \
      "packets not sent because they were older than 50 ms when the socket took data again")       \
    X(drop_bad_rtp, "RTP packets that do not parse")                                               \
    X(drop_bad_rtcp, "RTCP packets that do not parse")                                             \
    X(drop_bad_codec, "RTP payloads whose codec descriptor does not parse")                        \
    X(drop_unknown_ssrc, "RTP packets that no MID, RID, SSRC or payload type binds to a track")    \
    X(drop_bad_pt, "RTP packets with a payload type outside the answer")                           \
    X(drop_rate, "packets above the publisher's bitrate cap")                                      \
    X(drop_muted, "packets of publishers that a moderator has muted")                              \
    X(drop_late, "packets older than the history, or repeated")                                    \
    X(drop_no_codec, "packets for viewers that lack the codec")                                    \
    X(drop_ring, "packets lost because another worker's ring was full")                            \
    X(drop_dtls_late, "DTLS datagrams dropped because too many handshakes waited")                 \
    X(drop_viewer_media, "media sent by viewers")                                                  \
    X(drop_link, "datagrams refused by a link: the sum of its reasons")                            \
    X(drop_sctp_form, "SCTP packets that are malformed")                                           \
    X(drop_sctp_chunk, "SCTP packets with chunks or parameters that data channels do not need")    \
    X(drop_sctp_init, "SCTP INITs that come too often, or after the association is up")            \
    X(drop_sctp_ring, "SCTP packets lost because a ring was full")                                 \
    X(drop_sctp_unknown, "SCTP packets of sessions that have ended")                               \
    X(tcp_refused, "ICE-TCP connections closed since there are too many, or too few descriptors")  \
    X(data_associations, "SCTP associations that came up")                                         \
    X(data_channels, "data channels opened by clients")                                            \
    X(data_channels_refused, "data channels refused: malformed, wrong stream, or too many")        \
    X(data_messages_in, "messages received on data channels")                                      \
    X(data_bytes_in, "bytes of messages received on data channels")                                \
    X(data_messages_out, "messages sent on data channels")                                         \
    X(data_bytes_out, "bytes of messages sent on data channels")                                   \
    X(data_stray, "messages on streams that no channel was opened on")                             \
    X(data_too_long, "messages above data.max_message_bytes, whose channel was closed, and "       \
                     "messages above what their reader takes")                                     \
    X(data_slow_dropped, "messages of lossy channels not sent to a reader that was too slow")      \
    X(data_slow_closed, "reliable channels closed because their reader was too slow")              \
    X(data_held, "times a sender was held up because none of its readers had room")                \
    X(data_throttled, "times a sender was held up by data.messages_per_s or data.max_kbps")        \
    X(rx_layer_words, "words of publishers about the layers they send (video-layers-allocation)")  \
    X(bad_layer_words, "words about layers that do not parse")                                     \
    X(keyframes, "key frames received")                                                            \
    X(prefaces, "key frames without parameter sets that got those sent before")                    \
    X(sessions_added, "sessions created")                                                          \
    X(sessions_ended, "sessions ended")                                                            \
    X(dtls_up, "DTLS handshakes finished")

struct api_counters {
#define API_COUNTER_FIELD(name, help) uint64_t name;
    API_COUNTERS(API_COUNTER_FIELD)
#undef API_COUNTER_FIELD
    uint64_t link_drop[LINK_DROP_COUNT];
};
/* Sums what the workers published within the last second. Any thread. */
void plane_counters(const struct plane *p, struct api_counters *ret);

#endif
