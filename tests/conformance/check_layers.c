/* SPDX-License-Identifier: Apache-2.0 */
/* check_layers.c - simulcast (RFC 8853). */
#include "tests/conformance/checks.h"
#include "tests/conformance/feed.h"

/* To the top by an estimate that grows; generous, for machines that are busy beside this. */
#define TOP_MS 16000

static void three_layers(struct suite *s, struct peer_params *m)
{
    suite_params(s, false, m);
    m->n_layers = 3;
    m->video_kbps = 900;
}

/* The video section of an answer to three layers; 0 with the fault noted or the check skipped. */
static int simulcast_section(struct party *p)
{
    int v = doc_section(&p->answer, "video", 0);

    if (!suite_expect(p->suite, p->created->status == 201, "a session (201)", "%s",
                      reply_brief(p->created))) {
        return 0;
    }
    if (!check_get(&p->answer, v, "a=simulcast:")) {
        suite_skip(p->suite, "the server takes no simulcast");
        return 0;
    }
    return v;
}

static void rids_answered(struct suite *s)
{
    struct peer_params m;

    three_layers(s, &m);
    struct party *p = POST(s, .params = &m);
    int v = simulcast_section(p);
    if (!v) {
        return;
    }
    const char *line = check_get(&p->answer, v, "a=simulcast:");
    EXPECT(s, !strcmp(line, "recv q;h;f"), "a=simulcast:recv q;h;f, in the order of the offer",
           "%s", line);
    for (int i = 0; i < 3; i++) {
        const char *want = suite_keep(s, "a=rid:%s recv", m.rids[i]);
        EXPECT(s, check_get(&p->answer, v, want), want, "%.600s", p->created->body);
    }
    EXPECT(s, check_count(&p->answer, v, "a=simulcast:") == 1, "one line", "several");
}

static void strays(struct suite *s)
{
    const struct edit rows[] = {
        {"a=rid:f send\r\n", "a=rid:f send\r\na=rid:extra send\r\n", false},
        {"a=simulcast:send q;h;f", "a=simulcast:send q;h;f;ghost", false},
    };
    struct peer_params m;

    three_layers(s, &m);
    for (int i = 0; i < 2; i++) {
        struct party *p = POST(s, .params = &m, .edits = {rows[i]});
        if (p->created->status >= 400 && p->created->status < 500) {
            continue;
        }
        if (!simulcast_section(p)) {
            return;
        }
        EXPECT(s, !strstr(p->created->body, "a=rid:extra") && !strstr(p->created->body, "ghost"),
               "a rid without its other half is dropped", "%.600s", p->created->body);
        (void)party_delete(p);
    }
}

static void paused_and_alternatives(struct suite *s)
{
    static const char *const rows[] = {"a=simulcast:send q;~h;f", "a=simulcast:send q;h,f"};
    struct peer_params m;

    three_layers(s, &m);
    for (int i = 0; i < 2; i++) {
        struct party *p = POST(s, .params = &m, .edits = {{"a=simulcast:send q;h;f", rows[i]}});
        int v = simulcast_section(p);
        if (!v) {
            return;
        }
        const char *line = check_get(&p->answer, v, "a=simulcast:");
        EXPECT(s, !strncmp(line, "recv ", 5) && strchr(line, 'q'), "a simulcast answer", "%s",
               line);
        (void)party_delete(p);
    }
}

static void obs_layers(struct suite *s)
{
    struct peer_params m;

    three_layers(s, &m);
    m.rids[0] = "2";
    m.rids[1] = "1";
    m.rids[2] = "0";
    struct party *p = POST(s, .params = &m);
    int v = simulcast_section(p);
    if (!v) {
        return;
    }
    const char *line = check_get(&p->answer, v, "a=simulcast:");
    EXPECT(s, !strcmp(line, "recv 2;1;0"), "all layers kept", "%s", line);
    EXPECT(s, strstr(p->created->body, suite_keep(s, "a=simulcast:%s\r\n", line)), "CRLF behind it",
           "another line end");
}

/* The layer of the last complete packet with an embedded header. */
static int layer_of(struct party *v)
{
    for (unsigned i = party_plain_count(v); i > 0; i--) {
        const struct plain *x = party_plain(v, i - 1);
        struct peer_rtp r;
        struct peer_desc d;
        struct peer_embed e;
        int pt = doc_pt(&v->answer, doc_section(&v->answer, "video", 0), "VP8");
        if (!x->rtcp && (x->buf[1] & 127) == pt && peer_rtp_read(x->buf, x->len, false, &r) == 0 &&
            peer_media_read(PEER_VP8, r.payload, r.payload_len, &d, &e) == PEER_MEDIA_OK) {
            return e.layer;
        }
    }
    return -1;
}

struct layer_wait {
    struct party *v;
    int want;
};

static bool has_layer(void *ctx)
{
    struct layer_wait *w = ctx;

    return layer_of(w->v) == w->want;
}

static bool until_layer(struct party *v, int layer)
{
    struct layer_wait w = {.v = v, .want = layer};

    return suite_until_ms(v->suite, TOP_MS, has_layer, &w);
}

