/* SPDX-License-Identifier: Apache-2.0 */
/* test_data.c - data channels through the built server: to the room across workers, to one, a file
 * through loss, beside video, slow readers, floods of openings, forged packets, long messages, and
 * what is left when a session ends. DC-xx are the requirements that a check is about. */
#include "tests/server/server_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CROWD       40 /* more than a room's home worker takes alone */
#define FILE_BYTES  (1 << 20)
#define PIECE       16384
#define GAME_MS     SERVER_SCALED(5000, 3000)
#define GAME_RATE   SERVER_SCALED(1000, 300)
#define MESSAGE_MAX 65536

static struct server server;

/* What the server says on its own channel, as messages begin. */
static const char *const sayings[] = {
    "{\"event\":\"participants\",\"data\":{\"snapshot\":true",
    "{\"event\":\"slots\",\"data\":{\"slots\":[{\"mid\":",
    "{\"event\":\"speakers\",\"data\":{\"dominant\":",
    "{\"event\":\"stats\",\"data\":{\"rtt_ms\":",
    "{\"event\":\"wish\",\"data\":{\"status\":200}}",
    "{\"event\":\"wish\",\"data\":{\"status\":422,\"detail\":\"",
};
#define N_SAYINGS (sizeof(sayings) / sizeof(sayings[0]))

struct client {
    unsigned told; /* bit per entry of sayings: has come */
    struct peer *peer;
    char path[64];
    unsigned n; /* messages received */
    size_t bytes;
    uint64_t sum; /* of all that was received, in order */
    uint32_t ppid;
    size_t len; /* of the last one */
    uint16_t sid;
    char text[64];
};

static uint64_t add_sum(uint64_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum = sum * 31 + p[i];
    }
    return sum;
}

static void on_message(void *ctx, struct peer *p, const struct peer_message *m)
{
    struct client *c = ctx;

    (void)p;
    c->n++;
    c->bytes += m->len;
    c->sum = add_sum(c->sum, m->data, m->len);
    c->ppid = m->ppid;
    c->len = m->len;
    c->sid = m->sid;
    for (unsigned i = 0; i < N_SAYINGS; i++) {
        size_t len = strlen(sayings[i]);
        c->told |= (unsigned)(m->len >= len && !memcmp(m->data, sayings[i], len)) << i;
    }
    snprintf(c->text, sizeof(c->text), "%.*s", (int)(m->len < 63 ? m->len : 63),
             (const char *)m->data);
}

/* ---- clients ---- */

static void data_params(struct client *c, enum peer_role role, bool media, struct peer_params *ret)
{
    server_params(role, ret);
    ret->data = true;
    ret->message_bytes = 262144;
    ret->events.on_message = on_message;
    ret->events.ctx = c;
    if (!media) {
        ret->n_audio = ret->n_video = 0;
        ret->srtp = ""; /* as of libdatachannel, where there is nothing but a data channel */
    }
}

static void start(struct client *c, const char *path, enum peer_role role, bool media)
{
    struct peer_params m;

    memset(c, 0, sizeof(*c));
    snprintf(c->path, sizeof(c->path), "%s", path);
    data_params(c, role, media, &m);
    c->peer = server_peer(&server, path, &m);
}

static bool is_up(void *ctx)
{
    struct client *c = ctx;
    struct peer_data *d = peer_data(c->peer);

    return peer_state(c->peer) > PEER_UP || (d && peer_data_is_up(d));
}

static bool wait_up(struct client *c)
{
    bool up = server_until(&server, SERVER_PATIENCE_MS, is_up, c) && peer_data(c->peer) &&
              peer_data_is_up(peer_data(c->peer));

    if (!up) {
        note("%s: %s, %s", c->path, peer_state_name(peer_state(c->peer)), peer_error(c->peer));
    }
    return up;
}

/* A participant with nothing but data channels. */
static bool join(struct client *c, const char *path)
{
    start(c, path, PEER_PUBLISH, false);
    return wait_up(c);
}

static void leave(struct client *c)
{
    server_free_peers(&server, &c->peer, 1);
}

static void leave_all(struct client *const *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        leave(all[i]);
    }
}

struct opening {
    struct client *c;
    int sid;
};

static bool is_answered(void *ctx)
{
    struct opening *o = ctx;
    const struct peer_channel *ch = peer_data_channel(peer_data(o->c->peer), (uint16_t)o->sid);

    return !ch || ch->state == PEER_CHANNEL_OPEN;
}

