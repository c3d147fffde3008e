/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_check.h - the rules of offer and answer, checked over the bare text of both: shares no code
 * with the product, so that a mistake of its reader cannot hide one of its writer. */
#ifndef TESTS_SDP_CHECK_H
#define TESTS_SDP_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/fixture.h"

#define CHECK_LINES_MAX    4096
#define CHECK_SECTIONS_MAX 70

/* A description cut into lines; section 0 is the session level, 1.. the m-lines. */
struct check_doc {
    char *text;
    int n_lines, n_sections;
    char *lines[CHECK_LINES_MAX];
    int at[CHECK_SECTIONS_MAX + 1]; /* first line of each section, and one past the end */
};

/* base with the first occurrence of find replaced (all of them if all). Heap text; aborts when find
 * is not in base, so that a row cannot test nothing. */
static inline char *check_edit(const char *base, const char *find, const char *replace, bool all)
{
    const char *at = strstr(base, find);
    if (!at) {
        fprintf(stderr, "not in the base text: %s\n", find);
        abort();
    }
    size_t cap = (strlen(base) + 1) * (strlen(replace) + 1) + 1;
    char *out = malloc(cap);
    size_t n = 0;
    while (at) {
        n += (size_t)snprintf(out + n, cap - n, "%.*s%s", (int)(at - base), base, replace);
        base = at + strlen(find);
        at = all ? strstr(base, find) : NULL;
    }
    snprintf(out + n, cap - n, "%s", base);
    return out;
}

/* The reasons found so far; empty means that all is well. */
struct check_log {
    char text[2048];
};

#define CHECK(log, cond, ...)                                                                      \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            size_t used_ = strlen((log)->text);                                                    \
            int n_ = snprintf((log)->text + used_, sizeof((log)->text) - used_, __VA_ARGS__);      \
            (void)n_;                                                                              \
            strncat((log)->text, "; ", sizeof((log)->text) - strlen((log)->text) - 1);             \
        }                                                                                          \
    } while (0)

static inline void check_cut(const char *text, struct check_doc *d)
{
    memset(d, 0, sizeof(*d));
    d->text = strdup(text);
    for (char *save = NULL, *l = strtok_r(d->text, "\r\n", &save);
         l && d->n_lines < CHECK_LINES_MAX && d->n_sections + 1 < CHECK_SECTIONS_MAX;
         l = strtok_r(NULL, "\r\n", &save)) {
        if (l[0] == 'm') {
            d->at[++d->n_sections] = d->n_lines;
        }
        d->lines[d->n_lines++] = l;
    }
    d->at[d->n_sections + 1] = d->n_lines;
}

/* The n-th line of a section that begins with prefix, behind the prefix; NULL if there is none. */
static inline const char *check_nth(const struct check_doc *d, int section, const char *prefix,
                                    int n)
{
    for (int i = d->at[section]; i < d->at[section + 1]; i++) {
        if (strncmp(d->lines[i], prefix, strlen(prefix)) == 0 && n-- == 0) {
            return d->lines[i] + strlen(prefix);
        }
    }
    return NULL;
}

static inline const char *check_get(const struct check_doc *d, int section, const char *prefix)
{
    return check_nth(d, section, prefix, 0);
}

static inline bool check_has(const struct check_doc *d, int section, const char *line)
{
    for (int n = 0;; n++) {
        const char *rest = check_nth(d, section, line, n);
        if (!rest || !*rest) {
            return rest != NULL;
        }
    }
}

static inline int check_count(const struct check_doc *d, int section, const char *prefix)
{
    int n = 0;
    while (check_nth(d, section, prefix, n)) {
        n++;
    }
    return n;
}

/* Field i of the m-line, 0 = media. Static text. */
static inline const char *check_field(const struct check_doc *d, int section, int i)
{
    static char fields[8][512];
    static int turn;
    char *out = fields[turn++ % 8];
    const char *p = d->lines[d->at[section]] + 2;
    while (i-- > 0 && *p) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    snprintf(out, 512, "%.*s", (int)strcspn(p, " "), p);
    return out;
}

static inline bool check_has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p && *p;) {
        size_t len = strcspn(p, " ");
        if (len == n && strncmp(p, word, n) == 0) {
            return true;
        }
        p += len;
        p += strspn(p, " ");
    }
    return false;
}

static inline const char *check_pts(const struct check_doc *d, int section)
{
    const char *p = d->lines[d->at[section]];
    for (int i = 0; i < 3; i++) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    return p;
}

