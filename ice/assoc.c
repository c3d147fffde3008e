/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/assoc.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <usrsctp.h>

#include "rtp/bytes.h"
#include "rtp/list.h"

#define BUCKETS     1024
#define PATH_MTU    1120 /* usrsctp adds the common header of 12 bytes */
#define RTO_MIN_MS  250  /* above the delayed SACK of 200 ms */
#define RTO_INIT_MS 500
#define RTO_MAX_MS  5000
#define RTX_MAX     60 /* the session's own silence limit comes first */
/* What waits costs more than its bytes: up to 2,490 for a chunk (measured, of 1,100 bytes), a third
 * less than twice the payload for large messages. So half of the memory is for payload, and the
 * number of messages and chunks is limited too. */
#define QUEUED_COST  2560
#define LOOK_EVERY   32 /* sends between two looks at the queue */
#define CHUNK_DATA   0
#define FLAG_END     0x01 /* of a DATA chunk: the message's last */
#define RCVBUF_MIN   131072
#define RCVBUF_SLACK 4096
#define FINISH_TRIES 100

struct assoc {
    struct list bucket;
    struct list ready; /* stack.ready */
    uint64_t key;
    struct socket *so;
    void *ctx;
    struct assoc_filter filter;
    bool up, down;
    bool down_told;
    bool skipping; /* the rest of a message that is too long */
    /* What waits: usrsctp does not tell how many messages it has not begun to send, and its own
     * limit does not count them. So they are counted from outside: up when they are handed over,
     * down when their last chunk leaves for the first time. */
    unsigned unsent;
    size_t unsent_bytes;
    bool has_tsn;
    uint32_t tsn;        /* the latest that has left */
    unsigned queued;     /* at the last look: messages not begun, chunks not acknowledged */
    size_t queued_bytes; /* payload of both */
    unsigned since;      /* sends since then, and their bytes */
    size_t since_bytes;
};

/* One a process, as usrsctp is. */
static struct {
    bool running;
    struct assoc_stack_params p;
    struct list buckets[BUCKETS];
    struct list ready;
    unsigned n;
    unsigned queued_max; /* messages and chunks that may wait for one peer */
    int64_t ticked_us;
    size_t rx_cap;
    uint8_t *rx;
} stack;

static struct assoc *find(const void *key_as_address)
{
    uint64_t key = (uint64_t)(uintptr_t)key_as_address;
    LIST_EACH(it, &stack.buckets[key % BUCKETS])
    {
        struct assoc *a = container_of(it, struct assoc, bucket);
        if (a->key == key) {
            return a;
        }
    }
    return NULL;
}

static void *address_of(const struct assoc *a)
{
    return (void *)(uintptr_t)a->key;
}

/* Counts the messages whose end leaves in this packet, which usrsctp has made. */
static void note_sent(struct assoc *a, const uint8_t *pkt, size_t len)
{
    for (size_t at = sizeof(struct sctp_common_header); at + 12 <= len;) {
        const uint8_t *chunk = pkt + at;
        uint32_t tsn = bytes_load32(chunk + 4);
        if (chunk[0] == CHUNK_DATA && (!a->has_tsn || (int32_t)(tsn - a->tsn) > 0)) {
            a->has_tsn = true;
            a->tsn = tsn;
            a->unsent -= a->unsent > 0 && chunk[1] & FLAG_END;
            a->unsent_bytes -= MIN(a->unsent_bytes, (size_t)bytes_load16(chunk + 2));
        }
        at += MAX((bytes_load16(chunk + 2) + 3U) & ~3U, 4U);
    }
}

static int on_output(void *addr, void *buf, size_t len, uint8_t tos, uint8_t set_df)
{
    struct assoc *a = find(addr);
    (void)tos;
    (void)set_df;
    if (a && len <= ASSOC_PACKET_MAX) {
        note_sent(a, buf, len);
        stack.p.output(buf, len, a->ctx);
    }
    return 0;
}

/* Called from deep inside usrsctp: only notes that there is something to read. */
static void on_upcall(struct socket *so, void *arg, int flags)
{
    struct assoc *a = find(arg);
    (void)so;
    (void)flags;
    if (a) {
        assoc_set_ready(a);
    }
}

