/* SPDX-License-Identifier: Apache-2.0 */
/* check_sdp_shape.c - offer and answer: m-lines, BUNDLE, rtcp-mux, transport, what the text may
 * look like. */
#include "tests/conformance/checks.h"

#include <strings.h>

/* The answers to a publisher and to a viewer. */
struct both {
    struct party *p[2];
};

static bool answers(struct suite *s, struct both *b)
{
    b->p[1] = party_pair(s, &b->p[0]);
    return b->p[1] != NULL;
}

#define EACH_SECTION(b, p, i)                                                                      \
    for (int side = 0; side < 2; side++)                                                           \
        for (struct party *p = (b).p[side]; p; p = NULL)                                           \
            for (int i = 1; i <= p->answer.n_sections; i++)

static void same_sections(struct suite *s)
{
    struct both b;

    if (!answers(s, &b)) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        EXPECT(s, b.p[side]->answer.n_sections == b.p[side]->offer.n_sections,
               "as many m-lines as offered", "%d of %d", b.p[side]->answer.n_sections,
               b.p[side]->offer.n_sections);
    }
    EACH_SECTION(b, p, i)
    {
        const char *o = check_get(&p->offer, i, "a=mid:"), *a = check_get(&p->answer, i, "a=mid:");
        EXPECT(s, a && !strcmp(o, a), "the mid of the offer", "section %d: %s, was %s", i,
               a ? a : "none", o);
        EXPECT(s, !strcmp(check_field(&p->offer, i, 0), check_field(&p->answer, i, 0)),
               "the kind of the offer", "section %d: %s", i, check_field(&p->answer, i, 0));
    }
}

/* The offer's text with its two m-sections changed over. */
static const char *swapped(struct suite *s, const char *text)
{
    const char *a = strstr(text, "m=audio"), *v = strstr(text, "m=video");
    const char *swap = suite_keep(s, "%.*s%s%.*s", (int)(a - text), text, v, (int)(v - a), a);
    char *edited = check_edit(swap, "a=group:BUNDLE 0 1", "a=group:BUNDLE 1 0", false);
    const char *out = suite_keep(s, "%s", edited);

    free(edited);
    return out;
}

/* party_post with an offer made from the peer's own. */
static struct party *post_made(struct suite *s, bool play,
                               const char *(*make)(struct suite *s, const char *text))
{
    struct party *p = party_new(s, &(struct plan){.play = play});
    const char *url = play ? s->o.whep : s->o.whip;

    p->offer_text = suite_keep(s, "%s", make(s, p->offer_text));
    free(p->offer.text);
    check_cut(p->offer_text, &p->offer);
    p->created =
        ASK(s, .method = "POST", .url = url, .type = "application/sdp", .body = p->offer_text);
    party_take_reply(p, url);
    return p;
}

static void either_order(struct suite *s)
{
    struct party *pub = post_made(s, false, swapped);

    if (!party_up(pub) || !party_more(pub, 20)) {
        return;
    }
    EXPECT(s, doc_section(&pub->answer, "video", 0) == 1, "video first, as offered", "%.300s",
           pub->created->body);
    struct party *v = post_made(s, true, swapped);
    if (party_up(v) && party_more(v, 20)) {
        EXPECT(s, doc_section(&v->answer, "video", 0) == 1, "video first, as offered", "%.300s",
               v->created->body);
    }
}

static void rejected_section(struct suite *s)
{
    struct party *p = POST(s, .edits = {{"m=video 9", "m=video 0"}});

    EXPECT_STATUS(s, p->created, 201);
    EXPECT(s, !doc_accepted(&p->answer, 2), "port 0", "m=video %s", check_field(&p->answer, 2, 1));
    const char *group = check_get(&p->answer, 0, "a=group:BUNDLE ");
    EXPECT(s, !group || !check_has_word(group, "1"), "outside the group", "a=group:BUNDLE %s",
           group);
}

