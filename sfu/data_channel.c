/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/data_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

#define PROTOCOL_PREFIX "sender="

/* ---- streams ---- */

static bool bit(const uint8_t *set, uint16_t sid)
{
    return set[sid / 8] & 1U << sid % 8;
}

static void set_bit(uint8_t *set, uint16_t sid, bool on)
{
    uint8_t mask = (uint8_t)(1U << sid % 8);
    set[sid / 8] = (uint8_t)(on ? set[sid / 8] | mask : set[sid / 8] & ~mask);
}

struct data_channel *data_channel_at(const struct data_session *s, uint16_t sid)
{
    return table_get(&s->by_sid, (uint64_t)sid + 1);
}

static bool is_free(const struct data_session *s, uint16_t sid)
{
    return !data_channel_at(s, sid) && !bit(s->wait_out, sid) && !bit(s->wait_in, sid);
}

/* A free stream of the server's parity, or -1. Round and round, so that one is used again late. */
static int find_sid(struct data_session *s)
{
    unsigned first = s->client_even ? 1 : 0;
    unsigned n = s->n_streams > first ? (s->n_streams - first + 1U) / 2 : 0;
    for (unsigned i = 0; i < n; i++) {
        uint16_t sid = (uint16_t)(first + 2 * ((s->next_sid + i) % n));
        if (is_free(s, sid)) {
            s->next_sid = (uint16_t)((s->next_sid + i + 1) % n);
            return sid;
        }
    }
    return -1;
}

/* Resets our half. The client's follows, unless it came first. */
static void reset_stream(struct data_session *s, uint16_t sid, bool by_peer)
{
    if (s->up && !bit(s->wait_out, sid) && assoc_reset(s->assoc, sid) == 0) {
        set_bit(s->wait_out, sid, true);
        set_bit(s->wait_in, sid, !by_peer);
    }
}

void data_channel_refuse(struct data_session *s, uint16_t sid)
{
    s->data->n.data_channels_refused++;
    if (!data_channel_at(s, sid) && sid < s->n_streams) {
        reset_stream(s, sid, false);
    }
}

/* ---- statistics, events ---- */

void data_channel_touch(struct data_session *s)
{
    if (list_empty(&s->changed)) {
        list_append(&s->data->changed, &s->changed);
    }
}

void data_channel_tell(const struct data_session *s, enum api_data_kind kind,
                       const struct assoc_event *ev)
{
    size_t len = ev ? ev->len : 0;
    struct api_event out = {.kind = API_EV_DATA, .worker = s->worker, .id = s->id};
    struct api_data_event *e = calloc(1, sizeof(*e) + len + 1);
    if (!e) {
        return;
    }
    e->kind = kind;
    e->len = len;
    if (ev) {
        e->binary = ev->ppid == DCEP_PPID_BINARY || ev->ppid == DCEP_PPID_BINARY_EMPTY;
        memcpy(e->bytes, ev->data, len);
    }
    out.u.data = e;
    s->data->p.ports.event(&out, s->data->p.ports.ctx);
}

/* ---- life ---- */

static uint64_t feed_key(const struct data_channel *source, const struct data_session *sink)
{
    return (uint64_t)source->serial << 32 | sink->serial;
}

/* Takes a feed out of everything that knows it. Its stream is the caller's business. */
static void free_feed(struct data_channel *f)
{
    struct data_session *s = f->session;
    if (!f->muted) {
        table_remove(&s->by_sid, (uint64_t)f->sid + 1, f);
        s->stats.channels--;
    }
    table_remove(&s->data->feeds, feed_key(f->source, s), f);
    list_remove(&f->in_source);
    list_remove(&f->in_session);
    s->n_feeds--;
    data_channel_touch(s);
    free(f);
}

static void close_feed(struct data_channel *f)
{
    if (!f->muted) {
        reset_stream(f->session, f->sid, false);
    }
    free_feed(f);
}

static void leave_topic(struct data_channel *c)
{
    struct data *d = c->session->data;
    struct data_topic *t = c->topic;
    list_remove(&c->in_topic);
    if (t && list_empty(&t->channels)) {
        table_remove(&d->topics, t->key, t);
        free(t);
    }
}

/* A client's channel and what it feeds. */
static void free_channel(struct data_channel *c)
{
    struct data_session *s = c->session;
    LIST_EACH(it, &c->feeds)
    {
        close_feed(container_of(it, struct data_channel, in_source));
    }
    if (c->control) {
        data_channel_tell(s, API_DATA_CLOSED, NULL);
    }
    leave_topic(c);
    table_remove(&s->by_sid, (uint64_t)c->sid + 1, c);
    list_remove(&c->in_session);
    s->n_channels--;
    s->stats.channels--;
    data_channel_touch(s);
    free(c);
}