/* Opens a channel and waits for the ACK. Returns its stream, or -1 when it was refused. */
static int open_as(struct client *c, const char *label, uint8_t type, uint32_t param)
{
    struct opening o = {.c = c};

    if (!peer_data(c->peer)) {
        return -1;
    }
    o.sid = peer_data_open(peer_data(c->peer), label, "", type, param);
    if (o.sid < 0 || !server_until(&server, SERVER_PATIENCE_MS, is_answered, &o)) {
        return -1;
    }
    return peer_data_channel(peer_data(c->peer), (uint16_t)o.sid) ? o.sid : -1;
}

static int open_channel(struct client *c, const char *label)
{
    return open_as(c, label, PEER_CHANNEL_RELIABLE, 0);
}

/* All of them join the room as alice, bob, carol, and open a channel of that label. */
static bool gather(const char *room, const char *label, struct client *const *all, unsigned n)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    bool up = true;

    for (unsigned i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%s", room, names[i]);
        up = join(all[i], path) && up;
    }
    for (unsigned i = 0; up && i < n; i++) {
        up = open_channel(all[i], label) == 0;
    }
    return check(up, "%s: %u are there", room, n);
}

static int say_as(struct client *c, int sid, uint32_t ppid, const void *data, size_t len)
{
    const struct peer_message m = {.sid = (uint16_t)sid, .ppid = ppid, .data = data, .len = len};

    return peer_data(c->peer) ? peer_data_send(peer_data(c->peer), &m) : -1;
}

static int say(struct client *c, int sid, const char *text)
{
    return say_as(c, sid, PEER_PPID_STRING, text, strlen(text));
}

struct waiting {
    struct client *c;
    unsigned n;
    size_t bytes;
};

static bool has_got(void *ctx)
{
    struct waiting *w = ctx;

    return w->c->n >= w->n && w->c->bytes >= w->bytes;
}

static bool wait_messages(struct client *c, unsigned n)
{
    struct waiting w = {.c = c, .n = n};

    return server_until(&server, SERVER_PATIENCE_MS, has_got, &w);
}

static bool heard_from(struct client *c, const char *label, const char *protocol)
{
    return peer_data(c->peer) && peer_data_find(peer_data(c->peer), label, protocol) >= 0;
}

/* ---- tests ---- */

static unsigned workers_used(const char *room)
{
    cJSON *l = server_sessions(&server);
    unsigned set = 0;

    for (unsigned i = 0; i < server_sessions_count(l); i++) {
        if (!strncmp(server_session_text(l, i, "stream"), room, strlen(room))) {
            set |= 1U << (unsigned)server_session_number(l, i, "worker");
        }
    }
    cJSON_Delete(l);
    return (unsigned)__builtin_popcount(set);
}

static void test_room(void)
{
    static struct client crowd[CROWD];
    unsigned up = 0, heard = 0, told = 0;
    int sid[CROWD];
    char path[32];

    for (int i = 0; i < CROWD; i++) {
        snprintf(path, sizeof(path), "crowd/p%d", i);
        start(&crowd[i], path, PEER_PUBLISH, false);
        up += wait_up(&crowd[i]); /* one by one, so that the server sees the room fill up */
    }
    for (int i = 0; i < CROWD; i++) {
        sid[i] = open_channel(&crowd[i], "chat");
        up += sid[i] == 0;
    }
    check(up == 2 * CROWD, "DC-01, DC-04, DC-06: %u of %d up and open on stream 0", up, 2 * CROWD);
    check(workers_used("crowd/") == 2, "the room's sessions are on two workers");
    check(say(&crowd[0], sid[0], "hello") == 0, "one says something");
    for (int i = 1; i < CROWD; i++) {
        heard += wait_messages(&crowd[i], 1) && !strcmp(crowd[i].text, "hello") &&
                 crowd[i].ppid == PEER_PPID_STRING;
        told += heard_from(&crowd[i], "chat", "sender=p0") && crowd[i].sid % 2 == 1;
    }
    check(heard == CROWD - 1, "everyone else hears it (%u)", heard);
    check(told == CROWD - 1, "DC-07: by a channel of the server's, odd, that names the sender (%u)",
          told);
    check(say(&crowd[CROWD - 1], sid[CROWD - 1], "back") == 0, "another answers");
    check(wait_messages(&crowd[0], 1) && !strcmp(crowd[0].text, "back") && crowd[0].n == 1,
          "and the first hears that and not itself");
    for (int i = 0; i < CROWD; i++) {
        leave(&crowd[i]);
    }
}

