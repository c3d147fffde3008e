/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener: sessions, streams, limits, health, metrics. */
#include <cjson/cJSON.h>

#include "tests/http_kit.h"

TestSuite(admin, .init = kit_start, .fini = kit_stop);

static cJSON *get_json(const char *path)
{
    struct reply r = kit_admin("GET", path);
    cr_assert_eq(r.status, 200, "%s: %d", path, r.status);
    cr_expect_str_eq(kit_header(&r, "Content-Type"), "application/json");
    cJSON *o = cJSON_ParseWithLength(r.body, r.body_len);
    cr_assert_not_null(o, "%s", r.body);
    return o;
}

static const char *text(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    cr_assert(cJSON_IsString(v), "%s", key);
    return v->valuestring;
}

static double number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    cr_assert(cJSON_IsNumber(v), "%s", key);
    return v->valuedouble;
}

static bool truth(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    cr_assert(cJSON_IsBool(v), "%s", key);
    return cJSON_IsTrue(v);
}

Test(admin, lists_sessions_with_their_numbers_and_ends_one)
{
    kit_publish("/whip/r", "");
    kit_play("/whep/r/main", "");
    uint64_t viewer = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    cJSON *o = get_json("/api/v1/sessions");
    cr_expect_not(truth(o, "partial"));
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(o, "sessions");
    cr_assert_eq(cJSON_GetArraySize(all), 2);
    int found = 0;
    const cJSON *one;
    cJSON_ArrayForEach(one, all)
    {
        bool publishes = strcmp(text(one, "role"), "publish") == 0;
        found |= publishes ? 1 : 2;
        cr_expect_str_eq(text(one, "stream"), "r/main");
        cr_expect_str_eq(text(one, "codecs"), "opus,VP8");
        cr_expect_str_eq(text(one, "remote"), "192.0.2.1:4000");
        cr_expect_str_eq(text(one, "link"), "up");
        cr_expect_eq(number(one, "bytes"), 123456789012.0);
        cr_expect_eq(number(one, "lost"), 3);
        cr_expect_eq(number(one, "rtt_ms"), 12.5);
        const cJSON *track = cJSON_GetArrayItem(cJSON_GetObjectItem(one, "tracks"), 0);
        cr_expect_str_eq(text(track, "codec"), "VP8");
    }
    cr_expect_eq(found, 3);
    char *dump = cJSON_PrintUnformatted(o);
    cr_expect_null(strstr(dump, "/session/"), "session URLs stay secret");
    cJSON_free(dump);
    cJSON_Delete(o);

    char path[64];
    snprintf(path, sizeof(path), "/api/v1/sessions/%llu", (unsigned long long)viewer);
    cr_expect_eq(kit_admin("DELETE", path).status, 204);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.id, viewer);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_KICKED);
    kit_say(API_EV_ENDED, viewer, API_END_KICKED);
    static const struct {
        const char *method;
        const char *path;
        int status;
    } rows[] = {
        {"DELETE", "/api/v1/sessions/999", 404},
        {"DELETE", "/api/v1/sessions/x", 404},
        {"DELETE", "/api/v1/sessions/", 404},
        {"DELETE", "/api/v1/sessions/-1", 404},
        {"DELETE", "/api/v1/sessions/99999999999999999999999", 404},
        {"GET", "/api/v1/sessions/1", 405},
        {"POST", "/api/v1/sessions", 405},
        {"GET", "/api/v1", 404},
        {"GET", "/", 404},
        {"POST", "/metrics", 405},
        {"GET", "/whip/a", 404},
    };
    cr_expect_eq(kit_admin("DELETE", path).status, 404);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(kit_admin(rows[i].method, rows[i].path).status, rows[i].status, "%s %s",
                     rows[i].method, rows[i].path);
    }
}

Test(admin, answers_in_part_when_a_worker_hangs)
{
    kit_publish("/whip/r", "");
    kit_plane.mute = true;
    int64_t before = clock_now_us();
    cJSON *o = get_json("/api/v1/sessions");
    int64_t took = clock_now_us() - before;
    cr_expect(truth(o, "partial"));
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "sessions")), 1);
    cr_expect(took > 900 * US_PER_MS && took < 2 * US_PER_S, "%lld us", (long long)took);
    cJSON_Delete(o);
}

