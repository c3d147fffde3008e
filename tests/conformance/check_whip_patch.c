/* SPDX-License-Identifier: Apache-2.0 */
/* check_whip_patch.c - RFC 9725 4.3: trickle and ICE restart. */
#include "tests/conformance/checks.h"

#include <strings.h>

#define FRAGMENT "application/trickle-ice-sdpfrag"

/* A session that takes PATCH; notes what speaks against it. */
static struct party *patchable(struct suite *s)
{
    struct party *p = check_session(s, false);

    if (!p) {
        return NULL;
    }
    const struct reply *r = party_patch(p, p->etag[0] ? p->etag : NULL, party_fragment(p));
    if (r->status == 405 || r->status == 501 || r->status == 422) {
        suite_skip(s, "the server does no trickle (%d)", r->status);
        return NULL;
    }
    return p;
}

static const char *tag_of(const struct party *p)
{
    return p->etag[0] ? p->etag : NULL;
}

static void no_tag(struct suite *s)
{
    struct party *p = patchable(s);

    if (!p) {
        return;
    }
    const struct reply *r = party_patch(p, NULL, party_fragment(p));
    SKIP_IF(s, !s->o.strict_etag && r->status == 204, "lenient by choice (no --strict-etag)");
    EXPECT_STATUS(s, r, 428);
}

static void list_of_tags(struct suite *s)
{
    struct party *p = patchable(s);

    if (p && p->etag[0]) {
        const struct reply *r =
            party_patch(p, suite_keep(s, "\"a\", %s", p->etag), party_fragment(p));
        EXPECT_STATUS(s, r, 204);
    }
}

static void star_with_current_ufrag(struct suite *s)
{
    static const char *const stars[] = {"*", "\"*\""};
    struct party *p = patchable(s);

    for (int i = 0; p && i < 2; i++) {
        const struct reply *r = party_patch(p, stars[i], party_fragment(p));
        EXPECT(s, r->status == 204, "204: plain trickle", "If-Match: %s: %s", stars[i],
               reply_brief(r));
    }
}

static void wrong_type(struct suite *s)
{
    struct party *p = patchable(s);

    if (!p) {
        return;
    }
    const struct reply *r =
        ASK(s, .method = "PATCH", .url = p->url, .type = "text/plain", .body = party_fragment(p),
            .headers = p->etag[0] ? suite_keep(s, "If-Match: %s\r\n", p->etag) : NULL);
    EXPECT_4XX(s, r);
    if (s->now->level == POLICY) {
        EXPECT_STATUS(s, r, 415);
        EXPECT(s, list_has(reply_get(r, "Accept-Patch"), FRAGMENT), "Accept-Patch: " FRAGMENT, "%s",
               reply_get(r, "Accept-Patch"));
    }
}

static void malformed(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    const struct reply *first = party_patch(p, tag_of(p), party_fragment(p));
    SKIP_IF(s, first->status == 405 || first->status == 501 || first->status == 422,
            "the server does no trickle (%d)", first->status);
    char *huge = suite_alloc(s, (1 << 20) + 1);
    memset(huge, 'a', 1 << 20);
    const char *rows[] = {
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
        "m=\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
        "\x01\x02\x03",
        "",
        huge,
    };
    for (int i = 0; i < 5; i++) {
        const struct reply *r = party_patch(p, tag_of(p), rows[i]);
        EXPECT(s, r->status == 400 || (i == 4 && r->status == 413), "400 (a megabyte: 413)",
               "row %d: %s", i, reply_brief(r));
    }
    (void)party_more(p, 20);
}

static void only_one_of_two(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    const struct reply *trickle = party_patch(p, tag_of(p), party_fragment(p));
    const struct reply *restart = party_restart(p, "*");
    bool trickles = trickle->status >= 200 && trickle->status < 300;
    bool restarts = restart->status == 200;
    SKIP_IF(s, trickles == restarts, trickles ? "the server does both" : "the server does neither");
    const struct reply *other = trickles ? restart : trickle;
    EXPECT_STATUS(s, other, 422);
}

/* The fragment with its candidate line replaced. */
static const char *with_candidate(struct party *p, const char *line)
{
    const char *text = party_fragment(p), *at = strstr(text, "a=candidate:");

    return suite_keep(p->suite, "%.*s%s\r\n%s", (int)(at - text), text, line,
                      strstr(at, "\r\n") + 2);
}