/* True when the answer's parameters are those offered, but for parameter sets: those are of who
 * sends, and nothing is sent back. */
static inline bool check_fmtp(const char *mine, const char *theirs)
{
    for (const char *p = theirs; *p; p += strspn(p, "; ")) {
        size_t len = strcspn(p, ";");
        bool sets = !strncmp(p, "sprop-parameter-sets=", 21) || !strncmp(p, "sprop-vps=", 10) ||
                    !strncmp(p, "sprop-sps=", 10) || !strncmp(p, "sprop-pps=", 10);
        bool there = false;
        for (const char *q = mine; *q; q += strcspn(q, ";"), q += strspn(q, "; ")) {
            there = there || (strcspn(q, ";") == len && !strncmp(p, q, len));
        }
        if (there == sets) {
            return false;
        }
        p += len;
    }
    return true;
}

/* True for "\r\n" line ends only, no blank line, and a proper start and end. */
static inline void check_form(const char *text, struct check_log *log)
{
    size_t n = strlen(text);
    CHECK(log, strncmp(text, "v=0\r\n", 5) == 0, "does not start with v=0");
    CHECK(log, n > 2 && strcmp(text + n - 2, "\r\n") == 0, "does not end with CRLF");
    CHECK(log, !strstr(text, "\r\n\r\n"), "blank line");
    for (size_t i = 0; i < n; i++) {
        bool lf_ok = text[i] != '\n' || (i > 0 && text[i - 1] == '\r');
        bool cr_ok = text[i] != '\r' || text[i + 1] == '\n';
        if (!lf_ok || !cr_ok) {
            CHECK(log, false, "bare CR or LF at %zu", i);
            return;
        }
    }
    CHECK(log, !strstr(text, "actpass") && !strstr(text, "holdconn"), "setup not final");
    CHECK(log, !strstr(text, "bundle-only"), "bundle-only in an answer");
}

static inline void check_codecs(const struct check_doc *o, const struct check_doc *a, int s,
                                struct check_log *log)
{
    char seen[128] = {0};
    const char *list = check_pts(a, s);
    for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        char pt[8], prefix[32], other[32];
        snprintf(pt, sizeof(pt), "%.*s", (int)strcspn(p, " "), p);
        int v = atoi(pt);
        CHECK(log, v >= 0 && v < 128 && !seen[v], "section %d: PT %s twice or out of range", s, pt);
        seen[v & 127] = 1;
        CHECK(log, check_has_word(check_pts(o, s), pt), "section %d: PT %s not offered", s, pt);
        snprintf(prefix, sizeof(prefix), "a=rtpmap:%s ", pt);
        const char *mine = check_get(a, s, prefix);
        const char *theirs = check_get(o, s, prefix);
        CHECK(log, mine && check_count(a, s, prefix) == 1, "section %d: PT %s: rtpmap", s, pt);
        CHECK(log, !theirs || !mine || strcasecmp(mine, theirs) == 0,
              "section %d: PT %s: rtpmap %s was %s", s, pt, mine, theirs);
        snprintf(prefix, sizeof(prefix), "a=fmtp:%s ", pt);
        mine = check_get(a, s, prefix);
        theirs = check_get(o, s, prefix);
        snprintf(other, sizeof(other), "a=rtpmap:%s rtx/", pt);
        if (check_get(a, s, other)) {
            const char *apt = mine ? strstr(mine, "apt=") : NULL;
            CHECK(log, apt && check_has_word(list, apt + 4), "section %d: rtx %s: apt", s, pt);
            CHECK(log, mine && theirs && strcmp(mine, theirs) == 0, "section %d: rtx %s moved", s,
                  pt);
        } else if (theirs) {
            CHECK(log, mine && check_fmtp(mine, theirs), "section %d: PT %s: fmtp not echoed", s,
                  pt);
        }
        snprintf(prefix, sizeof(prefix), "a=rtcp-fb:%s ", pt);
        for (int i = 0; check_nth(a, s, prefix, i); i++) {
            char exact[96], any[96];
            snprintf(exact, sizeof(exact), "%s%s", prefix, check_nth(a, s, prefix, i));
            snprintf(any, sizeof(any), "a=rtcp-fb:* %s", check_nth(a, s, prefix, i));
            CHECK(log, check_has(o, s, exact) || check_has(o, s, any), "section %d: %s not offered",
                  s, exact);
        }
        snprintf(other, sizeof(other), "a=rtcp-fb:%s goog-remb", pt);
        snprintf(prefix, sizeof(prefix), "a=rtcp-fb:%s transport-cc", pt);
        CHECK(log, !check_has(a, s, other) || !check_has(a, s, prefix),
              "section %d: PT %s: remb beside transport-cc", s, pt);
    }
}

