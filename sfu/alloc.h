/* SPDX-License-Identifier: Apache-2.0 */
/* alloc.h - which layer of each of its streams a viewer should get: a budget is shared out so that
 * what is seen is worth the most. Pure: numbers and time in, choices and reasons out; the caller
 * holds what is remembered between decisions (struct alloc_memory a stream, struct alloc a viewer).
 * Role MEDIA; not on the packet path; allocates nothing.
 *
 * An operating point is one decode target of one encoding, with its measured cost. What a point is
 * worth grows by 2 with each spatial step (four times the pixels, up to the size it is shown in)
 * and by 1 where the frame rate doubles (a camera; for a screen hardly at all), times the stream's
 * weight. Going down happens at once. Going up needs room, proof and patience. */
#ifndef SFU_ALLOC_H
#define SFU_ALLOC_H

#include "rtp/base.h"

#define ALLOC_POINTS  48 /* of one stream, before pruning */
#define ALLOC_KEPT    12 /* after */
#define ALLOC_STREAMS 64
#define ALLOC_OFF     (-1)

/* Why a stream is at its point; names in alloc_reason_name. */
enum alloc_reason {
    ALLOC_NOTHING,    /* the stream has nothing to send */
    ALLOC_BEST,       /* there is nothing better */
    ALLOC_SIZE,       /* more would not be seen at the size it is shown in */
    ALLOC_WISH,       /* the viewer asked for it */
    ALLOC_BANDWIDTH,  /* the network does not carry the next better one */
    ALLOC_PROOF,      /* it may carry it: a probe or time will tell */
    ALLOC_RETRY,      /* the last attempt failed: later again */
    ALLOC_LOSS,       /* packets are lost and there is no estimate */
    ALLOC_DEAD,       /* the publisher has stopped sending something better */
    ALLOC_TOO_LITTLE, /* off: not even the smallest fits */
    ALLOC_REASONS
};
/* "best", "size", ... */
const char *alloc_reason_name(enum alloc_reason r);

struct alloc_point {
    uint32_t bps;    /* on the wire */
    uint32_t pixels; /* 0 = not known */
    uint16_t fps_q4; /* 0 = not known */
    uint8_t enc, dt;
    float worth; /* by alloc_prune */
};

/* The last step up of a kind, and when the next may be. */
struct alloc_retry {
    int64_t up_us;    /* when it was, 0 = never */
    int64_t retry_us; /* not up again before, unless there is much more than */
    int64_t delay_us; /* doubled when it fails again */
    uint32_t up_bps;  /* the budget it was made with */
};

/* What a stream remembers. Zero-initialise. */
struct alloc_memory {
    bool has; /* enc and dt are being sent, or on their way */
    uint8_t enc, dt;
    int64_t moved_us;        /* when it last went either way */
    struct alloc_retry size; /* to a larger picture, or another encoding: costs a key frame */
    struct alloc_retry rate; /* to a higher frame rate */
    float weight;            /* as last asked for, */
    uint32_t shown_pixels;   /* and this */
    uint32_t switches;
};

struct alloc_stream {
    struct alloc_point points[ALLOC_POINTS]; /* any order; alloc_prune sorts and shortens */
    uint8_t n;
    float weight;          /* 1: as good as any */
    uint32_t shown_pixels; /* area it is shown in; 0 = not known */
    bool screen;           /* shows a screen: resolution before frame rate */
    bool wished;           /* the viewer has ruled out what is better */
    bool dead;             /* the publisher has stopped what is better */
    bool cut;              /* alloc_prune left points out that would not be seen */
    struct alloc_memory *memory;
    /* decided */
    int8_t choice; /* index in points, ALLOC_OFF */
    enum alloc_reason reason;
};

/* What a viewer remembers. Zero-initialise. */
struct alloc {
    uint32_t lowest[2];      /* smallest budget of this and of the last half second */
    int64_t half_us;         /* when this one began */
    int64_t over_since_us;   /* the present points have been too dear since; 0 = they are not */
    struct alloc_retry size; /* of all streams together: what one gives back another must not take
                                at once, or the same room is tried for again and again */
};

struct alloc_budget {
    bool unlimited;      /* there is no estimate: all get their best */
    bool overuse;        /* queues grow at this very moment */
    bool calm;           /* hardly anything waits in the network: a cut may be mistaken */
    bool urgent;         /* a long queue must go first: who must go down goes further */
    uint32_t bps;        /* for video */
    uint32_t proved_bps; /* of it; 0 = nothing is proved */
};

/* What the viewer would use more for; for bwe_wish. */
struct alloc_needs {
    uint32_t now_bps;  /* of all choices */
    uint32_t next_bps; /* of all choices and one step more, the best one; 0: there is none */
    uint32_t all_bps;  /* of the best points of all */
};

/* Sorts a stream's points by cost, leaves those out that cost more than another and show no more,
 * and says what each is worth. At most ALLOC_KEPT stay. */
void alloc_prune(struct alloc_stream *s);

/* Shares bps out among pruned streams, best worth for the money, no stream above limit[i] (index of
 * a point; NULL: no limits). Sets choice only. Returns the cost. */
uint32_t alloc_share(struct alloc_stream *s, unsigned n, uint32_t bps, const int8_t *limit);

/* Decides for all streams of a viewer (pruned): choice, reason, memory. */
void alloc_decide(struct alloc *a, struct alloc_stream *s, unsigned n,
                  const struct alloc_budget *budget, int64_t now_us, struct alloc_needs *ret_needs);

#endif
