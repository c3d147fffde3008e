/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - what WHIP and WHEP endpoints have in common: the checks before an offer is looked
 * at, offer to answer, and the 201. Private to signaling/. Role MAIN. */
#ifndef SIGNALING_ENDPOINT_H
#define SIGNALING_ENDPOINT_H

#include "rtp/base.h"
#include "signaling/auth.h"
#include "signaling/negotiate.h"
#include "signaling/rooms.h"

struct http_request;
struct resource;
struct signaling;

/* One request on an endpoint. */
struct endpoint {
    struct signaling *s;
    struct http_request *rq;
    char room[ROOMS_NAME_MAX];
    char participant[ROOMS_NAME_MAX];
    bool named;                           /* a participant was given */
    char display[AUTH_GRANT_DISPLAY_MAX]; /* "name" of the query: what people read; "" */
    char as[ROOMS_NAME_MAX];              /* play: whose session it is, "" nobody in particular */
    char label[ROOMS_LABEL_MAX];
    struct auth_grant grant;     /* after permit_ask */
    struct resource *r;          /* after endpoint_negotiate */
    struct negotiate_result out; /* the same; out.session is ours until admitted */
};

/* Splits the URL. Returns false after answering 404. */
bool endpoint_read(struct endpoint *e, struct http_request *rq, struct signaling *s);
/* OPTIONS, GET, HEAD and methods that endpoints do not have. Returns false when it is a POST. */
bool endpoint_answer_simple(struct endpoint *e, enum auth_action action);
/* Rate, drain, content type, body, name. Returns false after answering. */
bool endpoint_gate(struct endpoint *e);
/* What a session is about. */
struct endpoint_target {
    const struct room *room;
    const struct stream *st;               /* NULL: the room itself */
    const struct negotiate_source *source; /* play: what there is to play */
    bool slots;
};
/* Sections of the offer of each kind; both 0 when it does not parse. */
void endpoint_count_sections(const struct endpoint *e, unsigned *ret_audio, unsigned *ret_video);
/* Makes a session of t on a worker out of the offer. On success the caller admits e->r and then
 * calls endpoint_created; endpoint_undo takes it back. Returns false after answering. */
bool endpoint_negotiate(struct endpoint *e, enum api_role role, const struct endpoint_target *t);
/* Hands the session to its worker; st NULL: it plays a room. Returns false after answering 503 and
 * undoing. */
bool endpoint_admit(struct endpoint *e, const struct stream *st);
void endpoint_undo(struct endpoint *e);
/* Who comes under a name for the first time says If-None-Match: * (RFC 9110 13.1.2), not to be
 * taken for another of the same name, nor to take over. True after answering 412: the name is
 * taken. */
bool endpoint_yields(struct endpoint *e, bool taken);
/* 201. Frees what e holds. */
void endpoint_created(struct endpoint *e);

/* Judges the request's token. Wall clock and Authorization header are read here. */
void endpoint_check_auth(const struct signaling *s, const struct http_request *rq,
                         enum auth_action action, const char *label, struct auth_verdict *ret);
/* 401 or 403 for a verdict that is not AUTH_OK; counted by its reason. */
void endpoint_answer_auth(struct signaling *s, struct http_request *rq,
                          const struct auth_verdict *v);
/* False after answering 429: the client posts too fast. */
bool endpoint_within_rate(struct signaling *s, struct http_request *rq);
/* Fills what is not the session's own: fingerprint, candidates in the order for this client,
 * codecs. */
void endpoint_fill_params(const struct signaling *s, const struct http_request *rq,
                          struct negotiate_params *p);

#endif
