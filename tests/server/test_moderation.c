/* SPDX-License-Identifier: Apache-2.0 */
/* test_moderation.c - those in charge, asked of the built server with people in the room: taking
 * over, muting, removing, locking, ending; tokens that expire and that are revoked, also over a
 * restart; what webhooks are told of it all, in order and signed; the operator's hook. */
#include "tests/jwt_kit.h"
#include "tests/server/server_kit.h"
#include "tests/server/server_stub.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REVOKE_MS     2000 /* SEC-28 */
#define EXPIRE_S      3
#define EXPIRE_MS     (EXPIRE_S * 1000 + 30000) /* SEC-28 */
#define QUEUE         3
#define ROOT          "root-51e07cc2a8d3"
#define SECRET        "the secret of the stub, thirty-two"
#define HOOK_PATIENCE 2000 /* auth.hook_timeout_ms */

static struct server server;
static struct stub stub;
static char folder[] = "/tmp/sluice-moderation-XXXXXX";

enum page {
    PAGE_EVENTS,
    PAGE_FULL, /* a second target, that is down for some seconds */
    PAGE_HOOK,
};

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_config(bool hook)
{
    char ask[256] = "";

    FILE *f = fopen(path_of("hook.secret"), "we");
    check(f && fputs(SECRET, f) >= 0 && fclose(f) == 0, "the hook's secret is written");
    if (hook) {
        snprintf(ask, sizeof(ask),
                 "\"hook_url\":\"http://127.0.0.1:%u/hook\",\"hook_secret_file\":\"%s\","
                 "\"hook_timeout_ms\":%d,",
                 stub.port, path_of("hook.secret"), HOOK_PATIENCE);
    }
    f = fopen(path_of("sluice.json"), "we");
    check(f && chmod(path_of("sluice.json"), 0600) == 0 &&
              fprintf(f,
                      "{\"auth\":{%s\"end_on_expiry\":true,\"leeway_s\":0,\"revoked_file\":"
                      "\"%s/revoked\",\"keys\":[{\"alg\":\"HS256\",\"secret\":\"" JWT_KIT_SECRET
                      "\"}],\"tokens\":[{\"token\":\"" ROOT "\",\"name\":\"root\","
                      "\"pattern\":\"*\",\"admin\":true}]},\"webhooks\":{\"queue\":%d,\"targets\":["
                      "{\"url\":\"http://127.0.0.1:%u/events\",\"secret\":\"" SECRET "\"},"
                      "{\"url\":\"http://127.0.0.1:%u/full\"}]}}\n",
                      ask, folder, hook ? QUEUE : 1000, stub.port, stub.port) > 0 &&
              fclose(f) == 0,
          "the settings are written");
}

/* ---- people ---- */

static const char *token_for(const char *sub, int64_t life_s, const char *more)
{
    char claims[512];

    snprintf(claims, sizeof(claims),
             "{\"exp\":%lld,\"room\":\"demo\",\"sub\":\"%s\",\"publish\":true,\"play\":true%s}",
             (long long)time(NULL) + life_s, sub, more);
    return jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", claims);
}

enum heard {
    NOTHING,
    SOUND = 1,
    PICTURE = 2,
    ALL = 3,
};

static enum heard heard;

static void on_packet(void *ctx, struct peer *p, const struct peer_packet *pkt)
{
    (void)ctx;
    (void)p;
    heard |= pkt->video ? PICTURE : SOUND;
}

static struct peer *join(enum peer_role role, const char *path, const char *token)
{
    struct peer_params m;

    server_params(role, &m);
    m.video_kbps = 100;
    m.fps = 10;
    m.token = token;
    m.events.on_packet = on_packet;
    return server_peer(&server, path, &m);
}

static struct peer *joined(enum peer_role role, const char *path, const char *token)
{
    struct peer *p = join(role, path, token);

    check(server_wait_playing(&server, &p, 1) == 0, "%s has joined", path);
    return p;
}

