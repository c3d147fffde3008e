/* SPDX-License-Identifier: Apache-2.0 */
/* http_bind.h - listening TCP sockets. */
#ifndef SIGNALING_HTTP_BIND_H
#define SIGNALING_HTTP_BIND_H

#include "rtp/base.h"

/* Listens, non-blocking, on "host:port" (names are resolved; "::" takes both families).
 * Returns 0 or -errno. */
int http_bind(const char *listen_at, int *ret_fd, uint16_t *ret_port) MUST_CHECK;

#endif
