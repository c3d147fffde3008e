/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peer/peer_data.h"
#include "tests/peer/peer_bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <usrsctp.h>

#define PORT      5000
#define TICK_US   10000
#define MTU       1120
#define BUFFER    (1 << 20)
#define DCEP_OPEN 3
#define DCEP_ACK  2

struct peer_data {
    struct peer_data *next;
    uintptr_t id; /* usrsctp's address of us */
    struct socket *so;
    bool even, up, down, deaf;
    uint32_t tag;
    struct peer_data_events ev;
    struct peer_channel *channels[PEER_CHANNELS_MAX];
    uint8_t *part; /* of a message that is delivered in parts */
    size_t part_len;
};

/* usrsctp is one a process. */
static struct {
    struct peer_loop *loop;
    struct peer_data *first;
    uintptr_t next_id;
    struct peer_timer timer;
    bool running;
} stack;

static struct peer_data *find(uintptr_t id)
{
    for (struct peer_data *d = stack.first; d; d = d->next) {
        if (d->id == id) {
            return d;
        }
    }
    return NULL;
}

static int on_output(void *addr, void *buf, size_t len, uint8_t tos, uint8_t set_df)
{
    struct peer_data *d = find((uintptr_t)addr);

    (void)tos;
    (void)set_df;
    if (d) {
        uint32_t tag = peer_get32((const uint8_t *)buf + 4);
        d->tag = tag ? tag : d->tag;
        d->ev.send(d->ev.ctx, buf, len);
    }
    return 0;
}

static void on_tick(void *ctx)
{
    (void)ctx;
    usrsctp_handle_timers(TICK_US / 1000);
    (void)peer_loop_arm(stack.loop, &stack.timer, peer_loop_now_us(stack.loop) + TICK_US);
}

static void start_stack(struct peer_loop *l)
{
    if (!stack.running) {
        usrsctp_init_nothreads(0, on_output, NULL);
        usrsctp_sysctl_set_sctp_ecn_enable(0);
        usrsctp_sysctl_set_sctp_asconf_enable(0);
        usrsctp_sysctl_set_sctp_auth_enable(0);
        usrsctp_sysctl_set_sctp_blackhole(2);
        stack.running = true;
    }
    if (!stack.first) {
        stack.loop = l;
        stack.timer = (struct peer_timer){.fn = on_tick};
        (void)peer_loop_arm(l, &stack.timer, peer_loop_now_us(l) + TICK_US);
    }
}

/* ---- channels ---- */

const struct peer_channel *peer_data_channel(const struct peer_data *d, uint16_t sid)
{
    return sid < PEER_CHANNELS_MAX ? d->channels[sid] : NULL;
}

static void tell(struct peer_data *d, uint16_t sid, enum peer_channel_state s)
{
    if (d->ev.on_channel) {
        d->ev.on_channel(d->ev.ctx, sid, s);
    }
}

static struct peer_channel *make_channel(struct peer_data *d, uint16_t sid)
{
    struct peer_channel *c = calloc(1, sizeof(*c));

    if (c) {
        free(d->channels[sid]);
        d->channels[sid] = c;
    }
    return c;
}

static void forget_channel(struct peer_data *d, uint16_t sid)
{
    if (sid < PEER_CHANNELS_MAX && d->channels[sid]) {
        free(d->channels[sid]);
        d->channels[sid] = NULL;
        tell(d, sid, PEER_CHANNEL_NONE);
    }
}

static int send_as(struct peer_data *d, const struct peer_message *m, uint8_t type, uint32_t param)
{
    static const uint16_t policies[] = {SCTP_PR_SCTP_NONE, SCTP_PR_SCTP_RTX, SCTP_PR_SCTP_TTL};
    struct sctp_sendv_spa spa = {
        .sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID,
        .sendv_sndinfo = {.snd_sid = m->sid,
                          .snd_flags = type & PEER_CHANNEL_UNORDERED ? SCTP_UNORDERED : 0,
                          .snd_ppid = htonl(m->ppid)},
        .sendv_prinfo = {.pr_policy = policies[(type & 3) % 3], .pr_value = param},
    };

    if (!d->up || d->down) {
        return -ENOTCONN;
    }
    ssize_t n =
        usrsctp_sendv(d->so, m->data, m->len, NULL, 0, &spa, sizeof(spa), SCTP_SENDV_SPA, 0);
    return n < 0 ? -errno : 0;
}