static void odd_candidates(struct suite *s)
{
    static const char *const lines[] = {
        "a=candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "a=candidate:2 1 udp 2122194687 5f3bd2a5-59ed-4a05-8d0d-7ddc0d94bafe.local 5000 typ host",
        "a=candidate:3 1 sctp 2122194687 192.0.2.7 5000 typ host",
        "a=candidate:4 1 udp 2122194687 no-such-name.invalid 5000 typ host",
        "a=candidate:5 1 udp 2122194687 192.0.2.7 5000 typ host generation 0 ufrag x network-id 1",
    };
    struct party *p = patchable(s);

    for (int i = 0; p && i < 5; i++) {
        const struct reply *r = party_patch(p, tag_of(p), with_candidate(p, lines[i]));
        EXPECT(s, r->status == 204, "204, the candidate dropped", "%s: %s", lines[i],
               reply_brief(r));
    }
    if (p && party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void unknown_mid(struct suite *s)
{
    struct party *p = patchable(s);

    if (p) {
        char *text = check_edit(party_fragment(p), "a=mid:0", "a=mid:nosuchmid", false);
        const struct reply *r = party_patch(p, tag_of(p), text);
        free(text);
        EXPECT_STATUS(s, r, 400);
    }
}

static void several_sections(struct suite *s)
{
    struct party *p = patchable(s);

    if (!p) {
        return;
    }
    const char *own = party_fragment(p);
    const char *body = suite_keep(
        s, "%sm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", own,
        doc_get(&p->offer, 2, "a=ice-ufrag:"), doc_get(&p->offer, 2, "a=ice-pwd:"));
    const struct reply *r = party_patch(p, tag_of(p), body);
    EXPECT_STATUS(s, r, 204);
}

/* ---- restart ---- */

/* A live publisher whose server restarts; skips the check otherwise. */
static struct party *restarted(struct suite *s, const char *if_match, const struct reply **ret)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return NULL;
    }
    if (!p->etag[0]) {
        suite_skip(s, "no ETag in the 201: no ICE restart here");
        return NULL;
    }
    *ret = party_restart(p, if_match ? if_match : p->etag);
    if ((*ret)->status == 405 || (*ret)->status == 501 || (*ret)->status == 422) {
        suite_skip(s, "the server does no ICE restart (%d)", (*ret)->status);
        return NULL;
    }
    return suite_expect(s, (*ret)->status == 200, "status 200", "%s", reply_brief(*ret)) ? p : NULL;
}

static void restart_with_tag(struct suite *s)
{
    const struct reply *r;
    struct party *p = restarted(s, NULL, &r);

    if (p) {
        (void)party_more(p, 20);
    }
}