/* ---- the stack ---- */

static void set_defaults(void)
{
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auto_asconf(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_nrsack_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_pr_enable(1);
    usrsctp_sysctl_set_sctp_reconfig_enable(1);
    usrsctp_sysctl_set_sctp_blackhole(2); /* no answer to packets of no association */
    usrsctp_sysctl_set_sctp_initial_cwnd(10);
}

int assoc_stack_init(const struct assoc_stack_params *p)
{
    if (stack.running) {
        return -EBUSY;
    }
    memset(&stack, 0, sizeof(stack));
    stack.p = *p;
    stack.queued_max = MAX(p->send_buffer_bytes / QUEUED_COST, 1U);
    stack.rx_cap = (size_t)p->max_message_bytes + 1;
    stack.rx_cap = MAX(stack.rx_cap, (size_t)RCVBUF_SLACK); /* notifications */
    stack.rx = malloc(stack.rx_cap);
    if (!stack.rx) {
        return -ENOMEM;
    }
    list_init(&stack.ready);
    for (int i = 0; i < BUCKETS; i++) {
        list_init(&stack.buckets[i]);
    }
    usrsctp_init_nothreads(0, on_output, NULL);
    set_defaults();
    stack.running = true;
    return 0;
}

void assoc_stack_fini(void)
{
    if (!stack.running) {
        return;
    }
    assert(stack.n == 0);
    /* What closing has left behind is freed by timers. */
    for (int i = 0; usrsctp_finish() != 0 && i < FINISH_TRIES; i++) {
        usrsctp_handle_timers(ASSOC_TICK_US / US_PER_MS);
    }
    free(stack.rx);
    stack.rx = NULL;
    stack.running = false;
}

void assoc_stack_tick(int64_t now_us)
{
    int64_t elapsed_ms = stack.ticked_us ? (now_us - stack.ticked_us) / US_PER_MS : 0;
    if (!stack.ticked_us) {
        stack.ticked_us = now_us;
    }
    if (elapsed_ms > 0) {
        stack.ticked_us += elapsed_ms * US_PER_MS;
        usrsctp_handle_timers((uint32_t)MIN(elapsed_ms, (int64_t)RTO_MAX_MS));
    }
}

unsigned assoc_stack_count(void)
{
    return stack.n;
}

/* ---- life ---- */

static bool set(struct socket *so, int option, const void *value, socklen_t len)
{
    return usrsctp_setsockopt(so, IPPROTO_SCTP, option, value, len) == 0;
}

static bool set_int(struct socket *so, int level, int option, int value)
{
    return usrsctp_setsockopt(so, level, option, &value, sizeof(value)) == 0;
}

static bool set_events(struct socket *so)
{
    static const uint16_t wanted[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct sctp_event ev = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = wanted[i], .se_on = 1};
        if (!set(so, SCTP_EVENT, &ev, sizeof(ev))) {
            return false;
        }
    }
    return true;
}

static bool set_buffers(struct socket *so)
{
    /* A message of the allowed size is never delivered in parts: parts begin at half the buffer. */
    uint32_t part = stack.p.max_message_bytes + 1;
    int rcvbuf = (int)MAX(2 * part + RCVBUF_SLACK, (uint32_t)RCVBUF_MIN);
    return set_int(so, SOL_SOCKET, SO_SNDBUF, (int)(stack.p.send_buffer_bytes / 2)) &&
           set_int(so, SOL_SOCKET, SO_RCVBUF, rcvbuf) &&
           set(so, SCTP_PARTIAL_DELIVERY_POINT, &part, sizeof(part));
}

