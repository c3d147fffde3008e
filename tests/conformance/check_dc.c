/* SPDX-License-Identifier: Apache-2.0 */
/* check_dc.c - data channels: their section, SCTP over DTLS, DCEP. */
#include "tests/conformance/checks.h"

#define LABEL     "conformance"
#define OPEN_MS   5000
#define RELAY_MS  3000
#define TOO_MANY  300
#define BIG_BYTES 60000

static void data_params(struct suite *s, bool play, struct peer_params *m)
{
    suite_params(s, play, m);
    m->data = true;
    m->message_bytes = 262144;
}

/* The m=application section of an answer; 0 with the check skipped when there are no channels. */
static int data_section(struct party *p)
{
    int section = doc_section(&p->answer, "application", 0);

    if (!suite_expect(p->suite, p->created->status == 201, "a session (201)", "%s",
                      reply_brief(p->created))) {
        return 0;
    }
    if (!doc_accepted(&p->answer, section)) {
        suite_skip(p->suite, "data channels are off (port 0)");
        return 0;
    }
    return section;
}

static struct party *post_data(struct suite *s, const struct edit *edit)
{
    struct peer_params m;

    data_params(s, false, &m);
    return party_post(s, &(struct plan){.params = &m, .edits = {*edit}});
}

static const struct edit no_edit;

static void section_answered(struct suite *s)
{
    struct party *p = post_data(s, &no_edit);
    int i = data_section(p);

    if (!i) {
        return;
    }
    const char *port = check_get(&p->answer, i, "a=sctp-port:");
    EXPECT(s, port && strtol(port, NULL, 10) > 0, "a=sctp-port", "%s", port ? port : "none");
    EXPECT(s, check_get(&p->answer, i, "a=max-message-size:"), "a=max-message-size", "none");
    EXPECT(s, !strcmp(check_pts(&p->answer, i), "webrtc-datachannel"), "webrtc-datachannel", "%s",
           check_pts(&p->answer, i));
    EXPECT(s, !strcmp(check_field(&p->answer, i, 2), check_field(&p->offer, i, 2)),
           "the proto of the offer", "%s", check_field(&p->answer, i, 2));
}

static void old_form(struct suite *s)
{
    struct party *own = post_data(s, &no_edit);
    const char *at = strstr(own->offer_text, "m=application");
    const char *old = suite_keep(
        s,
        "%.*sm=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 1024"
        "\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
        "a=fingerprint:sha-256 %s\r\na=setup:actpass\r\n",
        (int)(at - own->offer_text), own->offer_text, check_get(&own->offer, 1, "a=ice-ufrag:"),
        check_get(&own->offer, 1, "a=ice-pwd:"), peer_identity_fingerprint(s->identity));
    struct party *p = POST(s, .offer = old);
    EXPECT(s, p->created->status == 201, "201: accepted, or port 0", "%s", reply_brief(p->created));
    EXPECT(s, doc_section(&p->answer, "application", 0) == 3, "the section is answered", "%.300s",
           p->created->body);
}

/* ---- SCTP ---- */

static bool is_associated(void *ctx)
{
    struct party *p = ctx;
    struct peer_data *d = peer_data(p->peer);

    return peer_state(p->peer) > PEER_UP || (d && (peer_data_is_up(d) || peer_data_is_down(d)));
}

/* A live session with an association; NULL: noted, or skipped. */
static struct party *associated(struct suite *s, bool play)
{
    struct peer_params m;

    data_params(s, play, &m);
    struct plan plan = {.play = play, .params = &m};
    struct party *p = play ? party_watch(s, &plan) : party_live(s, &plan);
    if (!p || !data_section(p)) {
        return NULL;
    }
    (void)suite_until(s, is_associated, p);
    struct peer_data *d = peer_data(p->peer);
    return suite_expect(s, d && peer_data_is_up(d), "an SCTP association", "none") ? p : NULL;
}