static void restart_fails(struct suite *s)
{
    struct party *p = LIVE(s, 0);

    if (!p) {
        return;
    }
    SKIP_IF(s, !p->etag[0], "no ETag in the 201: no ICE restart here");
    const struct reply *r = party_patch(
        p, "*",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:newufrag\r\na=ice-pwd:short\r\n");
    EXPECT(s, r->status >= 400 && r->status < 600, "4xx or 5xx", "%s", reply_brief(r));
    struct party *v = VIEW(s); /* the old ICE session carries media */
    if (v) {
        (void)party_more(v, 30);
    }
}

static void old_candidates(struct suite *s)
{
    struct party *p = POST(s, 0);

    EXPECT_STATUS(s, p->created, 201);
    SKIP_IF(s, check_has(&p->answer, 0, "a=ice-lite"), "ICE-lite: the server checks no candidate");
    suite_skip(s, "full agents: which pairs are checked is seen at addresses that we do not have");
}

static void same_ice_attributes(struct suite *s)
{
    static const char *const names[] = {"a=ice-lite", "a=ice-options:", "a=ice-pacing:"};
    const struct reply *r;
    struct party *p = restarted(s, "*", &r);
    struct check_doc *d = suite_alloc(s, sizeof(*d));

    if (!p) {
        return;
    }
    check_cut(r->body, d);
    for (int i = 0; i < 3; i++) {
        const char *was = doc_get(&p->answer, doc_tagged(&p->answer), names[i]);
        const char *is = doc_get(d, d->n_sections ? 1 : 0, names[i]);
        EXPECT(s, (!was && !is) || (was && is && !strcmp(was, is)),
               "the ICE attributes of the first answer", "%s%s, now %s", names[i],
               was ? was : "(none)", is ? is : "(none)");
    }
    free(d->text);
}

static void late_fragment(struct suite *s)
{
    const struct reply *r;
    struct party *p = restarted(s, "*", &r);

    if (p) {
        const char *ufrag = doc_get(&p->offer, 1, "a=ice-ufrag:");
        const char *pwd = doc_get(&p->offer, 1, "a=ice-pwd:");
        r = party_patch(p, "*",
                        suite_keep(s,
                                   "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:%s\r\n"
                                   "a=ice-pwd:%s\r\n",
                                   ufrag, pwd));
        EXPECT_STATUS(s, r, 412);
        (void)party_more(p, 20);
    }
}

static void one_candidate(struct suite *s)
{
    const struct reply *r;
    struct party *p = restarted(s, "*", &r);
    int n = 0;

    if (!p) {
        return;
    }
    for (const char *at = r->body; (at = strstr(at, "a=candidate:")); at++) {
        n++;
    }
    EXPECT(s, n == 1, "one candidate", "%d", n);
    EXPECT(s, r->len > 2 && !strcmp(r->body + r->len - 2, "\r\n"), "CRLF at the end", "%.100s",
           r->body);
}

static void old_tag_after_restart(struct suite *s)
{
    const struct reply *r;
    struct party *p = restarted(s, "*", &r);

    if (p) {
        r = party_patch(p, reply_get(p->created, "ETag"), party_fragment(p));
        EXPECT_STATUS(s, r, 412);
    }
}

const struct check checks_whip_patch[] = {
    {"WHIP-30", MUST, "RFC 9725 4.3.1, RFC 9110 8.8.3", "the 201 has a strong, unique ETag",
     check_etag},
    {"WHIP-31", MUST, "RFC 9725 4.3.2", "trickle: 204, no content, no ETag", check_trickle},
    {"WHIP-32", MUST, "RFC 9725 4.3.1, RFC 6585 3", "PATCH without If-Match: 428", no_tag},
    {"WHIP-33", MUST, "RFC 9725 4.3.1", "PATCH with another tag: 412", check_trickle_stale},
    {"WHIP-33", MUST, "RFC 9725 4.3.1", "after a restart the old tag: 412", old_tag_after_restart},
    {"WHIP-34", MUST, "RFC 9110 13.1.1", "If-Match may be a list", list_of_tags},
    {"WHIP-35", POLICY, "RFC 9110 13.1.1", "If-Match: * with the current ufrag is plain trickle",
     star_with_current_ufrag},
    {"WHIP-36", MUST, "RFC 9725 4.3.1", "PATCH of another media type is refused", wrong_type},
    {"WHIP-36", POLICY, "RFC 5789 2.2", "PATCH of another media type: 415 and Accept-Patch",
     wrong_type},
    {"WHIP-37", MUST, "RFC 9725 4.3.1", "malformed fragments: 400, 413; the session goes on",
     malformed},
    {"WHIP-38", MUST, "RFC 9725 4.3.1", "trickle or restart alone: 422 for the other",
     only_one_of_two},
    {"WHIP-39", MUST, "RFC 9725 4.3.2", "TCP, .local, unknown candidates: 204, dropped",
     odd_candidates},
    {"WHIP-40", MUST, "RFC 9725 4.3.2", "a fragment for an unknown mid: 400", unknown_mid},
    {"WHIP-40", POLICY, "RFC 8840 9", "a fragment of several sections is taken", several_sections},
    {"WHIP-41", MUST, "RFC 9725 4.3.3", "restart: 200, new credentials, candidates, new tag",
     check_restart},
    {"WHIP-42", MUST, "RFC 9725 4.3.3", "new credentials under the current tag are a restart",
     restart_with_tag},
    {"WHIP-43", MUST, "RFC 9725 4.3.3", "a restart that fails leaves the old ICE session",
     restart_fails},
    {"WHIP-44", MUST, "RFC 9725 4.3.3, RFC 8839 4.4.1.1.1",
     "after a restart candidates of before are not checked", old_candidates},
    {"WHIP-45", MUST, "RFC 9725 4.3.3", "a restart repeats ice-options, ice-lite, ice-pacing",
     same_ice_attributes},
    {"WHIP-46", POLICY, "robustness", "a late fragment of an old generation: 412, no way back",
     late_fragment},
    {"WHIP-47", POLICY, "clients in the field", "a restart answers with one candidate and a CRLF",
     one_candidate},
    {0},
};
