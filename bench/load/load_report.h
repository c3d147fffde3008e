/* SPDX-License-Identifier: Apache-2.0 */
/* load_report.h - the results of a run, as a table and as JSON. */
#ifndef BENCH_LOAD_LOAD_REPORT_H
#define BENCH_LOAD_LOAD_REPORT_H

#include "bench/load/load_hist.h"
#include "bench/load/load_options.h"
#include "bench/load/load_proc.h"

#define LOAD_REASONS_MAX 8

struct load_reason {
    char text[120];
    unsigned count;
};

struct load_results {
    unsigned publishers_up;
    unsigned joins_ok, joins_failed; /* viewers of the ramp */
    unsigned storm_ok, storm_failed;
    unsigned left; /* viewers whose session ended before the end of the run */
    unsigned n_reasons;
    struct load_reason reasons[LOAD_REASONS_MAX];
    struct load_hist answer, ice, up, first_packet, first_keyframe; /* since POST */
    struct load_hist latency, storm_latency;

    /* measured phase, all viewers of the ramp */
    double seconds;
    uint64_t published;                        /* packets that the publishers sent */
    uint64_t received, received_bytes, opened; /* within the phase */
    uint64_t delivered, recovered, lost, lost_video, duplicates; /* from its start to the drain */
    uint64_t frames, keyframes;
    uint64_t dropped_here; /* on purpose: --loss */
    uint64_t faults[PEER_FAULT_COUNT];
    uint64_t publisher_faults;
    uint64_t nacks, plis_to_publishers, nacks_to_publishers;

    /* the generator itself */
    uint64_t kernel_drops;
    double own_cpu;           /* share of one core */
    struct load_hist own_lag; /* from the kernel's receive time to our reading */

    struct load_proc idle, joined, start,
        end; /* the server: before joins, after, around the phase */
    struct load_joins {
        bool known;
        double all_ms, first_ms, last_ms; /* its main thread's CPU for each join, of the first and
                                             the last fifth, too */
        double rest_ms;                   /* the same for a second in which nobody joins */
    } joins;
    uint64_t roster_events, event_bytes; /* of the first reader, until the last has joined */
};

void load_report_print(const struct load_options *o, const struct load_results *r);
/* Returns 0 or -errno. path "-" is standard output. */
int load_report_json(const struct load_options *o, const struct load_results *r, const char *path);
/* Whether everything joined and nothing was wrong with the media. */
bool load_report_ok(const struct load_options *o, const struct load_results *r);

#endif