static void test_kinds(void)
{
    static const uint32_t ppids[] = {PEER_PPID_STRING, PEER_PPID_BINARY, PEER_PPID_STRING_EMPTY,
                                     PEER_PPID_BINARY_EMPTY};
    static const uint8_t types[] = {0x00, 0x01, 0x02, 0x80, 0x81, 0x82};
    struct client alice, bob, carol, *const all[] = {&alice, &bob, &carol};
    unsigned same = 0, kept = 0, n = 0;
    int sid = 0;

    if (!gather("kinds", "x", all, 3)) {
        return;
    }
    for (unsigned i = 0; i < sizeof(ppids) / sizeof(ppids[0]); i++) {
        same += say_as(&alice, sid, ppids[i], "\0", 1) == 0 && wait_messages(&bob, ++n) &&
                bob.ppid == ppids[i] && bob.len == 1;
    }
    check(same == 4, "DC-08: kinds of messages are kept, empty ones too");
    for (unsigned i = 0; i < sizeof(types); i++) {
        char label[8];
        snprintf(label, sizeof(label), "t%u", i);
        (void)open_channel(&bob, label);
        sid = open_as(&alice, label, types[i], 1000);
        (void)say(&alice, sid, label);
        (void)wait_messages(&bob, ++n);
        int at = peer_data_find(peer_data(bob.peer), label, "sender=alice");
        const struct peer_channel *c =
            at >= 0 ? peer_data_channel(peer_data(bob.peer), (uint16_t)at) : NULL;
        kept += c && c->type == types[i] && c->param == ((types[i] & 3) != 0 ? 1000U : 0U);
    }
    check(kept == sizeof(types), "DC-06: reliability is kept on the way (%u)", kept);
    unsigned before = carol.n;
    sid = open_channel(&alice, "x@bob");
    (void)say(&alice, sid, "for bob");
    check(wait_messages(&bob, ++n) && !strcmp(bob.text, "for bob") && carol.n == before &&
              heard_from(&bob, "x", "sender=alice&direct=1"),
          "one is addressed, and only that one gets it");
    leave_all(all, 3);
}

static void test_file(void)
{
    static uint8_t file[FILE_BYTES];
    struct client alice, bob, *const all[] = {&alice, &bob};
    uint64_t sum = 0;

    if (!gather("file", "file", all, 2)) {
        return;
    }
    for (size_t i = 0; i < sizeof(file); i++) {
        file[i] = (uint8_t)((i * 2654435761U) >> 13);
    }
    peer_set_loss(alice.peer, 0.05, 0.05, false);
    peer_set_loss(bob.peer, 0.05, 0.05, false);
    int64_t began = server_now_ms();
    for (size_t at = 0; at < sizeof(file);) {
        int r = say_as(&alice, 0, PEER_PPID_BINARY, file + at, PIECE);
        if (r == 0) {
            sum = add_sum(sum, file + at, PIECE);
            at += PIECE;
        } else {
            server_run(&server, 5);
        }
    }
    struct waiting w = {.c = &bob, .bytes = FILE_BYTES};
    bool got = server_until(&server, 60000, has_got, &w);
    check(got && bob.sum == sum, "1 MB through 5 %% loss each way on both sides: whole, %lld ms",
          (long long)(server_now_ms() - began));
    leave_all(all, 2);
}

/* Video alone, then the same beside a thousand messages a second. */
static void test_beside_video(void)
{
    struct client pub, viewer;
    static uint8_t bytes[200];

    start(&pub, "game", PEER_PUBLISH, true);
    bool up = wait_up(&pub) && server_wait_playing(&server, &pub.peer, 1) == 0;
    start(&viewer, "game", PEER_PLAY, true);
    up = up && wait_up(&viewer) && server_wait_playing(&server, &viewer.peer, 1) == 0;
    int sid = up ? open_as(&pub, "move", PEER_CHANNEL_REXMIT | PEER_CHANNEL_UNORDERED, 0) : -1;
    if (!check(up && sid >= 0 && open_channel(&viewer, "move") >= 0, "publisher and viewer")) {
        return;
    }
    unsigned sent = 0;
    int64_t began = server_now_ms();
    for (int64_t now = began; now - began < GAME_MS; now = server_now_ms()) {
        while (sent < (unsigned)((now - began) * GAME_RATE / 1000)) {
            if (say_as(&pub, sid, PEER_PPID_BINARY, bytes, sizeof(bytes)) < 0) {
                break;
            }
            sent++;
        }
        server_run(&server, 2);
    }
    server_run(&server, 300);
    check(sent >= GAME_RATE * GAME_MS / 1000 * 95 / 100, "%u messages were sent", sent);
    check(viewer.n >= sent * 95 / 100, "the viewer got %u of %u", viewer.n, sent);
    check(heard_from(&viewer, "move", "sender=main"), "from the publisher");
    peer_set_paused(pub.peer, true);
    server_drain(&server, pub.peer, &viewer.peer, 1);
    check(server_flawless(viewer.peer, "viewer"), "and the video beside them is flawless");
    leave(&viewer);
    leave(&pub);
}

