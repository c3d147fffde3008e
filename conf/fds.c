/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/log.h"

void fds_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)open("/dev/null", O_RDWR); /* gets the lowest number that is free: this one */
        }
    }
}

void fds_raise(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

bool fds_is_reserved(int fd)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 ||
        (rlim_t)fd < l.rlim_cur - MIN(l.rlim_cur / 4, FDS_RESERVED)) {
        return false;
    }
    log_warn("descriptors_short", LOG_INT("allowed", (int64_t)l.rlim_cur));
    return true;
}
