/* SPDX-License-Identifier: Apache-2.0 */
/* post.h - commands to the workers. A full mailbox delays a command but never loses it and never
 * lets a later one overtake it. Role MAIN. */
#ifndef SIGNALING_POST_H
#define SIGNALING_POST_H

#include "rtp/base.h"

struct api_cmd;
struct plane;
struct post;
struct uv_loop_s;

/* NULL when out of memory. */
struct post *post_new(struct uv_loop_s *loop);
/* Before the first command. */
void post_set_plane(struct post *p, struct plane *plane);
/* Frees what was not delivered; memory goes once the loop has run on. Accepts NULL. */
void post_free(struct post *p);

/* Posts now or not at all: 0 (ownership moved), or -ENOBUFS (the caller still owns *cmd). */
int post_try(struct post *p, int worker, struct api_cmd *cmd) MUST_CHECK;
/* Posts now or as soon as there is room. Takes *cmd over. */
void post_surely(struct post *p, int worker, struct api_cmd *cmd);
/* Commands that wait. */
unsigned post_waiting(const struct post *p);

#endif
