/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/load_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OWN_CPU_WARN    0.85
#define OWN_LAG_WARN_NS 20000000

static uint64_t all_faults(const struct load_results *r)
{
    uint64_t n = r->publisher_faults;

    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        n += r->faults[f];
    }
    return n;
}

bool load_report_ok(const struct load_options *o, const struct load_results *r)
{
    return r->publishers_up == o->publishers && !r->joins_failed && !r->storm_failed && !r->left &&
           !all_faults(r);
}

static void print_ms(const char *name, const struct load_hist *h)
{
    if (h->n) {
        printf("  %-28s p50 %9.2f  p99 %9.2f  max %9.2f ms  (%llu)\n", name,
               (double)load_hist_quantile(h, 0.5) / 1e6, (double)load_hist_quantile(h, 0.99) / 1e6,
               (double)h->max_ns / 1e6, (unsigned long long)h->n);
    }
}

static void print_latency(const char *name, const struct load_hist *h)
{
    if (h->n) {
        printf("  %-28s p50 %9.1f  p99 %9.1f  p99.9 %9.1f  max %9.1f us  (%llu)\n", name,
               (double)load_hist_quantile(h, 0.5) / 1e3, (double)load_hist_quantile(h, 0.99) / 1e3,
               (double)load_hist_quantile(h, 0.999) / 1e3, (double)h->max_ns / 1e3,
               (unsigned long long)h->n);
    }
}

static void print_joins(const struct load_options *o, const struct load_results *r)
{
    printf("joins\n  %-28s %u of %u publishers, %u of %u viewers", "up", r->publishers_up,
           o->publishers, r->joins_ok, o->viewers);
    if (o->storm) {
        printf(", %u of %u in the storm", r->storm_ok, o->storm);
    }
    printf("\n");
    for (unsigned i = 0; i < r->n_reasons; i++) {
        printf("  failed %6u x %s\n", r->reasons[i].count, r->reasons[i].text);
    }
    print_ms("POST to answer", &r->answer);
    print_ms("POST to ICE check answered", &r->ice);
    print_ms("POST to DTLS up", &r->up);
    print_ms("POST to first packet", &r->first_packet);
    print_ms("POST to whole key frame", &r->first_keyframe);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void print_media(const struct load_options *o, const struct load_results *r)
{
    double kbps = ratio((double)r->received_bytes * 8 / 1000, r->seconds * r->joins_ok);

    printf("media, %.1f s\n", r->seconds);
    printf("  %-28s %llu published, %llu received, %.0f packets/s, %.0f kbit/s per viewer\n",
           "packets", (unsigned long long)r->published, (unsigned long long)r->received,
           ratio((double)r->received, r->seconds), kbps);
    printf("  %-28s %llu expected, %llu delivered\n", "until drained",
           (unsigned long long)(r->delivered + r->lost), (unsigned long long)r->delivered);
    printf("  %-28s %llu lost (%llu of video), %llu recovered, %llu duplicate, %llu dropped on "
           "purpose\n",
           "", (unsigned long long)r->lost, (unsigned long long)r->lost_video,
           (unsigned long long)r->recovered, (unsigned long long)r->duplicates,
           (unsigned long long)r->dropped_here);
    printf("  %-28s %llu of %llu received (each viewer%s)\n", "opened and verified",
           (unsigned long long)r->opened, (unsigned long long)r->received,
           o->verify_every > 1 ? " sampled" : " in full");
    printf("  %-28s %llu", "faults", (unsigned long long)all_faults(r));
    for (unsigned f = 0; f < PEER_FAULT_COUNT; f++) {
        if (r->faults[f]) {
            printf("  %s=%llu", peer_fault_name(f), (unsigned long long)r->faults[f]);
        }
    }
    printf("\n  %-28s %llu NACK, %llu PLI to publishers, %llu NACK from viewers\n", "feedback",
           (unsigned long long)r->nacks_to_publishers, (unsigned long long)r->plis_to_publishers,
           (unsigned long long)r->nacks);
    print_latency("latency", &r->latency);
    print_latency("latency in the storm", &r->storm_latency);
}

static void print_server(const struct load_options *o, const struct load_results *r)
{
    if (!r->start.known || !r->end.known) {
        return;
    }
    double cpu = (double)(r->end.cpu_ns - r->start.cpu_ns);
    printf("server\n  %-28s %.1f %% of a core, %.0f ns per forwarded packet (user %.0f %%)\n",
           "cpu", cpu / r->seconds / 1e7, ratio(cpu, (double)r->received),
           100 * ratio((double)(r->end.user_ns - r->start.user_ns),
                       (double)(r->end.user_ns - r->start.user_ns + r->end.system_ns -
                                r->start.system_ns)));
    printf("  %-28s %.1f MB at rest, %.1f MB with viewers, %.1f kB per viewer\n", "memory (RSS)",
           (double)r->idle.rss_bytes / 1e6, (double)r->joined.rss_bytes / 1e6,
           ratio((double)(r->joined.rss_bytes - r->idle.rss_bytes) / 1e3, r->joins_ok));
    printf("  %-28s %u\n", "threads", r->end.threads);
    if (r->joins.known) {
        printf("  %-28s %.3f ms a join (first fifth %.3f, last fifth %.3f), %.1f ms a second "
               "without joins\n",
               "main thread", r->joins.all_ms, r->joins.first_ms, r->joins.last_ms,
               r->joins.rest_ms);
    }
    if (o->readers) {
        printf("  %-28s %llu of the roster, %llu bytes in all\n", "events until all had joined",
               (unsigned long long)r->roster_events, (unsigned long long)r->event_bytes);
    }
}

void load_report_print(const struct load_options *o, const struct load_results *r)
{
    print_joins(o, r);
    print_media(o, r);
    print_server(o, r);
    printf("generator\n  %-28s %.0f %% of a core, %llu datagrams lost in our own socket buffers\n",
           "load", r->own_cpu * 100, (unsigned long long)r->kernel_drops);
    print_latency("kernel to us", &r->own_lag);
    if (r->kernel_drops || r->own_cpu > OWN_CPU_WARN ||
        load_hist_quantile(&r->own_lag, 0.99) > OWN_LAG_WARN_NS) {
        printf("  WARNING: generator or machine overloaded: losses and latencies above are not the "
               "server's alone\n");
    }
    if (r->left) {
        printf("  WARNING: %u sessions ended during the run\n", r->left);
    }
}

/* ---- JSON ---- */

static void json_text(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20) {
            fprintf(f, "\\u%04x", (unsigned char)*s);
        } else {
            fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
        }
    }
    fputc('"', f);
}

