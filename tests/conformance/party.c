/* SPDX-License-Identifier: Apache-2.0 */
/* party.c - peers under the suite's HTTP client, and what they saw. */
#include "tests/conformance/suite.h"

#include <strings.h>

#define LIVE_RETRY_MS 300
#define FRAGMENT_MAX  2048
#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"

/* ---- taps ---- */

static void on_wire(void *ctx, struct peer *peer, const uint8_t *buf, size_t len)
{
    struct party *p = ctx;

    (void)peer;
    p->largest = len > p->largest ? len : p->largest;
    if (len >= 20 && buf[0] <= 3) {
        p->stun_requests += buf[0] == 0 && buf[1] == 1;
        p->stun_indications += buf[0] == 0 && buf[1] == 0x11;
    } else if (len >= 13 && buf[0] >= 20 && buf[0] <= 63) {
        p->dtls_records++;
        p->alerts += buf[0] == 21;
    } else if (len && buf[0] >= 128 && buf[0] <= 191) {
        p->wire_media++;
        p->last_media_us = suite_now_us();
    } else {
        p->wire_other++;
    }
}

static void on_plain(void *ctx, struct peer *peer, bool rtcp, const uint8_t *buf, size_t len)
{
    struct party *p = ctx;
    struct plain *x = &p->plain[p->n_plain++ % PLAIN_MAX];

    (void)peer;
    x->rtcp = rtcp;
    x->at_us = suite_now_us();
    x->len = (uint16_t)(len < sizeof(x->buf) ? len : sizeof(x->buf));
    memcpy(x->buf, buf, x->len);
    if (p->suite->o.spoil) {
        p->suite->o.spoil(p->suite->o.spoil_ctx, rtcp, x->buf, x->len);
    }
}

static void on_message(void *ctx, struct peer *peer, const struct peer_message *m)
{
    struct party *p = ctx;

    (void)peer;
    p->n_messages++;
    p->last_ppid = m->ppid;
    p->last_bytes = m->len;
}

const struct plain *party_plain(const struct party *p, unsigned i)
{
    unsigned oldest = p->n_plain > PLAIN_MAX ? p->n_plain - PLAIN_MAX : 0;

    return oldest + i < p->n_plain ? &p->plain[(oldest + i) % PLAIN_MAX] : NULL;
}

unsigned party_plain_count(const struct party *p)
{
    return p->n_plain > PLAIN_MAX ? PLAIN_MAX : p->n_plain;
}

/* ---- birth ---- */

void suite_params(struct suite *s, bool play, struct peer_params *ret)
{
    peer_params_init(ret);
    ret->role = play ? PEER_PLAY : PEER_PUBLISH;
    ret->join_timeout_us = (int64_t)s->o.patience_ms * 1000;
    ret->rcvbuf_bytes = 1 << 20;
    ret->video_kbps = 400;
    ret->fps = 25;
    ret->keyframe_ms = 1000;
    ret->quirks = PEER_QUIRK_ACCEPT_FAULTS; /* SDP is judged by its own checks */
}

/* The peer wants http:// to find out which of our addresses reaches the server. */
static const char *plain_url(struct suite *s, const char *url)
{
    if (strncmp(url, "https://", 8)) {
        return url;
    }
    size_t n = strcspn(url + 8, "/");
    bool has_port = memchr(url + 8, ':', n) != NULL;
    return suite_keep(s, "http://%.*s%s/", (int)n, url + 8, has_port ? "" : ":443");
}

static char *edited(const char *text, const struct edit *edits)
{
    char *out = strdup(text);

    for (unsigned i = 0; i < EDITS_MAX && edits[i].find; i++) {
        char *next = check_edit(out, edits[i].find, edits[i].put, edits[i].all);
        free(out);
        out = next;
    }
    return out;
}

struct party *party_new(struct suite *s, const struct plan *plan)
{
    struct party *p = suite_alloc(s, sizeof(*p));
    struct peer_params m;

    suite_params(s, plan->play, &m);
    m = plan->params ? *plan->params : m;
    const char *url = plan->url ? plan->url : plan->play ? s->o.whep : s->o.whip;
    m.url = plain_url(s, url);
    m.seed = m.stream_id = ++s->n_parties; /* each publisher's content is its own */
    m.events.on_wire = on_wire;
    m.events.on_plain = on_plain;
    m.events.on_message = on_message;
    m.events.ctx = p;
    p->suite = s;
    p->play = plan->play;
    p->url = p->etag = suite_keep(s, "%s", "");
    p->plain = calloc(PLAIN_MAX, sizeof(*p->plain));
    p->peer = peer_new(s->loop, s->identity, &m);
    const char *offer = p->peer ? peer_offer(p->peer) : NULL;
    if (!offer || !p->plain) {
        fprintf(stderr, "a peer cannot be made\n");
        exit(2);
    }
    p->next = s->parties;
    s->parties = p;
    char *text = edited(plan->offer ? plan->offer : offer, plan->edits);
    p->offer_text = suite_keep(s, "%s", text);
    free(text);
    check_cut(p->offer_text, &p->offer);
    return p;
}

