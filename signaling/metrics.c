/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/log.h"
#include "signaling/auth_jwks.h"
#include "signaling/http.h"
#include "signaling/metrics_process.h"
#include "signaling/post.h"
#include "signaling/problem.h"
#include "signaling/sse.h"
#include "signaling/state.h"
#include "signaling/strbuf.h"
#include "signaling/tls.h"
#include "signaling/webhook.h"

/* Upper bounds in milliseconds. */
static const int bounds_ms[METRICS_BUCKETS] = {1,   2,   5,   10,   25,   50,
                                               100, 250, 500, 1000, 2500, 10000};

void metrics_observe(struct metrics_hist *h, int64_t took_us)
{
    int i = 0;
    while (i < METRICS_BUCKETS && took_us > (int64_t)bounds_ms[i] * US_PER_MS) {
        i++;
    }
    h->buckets[i]++;
    h->count++;
    h->sum_us += MAX(took_us, 0);
}

static struct metrics_route *route_of(struct metrics *m, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(m->routes); i++) {
        if (m->routes[i].name == NULL) {
            m->routes[i].name = name;
        }
        if (strcmp(m->routes[i].name, name) == 0) {
            return &m->routes[i];
        }
    }
    return NULL;
}

void metrics_on_done(struct metrics *m, const struct http_done *done)
{
    struct metrics_route *r = route_of(m, done->route->name);
    int status = done->status != 0 ? done->status : 499;
    if (r != NULL) {
        metrics_observe(&r->took, done->took_us);
        for (size_t i = 0; i < ARRAY_LEN(r->codes); i++) {
            if (r->codes[i].status == 0 || r->codes[i].status == status) {
                r->codes[i].status = status;
                r->codes[i].n++;
                break;
            }
        }
    }
    for (size_t i = 0; done->problem != NULL && i < ARRAY_LEN(m->problems); i++) {
        if (m->problems[i].type == NULL || strcmp(m->problems[i].type, done->problem) == 0) {
            m->problems[i].type = done->problem;
            m->problems[i].n++;
            break;
        }
    }
}

void metrics_on_refusal(struct metrics *m, const char *reason)
{
    for (size_t i = 0; i < ARRAY_LEN(m->refusals); i++) {
        if (m->refusals[i].reason == NULL || strcmp(m->refusals[i].reason, reason) == 0) {
            m->refusals[i].reason = reason;
            m->refusals[i].n++;
            break;
        }
    }
}

static void family(struct strbuf *b, const char *name, const char *type, const char *help)
{
    strbuf_addf(b, "# TYPE sluice_%s %s\n# HELP sluice_%s %s\n", name, type, name, help);
}

/* Families of one value without labels. */
static void add_counter(struct strbuf *b, const char *name, const char *help, uint64_t n)
{
    family(b, name, "counter", help);
    strbuf_addf(b, "sluice_%s_total %" PRIu64 "\n", name, n);
}

static void add_gauge(struct strbuf *b, const char *name, const char *help, int64_t n)
{
    family(b, name, "gauge", help);
    strbuf_addf(b, "sluice_%s %" PRId64 "\n", name, n);
}

static void add_hist(struct strbuf *b, const char *name, const char *label,
                     const struct metrics_hist *h)
{
    uint64_t sum = 0;
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        sum += h->buckets[i];
        strbuf_addf(b, "sluice_%s_bucket{%s,le=\"%d.%03d\"} %" PRIu64 "\n", name, label,
                    bounds_ms[i] / 1000, bounds_ms[i] % 1000, sum);
    }
    strbuf_addf(b, "sluice_%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, label, h->count);
    strbuf_addf(b, "sluice_%s_count{%s} %" PRIu64 "\n", name, label, h->count);
    strbuf_addf(b, "sluice_%s_sum{%s} %" PRId64 ".%06d\n", name, label, h->sum_us / US_PER_S,
                (int)(h->sum_us % US_PER_S));
}

static const char *const role_names[] = {[API_PUBLISH] = "publish", [API_PLAY] = "play"};

