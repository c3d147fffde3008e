/* SPDX-License-Identifier: Apache-2.0 */
/* web.h - the pages that the binary serves, embedded from signaling/web (the list is in
 * meson.build). Role MAIN. */
#ifndef SIGNALING_WEB_H
#define SIGNALING_WEB_H

#include "rtp/base.h"

struct http_request;

/* GET and HEAD of pages: "/" is index.html, "/name" the file of that name; else 404. */
void web_handle(struct http_request *rq, void *ctx);
/* An embedded file by path ("/", "/app.js"), or NULL. */
const char *web_find(const char *path, size_t *ret_len, const char **ret_type);

#endif