/* Sends pieces at a pace that readers keep up with. Returns how many. */
static unsigned pour(struct client *from, int sid, unsigned n)
{
    static uint8_t piece[PIECE];
    unsigned sent = 0;

    for (unsigned i = 0; i < n; i++) {
        sent += say_as(from, sid, PEER_PPID_BINARY, piece, sizeof(piece)) == 0;
        server_run(&server, 10);
    }
    return sent;
}

static void test_slow_reader(void)
{
    struct client alice, bob, carol, *const all[] = {&alice, &bob, &carol};
    int64_t dropped = server_metric(&server, "sluice_data_slow_dropped_total");
    int64_t closed = server_metric(&server, "sluice_data_slow_closed_total");

    bool up = gather("slow", "file", all, 3);
    int file = 0, lossy = up ? open_as(&alice, "lossy", PEER_CHANNEL_TIMED, 60000) : -1;
    up = up && open_channel(&bob, "lossy") >= 0 && open_channel(&carol, "lossy") >= 0;
    unsigned sent = pour(&alice, lossy, 100); /* so that memory is as large as it gets */
    sent += pour(&alice, file, 100);
    check(up && wait_messages(&bob, sent) && wait_messages(&carol, sent), "one speaks, two listen");
    peer_data_set_deaf(peer_data(bob.peer), true);
    int64_t rss = server_rss_kb(&server);
    sent += pour(&alice, lossy, 150);
    check(wait_messages(&carol, sent), "DC-13: who reads gets all lossy messages (%u of %u)",
          carol.n, sent);
    check(server_wait_metric(&server, "sluice_data_slow_dropped_total", dropped + 1) > dropped,
          "and some are dropped for who does not");
    sent += pour(&alice, file, 150);
    check(wait_messages(&carol, sent), "who reads gets all of the others too (%u of %u)", carol.n,
          sent);
    check(server_wait_metric(&server, "sluice_data_slow_closed_total", closed + 1) == closed + 1,
          "the reliable channel to the slow one is closed, once");
    int64_t kb = server_rss_kb(&server) - rss;
    check(SERVER_SANITIZED || kb <= 1000, "a slow reader costs %lld kB", (long long)kb);
    peer_data_set_deaf(peer_data(bob.peer), false);
    unsigned before = bob.n;
    server_run(&server, SERVER_SCALED(3000, 6000));
    for (int i = 0; i < 100 && strcmp(bob.text, "again") != 0; i++) {
        (void)say(&alice, file, "again");
        server_run(&server, 100);
    }
    check(!strcmp(bob.text, "again") && bob.n > before, "when it reads again, it is served again");
    leave_all(all, 3);
}

