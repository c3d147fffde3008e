/* SPDX-License-Identifier: Apache-2.0 */
/* http_head.h - judges a request's header fields one by one, more strictly than the HTTP library
 * does (SEC-02, SEC-07): what decides where a message ends, and whom it is for (RFC 9112 3.2), must
 * be said once and well. Pure. */
#ifndef SIGNALING_HTTP_HEAD_H
#define SIGNALING_HTTP_HEAD_H

#include "rtp/base.h"

struct http_head {
    int fields;
    int hosts;       /* Host fields */
    int lengths;     /* Content-Length fields */
    int encodings;   /* Transfer-Encoding fields */
    bool bad;        /* a malformed field */
    uint64_t length; /* of the last Content-Length */
};

/* Looks at one field; neither text need be terminated. Start from a zeroed struct. */
void http_head_field(struct http_head *h, const char *name, size_t name_len, const char *value,
                     size_t value_len);
/* True if the message's end or host is in doubt or a field is malformed: 400 and close. */
bool http_head_is_bad(const struct http_head *h);
/* True if value has no control characters but tabs. */
bool http_head_is_value(const char *value, size_t len);

#endif
