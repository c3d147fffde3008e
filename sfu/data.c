/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/data.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "sfu/data_channel.h"

#define READS_PER_SESSION 32 /* before others get their turn */
#define READS_PER_TURN    512
#define CONTROL_MAX       16384 /* bytes of a message on the control channel */
#define MILLION           1000000
#define STALL_US          (2 * (int64_t)US_PER_S) /* a reader that acknowledges nothing has gone */

static_assert(ASSOC_PORT == API_SCTP_PORT, "the port that answers tell");

/* ---- sessions and rooms ---- */

static void on_output(const uint8_t *pkt, size_t len, void *ctx)
{
    struct data_session *s = ctx;
    struct data *d = s->data;
    if (!d->p.ports.packet(s->worker, s->id, pkt, len, d->p.ports.ctx)) {
        d->n.drop_sctp_ring++;
    }
}

struct data *data_new(const struct data_params *p)
{
    struct data *d = calloc(1, sizeof(*d));
    if (!d) {
        return NULL;
    }
    d->p = *p;
    d->seed = p->random();
    list_init(&d->throttled);
    list_init(&d->held);
    list_init(&d->changed);
    const struct assoc_stack_params sp = {
        .output = on_output,
        .max_message_bytes = (uint32_t)p->conf->data.max_message_bytes,
        /* half is for payload, and one message must fit twice */
        .send_buffer_bytes =
            (uint32_t)MAX(p->conf->data.buffer_bytes, 4 * p->conf->data.max_message_bytes),
        .random = p->random,
    };
    if (assoc_stack_init(&sp)) {
        free(d);
        return NULL;
    }
    return d;
}

static uint64_t room_key(const struct data *d, const char *name)
{
    uint64_t h = d->seed;
    for (; *name; name++) {
        h = table_mix(h ^ (uint8_t)*name) * 0x9fb21c651e98df25ULL;
    }
    return h ? h : 1;
}

static struct data_room *room_get(struct data *d, const char *name)
{
    uint64_t key = room_key(d, name);
    struct data_room *r = table_get(&d->rooms, key);
    if (r) {
        return strcmp(r->name, name) == 0 ? r
                                          : NULL; /* two names of one hash: never, practically */
    }
    r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->key = key;
    memcpy(r->name, name, strnlen(name, sizeof(r->name) - 1));
    list_init(&r->sessions);
    if (table_put(&d->rooms, key, r)) {
        free(r);
        return NULL;
    }
    return r;
}

static void free_session(struct data_session *s)
{
    struct data *d = s->data;
    struct data_room *r = s->room;
    data_channel_clear(s);
    assoc_free(s->assoc);
    list_remove(&s->in_room);
    list_remove(&s->throttled);
    list_remove(&s->held);
    free(s->held_bytes);
    list_remove(&s->changed);
    table_remove(&d->sessions, s->id, s);
    table_fini(&s->by_sid);
    if (r && list_empty(&r->sessions)) {
        table_remove(&d->rooms, r->key, r);
        free(r);
    }
    d->n_sessions--;
    free(s);
}

static void fill_tokens(struct data_session *s, int64_t now_us)
{
    const struct conf *c = s->data->p.conf;
    int64_t rate = c->data.messages_per_s;
    int64_t byte_rate = (int64_t)c->data.max_kbps * 125;
    int64_t passed_us = MIN(now_us - s->tokens_us, (int64_t)US_PER_S);
    s->tokens_us = now_us;
    s->message_tokens = MIN(s->message_tokens + passed_us * rate, rate * MILLION);
    s->byte_tokens = MIN(s->byte_tokens + passed_us * byte_rate, byte_rate * MILLION / 4);
}

void data_on_open(struct data *d, const struct data_open *o, int64_t now_us)
{
    if (table_get(&d->sessions, o->id)) {
        return;
    }
    struct data_session *s = calloc(1, sizeof(*s));
    if (!s) {
        return;
    }
    s->data = d;
    s->id = o->id;
    s->worker = o->worker;
    s->serial = ++d->next_serial;
    s->client_even = o->client_even;
    s->peer_max_bytes = o->data.max_message_bytes;
    memcpy(s->name, o->data.name, sizeof(s->name));
    s->tokens_us = now_us - US_PER_S; /* full buckets */
    list_init(&s->in_room);
    list_init(&s->throttled);
    list_init(&s->held);
    list_init(&s->changed);
    list_init(&s->channels);
    list_init(&s->feeds);
    d->n_sessions++;
    s->room = room_get(d, o->data.room);
    if (s->room) {
        list_append(&s->room->sessions, &s->in_room);
    }
    if (!s->room || table_put(&d->sessions, s->id, s)) {
        free_session(s);
        return;
    }
    s->assoc = assoc_new(o->data.port, s, now_us);
    if (!s->assoc) {
        free_session(s);
    }
}