static void test_openings(void)
{
    struct client alice;
    unsigned opened = 0, refused = 0;
    int64_t before = server_metric(&server, "sluice_data_channels_total");

    if (!check(join(&alice, "open/alice"), "one is there")) {
        return;
    }
    struct peer_data *d = peer_data(alice.peer);
    for (unsigned i = 0; i < 1000; i++) {
        int sid = open_channel(&alice, "once");
        opened += sid >= 0;
        if (sid >= 0) {
            (void)peer_data_close(d, (uint16_t)sid);
        }
        server_run(&server, 1);
    }
    check(opened == 1000, "DC-09: 1,000 channels are opened and closed (%u)", opened);
    check(server_wait_metric(&server, "sluice_data_channels_total", before + 1000) >= before + 1000,
          "and counted");
    server_run(&server, 500);
    int sids[256];
    for (unsigned i = 0; i < 256; i++) {
        sids[i] = peer_data_open(d, "many", "", 0, 0);
    }
    server_run(&server, SERVER_SCALED(1000, 3000));
    opened = 0;
    for (unsigned i = 0; i < 256; i++) {
        const struct peer_channel *c = sids[i] < 0 ? NULL : peer_data_channel(d, (uint16_t)sids[i]);
        opened += c && c->state == PEER_CHANNEL_OPEN;
        refused += !c;
    }
    check(opened == 64 && refused == 192, "DC-11: of 256 at once 64 open, %u are reset (%u open)",
          refused, opened);
    static char label[PEER_LABEL_MAX + 1];
    memset(label, 'l', PEER_LABEL_MAX);
    (void)peer_data_close(d, (uint16_t)sids[0]);
    server_run(&server, 300);
    check(open_channel(&alice, label) >= 0, "a label of 256 bytes");
    static uint8_t bad[65547] = {3};
    bad[8] = bad[9] = 0xff;
    const struct {
        size_t len;
        const char *what;
    } rows[] = {{1, "cut"}, {12, "label beyond the end"}, {sizeof(bad), "label of 65,535"}};
    for (unsigned i = 0; i < 3; i++) {
        int64_t was = server_metric(&server, "sluice_data_channels_refused_total");
        (void)say_as(&alice, 600 + 2 * (int)i, PEER_PPID_DCEP, bad, rows[i].len);
        (void)say_as(&alice, 400 + 2 * (int)i, PEER_PPID_DCEP, bad, rows[i].len);
        check(rows[i].len > MESSAGE_MAX ||
                  server_wait_metric(&server, "sluice_data_channels_refused_total", was + 1) > was,
              "DC-10: an OPEN that is wrong is refused: %s", rows[i].what);
    }
    check(peer_data_is_up(d), "the association goes on");
    leave(&alice);
}

static void forge(struct client *c, uint32_t tag, uint8_t type, const void *value, size_t len)
{
    uint8_t pkt[1200];
    size_t n = peer_data_forge(tag, type, 0, value, len, pkt, sizeof(pkt));

    (void)peer_send_data(c->peer, pkt, n);
}

/* Waits until a reason's count has grown by n. */
static bool dropped_more(const char *reason, int64_t before, int64_t n)
{
    char name[96];

    snprintf(name, sizeof(name), "sluice_dropped_packets_total{reason=\"%s\"}", reason);
    return server_wait_metric(&server, name, before + n) >= before + n;
}

/* Packets that somebody with the keys makes up, each counted under its reason. */
static void forge_rows(struct client *alice, uint32_t tag)
{
    static const uint8_t zeros[32];
    static const uint8_t init[] = {1, 2, 3, 4, 0, 1, 0, 0, 4,   0, 4, 0,
                                   0, 0, 0, 1, 0, 5, 0, 8, 127, 0, 0, 1};
    static const uint8_t data[] = {0}, one_init[] = {1}, abort_[] = {6};
    static const uint8_t others[] = {15, 16, 64, 128, 129, 132, 193, 194, 12, 13, 63, 255};
    static const struct {
        const char *what, *reason;
        bool tagged;          /* by the association's tag, else by 0 */
        const uint8_t *types; /* of chunks, one packet each */
        unsigned n_types, times;
        const uint8_t *value;
        size_t len;
    } rows[] = {
        {"ASCONF, AUTH, PKTDROP, I-DATA and others", "sctp_chunk", true, others, sizeof(others), 1,
         zeros, 32},
        {"INITs after the association is up", "sctp_init", false, one_init, 1, 20, init, 16},
        {"an INIT with an address", "sctp_chunk", false, one_init, 1, 1, init, 24},
        {"an INIT with a tag", "sctp_form", true, one_init, 1, 1, init, 16},
        {"an ABORT without one", "sctp_form", false, abort_, 1, 1, zeros, 0},
        {"DATA of a wrong length", "sctp_form", true, data, 1, 1, zeros, 12},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t before = server_dropped(&server, rows[i].reason);
        for (unsigned k = 0; k < rows[i].times * rows[i].n_types; k++) {
            forge(alice, rows[i].tagged ? tag : 0, rows[i].types[k % rows[i].n_types],
                  rows[i].value, rows[i].len);
        }
        check(dropped_more(rows[i].reason, before, rows[i].times * rows[i].n_types),
              "%s: dropped as %s", rows[i].what, rows[i].reason);
    }
}