static void group_of_accepted(struct suite *s)
{
    static const struct edit rows[][2] = {{{NULL, NULL, false}}, {{"m=video 9", "m=video 0"}}};

    for (int r = 0; r < 2; r++) {
        struct plan plan = {.edits = {rows[r][0]}};
        struct party *p = party_post(s, &plan);
        EXPECT_STATUS(s, p->created, 201);
        const char *group = check_get(&p->answer, 0, "a=group:BUNDLE ");
        EXPECT(s, group, "a=group:BUNDLE", "none");
        for (int i = 1; i <= p->answer.n_sections; i++) {
            const char *mid = check_get(&p->answer, i, "a=mid:");
            EXPECT(s, mid && check_has_word(group, mid) == doc_accepted(&p->answer, i),
                   "exactly the accepted mids in the group", "a=group:BUNDLE %s; section %d", group,
                   i);
        }
        const char *first = check_get(&p->answer, doc_tagged(&p->answer), "a=mid:");
        EXPECT(s, first && !strncmp(group, first, strlen(first)),
               "the first accepted section leads the group", "%s", group);
    }
}

static void one_section_without_group(struct suite *s)
{
    struct peer_params m;

    suite_params(s, false, &m);
    m.n_audio = 0;
    struct party *p = POST(s, .params = &m, .edits = {{"a=group:BUNDLE 0\r\n", ""}});
    if (party_up(p)) {
        (void)party_more(p, 10);
    }
}

static void mux_everywhere(struct suite *s)
{
    struct both b;

    if (!answers(s, &b)) {
        return;
    }
    EACH_SECTION(b, p, i)
    {
        EXPECT(s,
               !doc_accepted(&p->answer, i) || (check_has(&p->answer, i, "a=rtcp-mux") &&
                                                check_has(&p->answer, i, "a=rtcp-mux-only")),
               "a=rtcp-mux and a=rtcp-mux-only", "section %d: %.300s", i, p->created->body);
    }
}

/* ---- transport attributes ---- */

static const char *at_session_level(struct suite *s, const char *text)
{
    static const char *const names[] = {"a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"};
    struct check_doc *d = suite_alloc(s, sizeof(*d));
    char *out = suite_alloc(s, 2 * strlen(text) + 1);
    size_t n = 0;

    check_cut(text, d);
    for (int i = 0; i < d->n_lines; i++) {
        bool moved = false;
        for (int k = 0; k < 4; k++) {
            moved = moved || !strncmp(d->lines[i], names[k], strlen(names[k]));
        }
        if (i == d->at[1]) {
            for (int k = 0; k < 4; k++) {
                n += (size_t)sprintf(out + n, "%s%s\r\n", names[k], check_get(d, 1, names[k]));
            }
        }
        n += moved ? 0 : (size_t)sprintf(out + n, "%s\r\n", d->lines[i]);
    }
    free(d->text);
    return out;
}

/* Other values at session level, which the media level overrules. */
static const char *media_wins(struct suite *s, const char *text)
{
    char *out = check_edit(text, "a=msid-semantic",
                           "a=ice-ufrag:someoneelse\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n"
                           "a=msid-semantic",
                           false);
    const char *kept = suite_keep(s, "%s", out);

    free(out);
    return kept;
}

static void transport_level(struct suite *s)
{
    const char *(*const makers[])(struct suite * s, const char *text) = {at_session_level,
                                                                         media_wins};

    for (int i = 0; i < 2; i++) {
        struct party *p = post_made(s, false, makers[i]);
        if (!party_up(p) || !party_more(p, 10)) {
            return;
        }
        (void)party_delete(p);
    }
}

/* Without all lines that begin so. */
static const char *without(struct suite *s, const char *text, const char *prefix)
{
    struct check_doc *d = suite_alloc(s, sizeof(*d));
    char *out = suite_alloc(s, strlen(text) + 1);
    size_t n = 0;

    check_cut(text, d);
    for (int i = 0; i < d->n_lines; i++) {
        if (strncmp(d->lines[i], prefix, strlen(prefix))) {
            n += (size_t)sprintf(out + n, "%s\r\n", d->lines[i]);
        }
    }
    free(d->text);
    return out;
}

