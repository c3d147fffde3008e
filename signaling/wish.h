/* SPDX-License-Identifier: Apache-2.0 */
/* wish.h - what a viewer asks for: who is pinned, which slot shows whom, who is not heard, how
 * large a slot is shown, which layer. Reads the JSON of POST on a session's wish and layer URLs,
 * strictly: an unknown key, a wrong type or an impossible value refuses the whole. Pure; any
 * thread. */
#ifndef SIGNALING_WISH_H
#define SIGNALING_WISH_H

#include "rtp/base.h"
#include "sfu/api.h"
#include "signaling/slots.h"

#define WISH_NAMES    32 /* pinned or muted at once */
#define WISH_NAME_MAX 65 /* of a stream or participant, with terminator */

/* What holds of a member until it says otherwise. */
struct wish_state {
    unsigned n_pins, n_mutes;
    char pins[WISH_NAMES][WISH_NAME_MAX];  /* participants or streams, the most wanted first */
    char mutes[WISH_NAMES][WISH_NAME_MAX]; /* participants not heard by this viewer */
    /* by m-line index: which stream this section shows; "" automatic */
    char fixed[API_MLINES_MAX][WISH_NAME_MAX];
    uint64_t off; /* bit per m-line index: shows nothing */
};

/* One request, read. */
struct wish {
    bool has_pins, has_mutes;
    struct wish_state state;     /* pins and mutes if has_; fixed and off of the sections named */
    uint64_t has_fixed, has_off; /* bit per m-line index: state.fixed, state.off count */
    unsigned n_layers;
    struct api_wish layers[API_MLINES_MAX];
};

/* What a reader has to know of the session. */
struct wish_session {
    unsigned n_mids;
    const char (*mids)[API_MID_MAX]; /* of all m-lines */
    uint64_t audio, video;           /* bit per m-line index: accepted sections */
};

/* The body of a POST on the wish URL. ret_why: a sentence, at most 160 bytes. Returns 0; -EBADMSG
 * (no JSON, wrong form: 400); -ENOENT (no such section: 422); -ENOMEM. */
int wish_read(const char *text, size_t len, const struct wish_session *s, struct wish *ret,
              char ret_why[160]) MUST_CHECK;
/* The body of a POST on the layer URL (draft-ietf-wish-whep, video layer selection; encodingId is
 * taken for rid). Same returns. */
int wish_read_layer(const char *text, size_t len, const struct wish_session *s,
                    struct api_wish *ret, char ret_why[160]) MUST_CHECK;
/* Puts a request into what holds. Returns true if who sits where may change. */
bool wish_apply(struct wish_state *to, const struct wish *w);
/* True when nothing is wished for. */
bool wish_is_empty(const struct wish_state *w);

#endif