static void test_forged(void)
{
    struct client alice, bob, *const all[] = {&alice, &bob};

    if (!gather("forged", "x", all, 2)) {
        return;
    }
    uint32_t tag = peer_data_tag(peer_data(alice.peer));
    forge_rows(&alice, tag);
    forge(&alice, tag + 1, 6, "", 0); /* ABORT with another tag */
    uint8_t pkt[64];
    size_t n = peer_data_forge(tag, 6, 0, "", 0, pkt, sizeof(pkt));
    pkt[8] ^= 1;
    (void)peer_send_data(alice.peer, pkt, n); /* ABORT with a wrong checksum */
    uint64_t state = 88172645463325252ULL;
    for (int i = 0; i < SERVER_SCALED(5000, 1000); i++) {
        uint8_t noise[64];
        for (unsigned k = 0; k < sizeof(noise); k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise[k] = (uint8_t)state;
        }
        forge(&alice, tag + (uint32_t)(i % 3), noise[0], noise + 1, noise[1] % 60U);
        if (i % 64 == 0) {
            server_run(&server, 2);
        }
    }
    server_run(&server, 200);
    check(peer_data_is_up(peer_data(bob.peer)), "the other session has noticed nothing");
    leave(&alice);
    check(join(&alice, "forged/alice") && open_channel(&alice, "x") >= 0 &&
              say(&bob, 0, "hello") == 0 && wait_messages(&alice, 1),
          "and a new association works");
    leave_all(all, 2);
}

static bool is_closed(void *ctx)
{
    struct opening *o = ctx;

    return !peer_data_channel(peer_data(o->c->peer), (uint16_t)o->sid);
}

static void test_long_messages(void)
{
    static uint8_t bytes[200000];
    struct client alice, bob, small, *const all[] = {&alice, &bob, &small};
    struct peer_params m;
    int sid = 0;

    bool up = gather("long", "x", all, 2);
    memset(&small, 0, sizeof(small));
    data_params(&small, PEER_PUBLISH, false, &m);
    m.message_bytes = 1000;
    small.peer = server_peer(&server, "long/small", &m);
    up = up && wait_up(&small);
    up = up && open_channel(&small, "x") >= 0;
    const struct peer_sdp *remote = peer_remote(alice.peer);
    check(up && remote->media[0].message_bytes == MESSAGE_MAX && remote->media[0].sctp_port == 5000,
          "DC-01, DC-03: the answer tells port and limit");
    check(say_as(&alice, sid, PEER_PPID_BINARY, bytes, MESSAGE_MAX) == 0 &&
              wait_messages(&bob, 1) && bob.len == MESSAGE_MAX,
          "the longest message allowed arrives whole");
    (void)say(&alice, sid, "short");
    check(wait_messages(&bob, 2) && wait_messages(&small, 1) && !strcmp(small.text, "short") &&
              small.n == 1,
          "who takes no more than 1,000 bytes gets the short one only");
    for (size_t more = 1; more <= 100000; more *= 100000) {
        struct opening o = {.c = &alice, .sid = open_channel(&alice, "x")};
        (void)say_as(&alice, o.sid, PEER_PPID_BINARY, bytes, MESSAGE_MAX + more);
        check(server_until(&server, SERVER_PATIENCE_MS, is_closed, &o),
              "a message %zu bytes too long closes its channel", more);
    }
    (void)say(&alice, sid, "after");
    check(wait_messages(&bob, 3) && !strcmp(bob.text, "after") && bob.n == 3,
          "the others go on, and nothing of it was passed on");
    leave_all(all, 3);
}

static void test_end(void)
{
    static const char *const how[] = {"DELETE", "close_notify", "the page is reloaded",
                                      "the channel is closed"};
    struct client bob;

    bool up = join(&bob, "end/bob") && open_channel(&bob, "x") >= 0;
    for (unsigned i = 0; up && i < 4; i++) {
        struct client alice;
        up = join(&alice, "end/alice");
        int sid = up ? open_channel(&alice, "x") : -1;
        unsigned n = bob.n + 1;
        up = up && say(&alice, sid, "hi") == 0 && wait_messages(&bob, n);
        struct opening o = {.c = &bob,
                            .sid = peer_data_find(peer_data(bob.peer), "x", "sender=alice")};
        int64_t began = server_now_ms();
        if (i == 0) {
            (void)server_leave(&server, alice.peer);
        } else if (i == 1) {
            peer_send_close(alice.peer);
        } else if (i == 2) {
            peer_free(alice.peer); /* another takes over */
            up = join(&alice, "end/alice");
        } else {
            (void)peer_data_close(peer_data(alice.peer), (uint16_t)sid);
        }
        check(up && o.sid > 0 && server_until(&server, 3000, is_closed, &o),
              "%s: the reader's channel is closed (%lld ms)", how[i],
              (long long)(server_now_ms() - began));
        leave(&alice);
    }
    leave(&bob);
}