/* The status that a POST gets; what it makes goes again. */
static int status_of(enum peer_role role, const char *path, const char *token)
{
    struct peer *p = join(role, path, token);

    (void)server_wait_state(&server, p, PEER_UP, SERVER_PATIENCE_MS);
    int status = peer_stats(p)->http_status;
    server_free_peers(&server, &p, 1);
    return status;
}

static int ask(bool admin, const char *method, const char *path, const char *token,
               const char *body)
{
    struct server_reply r;
    struct server_ask a = {.admin = admin,
                           .method = method,
                           .path = path,
                           .token = token,
                           .type = body ? "application/json" : NULL,
                           .body = body};

    server_ask(&server, &a, &r);
    free(r.body);
    return r.status;
}

static int root(const char *method, const char *path)
{
    return ask(true, method, path, ROOT, NULL);
}

static int moderate(const char *path, const char *body)
{
    return ask(false, "POST", path, token_for("mod", 60, ",\"moderate\":true"), body);
}

/* The peer is told to go within ms, for this reason. */
static void check_ends(struct peer *p, const char *who, int64_t ms, const char *reason)
{
    int64_t from_ms = server_now_ms();
    bool closed = server_wait_state(&server, p, PEER_CLOSED, ms);

    check(closed, "%s: the session ends in %lld ms of %lld", who,
          (long long)(server_now_ms() - from_ms), (long long)ms);
    const char *role = peer_params(p)->role == PEER_PUBLISH ? "publish" : "play";
    char name[128];
    snprintf(name, sizeof(name), "sluice_sessions_ended_total{role=\"%s\",reason=\"%s\"}", role,
             reason);
    check(server_wait_metric(&server, name, 1) >= 1, "%s: as %s", who, reason);
    /* Its page asks, and is told that there is no way back. */
    struct server_reply r;
    char type[64];
    const char *path = strstr(peer_location(p), "/session/");
    snprintf(type, sizeof(type), "problem:%s\"", reason);
    for (char *c = type; *c; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    check(path && server_http(&server, false, "GET", path, NULL, NULL, &r) == 404 && r.body &&
              strstr(r.body, type),
          "%s: its URL says so", who);
    free(r.body);
}

/* ---- what moderators do ---- */

static void check_take_over(struct peer **ann)
{
    check(status_of(PEER_PUBLISH, "demo/ann", token_for("eve", 60, "")) == 409,
          "another principal does not take over");
    check(peer_state(*ann) == PEER_UP, "who is live stays");
    struct peer *again = joined(PEER_PUBLISH, "demo/ann", token_for("ann", 60, ",\"jti\":\"a\""));
    check_ends(*ann, "the same principal takes over", REVOKE_MS, "taken_over");
    server_free_peers(&server, ann, 1);
    *ann = again;
}

/* What viewers get within half a second, when what was under way has come. */
static enum heard hear(void)
{
    server_run(&server, 500);
    heard = NOTHING;
    server_run(&server, 500);
    return heard;
}

static void check_mute(struct peer **ann)
{
    static const struct {
        const char *verb, *body;
        int want;
        enum heard heard;
    } steps[] = {
        {"mute", "{\"audio\":true,\"video\":true}", 204, NOTHING},
        {"unmute", NULL, 204, ALL},
        {"mute", "{\"audio\":1}", 400, ALL},
        {"mute", "{\"sound\":true}", 400, ALL},
        {"mute", "{\"screen\":true}", 204, ALL},
        {"mute", "{\"microphone\":true}", 204, PICTURE},
        {"mute", "{\"camera\":true}", 204, NOTHING},
        {"unmute", "{\"audio\":true}", 204, SOUND},
        {"unmute", "{\"microphone\":false}", 204, ALL},
        {"mute", "{\"video\":false}", 204, PICTURE},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/moderate/demo/ann/%s", steps[i].verb);
        int status = moderate(path, steps[i].body);
        check(hear() == steps[i].heard && status == steps[i].want,
              "%s %s is %d (%d); 1 sound, 2 picture: %d (%d)", steps[i].verb,
              steps[i].body ? steps[i].body : "", steps[i].want, status, steps[i].heard, heard);
    }
    check(server_dropped(&server, "muted") > 0, "what the server drops is counted");
    server_leave(&server, *ann);
    server_free_peers(&server, ann, 1);
    *ann = join(PEER_PUBLISH, "demo/ann", token_for("ann", 60, ",\"jti\":\"a\""));
    check(server_wait_state(&server, *ann, PEER_UP, SERVER_PATIENCE_MS) && hear() == PICTURE,
          "who leaves and comes back is muted still");
    int unmuted = root("POST", "/api/v1/rooms/demo/participants/ann/unmute");
    check(unmuted == 200 && hear() == ALL, "the admin API unmutes, too (%d)", unmuted);
    check(moderate("/moderate/demo/nobody/mute", NULL) == 404, "nobody is muted");
    check(ask(false, "POST", "/moderate/demo/ann/mute", token_for("eve", 60, ""), NULL) == 403,
          "who is no moderator mutes nobody");
}

static void check_lock(void)
{
    check(moderate("/moderate/demo/lock", NULL) == 204, "the room is locked");
    check(status_of(PEER_PUBLISH, "demo/eve", token_for("eve", 60, "")) == 403,
          "nobody new comes in");
    check(status_of(PEER_PUBLISH, "demo/ann~screen", token_for("ann", 60, "")) == 201,
          "who is inside opens more");
    check(status_of(PEER_PLAY, "demo/ann", token_for("mod", 60, ",\"moderate\":true")) == 201,
          "a moderator comes in");
    check(root("POST", "/api/v1/rooms/demo/unlock") == 204 &&
              status_of(PEER_PUBLISH, "demo/eve", token_for("eve", 60, "")) == 201,
          "unlocked, all may come");
}

static void check_remove(void)
{
    char token[1024];

    snprintf(token, sizeof(token), "%s", token_for("eve", 60, ""));
    struct peer *eve = joined(PEER_PUBLISH, "demo/eve", token);
    check(moderate("/moderate/demo/eve/remove", NULL) == 204, "eve is removed");
    check_ends(eve, "eve", REVOKE_MS, "removed");
    server_free_peers(&server, &eve, 1);
    eve = joined(PEER_PUBLISH, "demo/eve", token);
    check(moderate("/moderate/demo/eve/remove", "{\"revoke\":true}") == 204, "and for good");
    check_ends(eve, "eve", REVOKE_MS, "token_revoked");
    server_free_peers(&server, &eve, 1);
    check(status_of(PEER_PUBLISH, "demo/eve", token) == 401, "her token is refused");
}

static void check_revoke(struct peer *ann)
{
    check(root("DELETE", "/api/v1/tokens/a") == 200, "ann's token is revoked");
    check_ends(ann, "ann", REVOKE_MS, "token_revoked");
    check(status_of(PEER_PUBLISH, "demo/ann", token_for("ann", 60, ",\"jti\":\"a\"")) == 401,
          "any token of that jti is refused");
}

/* Where the list cannot be written, the answer says so. */
static void check_not_saved(void)
{
    struct server_reply r;

    check(mkdir(path_of("revoked.new"), 0700) == 0, "the list's place is taken");
    struct server_ask a = {
        .admin = true, .method = "DELETE", .path = "/api/v1/tokens/b", .token = ROOT};
    server_ask(&server, &a, &r);
    check(r.status == 500 && r.body && strstr(r.body, "not-saved"),
          "a revocation that a restart would forget is 500 (%d)", r.status);
    free(r.body);
    check(status_of(PEER_PUBLISH, "demo/dan", token_for("dan", 60, ",\"jti\":\"b\"")) == 401,
          "it holds until then");
    check(rmdir(path_of("revoked.new")) == 0 && root("DELETE", "/api/v1/tokens/b") == 200,
          "asked again, it is saved");
}

static void check_expiry(void)
{
    struct peer *cid = joined(PEER_PUBLISH, "demo/cid", token_for("cid", EXPIRE_S, ""));

    check_ends(cid, "a token that expires", EXPIRE_MS, "token_expired");
    server_free_peers(&server, &cid, 1);
}

static void check_end(struct peer *bob)
{
    check(ask(false, "POST", "/moderate/demo/end", token_for("ann", 60, ""), NULL) == 403,
          "who is no moderator ends no room");
    check(moderate("/moderate/demo/end", NULL) == 204, "the room is ended");
    check_ends(bob, "bob", REVOKE_MS, "room_ended");
    check(moderate("/moderate/demo/end", NULL) == 404, "and is no more");
}

/* ---- what webhooks were told ---- */

static bool told_end(void *ctx)
{
    (void)ctx;
    for (const struct stub_request *r = stub.first; r; r = r->next) {
        if (!strcmp(r->page, "/events") && strstr(r->body, "room.ended")) {
            return true;
        }
    }
    return false;
}

/* Each event was tried until it was taken: two failures at the start, then one delivery each. */
static void check_events(void)
{
    static const char *const must[] = {
        "room.started",     "participant.joined",           "publisher.live",
        "session.ended",    "\"reason\":\"taken_over\"",    "\"reason\":\"removed\"",
        "participant.left", "\"reason\":\"token_revoked\"", "\"reason\":\"token_expired\"",
        "room.ended",       "\"principal\":\"sub:ann\"",    "\"reason\":\"room_ended\""};
    unsigned found = 0, n = 0, wrong_order = 0, unsigned_ = 0, repeated = 0;
    double last = 0;
    char last_id[64] = "";

    check(server_until(&server, SERVER_PATIENCE_MS, told_end, NULL), "the last event is told");
    for (const struct stub_request *r = stub.first; r; r = r->next) {
        if (strcmp(r->page, "/events") != 0) {
            continue;
        }
        cJSON *o = cJSON_Parse(r->body);
        double seq = cJSON_GetNumberValue(cJSON_GetObjectItem(o, "seq"));
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(o, "id"));
        bool same = id && !strcmp(id, last_id);
        n++;
        unsigned_ += !stub_signed_by(r, SECRET);
        repeated += same;
        wrong_order += same ? seq != last : seq <= last;
        wrong_order += !id || strcmp(id, stub_header(r, "Sluice-Delivery")) != 0;
        last = seq;
        snprintf(last_id, sizeof(last_id), "%s", id ? id : "");
        cJSON_Delete(o);
    }
    for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
        bool is = false;
        for (const struct stub_request *r = stub.first; r && !is; r = r->next) {
            is = !strcmp(r->page, "/events") && strstr(r->body, must[i]);
        }
        found += is;
        check(is, "an event says %s", must[i]);
    }
    check(n > found && unsigned_ == 0, "%u deliveries are signed (%u are not)", n, unsigned_);
    check(wrong_order == 0, "they come in order (%u do not)", wrong_order);
    check(repeated >= 2, "what was not taken is tried again under its id (%u times)", repeated);
}

