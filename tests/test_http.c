/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server under honest and dishonest clients: limits, framing, pipelining, pages, drain. */
#include "tests/http_kit.h"

TestSuite(http, .init = kit_start, .fini = kit_stop);

static char big[1 << 19];

static struct reply raw(const char *text)
{
    return kit_raw(signaling_port(kit.s), text, strlen(text));
}

Test(http, holds_the_limits_of_headers_and_urls)
{
    /* SEC-02: n - 1, n, n + 1 */
    static const struct {
        int fields;
        int status;
    } rows[] = {{62, 200}, {63, 200}, {64, 431}, {200, 431}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = 0;
        for (int k = 0; k < rows[i].fields; k++) { // and Host
            n += (size_t)snprintf(big + n, sizeof(big) - n, "X-%d: y\r\n", k);
        }
        struct reply r = kit_do("GET", "/whip/a", big, NULL);
        cr_expect_eq(r.status, rows[i].status, "%d fields: %d", rows[i].fields, r.status);
    }
    static const struct {
        int len;
        int status;
    } urls[] = {{2047, 404}, {2048, 404}, {2049, 414}, {4000, 414}};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        memset(big, 'a', sizeof(big));
        big[0] = '/';
        big[urls[i].len] = '\0';
        char *url = strdup(big);
        cr_expect_eq(kit_do("GET", url, "", NULL).status, urls[i].status, "%d", urls[i].len);
        free(url);
    }
    static const struct {
        int bytes;
        int status;
    } blocks[] = {{15000, 200}, {16600, 431}, {40000, 431}, {300000, 431}};
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        int n = snprintf(big, sizeof(big), "X-Long: ");
        memset(big + n, 'a', (size_t)blocks[i].bytes);
        strcpy(big + n + blocks[i].bytes, "\r\n");
        struct reply r = kit_do("GET", "/whip/a", big, NULL);
        cr_expect_eq(r.status, blocks[i].status, "%d bytes: %d", blocks[i].bytes, r.status);
    }
}

Test(http, refuses_bodies_by_their_length_before_and_while_reading)
{
    /* SEC-05, WHIP-64 */
    static const struct {
        const char *path;
        const char *headers;
        size_t len;
        int status;
    } rows[] = {
        {"/whip/a", KIT_SDP, 128 * 1024, 400}, /* fits, and is no SDP */
        {"/whip/a", KIT_SDP, 128 * 1024 + 1, 413},
        {"/whip/a", KIT_SDP, 300 * 1024, 413},
        {"/session/x", KIT_FRAG, 8 * 1024, 404},
        {"/session/x", KIT_FRAG, 8 * 1024 + 1, 413},
        {"/", "", 8 * 1024 + 1, 413},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *body = malloc(rows[i].len + 1);
        memset(body, 'a', rows[i].len);
        body[rows[i].len] = '\0';
        struct reply r = kit_do("POST", rows[i].path, rows[i].headers, body);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %d", i, r.status);
        free(body);
    }
    struct reply r = raw("POST /whip/a HTTP/1.1\r\nHost: x\r\n" KIT_SDP
                         "Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n");
    cr_expect_eq(r.status, 413, "without waiting for a byte");
    cr_expect_str_eq(kit_header(&r, "Connection"), "close");
    /* Chunked: told while it streams. */
    size_t n = (size_t)snprintf(big, sizeof(big),
                                "POST /session/x HTTP/1.1\r\nHost: x\r\n" KIT_FRAG
                                "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 40; i++) {
        n += (size_t)snprintf(big + n, sizeof(big) - n, "100\r\n%0256d\r\n", 7);
    }
    n += (size_t)snprintf(big + n, sizeof(big) - n, "0\r\n\r\n");
    r = kit_raw(signaling_port(kit.s), big, n);
    cr_expect_eq(r.status, 413);
}