static bool set_options(struct socket *so)
{
    const struct linger abort_on_close = {.l_onoff = 1};
    const struct sctp_initmsg init = {.sinit_num_ostreams = ASSOC_STREAMS,
                                      .sinit_max_instreams = ASSOC_STREAMS,
                                      .sinit_max_attempts = RTX_MAX,
                                      .sinit_max_init_timeo = RTO_MAX_MS};
    const struct sctp_rtoinfo rto = {
        .srto_initial = RTO_INIT_MS, .srto_max = RTO_MAX_MS, .srto_min = RTO_MIN_MS};
    const struct sctp_assocparams assoc = {.sasoc_asocmaxrxt = RTX_MAX};
    /* Liveness is the link's business, and the size of packets is fixed. */
    const struct sctp_paddrparams path = {.spp_flags = SPP_HB_DISABLE | SPP_PMTUD_DISABLE,
                                          .spp_pathmtu = PATH_MTU,
                                          .spp_pathmaxrxt = RTX_MAX};
    /* Streams are reset; none are added, and the association is not reset as a whole. */
    const struct sctp_assoc_value resets = {.assoc_id = SCTP_ALL_ASSOC,
                                            .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
    return usrsctp_set_non_blocking(so, 1) == 0 &&
           usrsctp_setsockopt(so, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close)) ==
               0 &&
           set(so, SCTP_INITMSG, &init, sizeof(init)) && set(so, SCTP_RTOINFO, &rto, sizeof(rto)) &&
           set(so, SCTP_ASSOCINFO, &assoc, sizeof(assoc)) &&
           set(so, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)) &&
           set(so, SCTP_ENABLE_STREAM_RESET, &resets, sizeof(resets)) &&
           set_int(so, IPPROTO_SCTP, SCTP_NODELAY, 1) &&
           set_int(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, 1) && set_buffers(so) && set_events(so);
}

static bool connect_to(struct assoc *a, uint16_t remote_port)
{
    struct sockaddr_conn c = {
        .sconn_family = AF_CONN, .sconn_port = htons(ASSOC_PORT), .sconn_addr = address_of(a)};
    if (usrsctp_bind(a->so, (struct sockaddr *)&c, sizeof(c)) != 0) {
        return false;
    }
    c.sconn_port = htons(remote_port);
    return usrsctp_connect(a->so, (struct sockaddr *)&c, sizeof(c)) == 0 || errno == EINPROGRESS;
}

struct assoc *assoc_new(uint16_t remote_port, void *ctx, int64_t now_us)
{
    struct assoc *a = calloc(1, sizeof(*a));
    if (!a) {
        return NULL;
    }
    do {
        a->key = stack.p.random();
    } while (a->key == 0 || find(address_of(a)));
    a->ctx = ctx;
    list_init(&a->ready);
    list_init(&a->bucket);
    list_append(&stack.buckets[a->key % BUCKETS], &a->bucket);
    stack.n++;
    assoc_filter_init(&a->filter, ASSOC_PORT, remote_port, now_us);
    usrsctp_register_address(address_of(a));
    a->so = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (!a->so || !set_options(a->so) || usrsctp_set_upcall(a->so, on_upcall, address_of(a)) != 0 ||
        !connect_to(a, remote_port)) {
        assoc_free(a);
        return NULL;
    }
    return a;
}

void assoc_free(struct assoc *a)
{
    if (!a) {
        return;
    }
    if (a->so) {
        usrsctp_set_upcall(a->so, NULL, NULL);
        usrsctp_close(a->so);
    }
    usrsctp_deregister_address(address_of(a));
    list_remove(&a->bucket);
    list_remove(&a->ready);
    stack.n--;
    free(a);
}

void *assoc_ctx(const struct assoc *a)
{
    return a->ctx;
}

/* ---- in ---- */

enum assoc_filter_reason assoc_input(struct assoc *a, const uint8_t *pkt, size_t len,
                                     int64_t now_us)
{
    enum assoc_filter_reason r = assoc_filter_check(&a->filter, pkt, len, now_us);
    if (r == ASSOC_FILTER_OK && !a->down) {
        usrsctp_conninput(address_of(a), pkt, len, 0);
    }
    return r;
}

struct assoc *assoc_next_ready(void)
{
    if (list_empty(&stack.ready)) {
        return NULL;
    }
    struct assoc *a = container_of(stack.ready.next, struct assoc, ready);
    list_remove(&a->ready);
    return a;
}

void assoc_set_ready(struct assoc *a)
{
    if (list_empty(&a->ready)) {
        list_append(&stack.ready, &a->ready);
    }
}

