/* SPDX-License-Identifier: Apache-2.0 */
/* check_whip_session.c - RFC 9725: the session URL, its end, ICE servers, takeover, time-outs. */
#include "tests/conformance/checks.h"

#include <ctype.h>
#include <strings.h>

#define TAKEOVER_MS  3000
#define HALF_OPEN_MS 35000

static void get_session(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    const struct reply *r = ASK(s, .method = "GET", .url = p->url);
    EXPECT(s, r->status >= 200 && r->status < 300, "status 2xx", "%s", reply_brief(r));
    EXPECT(s, r->len == 0, "no body", "%zu bytes", r->len);
    (void)party_more(p, 20);
}

static void session_tokens(struct suite *s)
{
    SKIP_IF(s, !s->o.token, "no --token: the server asks for none");
    struct party *p = check_session(s, false);
    if (!p) {
        return;
    }
    const struct reply *r = ASK(s, .method = "DELETE", .url = p->url, .token = "not-the-token");
    EXPECT_STATUS(s, r, 401);
    r = ASK(s, .method = "DELETE", .url = p->url, .token = "");
    SKIP_IF(s, r->status == 401, "the session URL needs the token as well");
    EXPECT_STATUS(s, r, 200);
}

static double bits_of(const char *id)
{
    bool hex = true;
    double n = 0;

    for (const char *p = id; *p; p++) {
        n += isalnum((unsigned char)*p) || *p == '-' || *p == '_' ? 1 : 0;
        hex = hex && (isxdigit((unsigned char)*p) || *p == '-');
    }
    return n * (hex ? 4 : 5.9);
}

static void unguessable(struct suite *s)
{
    struct party *a = POST(s, 0), *b = POST(s, 0);

    EXPECT_STATUS(s, a->created, 201);
    SKIP_IF(s, b->created->status != 201, "no two sessions at a time here");
    const char *x = strrchr(a->url, '/') + 1, *y = strrchr(b->url, '/') + 1;
    EXPECT(s, bits_of(x) >= 128, "at least 128 bits", "%s", x);
    size_t same = 0;
    while (x[same] && x[same] == y[same]) {
        same++;
    }
    EXPECT(s, same <= 4, "no common prefix", "%s and %s", x, y);
}

static void delete_with_tag(struct suite *s)
{
    struct party *p = check_session(s, false);

    if (p) {
        const struct reply *r =
            ASK(s, .method = "DELETE", .url = p->url, .headers = "If-Match: \"stale-tag\"\r\n");
        EXPECT_STATUS(s, r, 200);
        p->ended = true;
    }
}

static void delete_again(struct suite *s)
{
    struct party *p = check_session(s, false);

    if (!p) {
        return;
    }
    const struct reply *first = party_delete(p), *second = party_delete(p);
    EXPECT_STATUS(s, first, 200);
    EXPECT_STATUS(s, second, 200);
    size_t folder = (size_t)(strrchr(p->url, '/') + 1 - p->url);
    const struct reply *unknown =
        ASK(s, .method = "DELETE",
            .url = suite_keep(s, "%.*sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", (int)folder, p->url));
    const struct reply *malformed =
        ASK(s, .method = "DELETE", .url = suite_keep(s, "%.*s%%20-", (int)folder, p->url));
    EXPECT_STATUS(s, unknown, 404);
    EXPECT_STATUS(s, malformed, 404);
}

static void delete_after_close(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    peer_send_close(p->peer);
    suite_wait(s, 100);
    const struct reply *r = party_delete(p);
    EXPECT_STATUS(s, r, 200);
}

/* ---- Link ---- */

static bool is_ice_link(const char *link)
{
    return strstr(link, "rel=\"ice-server\"") || strstr(link, "rel=ice-server");
}