static void test_passive_client(void)
{
    struct client alice, bob;
    struct peer_params m;

    memset(&alice, 0, sizeof(alice));
    data_params(&alice, PEER_PUBLISH, true, &m);
    m.setup = "passive";
    alice.peer = server_peer(&server, "role/alice", &m);
    bool up = wait_up(&alice) && join(&bob, "role/bob") && open_channel(&bob, "x") == 0;
    int sid = up ? open_channel(&alice, "x") : -1;
    (void)say(&bob, 0, "even for a DTLS server");
    check(sid == 1 && wait_messages(&alice, 1) && alice.sid % 2 == 0,
          "DC-07, DC-12: a client that is DTLS server has the odd streams");
    leave(&alice);
    leave(&bob);
}

static void test_off(void)
{
    static const char *const sets[] = {"data.enabled=false", NULL};
    struct client alice, only;

    server_stop(&server);
    server_start(&server, sets);
    start(&alice, "off/alice", PEER_PUBLISH, true);
    check(server_wait_playing(&server, &alice.peer, 1) == 0 && !peer_data(alice.peer) &&
              peer_remote(alice.peer)->media[2].rejected,
          "SEC-72: switched off, the section gets port 0 and media flows");
    leave(&alice);
    start(&only, "off/only", PEER_PUBLISH, false);
    check(server_wait_state(&server, only.peer, PEER_FAILED, SERVER_PATIENCE_MS) &&
              peer_stats(only.peer)->http_status == 422,
          "DC-05: and an offer of nothing else is refused with 422");
    leave(&only);
}

static bool is_all_told(void *ctx)
{
    const struct client *c = ctx;

    return c->told == (1U << N_SAYINGS) - 1;
}

/* As a publisher of data only. */
static bool is_listed(struct client *viewer, const char *name)
{
    struct server_reply r;
    char path[160], want[96];

    snprintf(path, sizeof(path), "%s/people", strstr(peer_location(viewer->peer), "/session/"));
    snprintf(want, sizeof(want),
             "\"name\":\"%s\",\"watching\":false,\"streams\":[{\"stream\":\"%s\","
             "\"source\":\"data\"}]",
             name, name);
    server_http(&server, false, "GET", path, NULL, NULL, &r);
    bool is = r.status == 200 && r.body && strstr(r.body, want);
    free(r.body);
    return is;
}

/* Events and wishes on the server's own channel. */
static void test_control(void)
{
    struct client ann, bob, viewer = {.n = 0};
    struct peer_params m;

    bool up = join(&ann, "control/ann") && join(&bob, "control/bob");
    data_params(&viewer, PEER_PLAY, true, &m);
    m.n_audio = 2;
    m.n_video = 2;
    viewer.peer = server_peer(&server, "control", &m);
    up = wait_up(&viewer) && up;
    int sid = up ? open_channel(&viewer, "sluice") : -1;
    check(sid >= 0, "the control channel opens");
    check(say(&viewer, sid, "{\"pin\":[\"bob\"]}") == 0 &&
              say(&viewer, sid, "{\"slots\":[{\"mid\":\"none\"}]}") == 0,
          "wishes are sent");
    check(server_until(&server, SERVER_PATIENCE_MS, is_all_told, &viewer),
          "events come as by SSE, and answers to wishes");
    check(ann.n == 0, "nothing of it reaches others");
    check(is_listed(&viewer, "ann") && is_listed(&viewer, "bob"),
          "who has nothing but data channels is in the roster");
    leave_all((struct client *[]){&viewer, &bob, &ann}, 3);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"media.workers=2", NULL};

    server_init(&server, argc, argv);
    server_start(&server, sets);
    test_room();
    test_kinds();
    test_file();
    test_beside_video();
    test_slow_reader();
    test_openings();
    test_forged();
    test_long_messages();
    test_control();
    test_end();
    test_passive_client();
    test_off();
    server_fini(&server);
    return check_report();
}