int peer_data_send(struct peer_data *d, const struct peer_message *m)
{
    const struct peer_channel *c = peer_data_channel(d, m->sid);

    return send_as(d, m, c ? c->type : 0, c ? c->param : 0);
}

static size_t put_text(uint8_t *out, const char *text)
{
    size_t n = strlen(text);

    memcpy(out, text, n);
    return n;
}

int peer_data_open(struct peer_data *d, const char *label, const char *protocol, uint8_t type,
                   uint32_t param)
{
    uint8_t msg[12 + 2 * PEER_LABEL_MAX] = {DCEP_OPEN, type, 1, 0};
    unsigned sid = d->even ? 0 : 1;

    if (strlen(label) > PEER_LABEL_MAX || strlen(protocol) > PEER_LABEL_MAX) {
        return -EINVAL;
    }
    while (sid < PEER_CHANNELS_MAX && d->channels[sid]) {
        sid += 2;
    }
    struct peer_channel *c = sid < PEER_CHANNELS_MAX ? make_channel(d, (uint16_t)sid) : NULL;
    if (!c) {
        return -ENOSPC;
    }
    c->state = PEER_CHANNEL_OPENING;
    c->type = type;
    c->param = param;
    snprintf(c->label, sizeof(c->label), "%s", label);
    snprintf(c->protocol, sizeof(c->protocol), "%s", protocol);
    peer_put32(msg + 4, param);
    peer_put16(msg + 8, (uint16_t)strlen(label));
    peer_put16(msg + 10, (uint16_t)strlen(protocol));
    size_t n = 12;
    n += put_text(msg + n, label);
    n += put_text(msg + n, protocol);
    const struct peer_message m = {
        .sid = (uint16_t)sid, .ppid = PEER_PPID_DCEP, .data = msg, .len = n};
    int r = send_as(d, &m, 0, 0);
    if (r < 0) {
        free(c);
        d->channels[sid] = NULL;
        return r;
    }
    return (int)sid;
}

int peer_data_find(const struct peer_data *d, const char *label, const char *protocol)
{
    for (int sid = 0; sid < PEER_CHANNELS_MAX; sid++) {
        const struct peer_channel *c = d->channels[sid];
        if (c && c->theirs && !strcmp(c->label, label) && !strcmp(c->protocol, protocol)) {
            return sid;
        }
    }
    return -1;
}

static int reset(struct peer_data *d, uint16_t sid)
{
    union {
        struct sctp_reset_streams r;
        uint8_t room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
    } u = {.r = {.srs_flags = SCTP_STREAM_RESET_OUTGOING, .srs_number_streams = 1}};

    u.r.srs_stream_list[0] = sid;
    int r = usrsctp_setsockopt(d->so, IPPROTO_SCTP, SCTP_RESET_STREAMS, &u, sizeof(u.room));
    return r < 0 && errno != EALREADY && errno != EBUSY ? -errno : 0;
}

int peer_data_close(struct peer_data *d, uint16_t sid)
{
    if (sid < PEER_CHANNELS_MAX && d->channels[sid]) {
        d->channels[sid]->state = PEER_CHANNEL_CLOSING;
    }
    return reset(d, sid);
}

/* ---- in ---- */

static void on_open(struct peer_data *d, uint16_t sid, const uint8_t *p, size_t len)
{
    size_t label = len >= 12 ? peer_get16(p + 8) : 0, protocol = len >= 12 ? peer_get16(p + 10) : 0;
    const uint8_t ack[1] = {DCEP_ACK};
    const struct peer_message m = {.sid = sid, .ppid = PEER_PPID_DCEP, .data = ack, .len = 1};

    if (len < 12 || len != 12 + label + protocol || label > PEER_LABEL_MAX ||
        protocol > PEER_LABEL_MAX || sid >= PEER_CHANNELS_MAX) {
        return;
    }
    struct peer_channel *c = make_channel(d, sid);
    if (!c) {
        return;
    }
    c->state = PEER_CHANNEL_OPEN;
    c->theirs = true;
    c->type = p[1];
    c->priority = peer_get16(p + 2);
    c->param = peer_get32(p + 4);
    memcpy(c->label, p + 12, label);
    memcpy(c->protocol, p + 12 + label, protocol);
    (void)send_as(d, &m, 0, 0);
    tell(d, sid, PEER_CHANNEL_OPEN);
}