/* A viewer of three layers that has the top one. NULL: noted or skipped. */
static struct party *at_the_top(struct suite *s, const struct peer_params *m,
                                struct party **ret_pub)
{
    struct party *pub = POST(s, .params = m);

    *ret_pub = pub;
    if (!simulcast_section(pub) || !party_up(pub) || !party_more(pub, 30)) {
        return NULL;
    }
    struct party *v = VIEW(s);
    return v && suite_expect(s, until_layer(v, 2), "the largest layer, with nothing against it",
                             "layer %d of 0 to 2", layer_of(v))
               ? v
               : NULL;
}

/* By the draft's extension: a layer that was asked for, then the choice given back. */
static void layer_selected(struct suite *s)
{
    struct peer_params m;
    struct party *pub;
    const char *link;

    three_layers(s, &m);
    struct party *v = at_the_top(s, &m, &pub);
    const char *url = v ? check_extension(v, "urn:ietf:params:whep:ext:core:layer", &link) : NULL;
    if (!v) {
        return;
    }
    SKIP_IF(s, !url, "no Link to select layers");
    const char *mid = check_get(&v->answer, doc_section(&v->answer, "video", 0), "a=mid:");
    const struct reply *r = ASK(s, .method = "POST", .url = url, .type = "application/json",
                                .body = suite_keep(s, "{\"mediaId\":\"%s\",\"rid\":\"q\"}", mid));
    EXPECT_STATUS(s, r, 200);
    EXPECT(s, until_layer(v, 0), "the layer that was asked for", "layer %d", layer_of(v));
    r = ASK(s, .method = "POST", .url = url, .type = "application/json",
            .body = suite_keep(s, "{\"mediaId\":\"%s\"}", mid));
    EXPECT_STATUS(s, r, 200);
    EXPECT(s, until_layer(v, 2), "the largest again when nothing is asked for", "layer %d",
           layer_of(v));
    EXPECT(s, !party_faults(v)[0], "each switch on a key frame, numbers continuous", "%s",
           party_faults(v));
}

static void bound_by_rid(struct suite *s)
{
    struct peer_params m;
    struct party *pub;

    three_layers(s, &m);
    m.quirks |= PEER_QUIRK_NO_SSRC_LINES;
    struct party *v = at_the_top(s, &m, &pub);
    if (v) {
        (void)party_more(v, 30);
        EXPECT(s, !party_faults(v)[0], "flawless media", "%s", party_faults(v));
    }
}

/* As Chromium does once the receiver has reported: SSRCs stay bound, also over a pause. */
static void named_at_first(struct suite *s)
{
    struct peer_params m;
    struct party *pub;

    three_layers(s, &m);
    m.quirks |= PEER_QUIRK_NO_SSRC_LINES | PEER_QUIRK_IDS_AT_FIRST;
    struct party *v = at_the_top(s, &m, &pub);
    if (!v || !party_more(v, 30)) {
        return;
    }
    peer_set_layer_paused(pub->peer, 2, true);
    EXPECT(s, until_layer(v, 1), "the next layer when the top one stops", "layer %d", layer_of(v));
    peer_set_layer_paused(pub->peer, 2, false);
    EXPECT(s, until_layer(v, 2), "the top layer, back without a name", "layer %d", layer_of(v));
    EXPECT(s, !party_faults(v)[0], "flawless media", "%s", party_faults(v));
}

static void order_by_weight(struct suite *s)
{
    struct peer_params m;
    struct party *pub;

    three_layers(s, &m);
    m.rids[0] = "2"; /* the top layer is rid 0, as with OBS */
    m.rids[1] = "1";
    m.rids[2] = "0";
    (void)at_the_top(s, &m, &pub);
}

static void layer_stops(struct suite *s)
{
    struct peer_params m;
    struct party *pub;

    three_layers(s, &m);
    struct party *v = at_the_top(s, &m, &pub);
    if (!v) {
        return;
    }
    peer_set_layer_paused(pub->peer, 2, true);
    EXPECT(s, until_layer(v, 1), "the next layer when the top one stops", "layer %d", layer_of(v));
    if (!party_more(v, 30)) {
        return;
    }
    peer_set_layer_paused(pub->peer, 2, false);
    EXPECT(s, until_layer(v, 2), "the top layer when it is back", "layer %d", layer_of(v));
    EXPECT(s, !party_faults(v)[0], "each switch on a key frame, numbers continuous", "%s",
           party_faults(v));
}

static void layer_never_starts(struct suite *s)
{
    struct peer_params m;

    three_layers(s, &m);
    struct party *pub = POST(s, .params = &m);
    if (!simulcast_section(pub)) {
        return;
    }
    peer_set_layer_paused(pub->peer, 2, true);
    if (!party_up(pub) || !party_more(pub, 30)) {
        return;
    }
    struct party *v = VIEW(s);
    EXPECT(s, !v || until_layer(v, 1), "the largest of those that are sent", "layer %d",
           layer_of(v));
}