static inline void check_extensions(const struct check_doc *o, const struct check_doc *a, int s,
                                    struct check_log *log)
{
    char seen[256] = {0};
    for (int i = 0; check_nth(a, s, "a=extmap:", i); i++) {
        const char *mine = check_nth(a, s, "a=extmap:", i);
        int id = atoi(mine);
        const char *uri = strchr(mine, ' ');
        const char *theirs = NULL;
        CHECK(log, id >= 1 && id <= 255 && !seen[id & 255], "section %d: ext id %d", s, id);
        seen[id & 255] = 1;
        for (int k = 0; !theirs && check_nth(o, s, "a=extmap:", k); k++) {
            const char *line = check_nth(o, s, "a=extmap:", k);
            if (atoi(line) == id && strchr(line, ' ') && strcmp(strchr(line, ' '), uri) == 0) {
                theirs = line;
            }
        }
        CHECK(log, theirs, "section %d: extmap %s not offered", s, mine);
        bool mirrored =
            theirs && (strstr(theirs, "/sendonly ") ? strstr(mine, "/recvonly ") != NULL
                       : strstr(theirs, "/recvonly ")
                           ? strstr(mine, "/sendonly ") != NULL
                           : strcspn(mine, "/") > strcspn(mine, " ") || !strchr(mine, '/'));
        CHECK(log, mirrored, "section %d: extmap %s not the mirror of %s", s, mine,
              theirs ? theirs : "-");
        bool mixed =
            check_has(a, s, "a=extmap-allow-mixed") || check_has(a, 0, "a=extmap-allow-mixed");
        CHECK(log, id <= 14 || mixed, "section %d: id %d without allow-mixed", s, id);
    }
    for (int level = 0; level <= s; level += s) {
        CHECK(log,
              !check_has(a, level, "a=extmap-allow-mixed") ||
                  check_has(o, level, "a=extmap-allow-mixed"),
              "allow-mixed not offered");
    }
}

static inline void check_accepted(const struct check_doc *o, const struct check_doc *a, int s,
                                  bool publish, struct check_log *log)
{
    static const char *const once[] = {
        "a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=rtcp-mux", "c="};
    CHECK(log, strcmp(check_field(a, s, 1), "9") == 0, "section %d: port not 9", s);
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
        int wanted = strcmp(once[i], "a=rtcp-mux") == 0 ? 2 : 1; /* and rtcp-mux-only */
        CHECK(log, check_count(a, s, once[i]) == wanted, "section %d: %s", s, once[i]);
    }
    CHECK(log, check_has(a, s, "a=rtcp-mux") && check_has(a, s, "a=rtcp-mux-only"),
          "section %d: mux", s);
    CHECK(log, check_has(a, s, "a=rtcp-rsize") == check_has(o, s, "a=rtcp-rsize"),
          "section %d: rsize", s);
    const char *offered = check_get(o, s, "a=setup:");
    offered = offered ? offered : check_get(o, 0, "a=setup:");
    const char *right = offered && strcmp(offered, "passive") == 0 ? "active" : "passive";
    const char *mine = check_get(a, s, "a=setup:");
    CHECK(log, mine && strcmp(mine, right) == 0, "section %d: setup %s", s, mine ? mine : "-");
    CHECK(log, check_has(a, s, publish ? "a=recvonly" : "a=sendonly"), "section %d: direction", s);
    CHECK(log, !check_has(a, s, "a=sendrecv") && !check_has(a, s, "a=inactive"),
          "section %d: two directions", s);
    check_codecs(o, a, s, log);
    check_extensions(o, a, s, log);
}

