/* SPDX-License-Identifier: Apache-2.0 */
/* The data channel "sluice": events as by SSE, wishes as by POST. */
#include "tests/http_kit.h"

TestSuite(control, .init = kit_start, .fini = kit_stop);

/* Lets time pass for the server. */
static void pass(int ms)
{
    (void)poll(NULL, 0, ms);
    kit_turn();
}

static void control(uint64_t session, enum api_data_kind kind, const char *text, bool binary)
{
    size_t len = strlen(text);
    struct api_event ev = {.kind = API_EV_DATA, .id = session};
    ev.u.data = calloc(1, sizeof(*ev.u.data) + len + 1);
    cr_assert_not_null(ev.u.data);
    ev.u.data->kind = kind;
    ev.u.data->binary = binary;
    ev.u.data->len = len;
    memcpy(ev.u.data->bytes, text, len);
    kit_plane.sent[0] = '\0';
    kit_emit(ev);
    kit_turn();
}

static bool said(const char *text)
{
    for (int i = 0; i < 300 && strstr(kit_plane.sent, text) == NULL; i++) {
        kit_turn();
        pass(10);
    }
    return strstr(kit_plane.sent, text) != NULL;
}

Test(control, mirrors_events_and_takes_wishes)
{
    static const struct {
        const char *wish;
        bool binary;
        const char *answer;
    } rows[] = {
        {"{\"pin\":[\"ann\"]}", false, "{\"event\":\"wish\",\"data\":{\"status\":200}}"},
        {"{\"pin\":[]}", true, "\"status\":400,\"detail\":\"A wish is"},
        {"{\"pins\":[]}", false, "\"status\":400,\"detail\":\"'pins' is not known"},
        {"{\"slots\":[{\"mid\":\"9\"}]}", false, "\"status\":422,\"detail\":"},
        {"", false, "\"status\":400,\"detail\":\"The body is not valid JSON"},
    };
    uint64_t ann = kit_live("/whip/room/ann");
    const char *url;
    uint64_t session = kit_join("/whep/room", &url);
    kit_plane.sent[0] = '\0';
    uint64_t bob = kit_live("/whip/room/bob");
    cr_expect_eq(kit_plane.sent[0], '\0', "nothing is told before the channel is open");
    control(session, API_DATA_OPENED, "", false);
    cr_expect(said("{\"event\":\"participants\",\"data\":{\"snapshot\":true"), "%s",
              kit_plane.sent);
    cr_expect(said("{\"event\":\"slots\",\"data\":{\"slots\":[{\"mid\":\"0\""));
    cr_expect(said("{\"event\":\"speakers\",\"data\":{\"dominant\":"));
    cr_expect(said("{\"event\":\"active\",\"data\":{}}"));
    cr_expect(said("{\"event\":\"stats\",\"data\":{\"rtt_ms\":12.5"), "each second");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        control(session, API_DATA_MESSAGE, rows[i].wish, rows[i].binary);
        cr_expect(said(rows[i].answer), "row %zu: %s", i, kit_plane.sent);
    }
    /* What could not be sent is made up for. */
    kit_plane.send_fails = -ENOBUFS;
    kit_say(API_EV_ENDED, bob, API_END_CLIENT);
    pass(120);
    kit_plane.send_fails = 0;
    kit_plane.sent[0] = '\0';
    cr_expect(said("{\"event\":\"participants\",\"data\":{\"snapshot\":true,\"total\":1"), "%s",
              kit_plane.sent);
    /* A publisher has numbers, and no wishes. */
    control(ann, API_DATA_OPENED, "", false);
    cr_expect(said("{\"event\":\"stats\""));
    control(ann, API_DATA_MESSAGE, "{}", false);
    cr_expect(said("\"status\":404"));
    control(session, API_DATA_CLOSED, "", false);
    char tail[32];
    snprintf(tail, sizeof(tail), "\n%llu {", (unsigned long long)session);
    kit_plane.sent[0] = '\0';
    (void)kit_live("/whip/room/cid");
    pass(120);
    cr_expect_null(strstr(kit_plane.sent, tail));
    control(session, API_DATA_OPENED, "", false);
    kit_say(API_EV_ENDED, session, API_END_CLIENT);
    control(session, API_DATA_OPENED, "", false);
    cr_expect_eq(kit_plane.sent[0], '\0', "nothing is told once the session has ended");
}