bool data_has(const struct data *d, uint64_t id)
{
    return table_get(&d->sessions, id);
}

void data_on_close(struct data *d, uint64_t id)
{
    struct data_session *s = table_get(&d->sessions, id);
    if (s) {
        free_session(s);
    }
}

void data_free(struct data *d)
{
    if (!d) {
        return;
    }
    while (d->n_sessions > 0) {
        struct data_session *s = NULL;
        TABLE_EACH(e, &d->sessions)
        {
            s = e->value;
        }
        free_session(s);
    }
    table_fini(&d->sessions);
    table_fini(&d->rooms);
    table_fini(&d->topics);
    table_fini(&d->feeds);
    assoc_stack_fini();
    free(d);
}

unsigned data_sessions(const struct data *d)
{
    return d->n_sessions;
}

const struct api_counters *data_counters(const struct data *d)
{
    return &d->n;
}

/* ---- in ---- */

void data_on_packet(struct data *d, uint64_t id, const uint8_t *pkt, size_t len, int64_t now_us)
{
    struct data_session *s = table_get(&d->sessions, id);
    if (!s) {
        d->n.drop_sctp_unknown++;
        return;
    }
    switch (assoc_input(s->assoc, pkt, len, now_us)) {
    case ASSOC_FILTER_OK:
        break;
    case ASSOC_FILTER_LENGTH:
    case ASSOC_FILTER_PORT:
    case ASSOC_FILTER_TAG:
        d->n.drop_sctp_form++;
        break;
    case ASSOC_FILTER_CHUNK:
    case ASSOC_FILTER_PARAM:
        d->n.drop_sctp_chunk++;
        break;
    case ASSOC_FILTER_INIT:
        d->n.drop_sctp_init++;
        break;
    case ASSOC_FILTER_COUNT:
        break;
    }
}

static void on_control_ppid(struct data_session *s, const struct assoc_event *ev)
{
    struct dcep_open o;
    switch (dcep_read(ev->data, ev->len, &o)) {
    case DCEP_OPEN:
        data_channel_on_open(s, ev->sid, &o);
        break;
    case DCEP_ACK:
        data_channel_on_ack(s, ev->sid);
        break;
    default:
        data_channel_refuse(s, ev->sid); /* DC-10 */
        break;
    }
}

/* Keeps a message until one of its readers has room. False: out of memory. */
static bool hold(struct data_session *s, const struct data_channel *c, const struct assoc_event *ev,
                 size_t low, int64_t now_us)
{
    s->held_bytes = malloc(ev->len);
    if (!s->held_bytes) {
        return false;
    }
    memcpy(s->held_bytes, ev->data, ev->len);
    s->held_len = ev->len;
    s->held_ppid = ev->ppid;
    s->held_sid = ev->sid;
    s->held_serial = c->serial;
    s->held_low = low;
    s->held_us = now_us;
    s->data->n.data_held++;
    list_append(&s->data->held, &s->held);
    return true;
}

/* Whether the held message can go now: a reader has room, or none has got on for so long that
 * waiting for them is over. */
static bool may_release(struct data_session *s, struct data_channel *c, int64_t now_us)
{
    size_t low;
    if (!data_channel_must_wait(c, &low)) {
        return true;
    }
    if (low < s->held_low) {
        s->held_low = low;
        s->held_us = now_us;
    }
    if (now_us - s->held_us < STALL_US) {
        return false;
    }
    data_channel_drop_slow(c);
    return true;
}

static void retry_held(struct data_session *s, int64_t now_us)
{
    struct data_channel *c = data_channel_at(s, s->held_sid);
    bool there = c && !c->is_feed && c->serial == s->held_serial;
    if (there && !may_release(s, c, now_us)) {
        return;
    }
    const struct assoc_event ev = {.kind = ASSOC_MESSAGE,
                                   .sid = s->held_sid,
                                   .ppid = s->held_ppid,
                                   .data = s->held_bytes,
                                   .len = s->held_len};
    if (there) {
        data_channel_route(c, &ev);
    }
    free(s->held_bytes);
    s->held_bytes = NULL;
    list_remove(&s->held);
    assoc_set_ready(s->assoc);
}

static void on_message(struct data_session *s, const struct assoc_event *ev, int64_t now_us)
{
    size_t low;
    struct api_counters *n = &s->data->n;
    if (ev->ppid == DCEP_PPID_CONTROL) {
        on_control_ppid(s, ev);
        return;
    }
    struct data_channel *c = data_channel_at(s, ev->sid);
    if (!c || c->is_feed || !dcep_is_user(ev->ppid)) {
        n->data_stray++;
        return;
    }
    n->data_messages_in++;
    n->data_bytes_in += ev->len;
    s->stats.messages_in++;
    s->stats.bytes_in += ev->len;
    data_channel_touch(s);
    if (!c->control) {
        if (!data_channel_must_wait(c, &low) || !hold(s, c, ev, low, now_us)) {
            data_channel_route(c, ev);
        }
    } else if (ev->len <= CONTROL_MAX) {
        data_channel_tell(s, API_DATA_MESSAGE, ev);
    } else {
        n->data_too_long++;
        data_channel_close(c);
    }
}

