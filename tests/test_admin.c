/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener: sessions, streams, limits, health, metrics. */
#include <cjson/cJSON.h>

#include "signaling/admin_call.h"
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
    kit_publish("/whip/r", "User-Agent: Mozilla/5.0 (OBS-Studio/32.2.2; Linux x86_64)\r\n");
    uint64_t publisher = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_play("/whep/r/main", "");
    uint64_t viewer = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    struct api_event fault = {.kind = API_EV_FAULT, .id = publisher};
    fault.u.fault = API_FAULT_RARE_KEYS;
    kit_emit(fault);
    kit_turn();
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
        cr_expect_str_eq(text(one, "client"), publishes ? "obs/32.2" : "");
        cr_expect_str_eq(text(one, "quirks"), publishes ? "obs-no-pli" : "");
        const cJSON *faults = cJSON_GetObjectItemCaseSensitive(one, "faults");
        cr_assert_eq(cJSON_GetArraySize(faults), publishes);
        if (publishes) {
            cr_expect_str_eq(cJSON_GetArrayItem(faults, 0)->valuestring, "rare-key-frames");
        }
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
        {"GET", "/api/v1/sessions/77", 404},
        {"PUT", "/api/v1/sessions/1", 405},
        {"GET", "/api/v1/sessions/1/x", 404},
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

/* ---- moderation, and the description ---- */

