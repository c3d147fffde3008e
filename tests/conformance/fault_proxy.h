/* SPDX-License-Identifier: Apache-2.0 */
/* fault_proxy.h - a box between the suite and a sound server that makes it an unsound one: it
 * alters HTTP, answers STUN in the server's name, swallows or invents datagrams. So the suite can
 * be shown broken servers without a broken line in the product. HTTP is passed on whole, one
 * request a connection; UDP has a socket towards the server for each address of a client. */
#ifndef TESTS_CONFORMANCE_FAULT_PROXY_H
#define TESTS_CONFORMANCE_FAULT_PROXY_H

#include "tests/conformance/suite.h"

enum fault {
    FAULT_NONE,
    FAULT_NO_LOCATION,       /* 201 without Location */
    FAULT_WEAK_ETAG,         /* W/"..." */
    FAULT_PREFLIGHT_TOKEN,   /* 401 for a preflight */
    FAULT_IF_MATCH_IGNORED,  /* any tag will do */
    FAULT_DELETE_204,        /* 204 for DELETE */
    FAULT_SENDRECV,          /* answers to publishers say sendrecv */
    FAULT_NO_MUX_ONLY,       /* answers without rtcp-mux-only */
    FAULT_ACTPASS,           /* answers with setup:actpass */
    FAULT_OTHER_MID,         /* the second mid renamed */
    FAULT_FOREIGN_PT,        /* a payload type that was not offered */
    FAULT_LAYER_DROPPED,     /* the last rid of a simulcast answer is gone */
    FAULT_NO_INTEGRITY,      /* STUN answers without MESSAGE-INTEGRITY */
    FAULT_ANY_PASSWORD,      /* checks with a wrong password succeed */
    FAULT_ATTRIBUTES_PASSED, /* 420 becomes success */
    FAULT_CHECKS,            /* binding requests to clients, although lite */
    FAULT_AMPLIFIES,         /* unknown ufrags are answered, at length */
    FAULT_NO_ALERTS,         /* close_notify never arrives */
    FAULT_NO_RTCP,           /* nor does RTCP */
    FAULT_NO_RTX,            /* nor does RTX */
    FAULT_EAGER_MEDIA,       /* media to the candidate of an offer, before any check */
    FAULT_RID_NEEDED,        /* what a publisher sends without RID is lost */
    FAULT_CHOICE_IGNORED,    /* 200 for a choice of layers, and nothing comes of it */
    FAULT_NO_DESCRIPTORS,    /* dependency descriptors accepted but not understood */
    FAULT_MIXED_ASSUMED,     /* two-byte headers for all, asked for or not */
    FAULT_NO_MARKER,         /* media without markers (fault_proxy_spoil) */
    FAULT_COUNT
};
const char *fault_name(enum fault f);

struct fault_proxy;

/* Listens on 127.0.0.1. NULL when sockets are not to be had. */
struct fault_proxy *fault_proxy_new(struct peer_loop *l, uint16_t http_port, uint16_t media_port);
void fault_proxy_free(struct fault_proxy *p);
uint16_t fault_proxy_port(const struct fault_proxy *p); /* HTTP */
void fault_proxy_set(struct fault_proxy *p, enum fault f);
/* For struct suite's spoil: what can be done to media only once they are open. */
void fault_proxy_spoil(void *p, bool rtcp, uint8_t *buf, size_t len);

#endif
