/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_internal.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_TIMEOUT_US 15000000
#define OFFER_MAX       49152
#define JOIN_TIMEOUT_US 15000000
#define SDP_TYPE        "application/sdp"
#define FRAGMENT_TYPE   "application/trickle-ice-sdpfrag"
#define OTHER_FINGERPRINT                                                                          \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:"   \
    "EE:"                                                                                          \
    "FF"

const char *peer_state_name(enum peer_state s)
{
    static const char *const names[] = {"new", "posting", "ice", "dtls", "up", "closed", "failed"};

    return names[s];
}

const char *peer_fault_name(enum peer_fault f)
{
    static const char *const names[PEER_FAULT_COUNT] = {
        "descriptor", "header",    "checksum", "duplicate", "timestamp", "marker",
        "picture_id", "tl0",       "order",    "switch",    "pt",        "ssrc",
        "mid",        "extension", "rtx",      "rtcp",
    };

    return names[f];
}

void peer_params_init(struct peer_params *p)
{
    *p = (struct peer_params){
        .role = PEER_PUBLISH,
        .n_audio = 1,
        .n_video = 1,
        .codecs = 1U << PEER_VP8,
        .n_layers = 1,
        .rids = {"q", "h", "f", "e"},
        .temporal_layers = 1,
        .rtx = true,
        .nack = true,
        .twcc = true,
        .setup = "actpass",
        .srtp = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
        .seed = 1,
        .stream_id = 1,
        .video_kbps = 1000,
        .fps = 30,
        .keyframe_ms = 10000,
        .audio_pps = 50,
        .audio_bytes = 100,
        .twcc_ms = 100,
        .join_timeout_us = JOIN_TIMEOUT_US,
    };
}

/* ---- state ---- */

static void on_join_timeout(void *ctx)
{
    struct peer *p = ctx;

    peer_fail(p, "not up in time, stuck in state %s", peer_state_name(p->state));
}

void peer_enter(struct peer *p, enum peer_state s)
{
    if (p->state == s || p->state == PEER_FAILED || p->state == PEER_CLOSED) {
        return;
    }
    p->state = s;
    if (s == PEER_UP || s >= PEER_CLOSED) {
        peer_loop_disarm(p->loop, &p->join_timer);
    }
    if (s >= PEER_CLOSED) {
        p->stats.closed_us = peer_loop_now_us(p->loop);
        peer_flow_stop(p);
        peer_net_stop(p);
    }
    if (p->params.events.on_state) {
        p->params.events.on_state(p->params.events.ctx, p, s);
    }
}

void peer_fail(struct peer *p, const char *fmt, ...)
{
    va_list ap;

    if (p->state >= PEER_CLOSED) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(p->error, sizeof(p->error), fmt, ap);
    va_end(ap);
    peer_enter(p, PEER_FAILED);
}

/* ---- birth and death ---- */

static void random_text(char *out, size_t n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t r[64] = {0};

    (void)RAND_bytes(r, (int)n);
    for (size_t i = 0; i < n; i++) {
        out[i] = alphabet[r[i] & 63];
    }
    out[n] = '\0';
}

void peer_make_creds(struct peer_creds *c)
{
    random_text(c->ufrag, 8);
    random_text(c->pwd, 24);
}

static uint32_t random_ssrc(void)
{
    uint8_t r[4] = {1, 2, 3, 4};

    (void)RAND_bytes(r, sizeof(r));
    return peer_get32(r) | 1; /* never 0 */
}

static void init_identity(struct peer *p)
{
    peer_make_creds(&p->local);
    random_text(p->cname, 16);
    p->ssrc = random_ssrc();
    p->audio_ssrc = random_ssrc();
    for (unsigned i = 0; i < PEER_LAYERS_MAX; i++) {
        p->video_ssrc[i] = p->params.video_ssrcs[i] ? p->params.video_ssrcs[i] : random_ssrc();
        p->rtx_ssrc[i] = random_ssrc();
    }
    (void)RAND_bytes((uint8_t *)&p->tie_breaker, sizeof(p->tie_breaker));
    p->rng.state = p->params.seed;
}

struct peer *peer_new(struct peer_loop *l, struct peer_identity *id, const struct peer_params *prm)
{
    struct peer *p = calloc(1, sizeof(*p));

    if (!p) {
        return NULL;
    }
    p->loop = l;
    p->identity = id;
    p->params = *prm;
    p->watch.fd = -1;
    p->url = prm->url ? strdup(prm->url) : NULL;
    p->token = prm->token ? strdup(prm->token) : NULL;
    p->join_timer = (struct peer_timer){.fn = on_join_timeout, .ctx = p};
    p->twcc_due_us = INT64_MAX;
    init_identity(p);
    if (peer_net_open(p) < 0) {
        peer_free(p);
        return NULL;
    }
    return p;
}