static struct reply admin_do(const char *method, const char *path, const char *body)
{
    char ask[1024];
    int n = snprintf(ask, sizeof(ask),
                     "%s %s HTTP/1.1\r\nHost: localhost:9090\r\nContent-Type: "
                     "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, strlen(body), body);
    return kit_raw(signaling_admin_port(kit.s), ask, (size_t)n);
}

Test(admin, moderates_rooms_and_participants)
{
    kit_publish("/whip/r/alice", "");
    uint64_t alice = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    int worker = kit_last(API_CMD_SESSION_ADD)->worker;
    kit_publish("/whip/r/alice~screen", "");
    kit_publish("/whip/r/bob", "");
    kit_publish("/whip/q/bob", "");
    kit_play("/whep/r/bob", "");
    cJSON *o = get_json("/api/v1/rooms/r");
    cr_expect_eq(number(o, "participants"), 2);
    cr_expect_eq(number(o, "streams_live"), 3);
    cr_expect_eq(number(o, "viewers"), 1);
    cJSON_Delete(o);

    /* mute: audio only, then both, then the picture again */
    static const struct {
        const char *verb, *body;
        int status;
        int told;          /* of the two streams */
        bool audio, video; /* of alice's camera, if it is told */
    } mutes[] = {
        {"mute", "{\"video\":false}", 200, 2, true, false},
        {"mute", "", 200, 2, true, true},
        {"mute", "{\"camera\":true}", 200, 0, true, true},
        {"unmute", "{\"audio\":false}", 200, 2, true, false},
        {"mute", "{\"audio\":1}", 400, 0, true, false},
        {"mute", "[]", 400, 0, true, false},
        {"mute", "{\"audio\":true,\"audio\":false}", 400, 0, true, false},
        {"unmute", "{}", 200, 2, false, false},
        {"mute", "{\"camera\":true}", 200, 1, false, true},
        {"mute", "{\"microphone\":true,\"camera\":false}", 200, 1, true, true},
        {"unmute", "{\"screen\":false}", 200, 1, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(mutes); i++) {
        char path[128];
        int before = kit_count(API_CMD_MUTE);
        snprintf(path, sizeof(path), "/api/v1/rooms/r/participants/alice/%s", mutes[i].verb);
        struct reply r = admin_do("POST", path, mutes[i].body);
        cr_expect_eq(r.status, mutes[i].status, "row %zu: %s", i, r.body);
        cr_expect_eq(kit_count(API_CMD_MUTE) - before, mutes[i].told, "row %zu", i);
        const struct kit_cmd *c = kit_cmd(API_CMD_MUTE, before);
        if (mutes[i].told > 0) {
            cr_expect_eq(c->cmd.id, alice);
            cr_expect_eq(c->worker, worker);
            cr_expect_eq(c->cmd.u.mute.audio, mutes[i].audio, "row %zu", i);
            cr_expect_eq(c->cmd.u.mute.video, mutes[i].video, "row %zu", i);
        }
    }
    /* Who comes back while it is muted, is. */
    admin_do("POST", "/api/v1/rooms/r/participants/bob/mute", "");
    int before = kit_count(API_CMD_MUTE);
    kit_publish("/whip/r/bob", "");
    cr_expect_eq(kit_count(API_CMD_MUTE), before + 1);
    cr_expect_eq(kit_last(API_CMD_MUTE)->cmd.id, kit_last(API_CMD_SESSION_ADD)->cmd.id);

    /* So is what is published later: a screen that is not there yet. */
    admin_do("POST", "/api/v1/rooms/r/participants/bob/unmute", "{\"screen\":false}");
    before = kit_count(API_CMD_MUTE);
    kit_publish("/whip/r/bob~screen", "");
    cr_expect_eq(kit_count(API_CMD_MUTE), before + 1);
    cr_expect(kit_last(API_CMD_MUTE)->cmd.u.mute.audio && kit_last(API_CMD_MUTE)->cmd.u.mute.video);

    struct reply r = admin_do("DELETE", "/api/v1/rooms/r/participants/alice", "");
    cr_expect_str_eq(r.body, "{\"sessions_ended\":2}");
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_REMOVED);
    cr_expect_eq(admin_do("DELETE", "/api/v1/rooms/r/participants/alice", "").status, 404);
    r = admin_do("DELETE", "/api/v1/rooms/r", "");
    cr_expect_str_eq(r.body, "{\"sessions_ended\":3}", "%s", r.body);
    cr_expect_eq(kit_last(API_CMD_SESSION_END)->cmd.u.end.reason, API_END_ROOM);
    cr_expect_eq(kit_admin("GET", "/api/v1/rooms/r").status, 404);
    cr_expect_eq(kit_admin("GET", "/api/v1/rooms/q").status, 200);
}

Test(admin, pages_and_filters)
{
    char path[128];
    char next[32] = "";
    int seen = 0;
    for (int i = 0; i < 7; i++) {
        snprintf(path, sizeof(path), "/whip/room%d", i);
        kit_publish(path, "");
    }
    kit_play("/whep/room3", "");
    static const struct {
        const char *path, *list;
        int n;
    } rows[] = {
        {"/api/v1/sessions", "sessions", 8},
        {"/api/v1/sessions?role=play", "sessions", 1},
        {"/api/v1/sessions?room=room3", "sessions", 2},
        {"/api/v1/sessions?room=room3&role=publish", "sessions", 1},
        {"/api/v1/sessions?state=up", "sessions", 0},
        {"/api/v1/sessions?stream=room3/main", "sessions", 1},
        {"/api/v1/streams?live=true", "streams", 7},
        {"/api/v1/streams?live=false", "streams", 0},
        {"/api/v1/streams?room=room1&participant=main", "streams", 1},
        {"/api/v1/rooms", "rooms", 7},
        {"/api/v1/rooms?name=room*", "rooms", 7},
        {"/api/v1/rooms?name=*3", "rooms", 1},
        {"/api/v1/rooms?name=", "rooms", 0},
        {"/api/v1/rooms?limit=1000&after=room4", "rooms", 2},
        {"/api/v1/rooms/room1/participants", "participants", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cJSON *o = get_json(rows[i].path);
        cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, rows[i].list)), rows[i].n, "%s",
                     rows[i].path);
        cJSON_Delete(o);
    }
    static const char *const lists[] = {"sessions", "streams", "rooms"};
    static const int totals[] = {8, 7, 7};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        int pages = 0;
        seen = 0;
        next[0] = '\0';
        do {
            snprintf(path, sizeof(path), "/api/v1/%s?limit=3%s%s", lists[l],
                     next[0] != '\0' ? "&after=" : "", next);
            cJSON *o = get_json(path);
            seen += cJSON_GetArraySize(cJSON_GetObjectItem(o, lists[l]));
            const char *more = cJSON_GetStringValue(cJSON_GetObjectItem(o, "next"));
            snprintf(next, sizeof(next), "%s", more != NULL ? more : "");
            cJSON_Delete(o);
        } while (next[0] != '\0' && ++pages < 10);
        cr_expect_eq(seen, totals[l], "%s", lists[l]);
        cr_expect_eq(pages, 2, "%s", lists[l]);
    }
    static const char *const bad[] = {"limit=0", "limit=1001", "limit=x", "limit=-1", "limit="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(path, sizeof(path), "/api/v1/rooms?%s", bad[i]);
        cr_expect_eq(kit_admin("GET", path).status, 400, "%s", bad[i]);
    }
}

