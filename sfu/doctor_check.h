/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_check.h - the checks of `sluice doctor`: of this machine (doctor_machine.c) and of a
 * server, with a session of its own for each direction (doctor_server.c). Each reports its findings
 * in one form: what was looked at, what was found, what to do. One thread, which waits. */
#ifndef SFU_DOCTOR_CHECK_H
#define SFU_DOCTOR_CHECK_H

#include "conf/conf.h"

enum finding {
    FINE,
    DOUBTFUL,
    WRONG,
};

struct doctor {
    const struct conf *conf; /* NULL: another machine is examined */
    bool to_log;             /* at start: only what is not fine, into the log */
    int worst;
    char base[CONF_STR_MAX + 16]; /* "http://host:port" */
    bool ours;                    /* base is this machine's */
    bool bad_cert;                /* said already: go on all the same */
    char stream[CONF_STR_MAX];
    const char *publish_token, *play_token;
};

/* Reports a finding: a line on standard output, or into the log (d->to_log). what is one word. */
PRINTF_LIKE(4, 5)
void doctor_say(struct doctor *d, enum finding f, const char *what, const char *fmt, ...);
/* Reports until when a certificate is good; expires_s is in Unix time. */
void doctor_say_expiry(struct doctor *d, const char *what, int64_t expires_s);

/* Buffers, clock, certificate, descriptors, announced addresses. d->conf is not NULL. */
void doctor_machine_check(struct doctor *d);

/* Returns whether a server answers at url over HTTP at all. */
bool doctor_server_http(struct doctor *d, const char *url);
/* Publishes to d->base, looks at every address of the answer, and plays what was published. */
void doctor_server_media(struct doctor *d);

#endif
