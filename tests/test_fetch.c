/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "signaling/fetch.h"
#include "tests/stub_http.h"

static uv_loop_t loop;
static struct fetch_pool *pool;

static void start(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
    pool = fetch_pool_new(&loop);
    stub_start(&loop);
}

static void stop(void)
{
    fetch_pool_free(pool);
    stub_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "a handle was left open");
    stub_free();
}

TestSuite(fetch, .init = start, .fini = stop, .timeout = 30);

struct got {
    int calls;
    int status;
    char why[32];
    char body[256];
};

static void on_done(const struct fetch_result *res, void *ctx)
{
    struct got *g = ctx;
    g->calls++;
    g->status = res->status;
    cr_expect_eq(strlen(res->body), res->len);
    snprintf(g->why, sizeof(g->why), "%s", res->why);
    snprintf(g->body, sizeof(g->body), "%s", res->body);
}

static struct got get(const char *url, const char *body)
{
    struct got g = {0};
    struct fetch_params p = {.url = url,
                             .body = body,
                             .body_len = body != NULL ? strlen(body) : 0,
                             .headers = {"X-Test: 1"},
                             .timeout_ms = stub.status < 0 ? 300 : 10000,
                             .answer_max = 100,
                             .fn = on_done,
                             .ctx = &g};
    cr_assert_eq(fetch_start(pool, &p, NULL), 0);
    cr_expect_eq(g.calls, 0, "never from within");
    while (g.calls == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    return g;
}

Test(fetch, gets_and_posts)
{
    stub.body = "hello";
    struct got g = get(stub_url("/a?b=c"), NULL);
    cr_expect_eq(g.status, 200, "%s", g.why);
    cr_expect_str_eq(g.body, "hello");
    cr_expect_eq(strncmp(stub.requests[0].text, "GET /a?b=c HTTP/1.1\r\n", 21), 0);
    cr_expect_str_eq(stub_header(&stub.requests[0], "X-Test"), "1");
    cr_expect_eq(strncmp(stub_header(&stub.requests[0], "User-Agent"), "sluice/", 7), 0);
    stub.status = 404;
    g = get(stub_url("/p"), "body of mine");
    cr_expect_eq(g.status, 404);
    cr_expect_str_eq(stub.requests[1].body, "body of mine");
    cr_expect_str_eq(stub_header(&stub.requests[1], "Expect"), "");
}

Test(fetch, ends_with_a_word_for_what_failed)
{
    static char large[200];
    memset(large, 'x', sizeof(large) - 1);
    static const struct {
        int status;
        const char *head, *body;
        int want;
        const char *why;
    } rows[] = {
        {302, "Location: http://127.0.0.1:1/\r\n", "", 302, ""}, /* not followed */
        {200, "", large, 0, "too-large"},
        {-1, "", "", 0, "timeout"},
        {0, "", "", 0, "error"},
        {200, "", "fine", 200, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        stub.status = rows[i].status;
        stub.head = rows[i].head;
        stub.body = rows[i].body;
        struct got g = get(stub_url("/"), NULL);
        cr_expect_eq(g.status, rows[i].want, "row %zu", i);
        cr_expect_str_eq(g.why, rows[i].why, "row %zu", i);
        cr_expect_eq(g.calls, 1);
    }
    struct got g = get("http://127.0.0.1:1/", NULL);
    cr_expect_eq(g.status, 0);
    cr_expect_str_eq(g.why, "connect");
    g = get(stub_url("/"), NULL);
    cr_expect_eq(g.status, 200);
}

Test(fetch, asks_only_where_it_may)
{
    static const struct {
        const char *url;
        bool safe;
    } rows[] = {
        {"https://id.example/keys", true},
        {"http://127.0.0.1/", true},
        {"http://127.9.0.1:80/x", true},
        {"http://localhost:1/", true},
        {"http://[::1]:1/", true},
        {"http://id.example/", false},
        {"http://localhost.evil.example/", false},
        {"http://127.0.0.1.evil.example/", false},
        {"http://127.0.0.1@evil.example/", false},
        {"http://localhost:80@evil.example/", false},
        {"http://[::1].evil.example/", false},
        {"http://[::]/", false},
        {"http://0.0.0.0/", false},
        {"http://127.", false},
        {"ftp://127.0.0.1/", false},
        {"file:///etc/passwd", false},
        {"HTTP://127.0.0.1/", false},
        {"", false},
    };
    struct got g = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fetch_params p = {
            .url = rows[i].url, .timeout_ms = 100, .answer_max = 1, .fn = on_done, .ctx = &g};
        cr_expect_eq(fetch_is_safe(rows[i].url), rows[i].safe, "%s", rows[i].url);
        if (!rows[i].safe) {
            cr_expect_eq(fetch_start(pool, &p, NULL), -EINVAL, "%s", rows[i].url);
        }
    }
    struct fetch_params p = {.url = "ftp://127.0.0.1/", .http_ok = true, .fn = on_done, .ctx = &g};
    cr_expect_eq(fetch_start(pool, &p, NULL), -EINVAL);
}

Test(fetch, can_be_cancelled_and_stopped)
{
    struct got a = {0};
    struct got b = {0};
    struct fetch *f = NULL;
    struct fetch_params p = {
        .url = stub_url("/"), .timeout_ms = 5000, .answer_max = 1, .fn = on_done};
    stub.status = -1;
    p.ctx = &a;
    cr_assert_eq(fetch_start(pool, &p, &f), 0);
    p.ctx = &b;
    cr_assert_eq(fetch_start(pool, &p, NULL), 0);
    while (stub.n < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    fetch_cancel(f);
    fetch_pool_free(pool);
    cr_expect_eq(a.calls, 0);
    cr_expect_eq(b.calls, 1);
    cr_expect_str_eq(b.why, "stopped");
    pool = fetch_pool_new(&loop);
}