static void json_hist(FILE *f, const char *name, const struct load_hist *h)
{
    fprintf(f,
            ",\n  \"%s\": {\"n\": %llu, \"p50_ns\": %lld, \"p90_ns\": %lld, \"p99_ns\": %lld, "
            "\"p999_ns\": %lld, \"max_ns\": %lld}",
            name, (unsigned long long)h->n, (long long)load_hist_quantile(h, 0.5),
            (long long)load_hist_quantile(h, 0.9), (long long)load_hist_quantile(h, 0.99),
            (long long)load_hist_quantile(h, 0.999), (long long)h->max_ns);
}

static void json_count(FILE *f, const char *name, uint64_t v)
{
    fprintf(f, ",\n  \"%s\": %llu", name, (unsigned long long)v);
}

static void json_server(FILE *f, const struct load_results *r)
{
    double cpu = (double)(r->end.cpu_ns - r->start.cpu_ns);

    if (!r->start.known || !r->end.known) {
        return;
    }
    fprintf(f,
            ",\n  \"server\": {\"cpu_ns\": %.0f, \"user_ns\": %lld, \"system_ns\": %lld, "
            "\"cpu_ns_per_packet\": %.1f, \"rss_idle\": %lld, \"rss_joined\": %lld, "
            "\"rss_end\": %lld, \"pss_idle\": %lld, \"pss_joined\": %lld, "
            "\"bytes_per_viewer\": %.0f, \"threads\": %u}",
            cpu, (long long)(r->end.user_ns - r->start.user_ns),
            (long long)(r->end.system_ns - r->start.system_ns), ratio(cpu, (double)r->received),
            (long long)r->idle.rss_bytes, (long long)r->joined.rss_bytes,
            (long long)r->end.rss_bytes, (long long)r->idle.pss_bytes,
            (long long)r->joined.pss_bytes,
            ratio((double)(r->joined.rss_bytes - r->idle.rss_bytes), r->joins_ok), r->end.threads);
}