/* scheme:host[:port][?transport=...] without any "//" (RFC 7064, RFC 7065). */
static bool is_ice_uri(const char *link)
{
    static const char *const schemes[] = {"<stun:", "<stuns:", "<turn:", "<turns:"};
    size_t n = strcspn(link, ">");

    for (int i = 0; i < 4; i++) {
        size_t len = strlen(schemes[i]);
        if (!strncmp(link, schemes[i], len)) {
            return link[n] == '>' && n > len && link[len] != '/' && !memchr(link, '%', n) &&
                   !memchr(link, ' ', n);
        }
    }
    return false;
}

static void ice_servers(struct suite *s)
{
    struct party *p = POST(s, 0);
    unsigned n = 0;

    EXPECT_STATUS(s, p->created, 201);
    for (unsigned i = 0; reply_nth(p->created, "Link", i); i++) {
        const char *link = reply_nth(p->created, "Link", i);
        if (!is_ice_link(link)) {
            continue;
        }
        n++;
        EXPECT(s, is_ice_uri(link), "<stun:host> or <turn:host?transport=udp>", "%s", link);
        bool turn = !strncmp(link, "<turn", 5);
        EXPECT(s, !turn || (strstr(link, "username=\"") && strstr(link, "credential=\"")),
               "username and credential for TURN", "%s", link);
        EXPECT(s, !strstr(link, ">,"), "one server per header", "%s", link);
    }
    SKIP_IF(s, !n, "no ice-server Link: the server offers none");
}

static void preflight_has_no_servers(struct suite *s)
{
    const struct reply *r = ASK(s, .method = "OPTIONS", .url = s->o.whip, .token = "",
                                .headers = "Origin: https://player.example\r\n"
                                           "Access-Control-Request-Method: POST\r\n");

    for (unsigned i = 0; reply_nth(r, "Link", i); i++) {
        EXPECT(s, !is_ice_link(reply_nth(r, "Link", i)), "no ice-server in a preflight", "%s",
               reply_nth(r, "Link", i));
    }
}

/* The value of a quoted parameter; NULL if absent. */
static const char *param(struct suite *s, const char *link, const char *name)
{
    const char *p = strstr(link, suite_keep(s, "%s=\"", name));

    return p ? suite_keep(s, "%.*s", (int)strcspn(p + strlen(name) + 2, "\""), p + strlen(name) + 2)
             : NULL;
}

static void plain_credentials(struct suite *s)
{
    struct party *p = POST(s, 0);
    unsigned n = 0;

    EXPECT_STATUS(s, p->created, 201);
    for (unsigned i = 0; reply_nth(p->created, "Link", i); i++) {
        const char *link = reply_nth(p->created, "Link", i);
        const char *user = param(s, link, "username"), *word = param(s, link, "credential");
        if (!is_ice_link(link) || !user || !word) {
            continue;
        }
        n++;
        EXPECT(s, !strpbrk(user, ",;'") && !strpbrk(word, ",;'"), "no , ; or ' in credentials",
               "%s", link);
        EXPECT(s,
               strstr(link, "rel=") < strstr(link, "username=") &&
                   strstr(link, "username=") < strstr(link, "credential=\""),
               "rel, username, credential in this order", "%s", link);
    }
    SKIP_IF(s, !n, "no TURN server with credentials");
}

/* Each Link is "<URI>; rel=...": an unknown one can then be skipped. */
static void links_are_links(struct suite *s)
{
    struct party *p = POST(s, 0);

    EXPECT_STATUS(s, p->created, 201);
    for (unsigned i = 0; reply_nth(p->created, "Link", i); i++) {
        const char *link = reply_nth(p->created, "Link", i);
        EXPECT(s, link[0] == '<' && strchr(link, '>') && strstr(link, "rel="),
               "<URI>; rel=... (RFC 8288 3)", "%s", link);
    }
    if (party_up(p)) { /* without the use of any extension */
        (void)party_more(p, 10);
    }
}