Test(admin, stops_while_somebody_waits)
{
    kit_plane.mute = true;
    static const char ask[] = "GET /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = kit_connect(signaling_admin_port(kit.s));
    kit_send(fd, ask, sizeof(ask) - 1);
    while (kit_count(API_CMD_QUERY) < KIT_WORKERS) {
        kit_turn();
    }
    close(fd);
    /* kit_stop checks that nothing is left open, the sanitizer that nothing is lost. */
}

Test(admin, tells_streams_and_limits)
{
    kit_publish("/whip/r/a", "");
    kit_play("/whep/r/a", "");
    cJSON *o = get_json("/api/v1/streams");
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "streams"), 0);
    cr_expect_str_eq(text(one, "room"), "r");
    cr_expect_str_eq(text(one, "participant"), "a");
    cr_expect(truth(one, "live"));
    cr_expect_eq(number(one, "viewers"), 1);
    cr_expect_str_eq(text(one, "video"), "VP8");
    cr_expect_str_eq(text(one, "audio"), "opus");
    cJSON_Delete(o);
    o = get_json("/api/v1/limits");
    const cJSON *sessions = cJSON_GetObjectItem(o, "max_sessions");
    cr_expect_eq(number(sessions, "limit"), 20000);
    cr_expect_eq(number(sessions, "used"), 2);
    cJSON_Delete(o);
}

Test(admin, health)
{
    static const struct {
        bool dead;
        int live, ready;
    } rows[] = {{false, 200, 200}, {true, 503, 503}, {false, 200, 200}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        kit_plane.dead = rows[i].dead;
        cr_expect_eq(kit_admin("GET", "/livez").status, rows[i].live);
        cr_expect_eq(kit_admin("GET", "/readyz").status, rows[i].ready);
        cr_expect_eq(kit_admin("GET", "/startupz").status, 200);
    }
    cJSON *o = get_json("/readyz?verbose");
    cr_expect(truth(o, "workers_alive"));
    cJSON_Delete(o);
}

Test(admin, serves_only_who_calls_it_by_its_address)
{
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        {"localhost:9090", 200}, {"127.0.0.1:9090", 200},    {"[::1]:9090", 200},
        {"localhost", 200},      {"evil.example:9090", 421}, {"localhost.evil.example", 421},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char ask[128];
        int n = snprintf(ask, sizeof(ask), "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
        cr_expect_eq(kit_raw(signaling_admin_port(kit.s), ask, (size_t)n).status, rows[i].status,
                     "%s", rows[i].host);
    }
}

static int admin_with(const char *method, const char *path, const char *headers)
{
    char ask[512];
    int n = snprintf(ask, sizeof(ask), "%s %s HTTP/1.1\r\nHost: localhost:9090\r\n%s\r\n", method,
                     path, headers);
    return kit_raw(signaling_admin_port(kit.s), ask, (size_t)n).status;
}