void peer_free(struct peer *p)
{
    if (!p) {
        return;
    }
    for (unsigned i = 0; i < PEER_CALL_MAX; i++) {
        peer_http_cancel(p->calls[i].http);
    }
    peer_loop_disarm(p->loop, &p->join_timer);
    peer_flow_fini(p);
    peer_net_close(p);
    peer_data_free(p->data);
    peer_dtls_free(p->dtls);
    peer_srtp_free(p->srtp);
    free(p->text);
    free(p->ours);
    free(p->theirs);
    free(p->url);
    free(p->token);
    free(p);
}

/* ---- descriptions ---- */

void peer_local_sdp(struct peer *p, struct peer_sdp_local *ret)
{
    const struct peer_params *m = &p->params;
    unsigned q = m->quirks;

    *ret = (struct peer_sdp_local){
        .publish = m->role == PEER_PUBLISH,
        .n_audio = m->n_audio,
        .n_video = m->n_video,
        .codecs = m->codecs,
        .ufrag = p->local.ufrag,
        .pwd = p->local.pwd,
        .fingerprint = q & PEER_QUIRK_BAD_FINGERPRINT ? OTHER_FINGERPRINT
                                                      : peer_identity_fingerprint(p->identity),
        .setup = m->setup,
        .ip = m->trickle || q & PEER_QUIRK_NO_CANDIDATES ? NULL : p->ip,
        .port = p->port,
        .rtx = m->rtx,
        .nack = m->nack,
        .twcc = m->twcc && !(q & PEER_QUIRK_NO_EXTENSIONS),
        .extensions = !(q & PEER_QUIRK_NO_EXTENSIONS),
        .rsize = !(q & PEER_QUIRK_NO_RSIZE),
        .ssrc_lines = !(q & PEER_QUIRK_NO_SSRC_LINES),
        .cname = p->cname,
        .n_layers = m->n_layers,
        .sim_group = q & PEER_QUIRK_SIM_GROUP,
        .audio_ssrc = p->audio_ssrc,
        .session_id = p->tie_breaker,
        .data = m->data,
        .message_bytes = m->message_bytes,
    };
    memcpy(ret->rids, m->rids, sizeof(ret->rids));
    memcpy(ret->video_ssrc, p->video_ssrc, sizeof(ret->video_ssrc));
    memcpy(ret->rtx_ssrc, p->rtx_ssrc, sizeof(ret->rtx_ssrc));
}

/* Reads a description into memory of the size that it needs. NULL with *ret_error on failure. */
static struct peer_sdp *read_sdp(const char *text, size_t len, int *ret_error)
{
    struct peer_sdp *s = malloc(sizeof(*s));
    int r = s ? peer_sdp_read(text, len, s) : -ENOMEM;

    *ret_error = r;
    if (r < 0) {
        free(s);
        return NULL;
    }
    /* 3 kB a section: with thousands of peers the unused ones would be most of the memory */
    unsigned n = s->n_media ? s->n_media : 1;
    struct peer_sdp *small = realloc(s, offsetof(struct peer_sdp, media) + n * sizeof(s->media[0]));
    return small ? small : s;
}

const char *peer_offer(struct peer *p)
{
    struct peer_sdp_local l;
    int r;

    free(p->text);
    free(p->ours);
    p->ours = NULL;
    p->text = malloc(OFFER_MAX);
    peer_local_sdp(p, &l);
    size_t n = p->text ? peer_sdp_offer(&l, p->text, OFFER_MAX) : 0;
    if (!n) {
        return NULL;
    }
    p->ours = read_sdp(p->text, n, &r);
    return p->ours ? p->text : NULL;
}

int peer_use_offer(struct peer *p, const char *offer)
{
    int r;
    struct peer_sdp *s = read_sdp(offer, strlen(offer), &r);

    if (s) {
        free(p->ours);
        p->ours = s;
    }
    return r;
}

/* The first section that is not rejected: it carries the transport (RFC 8843 7.2). */
static const struct peer_sdp_media *tagged(const struct peer_sdp *s)
{
    for (unsigned i = 0; i < s->n_media; i++) {
        if (!s->media[i].rejected) {
            return &s->media[i];
        }
    }
    return NULL;
}