static void on_whole(struct peer_data *d, uint16_t sid, uint32_t ppid, const uint8_t *p, size_t len)
{
    struct peer_channel *c = sid < PEER_CHANNELS_MAX ? d->channels[sid] : NULL;
    const struct peer_message m = {.sid = sid, .ppid = ppid, .data = p, .len = len};

    if (ppid == PEER_PPID_DCEP && len && p[0] == DCEP_OPEN) {
        on_open(d, sid, p, len);
    } else if (ppid == PEER_PPID_DCEP && c && c->state == PEER_CHANNEL_OPENING) {
        c->state = PEER_CHANNEL_OPEN;
        tell(d, sid, PEER_CHANNEL_OPEN);
    } else if (ppid != PEER_PPID_DCEP) {
        if (c) {
            c->messages++;
            c->bytes += len;
        }
        if (d->ev.on_message) {
            d->ev.on_message(d->ev.ctx, &m);
        }
    }
}

static void on_resets(struct peer_data *d, const struct sctp_stream_reset_event *e)
{
    size_t n = (e->strreset_length - sizeof(*e)) / sizeof(uint16_t);

    for (size_t i = 0; i < n; i++) {
        uint16_t sid = e->strreset_stream_list[i];
        struct peer_channel *c = sid < PEER_CHANNELS_MAX ? d->channels[sid] : NULL;
        if (!(e->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)) {
            continue; /* our half: the channel is gone with theirs */
        }
        if (c && c->state != PEER_CHANNEL_CLOSING) {
            (void)reset(d, sid);
        }
        forget_channel(d, sid);
    }
}

static void on_notification(struct peer_data *d, const void *data, size_t len)
{
    const union sctp_notification *n = data;

    if (len < sizeof(n->sn_header) || n->sn_header.sn_length > len) {
        return;
    }
    if (n->sn_header.sn_type == SCTP_ASSOC_CHANGE) {
        d->up = d->up || n->sn_assoc_change.sac_state == SCTP_COMM_UP;
        d->down = d->down || n->sn_assoc_change.sac_state != SCTP_COMM_UP;
    } else if (n->sn_header.sn_type == SCTP_STREAM_RESET_EVENT) {
        on_resets(d, &n->sn_strreset_event);
    }
}

static int on_receive(struct socket *so, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *ulp)
{
    struct peer_data *d = find((uintptr_t)ulp);

    (void)so;
    (void)addr;
    if (!data || !d) {
        free(data);
        return 1;
    }
    if (flags & MSG_NOTIFICATION) {
        on_notification(d, data, len);
    } else {
        uint8_t *all = realloc(d->part, d->part_len + len);
        if (all) {
            memcpy(all + d->part_len, data, len);
            d->part = all;
            d->part_len += len;
        }
        if (flags & MSG_EOR) {
            size_t whole = d->part_len;
            d->part = NULL;
            d->part_len = 0;
            on_whole(d, info.rcv_sid, ntohl(info.rcv_ppid), all, whole);
            free(all);
        }
    }
    free(data);
    return 1;
}

void peer_data_input(struct peer_data *d, const uint8_t *pkt, size_t len)
{
    if (!d->deaf) {
        usrsctp_conninput((void *)d->id, pkt, len, 0);
    }
}

/* ---- life ---- */

static bool set(struct socket *so, int option, const void *value, socklen_t len)
{
    return !usrsctp_setsockopt(so, IPPROTO_SCTP, option, value, len);
}