static void transport_missing(struct suite *s)
{
    static const char *const rows[] = {"a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"};

    for (int i = 0; i < 3; i++) {
        struct party *own = party_new(s, &(struct plan){0});
        struct party *p = POST(s, .offer = without(s, own->offer_text, rows[i]));
        EXPECT(s, p->created->status >= 400 && p->created->status < 500, "status 4xx",
               "without %s: %s", rows[i], reply_brief(p->created));
    }
}

static void credential_length(struct suite *s)
{
    char long_one[300];
    const struct {
        const char *ufrag, *pwd;
    } rows[] = {
        {"abc", NULL},   {NULL, "abcdefghijklmnopqrstu"}, {long_one, NULL}, {"ab cd", NULL},
        {"ab!cd", NULL},
    };

    memset(long_one, 'a', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct party *own = party_new(s, &(struct plan){0});
        const char *name = rows[i].ufrag ? "a=ice-ufrag:" : "a=ice-pwd:";
        const char *old = check_get(&own->offer, 1, name);
        const char *was = suite_keep(s, "%s%s", name, old ? old : "");
        const char *now = suite_keep(s, "%s%s", name, rows[i].ufrag ? rows[i].ufrag : rows[i].pwd);
        struct party *p = POST(s, .offer = own->offer_text, .edits = {{was, now, true}});
        EXPECT(s, p->created->status >= 400 && p->created->status < 500,
               "4xx: ufrag 4 to 256, pwd 22 to 256 ice-chars", "row %zu: %s", i,
               reply_brief(p->created));
    }
}

static void setup_missing(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    struct party *p = POST(s, .offer = without(s, own->offer_text, "a=setup:"));

    EXPECT_STATUS(s, p->created, 201);
    const char *setup = doc_get(&p->answer, doc_tagged(&p->answer), "a=setup:");
    EXPECT(s, setup && !strcmp(setup, "passive"), "as if actpass: a=setup:passive", "%s",
           setup ? setup : "none");
}

static void setup_is_final(struct suite *s)
{
    struct both b;

    if (!answers(s, &b)) {
        return;
    }
    EACH_SECTION(b, p, i)
    {
        const char *v = doc_get(&p->answer, i, "a=setup:");
        EXPECT(s,
               !doc_accepted(&p->answer, i) ||
                   (v && (!strcmp(v, "active") || !strcmp(v, "passive"))),
               "a=setup:active or passive", "section %d: %s", i, v ? v : "none");
    }
}

/* ---- text ---- */

static void line_ends(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    size_t n = strlen(own->offer_text);
    char *rows[] = {
        check_edit(own->offer_text, "\r\n", "\n", true),
        strndup(own->offer_text, n - 2),
        check_edit(own->offer_text, "a=rtcp-mux\r\n", "a=rtcp-mux\r\n\r\n", false),
    };
    for (int i = 0; i < 3; i++) {
        struct party *p = POST(s, .offer = rows[i]);
        free(rows[i]);
        (void)suite_expect(s, p->created->status == 201, "201", "row %d: %s", i,
                           reply_brief(p->created));
        struct check_log log = {""};
        if (p->created->status == 201) {
            check_form(p->created->body, &log);
        }
        (void)suite_expect(s, !log.text[0], "an answer with CRLF only", "%s", log.text);
    }
}

static void form_of_answer(struct suite *s)
{
    struct check_log log = {""};
    struct both b;

    if (answers(s, &b)) {
        check_form(b.p[0]->created->body, &log);
        check_form(b.p[1]->created->body, &log);
        EXPECT(s, !log.text[0], "v=0 first, CRLF everywhere, no blank line", "%s", log.text);
    }
}

#define ODD_LINES                                                                                  \
    "a=x-unknown:1 2 3\r\na=rtcp:9 IN IP4 0.0.0.0\r\nb=AS:5000\r\nb=TIAS:5000000\r\n"              \
    "a=flag-of-tomorrow\r\na=rtcp-xr:rcvr-rtt=all\r\n"

static const char *many_sections(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    const char *video = strstr(own->offer_text, "m=video");
    size_t cap = strlen(own->offer_text) + 80 * strlen(video) + 1, n = 0;
    char *out = suite_alloc(s, cap);

    n += (size_t)snprintf(out, cap, "%s", own->offer_text);
    for (int i = 0; i < 70; i++) {
        n += (size_t)snprintf(out + n, cap - n, "%s", video);
    }
    return out;
}

