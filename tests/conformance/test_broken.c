/* SPDX-License-Identifier: Apache-2.0 */
/* test_broken.c - the suite is shown broken servers: each fault of the proxy turns the checks red
 * that it should, and none of their neighbours. */
#include "tests/conformance/fault_proxy.h"
#include "tests/server/server_kit.h"

struct row {
    enum fault fault;
    const char *filter; /* the checks that are run */
    const char *red;    /* the numbers that must be red, with blanks; all others must be green */
};

#define HTTP "^WHIP-(01|06|08|13|14|27|30|31|33)$"
#define SDP  "^SDP-(01|03|06|12|23|33)$"
#define ICE  "^ICE-(01|02|05|09|12)$"
#define SVC  "^SVC-(01|02|03|05)$"

static const struct row rows[] = {
    {FAULT_NONE,
     HTTP "|" SDP "|" ICE "|" SVC
          "|^ICE-2[78]$|^WHIP-26$|^SIM-0[147]$|^RTCP-0[134]$|^RTP-14$|^DTLS-12$",
     ""},
    {FAULT_NO_LOCATION, "^WHIP-(01|02|06|10|13|14)$", "WHIP-01"},
    {FAULT_WEAK_ETAG, "^WHIP-(01|02|06|08|10|13|14|26|27|30)$", "WHIP-30"},
    {FAULT_PREFLIGHT_TOKEN, HTTP, "WHIP-13"},
    {FAULT_IF_MATCH_IGNORED, HTTP, "WHIP-33"},
    {FAULT_DELETE_204, HTTP "|^WHIP-26$", "WHIP-26 WHIP-27"},
    {FAULT_SENDRECV, HTTP, "WHIP-08"},
    {FAULT_NO_MUX_ONLY, SDP, "SDP-12"},
    {FAULT_ACTPASS, SDP, "SDP-23"},
    {FAULT_OTHER_MID, SDP, "SDP-01 SDP-06"},
    {FAULT_FOREIGN_PT, SDP, "SDP-03"},
    {FAULT_LAYER_DROPPED, "^SIM-0[124]$|^SDP-01$", "SIM-01"},
    {FAULT_NO_INTEGRITY, "^ICE-(01|02|03|04|05|12)$", "ICE-01"},
    {FAULT_ANY_PASSWORD, ICE, "ICE-02"},
    {FAULT_ATTRIBUTES_PASSED, ICE, "ICE-05"},
    {FAULT_CHECKS, ICE, "ICE-09"},
    {FAULT_AMPLIFIES, ICE "|^ICE-28$", "ICE-28"},
    {FAULT_NO_ALERTS, "^DTLS-(01|03|12)$|^WHIP-(01|26|27)$", "DTLS-12 WHIP-26"},
    {FAULT_NO_RTCP, "^RTCP-0[134]$|^RTP-(04|13)$", "RTCP-01 RTCP-03 RTCP-04"},
    {FAULT_NO_RTX, "^RTP-(04|13|14|16)$|^RTCP-0[67]$", "RTP-14 RTCP-06"},
    {FAULT_EAGER_MEDIA, ICE "|^ICE-27$", "ICE-27"},
    {FAULT_RID_NEEDED, "^SIM-0[1678]$", "SIM-07"},
    {FAULT_CHOICE_IGNORED, SVC "|^SVC-04$|^WHEP-30$|^SIM-08$", "SVC-01 SVC-02 SVC-03 WHEP-30"},
    {FAULT_NO_DESCRIPTORS, SVC "|^SVC-0[468]$", "SVC-03 SVC-05"},
    {FAULT_MIXED_ASSUMED, SVC "|^SVC-0[468]$", "SVC-05"},
    {FAULT_NO_MARKER, SVC "|^SVC-0[468]$", "SVC-01 SVC-02 SVC-03 SVC-05"},
};

static struct server server;
static struct suite suite;

/* Whether the run's red numbers are the row's. */
static void compare(const struct row *r)
{
    unsigned red = 0, ran = 0;
    bool right = true;
    char seen[256] = "";

    for (unsigned i = 0; i < suite.n; i++) {
        const struct check *c = suite_at(i);
        const struct outcome *v = &suite.outcomes[i];
        ran += v->result == PASS || v->result == FAIL;
        if (v->result != FAIL) {
            continue;
        }
        red++;
        if (!strstr(r->red, c->id)) {
            right = false;
            note("%s should be green: expected %s, got %s", c->id, v->expected, v->got);
        }
        size_t n = strlen(seen);
        snprintf(seen + n, sizeof(seen) - n, "%s%s", n ? " " : "", c->id);
    }
    for (const char *p = r->red; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        char id[16];
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(p, " "), p);
        if (!strstr(seen, id)) {
            right = false;
            note("%s should be red", id);
        }
    }
    check(right && ran > 3, "%s: %u of %u checks red: %s", fault_name(r->fault), red, ran,
          red ? seen : "none");
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"http.etag_mode=strict", NULL};
    char whip[64] = "http://x/", whep[64] = "http://x/";
    struct suite_options o = {
        .whip = whip, .whep = whep, .strict_etag = true, .patience_ms = SERVER_SCALED(4000, 8000)};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    if (suite_init(&suite, &o) < 0) {
        return 1;
    }
    struct fault_proxy *p = fault_proxy_new(suite.loop, server.http_port, server.media_port);
    if (!p) {
        return 1;
    }
    snprintf(whip, sizeof(whip), "http://127.0.0.1:%u/whip/broken", fault_proxy_port(p));
    snprintf(whep, sizeof(whep), "http://127.0.0.1:%u/whep/broken", fault_proxy_port(p));
    suite.quiet = true;
    suite.o.spoil = fault_proxy_spoil;
    suite.o.spoil_ctx = p;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(suite.outcomes, 0, suite.n * sizeof(*suite.outcomes));
        suite.o.filter = rows[i].filter;
        fault_proxy_set(p, rows[i].fault);
        (void)suite_run(&suite);
        compare(&rows[i]);
    }
    fault_proxy_free(p);
    suite_fini(&suite);
    server_fini(&server);
    return check_report();
}