struct opening {
    struct party *p;
    int sid;
    enum peer_channel_state want;
};

static enum peer_channel_state state_of(struct party *p, int sid)
{
    const struct peer_channel *c = peer_data_channel(peer_data(p->peer), (uint16_t)sid);

    return c ? c->state : PEER_CHANNEL_NONE;
}

static bool has_state(void *ctx)
{
    struct opening *o = ctx;

    return state_of(o->p, o->sid) == o->want;
}

static bool wait_state(struct party *p, int sid, enum peer_channel_state want)
{
    struct opening o = {.p = p, .sid = sid, .want = want};

    return sid >= 0 && suite_until_ms(p->suite, OPEN_MS, has_state, &o);
}

static int open_channel(struct party *p, uint8_t type, uint32_t param)
{
    int sid = peer_data_open(peer_data(p->peer), LABEL, "", type, param);

    return wait_state(p, sid, PEER_CHANNEL_OPEN) ? sid : -1;
}

static void beside_media(struct suite *s)
{
    struct party *p = associated(s, false);

    if (p) {
        (void)party_more(p, 30);
        EXPECT(s, open_channel(p, PEER_CHANNEL_RELIABLE, 0) >= 0, "a channel beside the media",
               "it does not open");
    }
}

static void no_size(struct suite *s)
{
    struct peer_params m;

    data_params(s, false, &m);
    m.message_bytes = 0; /* not said: 64 KiB */
    struct party *p = POST(s, .params = &m);
    if (data_section(p)) {
        (void)party_up(p);
    }
}

static void in_the_group(struct suite *s)
{
    struct party *p = post_data(s, &no_edit);
    int i = data_section(p);

    if (i) {
        const char *mid = check_get(&p->answer, i, "a=mid:");
        const char *group = check_get(&p->answer, 0, "a=group:BUNDLE ");
        EXPECT(s, mid && group && check_has_word(group, mid), "in the BUNDLE group", "%s",
               group ? group : "no group");
    }
}

static void data_alone(struct suite *s)
{
    struct peer_params m;

    data_params(s, false, &m);
    m.n_audio = m.n_video = 0;
    struct party *p = POST(s, .params = &m);
    if (p->created->status == 422) {
        return;
    }
    EXPECT(s, p->created->status == 201, "422, or a session that works", "%s",
           reply_brief(p->created));
    (void)peer_use_offer(p->peer, p->offer_text);
    (void)party_up(p);
}

static void opens_are_acknowledged(struct suite *s)
{
    static const uint8_t types[] = {PEER_CHANNEL_RELIABLE, PEER_CHANNEL_UNORDERED,
                                    PEER_CHANNEL_REXMIT, PEER_CHANNEL_TIMED,
                                    PEER_CHANNEL_REXMIT | PEER_CHANNEL_UNORDERED};
    struct party *p = associated(s, false);

    for (size_t i = 0; p && i < sizeof(types); i++) {
        EXPECT(s, open_channel(p, types[i], 3) >= 0, "DATA_CHANNEL_ACK", "none for type %#x",
               types[i]);
    }
}

/* What the viewer got, by the order of arrival. */
struct heard {
    struct party *p;
    unsigned want;
};

static bool has_heard(void *ctx)
{
    struct heard *h = ctx;

    return h->p->n_messages >= h->want;
}

/* Publisher and viewer with a channel of one label each. False: noted, or skipped. */
static bool relay(struct suite *s, struct party **pub, struct party **view, int *ret_sid)
{
    *pub = associated(s, false);
    *view = *pub ? associated(s, true) : NULL;
    if (!*view) {
        return false;
    }
    int there = open_channel(*view, PEER_CHANNEL_RELIABLE, 0);
    *ret_sid = open_channel(*pub, PEER_CHANNEL_RELIABLE, 0);
    if (!suite_expect(s, there >= 0 && *ret_sid >= 0, "a channel on both sides", "not open")) {
        return false;
    }
    suite_wait(s, 200);
    const struct peer_message hello = {(uint16_t)*ret_sid, PEER_PPID_STRING,
                                       (const uint8_t *)"hello", 5};
    struct heard h = {.p = *view, .want = 1};
    (void)peer_data_send(peer_data((*pub)->peer), &hello);
    if (!suite_until_ms(s, RELAY_MS, has_heard, &h)) {
        suite_skip(s, "the server relays nothing between channels of one label");
        return false;
    }
    return true;
}