static void json_joins(FILE *f, const struct load_results *r)
{
    if (r->joins.known) {
        fprintf(f,
                ",\n  \"joins_main\": {\"all_ms\": %.4f, \"first_ms\": %.4f, \"last_ms\": %.4f, "
                "\"rest_ms_per_s\": %.3f}",
                r->joins.all_ms, r->joins.first_ms, r->joins.last_ms, r->joins.rest_ms);
    }
    json_count(f, "roster_events", r->roster_events);
    json_count(f, "event_bytes", r->event_bytes);
}

static void json_faults(FILE *f, const struct load_results *r)
{
    fprintf(f, ",\n  \"faults\": {\"publishers\": %llu", (unsigned long long)r->publisher_faults);
    for (unsigned i = 0; i < PEER_FAULT_COUNT; i++) {
        fprintf(f, ", \"%s\": %llu", peer_fault_name(i), (unsigned long long)r->faults[i]);
    }
    fprintf(f, "},\n  \"failures\": [");
    for (unsigned i = 0; i < r->n_reasons; i++) {
        fprintf(f, "%s{\"count\": %u, \"reason\": ", i ? ", " : "", r->reasons[i].count);
        json_text(f, r->reasons[i].text);
        fputc('}', f);
    }
    fputc(']', f);
}

int load_report_json(const struct load_options *o, const struct load_results *r, const char *path)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "we") : stdout;

    if (!f) {
        return -errno;
    }
    fprintf(f, "{\n  \"ok\": %s", load_report_ok(o, r) ? "true" : "false");
    fprintf(f, ",\n  \"video_kbps\": %u, \"fps\": %u, \"loss\": %g, \"seconds\": %.3f", o->kbps,
            o->fps, o->loss, r->seconds);
    json_count(f, "publishers", o->publishers);
    json_count(f, "publishers_up", r->publishers_up);
    json_count(f, "viewers", o->viewers);
    json_count(f, "joins_ok", r->joins_ok);
    json_count(f, "joins_failed", r->joins_failed);
    json_count(f, "storm_ok", r->storm_ok);
    json_count(f, "storm_failed", r->storm_failed);
    json_count(f, "sessions_ended_early", r->left);
    json_count(f, "packets_published", r->published);
    json_count(f, "packets_expected", r->delivered + r->lost);
    json_count(f, "packets_delivered", r->delivered);
    json_count(f, "packets_received", r->received);
    json_count(f, "bytes_received", r->received_bytes);
    json_count(f, "packets_lost", r->lost);
    json_count(f, "packets_lost_video", r->lost_video);
    json_count(f, "packets_recovered", r->recovered);
    json_count(f, "packets_duplicate", r->duplicates);
    json_count(f, "packets_verified", r->opened);
    json_count(f, "packets_dropped_on_purpose", r->dropped_here);
    json_count(f, "frames", r->frames);
    json_count(f, "keyframes", r->keyframes);
    json_count(f, "plis_to_publishers", r->plis_to_publishers);
    json_count(f, "nacks_to_publishers", r->nacks_to_publishers);
    json_count(f, "nacks_from_viewers", r->nacks);
    json_count(f, "generator_kernel_drops", r->kernel_drops);
    fprintf(f, ",\n  \"generator_cpu\": %.3f", r->own_cpu);
    json_hist(f, "join_answer", &r->answer);
    json_hist(f, "join_ice", &r->ice);
    json_hist(f, "join_up", &r->up);
    json_hist(f, "join_first_packet", &r->first_packet);
    json_hist(f, "join_first_keyframe", &r->first_keyframe);
    json_hist(f, "latency", &r->latency);
    json_hist(f, "latency_storm", &r->storm_latency);
    json_hist(f, "generator_lag", &r->own_lag);
    json_faults(f, r);
    json_server(f, r);
    json_joins(f, r);
    fprintf(f, "\n}\n");
    int bad = ferror(f);
    if (f != stdout) {
        bad |= fclose(f);
    }
    return bad ? -EIO : 0;
}
