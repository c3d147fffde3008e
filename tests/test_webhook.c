/* SPDX-License-Identifier: Apache-2.0 */
/* Events and their delivery: what is said when, in order, signed, tried again, bounded. */
#include <cjson/cJSON.h>

#include "signaling/fetch.h"
#include "signaling/webhook.h"
#include "tests/http_kit.h"
#include "tests/jwt_kit.h"
#include "tests/stub_http.h"

/* ---- the queue alone ---- */

static uv_loop_t loop;
static struct fetch_pool *pool;
static struct webhooks *hooks;
static struct conf *conf;

static void target(int i, const char *path, const char *secret, const char *events)
{
    struct conf_webhook *h = &conf->webhooks.targets[i];
    snprintf(h->url, sizeof(h->url), "%s", stub_url(path));
    snprintf(h->secret, sizeof(h->secret), "%s", secret);
    snprintf(h->events, sizeof(h->events), "%s", events);
    conf->webhooks.n = i + 1;
}

static void start(void)
{
    cr_assert_eq(uv_loop_init(&loop), 0);
    stub_start(&loop);
    conf = calloc(1, sizeof(*conf));
    conf_defaults(conf);
    pool = fetch_pool_new(&loop);
    hooks = webhook_new(&loop, pool);
}

static void stop(void)
{
    webhook_free(hooks);
    fetch_pool_free(pool);
    stub_stop();
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "a handle was left open");
    stub_free();
    free(conf);
}

TestSuite(webhook, .timeout = 60);

static void emit(const char *event, const char *id)
{
    char body[64];
    snprintf(body, sizeof(body), "{\"n\":\"%s\"}", id);
    webhook_emit(hooks, event, id, body, strlen(body));
}

static void run_until(unsigned waiting)
{
    while (webhook_waiting(hooks) != waiting) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

Test(webhook, signs_as_described, .init = start, .fini = stop)
{
    char text[WEBHOOK_SIGNATURE];
    /* printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret */
    cr_expect_str_eq(
        webhook_sign("secret", 1700000000, "{\"a\":1}", 7, text),
        "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
    target(0, "/hook", "secret", "");
    webhook_configure(hooks, conf);
    emit("room.started", "id-1");
    run_until(0);
    const struct stub_request *r = &stub.requests[0];
    cr_expect_eq(strncmp(r->text, "POST /hook HTTP/1.1\r\n", 21), 0);
    cr_expect_str_eq(stub_header(r, "Content-Type"), "application/json");
    cr_expect_str_eq(stub_header(r, "Sluice-Event"), "room.started");
    cr_expect_str_eq(stub_header(r, "Sluice-Delivery"), "id-1");
    cr_expect_str_eq(stub_header(r, "Sluice-Attempt"), "1");
    cr_expect_str_eq(stub_header(r, "Sluice-Dropped"), "0");
    cr_expect_str_eq(r->body, "{\"n\":\"id-1\"}");
    const char *signature = stub_header(r, "Sluice-Signature");
    int64_t t = strtoll(signature + 2, NULL, 10);
    cr_expect_str_eq(signature, webhook_sign("secret", t, r->body, strlen(r->body), text));
    cr_expect_leq(llabs(t - clock_wall_us() / US_PER_S), 5);
}

Test(webhook, refuses_events_that_nobody_sends)
{
    static const struct {
        const char *events, *wrong;
    } rows[] = {{"", NULL},
                {"room.started", NULL},
                {"room.*, session.ended", NULL},
                {"*", NULL},
                {"room.*,rooms.*", "webhooks.targets[1]: no event is called \"rooms.*\""},
                {"room.start", "webhooks.targets[1]: no event is called \"room.start\""}};
    static struct conf c;
    conf_defaults(&c);
    c.webhooks.n = 2;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *what = NULL;
        strcpy(c.webhooks.targets[1].events, rows[i].events);
        cr_assert_eq(webhook_check(&c, &what), rows[i].wrong ? -EINVAL : 0, "%s", rows[i].events);
        cr_assert(!rows[i].wrong || strcmp(what, rows[i].wrong) == 0, "%s", what);
    }
}

Test(webhook, keeps_the_order_and_tries_again, .init = start, .fini = stop)
{
    target(0, "/hook", "", "");
    webhook_configure(hooks, conf);
    stub.fail_first = 2;
    for (int i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof(id), "%d", i);
        emit("x", id);
    }
    cr_expect_eq(webhook_waiting(hooks), 5);
    int64_t begun_us = clock_now_us();
    run_until(0);
    int64_t took_us = clock_now_us() - begun_us;
    cr_expect_geq(took_us, 2900 * US_PER_MS, "1 s, then 2 s: %lld", (long long)took_us);
    static const char *const order[] = {"0", "0", "0", "1", "2", "3", "4"};
    cr_assert_eq(stub.n, (int)ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        cr_expect_str_eq(stub_header(&stub.requests[i], "Sluice-Delivery"), order[i]);
        cr_expect_str_eq(stub_header(&stub.requests[i], "Sluice-Signature"), "");
    }
    cr_expect_str_eq(stub_header(&stub.requests[2], "Sluice-Attempt"), "3");
    cr_expect_eq(webhook_count(hooks, WEBHOOK_DELIVERED), 5);
    cr_expect_eq(webhook_count(hooks, WEBHOOK_RETRIED), 2);
}