/* What the description says of a schema's members is so. */
static void check_schema(const cJSON *doc, const cJSON *schema, const cJSON *value,
                         const char *where)
{
    const char *ref = cJSON_GetStringValue(cJSON_GetObjectItem(schema, "$ref"));
    if (ref != NULL) {
        const cJSON *schemas =
            cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "components"), "schemas");
        schema = cJSON_GetObjectItem(schemas, strrchr(ref, '/') + 1);
        cr_assert_not_null(schema, "%s: %s", where, ref);
    }
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(schema, "type"));
    const cJSON *props = cJSON_GetObjectItem(schema, "properties");
    static const cJSON empty;
    const cJSON *one;
    if (type != NULL) {
        bool fits = strcmp(type, "object") == 0    ? cJSON_IsObject(value)
                    : strcmp(type, "array") == 0   ? cJSON_IsArray(value)
                    : strcmp(type, "string") == 0  ? cJSON_IsString(value)
                    : strcmp(type, "boolean") == 0 ? cJSON_IsBool(value)
                                                   : cJSON_IsNumber(value);
        cr_expect(fits, "%s is no %s", where, type);
    }
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(schema, "required"))
    {
        cr_expect(cJSON_HasObjectItem(value, one->valuestring), "%s lacks %s", where,
                  one->valuestring);
    }
    const cJSON *members = cJSON_IsObject(value) && props != NULL ? value : &empty;
    cJSON_ArrayForEach(one, members)
    {
        const cJSON *of = cJSON_GetObjectItem(props, one->string);
        cr_expect_not_null(of, "%s: %s is not described", where, one->string);
        check_schema(doc, of, one, one->string);
    }
    const cJSON *items = cJSON_IsArray(value) ? value : &empty;
    cJSON_ArrayForEach(one, items)
    {
        check_schema(doc, cJSON_GetObjectItem(schema, "items"), one, where);
    }
}

static const char *const verbs[] = {
    [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
static const char *const doc_verbs[] = {
    [HTTP_GET] = "get", [HTTP_POST] = "post", [HTTP_DELETE] = "delete"};

/* The path with what the kit has for its names. */
static void fill_path(const char *pattern, const char *id, char *out, size_t cap)
{
    static const struct {
        const char *name, *value;
    } values[] = {{"{room}", "r"}, {"{participant}", "alice"}, {"{jti}", "a%2Fb"}, {"{id}", NULL}};
    out[0] = '\0';
    while (*pattern != '\0') {
        size_t n = strlen(out);
        size_t i = 0;
        while (i < ARRAY_LEN(values) &&
               strncmp(pattern, values[i].name, strlen(values[i].name)) != 0) {
            i++;
        }
        if (i < ARRAY_LEN(values)) {
            snprintf(out + n, cap - n, "%s", values[i].value != NULL ? values[i].value : id);
            pattern += strlen(values[i].name);
        } else {
            snprintf(out + n, cap - n, "%c", *pattern++);
        }
    }
}

static void check_call(const cJSON *doc, const struct admin_op *op, bool there)
{
    char path[256];
    char id[24];
    char where[300];
    char status[8];
    const struct kit_cmd *add = kit_last(API_CMD_SESSION_ADD);
    unsigned long long number_of =
        strstr(op->path, "streams") != NULL ? add->cmd.u.session->stream : add->cmd.id;
    snprintf(id, sizeof(id), "%llu", there ? number_of : 999999ULL);
    fill_path(op->path, id, path, sizeof(path));
    struct reply r = admin_do(verbs[op->method], path, "");
    snprintf(where, sizeof(where), "%s %s: %d", verbs[op->method], path, r.status);
    snprintf(status, sizeof(status), "%d", r.status);
    const cJSON *responses = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "paths"), op->path),
                            doc_verbs[op->method]),
        "responses");
    const cJSON *answer = cJSON_GetObjectItem(responses, status);
    cr_expect_not_null(answer, "%s is not described", where);
    cr_expect_eq(r.status < 300,
                 there || strchr(op->path, '{') == NULL || strstr(op->path, "jti") != NULL, "%s",
                 where);
    const cJSON *content = cJSON_GetObjectItem(answer, "content");
    cr_expect_eq(content == NULL, r.body_len == 0, "%s", where);
    if (content != NULL) {
        const char *type = kit_header(&r, "Content-Type");
        const cJSON *described = cJSON_GetObjectItem(content, type);
        cr_expect_not_null(described, "%s: %s", where, type);
        cJSON *body = cJSON_ParseWithLength(r.body, r.body_len);
        cr_expect_not_null(body, "%s", where);
        check_schema(doc, cJSON_GetObjectItem(described, "schema"), body, where);
        cJSON_Delete(body);
    }
}

