/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - one MEDIA thread: a libuv loop, a UDP socket on the shared port, TCP connections, a
 * mailbox, rings from its siblings, and a router. The only place in sfu/ that does I/O and reads
 * the clock, once per turn. */
#ifndef SFU_WORKER_H
#define SFU_WORKER_H

#include <stdatomic.h>
#include <uv.h>

#include "ice/owner.h"
#include "ice/udp.h"
#include "sfu/mailbox.h"
#include "sfu/router.h"

struct worker;
struct tcp_conn;
struct data_loop;

/* What all workers of a process share. */
struct workers {
    int n;
    struct worker *w;
    struct mailbox *to_main; /* struct api_event */
    struct owner_table *owners;
    struct data_loop *data; /* NULL: data channels are off */
    const struct conf *conf;
    struct addr media_addr; /* bound by every worker */
};

struct worker {
    struct workers *all;
    int index;
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_poll_t udp_poll;
    int udp_events;
    uv_timer_t timer;
    uv_idle_t shake; /* active while DTLS datagrams wait: the loop does not sleep then */
    struct udp *udp;
    struct mailbox inbox;               /* struct api_cmd */
    struct ring *to[OWNER_WORKERS_MAX]; /* [w]: from us to worker w; NULL for ourselves */
    struct router router;
    struct tx_batch batch;
    int batch_sent; /* runs of batch already sent; the rest waits for the socket */
    struct udp_in rx[UDP_RX_MAX];
    struct table conns; /* TCP: id -> struct worker_conn */
    uint64_t next_conn;
    int listen_fd; /* worker 0: ICE-TCP listener, -1 */
    uv_poll_t listen_poll;
    bool listen_paused; /* after an error; tried again four times a second */
    unsigned n_conns;
    bool stopping;
    _Atomic bool stop_asked; /* by MAIN, which then wakes the loop */
    /* read by MAIN */
    _Atomic int sessions;
    _Atomic int64_t turned_us;     /* monotonic time of the last turn */
    pthread_mutex_t counters_lock; /* taken once a second here, and by plane_counters */
    struct api_counters counters;
};

/* Prepares everything but the thread. w is zeroed memory. Returns 0 or -errno; *ret_what says what
 * failed. MAIN. */
int worker_init(struct worker *w, struct workers *all, int index, const char **ret_what) MUST_CHECK;
/* Starts the thread. */
int worker_start(struct worker *w) MUST_CHECK;
/* Joins a stopped thread and frees everything. */
void worker_fini(struct worker *w);

/* tcp part, worker_tcp.c */
int worker_tcp_listen(struct worker *w, const struct addr *bind) MUST_CHECK;
/* Listens again after a pause. */
void worker_tcp_resume(struct worker *w);
void worker_tcp_adopt(struct worker *w, struct tcp_conn *conn);
void worker_tcp_send(struct worker *w, const struct udp_run *run);
void worker_tcp_close_all(struct worker *w);
/* One datagram or frame, whoever it is for. */
void worker_on_datagram(struct worker *w, const struct path *from, uint8_t *buf, size_t len,
                        int64_t now_us);
/* Sends what is owed; called at the end of every turn. */
void worker_flush(struct worker *w, int64_t now_us);

#endif