static bool set_options(struct socket *so)
{
    static const uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT};
    const struct linger abort_on_close = {.l_onoff = 1};
    const struct sctp_initmsg init = {.sinit_num_ostreams = PEER_CHANNELS_MAX,
                                      .sinit_max_instreams = PEER_CHANNELS_MAX};
    const struct sctp_rtoinfo rto = {.srto_initial = 500, .srto_max = 5000, .srto_min = 250};
    const struct sctp_paddrparams path = {.spp_flags = SPP_HB_DISABLE | SPP_PMTUD_DISABLE,
                                          .spp_pathmtu = MTU};
    const struct sctp_assoc_value resets = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = 1};
    const int on = 1, buffer = BUFFER;

    for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        const struct sctp_event ev = {
            .se_assoc_id = SCTP_ALL_ASSOC, .se_type = events[i], .se_on = 1};
        if (!set(so, SCTP_EVENT, &ev, sizeof(ev))) {
            return false;
        }
    }
    return !usrsctp_set_non_blocking(so, 1) &&
           !usrsctp_setsockopt(so, SOL_SOCKET, SO_LINGER, &abort_on_close,
                               sizeof(abort_on_close)) &&
           !usrsctp_setsockopt(so, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) &&
           !usrsctp_setsockopt(so, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) &&
           set(so, SCTP_INITMSG, &init, sizeof(init)) && set(so, SCTP_RTOINFO, &rto, sizeof(rto)) &&
           set(so, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path)) &&
           set(so, SCTP_ENABLE_STREAM_RESET, &resets, sizeof(resets)) &&
           set(so, SCTP_NODELAY, &on, sizeof(on)) && set(so, SCTP_RECVRCVINFO, &on, sizeof(on));
}

struct peer_data *peer_data_new(struct peer_loop *l, uint16_t remote_port, bool even,
                                const struct peer_data_events *ev)
{
    struct peer_data *d = calloc(1, sizeof(*d));

    if (!d) {
        return NULL;
    }
    start_stack(l);
    d->id = ++stack.next_id;
    d->even = even;
    d->ev = *ev;
    d->next = stack.first;
    stack.first = d;
    struct sockaddr_conn c = {
        .sconn_family = AF_CONN, .sconn_port = htons(PORT), .sconn_addr = (void *)d->id};
    usrsctp_register_address((void *)d->id);
    d->so = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, NULL, 0, (void *)d->id);
    bool ok = d->so && set_options(d->so) && !usrsctp_bind(d->so, (struct sockaddr *)&c, sizeof(c));
    c.sconn_port = htons(remote_port);
    ok = ok && (!usrsctp_connect(d->so, (struct sockaddr *)&c, sizeof(c)) || errno == EINPROGRESS);
    if (!ok) {
        peer_data_free(d);
        return NULL;
    }
    return d;
}

void peer_data_free(struct peer_data *d)
{
    if (!d) {
        return;
    }
    for (struct peer_data **at = &stack.first; *at; at = &(*at)->next) {
        if (*at == d) {
            *at = d->next; /* from now on output and callbacks find nothing */
            break;
        }
    }
    if (d->so) {
        usrsctp_close(d->so);
    }
    usrsctp_deregister_address((void *)d->id);
    for (unsigned i = 0; i < PEER_CHANNELS_MAX; i++) {
        free(d->channels[i]);
    }
    free(d->part);
    free(d);
    if (!stack.first) {
        peer_loop_disarm(stack.loop, &stack.timer);
    }
}

bool peer_data_is_up(const struct peer_data *d)
{
    return d->up && !d->down;
}

bool peer_data_is_down(const struct peer_data *d)
{
    return d->down;
}

void peer_data_set_deaf(struct peer_data *d, bool deaf)
{
    d->deaf = deaf;
}

uint32_t peer_data_tag(const struct peer_data *d)
{
    return d->tag;
}

size_t peer_data_forge(uint32_t tag, uint8_t type, uint8_t flags, const void *value, size_t len,
                       uint8_t *out, size_t cap)
{
    size_t n = (12 + 4 + len + 3) & ~(size_t)3;

    if (n > cap) {
        return 0;
    }
    memset(out, 0, n);
    peer_put16(out, PORT);
    peer_put16(out + 2, PORT);
    peer_put32(out + 4, tag);
    out[12] = type;
    out[13] = flags;
    peer_put16(out + 14, (uint16_t)(4 + len));
    memcpy(out + 16, value, len);
    uint32_t crc = usrsctp_crc32c(out, n);
    memcpy(out + 8, &crc, 4); /* it comes in wire order */
    return n;
}
