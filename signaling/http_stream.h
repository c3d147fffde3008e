/* SPDX-License-Identifier: Apache-2.0 */
/* http_stream.h - an answer without end: what is written goes out as it comes (chunked). The
 * connection sleeps while there is nothing to say. What a slow reader has not taken is kept up to a
 * bound; beyond it writing fails, and the owner ends the stream. Role MAIN. */
#ifndef SIGNALING_HTTP_STREAM_H
#define SIGNALING_HTTP_STREAM_H

#include "rtp/base.h"

struct http_request;
struct http_stream;

#define HTTP_STREAM_QUEUE (64 * 1024) /* bytes that wait for the reader, at most */

/* The connection is gone, or the end was sent: the stream is freed after this call. */
typedef void(http_stream_closed_fn)(void *ctx);

/* Answers rq with 200 and type, and keeps it open. fn is called once, whoever ends it. NULL after
 * answering 503: no memory. */
struct http_stream *http_stream_begin(struct http_request *rq, const char *type,
                                      http_stream_closed_fn *fn, void *ctx);
/* Appends len bytes: all or nothing. Returns 0, -ENOBUFS (the reader is too slow), -EPIPE (ended),
 * -ENOMEM. */
int http_stream_write(struct http_stream *st, const char *data, size_t len) MUST_CHECK;
/* Nothing more comes: closes after what waits. fn is called later. */
void http_stream_end(struct http_stream *st);
/* Closes at once; what waits is lost. fn is called later. */
void http_stream_abort(struct http_stream *st);
/* Looks whether the client has closed its side, which a sleeping connection does not notice; closes
 * then. */
void http_stream_check(struct http_stream *st);

/* For http.c: the request has ended. Harmless for those without stream. */
void http_stream_on_closed(struct http_request *rq);

#endif
