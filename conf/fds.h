/* SPDX-License-Identifier: Apache-2.0 */
/* fds.h - the table of file descriptors. Connections of strangers may not fill it: its last part is
 * kept for the admin API, probes, files and name servers. Any thread. */
#ifndef CONF_FDS_H
#define CONF_FDS_H

#include "rtp/base.h"

#define FDS_RESERVED 64 /* at the end of the table; of a small one, a quarter */

/* Opens /dev/null for whatever is closed of standard input, output and error: what is opened later
 * would get its number, and log lines with it. Before anything else is opened. */
void fds_fill_standard(void);
/* Takes all descriptors that the hard limit allows. */
void fds_raise(void);
/* True, and logged, if fd lies in the reserve: the table is nearly full, since the kernel gives the
 * lowest free number. Who accepted it from a stranger closes it. */
bool fds_is_reserved(int fd) MUST_CHECK;

#endif
