/* SPDX-License-Identifier: Apache-2.0 */
/* test_offers.c - the captured offers of real clients, and the shapes of others, over HTTP to the
 * built server, with credentials of ours so that each of them really joins: the answer is judged by
 * sdp_check.h, then ICE, DTLS and media follow the client's own offer, payload types, extensions
 * and DTLS role. Prints a table; with OFFERS_TABLE=PATH it is written there. */
#include "tests/conformance/suite.h"
#include "tests/server/server_kit.h"

#include <dirent.h>

#define OFFERS_MAX            128
#define MTU_OF_FFMPEG_ANSWERS 8192

static struct server server;
static struct suite suite;
static FILE *table;

struct offer {
    const char *dir; /* under tests/data */
    char name[128];
    bool play;
    int status;  /* wanted */
    bool silent; /* the answer alone is looked at */
};

static int by_name(const void *a, const void *b)
{
    const struct offer *x = a, *y = b;
    int dir = strcmp(x->dir, y->dir); /* "sdp" before "shapes" */
    return dir ? dir : strcmp(x->name, y->name);
}

static struct offer offers[OFFERS_MAX];
static unsigned n_offers;

/* What is to be refused, here where the stream played is VP8. */
static int status_of(const char *name)
{
    static const struct {
        const char *part;
        int status;
    } refused[] = {
        {"reoffer-2", 422}, /* two videos (WHIP-48) */
        {"pub-ice-lite", 422}, {"pub-no-bundle", 422},
        {"pub-sdes", 400},     {"play-sipsorcery", 422}, /* has H.264 only, */
        {"play-go2rtc", 422},                            /* no VP8 */
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (strstr(name, refused[i].part)) {
            return refused[i].status;
        }
    }
    return 201;
}

/* Shapes that the test's own peer cannot send by: it has neither G.711 nor H.265, and reads no
 * drafts. */
static bool is_silent(const char *name)
{
    static const char *const names[] = {"pub-esp-peer.", "pub-freeswitch.", "pub-h265.",
                                        "pub-libpeer.",  "pub-blanks.",     "pub-firefox60-sim"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strncmp(name, names[i], strlen(names[i]))) {
            return true;
        }
    }
    return false;
}

static void note_offer(const char *dir, const char *name)
{
    struct offer *o = &offers[n_offers];

    if (n_offers < OFFERS_MAX) {
        n_offers++;
        o->dir = dir;
        snprintf(o->name, sizeof(o->name), "%.*s", (int)(strlen(name) - 4), name);
        o->play = strstr(name, "play") != NULL;
        o->silent = is_silent(name);
        o->status = status_of(name);
    }
}

static void note_captured(const char *name, const char *text, size_t len)
{
    (void)text;
    (void)len;
    note_offer("sdp", name);
}

static void note_shape(const char *name, const char *text, size_t len)
{
    (void)text;
    (void)len;
    note_offer("shapes", name);
}

/* The captured text with our credentials in every place of theirs. */
static const char *with_credentials(struct party *p, const char *text)
{
    static const char *const names[] = {"a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"};
    struct suite *s = p->suite;
    struct check_doc *d = suite_alloc(s, sizeof(*d));
    size_t cap = 2 * strlen(text) + 1, n = 0;
    char *out = suite_alloc(s, cap);

    check_cut(text, d);
    for (int i = 0; i < d->n_lines; i++) {
        const char *line = d->lines[i];
        for (int k = 0; k < 3; k++) {
            if (!strncmp(line, names[k], strlen(names[k]))) {
                line = suite_keep(s, "%s%s", names[k], check_get(&p->offer, 1, names[k]));
            }
        }
        n += (size_t)snprintf(out + n, cap - n, "%s\r\n", line);
    }
    free(d->text);
    return out;
}

/* The rids of a captured offer, in its order. Returns their number. */
static unsigned read_rids(struct suite *s, const char *text, const char **rids)
{
    const char *line = strstr(text, "a=simulcast:send ");
    unsigned n = 0;

    if (!line) {
        return 0;
    }
    line += strlen("a=simulcast:send ");
    while (n < PEER_LAYERS_MAX && *line != '\r' && *line != '\n') {
        size_t len = strcspn(line, ";\r\n ");
        rids[n++] = suite_keep(s, "%.*s", (int)len, line);
        line += len + (line[len] == ';');
    }
    return n;
}