Test(webhook, is_bounded_and_says_what_was_lost, .init = start, .fini = stop)
{
    target(0, "/hook", "", "");
    conf->webhooks.queue = 3;
    webhook_configure(hooks, conf);
    for (int i = 0; i < 10; i++) {
        emit("x", "a");
    }
    cr_expect_eq(webhook_waiting(hooks), 3);
    cr_expect_eq(webhook_count(hooks, WEBHOOK_OVERFLOW), 7);
    run_until(0);
    cr_assert_eq(stub.n, 3);
    cr_expect_str_eq(stub_header(&stub.requests[1], "Sluice-Dropped"), "7");
    cr_expect_str_eq(stub_header(&stub.requests[2], "Sluice-Dropped"), "0", "told once");
    /* A target that does not want it is not asked again; nor one that is out of time. */
    static const struct {
        int status, retry_s;
        enum webhook_result want;
    } rows[] = {{400, 600, WEBHOOK_REFUSED}, {404, 600, WEBHOOK_REFUSED},
                {410, 600, WEBHOOK_REFUSED}, {500, 0, WEBHOOK_EXPIRED},
                {302, 0, WEBHOOK_EXPIRED},   {429, 0, WEBHOOK_EXPIRED},
                {0, 0, WEBHOOK_EXPIRED}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t before = webhook_count(hooks, rows[i].want);
        stub.status = rows[i].status;
        conf->webhooks.retry_s = rows[i].retry_s;
        conf->webhooks.n = 0; /* so that no pause is left */
        webhook_configure(hooks, conf);
        conf->webhooks.n = 1;
        webhook_configure(hooks, conf);
        emit("x", "b");
        run_until(0);
        cr_expect_eq(webhook_count(hooks, rows[i].want), before + 1, "row %zu", i);
    }
    cr_expect_eq(webhook_count(hooks, WEBHOOK_RETRIED), 0);
}

Test(webhook, targets_choose_and_do_not_wait_for_each_other, .init = start, .fini = stop)
{
    target(0, "/rooms", "", "room.*, participant.left");
    target(1, "/all", "", "");
    snprintf(conf->webhooks.targets[0].url, CONF_STR_MAX, "http://127.0.0.1:1/dead");
    webhook_configure(hooks, conf);
    static const struct {
        const char *event;
        unsigned dead, all;
    } rows[] = {{"room.started", 1, 1},
                {"participant.joined", 0, 1},
                {"participant.left", 1, 1},
                {"rooms.started", 0, 1}};
    unsigned dead = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        emit(rows[i].event, "e");
        dead += rows[i].dead;
        run_until(dead);
        cr_expect_eq(stub.n, (int)i + 1, "%s", rows[i].event);
        cr_expect(webhook_wants(hooks, rows[i].event));
    }
    conf->webhooks.n = 1;
    webhook_configure(hooks, conf);
    cr_expect_not(webhook_wants(hooks, "session.ended"));
    cr_expect_eq(webhook_waiting(hooks), 2, "what waits for a URL that stays goes on waiting");
    conf->webhooks.n = 0;
    webhook_configure(hooks, conf);
    cr_expect_eq(webhook_count(hooks, WEBHOOK_STOPPED), 2);
}

