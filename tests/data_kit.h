/* SPDX-License-Identifier: Apache-2.0 */
/* data_kit.h - for test_data.c: associations that are played, in the place of usrsctp's (the
 * functions of assoc.h are defined here), and a room full of clients on them. */
#ifndef TESTS_DATA_KIT_H
#define TESTS_DATA_KIT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "ice/assoc.h"
#include "rtp/list.h"
#include "sfu/data.h"

#define EVENTS_MAX 4096
#define SENT_MAX   8192

/* ---- associations ---- */

struct event {
    struct assoc_event ev;
    uint8_t bytes[600];
    uint16_t sids[1];
};

struct sent {
    struct assoc_message m;
    uint8_t bytes[600];
};

struct assoc {
    struct list ready;
    void *ctx;
    bool slow;      /* takes nothing more */
    bool half;      /* takes more, but should not */
    size_t waiting; /* bytes, for what it says */
    struct event *in;
    unsigned first, n_in;
    struct sent *out;
    unsigned n_out;
    uint16_t resets[64];
    unsigned n_resets;
};

static struct list ready;
static unsigned n_assocs;
static struct assoc *newest;

int assoc_stack_init(const struct assoc_stack_params *p)
{
    (void)p;
    list_init(&ready);
    return 0;
}

void assoc_stack_fini(void)
{
    cr_expect_eq(n_assocs, 0, "associations leak");
}

void assoc_stack_tick(int64_t now_us)
{
    (void)now_us;
}

struct assoc *assoc_new(uint16_t remote_port, void *ctx, int64_t now_us)
{
    struct assoc *a = calloc(1, sizeof(*a));
    (void)now_us;
    cr_assert_eq(remote_port, 5000);
    a->ctx = ctx;
    a->in = calloc(EVENTS_MAX, sizeof(*a->in));
    a->out = calloc(SENT_MAX, sizeof(*a->out));
    list_init(&a->ready);
    n_assocs++;
    newest = a;
    return a;
}

void assoc_free(struct assoc *a)
{
    if (a) {
        list_remove(&a->ready);
        free(a->in);
        free(a->out);
        free(a);
        n_assocs--;
    }
}

void *assoc_ctx(const struct assoc *a)
{
    return a->ctx;
}

enum assoc_filter_reason assoc_input(struct assoc *a, const uint8_t *pkt, size_t len,
                                     int64_t now_us)
{
    (void)a;
    (void)now_us;
    return len ? (enum assoc_filter_reason)pkt[0] : ASSOC_FILTER_LENGTH;
}

struct assoc *assoc_next_ready(void)
{
    if (list_empty(&ready)) {
        return NULL;
    }
    struct assoc *a = container_of(ready.next, struct assoc, ready);
    list_remove(&a->ready);
    return a;
}

void assoc_set_ready(struct assoc *a)
{
    if (list_empty(&a->ready)) {
        list_append(&ready, &a->ready);
    }
}

bool assoc_read(struct assoc *a, struct assoc_event *ret)
{
    if (a->n_in == 0) {
        return false;
    }
    *ret = a->in[a->first].ev;
    ret->data = a->in[a->first].bytes;
    ret->sids = a->in[a->first].sids;
    a->first = (a->first + 1) % EVENTS_MAX;
    a->n_in--;
    return true;
}

int assoc_send(struct assoc *a, const struct assoc_message *m)
{
    if (a->slow) {
        return -EAGAIN;
    }
    cr_assert_lt(a->n_out, SENT_MAX);
    struct sent *s = &a->out[a->n_out++];
    s->m = *m;
    memcpy(s->bytes, m->data, MIN(m->len, sizeof(s->bytes)));
    return 0;
}

int assoc_reset(struct assoc *a, uint16_t sid)
{
    a->resets[a->n_resets++ % ARRAY_LEN(a->resets)] = sid;
    return 0;
}

bool assoc_has_room(struct assoc *a)
{
    return !a->slow && !a->half;
}

size_t assoc_waiting(struct assoc *a)
{
    return a->waiting;
}

/* ---- a room full of clients ---- */

static struct conf conf;
static struct data *data;
static int64_t now_us = 1000 * (int64_t)US_PER_S;
static unsigned n_told[3];
static char told[64];
static uint64_t told_id;
static uint64_t random_state = 1;

static uint64_t draw(void)
{
    return random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
}

static bool on_packet(int worker, uint64_t session, const uint8_t *pkt, size_t len, void *ctx)
{
    (void)ctx;
    return worker == 0 && session && pkt && len;
}

