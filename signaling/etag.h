/* SPDX-License-Identifier: Apache-2.0 */
/* etag.h - If-Match (RFC 9110 13.1.1) as WHIP uses it (RFC 9725 4.3.1). Pure; any thread. */
#ifndef SIGNALING_ETAG_H
#define SIGNALING_ETAG_H

#include "rtp/base.h"

enum etag_match {
    ETAG_ABSENT, /* no header */
    ETAG_ANY,    /* *, or "*" as the draft's example had it and simple-whip-client sends it */
    ETAG_CURRENT,
    ETAG_STALE, /* names other tags only, or nothing readable */
};

/* Compares an If-Match header (NULL: absent), a list of quoted tags, with the current tag (without
 * quotes). The comparison is strong: W/"x" matches nothing. A tag without quotes is taken as it is,
 * as some clients send it. */
enum etag_match etag_match(const char *header, const char *current);

#endif