static void rtx_per_layer(struct suite *s)
{
    struct peer_params m;
    struct party *pub;

    three_layers(s, &m);
    m.quirks |= PEER_QUIRK_NO_SSRC_LINES;
    m.keyframe_ms = 60000;
    struct party *v = at_the_top(s, &m, &pub);
    if (!v) {
        return;
    }
    uint64_t lost = peer_stats(v->peer)->lost_video;
    peer_set_loss(pub->peer, 0, 0.03, true);
    bool ok = party_more(v, 250);
    peer_set_loss(pub->peer, 0, 0, true);
    suite_wait(s, 400);
    EXPECT(s, !ok || peer_stats(pub->peer)->sent_rtx > 0, "repair is asked for", "it is not");
    EXPECT(s, !ok || peer_stats(v->peer)->lost_video == lost,
           "RTX bound by repaired-rtp-stream-id repairs the layer", "%llu lost",
           (unsigned long long)(peer_stats(v->peer)->lost_video - lost));
}

static void rid_extensions(struct suite *s)
{
    static const char *const uris[] = {"urn:ietf:params:rtp-hdrext:sdes:mid",
                                       "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
                                       "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"};
    struct peer_params m;

    three_layers(s, &m);
    struct party *p = POST(s, .params = &m);
    int v = simulcast_section(p);
    for (int i = 0; v && i < 3; i++) {
        EXPECT(s, doc_ext(&p->answer, v, uris[i]), uris[i], "not in the answer");
    }
}

static void bad_rid(struct suite *s)
{
    struct peer_params m;

    three_layers(s, &m);
    struct party *p =
        POST(s, .params = &m, .edits = {{"a=rid:q ", "a=rid:q!? "}, {"send q;", "send q!?;"}});
    EXPECT(s,
           (p->created->status >= 400 && p->created->status < 500) ||
               (p->created->status == 201 && !strstr(p->created->body, "q!?")),
           "4xx, or the rid dropped", "%s", reply_brief(p->created));
}

/* Its streams are layers, or one of them is taken, or the offer is refused; what is shown is whole.
 */
static void legacy_group(struct suite *s)
{
    struct peer_params m;

    three_layers(s, &m);
    m.quirks |= PEER_QUIRK_SIM_GROUP;
    struct party *p = POST(s, .params = &m);
    if (p->created->status == 422 ||
        !suite_expect(s, p->created->status == 201, "a session (201), or 422", "%s",
                      reply_brief(p->created))) {
        return;
    }
    EXPECT(s, !strstr(p->created->body, "a=rid:") && !strstr(p->created->body, "a=simulcast:"),
           "no rids, since none are offered", "%.600s", p->created->body);
    struct party *v = party_up(p) && party_more(p, 30) ? VIEW(s) : NULL;
    if (v && party_more(v, 60)) {
        EXPECT(s, !party_faults(v)[0], "flawless media", "%s", party_faults(v));
    }
}

const struct check checks_sim[] = {
    {"SIM-01", MUST, "RFC 8853 5.3.2", "every rid answered, in the order of the offer",
     rids_answered},
    {"SIM-02", MUST, "RFC 8851 6, RFC 8853 5.1", "a rid without its other half is dropped", strays},
    {"SIM-03", MUST, "RFC 8853 5.1", "paused rids and alternatives are understood",
     paused_and_alternatives},
    {"SIM-04", MUST, "RFC 8853 5.3.2", "OBS: all layers are kept", obs_layers},
    {"SIM-05", POLICY, "clients in the field", "OBS: one simulcast line, CRLF behind it",
     obs_layers},
    {"SIM-06", MUST, "RFC 8852 3.1", "layers are bound by RID, without SSRCs in the SDP",
     bound_by_rid},
    {"SIM-07", POLICY, "RFC 8852 3.1", "MID and RID on the first packets of each layer only",
     named_at_first},
    {"SIM-08", POLICY, "clients in the field", "the largest layer is found by weight, not by name",
     order_by_weight},
    {"SIM-09", MUST, "RFC 8853 6.2", "a layer that never starts blocks nobody", layer_never_starts},
    {"SIM-09", MUST, "RFC 8853 6.2", "a layer that stops is left, and taken again", layer_stops},
    {"SIM-10", MUST, "RFC 8851 4", "a rid of the wrong alphabet is refused or dropped", bad_rid},
    {"SIM-11", MUST, "RFC 8852 3.2", "RTX of each layer by repaired-rtp-stream-id", rtx_per_layer},
    {"SIM-12", POLICY, "clients in the field", "a legacy SIM group: layers, one layer, or 422",
     legacy_group},
    {"SIM-13", MUST, "RFC 8853 6.2", "switches on key frames only", layer_stops},
    {"SIM-14", POLICY, "clients in the field", "Firefox: simulcast with VP8", NULL, NULL,
     "a fault of a client; see tests/e2e"},
    {"WHEP-30", MUST, "draft-ietf-wish-whep events 4",
     "a layer is switched to by request, and back", layer_selected},
    {"SIM-15", MUST, "RFC 8852 4, RFC 9143 14", "the extensions that name layers are answered",
     rid_extensions},
    {0},
};