/* ---- the events ---- */

static void start_kit(void)
{
    jwt_kit_init();
    kit_prepare();
    conf = kit.conf;
    cr_assert_eq(uv_loop_init(&kit.loop), 0);
    stub_start(&kit.loop);
    target(0, "/hook", "", "");
    conf->auth.n_keys = 1;
    conf->auth.keys[0] = (struct conf_auth_key){.alg = "HS256", .secret = JWT_KIT_SECRET};
    const char *what = "";
    kit.cert = cert_new();
    struct signaling_params p = {.loop = &kit.loop, .conf = kit.conf, .cert = kit.cert};
    cr_assert_eq(signaling_start(&p, &kit.s, &what), 0, "%s", what);
    cr_assert_eq(signaling_set_plane(kit.s, &kit_plane, &what), 0, "%s", what);
}

static void stop_kit(void)
{
    stub_stop();
    kit_stop();
    stub_free();
    jwt_kit_fini();
}

static const char *bearer(const char *claims)
{
    static char out[2048];
    char all[512];
    snprintf(all, sizeof(all), "{\"room\":\"*\",\"publish\":true,\"play\":true,\"exp\":%lld%s}",
             (long long)(clock_wall_us() / US_PER_S + 60), claims);
    snprintf(out, sizeof(out), "Authorization: Bearer %s\r\n",
             jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", all));
    return out;
}

static int told; /* requests looked at */

/* The next event's body; the caller deletes it. */
static cJSON *next(const char *event)
{
    int64_t until_us = clock_now_us() + 5 * (int64_t)US_PER_S;
    while (stub.n <= told && clock_now_us() < until_us) {
        kit_turn();
    }
    cr_assert_lt(told, stub.n, "%s did not come", event);
    cJSON *o = cJSON_Parse(stub.requests[told++].body);
    cr_assert_not_null(o);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "event")), event);
    cr_expect_eq((int)cJSON_GetNumberValue(cJSON_GetObjectItem(o, "seq")), told);
    cr_expect_eq(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(o, "id"))), WEBHOOK_ID_LEN);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "room")), "r");
    return o;
}

static void expect(const char *event, const char *key, const char *value)
{
    cJSON *o = next(event);
    const char *have = cJSON_GetStringValue(cJSON_GetObjectItem(o, key));
    cr_expect(have != NULL && strcmp(have, value) == 0, "%s: %s is %s", event, key,
              have != NULL ? have : "not there");
    cJSON_Delete(o);
}

