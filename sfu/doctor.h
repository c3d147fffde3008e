/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - `sluice doctor`: checks an installation the way a client would meet it, from inside
 * (ports, buffers, certificate, clock) or from another machine (its URL), by a WHIP session and a
 * WHEP session of its own, and prints a line for each finding with what to do about it. Part of the
 * program, not of libsfu. */
#ifndef SFU_DOCTOR_H
#define SFU_DOCTOR_H

struct conf;

/* Runs the checks. argv as main got it, argv[1] being "doctor". Returns the exit status: 0 nothing
 * is wrong, 1 something is, CONF_EXIT for arguments or settings that do not read. */
int doctor_main(int argc, char **argv, char **envp);

/* The checks that need no server, at start: what they find goes into the log. Any thread that may
 * wait for files. */
void doctor_warn(const struct conf *c);

#endif