void data_channel_close(struct data_channel *c)
{
    if (c->is_feed) {
        close_feed(c);
        return;
    }
    reset_stream(c->session, c->sid, false);
    free_channel(c);
}

void data_channel_clear(struct data_session *s)
{
    s->up = false; /* nothing is reset any more on its side */
    LIST_EACH(it, &s->channels)
    {
        free_channel(container_of(it, struct data_channel, in_session));
    }
    LIST_EACH(it, &s->feeds)
    {
        free_feed(container_of(it, struct data_channel, in_session));
    }
}

/* ---- the client opens ---- */

static uint64_t hash_text(uint64_t h, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        h = table_mix(h ^ (uint8_t)text[i]) * 0x9fb21c651e98df25ULL;
    }
    return h ? h : 1;
}

static uint64_t topic_key(const struct data_session *s, const char *label, size_t len)
{
    return hash_text(s->room->key ^ s->data->seed, label, len);
}

static struct data_topic *topic_get(struct data *d, uint64_t key)
{
    struct data_topic *t = table_get(&d->topics, key);
    if (t) {
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->key = key;
    list_init(&t->channels);
    if (table_put(&d->topics, key, t)) {
        free(t);
        return NULL;
    }
    return t;
}

/* Splits "label@name" at the last @; both halves must be there. */
static size_t base_len(const struct dcep_open *o)
{
    for (size_t i = o->label_len; i > 1; i--) {
        if (o->label[i - 1] == '@' && i < o->label_len) {
            return i - 1;
        }
    }
    return o->label_len;
}

static struct data_channel *make_channel(struct data_session *s, uint16_t sid,
                                         const struct dcep_open *o)
{
    size_t base = base_len(o);
    size_t to_len = base < o->label_len ? o->label_len - base - 1 : 0;
    struct data_channel *c = calloc(1, sizeof(*c) + o->label_len + o->protocol_len);
    if (!c) {
        return NULL;
    }
    c->session = s;
    c->sid = sid;
    c->reliability = o->reliability;
    c->priority = o->priority;
    c->serial = ++s->data->next_serial;
    c->label_len = (uint16_t)base;
    c->protocol_len = o->protocol_len;
    c->to_len = (uint16_t)to_len;
    memcpy(c->text, o->label, base);
    memcpy(c->text + base, o->protocol, o->protocol_len);
    memcpy(c->text + base + o->protocol_len, o->label + o->label_len - to_len, to_len);
    list_init(&c->in_session);
    list_init(&c->in_topic);
    list_init(&c->in_source);
    list_init(&c->feeds);
    if (table_put(&s->by_sid, (uint64_t)sid + 1, c)) {
        free(c);
        return NULL;
    }
    return c;
}

/* The control channel, an addressed one, or one for all of a topic. False: out of memory. */
static bool bind_channel(struct data_channel *c)
{
    struct data_session *s = c->session;
    if (c->to_len == 0 && c->label_len == sizeof(API_CONTROL_LABEL) - 1 &&
        memcmp(c->text, API_CONTROL_LABEL, c->label_len) == 0) {
        c->control = true;
        return true;
    }
    c->topic_key = topic_key(s, c->text, c->label_len);
    if (c->to_len > 0) {
        return true;
    }
    c->topic = topic_get(s->data, c->topic_key);
    if (c->topic) {
        list_append(&c->topic->channels, &c->in_topic);
    }
    return c->topic;
}

static void send_ack(struct data_channel *c)
{
    uint8_t ack[DCEP_ACK_LEN];
    const struct assoc_message m = {
        .sid = c->sid, .ppid = DCEP_PPID_CONTROL, .data = ack, .len = sizeof(ack)};
    dcep_write_ack(ack);
    c->owes_ack = bit(c->session->wait_out, c->sid) || assoc_send(c->session->assoc, &m) != 0;
}

static bool may_open(struct data_session *s, uint16_t sid)
{
    bool even = sid % 2 == 0;
    struct data_channel *c = data_channel_at(s, sid);
    if (c && !c->is_feed) {
        data_channel_close(c); /* opened twice: neither counts (DC-07) */
        return false;
    }
    return !c && even == s->client_even && sid < s->n_streams && !bit(s->wait_in, sid) &&
           s->n_channels < (unsigned)s->data->p.conf->data.channels_max;
}

void data_channel_on_open(struct data_session *s, uint16_t sid, const struct dcep_open *o)
{
    struct data_channel *c = may_open(s, sid) ? make_channel(s, sid, o) : NULL;
    if (!c) {
        data_channel_refuse(s, sid);
        return;
    }
    list_append(&s->channels, &c->in_session);
    s->n_channels++;
    s->stats.channels++;
    if (!bind_channel(c)) {
        data_channel_close(c);
        return;
    }
    s->data->n.data_channels++;
    data_channel_touch(s);
    send_ack(c);
    if (c->control) {
        data_channel_tell(s, API_DATA_OPENED, NULL);
    }
}

void data_channel_on_ack(struct data_session *s, uint16_t sid)
{
    struct data_channel *c = data_channel_at(s, sid);
    if (c && c->is_feed) {
        c->acked = true;
    }
}

/* ---- streams are closed ---- */

void data_channel_on_reset(struct data_session *s, uint16_t sid)
{
    if (sid >= ASSOC_STREAMS) {
        return;
    }
    struct data_channel *c = data_channel_at(s, sid);
    if (bit(s->wait_in, sid)) {
        set_bit(s->wait_in, sid, false); /* the answer to our own */
        return;
    }
    if (!c) {
        return;
    }
    reset_stream(s, sid, true);
    if (!c->is_feed) {
        free_channel(c);
        return;
    }
    c->muted = true; /* its reader wants no more of it */
    table_remove(&s->by_sid, (uint64_t)sid + 1, c);
    s->stats.channels--;
    data_channel_touch(s);
}

void data_channel_on_reset_done(struct data_session *s, uint16_t sid)
{
    if (sid >= ASSOC_STREAMS) {
        return;
    }
    set_bit(s->wait_out, sid, false);
    struct data_channel *c = data_channel_at(s, sid);
    if (c && c->owes_ack) {
        send_ack(c);
    }
}

/* ---- sending ---- */

bool data_channel_send(struct data_channel *c, uint32_t ppid, const void *bytes, size_t len)
{
    struct data_session *s = c->session;
    struct api_counters *n = &s->data->n;
    struct assoc_message m = {
        .sid = c->sid, .ppid = ppid, .reliability = c->reliability, .data = bytes, .len = len};
    if (s->peer_max_bytes && len > s->peer_max_bytes) {
        n->data_too_long++;
        return false;
    }
    m.reliability.unordered &= !c->is_feed || c->acked; /* RFC 8832 6: nothing overtakes the OPEN */
    int err = assoc_send(s->assoc, &m);
    data_channel_touch(s);
    if (err == 0) {
        n->data_messages_out++;
        n->data_bytes_out += len;
        s->stats.messages_out++;
        s->stats.bytes_out += len;
        return true;
    }
    if (err == -ENOTCONN) {
        return false;
    }
    s->stats.dropped++;
    if (c->reliability.kind != DCEP_RELIABLE) {
        n->data_slow_dropped++;
        return false;
    }
    n->data_slow_closed++; /* a gap would go unnoticed: a channel that closes does not */
    data_channel_close(c);
    return false;
}

/* "sender=NAME", "&direct=1", "&protocol=…", as far as it fits. */
static size_t write_protocol(const struct data_channel *c, char out[DCEP_TEXT_MAX + 1])
{
    size_t n =
        (size_t)snprintf(out, DCEP_TEXT_MAX + 1, PROTOCOL_PREFIX "%s%s%s", c->session->name,
                         c->to_len > 0 ? "&direct=1" : "", c->protocol_len > 0 ? "&protocol=" : "");
    for (size_t i = 0; i < c->protocol_len; i++) {
        uint8_t b = (uint8_t)c->text[c->label_len + i];
        bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
                     (b && strchr("-._~", b));
        if (n + (plain ? 1 : 3) > DCEP_TEXT_MAX) {
            break;
        }
        n += (size_t)snprintf(out + n, DCEP_TEXT_MAX + 1 - n, plain ? "%c" : "%%%02X", b);
    }
    return n;
}

static bool send_open(struct data_session *sink, uint16_t sid, const struct data_channel *source)
{
    uint8_t bytes[DCEP_OPEN_MAX];
    char protocol[DCEP_TEXT_MAX + 1];
    struct dcep_open o = {.priority = source->priority,
                          .reliability = source->reliability,
                          .label = source->text,
                          .label_len = source->label_len,
                          .protocol = protocol};
    o.protocol_len = (uint16_t)write_protocol(source, protocol);
    int n = dcep_write_open(&o, bytes, sizeof(bytes));
    const struct assoc_message m = {
        .sid = sid, .ppid = DCEP_PPID_CONTROL, .data = bytes, .len = n > 0 ? (size_t)n : 0};
    return n > 0 && assoc_send(sink->assoc, &m) == 0;
}

/* Room for one more towards this reader: the one unused longest gives way. */
static void make_way(struct data_session *sink)
{
    if (sink->n_feeds >= DATA_FEEDS_MAX) {
        close_feed(container_of(sink->feeds.next, struct data_channel, in_session));
    }
}

/* The channel on which source reaches sink, opened now. NULL when sink is too slow for another. */
static struct data_channel *open_feed(struct data_channel *source, struct data_session *sink)
{
    struct data *d = sink->data;
    if (!assoc_has_room(sink->assoc)) {
        return NULL;
    }
    make_way(sink);
    int sid = find_sid(sink);
    struct data_channel *f = sid >= 0 ? calloc(1, sizeof(*f)) : NULL;
    if (!f) {
        return NULL;
    }
    f->session = sink;
    f->sid = (uint16_t)sid;
    f->is_feed = true;
    f->source = source;
    f->reliability = source->reliability;
    list_init(&f->in_session);
    list_init(&f->in_topic);
    list_init(&f->in_source);
    list_init(&f->feeds);
    if (!send_open(sink, f->sid, source) || table_put(&sink->by_sid, (uint64_t)f->sid + 1, f)) {
        free(f);
        return NULL;
    }
    list_append(&sink->feeds, &f->in_session);
    list_append(&source->feeds, &f->in_source);
    sink->n_feeds++;
    sink->stats.channels++;
    if (table_put(&d->feeds, feed_key(source, sink), f)) {
        close_feed(f);
        return NULL;
    }
    return f;
}

static void send_to(struct data_channel *c, struct data_session *sink, const struct assoc_event *ev)
{
    struct data *d = sink->data;
    if (!sink->up) {
        return;
    }
    struct data_channel *f = table_get(&d->feeds, feed_key(c, sink));
    if (f && f->muted) {
        return;
    }
    f = f ? f : open_feed(c, sink);
    if (!f) {
        d->n.data_slow_dropped++;
        sink->stats.dropped++;
        return;
    }
    list_remove(&f->in_session);
    list_append(&sink->feeds, &f->in_session);
    (void)data_channel_send(f, ev->ppid, ev->data, ev->len);
}

static bool is_meant(const struct data_channel *c, const struct data_session *s)
{
    const char *to = c->text + c->label_len + c->protocol_len;
    return s != c->session && (c->to_len == 0 || (strlen(s->name) == c->to_len &&
                                                  memcmp(s->name, to, c->to_len) == 0));
}

static struct data_topic *topic_of(const struct data_channel *c)
{
    return c->topic ? c->topic : table_get(&c->session->data->topics, c->topic_key);
}

bool data_channel_must_wait(struct data_channel *c, size_t *ret_low)
{
    struct data_topic *t = c->reliability.kind == DCEP_RELIABLE ? topic_of(c) : NULL;
    bool waits = false;
    *ret_low = SIZE_MAX;
    if (!t) {
        return false;
    }
    LIST_EACH(it, &t->channels)
    {
        struct data_session *s = container_of(it, struct data_channel, in_topic)->session;
        if (!s->up || !is_meant(c, s)) {
            continue;
        }
        if (assoc_has_room(s->assoc)) {
            return false;
        }
        struct data_channel *f = table_get(&s->data->feeds, feed_key(c, s));
        if (f && !f->muted) { /* else it hears nothing of this until it has caught up */
            waits = true;
            *ret_low = MIN(*ret_low, assoc_waiting(s->assoc));
        }
    }
    return waits;
}

void data_channel_drop_slow(struct data_channel *c)
{
    LIST_EACH(it, &c->feeds)
    {
        struct data_channel *f = container_of(it, struct data_channel, in_source);
        if (!f->muted && !assoc_has_room(f->session->assoc)) {
            c->session->data->n.data_slow_closed++;
            close_feed(f);
        }
    }
}

void data_channel_route(struct data_channel *c, const struct assoc_event *ev)
{
    struct data *d = c->session->data;
    struct data_topic *t = topic_of(c);
    if (!t) {
        return; /* nobody has it open */
    }
    uint64_t stamp = ++d->stamp; /* who has the label open twice still gets it once */
    LIST_EACH(it, &t->channels)
    {
        struct data_session *s = container_of(it, struct data_channel, in_topic)->session;
        if (s->stamp != stamp && is_meant(c, s)) {
            s->stamp = stamp;
            send_to(c, s, ev);
        }
    }
}
