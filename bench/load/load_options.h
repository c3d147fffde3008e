/* SPDX-License-Identifier: Apache-2.0 */
/* load_options.h - the command line of sluice-load. */
#ifndef BENCH_LOAD_LOAD_OPTIONS_H
#define BENCH_LOAD_LOAD_OPTIONS_H

#include "tests/peer/peer.h"

#include <sys/types.h>

struct load_options {
    const char *whip,
        *whep; /* URLs; "{i}" becomes the number of the publisher, "{v}" the viewer's */
    const char *token;
    unsigned publishers, viewers;
    unsigned slots_audio, slots_video; /* m-lines of each viewer */
    unsigned kbps, fps, keyframe_ms, layers, temporal;
    enum peer_codec codec;
    bool audio_only, no_audio;
    bool rtx, nack, twcc, ipv6, fast, gro;
    bool twcc_anyway; /* feedback where nothing asks for it */
    unsigned twcc_ms;
    unsigned poll_us; /* 0: woken by every packet */
    const char *srtp;
    double duration_s, settle_s;
    double ramp;           /* joins per second */
    unsigned storm;        /* viewers that join while others are measured */
    double storm_rate;     /* per second */
    double loss;           /* share of datagrams that every viewer drops */
    unsigned verify_every; /* 1 = every viewer in full; 0 = choose */
    int rcvbuf_bytes;
    unsigned readers; /* of the viewers, spread evenly: read their session's events */
    bool leave;       /* DELETE at the end */
    uint64_t seed;
    pid_t pid;         /* server; 0 = none */
    const char *clip;  /* IVF files of the publishers, "{i}" as in URLs; NULL = synthetic media */
    unsigned speak_ms; /* publishers speak in turn, each so long; 0 = all speak */
    const char *json;
    const char *trace; /* file for what every viewer got, and when; NULL = none */
};

/* Fills ret from argv. Returns 0; 1 when help was printed; -EINVAL after a message on stderr. */
int load_options_read(int argc, char **argv, struct load_options *ret);

/* url with each "{i}" and "{v}" replaced. */
void load_options_url(const char *url, unsigned i, unsigned v, char *out, size_t cap);

#endif
