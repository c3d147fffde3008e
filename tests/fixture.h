/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - reads the files under tests/data, wherever the test is run from. */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads tests/data/NAME whole; aborts if it is not there. Heap text, terminated. */
static inline char *fixture_load(const char *name, size_t *ret_len)
{
    char path[2048];
    snprintf(path, sizeof(path), "%.*sdata/%s", (int)(strrchr(__FILE__, '/') + 1 - __FILE__),
             __FILE__, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        abort();
    }
    char *text = calloc(1, 256 * 1024);
    size_t n = fread(text, 1, 256 * 1024 - 1, f);
    fclose(f);
    if (ret_len) {
        *ret_len = n;
    }
    return realloc(text, n + 1);
}

/* Calls fn for each file of tests/data/DIR whose name ends in suffix. Returns their number. */
static inline int fixture_each(const char *dir, const char *suffix,
                               void (*fn)(const char *name, const char *text, size_t len))
{
    char path[1024];
    snprintf(path, sizeof(path), "%.*sdata/%s", (int)(strrchr(__FILE__, '/') + 1 - __FILE__),
             __FILE__, dir);
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t len = strlen(e->d_name);
        if (len <= strlen(suffix) || strcmp(e->d_name + len - strlen(suffix), suffix) != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        char *text = fixture_load(path, &len);
        fn(e->d_name, text, len);
        free(text);
        n++;
    }
    if (d) {
        closedir(d);
    }
    return n;
}

#endif
