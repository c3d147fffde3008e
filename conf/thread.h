/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - roles instead of locks. A function that says ON_MEDIA may only run on the worker that
 * owns its data; clang's thread-safety analysis checks it, thread_assert_*() checks callbacks at
 * run time. */
#ifndef CONF_THREAD_H
#define CONF_THREAD_H

#include "rtp/base.h"

#if defined(__clang__)
#define THREAD_ATTR(x) __attribute__((x))
#else
#define THREAD_ATTR(x)
#endif

struct THREAD_ATTR(capability("role")) thread_role {
    char unused;
};
extern struct thread_role thread_role_main;
extern struct thread_role thread_role_media;

#define ON_MAIN  THREAD_ATTR(requires_capability(thread_role_main))
#define ON_MEDIA THREAD_ATTR(requires_capability(thread_role_media))

enum thread_kind {
    THREAD_OTHER,
    THREAD_MAIN,
    THREAD_MEDIA,
    THREAD_DATA, /* SCTP and what travels on data channels */
};

/* Says what the calling thread is; index: worker number. Also names it for ps and gdb ("media-0");
 * the main thread keeps the program's name. */
void thread_become(enum thread_kind kind, int index);
/* The calling thread gives way to the others where there is not a core for each: while media waits
 * it does little. For MAIN, when they have been started: threads inherit it. */
void thread_give_way(void);
/* What the calling thread said it is; THREAD_OTHER if it said nothing. */
enum thread_kind thread_kind_now(void);
/* The worker number that the calling thread gave, else 0. */
int thread_index_now(void);
/* Abort when the calling thread is not what the function expects. */
void thread_assert_main(void) THREAD_ATTR(assert_capability(thread_role_main));
void thread_assert_data(void);
void thread_assert_media(void) THREAD_ATTR(assert_capability(thread_role_media));

#endif
