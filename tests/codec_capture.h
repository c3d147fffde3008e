/* SPDX-License-Identifier: Apache-2.0 */
/* codec_capture.h - for the tests of rtp/codec*.c: the files of tests/data/rtp, packets of real
 * senders, each with what codec_describe() has to say of it. */
#ifndef TESTS_CODEC_CAPTURE_H
#define TESTS_CODEC_CAPTURE_H

#include "tests/codec_util.h"
#include "tests/fixture.h"

#define CAPTURE_PKTS_MAX 40

/* One file. */
struct capture {
    const char *name;
    char *text; /* the file; what follows points into it */
    size_t n;
    struct cap_pkt pkts[CAPTURE_PKTS_MAX];
    const char *want[CAPTURE_PKTS_MAX]; /* desc_text */
};

/* Turns the hexadecimal field hex, "-" for nothing, into bytes at the same place. Returns their
 * number. */
static inline size_t capture_bytes(char *hex)
{
    size_t n = 0;
    for (; hex[2 * n] && hex[0] != '-'; n++) {
        unsigned byte;
        cr_assert_eq(sscanf(hex + 2 * n, "%2x", &byte), 1);
        hex[n] = (char)byte;
    }
    return n;
}

/* "SEQUENCE TIMESTAMP MARKER DESCRIPTOR PAYLOAD = TEXT" */
static inline void capture_line(struct capture *c, char *line)
{
    char *rest;
    cr_assert_lt(c->n, CAPTURE_PKTS_MAX, "%s", c->name);
    struct cap_pkt *p = &c->pkts[c->n];
    p->seq16 = (uint16_t)strtoul(strtok_r(line, " ", &rest), NULL, 10);
    p->ts = (uint32_t)strtoul(strtok_r(NULL, " ", &rest), NULL, 10);
    p->marker = strtok_r(NULL, " ", &rest)[0] == 'M';
    char *dd = strtok_r(NULL, " ", &rest);
    char *payload = strtok_r(NULL, " ", &rest);
    cr_assert_eq(strncmp(rest, "= ", 2), 0, "%s: packet %zu", c->name, c->n);
    p->dd = dd;
    p->dd_len = (uint8_t)capture_bytes(dd);
    p->payload = payload;
    p->len = (uint16_t)capture_bytes(payload);
    c->want[c->n++] = rest + 2;
}

/* Reads tests/data/rtp/NAME.txt; capture_close() frees it. */
static inline void capture_open(struct capture *ret, const char *name)
{
    char path[128];
    char *lines;
    snprintf(path, sizeof(path), "rtp/%s.txt", name);
    *ret = (struct capture){.name = name, .text = fixture_load(path, NULL)};
    for (char *line = strtok_r(ret->text, "\n", &lines); line;
         line = strtok_r(NULL, "\n", &lines)) {
        if (line[0] != '#') {
            capture_line(ret, line);
        }
    }
    cr_assert_gt(ret->n, 0, "%s", name);
}

static inline void capture_close(struct capture *c)
{
    free(c->text);
}

static inline void capture_describe(enum codec_id id, const struct capture *c)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < c->n; i++) {
        struct pkt_desc desc;
        cr_assert_eq(describe_pkt(id, &d, &c->pkts[i], &desc), 0, "%s: packet %zu", c->name, i);
        cr_expect_str_eq(desc_text(&d, &desc), c->want[i], "%s: packet %zu: got %s, want %s",
                         c->name, i, desc_text(&d, &desc), c->want[i]);
    }
    describe_fini(&d);
}

/* Every shorter version of the packets, each after those before it, parses or is refused. */
static inline void capture_truncate(enum codec_id id, const struct capture *c)
{
    struct describe d;
    cr_assert_eq(describe_init(&d, id), 0);
    for (size_t i = 0; i < c->n; i++) {
        struct pkt_desc desc;
        struct cap_pkt cut = c->pkts[i];
        for (cut.len = 0; cut.len <= c->pkts[i].len; cut.len++) {
            int rc = describe_pkt(id, &d, &cut, &desc);
            cr_assert(rc == 0 || rc == -EBADMSG, "%s: packet %zu cut to %u: %d", c->name, i,
                      cut.len, rc);
            cr_assert(rc != 0 || desc.head_len <= cut.len);
        }
        cut = c->pkts[i];
        for (cut.dd_len = 0; cut.dd_len < c->pkts[i].dd_len; cut.dd_len++) {
            cr_assert_eq(describe_pkt(id, &d, &cut, &desc), 0);
        }
        cr_assert_eq(describe_pkt(id, &d, &c->pkts[i], &desc), 0);
    }
    describe_fini(&d);
}

/* check is capture_describe or capture_truncate. */
static inline void check_captures(enum codec_id id, const char *const *names, size_t n,
                                  void (*check)(enum codec_id id, const struct capture *c))
{
    for (size_t i = 0; i < n; i++) {
        struct capture c;
        capture_open(&c, names[i]);
        check(id, &c);
        capture_close(&c);
    }
}

#endif