static void limits(struct suite *s)
{
    struct party *own = party_new(s, &(struct plan){0});
    char *filler = suite_alloc(s, 9001);

    memset(filler, 'x', 9000);
    const char *line = suite_keep(s, "a=tool:%s\r\na=rtcp-mux\r\n", filler);
    char *with_line = check_edit(own->offer_text, "a=rtcp-mux\r\n", line, false);
    const char *rows[] = {with_line, many_sections(s)};
    for (int i = 0; i < 2; i++) {
        struct party *p = POST(s, .offer = rows[i]);
        (void)suite_expect(s, p->created->status == 400 || p->created->status == 413, "400 or 413",
                           "row %d: %s", i, reply_brief(p->created));
    }
    free(with_line);
}

static void odd_numbers(struct suite *s)
{
    static const struct edit rows[] = {
        {"m=audio 9 ", "m=audio 65536 ", false},
        {"m=audio 9 ", "m=audio -1 ", false},
        {"m=audio 9 ", "m=audio 99999999999999999999 ", false},
        {"a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/99999999999999999999/2", false},
        {"m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 9 UDP/TLS/RTP/SAVPF 300", false},
        {"a=mid:0", "a=mid:", false},
    };
    static const char nul[] =
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=\0-\r\nt=0 0\r\nm=audio 9 X 0\r\n";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct party *p = POST(s, .edits = {rows[i]});
        EXPECT(s, p->created->status >= 400 && p->created->status < 500, "4xx", "%s: %s",
               rows[i].put, reply_brief(p->created));
    }
    const struct reply *r = ASK(s, .method = "POST", .url = s->o.whip, .type = "application/sdp",
                                .body = nul, .len = sizeof(nul) - 1);
    EXPECT_4XX(s, r);
    struct party *p = POST(s, 0);
    EXPECT(s, p->created->status == 201, "the server lives on", "%s", reply_brief(p->created));
}

static void protos(struct suite *s)
{
    static const char *const rows[] = {"RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVPF"};

    for (int i = 0; i < 3; i++) {
        struct party *p = POST(s, .edits = {{"UDP/TLS/RTP/SAVPF", rows[i], true}});
        EXPECT(s, p->created->status == 201, "201", "%s: %s", rows[i], reply_brief(p->created));
        EXPECT(s, !strcmp(check_field(&p->answer, 1, 2), rows[i]), "the proto of the offer", "%s",
               check_field(&p->answer, 1, 2));
        (void)party_delete(p);
    }
}

static void mid_names(struct suite *s)
{
    static const char *const rows[] = {"a", "audio-and_more.16", "aVeryLongNameForASection"};

    for (int i = 0; i < 3; i++) {
        struct party *p = POST(s, .edits = {{"a=mid:0", suite_keep(s, "a=mid:%s", rows[i])},
                                            {"BUNDLE 0", suite_keep(s, "BUNDLE %s", rows[i])}});
        if (!party_up(p) || !party_more(p, 10)) {
            return;
        }
        const char *mid = check_get(&p->answer, 1, "a=mid:");
        EXPECT(s, mid && !strcmp(mid, rows[i]), "the mid byte by byte", "%s", mid ? mid : "none");
        (void)party_delete(p);
    }
}