static void take_remote(struct peer *p, const struct peer_sdp_media *m)
{
    memcpy(p->remote.ufrag, m->ufrag, sizeof(p->remote.ufrag));
    memcpy(p->remote.pwd, m->pwd, sizeof(p->remote.pwd));
}

int peer_set_answer(struct peer *p, const char *answer, size_t len)
{
    int r;
    struct peer_sdp *a = read_sdp(answer, len, &r);

    if (!a) {
        peer_fail(p, "answer cannot be read");
        return r;
    }
    free(p->theirs);
    p->theirs = a;
    p->stats.answer_us = peer_loop_now_us(p->loop);
    const char *why = peer_sdp_fault(p->ours, a);
    const struct peer_sdp_media *m = tagged(a);
    if ((why && !(p->params.quirks & PEER_QUIRK_ACCEPT_FAULTS)) || !m) {
        peer_fail(p, "answer: %s", why ? why : "nothing accepted");
        return -EPROTO;
    }
    take_remote(p, m);
    p->dtls_server = !strcmp(m->setup, "active");
    r = peer_flow_setup(p, a, p->ours);
    free(p->ours);
    free(p->text);
    p->ours = NULL;
    p->text = NULL;
    if (r < 0) {
        peer_fail(p, "no stream can be set up");
        return r;
    }
    peer_enter(p, PEER_ICE);
    peer_net_start_checks(p);
    return 0;
}

const char *peer_answer(struct peer *p, const char *offer, size_t len)
{
    struct peer_sdp_local l;
    int r;

    free(p->theirs);
    p->theirs = read_sdp(offer, len, &r);
    const struct peer_sdp_media *m = p->theirs ? tagged(p->theirs) : NULL;
    free(p->text);
    p->text = m ? malloc(OFFER_MAX) : NULL;
    if (!p->text) {
        return NULL;
    }
    take_remote(p, m);
    p->dtls_server = strcmp(m->setup, "passive") != 0;
    peer_local_sdp(p, &l);
    l.setup = p->dtls_server ? "passive" : "active";
    size_t n = peer_sdp_answer(&l, p->theirs, p->text, OFFER_MAX);
    struct peer_sdp *ours = n ? read_sdp(p->text, n, &r) : NULL;
    r = ours ? peer_flow_setup(p, ours, p->theirs) : -EPROTO;
    free(ours);
    if (r < 0) {
        return NULL;
    }
    (void)peer_loop_arm(p->loop, &p->join_timer,
                        peer_loop_now_us(p->loop) + p->params.join_timeout_us);
    peer_enter(p, PEER_ICE);
    return p->text;
}

/* ---- HTTP ---- */

static void on_posted(struct peer *p, const struct peer_http_response *r)
{
    p->stats.http_status = r->status;
    if (r->error) {
        peer_fail(p, "POST: %s", strerror(-r->error));
        return;
    }
    if (r->status != 201) {
        peer_fail(p, "POST: status %d %.100s", r->status, r->body);
        return;
    }
    if (peer_http_join_url(p->url, r->location, p->location, sizeof(p->location)) < 0) {
        peer_fail(p, "POST: Location \"%.60s\"", r->location);
        return;
    }
    if (strncmp(r->content_type, SDP_TYPE, strlen(SDP_TYPE))) {
        peer_fail(p, "POST: Content-Type \"%.60s\"", r->content_type);
        return;
    }
    memcpy(p->etag, r->etag, sizeof(p->etag));
    if (peer_set_answer(p, r->body, r->body_len) == 0 && p->params.trickle) {
        char body[1024];
        if (peer_fragment(p, body, sizeof(body))) {
            (void)peer_patch(p, FRAGMENT_TYPE, p->etag[0] ? p->etag : NULL, body);
        }
    }
}

int peer_restart_answer(struct peer *p, const char *text, size_t len)
{
    int e;
    struct peer_sdp *s = read_sdp(text, len, &e);
    /* a fragment may have its credentials before or without any m-line */
    bool ok = s && p->theirs && s->media[0].ufrag[0] && s->media[0].pwd[0];

    if (ok) {
        p->local = p->next_local;
        take_remote(p, &s->media[0]);
        if (s->n_cands) {
            memcpy(p->theirs->cands, s->cands, sizeof(s->cands));
            p->theirs->n_cands = s->n_cands;
        }
        peer_net_start_checks(p);
    }
    free(s);
    return ok ? 0 : -EBADMSG;
}

static void on_restarted(struct peer *p, const struct peer_http_response *r)
{
    if (r->status == 200 && peer_restart_answer(p, r->body, r->body_len) == 0 && r->etag[0]) {
        memcpy(p->etag, r->etag, sizeof(p->etag));
    }
}

