/* SPDX-License-Identifier: Apache-2.0 */
/* test_obs.c - a publisher with the habits of OBS: key frames every 10 s and none on request, NACK
 * answered by the same packet, layers called "0" (the largest), "1", "2", no candidates, no TWCC.
 * Who joins in the middle of a GOP sees a picture at once, of the layer that its network carries.
 */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <string.h>

#define AGENT    "Mozilla/5.0 (OBS-Studio/32.2.2; Linux x86_64; en-US)"
#define QUIRKS   (PEER_QUIRK_NO_CANDIDATES | PEER_QUIRK_NO_MID | PEER_QUIRK_IGNORE_PLI)
#define FIRST_MS SERVER_SCALED(500, 3000)
#define VIEWERS  4

static struct server server;

struct row {
    const char *name;
    unsigned layers, top_kbps;
};

static const struct row rows[] = {
    {"obs-single", 1, 600},
    {"obs-simulcast", 3, 900},
    {"obs-simulcast-wide", 3, 8000}, /* more than a viewer is trusted with at first */
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct peer *start(const struct row *r)
{
    struct peer_params m;

    server_params(PEER_PUBLISH, &m);
    m.agent = AGENT;
    m.quirks = QUIRKS;
    m.codecs = 1U << PEER_H264;
    m.rtx = m.twcc = false;
    m.n_layers = r->layers;
    /* The smallest first, as the peer counts. */
    for (unsigned i = 0; i < r->layers; i++) {
        static const char *const names[] = {"0", "1", "2"};
        m.rids[i] = names[r->layers - 1 - i];
    }
    m.video_kbps = SERVER_SCALED(r->top_kbps, r->top_kbps / 2);
    m.keyframe_ms = 10000;
    return server_peer(&server, r->name, &m);
}

/* One key frame has been sent, none will come for seconds. */
static void judge(const struct row *r, struct peer *pub, struct peer **viewers)
{
    check(peer_stats(pub)->sent_keyframes == r->layers, "%s: one key frame a layer (%llu)", r->name,
          (unsigned long long)peer_stats(pub)->sent_keyframes);
    check(peer_stats(pub)->plis_received + peer_stats(pub)->firs_received == 0,
          "%s: none was asked for", r->name);
    for (unsigned i = 0; i < VIEWERS; i++) {
        const struct peer_stats *st = peer_stats(viewers[i]);
        int64_t ms = st->first_keyframe_us ? (st->first_keyframe_us - st->post_us) / 1000 : -1;
        check(ms >= 0 && ms <= FIRST_MS, "%s: viewer %u has a picture %lld ms after its POST",
              r->name, i, (long long)ms);
        check(st->frames > 30 && server_flawless(viewers[i], r->name),
              "%s: viewer %u decodes all of %llu frames", r->name, i,
              (unsigned long long)st->frames);
    }
}

/* How many viewers of the stream are sent a layer below the largest. */
static unsigned on_small_layers(const char *stream)
{
    cJSON *all = server_sessions(&server);
    unsigned n = 0;

    for (unsigned i = 0; i < server_sessions_count(all); i++) {
        const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(all, "sessions"), (int)i);
        const cJSON *track;
        bool here = strcmp(server_session_text(all, i, "role"), "play") == 0 &&
                    strncmp(server_session_text(all, i, "stream"), stream, strlen(stream)) == 0;
        cJSON_ArrayForEach(track, cJSON_GetObjectItem(here ? one : NULL, "tracks"))
        {
            const char *rid = cJSON_GetStringValue(cJSON_GetObjectItem(track, "rid"));
            n += rid && rid[0] && strcmp(rid, "0") != 0;
        }
    }
    cJSON_Delete(all);
    return n;
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};
    struct peer *pubs[N_ROWS];
    struct peer *viewers[N_ROWS][VIEWERS];

    server_init(&server, argc, argv);
    server_start(&server, sets);
    for (size_t i = 0; i < N_ROWS; i++) {
        pubs[i] = start(&rows[i]);
    }
    check(server_wait_playing(&server, pubs, N_ROWS) == 0, "the publishers are up");
    for (unsigned k = 0; k < VIEWERS; k++) {
        server_run(&server, 1000);
        for (size_t i = 0; i < N_ROWS; i++) {
            struct peer_params m;
            server_params(PEER_PLAY, &m);
            m.codecs = 1U << PEER_H264;
            m.twcc = k % 2 == 0; /* the others tell nothing of their network */
            viewers[i][k] = server_peer(&server, rows[i].name, &m);
        }
    }
    server_run(&server, 2500);
    check(on_small_layers("obs-simulcast-wide/") > 0,
          "joiners on the smaller layers are among them");
    for (size_t i = 0; i < N_ROWS; i++) {
        judge(&rows[i], pubs[i], viewers[i]);
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        server_free_peers(&server, viewers[i], VIEWERS);
    }
    server_free_peers(&server, pubs, N_ROWS);
    server_fini(&server);
    return check_report();
}
