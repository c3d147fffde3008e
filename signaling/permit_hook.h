/* SPDX-License-Identifier: Apache-2.0 */
/* permit_hook.h - auth.hook_url: an HTTP endpoint of the operator's that may refuse a publish or
 * play. It fails closed (SEC-27): what is no clear yes in time is no. Private to signaling/. Role
 * MAIN. */
#ifndef SIGNALING_PERMIT_HOOK_H
#define SIGNALING_PERMIT_HOOK_H

#include "rtp/base.h"
#include "signaling/auth.h"

struct endpoint;
struct signaling;

#define PERMIT_HOOK_ANSWER_MAX 8192

enum permit_hook_verdict {
    PERMIT_HOOK_YES,
    PERMIT_HOOK_NO,     /* it said so: 401, 403, or "allow": false */
    PERMIT_HOOK_FAILED, /* no answer, or one that is neither */
};
typedef void(permit_hook_fn)(enum permit_hook_verdict v, void *ctx);

/* Asks about e's request for action on label. fn is called once, never from within. Returns 0 or
 * -errno: it could not be asked. */
int permit_hook_ask(const struct endpoint *e, enum auth_action action, const char *label,
                    permit_hook_fn *fn, void *ctx) MUST_CHECK;
/* What an answer means. Pure. */
enum permit_hook_verdict permit_hook_judge(int status, const char *body, size_t len);

#endif
