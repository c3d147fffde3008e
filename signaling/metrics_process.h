/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_process.h - the process_* metrics that Prometheus users expect, from /proc. Any thread.
 */
#ifndef SIGNALING_METRICS_PROCESS_H
#define SIGNALING_METRICS_PROCESS_H

struct strbuf;

/* Appends the families; those that cannot be read are left out. */
void metrics_process_add(struct strbuf *b);

#endif
