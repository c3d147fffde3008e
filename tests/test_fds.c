/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the table of descriptors, which is not for strangers. */
#include <criterion/criterion.h>
#include <sys/resource.h>

#include "conf/fds.h"

Test(fds, takes_what_is_allowed_and_keeps_the_end)
{
    static const struct {
        rlim_t allowed;
        int last_for_strangers;
    } rows[] = {{4096, 4031}, {1024, 959}, {256, 191}, {128, 95}, {64, 47}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rlimit l = {rows[i].allowed / 2, rows[i].allowed};
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
        fds_raise();
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
        cr_expect_eq(l.rlim_cur, rows[i].allowed);
        cr_expect(!fds_is_reserved(0));
        cr_expect(!fds_is_reserved(rows[i].last_for_strangers));
        cr_expect(fds_is_reserved(rows[i].last_for_strangers + 1));
        cr_expect(fds_is_reserved((int)rows[i].allowed - 1));
    }
}