Test(admin, pages_of_other_origins_are_refused)
{
    static const struct {
        const char *headers;
        int status;
    } rows[] = {
        {"", 200},
        {"Origin: http://localhost:9090\r\n", 200},
        {"Origin: http://localhost:9090\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {"Sec-Fetch-Site: none\r\n", 200},
        {"Origin: http://localhost:8080\r\n", 403},
        {"Origin: https://evil.example\r\n", 403},
        {"Origin: null\r\n", 403},
        {"Sec-Fetch-Site: cross-site\r\n", 403},
        {"Sec-Fetch-Site: same-site\r\n", 403},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(admin_with("GET", "/api/v1/streams", rows[i].headers), rows[i].status, "%s",
                     rows[i].headers);
    }
}

Test(admin, asks_for_a_token_once_there_is_one_for_it)
{
    kit_stop();
    kit_prepare();
    kit_token("adm", "ops", "*", false, false);
    kit.conf->auth.tokens[0].admin = true;
    kit_token("pub", "studio", "*", true, true);
    kit_go();
    static const struct {
        const char *path, *headers;
        int status;
    } rows[] = {
        {"/api/v1/streams", "", 401},
        {"/api/v1/streams", "Authorization: Bearer nonsense\r\n", 401},
        {"/api/v1/streams", "Authorization: Bearer pub\r\n", 403},
        {"/api/v1/streams", "Authorization: Bearer adm\r\n", 200},
        {"/metrics", "", 401},
        {"/metrics", "Authorization: Bearer adm\r\n", 200},
        {"/nowhere", "", 401},
        {"/livez", "", 200},
        {"/readyz", "", 200},
        {"/startupz", "", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_eq(admin_with("GET", rows[i].path, rows[i].headers), rows[i].status, "%s %s",
                     rows[i].path, rows[i].headers);
    }
    cr_expect_eq(kit_publish("/whip/a", "Authorization: Bearer adm\r\n").status, 403);
}

/* Checks OpenMetrics' rules line by line; returns how many samples there were. */
static int check_metrics(char *all)
{
    char family[128] = "";
    char type[16] = "";
    char seen[256][64];
    int n_seen = 0;
    int samples = 0;
    char *save = NULL;
    for (char *line = strtok_r(all, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char name[128];
        if (strcmp(line, "# EOF") == 0) {
            cr_expect_null(strtok_r(NULL, "\n", &save), "EOF is the end");
            return samples;
        }
        if (sscanf(line, "# TYPE %127s %15s", family, type) == 2) {
            for (int i = 0; i < n_seen; i++) {
                cr_expect_str_neq(seen[i], family, "a family stands once");
            }
            snprintf(seen[n_seen++], sizeof(seen[0]), "%.63s", family);
            cr_expect(strcmp(type, "counter") != 0 || strstr(family, "_total") == NULL);
            continue;
        }
        if (sscanf(line, "# HELP %127s", name) == 1) {
            cr_expect_str_eq(name, family);
            continue;
        }
        samples++;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "{ "), line);
        cr_expect_eq(strncmp(name, family, strlen(family)), 0, "%s in %s", line, family);
        const char *rest = name + strlen(family);
        bool good = strcmp(type, "counter") == 0 ? strcmp(rest, "_total") == 0
                    : strcmp(type, "info") == 0  ? strcmp(rest, "_info") == 0
                    : strcmp(type, "histogram") == 0
                        ? strcmp(rest, "_bucket") == 0 || strcmp(rest, "_count") == 0 ||
                              strcmp(rest, "_sum") == 0
                        : *rest == '\0';
        cr_expect(good, "%s is no sample of %s %s", line, type, family);
        char *end;
        strtod(strrchr(line, ' ') + 1, &end);
        cr_expect_eq(*end, '\0', "%s", line);
    }
    cr_assert_fail("no # EOF");
    return 0;
}

Test(admin, metrics_are_openmetrics_and_count_what_happened)
{
    kit_publish("/whip/r", "");
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, id, 0);
    kit_publish("/whip/s", "");
    kit_say(API_EV_ENDED, kit_last(API_CMD_SESSION_ADD)->cmd.id, API_END_ICE_TIMEOUT);
    kit_play("/whep/none", "");
    kit_do("POST", "/whip/r", "Content-Type: x/y\r\n", "x");
    struct reply r = kit_admin("GET", "/metrics");
    cr_assert_eq(r.status, 200);
    cr_expect_str_eq(kit_header(&r, "Content-Type"),
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
    static const char *const lines[] = {
        "sluice_sessions{role=\"publish\",state=\"up\"} 1\n",
        "sluice_sessions{role=\"publish\",state=\"new\"} 0\n",
        "sluice_sessions_created_total{role=\"publish\"} 2\n",
        "sluice_sessions_ended_total{role=\"publish\",reason=\"ice_timeout\"} 1\n",
        "sluice_streams{state=\"live\"} 1\n",
        "sluice_http_requests_total{route=\"whip\",code=\"201\"} 2\n",
        "sluice_http_requests_total{route=\"whip\",code=\"415\"} 1\n",
        "sluice_http_requests_total{route=\"whep\",code=\"409\"} 1\n",
        "sluice_http_problems_total{type=\"not-live\"} 1\n",
        "sluice_http_problems_total{type=\"content-type\"} 1\n",
        "sluice_join_seconds_count{phase=\"dtls\"} 1\n",
        "sluice_rtp_packets_total{dir=\"in\"} 1234\n",
        "sluice_dropped_packets_total{reason=\"rate\"} 5\n",
        "sluice_dropped_packets_total{reason=\"link_",
        "sluice_draining 0\n",
        "sluice_workers 3\n",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        cr_expect_not_null(strstr(r.body, lines[i]), "%s", lines[i]);
    }
    cr_expect_null(strstr(r.body, "reason=\"link\""), "the sum is not counted twice");
    cr_expect_gt(check_metrics(r.body), 100);
}