const struct check checks_sdp_shape[] = {
    {"SDP-01", MUST, "RFC 3264 6, RFC 9429 5.3.1", "number, order, kind and mid of the m-lines",
     same_sections},
    {"SDP-02", MUST, "RFC 3264 6", "video before audio works both ways", either_order},
    {"SDP-04", MUST, "RFC 9143 6", "port 0 with bundle-only is not rejected", check_accepted_offer,
     &(struct acceptance){
         .edits = {{"m=video 9", "m=video 0"}, {"a=mid:1", "a=bundle-only\r\na=mid:1"}},
         .has = "m=video 9 ",
         .up = true}},
    {"SDP-05", MUST, "RFC 3264 6", "port 0 alone is answered with port 0, outside the group",
     rejected_section},
    {"SDP-06", MUST, "RFC 9143 7.3", "the group lists the accepted mids, the first one leads",
     group_of_accepted},
    {"SDP-07", POLICY, "clients in the field", "a group that names a mid without an m-line",
     check_accepted_offer,
     &(struct acceptance){.audio_only = true,
                          .edits = {{"BUNDLE 0\r\n", "BUNDLE 0 1\r\n"}},
                          .has = "a=group:BUNDLE 0\r\n",
                          .up = true}},
    {"SDP-08", POLICY, "RFC 5888 7", "a=group:LS does no harm", check_accepted_offer,
     &(struct acceptance){.edits = {{"a=group:BUNDLE", "a=group:LS 0 1\r\na=group:BUNDLE"}},
                          .up = true}},
    {"SDP-09", MUST, "RFC 9725 4.4.1", "several m-lines without BUNDLE are refused", check_refused,
     &(struct refusal){.edits = {{"a=group:BUNDLE 0 1\r\n", ""}}}},
    {"SDP-09", MUST, "RFC 9725 4.4.1", "one m-line needs no group", one_section_without_group},
    {"SDP-10", POLICY, "RFC 9725 4.4.1", "two groups: 422", check_refused,
     &(struct refusal){.edits = {{"a=group:BUNDLE 0 1", "a=group:BUNDLE 0\r\na=group:BUNDLE 1"}},
                       .status = 422}},
    {"SDP-10", POLICY, "RFC 9725 4.4.1", "an m-line outside the group: 422", check_refused,
     &(struct refusal){.edits = {{"a=group:BUNDLE 0 1", "a=group:BUNDLE 0"}}, .status = 422}},
    {"SDP-11", MUST, "RFC 9725 4.4.1", "an m-line without rtcp-mux is refused", check_refused,
     &(struct refusal){.edits = {{"a=rtcp-mux\r\n", "", true}}}},
    {"SDP-12", MUST, "RFC 9725 4.4.1, RFC 8858", "rtcp-mux and rtcp-mux-only in every section",
     mux_everywhere},
    {"SDP-19", MUST, "RFC 8839 5.4, RFC 8122 5", "transport at session level; media level wins",
     transport_level},
    {"SDP-20", MUST, "RFC 8839 5.4, RFC 8122 5", "no ufrag, pwd or fingerprint: refused",
     transport_missing},
    {"SDP-21", MUST, "RFC 8839 5.4", "ufrag and pwd of the wrong length or alphabet: refused",
     credential_length},
    {"SDP-22", POLICY, "RFC 8842 5.3", "no a=setup counts as actpass", setup_missing},
    {"SDP-23", MUST, "RFC 8842 5.3", "the answer's setup is active or passive", setup_is_final},
    {"SDP-24", POLICY, "RFC 8866 5", "LF, blank lines, no last line end: taken", line_ends},
    {"SDP-24", MUST, "RFC 8866 5", "answers begin with v=0, and all lines end in CRLF",
     form_of_answer},
    {"SDP-25", MUST, "RFC 8866 5.13", "unknown attributes and b= lines are ignored",
     check_accepted_offer,
     &(struct acceptance){.edits = {{"a=rtcp-mux\r\n", "a=rtcp-mux\r\n" ODD_LINES, true}},
                          .up = true}},
    {"SDP-26", POLICY, "robustness", "a line of 9 kB, 72 m-lines: 400", limits},
    {"SDP-27", POLICY, "robustness", "numbers out of range, NUL: 400", odd_numbers},
    {"SDP-28", MUST, "RFC 9429 5.1.2", "all secure protos are taken and echoed", protos},
    {"SDP-29", POLICY, "RFC 8827 6.5", "RTP/AVP: 422", check_refused,
     &(struct refusal){.edits = {{"UDP/TLS/RTP/SAVPF", "RTP/AVP", true}}, .status = 422}},
    {"SDP-39", POLICY, "RFC 5888 4", "mids are names, echoed byte by byte", mid_names},
    {0},
};
