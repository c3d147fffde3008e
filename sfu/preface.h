/* SPDX-License-Identifier: Apache-2.0 */
/* preface.h - parameter sets for key frames that come without them. Encoders that send theirs once
 * (a Raspberry Pi's, rtph264pay without config-interval), or in SDP alone, leave everyone who joins
 * later with a black picture; so what a source has sent or announced is kept, and put before each
 * of its key frames that has none (RFC 6184 8.4, RFC 7798 7.1). What is put in takes a number of
 * its own: those of all packets behind it are stored one higher than they were sent. Role MEDIA. */
#ifndef SFU_PREFACE_H
#define SFU_PREFACE_H

#include "rtp/history.h"
#include "rtp/params.h"

struct router;
struct source;

/* Packets put in whose place is remembered, for late packets from before them. */
#define PREFACE_PLACES 8

struct preface {
    struct params params;
    enum codec_id codec;             /* that the parameters are of */
    uint64_t missed;                 /* key frames that had none, with none to add */
    uint64_t added;                  /* packets put in so far */
    uint64_t places[PREFACE_PLACES]; /* number that the source gave to what follows each */
};

/* fmtp: what the offer says of the sets, "" = nothing. Returns NULL when out of memory: it is done
 * without. Freed with free(). */
struct preface *preface_new(enum codec_id codec, const char *fmtp);

/* What is about to be stored as *in, with in->desc == desc: gets its number, and when it begins a
 * key frame without parameter sets, those kept are stored first and are where to enter instead. On
 * the packet path. */
void preface_apply(struct router *r, struct source *src, struct hist_in *in, struct pkt_desc *desc);

#endif
