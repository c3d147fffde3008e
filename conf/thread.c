/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAIN_NICER 5 /* a third of a worker's share */

struct thread_role thread_role_main;
struct thread_role thread_role_media;

static _Thread_local enum thread_kind kind_now = THREAD_OTHER;
static _Thread_local int index_now;

void thread_become(enum thread_kind kind, int index)
{
    char name[16]; /* the kernel's limit, with NUL */
    kind_now = kind;
    index_now = index;
    switch (kind) {
    case THREAD_MAIN:
        /* The main thread keeps the program's name: ps and pkill show it. */
        return;
    case THREAD_MEDIA:
        snprintf(name, sizeof(name), "media-%u", (unsigned)index % 10000);
        break;
    case THREAD_DATA:
        snprintf(name, sizeof(name), "data");
        break;
    case THREAD_OTHER:
        snprintf(name, sizeof(name), "other-%u", (unsigned)index % 10000);
        break;
    }
    (void)pthread_setname_np(pthread_self(), name);
}

void thread_give_way(void)
{
    id_t self = (id_t)gettid();
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + MAIN_NICER);
}

enum thread_kind thread_kind_now(void)
{
    return kind_now;
}

int thread_index_now(void)
{
    return index_now;
}

void thread_assert_main(void)
{
    assert(kind_now == THREAD_MAIN);
}

void thread_assert_data(void)
{
    assert(kind_now == THREAD_DATA);
}

void thread_assert_media(void)
{
    assert(kind_now == THREAD_MEDIA);
}