static void on_resets(struct data_session *s, const struct assoc_event *ev,
                      void (*fn)(struct data_session *s, uint16_t sid))
{
    for (unsigned i = 0; i < ev->n_sids; i++) {
        fn(s, ev->sids[i]);
    }
    for (unsigned sid = 0; ev->n_sids == 0 && sid < ASSOC_STREAMS; sid++) {
        fn(s, (uint16_t)sid);
    }
}

static void on_event(struct data_session *s, const struct assoc_event *ev, int64_t now_us)
{
    struct data_channel *c;
    switch (ev->kind) {
    case ASSOC_UP:
        s->up = true;
        s->n_streams = MIN(ev->n_streams, (uint16_t)ASSOC_STREAMS);
        s->data->n.data_associations++;
        break;
    case ASSOC_DOWN:
        data_channel_clear(s);
        break;
    case ASSOC_MESSAGE:
        on_message(s, ev, now_us);
        break;
    case ASSOC_TOO_LONG:
        s->data->n.data_too_long++;
        c = data_channel_at(s, ev->sid);
        if (c) {
            data_channel_close(c);
        }
        break;
    case ASSOC_RESET_BY_PEER:
        on_resets(s, ev, data_channel_on_reset);
        break;
    case ASSOC_RESET_DONE:
        on_resets(s, ev, data_channel_on_reset_done);
        break;
    case ASSOC_NOTHING:
        break;
    }
}

/* Reads some of what one session has. Returns how many events. */
static int read_session(struct data_session *s, int64_t now_us)
{
    struct assoc_event ev;
    fill_tokens(s, now_us);
    for (int i = 0; i < READS_PER_SESSION; i++) {
        if (s->message_tokens < MILLION || s->byte_tokens <= 0) {
            s->data->n.data_throttled++;
            list_append(&s->data->throttled, &s->throttled);
            return i;
        }
        if (!assoc_read(s->assoc, &ev)) {
            return i;
        }
        if (ev.kind == ASSOC_MESSAGE || ev.kind == ASSOC_TOO_LONG) {
            s->message_tokens -= MILLION;
            s->byte_tokens -= (int64_t)ev.len * MILLION; /* may fall below 0: it is paid back */
        }
        on_event(s, &ev, now_us);
        if (!list_empty(&s->held)) {
            return i + 1;
        }
    }
    assoc_set_ready(s->assoc);
    return READS_PER_SESSION;
}

bool data_turn(struct data *d, int64_t now_us)
{
    int left = READS_PER_TURN;
    while (left > 0) {
        struct assoc *a = assoc_next_ready();
        if (!a) {
            return false;
        }
        struct data_session *s = assoc_ctx(a);
        assert(s->data == d);
        if (list_empty(&s->throttled) && list_empty(&s->held)) { /* else with a tick */
            left -= 1 + read_session(s, now_us);
        }
    }
    return true;
}

void data_tick(struct data *d, int64_t now_us)
{
    assoc_stack_tick(now_us);
    LIST_EACH(it, &d->throttled)
    {
        struct data_session *s = container_of(it, struct data_session, throttled);
        list_remove(&s->throttled);
        assoc_set_ready(s->assoc);
    }
    LIST_EACH(it, &d->held)
    {
        retry_held(container_of(it, struct data_session, held), now_us);
    }
}

/* ---- from MAIN, to workers ---- */

static void send_control(struct data_session *s, const char *text, size_t len)
{
    LIST_EACH(it, &s->channels)
    {
        struct data_channel *c = container_of(it, struct data_channel, in_session);
        if (c->control) {
            (void)data_channel_send(c, DCEP_PPID_STRING, text, len);
            return;
        }
    }
}

void data_send(struct data *d, uint64_t session, const char *room, const char *text, size_t len)
{
    if (session) {
        struct data_session *s = table_get(&d->sessions, session);
        if (s) {
            send_control(s, text, len);
        }
        return;
    }
    struct data_room *r = table_get(&d->rooms, room_key(d, room));
    if (!r || strcmp(r->name, room) != 0) {
        return;
    }
    LIST_EACH(it, &r->sessions)
    {
        send_control(container_of(it, struct data_session, in_room), text, len);
    }
}

void data_each_changed(struct data *d,
                       void (*fn)(int worker, uint64_t id, const struct api_data_stats *st,
                                  void *ctx),
                       void *ctx)
{
    LIST_EACH(it, &d->changed)
    {
        struct data_session *s = container_of(it, struct data_session, changed);
        list_remove(&s->changed);
        fn(s->worker, s->id, &s->stats, ctx);
    }
}