static void add_sessions(struct strbuf *b, const struct signaling *s)
{
    static const char *const states[] = {
        [RESOURCE_NEW] = "new", [RESOURCE_UP] = "up", [RESOURCE_ENDING] = "ending"};
    family(b, "sessions", "gauge", "Sessions by role and state.");
    for (int role = 0; role < 2; role++) {
        for (size_t i = 0; i < ARRAY_LEN(states); i++) {
            strbuf_addf(b, "sluice_sessions{role=\"%s\",state=\"%s\"} %u\n", role_names[role],
                        states[i], s->sessions.n[role][i]);
        }
    }
    family(b, "sessions_created", "counter", "Sessions answered with 201.");
    for (int role = 0; role < 2; role++) {
        strbuf_addf(b, "sluice_sessions_created_total{role=\"%s\"} %" PRIu64 "\n", role_names[role],
                    s->metrics.created[role]);
    }
    family(b, "sessions_ended", "counter", "Sessions that ended, by reason.");
    for (int role = 0; role < 2; role++) {
        for (int i = 0; i < API_END_COUNT; i++) {
            strbuf_addf(b, "sluice_sessions_ended_total{role=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                        role_names[role], api_reason_name((enum api_reason)i),
                        s->metrics.ended[role][i]);
        }
    }
    family(b, "streams", "gauge",
           "Streams with a publisher, and those whose viewers wait for one.");
    strbuf_addf(b, "sluice_streams{state=\"live\"} %u\n", s->rooms.n_live);
    strbuf_addf(b, "sluice_streams{state=\"waiting\"} %u\n", s->rooms.n_streams - s->rooms.n_live);
    add_gauge(b, "event_streams", "Event streams (SSE) being read.", sse_open(s->sse));
    add_counter(b, "event_streams_dropped", "Event streams closed on readers that were too slow.",
                sse_dropped(s->sse));
    add_counter(b, "control_events_too_large",
                "Events left out on data channels since they are longer than a message may be.",
                s->metrics.control_too_large);
    add_counter(b, "ice_restarts", "ICE restarts asked for by clients.", s->metrics.restarts);
    add_counter(b, "ice_trickled_candidates", "Candidates trickled by clients.",
                s->metrics.trickled);
    static const char *const phases[METRICS_JOIN_COUNT] = {
        [METRICS_JOIN_HTTP] = "phase=\"http\"",
        [METRICS_JOIN_DTLS] = "phase=\"dtls\"",
        [METRICS_JOIN_MEDIA] = "phase=\"first_media\"",
    };
    family(b, "join_seconds", "histogram", "How long joining takes, by phase.");
    for (int i = 0; i < METRICS_JOIN_COUNT; i++) {
        add_hist(b, "join_seconds", phases[i], &s->metrics.join[i]);
    }
}

static void add_http(struct strbuf *b, const struct signaling *s)
{
    const struct metrics *m = &s->metrics;
    family(b, "http_requests", "counter", "Requests by route and status; 499: the client left.");
    for (size_t i = 0; i < ARRAY_LEN(m->routes) && m->routes[i].name != NULL; i++) {
        const struct metrics_route *r = &m->routes[i];
        for (size_t k = 0; k < ARRAY_LEN(r->codes) && r->codes[k].status != 0; k++) {
            strbuf_addf(b, "sluice_http_requests_total{route=\"%s\",code=\"%d\"} %" PRIu64 "\n",
                        r->name, r->codes[k].status, r->codes[k].n);
        }
    }
    family(b, "http_request_seconds", "histogram", "From the request line to the answer's end.");
    for (size_t i = 0; i < ARRAY_LEN(m->routes) && m->routes[i].name != NULL; i++) {
        char label[64];
        snprintf(label, sizeof(label), "route=\"%s\"", m->routes[i].name);
        add_hist(b, "http_request_seconds", label, &m->routes[i].took);
    }
    family(b, "http_problems", "counter", "Requests refused, by problem type.");
    for (size_t i = 0; i < ARRAY_LEN(m->problems) && m->problems[i].type != NULL; i++) {
        strbuf_addf(b, "sluice_http_problems_total{type=\"%s\"} %" PRIu64 "\n", m->problems[i].type,
                    m->problems[i].n);
    }
    if (s->public_http == NULL) {
        return;
    }
    add_gauge(b, "http_connections", "Open connections of the public listener.",
              http_connections(s->public_http));
    add_counter(b, "http_connections_refused",
                "Connections closed at once: too many of one address, or too few descriptors.",
                http_refused_connections(s->public_http));
    add_counter(b, "http_connections_timed_out", "Connections shut because they were slow.",
                http_timed_out(s->public_http));
}