/* RFC 8841: transport as elsewhere, no RTP; the port of SCTP and the largest message. */
static inline void check_data_section(const struct check_doc *o, const struct check_doc *a, int s,
                                      struct check_log *log)
{
    static const char *const once[] = {"a=ice-ufrag:", "a=ice-pwd:",   "a=fingerprint:",
                                       "a=setup:",     "a=sctp-port:", "a=max-message-size:"};
    CHECK(log, strcmp(check_field(a, s, 1), "9") == 0, "section %d: port not 9", s);
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
        CHECK(log, check_count(a, s, once[i]) == 1, "section %d: %s", s, once[i]);
    }
    CHECK(log, check_get(o, s, "a=sctp-port:"), "section %d: sctp-port was not offered", s);
    CHECK(log, strcmp(check_pts(a, s), check_pts(o, s)) == 0, "section %d: format", s);
    CHECK(log, check_count(a, s, "a=rtcp") == 0 && check_count(a, s, "a=rtpmap:") == 0,
          "section %d: RTP attributes", s);
}

static inline void check_publish_section(const struct check_doc *o, const struct check_doc *a,
                                         int s, struct check_log *log)
{
    int n_codecs = 0;
    for (int i = 0; check_nth(a, s, "a=rtpmap:", i); i++) {
        const char *name = strchr(check_nth(a, s, "a=rtpmap:", i), ' ') + 1;
        n_codecs += strncasecmp(name, "rtx/", 4) != 0 && strncasecmp(name, "red/", 4) != 0;
    }
    CHECK(log, n_codecs == 1, "section %d: %d codecs", s, n_codecs);
    CHECK(log, check_count(a, s, "a=ssrc") == 0 && check_count(a, s, "a=msid:") == 0,
          "section %d: ssrc or msid from a receiver", s);
    CHECK(log, check_count(a, s, "a=simulcast:") <= 1, "section %d: simulcast lines", s);
    const char *offered = check_get(o, s, "a=simulcast:send ");
    const char *mine = check_get(a, s, "a=simulcast:recv ");
    CHECK(log, !mine || offered, "section %d: simulcast not offered", s);
    for (int i = 0; check_nth(a, s, "a=rid:", i); i++) {
        char rid[300], send[320];
        snprintf(rid, sizeof(rid), "%s", check_nth(a, s, "a=rid:", i));
        rid[strcspn(rid, " ")] = '\0';
        snprintf(send, sizeof(send), "a=rid:%s send", rid);
        CHECK(log, check_get(o, s, send) && strstr(mine, rid), "section %d: rid %s", s, rid);
    }
    int n_layers = mine ? 1 : 0;
    for (const char *p = mine; p && *p; p++) {
        n_layers += *p == ';';
    }
    CHECK(log, check_count(a, s, "a=rid:") == n_layers, "section %d: rid lines", s);
}

/* Slots: more than one section of a kind is accepted, and each is a stream of its own. */
static inline bool check_has_slots(const struct check_doc *a)
{
    int n_audio = 0, n_video = 0;
    for (int s = 1; s <= a->n_sections; s++) {
        bool accepted = strcmp(check_field(a, s, 1), "0") != 0;
        n_audio += accepted && strcmp(check_field(a, s, 0), "audio") == 0;
        n_video += accepted && strcmp(check_field(a, s, 0), "video") == 0;
    }
    return n_audio > 1 || n_video > 1;
}

/* The stream id is the same in all sections (WHEP-16), and in slots another in each. */
static inline void check_stream(const struct check_doc *a, int s, const char *msid,
                                const char *before, struct check_log *log)
{
    size_t n = strcspn(msid, " ");
    bool same = strcspn(before, " ") == n && strncmp(msid, before, n) == 0;
    CHECK(log, same != check_has_slots(a) && strcmp(msid, before), "section %d: stream id", s);
}

static inline void check_play_section(const struct check_doc *a, int s, const char **stream,
                                      struct check_log *log)
{
    const char *msid = check_get(a, s, "a=msid:");
    CHECK(log, msid && check_count(a, s, "a=msid:") == 1 && strchr(msid, ' '), "section %d: msid",
          s);
    if (msid && *stream) {
        check_stream(a, s, msid, *stream, log);
    }
    *stream = msid ? msid : *stream;
    CHECK(log, check_count(a, s, "a=ssrc:") >= 1, "section %d: no ssrc", s);
    const char *fid = check_get(a, s, "a=ssrc-group:FID ");
    bool rtx = false;
    for (int i = 0; check_nth(a, s, "a=rtpmap:", i); i++) {
        rtx |= strstr(check_nth(a, s, "a=rtpmap:", i), " rtx/") != NULL;
    }
    CHECK(log, rtx == (fid != NULL), "section %d: FID and rtx", s);
    for (const char *p = fid; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        char prefix[40];
        snprintf(prefix, sizeof(prefix), "a=ssrc:%.*s cname:", (int)strcspn(p, " "), p);
        CHECK(log, check_get(a, s, prefix), "section %d: %s missing", s, prefix);
    }
    CHECK(log, check_count(a, s, "a=rid:") == 0 && check_count(a, s, "a=simulcast") == 0,
          "section %d: simulcast to a viewer", s);
}