/* The SSRCs of a legacy simulcast group. Returns their number. */
static unsigned read_group(const char *text, uint32_t *ssrcs)
{
    const char *line = strstr(text, "a=ssrc-group:SIM ");
    int n = line ? sscanf(line, "a=ssrc-group:SIM %u %u %u", &ssrcs[0], &ssrcs[1], &ssrcs[2]) : 0;

    return (unsigned)n;
}

/* What must be true of a client's answer beyond the rules for all. */
static void judge_client(const struct offer *o, const struct party *p, struct check_log *log)
{
    const char *body = p->created->body;
    const char *candidate = check_get(&p->answer, doc_tagged(&p->answer), "a=candidate:");
    unsigned offered = 0, kept = 0;

    CHECK(log, candidate && strstr(candidate, " udp ") && strstr(candidate, " typ host"),
          "the first candidate is not a UDP host: %s", candidate ? candidate : "none");
    if (strstr(o->name, "ffmpeg")) {
        CHECK(log, p->created->len < MTU_OF_FFMPEG_ANSWERS, "%zu bytes", p->created->len);
        CHECK(log, strstr(body, "a=setup:active"), "FFmpeg is passive: setup must be active");
    }
    for (int i = 1; i <= p->offer.n_sections; i++) {
        offered += (unsigned)check_count(&p->offer, i, "a=rid:");
        kept += (unsigned)check_count(&p->answer, i, "a=rid:");
    }
    CHECK(log, offered == kept, "%u of %u layers kept", kept, offered);
    for (int a = 1; a <= p->answer.n_sections; a++) { /* one meaning for each id of the BUNDLE */
        for (int i = 0; check_nth(&p->answer, a, "a=extmap:", i); i++) {
            const char *x = check_nth(&p->answer, a, "a=extmap:", i);
            for (int b = a + 1; b <= p->answer.n_sections; b++) {
                const char *y;
                for (int k = 0; (y = check_nth(&p->answer, b, "a=extmap:", k)); k++) {
                    bool clash = strtol(x, NULL, 10) == strtol(y, NULL, 10) &&
                                 strcmp(x + strcspn(x, " "), y + strcspn(y, " "));
                    CHECK(log, !clash, "extension id %ld has two meanings", strtol(x, NULL, 10));
                }
            }
        }
    }
}

/* "audio opus 111, video VP8 96, application" of the accepted sections, "-" for rejected ones. */
static const char *describe(struct party *p)
{
    char text[400] = "";
    size_t n = 0;

    for (int i = 1; i <= p->answer.n_sections && n < sizeof(text) - 60; i++) {
        const char *map = check_get(&p->answer, i, "a=rtpmap:"),
                   *name = map ? strchr(map, ' ') : "";
        if (!doc_accepted(&p->answer, i)) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s-", n ? ", " : "");
            continue;
        }
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.11s%.*s%s%.3s", n ? ", " : "",
                              check_field(&p->answer, i, 0), (int)strcspn(name, "/"), name,
                              map ? " " : "", map ? check_pts(&p->answer, i) : "");
    }
    return suite_keep(p->suite, "%s", text);
}

/* A viewer of this stream, that takes whatever it carries. */
static struct party *viewer_of(struct suite *s, const char *stream)
{
    struct peer_params m;

    suite_params(s, true, &m);
    m.codecs = 1U << PEER_VP8 | 1U << PEER_VP9 | 1U << PEER_H264 | 1U << PEER_AV1;
    return party_watch(s, &(struct plan){.play = true,
                                         .params = &m,
                                         .url = suite_keep(s, "http://127.0.0.1:%u/whep/%s",
                                                           server.http_port, stream)});
}

static struct party *publisher_of(struct suite *s, const char *stream)
{
    return party_live(s, &(struct plan){.url = suite_keep(s, "http://127.0.0.1:%u/whip/%s",
                                                          server.http_port, stream)});
}

/* The captured offer on its way: POST, answer, DTLS. */
static struct party *join(const struct offer *o, const char *text)
{
    struct suite *s = &suite;
    const char *url = suite_keep(s, "http://127.0.0.1:%u/%s/%s", server.http_port,
                                 o->play ? "whep" : "whip", o->play ? "source" : o->name);
    struct peer_params m;