static bool tell_down(struct assoc *a, struct assoc_event *ret)
{
    a->down = true;
    if (a->down_told) {
        return false;
    }
    a->down_told = true;
    ret->kind = ASSOC_DOWN;
    return true;
}

static bool on_assoc_change(struct assoc *a, const struct sctp_assoc_change *c,
                            struct assoc_event *ret)
{
    switch (c->sac_state) {
    case SCTP_COMM_UP:
        a->up = true;
        assoc_filter_set_up(&a->filter);
        ret->kind = ASSOC_UP;
        ret->n_streams = c->sac_outbound_streams;
        return true;
    case SCTP_COMM_LOST:
    case SCTP_RESTART: /* no browser does it within one DTLS association */
    case SCTP_SHUTDOWN_COMP:
    case SCTP_CANT_STR_ASSOC:
        return tell_down(a, ret);
    default:
        return false;
    }
}

static bool on_stream_reset(const struct sctp_stream_reset_event *e, size_t len,
                            struct assoc_event *ret)
{
    size_t head = offsetof(struct sctp_stream_reset_event, strreset_stream_list);
    if (e->strreset_length < head || e->strreset_length > len) {
        return false;
    }
    bool incoming = e->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN;
    if (incoming && e->strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) {
        return false; /* of a request that we never make */
    }
    ret->kind = incoming ? ASSOC_RESET_BY_PEER : ASSOC_RESET_DONE;
    ret->sids = e->strreset_stream_list;
    ret->n_sids = (unsigned)((e->strreset_length - head) / sizeof(uint16_t));
    return true;
}

static bool on_notification(struct assoc *a, size_t len, struct assoc_event *ret)
{
    const union sctp_notification *n = (const void *)stack.rx;
    if (len < sizeof(n->sn_header)) {
        return false;
    }
    switch (n->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        return len >= offsetof(struct sctp_assoc_change, sac_info) &&
               on_assoc_change(a, &n->sn_assoc_change, ret);
    case SCTP_STREAM_RESET_EVENT:
        return len >= offsetof(struct sctp_stream_reset_event, strreset_stream_list) &&
               on_stream_reset(&n->sn_strreset_event, len, ret);
    default:
        return false;
    }
}

/* A message, or the part of one that the buffer holds. */
static bool on_message(struct assoc *a, size_t len, bool whole, const struct sctp_rcvinfo *info,
                       struct assoc_event *ret)
{
    bool skip = a->skipping;
    a->skipping = !whole;
    if (skip) {
        return false;
    }
    ret->kind = whole && len <= stack.p.max_message_bytes ? ASSOC_MESSAGE : ASSOC_TOO_LONG;
    ret->sid = info->rcv_sid;
    ret->ppid = ntohl(info->rcv_ppid);
    ret->data = stack.rx;
    ret->len = len;
    return true;
}

bool assoc_read(struct assoc *a, struct assoc_event *ret)
{
    while (!a->down) {
        struct sockaddr_conn from;
        socklen_t from_len = sizeof(from);
        struct sctp_rcvinfo info = {0};
        socklen_t info_len = sizeof(info);
        unsigned info_type = 0;
        int flags = 0;
        *ret = (struct assoc_event){ASSOC_NOTHING};
        ssize_t n = usrsctp_recvv(a->so, stack.rx, stack.rx_cap, (struct sockaddr *)&from,
                                  &from_len, &info, &info_len, &info_type, &flags);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN)) {
            return false;
        }
        if (n <= 0) {
            return tell_down(a, ret);
        }
        bool whole = flags & MSG_EOR;
        if (flags & MSG_NOTIFICATION ? on_notification(a, (size_t)n, ret)
                                     : on_message(a, (size_t)n, whole, &info, ret)) {
            return true;
        }
    }
    return false;
}

/* ---- out ---- */

