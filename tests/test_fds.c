/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the table of descriptors, which is not for strangers. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "conf/fds.h"

Test(fds, closed_standard_streams_are_filled)
{
    for (int closed = 1; closed < 8; closed++) { /* bit by bit */
        int keep[3];
        for (int fd = 0; fd < 3; fd++) {
            keep[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        }
        for (int fd = 0; fd < 3; fd++) {
            if (closed >> fd & 1) {
                close(fd);
            }
        }
        fds_fill_standard();
        for (int fd = 0; fd < 3; fd++) {
            struct stat st = {0}, was = {0};
            bool open = fstat(fd, &st) == 0, null = st.st_rdev == makedev(1, 3);
            bool same = fstat(keep[fd], &was) == 0 && was.st_ino == st.st_ino;
            dup2(keep[fd], fd);
            close(keep[fd]);
            cr_expect(open && (closed >> fd & 1 ? null : same), "%d of those in %d", fd, closed);
        }
    }
}

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
