/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/thread.h"

static void *media_main(void *ctx)
{
    char name[16] = "";
    cr_assert_eq(thread_kind_now(), THREAD_OTHER);
    thread_become(THREAD_MEDIA, 3);
    thread_assert_media();
    cr_assert_eq(thread_kind_now(), THREAD_MEDIA);
    cr_assert_eq(thread_index_now(), 3);
    pthread_getname_np(pthread_self(), name, sizeof(name));
    cr_assert_str_eq(name, "media-3");
    return ctx;
}

Test(thread, each_thread_knows_its_role)
{
    pthread_t t;
    thread_become(THREAD_MAIN, 0);
    thread_assert_main();
    cr_assert_eq(pthread_create(&t, NULL, media_main, NULL), 0);
    pthread_join(t, NULL);
    cr_assert_eq(thread_kind_now(), THREAD_MAIN);
    cr_assert_eq(thread_index_now(), 0);
}

Test(thread, aborts_when_media_code_runs_on_main, .signal = SIGABRT)
{
    thread_become(THREAD_MAIN, 0);
    thread_assert_media();
}

Test(thread, aborts_when_main_code_runs_elsewhere, .signal = SIGABRT)
{
    thread_become(THREAD_MEDIA, 0);
    thread_assert_main();
}

static pthread_barrier_t given_way;

/* Returns its nice value once the main thread has given way. */
static void *started_before(void *ctx)
{
    pthread_barrier_wait(&given_way);
    *(int *)ctx = getpriority(PRIO_PROCESS, (id_t)gettid());
    return NULL;
}

Test(thread, only_the_one_that_gives_way_does)
{
    pthread_t t;
    int before = getpriority(PRIO_PROCESS, (id_t)gettid()), other = -1;
    pthread_barrier_init(&given_way, NULL, 2);
    cr_assert_eq(pthread_create(&t, NULL, started_before, &other), 0);
    thread_give_way();
    pthread_barrier_wait(&given_way);
    pthread_join(t, NULL);
    cr_assert_eq(other, before);
    if (before < 19) { /* nobody is nicer than that */
        cr_assert_gt(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
    }
    pthread_barrier_destroy(&given_way);
}