Test(http, refuses_messages_whose_end_is_in_doubt)
{
    /* SEC-07; what libmicrohttpd 0.9.75 hides from its user is not here. */
    static const char *const rows[] = {
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /whip/a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
        "GET /whip/a HTTP/1.1\r\nHost: x\r\nX: a\x01"
        "b\r\n\r\n",
        "GET /whip/a HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct reply r;
        static struct reply more;
        int fd = kit_connect(signaling_port(kit.s));
        kit_send(fd, rows[i], strlen(rows[i]));
        kit_read(fd, false, &r);
        cr_expect_eq(r.status, 400, "row %zu: %d", i, r.status);
        /* Nothing that follows on this connection is believed. */
        static const char smuggled[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        kit_send(fd, smuggled, sizeof(smuggled) - 1);
        kit_read(fd, false, &more);
        cr_expect(more.closed && more.status == 0, "row %zu: %d", i, more.status);
        close(fd);
    }
    cr_expect_eq(kit_plane.n_cmds, 0);
}

/* SEC-12, SEC-13: what a stranger writes comes back neither as a header nor as markup. */
Test(http, gives_nothing_back_that_a_header_or_a_page_could_read)
{
    static const struct {
        const char *method, *path, *headers;
    } rows[] = {
        {"POST", "/whip/a%0d%0aX-Evil:1", KIT_SDP},
        {"POST", "/whip/a%0aX-Evil:1/b", KIT_SDP},
        {"POST", "/whep/%3Cscript%3E", KIT_SDP},
        {"POST", "/whip/a?name=%3Cscript%3E%0d%0aX-Evil:1", KIT_SDP},
        {"POST", "/whip/<script>X-Evil", KIT_SDP},
        {"GET", "/<script>X-Evil</script>", ""},
        {"GET", "/whip/a?callback=X-Evil", ""},
        {"GET", "/session/<script>X-Evil", ""},
        {"GET", "/room.html?<script>X-Evil", ""},
        {"PATCH", "/session/X-Evil", KIT_FRAG "If-Match: \"X-Evil\"\r\n"},
        {"POST", "/whip/a", "Content-Type: X-Evil/<script>\r\n"},
        {"POST", "/whip/a", "Authorization: Bearer X-Evil\r\n" KIT_SDP},
        {"POST", "/whip/a",
         KIT_SDP "X-Forwarded-Proto: https\r\nX-Forwarded-Host: X-Evil<script>\r\n"},
        {"OPTIONS", "/whip/a",
         "Origin: https://a.example\r\nAccess-Control-Request-Method: X-Evil\r\n"},
        {"OPTIONS", "/whip/a",
         "Origin: https://a.example\r\nAccess-Control-Request-Headers: X-Evil: 1<script>\r\n"},
        {"OPTIONS", "/whip/a", "Origin: X-Evil<script>\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = kit_do(rows[i].method, rows[i].path, rows[i].headers, "v=0\r\nX-Evil\r\n");
        cr_expect_neq(r.status, 0, "row %zu", i);
        cr_expect(!strcasestr(r.head, "x-evil") && !strcasestr(r.head, "<script"), "row %zu: %s", i,
                  r.head);
        if (r.status >= 400) { /* else it is a page of ours */
            cr_expect(!strcasestr(r.body, "x-evil") && !strcasestr(r.body, "<script"),
                      "row %zu: %s", i, r.body);
            cr_expect_str_eq(kit_header(&r, "X-Content-Type-Options"), "nosniff", "row %zu", i);
        }
    }
}

Test(http, pipelined_requests_are_answered_one_by_one)
{
    /* SEC-08 */
    static struct reply r;
    size_t n = 0;
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(big + n, sizeof(big) - n,
                              "POST /whip/p%d HTTP/1.1\r\nHost: x\r\n" KIT_SDP
                              "Content-Length: %zu\r\n\r\n%s",
                              i, strlen(KIT_OFFER("sendonly")), KIT_OFFER("sendonly"));
    }
    int fd = kit_connect(signaling_port(kit.s));
    kit_send(fd, big, n);
    for (int i = 0; i < 100; i++) {
        kit_read(fd, false, &r);
        cr_assert_eq(r.status, 201, "request %d", i);
    }
    close(fd);
    cr_expect_eq(kit_count(API_CMD_SESSION_ADD), 100);
}

Test(http, one_address_holds_only_so_many_connections)
{
    /* SEC-03 */
    int fds[200];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = kit_connect(signaling_port(kit.s));
        kit_turn();
    }
    int open = 0;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        char c;
        kit_turn();
        open += recv(fds[i], &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN ? 1 : 0;
    }
    cr_expect_eq(open, 128, "%d", open);
    cr_expect_eq(kit_admin("GET", "/livez").status, 200, "admin is not touched");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        close(fds[i]);
    }
    for (int i = 0; i < 100; i++) {
        kit_turn();
    }
    cr_expect_eq(kit_do("GET", "/whip/a", "", NULL).status, 200, "room again");
}