Test(webhook, tells_the_life_of_a_room, .init = start_kit, .fini = stop_kit)
{
    cr_assert_eq(kit_publish("/whip/r/alice",
                             bearer(",\"sub\":\"u1\",\"name\":\"Alice\",\"metadata\":{\"a\":1}"))
                     .status,
                 201);
    uint64_t pub = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    cr_expect_eq(stub.n, 0, "nothing before it is up");
    kit_say(API_EV_UP, pub, 0);
    expect("room.started", "room", "r");
    cJSON *o = next("participant.joined");
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "participant")), "alice");
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "name")), "Alice");
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "principal")), "sub:u1");
    cr_expect_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(o, "metadata"), "a")),
                 1);
    const char *time = cJSON_GetStringValue(cJSON_GetObjectItem(o, "time"));
    cr_expect(strlen(time) == 24 && time[10] == 'T' && time[23] == 'Z', "%s", time);
    cJSON_Delete(o);
    expect("session.started", "role", "publish");
    kit_say(API_EV_LIVE, pub, 0);
    expect("publisher.live", "stream", "r/alice");
    kit_say(API_EV_SILENT, pub, 0);
    expect("publisher.silent", "participant", "alice");
    kit_say(API_EV_LIVE, pub, 0);
    o = next("publisher.live");
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(o, "again")));
    cJSON_Delete(o);

    /* A screen is the same participant's; a viewer without a name is nobody. */
    cr_assert_eq(kit_publish("/whip/r/alice~screen", bearer(",\"sub\":\"u1\"")).status, 201);
    uint64_t screen = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, screen, 0);
    expect("session.started", "stream", "r/alice~screen");
    cr_assert_eq(kit_play("/whep/r/alice", bearer("")).status, 201);
    uint64_t viewer = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, viewer, 0);
    expect("session.started", "role", "play");

    kit_say(API_EV_ENDED, pub, API_END_PEER_CLOSED);
    expect("publisher.gone", "reason", "peer_closed");
    o = next("session.ended");
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(o, "was_up")));
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "reason")), "peer_closed");
    cJSON_Delete(o);
    kit_say(API_EV_ENDED, screen, API_END_SILENT);
    expect("publisher.gone", "stream", "r/alice~screen");
    expect("session.ended", "reason", "silent");
    expect("participant.left", "reason", "silent");
    kit_say(API_EV_ENDED, viewer, API_END_CLIENT);
    expect("session.ended", "role", "play");
    expect("room.ended", "room", "r");

    /* What never was up only ends. */
    cr_assert_eq(kit_publish("/whip/r/bob", bearer("")).status, 201);
    kit_say(API_EV_ENDED, kit_last(API_CMD_SESSION_ADD)->cmd.id, API_END_ICE_TIMEOUT);
    o = next("session.ended");
    cr_expect(cJSON_IsFalse(cJSON_GetObjectItem(o, "was_up")));
    cJSON_Delete(o);
    cr_expect_not_null(strstr(kit_admin("GET", "/metrics").body,
                              "sluice_webhooks_total{result=\"delivered\"} 16\n"));
}

Test(webhook, a_participant_who_takes_over_stays, .init = start_kit, .fini = stop_kit)
{
    uint64_t ids[2];
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(kit_publish("/whip/r/alice", bearer(",\"sub\":\"u1\"")).status, 201);
        ids[i] = kit_last(API_CMD_SESSION_ADD)->cmd.id;
        kit_say(API_EV_UP, ids[i], 0);
        if (i == 0) {
            expect("room.started", "room", "r");
            expect("participant.joined", "participant", "alice");
        }
        expect("session.started", "role", "publish");
    }
    kit_say(API_EV_ENDED, ids[0], API_END_TAKEN_OVER);
    expect("publisher.gone", "reason", "taken_over");
    expect("session.ended", "reason", "taken_over");
    for (int i = 0; i < 50; i++) {
        kit_turn();
    }
    cr_expect_eq(stub.n, told, "nobody left");
}

static void note_drained(void *ctx)
{
    *(bool *)ctx = true;
}

Test(webhook, the_last_events_are_told_before_the_end, .init = start_kit, .fini = stop_kit)
{
    bool drained = false;
    cr_assert_eq(kit_publish("/whip/r/alice", bearer("")).status, 201);
    uint64_t id = kit_last(API_CMD_SESSION_ADD)->cmd.id;
    kit_say(API_EV_UP, id, 0);
    signaling_drain(kit.s, 0, note_drained, &drained);
    kit_turn();
    kit_say(API_EV_ENDED, id, API_END_SHUTDOWN);
    while (!drained) {
        kit_turn();
    }
    cr_expect_eq(stub.n, 7, "%d", stub.n);
    cr_expect_str_eq(stub_header(&stub.requests[6], "Sluice-Event"), "room.ended");
}