void party_take_reply(struct party *p, const char *base)
{
    struct suite *s = p->suite;
    const char *location = reply_get(p->created, "Location");
    char url[1024] = "";

    if (p->created->status != 201) {
        return;
    }
    p->etag = suite_keep(s, "%s", reply_get(p->created, "ETag"));
    if (!strncmp(location, "http://", 7) || !strncmp(location, "https://", 8)) {
        snprintf(url, sizeof(url), "%s", location);
    } else if (location[0] == '/') {
        const char *host = strstr(base, "://") + 3;
        size_t origin = (size_t)(host - base) + strcspn(host, "/");
        snprintf(url, sizeof(url), "%.*s%s", (int)origin, base, location);
    } else if (location[0]) {
        size_t folder = (size_t)(strrchr(base, '/') + 1 - base);
        snprintf(url, sizeof(url), "%.*s%s", (int)folder, base, location);
    }
    p->url = suite_keep(s, "%s", url);
    check_cut(p->created->body, &p->answer);
}

struct party *party_post(struct suite *s, const struct plan *plan)
{
    struct party *p = party_new(s, plan);
    const char *url = plan->url ? plan->url : plan->play ? s->o.whep : s->o.whip;
    struct request rq = {
        .method = "POST",
        .url = url,
        .token = plan->token,
        .auth = plan->auth,
        .type = plan->type ? plan->type : "application/sdp",
        .headers = plan->headers,
        .body = p->offer_text,
        .once = plan->once,
    };

    p->created = suite_ask(s, &rq);
    party_take_reply(p, url);
    return p;
}

/* ---- coming up ---- */

static bool is_settled(void *ctx)
{
    return peer_state(((struct party *)ctx)->peer) >= PEER_UP;
}

bool party_is_gone(void *ctx)
{
    return peer_state(((struct party *)ctx)->peer) > PEER_UP;
}

bool party_up(struct party *p)
{
    struct suite *s = p->suite;
    const struct reply *r = p->created;

    if (!suite_expect(s, r->status == 201, "a session (201)", "%s", reply_brief(r))) {
        return false;
    }
    (void)peer_use_offer(p->peer, p->offer_text);
    (void)peer_set_answer(p->peer, r->body, r->len);
    (void)suite_until(s, is_settled, p);
    return suite_expect(s, peer_state(p->peer) == PEER_UP, "ICE and DTLS come up",
                        "%s %s: state %s %s", p->play ? "viewer" : "publisher",
                        s->now ? s->now->id : "", peer_state_name(peer_state(p->peer)),
                        peer_error(p->peer));
}

static uint64_t media_of(struct party *p)
{
    const struct peer_stats *st = peer_stats(p->peer);

    return p->play ? st->packets : st->sent_packets;
}

struct media_wait {
    struct party *p;
    uint64_t want;
};

static bool has_media(void *ctx)
{
    struct media_wait *w = ctx;

    return media_of(w->p) >= w->want || peer_state(w->p->peer) != PEER_UP;
}

bool party_more(struct party *p, unsigned packets)
{
    struct media_wait w = {.p = p, .want = media_of(p) + packets};

    (void)suite_until(p->suite, has_media, &w);
    return suite_expect(p->suite, media_of(p) >= w.want && peer_state(p->peer) == PEER_UP,
                        "media flows", "%llu of %u more packets, state %s %s",
                        (unsigned long long)(media_of(p) + packets - w.want), packets,
                        peer_state_name(peer_state(p->peer)), peer_error(p->peer));
}

struct party *party_live(struct suite *s, const struct plan *plan)
{
    struct party *p = party_post(s, plan);

    return party_up(p) && party_more(p, 10) ? p : NULL;
}

/* Some servers need a moment until a publisher that is up counts as live. */
struct party *party_watch(struct suite *s, const struct plan *plan)
{
    int64_t end_us = suite_now_us() + (int64_t)s->o.patience_ms * 1000;
    struct party *p = party_post(s, plan);