    suite_params(s, o->play, &m);
    const char *rids[PEER_LAYERS_MAX];
    unsigned n = o->play ? 0 : read_rids(s, text, rids);
    unsigned grouped = read_group(text, m.video_ssrcs);
    m.quirks |= grouped ? PEER_QUIRK_SIM_GROUP : 0;
    m.n_layers = grouped ? grouped : n ? n : 1;
    for (unsigned i = 0; i < n; i++) {
        m.rids[i] = rids[i];
    }
    struct party *own = party_new(s, &(struct plan){.play = o->play, .params = &m, .url = url});
    own->offer_text = suite_keep(s, "%s", with_credentials(own, text));
    free(own->offer.text);
    check_cut(own->offer_text, &own->offer);
    own->created =
        ASK(s, .method = "POST", .url = url, .type = "application/sdp", .body = own->offer_text);
    party_take_reply(own, url);
    return own;
}

static bool has_picture(void *ctx)
{
    return peer_stats(((struct party *)ctx)->peer)->keyframes > 0;
}

static void try_offer(const struct offer *o)
{
    struct suite *s = &suite;
    struct check_log log = {""};
    char path[256];
    size_t len;

    s->verdict = (struct outcome){.result = PASS};
    snprintf(path, sizeof(path), "%s/%s.sdp", o->dir, o->name);
    char *text = fixture_load(path, &len);
    struct party *p = o->play && !publisher_of(s, "source") ? NULL : join(o, text);
    bool ok = p && p->created->status == o->status;
    const char *media = "-";
    if (ok && o->status == 201 && !o->silent) {
        check_answer(p->offer_text, p->created->body, !o->play, &log);
        judge_client(o, p, &log);
        if (party_up(p)) {
            struct party *other = o->play ? p : viewer_of(s, o->name);
            bool flows = other && party_more(other, 30) && !party_faults(other)[0];
            bool video = doc_accepted(&p->answer, doc_section(&p->answer, "video", 0));
            flows = flows && (!video || suite_until(s, has_picture, other));
            media = flows ? "flows" : "none";
        }
        ok = !log.text[0] && !strcmp(media, "flows");
    }
    check(ok, "%s: %d, %s", o->name, p ? p->created->status : 0, ok ? describe(p) : log.text);
    if (!ok) {
        note("%s %s; %s; %s", p ? reply_brief(p->created) : "no publisher", s->verdict.expected,
             s->verdict.got, p ? peer_error(p->peer) : "");
    }
    const char *setup =
        p && o->status == 201 ? doc_get(&p->answer, doc_tagged(&p->answer), "a=setup:") : "-";
    fprintf(table, "| %s | %s | %d of %d | %d | %s | %s | %zu | %s |\n", o->name,
            o->play ? "play" : "publish", p ? p->answer.n_sections : 0, p ? p->offer.n_sections : 0,
            p ? p->created->status : 0, p ? describe(p) : "", setup ? setup : "-",
            p ? p->created->len : 0, media);
    free(text);
    suite_clean_up(s);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"http.posts_per_ip_per_s=1000", NULL};
    const char *out = getenv("OFFERS_TABLE");
    struct suite_options opts = {
        .whip = "http://x/", .whep = "http://x/", .patience_ms = SERVER_PATIENCE_MS};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    table = out ? fopen(out, "w") : stdout;
    if (!table || suite_init(&suite, &opts) < 0) {
        return 1;
    }
    (void)fixture_each("sdp", ".sdp", note_captured);
    (void)fixture_each("shapes", ".sdp", note_shape);
    qsort(offers, n_offers, sizeof(offers[0]), by_name);
    check(n_offers >= 73 + 32, "%u offers", n_offers);
    fprintf(
        table, "%s",
        "# Offers of real clients\n\nEach offer of `tests/data/sdp`, and at the end each shape of "
        "`tests/data/shapes`, posted with credentials of the test's own: answered, the answer "
        "judged by `tests/sdp_check.h`, joined by DTLS, and media sent through it (to a viewer, or "
        "from a publisher of VP8 and Opus). "
        "`conformance_offers` does it; with `OFFERS_TABLE=tests/conformance/OFFERS.md` in its "
        "environment it writes this anew.\n\n");
    fprintf(table,
            "| offer | role | m-lines answered | status | accepted | setup | bytes | media |\n"
            "|---|---|---|---|---|---|---|---|\n");
    for (unsigned i = 0; i < n_offers; i++) {
        try_offer(&offers[i]);
    }
    if (out) {
        fclose(table);
    }
    suite_fini(&suite);
    server_fini(&server);
    return check_report();
}