static inline void check_bundle(const struct check_doc *o, const struct check_doc *a,
                                struct check_log *log)
{
    const char *group = check_get(a, 0, "a=group:BUNDLE ");
    const char *offered = check_get(o, 0, "a=group:BUNDLE ");
    int n_accepted = 0, n_candidate_sections = 0;
    for (int s = 1; s <= a->n_sections; s++) {
        const char *mid = check_get(a, s, "a=mid:");
        bool accepted = strcmp(check_field(a, s, 1), "0") != 0;
        n_accepted += accepted;
        bool tag = accepted && (!group || (mid && strcspn(group, " ") == strlen(mid) &&
                                           strncmp(group, mid, strlen(mid)) == 0));
        bool candidates = check_count(a, s, "a=candidate:") > 0;
        n_candidate_sections += candidates;
        CHECK(log, candidates == tag, "section %d: candidates", s);
        CHECK(log, check_has(a, s, "a=end-of-candidates") == tag, "section %d: end", s);
        if (group && mid) {
            CHECK(log, check_has_word(group, mid) == accepted, "section %d: in group", s);
            CHECK(log, !accepted || check_has_word(offered, mid), "section %d: not grouped", s);
        }
    }
    int n_words = group && *group ? 1 : 0;
    for (const char *p = group; p && *p; p++) {
        n_words += *p == ' ';
    }
    CHECK(log, !group || n_words == n_accepted, "group of %d, %d accepted", n_words, n_accepted);
    CHECK(log, n_candidate_sections == 1, "%d candidate sections", n_candidate_sections);
    CHECK(log, check_has(a, 0, "a=ice-lite"), "no ice-lite");
}

/* All that must hold between an offer and its answer. */
static inline void check_answer(const char *offer, const char *answer, bool publish,
                                struct check_log *log)
{
    static struct check_doc o, a;
    const char *stream = NULL;
    log->text[0] = '\0';
    check_form(answer, log);
    check_cut(offer, &o);
    check_cut(answer, &a);
    CHECK(log, o.n_sections == a.n_sections, "%d m-lines for %d", a.n_sections, o.n_sections);
    for (int s = 1; s <= a.n_sections && o.n_sections == a.n_sections; s++) {
        const char *mid = check_get(&o, s, "a=mid:");
        const char *mine = check_get(&a, s, "a=mid:");
        CHECK(log, strcmp(check_field(&o, s, 0), check_field(&a, s, 0)) == 0, "section %d: kind",
              s);
        CHECK(log, strcmp(check_field(&o, s, 2), check_field(&a, s, 2)) == 0, "section %d: proto",
              s);
        CHECK(log, (!mid && !mine) || (mid && mine && strcmp(mid, mine) == 0), "section %d: mid",
              s);
        if (strcmp(check_field(&a, s, 1), "0") == 0) {
            CHECK(log, check_has(&a, s, "a=inactive"), "section %d: rejected, not inactive", s);
            CHECK(log, check_has_word(check_pts(&o, s), check_pts(&a, s)), "section %d: format", s);
            CHECK(log, check_count(&a, s, "a=ice-") == 0 && !check_get(&a, s, "a=fingerprint"),
                  "section %d: transport of a rejected section", s);
            continue;
        }
        CHECK(log, strcmp(check_field(&o, s, 1), "0") != 0 || check_has(&o, s, "a=bundle-only"),
              "section %d: revived", s);
        if (strcmp(check_field(&a, s, 0), "application") == 0) {
            check_data_section(&o, &a, s, log);
            continue;
        }
        check_accepted(&o, &a, s, publish, log);
        if (publish) {
            check_publish_section(&o, &a, s, log);
        } else {
            check_play_section(&a, s, &stream, log);
        }
    }
    check_bundle(&o, &a, log);
    CHECK(log, o.n_sections > 3 || strlen(answer) < 8192, "%zu bytes", strlen(answer));
    free(o.text);
    free(a.text);
}

#endif
