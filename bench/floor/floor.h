/* SPDX-License-Identifier: Apache-2.0 */
/* floor.h - the parts of sluice-floor, which sends the datagrams of a recorded run again and does
 * nothing else: what no server can do with less. */
#ifndef BENCH_FLOOR_FLOOR_H
#define BENCH_FLOOR_FLOOR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOOR_PACKET_MAX  1600
#define FLOOR_HEAD        12 /* RTP header */
#define FLOOR_RUNS        64 /* per sendmmsg */
#define FLOOR_RUN_PACKETS 64 /* the kernel's UDP_MAX_SEGMENTS */
#define FLOOR_BUF         (FLOOR_RUNS * 65536)

/* ---- floor_seal.c ---- */

enum floor_cipher {
    FLOOR_NONE,
    FLOOR_EVP_GCM,
    FLOOR_MB_GCM,
    FLOOR_EVP_CM,
    FLOOR_MB_CM,
    FLOOR_CIPHERS
};

struct floor_seal;

const char *floor_cipher_name(enum floor_cipher c);
/* Bytes that the cipher adds to a packet. */
size_t floor_cipher_tag(enum floor_cipher c);
/* Keys for n viewers. NULL where the library is not there. */
struct floor_seal *floor_seal_new(enum floor_cipher c, unsigned n);
void floor_seal_free(struct floor_seal *s);
/* Seals FLOOR_HEAD bytes at out and n bytes from body into out for a viewer. Multi-buffer ciphers
 * may finish it as late as floor_seal_flush. */
void floor_seal_packet(struct floor_seal *s, unsigned viewer, uint8_t *out, const uint8_t *body,
                       size_t n);
void floor_seal_flush(struct floor_seal *s);

/* ---- floor_sink.c ---- */

struct floor_sink {
    struct sockaddr_in *to; /* one a viewer */
    unsigned n;
    pid_t pid;
};

/* A process with a socket for each viewer that reads them all as sluice-load does. cpu < 0: not
 * pinned. Returns 0 or -errno. */
int floor_sink_start(struct floor_sink *s, unsigned n, int cpu);
void floor_sink_stop(struct floor_sink *s);

/* ---- floor_send.c ---- */

/* Datagrams to one viewer, end to end at buf, each as long as lens says. */
struct floor_run {
    const struct sockaddr_in *to;
    uint8_t *buf;
    const uint16_t *lens;
    unsigned n;
};

struct floor_way {
    const char *name;
    unsigned batch;    /* messages per system call; 1 = sendmsg */
    unsigned segments; /* of one message; 1 = no UDP_SEGMENT */
};

/* Sends n runs; counts system calls and messages. Returns 0 or -errno. */
struct floor_sent {
    uint64_t calls, messages, datagrams, bytes;
};
int floor_send(int fd, const struct floor_way *way, const struct floor_run *runs, unsigned n,
               struct floor_sent *sent);

/* ---- floor_count.c ---- */

struct floor_count {
    int64_t cpu_ns, user_ns;
    int64_t instructions, user_instructions; /* -1: the machine does not count them */
};

/* What this thread has used until now. The first call opens the counters. */
void floor_count_read(struct floor_count *ret);

#endif