/* A target that is down keeps a few events; when it is back it is told how many are missing. */
static void check_lost_events(void)
{
    int lost = 0;

    for (int64_t end = server_now_ms() + SERVER_PATIENCE_MS; !lost && server_now_ms() < end;) {
        server_run(&server, 100);
        for (const struct stub_request *r = stub.first; r && !lost; r = r->next) {
            lost = !strcmp(r->page, "/full") ? atoi(stub_header(r, "Sluice-Dropped")) : 0;
        }
    }
    check(lost > 0, "a target that was down is told how many events it missed (%d)", lost);
    check(server_metric(&server, "sluice_webhooks_total{result=\"overflow\"}") > 0,
          "they are counted");
}

/* ---- the hook ---- */

static void check_hook(void)
{
    static const struct {
        const char *what;
        struct stub_page page;
        int want;
    } rows[] = {
        {"yes", {.status = 204}, 201},
        {"yes in words", {.status = 200, .body = "{\"allow\":true}"}, 201},
        {"no", {.status = 403}, 403},
        {"no in words", {.status = 200, .body = "{\"allow\":false}"}, 403},
        {"an error", {.status = 500}, 503},
        {"a redirect", {.status = 302, .head = "Location: /events\r\n"}, 503},
        {"nonsense", {.status = 200, .body = "{\"allow\":"}, 503},
        {"silence", {.status = 0}, 503},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        stub.pages[PAGE_HOOK] = rows[i].page;
        stub.pages[PAGE_HOOK].path = "/hook";
        int64_t from_ms = server_now_ms();
        int status = status_of(PEER_PUBLISH, "demo/dan", token_for("dan", 60, ""));
        check(status == rows[i].want && stub.pages[PAGE_HOOK].n == 1,
              "the hook says %s: %d (%d, asked %u times, %lld ms)", rows[i].what, rows[i].want,
              status, stub.pages[PAGE_HOOK].n, (long long)(server_now_ms() - from_ms));
    }
    unsigned signed_ = 0;
    for (const struct stub_request *r = stub.first; r; r = r->next) {
        signed_ += !strcmp(r->page, "/hook") && stub_signed_by(r, SECRET) &&
                   strstr(r->body, "\"action\":\"publish\",\"room\":\"demo\"") &&
                   strstr(r->body, "\"principal\":\"sub:dan\"");
    }
    check(signed_ == sizeof(rows) / sizeof(rows[0]), "its questions are signed (%u)", signed_);
    check(status_of(PEER_PUBLISH, "other/dan", token_for("dan", 60, "")) == 403 &&
              stub.pages[PAGE_HOOK].n == 1,
          "it is not asked what the token forbids");
}

