/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h - the tables, and functions that serve rows of more than one of them. */
#ifndef TESTS_CONFORMANCE_CHECKS_H
#define TESTS_CONFORMANCE_CHECKS_H

#include "tests/conformance/suite.h"

extern const struct check checks_whip_post[], checks_whip_session[], checks_whip_patch[],
    checks_whep[], checks_whep_events[], checks_sdp_shape[], checks_sdp_codec[], checks_ice[],
    checks_dtls[], checks_srtp[], checks_rtp[], checks_rtp_codec[], checks_rtcp[], checks_sim[],
    checks_svc[], checks_dc[];

/* An offer that must be refused: any 4xx; for a POLICY row exactly this status. */
struct refusal {
    bool play;
    struct edit edits[EDITS_MAX];
    const char *offer;         /* instead of the peer's own */
    unsigned n_audio, n_video; /* 0 = 1 */
    int status;
};
void check_refused(struct suite *s);

/* An offer that must be answered: with 201, the text has and lacks what stands here. */
struct acceptance {
    bool play;
    struct edit edits[EDITS_MAX];
    const char *has, *lacks;
    bool up; /* and the session must come up */
    unsigned n_audio, n_video;
    bool video_only, audio_only;
};
void check_accepted_offer(struct suite *s);

/* Shared by WHIP and WHEP; arg: non-NULL = play. */
void check_preflight(struct suite *s);
void check_preflight_session(struct suite *s);
void check_accept_post(struct suite *s);
void check_redirect(struct suite *s);
void check_etag(struct suite *s);
void check_trickle(struct suite *s);
void check_trickle_stale(struct suite *s);
void check_restart(struct suite *s);
void check_delete(struct suite *s);
void check_application(struct suite *s);

extern const char check_play_arg[];
static inline bool check_is_play(const struct suite *s)
{
    return s->now->arg == check_play_arg;
}
/* A session that a POST made and nobody joins; notes a fault if there is none. */
struct party *check_session(struct suite *s, bool play);
/* For checks of players: a publisher that stays. Returns false when there is none. */
bool check_stage(struct suite *s);

/* A publisher of this codec alone that flows. NULL if there is none: the check is skipped when the
 * server refuses the codec, else the fault is noted. */
struct party *check_publish(struct suite *s, enum peer_codec codec, unsigned temporal_layers);
/* A publisher with these PEER_QUIRK_ bits that loses 5 % of its packets for a while, and its
 * viewer; then time for the last repair. Returns false, the fault noted, if no media came. */
bool check_lossy_publisher(struct suite *s, unsigned quirks, struct party **ret_pub,
                           struct party **ret_viewer);

/* The text with find replaced in the section that begins with this ("m=video"). */
const char *check_edit_section(struct suite *s, const char *text, const char *section,
                               const char *find, const char *put);

/* The URL of a Link of the 201 with this relation, absolute; NULL if there is none. */
const char *check_extension(struct party *v, const char *rel, const char **ret_link);

#define PLAY_ROW check_play_arg

#endif