static void stream_parity(struct suite *s)
{
    struct party *pub, *v;
    int sid;

    if (!relay(s, &pub, &v, &sid)) {
        return;
    }
    bool we_are_client =
        strcmp(doc_get(&v->answer, doc_tagged(&v->answer), "a=setup:"), "active") != 0;
    for (unsigned i = 0; i < PEER_CHANNELS_MAX; i++) {
        const struct peer_channel *c = peer_data_channel(peer_data(v->peer), (uint16_t)i);
        EXPECT(s, !c || !c->theirs || (i & 1) == (we_are_client ? 1 : 0),
               "the DTLS server opens odd streams, the client even ones", "stream %u", i);
    }
}

static void ppids(struct suite *s)
{
    static const struct {
        uint32_t ppid;
        size_t len;
    } rows[] = {{PEER_PPID_STRING, 6},
                {PEER_PPID_BINARY, 6},
                {PEER_PPID_STRING_EMPTY, 1},
                {PEER_PPID_BINARY_EMPTY, 1}};
    struct party *pub, *v;
    int sid;

    if (!relay(s, &pub, &v, &sid)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        const struct peer_message m = {(uint16_t)sid, rows[i].ppid, (const uint8_t *)"\0right",
                                       rows[i].len};
        struct heard h = {.p = v, .want = v->n_messages + 1};
        (void)peer_data_send(peer_data(pub->peer), &m);
        EXPECT(s, suite_until_ms(s, RELAY_MS, has_heard, &h), "the message", "row %u is lost", i);
        EXPECT(s, v->last_ppid == rows[i].ppid && v->last_bytes == rows[i].len,
               "protocol id and length as sent", "%u, %zu bytes, for %u, %zu", v->last_ppid,
               v->last_bytes, rows[i].ppid, rows[i].len);
    }
}

static void closing(struct suite *s)
{
    struct party *p = associated(s, false);

    if (!p) {
        return;
    }
    int sid = open_channel(p, PEER_CHANNEL_RELIABLE, 0);
    EXPECT(s, sid >= 0, "an open channel", "none");
    (void)peer_data_close(peer_data(p->peer), (uint16_t)sid);
    EXPECT(s, wait_state(p, sid, PEER_CHANNEL_NONE), "our reset answered by one", "it is not");
    int again = open_channel(p, PEER_CHANNEL_RELIABLE, 0);
    EXPECT(s, again >= 0, "streams can be used again", "no channel opens");
}