Test(http, serves_pages_with_a_strict_policy)
{
    struct reply r = kit_do("GET", "/", "", NULL);
    cr_assert_eq(r.status, 200);
    cr_expect_str_eq(kit_header(&r, "Content-Type"), "text/html; charset=utf-8");
    cr_expect_not_null(strstr(r.body, "<title>Sluice"));
    const char *policy = kit_header(&r, "Content-Security-Policy");
    cr_assert_not_null(policy);
    cr_expect_eq(strncmp(policy, "default-src 'self'; connect-src 'self';", 39), 0);
    cr_expect_null(strstr(policy, "unsafe"));
    cr_expect_str_eq(kit_header(&r, "X-Content-Type-Options"), "nosniff");
    char headers[128];
    snprintf(headers, sizeof(headers), "If-None-Match: %s\r\n", kit_header(&r, "ETag"));
    r = kit_do("GET", "/", headers, NULL);
    cr_expect_eq(r.status, 304);
    r = kit_do("HEAD", "/", "", NULL);
    cr_expect_eq(r.status, 200);
    cr_expect_gt(atoi(kit_header(&r, "Content-Length")), 100);
    r = kit_do("GET", "/app.css", "", NULL);
    cr_expect_eq(r.status, 200);
    cr_expect_str_eq(kit_header(&r, "Content-Type"), "text/css; charset=utf-8");
    static const struct {
        const char *method;
        const char *path;
        int status;
    } rows[] = {
        {"POST", "/", 405},
        {"GET", "/../etc/passwd", 404},
        {"GET", "/app.css/", 404},
        {"GET", "/metrics", 404},
        {"GET", "/livez", 404},
        {"GET", "/readyz", 404},
        {"GET", "/api/v1/sessions", 404},
        {"DELETE", "/api/v1/sessions/1", 404},
        {"GET", "/app.css?x=y", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(kit_do(rows[i].method, rows[i].path, "", NULL).status, rows[i].status,
                     "%s %s (SEC-17)", rows[i].method, rows[i].path);
    }
}

static void proxied(void)
{
    kit_stop();
    kit_prepare();
    kit.conf->http.trusted_proxies.n = 1;
    strcpy(kit.conf->http.trusted_proxies.s[0], "127.0.0.0/8");
    kit.conf->http.posts_per_ip_per_s = 1;
    kit_go();
}

Test(http, believes_trusted_proxies, .init = proxied)
{
    static const struct {
        const char *headers;
        const char *origin;
    } rows[] = {
        {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
         "m.example\r\n",
         "https://m.example/session/"},
        {"X-Forwarded-For: 192.0.2.2\r\n", "/session/"},
        {"X-Forwarded-For: 192.0.2.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a b\r\n",
         "/session/"},
        {"X-Forwarded-For: 192.0.2.4\r\nX-Forwarded-Proto: javascript\r\n", "/session/"},
        /* The kit's Host has no port; the outer one may have had. */
        {"X-Forwarded-For: 192.0.2.5\r\nX-Forwarded-Proto: https\r\n", "/session/"},
        {"X-Forwarded-For: 192.0.2.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n",
         "https://127.0.0.1/session/"},
        {"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n",
         "https://127.0.0.1:8443/session/"},
        {"X-Forwarded-For: 192.0.2.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1/x\r\n",
         "/session/"},
        {"X-Forwarded-For: 192.0.2.11\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: "
         "8443\r\nX-Forwarded-Host: m.example:81\r\n",
         "http://m.example:81/session/"},
        {"X-Forwarded-For: 192.0.2.12\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
         "m.example\r\nX-Forwarded-Prefix: /a/sluice/\r\n",
         "https://m.example/a/sluice/session/"},
        {"X-Forwarded-For: 192.0.2.13\r\nX-Forwarded-Prefix: /sluice\r\n", "/sluice/session/"},
        {"X-Forwarded-For: 192.0.2.14\r\nX-Forwarded-Prefix: //evil.example\r\n", "/session/"},
        {"X-Forwarded-For: 192.0.2.15\r\nX-Forwarded-Prefix: /a>;b\r\n", "/session/"},
        {"X-Forwarded-For: 192.0.2.16\r\nX-Forwarded-Prefix: a\r\n", "/session/"},
        {"X-Forwarded-For: 192.0.2.17\r\nX-Forwarded-Prefix: /\r\n", "/session/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = kit_publish("/whip/a", rows[i].headers);
        cr_assert_eq(r.status, 201);
        const char *v = kit_header(&r, "Location");
        cr_expect_eq(strncmp(v, rows[i].origin, strlen(rows[i].origin)), 0, "row %zu: %s", i, v);
    }
    /* Each client has a bucket of its own. */
    int passed = 0;
    for (int i = 0; i < 10; i++) {
        passed += kit_publish("/whip/a", "X-Forwarded-For: 192.0.2.9\r\n").status == 201 ? 1 : 0;
    }
    cr_expect(passed >= 5 && passed <= 6, "%d", passed);
    cr_expect_eq(kit_publish("/whip/a", "X-Forwarded-For: 192.0.2.10\r\n").status, 201);
}

Test(http, location_does_not_guess_what_a_silent_proxy_speaks)
{
    static const char *const hosts[] = {"media.example:8080",
                                        "[2001:db8::1]:8080",
                                        "localhost:8080",
                                        "127.0.0.1:8080",
                                        "a/b",
                                        "a\"b"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        int n = snprintf(big, sizeof(big),
                         "POST /whip/a HTTP/1.1\r\nHost: %s\r\n" KIT_SDP
                         "Content-Length: %zu\r\n\r\n%s",
                         hosts[i], strlen(KIT_OFFER("sendonly")), KIT_OFFER("sendonly"));
        struct reply r = kit_raw(signaling_port(kit.s), big, (size_t)n);
        cr_assert_eq(r.status, 201);
        const char *v = kit_header(&r, "Location");
        cr_expect_eq(strncmp(v, "/session/", 9), 0, "row %zu: %s", i, v);
    }
    struct reply r = kit_publish("/whip/b", "X-Forwarded-Prefix: /sluice\r\n");
    cr_expect_eq(strncmp(kit_header(&r, "Location"), "/session/", 9), 0,
                 "not from a proxy of ours");
}

Test(http, takes_request_targets_in_every_form)
{
    static const struct {
        const char *target;
        int status;
    } rows[] = {
        {"/whip/a", 200},
        {"http://127.0.0.1:8080/whip/a", 200}, /* RFC 9112 3.2.2 */
        {"https://media.example.org/whip/a?x=http://y", 200},
        {"http://media.example.org", 200},
        {"//whip/a", 200},
        {"/whip//a///", 200},
        {"/whip/http://a", 404},
        {"http:/whip/a", 404},
        {"://", 200}, /* the page */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reply r = kit_do("GET", rows[i].target, "", NULL);
        cr_expect_eq(r.status, rows[i].status, "%s: %d", rows[i].target, r.status);
    }
    struct reply r = kit_publish("http://media.example.org/whip/a", "");
    cr_assert_eq(r.status, 201);
    char url[256];
    snprintf(url, sizeof(url), "http://media.example.org%s/", kit_header(&r, "Location"));
    cr_expect_eq(kit_do("DELETE", url, "", NULL).status, 200, "%s", url);
}

static int drained;

static void on_drained(void *ctx)
{
    (void)ctx;
    drained++;
}

static void turn_for_ms(int ms)
{
    int64_t end = clock_now_us() + (int64_t)ms * US_PER_MS;
    while (clock_now_us() < end) {
        kit_turn();
    }
}

Test(http, drains_when_empty_or_at_the_deadline)
{
    struct reply r = kit_publish("/whip/a", "");
    uint64_t a = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    const char *session = kit_session(&r);
    kit_publish("/whip/b", "");
    uint64_t b = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    cr_expect_eq(kit_admin("GET", "/readyz").status, 200);
    signaling_drain(kit.s, -1, on_drained, NULL);
    cr_expect_eq(kit_admin("GET", "/readyz").status, 503);
    cr_expect_eq(kit_admin("GET", "/livez").status, 200);
    r = kit_publish("/whip/c", "");
    cr_expect_eq(r.status, 503);
    cr_expect_not_null(kit_header(&r, "Retry-After"));
    cr_expect_eq(kit_do("PATCH", session, KIT_FRAG, KIT_CURRENT).status, 204, "others go on");
    kit_say(API_EV_ENDED, a, API_END_CLIENT);
    turn_for_ms(100);
    cr_expect_eq(drained, 0);
    signaling_drain(kit.s, 50, on_drained, NULL);
    turn_for_ms(200);
    cr_assert_eq(kit_count(API_CMD_SESSION_END), 1);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, b);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_SHUTDOWN);
    cr_expect_eq(drained, 0, "it waits for the goodbye");
    kit_say(API_EV_ENDED, b, API_END_SHUTDOWN);
    for (int i = 0; i < 20 && drained == 0; i++) {
        turn_for_ms(100);
    }
    cr_expect_eq(drained, 1);
}

Test(http, reloads_tokens_and_keeps_the_old_ones_on_error)
{
    struct conf *fresh = malloc(sizeof(*fresh));
    const char *what = NULL;
    *fresh = *kit.conf;
    fresh->http.trusted_proxies.n = 1;
    strcpy(fresh->http.trusted_proxies.s[0], "nonsense");
    cr_expect_lt(signaling_reload(kit.s, fresh, &what), 0);
    cr_expect_not_null(what);
    cr_expect_eq(kit_publish("/whip/a", "").status, 201);
    fresh->http.trusted_proxies.n = 0;
    fresh->auth.n_tokens = 1;
    fresh->auth.tokens[0] =
        (struct conf_token){.token = "t", .name = "n", .pattern = "*", .publish = true};
    cr_assert_eq(signaling_reload(kit.s, fresh, &what), 0);
    cr_expect_eq(kit_publish("/whip/b", "").status, 401);
    cr_expect_eq(kit_publish("/whip/b", "Authorization: Bearer t\r\n").status, 201);
    free(kit.conf);
    kit.conf = fresh;
}