static void all_candidates(struct suite *s)
{
    struct party *p = POST(s, 0);

    EXPECT_STATUS(s, p->created, 201);
    int tag = doc_tagged(&p->answer);
    EXPECT(s, tag && check_count(&p->answer, tag, "a=candidate:") > 0,
           "candidates in the answer's first accepted section", "%.300s", p->created->body);
}

static void https(struct suite *s)
{
    bool loopback = strstr(s->o.whip, "//127.") || strstr(s->o.whip, "//localhost") ||
                    strstr(s->o.whip, "//[::1]");

    SKIP_IF(s, loopback && !strncmp(s->o.whip, "http:", 5), "plain HTTP on loopback");
    EXPECT(s, !strncmp(s->o.whip, "https:", 6), "https://", "%s", s->o.whip);
}

static void second_publisher(struct suite *s)
{
    struct party *first = LIVE(s, 0);

    if (!first) {
        return;
    }
    struct party *second = POST(s, 0);
    if (second->created->status == 409) {
        EXPECT(s, party_more(first, 20), "the first goes on", "it does not");
        return;
    }
    EXPECT(s, second->created->status == 201, "409, or a takeover", "%s",
           reply_brief(second->created));
    if (party_up(second) && party_more(second, 10)) {
        (void)suite_until_ms(s, TAKEOVER_MS, party_is_gone, first);
        EXPECT(s, party_is_gone(first), "the first publisher is told to stop (close_notify)",
               "both publish");
    }
}

static bool is_ended(void *ctx)
{
    struct party *p = ctx;

    return ASK(p->suite, .method = "GET", .url = p->url)->status == 404;
}

static void half_open_ends(struct suite *s)
{
    struct party *p = check_session(s, false);

    if (p) {
        int64_t end_us = suite_now_us() + HALF_OPEN_MS * 1000LL;
        while (!is_ended(p) && suite_now_us() < end_us) {
            suite_wait(s, 500);
        }
        EXPECT(s, is_ended(p), "404 for a session that never did ICE, within 35 s",
               "it is still there");
        p->ended = true;
    }
}

const struct check checks_whip_session[] = {
    {"WHIP-11", MUST, "RFC 9725 4.1", "GET of the session: 2xx without content, media goes on",
     get_session},
    {"WHIP-24", POLICY, "RFC 9725 4.7.1", "session URL: a wrong token is 401, none is accepted",
     session_tokens},
    {"WHIP-25", SHOULD, "RFC 9725 5", "session URLs cannot be guessed", unguessable},
    {"WHIP-26", MUST, "RFC 9725 4.2", "DELETE: 200, close_notify, ICE gone", check_delete},
    {"WHIP-27", MUST, "RFC 9725 4.3.1", "DELETE ignores entity tags", delete_with_tag},
    {"WHIP-28", POLICY, "RFC 9110 9.2.2", "a second DELETE: 200; an unknown or malformed id: 404",
     delete_again},
    {"WHIP-29", POLICY, "clients in the field", "DELETE after the client's close_notify: 200",
     delete_after_close},
    {"WHIP-57", MAY, "RFC 9725 4.6", "ICE servers: one Link header each", ice_servers},
    {"WHIP-58", SHOULD, "RFC 9725 4.6", "a preflight tells no ICE servers",
     preflight_has_no_servers},
    {"WHIP-59", POLICY, "clients in the field", "TURN credentials survive naive parsers",
     plain_credentials},
    {"WHIP-60", MUST, "RFC 9725 4.9", "extensions are Links and can be ignored", links_are_links},
    {"WHIP-61", MUST, "RFC 9725 4.3.2", "the answer comes with the candidates", all_candidates},
    {"WHIP-62", SHOULD, "RFC 9725 5", "HTTPS", https},
    {"WHIP-63", POLICY, "robustness", "a second publisher: 409 or takeover, never two",
     second_publisher},
    {"WHIP-67", POLICY, "robustness", "a session that never does ICE ends", half_open_ends},
    {0},
};
