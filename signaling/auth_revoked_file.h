/* SPDX-License-Identifier: Apache-2.0 */
/* auth_revoked_file.h - auth.revoked_file: revocations outlive a restart. A line for each, the
 * SHA-256 of what is revoked and the second until which that matters, written to a file beside and
 * renamed, so that there is the old list or the new one and nothing between. Blocks for the time of
 * a write; role MAIN. */
#ifndef SIGNALING_AUTH_REVOKED_FILE_H
#define SIGNALING_AUTH_REVOKED_FILE_H

#include "rtp/base.h"
#include "signaling/auth_revoked.h"

/* Adds what the file holds to t, but for what has expired; a file that is not there holds nothing.
 * now_s: wall clock. Returns 0; -EBADMSG: not such a file; -ENOMEM; -errno: not to be read. */
int auth_revoked_file_load(struct auth_revoked *t, const char *path, int64_t now_s) MUST_CHECK;
/* Writes what t holds, for the owner's eyes only. Returns 0 once it is on the disk, or -errno: then
 * the file is as it was. */
int auth_revoked_file_save(const struct auth_revoked *t, const char *path) MUST_CHECK;

#endif
