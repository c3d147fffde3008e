/* SPDX-License-Identifier: Apache-2.0 */
/* origin.h - the beginning of our own URLs as clients see them: behind proxies that is another
 * origin than the one we listen on, and perhaps a path before ours. MAIN. */
#ifndef SIGNALING_ORIGIN_H
#define SIGNALING_ORIGIN_H

#include "conf/conf.h"

#define ORIGIN_PREFIX_MAX 128
#define ORIGIN_MAX        (CONF_STR_MAX + 16 + ORIGIN_PREFIX_MAX)

struct http_request;

/* Writes it without a slash at its end ("https://example.org/sluice"): http.public_origin, else
 * what a trusted proxy says in X-Forwarded-Proto, -Host, -Port and -Prefix, else what our own TLS
 * tells. Only the path, or "", when the origin is not known. */
void origin_find(const struct conf *c, const struct http_request *rq, char out[ORIGIN_MAX]);

#endif