/* Tokens, the keys that they are judged by, the hook. */
static void add_auth(struct strbuf *b, const struct signaling *s)
{
    const struct metrics *m = &s->metrics;
    family(b, "tokens_refused", "counter",
           "Requests whose token was missing or refused, by reason.");
    for (size_t i = 0; i < ARRAY_LEN(m->refusals) && m->refusals[i].reason != NULL; i++) {
        strbuf_addf(b, "sluice_tokens_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                    m->refusals[i].reason, m->refusals[i].n);
    }
    if (s->jwks != NULL) {
        struct auth_jwks_stats js;
        auth_jwks_stats(s->jwks, &js);
        family(b, "jwks_fetches", "counter", "Fetches of auth.jwks_url, by result.");
        strbuf_addf(b, "sluice_jwks_fetches_total{result=\"ok\"} %" PRIu64 "\n", js.fetched);
        strbuf_addf(b, "sluice_jwks_fetches_total{result=\"failed\"} %" PRIu64 "\n", js.failed);
        add_gauge(b, "jwks_keys", "Keys of auth.jwks_url in use.", js.keys);
    }
    family(b, "auth_hook", "counter", "Answers of auth.hook_url.");
    strbuf_addf(b, "sluice_auth_hook_total{result=\"yes\"} %" PRIu64 "\n", m->hook[0]);
    strbuf_addf(b, "sluice_auth_hook_total{result=\"no\"} %" PRIu64 "\n", m->hook[1]);
    strbuf_addf(b, "sluice_auth_hook_total{result=\"failed\"} %" PRIu64 "\n", m->hook[2]);
}

static void add_webhooks(struct strbuf *b, const struct signaling *s)
{
    family(b, "webhooks", "counter", "Deliveries to webhooks.targets, by result.");
    for (int i = 0; i < WEBHOOK_RESULTS; i++) {
        strbuf_addf(b, "sluice_webhooks_total{result=\"%s\"} %" PRIu64 "\n",
                    webhook_result_name((enum webhook_result)i),
                    webhook_count(s->webhooks, (enum webhook_result)i));
    }
    add_gauge(b, "webhooks_waiting", "Deliveries queued or under way.",
              webhook_waiting(s->webhooks));
}

/* Counters of the plane that are one value of a labelled family. The rest are families of their
 * own, named after themselves. Rows of one family stand together. */
struct row {
    const char *counter;
    const char *family;
    const char *labels;
    const char *help;
};

static const struct row rows[] = {
    {"rx_rtp_packets", "rtp_packets", "dir=\"in\"", "RTP packets."},
    {"tx_rtp_packets", "rtp_packets", "dir=\"out\"", NULL},
    {"rx_rtp_bytes", "rtp_bytes", "dir=\"in\"", "RTP bytes."},
    {"tx_rtp_bytes", "rtp_bytes", "dir=\"out\"", NULL},
    {"rx_rtcp_packets", "rtcp_packets", "dir=\"in\"", "RTCP packets."},
    {"tx_rtcp_packets", "rtcp_packets", "dir=\"out\"", NULL},
    {"rx_nack", "rtcp_feedback", "dir=\"in\",type=\"nack\"", "RTCP feedback messages."},
    {"tx_nack", "rtcp_feedback", "dir=\"out\",type=\"nack\"", NULL},
    {"rx_pli", "rtcp_feedback", "dir=\"in\",type=\"pli\"", NULL},
    {"rx_fir", "rtcp_feedback", "dir=\"in\",type=\"fir\"", NULL},
    {"tx_pli", "rtcp_feedback", "dir=\"out\",type=\"pli\"", NULL},
    {"tx_rtx_packets", "rtx_packets", "result=\"sent\"", "Retransmissions."},
    {"tx_rtx_refused", "rtx_packets", "result=\"refused\"", NULL},
    {"sessions_added", "media_sessions_added", "", "Sessions that workers created."},
    {"sessions_ended", "media_sessions_ended", "", "Sessions that workers ended."},
};

struct value {
    const char *name;
    const char *help;
    uint64_t n;
};

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].counter, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static void add_drops(struct strbuf *b, const struct value *values, size_t n,
                      const struct api_counters *plane)
{
    family(b, "dropped_packets", "counter", "Packets dropped, by reason.");
    for (size_t i = 0; i < n; i++) {
        /* drop_link is the sum of what follows by its parts. */
        if (strncmp(values[i].name, "drop_", 5) == 0 && strcmp(values[i].name, "drop_link") != 0) {
            strbuf_addf(b, "sluice_dropped_packets_total{reason=\"%s\"} %" PRIu64 "\n",
                        values[i].name + 5, values[i].n);
        }
    }
    for (int i = 0; i < LINK_DROP_COUNT; i++) {
        strbuf_addf(b, "sluice_dropped_packets_total{reason=\"link_%s\"} %" PRIu64 "\n",
                    link_drop_name((enum link_drop)i), plane->link_drop[i]);
    }
}