static void on_event(struct api_event *ev, void *ctx)
{
    (void)ctx;
    cr_assert_eq(ev->kind, API_EV_DATA);
    n_told[ev->u.data->kind]++;
    told_id = ev->id;
    snprintf(told, sizeof(told), "%s", ev->u.data->bytes);
    api_event_fini(ev);
}

static void begin(void)
{
    conf_defaults(&conf);
    conf.data.channels_max = 8;
    const struct data_params p = {
        .conf = &conf, .ports = {.packet = on_packet, .event = on_event}, .random = draw};
    data = data_new(&p);
    cr_assert(data);
}

static void push(struct assoc *a, const struct assoc_event *ev)
{
    cr_assert_lt(a->n_in, EVENTS_MAX);
    struct event *e = &a->in[(a->first + a->n_in++) % EVENTS_MAX];
    e->ev = *ev;
    if (ev->data) {
        memcpy(e->bytes, ev->data, MIN(ev->len, sizeof(e->bytes)));
    }
    e->sids[0] = ev->sid;
    assoc_set_ready(a);
}

static void turn(void)
{
    while (data_turn(data, now_us)) {
    }
}

static struct assoc *enter(uint64_t id, const char *room, const char *name)
{
    struct data_open o = {.id = id, .client_even = true, .data = {.on = true, .port = 5000}};
    snprintf(o.data.room, sizeof(o.data.room), "%s", room);
    snprintf(o.data.name, sizeof(o.data.name), "%s", name);
    data_on_open(data, &o, now_us);
    cr_assert(data_has(data, id));
    const struct assoc_event up = {.kind = ASSOC_UP, .n_streams = ASSOC_STREAMS};
    push(newest, &up);
    turn();
    return newest;
}

static void open_as(struct assoc *a, uint16_t sid, const char *label, const char *protocol,
                    struct dcep_reliability reliability)
{
    uint8_t bytes[DCEP_OPEN_MAX];
    const struct dcep_open o = {.reliability = reliability,
                                .priority = 512,
                                .label = label,
                                .label_len = (uint16_t)strlen(label),
                                .protocol = protocol,
                                .protocol_len = (uint16_t)strlen(protocol)};
    int n = dcep_write_open(&o, bytes, sizeof(bytes));
    cr_assert_gt(n, 0);
    push(a, &(struct assoc_event){.kind = ASSOC_MESSAGE,
                                  .sid = sid,
                                  .ppid = DCEP_PPID_CONTROL,
                                  .data = bytes,
                                  .len = (size_t)n});
    turn();
}

static void open_channel(struct assoc *a, uint16_t sid, const char *label)
{
    open_as(a, sid, label, "", (struct dcep_reliability){DCEP_RELIABLE});
}

static void say_as(struct assoc *a, uint16_t sid, uint32_t ppid, const void *bytes, size_t len)
{
    push(a, &(struct assoc_event){
                .kind = ASSOC_MESSAGE, .sid = sid, .ppid = ppid, .data = bytes, .len = len});
    turn();
}

static void say(struct assoc *a, uint16_t sid, const char *text)
{
    say_as(a, sid, DCEP_PPID_STRING, text, strlen(text));
}

static void ack(struct assoc *a, uint16_t sid)
{
    say_as(a, sid, DCEP_PPID_CONTROL, "\x02", 1);
}

static void tell(struct assoc *a, enum assoc_event_kind kind, uint16_t sid)
{
    push(a, &(struct assoc_event){.kind = kind, .sid = sid, .n_sids = 1});
    turn();
}

/* The reading side closes a stream for both halves. */
static void close_both(struct assoc *a, uint16_t sid)
{
    tell(a, ASSOC_RESET_BY_PEER, sid);
    tell(a, ASSOC_RESET_DONE, sid);
}

/* What was sent since the last call, as one line: "sid:ppid:text". OPENs as label and protocol. */
static const char *got(struct assoc *a)
{
    static char text[4096];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < a->n_out && n < sizeof(text) - 700; i++) {
        const struct sent *s = &a->out[i];
        struct dcep_open o;
        if (s->m.ppid != DCEP_PPID_CONTROL) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%u:%.*s", n ? " " : "",
                                  s->m.sid, s->m.ppid, (int)s->m.len, (const char *)s->bytes);
        } else if (dcep_read(s->bytes, s->m.len, &o) == DCEP_OPEN) {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:open:%.*s(%.*s)", n ? " " : "",
                                  s->m.sid, o.label_len, o.label, o.protocol_len, o.protocol);
        } else {
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:ack", n ? " " : "", s->m.sid);
        }
    }
    a->n_out = 0;
    return text;
}

static void end(void)
{
    data_free(data);
    data = NULL;
}

#define GOT(a, want) cr_expect_str_eq(got(a), want)

#endif
