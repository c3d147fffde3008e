/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - what a worker that has just asked for a stream is sent of what is stored already. Only
 * of a source that gives no key frame on request, or has not shown yet that it does: its viewers
 * there would see nothing until its next one. All else begins with the key frame that is asked for.
 * Role MEDIA, publisher's worker. */
#ifndef SFU_FEED_H
#define SFU_FEED_H

#include "sfu/track.h"

struct router;

/* Worker has asked for e: it gets what has come since the last key frame before what comes now, in
 * the order of arrival. Harmless where that is not called for. */
void feed_begin(struct router *r, struct encoding *e, int worker);
/* Goes on with it, as far as the rings take it. Every tick. */
void feed_tick(struct router *r, struct encoding *e);

#endif