static void add_plane(struct strbuf *b, const struct api_counters *plane)
{
    const struct value values[] = {
#define METRICS_VALUE(name, help) {#name, help, plane->name},
        API_COUNTERS(METRICS_VALUE)
#undef METRICS_VALUE
    };
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        if (rows[k].help != NULL) {
            family(b, rows[k].family, "counter", rows[k].help);
        }
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            if (strcmp(values[i].name, rows[k].counter) == 0) {
                strbuf_addf(b, "sluice_%s_total%s%s%s %" PRIu64 "\n", rows[k].family,
                            rows[k].labels[0] != '\0' ? "{" : "", rows[k].labels,
                            rows[k].labels[0] != '\0' ? "}" : "", values[i].n);
            }
        }
    }
    add_drops(b, values, ARRAY_LEN(values), plane);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (row_of(values[i].name) == NULL && strncmp(values[i].name, "drop_", 5) != 0) {
            add_counter(b, values[i].name, values[i].help, values[i].n);
        }
    }
}

static void add_node(struct strbuf *b, const struct signaling *s)
{
    family(b, "build", "info", "What runs.");
    strbuf_addf(b, "sluice_build_info{version=\"%s\"} 1\n", SLUICE_VERSION);
    add_gauge(b, "draining", "1 while new sessions are refused before the end.",
              s->draining ? 1 : 0);
    add_gauge(b, "workers", "Media workers.", s->plane != NULL ? plane_workers(s->plane) : 0);
    family(b, "loop_lag_seconds", "gauge", "How late the latest timer of the HTTP loop was.");
    strbuf_addf(b, "sluice_loop_lag_seconds %" PRId64 ".%06d\n", s->metrics.loop_lag_us / US_PER_S,
                (int)(s->metrics.loop_lag_us % US_PER_S));
    add_gauge(b, "commands_waiting", "Commands that wait for room in a worker's mailbox.",
              post_waiting(s->post));
    add_counter(b, "log_lines_dropped", "Log lines lost because the sink was slow.", log_dropped());
    if (s->tls != NULL) {
        add_gauge(b, "tls_cert_not_after_timestamp_seconds",
                  "When the certificate of the public listener expires.", tls_not_after_s(s->tls));
    }
}

char *metrics_text(const struct signaling *s, const struct api_counters *plane, size_t *ret_len)
{
    struct strbuf b = {0};
    add_node(&b, s);
    add_sessions(&b, s);
    add_http(&b, s);
    add_auth(&b, s);
    add_webhooks(&b, s);
    add_plane(&b, plane);
    metrics_process_add(&b);
    strbuf_addf(&b, "# EOF\n");
    return strbuf_take(&b, ret_len);
}

void metrics_handle(struct http_request *rq, void *ctx)
{
    const struct signaling *s = ctx;
    struct api_counters plane = {0};
    size_t len = 0;
    if (http_method(rq) != HTTP_GET && http_method(rq) != HTTP_HEAD) {
        problem_answer_method(rq, "GET, HEAD");
        return;
    }
    if (s->plane != NULL) {
        plane_counters(s->plane, &plane);
    }
    char *text = metrics_text(s, &plane, &len);
    http_set_header(rq, "Cache-Control", "no-store");
    http_answer_take(rq, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", text,
                     len);
}
