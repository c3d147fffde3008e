/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h - errors as application/problem+json (RFC 9457). Role MAIN. */
#ifndef SIGNALING_PROBLEM_H
#define SIGNALING_PROBLEM_H

#include "rtp/base.h"

struct http_request;

/* Answers rq. type: fixed string, last part of the problem's URN ("not-live"), or NULL for
 * about:blank. detail: a sentence that says what to do; escaped here. */
void problem_answer(struct http_request *rq, int status, const char *type, const char *detail);
/* The same with Retry-After in seconds. */
void problem_answer_later(struct http_request *rq, int status, const char *type, const char *detail,
                          int retry_after_s);
/* 405 with Allow. */
void problem_answer_method(struct http_request *rq, const char *allow);
/* The reason phrase of a status; "Error" for unknown ones. */
const char *problem_title(int status);

#endif