Test(admin, does_what_openapi_says_and_nothing_else, .timeout = 60)
{
    cJSON *doc = get_json("/api/v1/openapi.json");
    const cJSON *paths = cJSON_GetObjectItem(doc, "paths");
    size_t n = 0;
    size_t described = 0;
    for (const struct admin_op *op; (op = admin_op_at(n)) != NULL; n++) {
        const cJSON *one =
            cJSON_GetObjectItem(cJSON_GetObjectItem(paths, op->path), doc_verbs[op->method]);
        cr_expect_not_null(one, "%s %s is not described", verbs[op->method], op->path);
        cr_expect(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(one, "summary"))) > 3);
        if (strstr(op->path, "drain") == NULL) {
            kit_publish("/whip/r/alice", "");
            check_call(doc, op, true);
            if (strchr(op->path, '{') != NULL) {
                admin_do("DELETE", "/api/v1/rooms/r", "");
                check_call(doc, op, false);
            }
        }
    }
    const cJSON *path;
    const cJSON *verb;
    cJSON_ArrayForEach(path, paths)
    {
        cJSON_ArrayForEach(verb, path)
        {
            described++;
        }
    }
    cr_expect_eq(described, n, "%zu described, %zu there", described, n);
    cJSON_Delete(doc);
}

static int asked_ms = -1;

static void note_drain(int timeout_ms, void *ctx)
{
    (void)ctx;
    asked_ms = timeout_ms;
}

Test(admin, drains_when_asked_to)
{
    cr_expect_eq(admin_do("POST", "/api/v1/drain", "").status, 503, "nobody is there to do it");
    kit_stop();
    kit_prepare();
    cr_assert_eq(uv_loop_init(&kit.loop), 0);
    kit.cert = cert_new();
    const char *what = "";
    struct signaling_params p = {
        .loop = &kit.loop, .conf = kit.conf, .cert = kit.cert, .drain = note_drain};
    cr_assert_eq(signaling_start(&p, &kit.s, &what), 0, "%s", what);
    cr_assert_eq(signaling_set_plane(kit.s, &kit_plane, &what), 0, "%s", what);
    static const struct {
        const char *body;
        int status, ms;
    } rows[] = {{"", 202, 30000},
                {"{\"timeout_ms\":0}", 202, 0},
                {"{\"timeout_ms\":1500}", 202, 1500},
                {"{\"timeout_ms\":-1}", 400, -1},
                {"{\"timeout_ms\":\"1\"}", 400, -1},
                {"{\"timeout_ms\":1e9}", 400, -1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        asked_ms = -1;
        struct reply r = admin_do("POST", "/api/v1/drain", rows[i].body);
        cr_expect_eq(r.status, rows[i].status, "row %zu: %s", i, r.body);
        cr_expect_eq(asked_ms, rows[i].ms, "row %zu", i);
    }
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
