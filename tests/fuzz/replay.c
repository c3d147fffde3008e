/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - runs a fuzz target over its corpus without libFuzzer: every past crash is replayed by
 * every test run. Each file is also run cut at every length up to 512 bytes, and with each of its
 * first 256 bytes inverted. The input is copied to a heap block of its exact size, so that ASan
 * sees one byte too far. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = exact_copy(data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_variants(uint8_t *data, size_t len)
{
    run(data, len);
    for (size_t n = 0; n < len && n < 512; n++) {
        run(data, n);
    }
    for (size_t i = 0; i < len && i < 256; i++) {
        data[i] = (uint8_t)~data[i];
        run(data, len);
        data[i] = (uint8_t)~data[i];
    }
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 1;
    }
    unsigned files = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!f) {
            continue;
        }
        static uint8_t buf[256 * 1024];
        size_t len = fread(buf, 1, sizeof(buf), f);
        fclose(f);
        run_variants(buf, len);
        files++;
    }
    closedir(dir);
    printf("%u files replayed\n", files);
    return files ? 0 : 1;
}