static void on_response(void *ctx, const struct peer_http_response *r)
{
    struct peer_call *c = ctx;
    struct peer *p = c->peer;
    const char *method = c->method;

    c->http = NULL; /* the place may be taken by a request that follows from this one */
    if (!strcmp(method, "POST")) {
        on_posted(p, r);
    } else if (c->restart) {
        on_restarted(p, r);
    }
    if (p->params.events.on_http) {
        p->params.events.on_http(p->params.events.ctx, p, method, r);
    }
}

/* Starts a request. Returns the call, or NULL with errno. */
static struct peer_call *start_call(struct peer *p, const struct peer_http_request *rq)
{
    for (unsigned i = 0; i < PEER_CALL_MAX; i++) {
        struct peer_call *c = &p->calls[i];
        if (!c->http) {
            *c = (struct peer_call){.peer = p, .method = rq->method};
            c->http = peer_http_start(p->loop, rq, HTTP_TIMEOUT_US, on_response, c);
            return c->http ? c : NULL;
        }
    }
    errno = EBUSY;
    return NULL;
}

int peer_join(struct peer *p)
{
    const char *offer = p->url ? peer_offer(p) : NULL;

    if (!offer) {
        return -EINVAL;
    }
    struct peer_http_request rq = {
        .method = "POST",
        .url = p->url,
        .token = p->token,
        .agent = p->params.agent,
        .content_type = SDP_TYPE,
        .body = offer,
        .body_len = strlen(offer),
    };
    int64_t now_us = peer_loop_clock_ns() / 1000;
    p->stats.post_us = now_us;
    if (!start_call(p, &rq)) {
        return -errno;
    }
    (void)peer_loop_arm(p->loop, &p->join_timer, now_us + p->params.join_timeout_us);
    peer_enter(p, PEER_POSTING);
    return 0;
}

int peer_delete(struct peer *p)
{
    struct peer_http_request rq = {.method = "DELETE", .url = p->location, .token = p->token};

    if (!p->location[0]) {
        return -ENOENT;
    }
    return start_call(p, &rq) ? 0 : -errno;
}

int peer_patch(struct peer *p, const char *type, const char *if_match, const char *body)
{
    struct peer_http_request rq = {
        .method = "PATCH",
        .url = p->location,
        .token = p->token,
        .content_type = type,
        .if_match = if_match,
        .body = body,
        .body_len = strlen(body),
    };

    if (!p->location[0]) {
        return -ENOENT;
    }
    return start_call(p, &rq) ? 0 : -errno;
}

size_t peer_fragment(struct peer *p, char *out, size_t cap)
{
    struct peer_sdp_local l;

    peer_local_sdp(p, &l);
    l.ip = p->ip;
    return peer_sdp_fragment(&l, out, cap);
}

size_t peer_restart_fragment(struct peer *p, char *out, size_t cap)
{
    struct peer_sdp_local l;

    peer_make_creds(&p->next_local);
    peer_local_sdp(p, &l);
    l.ufrag = p->next_local.ufrag;
    l.pwd = p->next_local.pwd;
    l.ip = p->ip;
    return peer_sdp_fragment(&l, out, cap);
}

int peer_ice_restart(struct peer *p)
{
    char body[1024];

    if (!p->location[0]) {
        return -ENOENT;
    }
    size_t n = peer_restart_fragment(p, body, sizeof(body));
    struct peer_http_request rq = {
        .method = "PATCH",
        .url = p->location,
        .token = p->token,
        .content_type = FRAGMENT_TYPE,
        .if_match = "\"*\"",
        .body = body,
        .body_len = n,
    };
    struct peer_call *c = n ? start_call(p, &rq) : NULL;
    if (!c) {
        return -errno;
    }
    c->restart = true;
    return 0;
}

/* ---- looking ---- */

enum peer_state peer_state(const struct peer *p)
{
    return p->state;
}

const char *peer_error(const struct peer *p)
{
    return p->error;
}

const struct peer_stats *peer_stats(struct peer *p)
{
    return &p->stats;
}

const struct peer_params *peer_params(const struct peer *p)
{
    return &p->params;
}

uint64_t peer_faults(const struct peer *p)
{
    uint64_t n = 0;

    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        n += p->stats.faults[f];
    }
    return n;
}

const char *peer_location(const struct peer *p)
{
    return p->location;
}

const char *peer_etag(const struct peer *p)
{
    return p->etag;
}

const struct peer_sdp *peer_remote(const struct peer *p)
{
    return p->theirs;
}