static void restart(bool hook)
{
    check(server_stop(&server) == 0, "the server stops");
    write_config(hook);
    server_start(&server, NULL);
}

int main(int argc, char **argv)
{
    char config[128];

    server_init(&server, argc, argv);
    if (!mkdtemp(folder) || stub_open(&stub, server.loop) < 0) {
        return 2;
    }
    stub.pages[PAGE_EVENTS] = (struct stub_page){.path = "/events", .status = 204, .fail_first = 2};
    stub.pages[PAGE_FULL] = (struct stub_page){.path = "/full", .status = 204, .fail_first = 3};
    stub.pages[PAGE_HOOK] = (struct stub_page){.path = "/hook", .status = 204};
    snprintf(config, sizeof(config), "%s", path_of("sluice.json"));
    server.config = config;
    server.admin_token = ROOT;
    write_config(false);
    server_start(&server, NULL);

    struct peer *ann = joined(PEER_PUBLISH, "demo/ann", token_for("ann", 60, ",\"jti\":\"a\""));
    check_take_over(&ann);
    struct peer *bob = joined(PEER_PLAY, "demo/ann", token_for("bob", 60, ""));
    check_mute(&ann);
    check_lock();
    check_remove();
    check_revoke(ann);
    check_not_saved();
    check_expiry();
    check_end(bob);
    server_free_peers(&server, &ann, 1);
    server_free_peers(&server, &bob, 1);
    check_events();

    stub.pages[PAGE_FULL].fail_first = 2;
    restart(true);
    check(status_of(PEER_PUBLISH, "demo/ann", token_for("ann", 60, ",\"jti\":\"a\"")) == 401,
          "what is revoked is so after a restart");
    check_hook();
    check_lost_events();

    stub_close(&stub);
    server_fini(&server);
    static const char *const files[] = {"sluice.json", "hook.secret", "revoked"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unlink(path_of(files[i]));
    }
    rmdir(folder);
    return check_report();
}
