/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "signaling/http_head.h"

struct field {
    const char *name;
    const char *value;
};

Test(http_head, wants_the_messages_end_said_once_and_well)
{
    static const struct {
        struct field fields[3];
        bool bad;
        uint64_t length;
    } rows[] = {
        {{{"Host", "x"}}, false, 0},
        {{{"Host", "x"}, {"host", "x"}}, true, 0},
        {{{"Host", "x"}, {"X-Forwarded-Host", "y"}}, false, 0},
        {{{"Content-Length", "12"}}, false, 12},
        {{{"content-length", "0"}}, false, 0},
        {{{"Content-Length", "12"}, {"Content-Length", "12"}}, true, 12},
        {{{"Content-Length", "12"}, {"CONTENT-LENGTH", "13"}}, true, 13},
        {{{"Content-Length", "12"}, {"Transfer-Encoding", "chunked"}}, true, 12},
        {{{"Transfer-Encoding", "chunked"}}, false, 0},
        {{{"Transfer-Encoding", "Chunked"}}, false, 0},
        {{{"Transfer-Encoding", "gzip, chunked"}}, true, 0},
        {{{"Transfer-Encoding", "identity"}}, true, 0},
        {{{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, true, 0},
        {{{"Transfer-Encoding", "xchunked"}}, true, 0},
        {{{"Content-Length", "+12"}}, true, 0},
        {{{"Content-Length", "-1"}}, true, 0},
        {{{"Content-Length", "1 2"}}, true, 0},
        {{{"Content-Length", "0x10"}}, true, 0},
        {{{"Content-Length", "12, 12"}}, true, 0},
        {{{"Content-Length", ""}}, true, 0},
        {{{"Content-Length", "99999999999999999999999999"}}, true, 0},
        {{{"Content Length", "12"}}, true, 0},
        {{{"X-\x01", "y"}}, true, 0},
        {{{"", "y"}}, true, 0},
        {{{"X", "a\rb"}}, true, 0},
        {{{"X", "a\nb"}}, true, 0},
        {{{"X", "a\x7f"}}, true, 0},
        {{{"X", "a\tb"}}, false, 0},
        {{{"X", "caf\xc3\xa9"}}, false, 0},
        {{{"X:", "y"}}, true, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_head h = {0};
        int n = 0;
        for (; n < 3 && rows[i].fields[n].name != NULL; n++) {
            const struct field *f = &rows[i].fields[n];
            http_head_field(&h, f->name, strlen(f->name), f->value, strlen(f->value));
        }
        cr_expect_eq(http_head_is_bad(&h), rows[i].bad, "row %zu", i);
        cr_expect_eq(h.fields, n, "row %zu", i);
        if (!rows[i].bad) {
            cr_expect_eq(h.length, rows[i].length, "row %zu", i);
        }
    }
    struct http_head nul = {0};
    http_head_field(&nul, "X", 1, "a\0b", 3);
    cr_expect(http_head_is_bad(&nul));
}