static struct sctp_prinfo policy_of(const struct dcep_reliability *r)
{
    switch (r->kind) {
    case DCEP_REXMIT:
        return (struct sctp_prinfo){.pr_policy = SCTP_PR_SCTP_RTX, .pr_value = r->param};
    case DCEP_TIMED:
        return (struct sctp_prinfo){.pr_policy = SCTP_PR_SCTP_TTL, .pr_value = r->param};
    case DCEP_RELIABLE:
        break;
    }
    return (struct sctp_prinfo){.pr_policy = SCTP_PR_SCTP_NONE};
}

/* Looks at the queue. */
static void look(struct assoc *a)
{
    struct sctp_status s = {0};
    socklen_t len = sizeof(s);
    a->since = 0;
    a->since_bytes = 0;
    a->queued = UINT16_MAX;
    if (usrsctp_getsockopt(a->so, IPPROTO_SCTP, SCTP_STATUS, &s, &len) != 0) {
        return;
    }
    if (s.sstat_unackdata == 0) {
        a->unsent = 0; /* some may have expired unsent: nothing under way means nothing waits */
        a->unsent_bytes = 0;
    }
    a->queued = a->unsent + s.sstat_unackdata;
    a->queued_bytes = a->unsent_bytes + s.sstat_unackdata * (size_t)PATH_MTU;
}

static bool fits(const struct assoc *a, bool half)
{
    size_t bytes = stack.p.send_buffer_bytes / 2;
    return a->queued + a->since < (half ? stack.queued_max / 2 : stack.queued_max) &&
           a->queued_bytes + a->since_bytes < (half ? bytes / 2 : bytes);
}

/* Lossy messages leave half of the room to others (DC-13). */
static bool admit(struct assoc *a, size_t len, bool lossy)
{
    if (a->since >= LOOK_EVERY || !fits(a, lossy)) {
        look(a);
    }
    if (!fits(a, lossy)) {
        return false;
    }
    a->since++;
    a->since_bytes += len;
    return true;
}

bool assoc_has_room(struct assoc *a)
{
    if (a->since >= LOOK_EVERY || !fits(a, true)) {
        look(a);
    }
    return a->up && !a->down && fits(a, true);
}

size_t assoc_waiting(struct assoc *a)
{
    look(a);
    return a->queued_bytes;
}

int assoc_send(struct assoc *a, const struct assoc_message *m)
{
    if (!a->up || a->down) {
        return -ENOTCONN;
    }
    if (!admit(a, m->len, m->reliability.kind != DCEP_RELIABLE)) {
        return -EAGAIN;
    }
    struct sctp_sendv_spa spa = {
        .sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID,
        .sendv_sndinfo = {.snd_sid = m->sid,
                          .snd_flags = m->reliability.unordered ? SCTP_UNORDERED : 0,
                          .snd_ppid = htonl(m->ppid)},
        .sendv_prinfo = policy_of(&m->reliability),
    };
    a->unsent++; /* it may leave before the call returns */
    a->unsent_bytes += m->len;
    if (usrsctp_sendv(a->so, m->data, m->len, NULL, 0, &spa, sizeof(spa), SCTP_SENDV_SPA, 0) >= 0) {
        return 0;
    }
    a->unsent -= a->unsent > 0;
    a->unsent_bytes -= MIN(a->unsent_bytes, m->len);
    switch (errno) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
    case ENOBUFS:
    case ENOMEM:
        return -EAGAIN;
    case EMSGSIZE:
        return -EMSGSIZE;
    default:
        return -ENOTCONN;
    }
}

int assoc_reset(struct assoc *a, uint16_t sid)
{
    if (!a->up || a->down) {
        return -ENOTCONN;
    }
    union {
        struct sctp_reset_streams r;
        uint8_t room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
    } u = {.r = {.srs_assoc_id = SCTP_ALL_ASSOC,
                 .srs_flags = SCTP_STREAM_RESET_OUTGOING,
                 .srs_number_streams = 1}};
    u.r.srs_stream_list[0] = sid;
    if (set(a->so, SCTP_RESET_STREAMS, &u, sizeof(u.room))) {
        return 0;
    }
    /* While another reset is under way the stream is marked, and its turn comes. */
    return errno == EALREADY || errno == EBUSY || errno == EINPROGRESS ? 0 : -ENOTCONN;
}