    while ((p->created->status == 409 || p->created->status == 404) && suite_now_us() < end_us) {
        suite_wait(s, LIVE_RETRY_MS);
        p = party_post(s, plan);
    }
    return party_up(p) && party_more(p, 10) ? p : NULL;
}

struct party *party_pair(struct suite *s, struct party **ret_pub)
{
    struct party *pub = LIVE(s, 0), *v = pub ? VIEW(s) : NULL;

    if (ret_pub) {
        *ret_pub = pub;
    }
    return v;
}

/* ---- the session ---- */

const struct reply *party_delete(struct party *p)
{
    const struct reply *r = ASK(p->suite, .method = "DELETE", .url = p->url);

    p->ended = p->ended || (r->status >= 200 && r->status < 300);
    return r;
}

const char *party_fragment(struct party *p)
{
    char text[FRAGMENT_MAX];

    return peer_fragment(p->peer, text, sizeof(text)) ? suite_keep(p->suite, "%s", text) : "";
}

const struct reply *party_patch(struct party *p, const char *if_match, const char *body)
{
    const char *header = if_match ? suite_keep(p->suite, "If-Match: %s\r\n", if_match) : NULL;

    return ASK(p->suite, .method = "PATCH", .url = p->url, .type = FRAGMENT_TYPE, .headers = header,
               .body = body);
}

const struct reply *party_restart(struct party *p, const char *if_match)
{
    char text[FRAGMENT_MAX];

    (void)peer_restart_fragment(p->peer, text, sizeof(text));
    const struct reply *r = party_patch(p, if_match, text);
    if (r->status == 200) {
        (void)peer_restart_answer(p->peer, r->body, r->len);
        p->etag = suite_keep(p->suite, "%s", reply_get(r, "ETag"));
    }
    return r;
}

const char *party_faults(struct party *p)
{
    const struct peer_stats *st = peer_stats(p->peer);
    char text[300] = "";
    size_t n = 0;

    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        if (st->faults[f] && n < sizeof(text) - 40) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %llu", n ? ", " : "",
                                  peer_fault_name(f), (unsigned long long)st->faults[f]);
        }
    }
    return suite_keep(p->suite, "%s", text);
}

void party_free_all(struct suite *s)
{
    for (struct party *p = s->parties; p; p = p->next) {
        if (p->url[0] && !p->ended) {
            (void)party_delete(p);
        }
        probe_close_all(p);
        peer_send_close(p->peer);
        peer_free(p->peer);
        free(p->plain);
        free(p->offer.text);
        free(p->answer.text);
    }
    s->parties = NULL;
}

/* ---- SDP ---- */

int doc_section(const struct check_doc *d, const char *kind, int n)
{
    for (int i = 1; i <= d->n_sections; i++) {
        if (!strcmp(check_field(d, i, 0), kind) && n-- == 0) {
            return i;
        }
    }
    return 0;
}

bool doc_accepted(const struct check_doc *d, int section)
{
    return section && strcmp(check_field(d, section, 1), "0") != 0;
}

int doc_tagged(const struct check_doc *d)
{
    for (int i = 1; i <= d->n_sections; i++) {
        if (doc_accepted(d, i)) {
            return i;
        }
    }
    return 0;
}

const char *doc_get(const struct check_doc *d, int section, const char *prefix)
{
    const char *v = check_get(d, section, prefix);

    return v ? v : check_get(d, 0, prefix);
}

int doc_pt(const struct check_doc *d, int section, const char *name)
{
    size_t n = strlen(name);

    for (int i = 0; section && check_nth(d, section, "a=rtpmap:", i); i++) {
        const char *v = check_nth(d, section, "a=rtpmap:", i), *word = strchr(v, ' ');
        if (word && !strncasecmp(word + 1, name, n) && word[n + 1] == '/') {
            return (int)strtol(v, NULL, 10);
        }
    }
    return -1;
}

int doc_ext(const struct check_doc *d, int section, const char *uri)
{
    for (int i = 0; section && check_nth(d, section, "a=extmap:", i); i++) {
        const char *v = check_nth(d, section, "a=extmap:", i), *word = strchr(v, ' ');
        if (word && !strcmp(word + 1, uri)) {
            return (int)strtol(v, NULL, 10);
        }
    }
    return 0;
}

uint32_t doc_ssrc(const struct check_doc *d, int section)
{
    const char *v = section ? check_get(d, section, "a=ssrc:") : NULL;

    return v ? (uint32_t)strtoul(v, NULL, 10) : 0;
}