static void bad_opens(struct suite *s)
{
    static const uint8_t rows[][16] = {
        {0x03},                                                /* cut off */
        {0x03, 0x00, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 'x'}, /* a label of 65535 bytes */
        {0x03, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'},       /* an unknown channel type */
        {0x77, 1, 2, 3},                                       /* an unknown message */
    };
    static const size_t lens[] = {1, 13, 13, 4};
    struct party *p = associated(s, false);

    for (unsigned i = 0; p && i < 4; i++) {
        const struct peer_message m = {(uint16_t)(100 + 2 * i), PEER_PPID_DCEP, rows[i], lens[i]};
        (void)peer_data_send(peer_data(p->peer), &m);
        suite_wait(s, 50);
    }
    if (p) {
        EXPECT(s, open_channel(p, PEER_CHANNEL_RELIABLE, 0) >= 0, "the association lives on",
               "no channel opens");
        (void)party_more(p, 20);
    }
}

static void too_many(struct suite *s)
{
    struct party *p = associated(s, false);
    unsigned open = 0, n = 0;

    for (unsigned i = 0; p && i < TOO_MANY; i++) {
        n += peer_data_open(peer_data(p->peer), LABEL, "", PEER_CHANNEL_RELIABLE, 0) >= 0;
        if (i % 16 == 0) {
            suite_wait(s, 5);
        }
    }
    if (!p) {
        return;
    }
    suite_wait(s, 1000);
    for (unsigned i = 0; i < PEER_CHANNELS_MAX; i++) {
        open += state_of(p, (int)i) == PEER_CHANNEL_OPEN;
    }
    EXPECT(s, open > 0 && party_more(p, 20), "the session goes on", "%u of %u open", open, n);
    EXPECT(s, open < n || n < TOO_MANY, "a limit, by reset", "%u channels are open", open);
}

static void big_message(struct suite *s)
{
    struct party *pub, *v;
    uint8_t *big = suite_alloc(s, BIG_BYTES);
    int sid;

    if (!relay(s, &pub, &v, &sid)) {
        return;
    }
    const char *said =
        check_get(&pub->answer, doc_section(&pub->answer, "application", 0), "a=max-message-size:");
    size_t len = said && strtoul(said, NULL, 10) < BIG_BYTES ? strtoul(said, NULL, 10) : BIG_BYTES;
    struct heard h = {.p = v, .want = v->n_messages + 1};
    v->largest = 0;
    const struct peer_message m = {(uint16_t)sid, PEER_PPID_BINARY, big, len};
    (void)peer_data_send(peer_data(pub->peer), &m);
    EXPECT(s, suite_until_ms(s, RELAY_MS, has_heard, &h) && v->last_bytes == len,
           "a message of many packets, whole", "%zu of %zu bytes", v->last_bytes, len);
    EXPECT(s, v->largest <= 1280, "datagrams of at most 1280 bytes", "%zu", v->largest);
}

const struct check checks_dc[] = {
    {"DTLS-16", POLICY, "RFC 8261", "SCTP over the DTLS association that SRTP has its keys from",
     beside_media},
    {"DC-01", MUST, "RFC 8841 5, 6", "m=application: sctp-port and max-message-size",
     section_answered},
    {"DC-02", MUST, "RFC 8841 12", "the old form with sctpmap: accepted, or port 0", old_form},
    {"DC-03", MUST, "RFC 8841 6", "no max-message-size in the offer", no_size},
    {"DC-04", MUST, "RFC 9143 7.3", "in the BUNDLE group", in_the_group},
    {"DC-05", MUST, "RFC 9725 4.2", "data alone: 422, or a session that works", data_alone},
    {"DC-06", MUST, "RFC 8832 5", "OPEN of every type is acknowledged", opens_are_acknowledged},
    {"DC-07", MUST, "RFC 8832 6", "stream numbers by the DTLS role", stream_parity},
    {"DC-08", MUST, "RFC 8831 6.6", "text, binary and empty messages stay what they are", ppids},
    {"DC-09", MUST, "RFC 8831 6.7", "closing is a reset answered by one", closing},
    {"DC-10", MUST, "RFC 8832 5", "broken OPENs do no harm", bad_opens},
    {"DC-11", POLICY, "RFC 8831 6.2", "three hundred channels: a limit, by reset", too_many},
    {"DC-12", MUST, "RFC 8831 6.2", "SCTP behind DTLS; INIT from both sides", beside_media},
    {"DC-13", POLICY, "robustness", "a slow reader", NULL, NULL,
     "the buffers of a server have no outside"},
    {"DC-14", POLICY, "RFC 8831 5", "a message of 60 kB; datagrams of at most 1280 bytes",
     big_message},
    {"DC-15", MAY, "RFC 8260", "interleaving only with peers that have it", NULL, NULL,
     "tests/peer has none"},
    {0},
};
