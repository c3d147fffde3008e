/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth_revoked_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "signaling/strbuf.h"

#define HEAD      "sluice-revoked 1\n"
#define LINE_MAX_ 128

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "HEX SECONDS\n". */
static bool read_line(const char *line, uint8_t digest[AUTH_GRANT_DIGEST], int64_t *ret_until_s)
{
    char end;
    for (size_t i = 0; i < AUTH_GRANT_DIGEST; i++) {
        int high = hex_digit(line[2 * i]);
        int low = high < 0 ? -1 : hex_digit(line[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return sscanf(line + 2 * (size_t)AUTH_GRANT_DIGEST, " %" SCNd64 "%c", ret_until_s, &end) == 2 &&
           end == '\n';
}

static int read_lines(FILE *f, struct auth_revoked *t, int64_t now_s)
{
    char line[LINE_MAX_];
    if (fgets(line, sizeof(line), f) == NULL || strcmp(line, HEAD) != 0) {
        return -EBADMSG;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        uint8_t digest[AUTH_GRANT_DIGEST];
        int64_t until_s;
        if (!read_line(line, digest, &until_s)) {
            return -EBADMSG;
        }
        int r = until_s < now_s ? 0 : auth_revoked_add_digest(t, digest, until_s);
        if (r < 0) {
            return r;
        }
    }
    return ferror(f) != 0 ? -EIO : 0;
}

int auth_revoked_file_load(struct auth_revoked *t, const char *path, int64_t now_s)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return errno == ENOENT ? 0 : -errno;
    }
    int r = read_lines(f, t, now_s);
    (void)fclose(f);
    return r;
}

static int write_entry(const uint8_t digest[AUTH_GRANT_DIGEST], int64_t until_s, void *ctx)
{
    char hex[2 * AUTH_GRANT_DIGEST + 1];
    for (size_t i = 0; i < AUTH_GRANT_DIGEST; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    strbuf_addf(ctx, "%s %" PRId64 "\n", hex, until_s);
    return 0;
}

static int write_all(int fd, const struct auth_revoked *t)
{
    struct strbuf b = {0};
    size_t len;
    strbuf_addf(&b, HEAD);
    (void)auth_revoked_each(t, write_entry, &b);
    char *text = strbuf_take(&b, &len);
    int r = text != NULL ? 0 : -ENOMEM;
    for (size_t done = 0; r == 0 && done < len;) {
        ssize_t n = write(fd, text + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            r = -errno;
        }
    }
    free(text);
    return r == 0 && fsync(fd) != 0 ? -errno : r;
}

/* The name itself is on the disk only when its folder is. */
static void sync_folder(const char *path)
{
    char folder[CONF_STR_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
    int fd = n < (int)sizeof(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

int auth_revoked_file_save(const struct auth_revoked *t, const char *path)
{
    char beside[CONF_STR_MAX + 8];
    snprintf(beside, sizeof(beside), "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int r = write_all(fd, t);
    if (close(fd) != 0 && r == 0) {
        r = -errno;
    }
    if (r == 0 && rename(beside, path) != 0) {
        r = -errno;
    }
    if (r < 0) {
        unlink(beside);
        return r;
    }
    sync_folder(path);
    return 0;
}
