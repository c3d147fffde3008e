/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/load_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "sluice-load: publishes and plays synthetic, verifiable media over WHIP and WHEP\n"
    "\n"
    "  --whip URL, --whep URL   endpoints (http://); {i} becomes the publisher's number, {v} the "
    "viewer's\n"
    "  --token TEXT             bearer token for both\n"
    "  --publishers N           default 1; 0 = somebody else publishes (nothing can be verified)\n"
    "  --viewers N              default 10; viewer v plays publisher v modulo N\n"
    "  --slots A,V              m-lines of audio and video per viewer, default 1,1\n"
    "  --bitrate KBPS --fps N   video, default 1000 and 30\n"
    "  --keyframe MS            own key frame interval, default 10000; 0 = on request only\n"
    "  --codec NAME             vp8 (default), vp9, h264, av1\n"
    "  --simulcast N            encodings, 1..4, default 1\n"
    "  --temporal N             temporal layers (vp8), 1..3, default 1\n"
    "  --audio-only, --video-only\n"
    "  --clip FILE              VP8 in IVF that the publishers send round and round, with silence, "
    "for\n"
    "                           browsers to look at; {i} as above. Needs --viewers 0\n"
    "  --speak-ms MS            publishers speak in turn by their audio levels, each so long;\n"
    "                           default 0: all speak all the time\n"
    "  --duration S             measured phase, default 10\n"
    "  --settle S               between the last join and it, default 2\n"
    "  --ramp N                 joins per second, default 50\n"
    "  --storm N                N more viewers join while the first ones are measured\n"
    "  --storm-rate N           their joins per second, default 200\n"
    "  --loss P                 each viewer drops this share of incoming media, 0..1\n"
    "  --no-rtx --no-nack --no-twcc\n"
    "  --twcc-ms MS             interval of transport-wide feedback, default 100\n"
    "  --twcc-anyway            feedback even where the server writes no transport-wide numbers\n"
    "  --profile NAME           gcm (default, AES-CM second), gcm256, cm\n"
    "  --fast                   AES-GCM by OpenSSL's EVP instead of libsrtp2\n"
    "  --verify all|sample:N    decrypt all packets of each, or of each N-th viewer; the others\n"
    "                           once a second. Default: all up to 200 viewers, then sample:10\n"
    "  --readers N              so many of the viewers read their session's events (Sluice's)\n"
    "  --rcvbuf BYTES           of each viewer's socket, default 1048576\n"
    "  --gro                    receive with UDP_GRO\n"
    "  --poll-us US             look for packets so often instead of being woken by each, so that "
    "the\n"
    "                           server does not pay for it; default 1000, 0 = be woken\n"
    "  --ipv6\n"
    "  --seed N                 of media and losses, default 1\n"
    "  --stay                   end without DELETE\n"
    "  --trace FILE             each media datagram of the measured phase as a line \"us viewer "
    "bytes\"\n"
    "  --pid N                  server process: CPU and memory are read from /proc\n"
    "  --json FILE              results for programs, - = standard output\n";

enum option_id {
    OPT_WHIP = 256,
    OPT_WHEP,
    OPT_TOKEN,
    OPT_PUBLISHERS,
    OPT_VIEWERS,
    OPT_SLOTS,
    OPT_BITRATE,
    OPT_FPS,
    OPT_KEYFRAME,
    OPT_CODEC,
    OPT_SIMULCAST,
    OPT_TEMPORAL,
    OPT_AUDIO_ONLY,
    OPT_VIDEO_ONLY,
    OPT_CLIP,
    OPT_SPEAK_MS,
    OPT_DURATION,
    OPT_SETTLE,
    OPT_RAMP,
    OPT_STORM,
    OPT_STORM_RATE,
    OPT_LOSS,
    OPT_NO_RTX,
    OPT_NO_NACK,
    OPT_NO_TWCC,
    OPT_TWCC_MS,
    OPT_TWCC_ANYWAY,
    OPT_PROFILE,
    OPT_FAST,
    OPT_VERIFY,
    OPT_READERS,
    OPT_RCVBUF,
    OPT_GRO,
    OPT_IPV6,
    OPT_SEED,
    OPT_STAY,
    OPT_TRACE,
    OPT_POLL_US,
    OPT_PID,
    OPT_JSON,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"whip", 1, NULL, OPT_WHIP},
    {"whep", 1, NULL, OPT_WHEP},
    {"token", 1, NULL, OPT_TOKEN},
    {"publishers", 1, NULL, OPT_PUBLISHERS},
    {"viewers", 1, NULL, OPT_VIEWERS},
    {"slots", 1, NULL, OPT_SLOTS},
    {"bitrate", 1, NULL, OPT_BITRATE},
    {"fps", 1, NULL, OPT_FPS},
    {"keyframe", 1, NULL, OPT_KEYFRAME},
    {"codec", 1, NULL, OPT_CODEC},
    {"simulcast", 1, NULL, OPT_SIMULCAST},
    {"temporal", 1, NULL, OPT_TEMPORAL},
    {"audio-only", 0, NULL, OPT_AUDIO_ONLY},
    {"video-only", 0, NULL, OPT_VIDEO_ONLY},
    {"clip", 1, NULL, OPT_CLIP},
    {"speak-ms", 1, NULL, OPT_SPEAK_MS},
    {"duration", 1, NULL, OPT_DURATION},
    {"settle", 1, NULL, OPT_SETTLE},
    {"ramp", 1, NULL, OPT_RAMP},
    {"storm", 1, NULL, OPT_STORM},
    {"storm-rate", 1, NULL, OPT_STORM_RATE},
    {"loss", 1, NULL, OPT_LOSS},
    {"no-rtx", 0, NULL, OPT_NO_RTX},
    {"no-nack", 0, NULL, OPT_NO_NACK},
    {"no-twcc", 0, NULL, OPT_NO_TWCC},
    {"twcc-ms", 1, NULL, OPT_TWCC_MS},
    {"twcc-anyway", 0, NULL, OPT_TWCC_ANYWAY},
    {"profile", 1, NULL, OPT_PROFILE},
    {"fast", 0, NULL, OPT_FAST},
    {"verify", 1, NULL, OPT_VERIFY},
    {"readers", 1, NULL, OPT_READERS},
    {"rcvbuf", 1, NULL, OPT_RCVBUF},
    {"gro", 0, NULL, OPT_GRO},
    {"ipv6", 0, NULL, OPT_IPV6},
    {"seed", 1, NULL, OPT_SEED},
    {"stay", 0, NULL, OPT_STAY},
    {"trace", 1, NULL, OPT_TRACE},
    {"poll-us", 1, NULL, OPT_POLL_US},
    {"pid", 1, NULL, OPT_PID},
    {"json", 1, NULL, OPT_JSON},
    {"help", 0, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* A whole number within limits; anything else ends in the caller's error. */
static bool number(const char *text, unsigned long max, unsigned *ret)
{
    char *end;

    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || v > max) {
        return false;
    }
    *ret = (unsigned)v;
    return true;
}

static bool real(const char *text, double min, double max, double *ret)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v >= min) || v > max) {
        return false;
    }
    *ret = v;
    return true;
}

static bool slots(const char *text, struct load_options *o)
{
    int used = 0;

    return sscanf(text, "%u,%u%n", &o->slots_audio, &o->slots_video, &used) == 2 && !text[used] &&
           o->slots_audio + o->slots_video > 0 && o->slots_audio <= 16 && o->slots_video <= 16;
}

static bool profile(const char *text, struct load_options *o)
{
    if (!strcmp(text, "gcm")) {
        o->srtp = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80";
    } else if (!strcmp(text, "gcm256")) {
        o->srtp = "SRTP_AEAD_AES_256_GCM";
    } else if (!strcmp(text, "cm")) {
        o->srtp = "SRTP_AES128_CM_SHA1_80";
    } else {
        return false;
    }
    return true;
}

static bool codec(const char *text, struct load_options *o)
{
    o->codec = peer_codec_find(text, 90000);
    return o->codec != PEER_CODEC_COUNT;
}

static bool verify(const char *text, struct load_options *o)
{
    if (!strcmp(text, "all")) {
        o->verify_every = 1;
        return true;
    }
    return !strncmp(text, "sample:", 7) && number(text + 7, 1000000, &o->verify_every) &&
           o->verify_every > 0;
}

static bool flag(int id, struct load_options *o)
{
    switch (id) {
    case OPT_AUDIO_ONLY:
        o->audio_only = true;
        return true;
    case OPT_VIDEO_ONLY:
        o->no_audio = true;
        return true;
    case OPT_NO_RTX:
        o->rtx = false;
        return true;
    case OPT_NO_NACK:
        o->nack = o->rtx = false;
        return true;
    case OPT_NO_TWCC:
        o->twcc = false;
        return true;
    case OPT_TWCC_ANYWAY:
        o->twcc_anyway = true;
        return true;
    case OPT_FAST:
        o->fast = true;
        return true;
    case OPT_GRO:
        o->gro = true;
        return true;
    case OPT_IPV6:
        o->ipv6 = true;
        return true;
    case OPT_STAY:
        o->leave = false;
        return true;
    default:
        return false;
    }
}

static bool text_option(int id, struct load_options *o)
{
    switch (id) {
    case OPT_WHIP:
        o->whip = optarg;
        return true;
    case OPT_WHEP:
        o->whep = optarg;
        return true;
    case OPT_TOKEN:
        o->token = optarg;
        return true;
    case OPT_CLIP:
        o->clip = optarg;
        return true;
    case OPT_TRACE:
        o->trace = optarg;
        return true;
    case OPT_JSON:
        o->json = optarg;
        return true;
    case OPT_SLOTS:
        return slots(optarg, o);
    case OPT_CODEC:
        return codec(optarg, o);
    case OPT_PROFILE:
        return profile(optarg, o);
    case OPT_VERIFY:
        return verify(optarg, o);
    default:
        return false;
    }
}

static bool number_option(int id, struct load_options *o)
{
    unsigned v = 0;

    switch (id) {
    case OPT_PUBLISHERS:
        return number(optarg, 10000, &o->publishers);
    case OPT_VIEWERS:
        return number(optarg, 25000, &o->viewers);
    case OPT_BITRATE:
        return number(optarg, 100000, &o->kbps) && o->kbps;
    case OPT_FPS:
        return number(optarg, 240, &o->fps) && o->fps;
    case OPT_KEYFRAME:
        return number(optarg, 3600000, &o->keyframe_ms);
    case OPT_SIMULCAST:
        return number(optarg, PEER_LAYERS_MAX, &o->layers) && o->layers;
    case OPT_TEMPORAL:
        return number(optarg, 3, &o->temporal) && o->temporal;
    case OPT_TWCC_MS:
        return number(optarg, 10000, &o->twcc_ms) && o->twcc_ms;
    case OPT_SPEAK_MS:
        return number(optarg, 3600000, &o->speak_ms);
    case OPT_POLL_US:
        return number(optarg, 100000, &o->poll_us);
    case OPT_DURATION:
        return real(optarg, 0.1, 86400, &o->duration_s);
    case OPT_SETTLE:
        return real(optarg, 0, 3600, &o->settle_s);
    case OPT_RAMP:
        return real(optarg, 0.01, 100000, &o->ramp);
    case OPT_STORM:
        return number(optarg, 25000, &o->storm);
    case OPT_STORM_RATE:
        return real(optarg, 0.01, 100000, &o->storm_rate);
    case OPT_LOSS:
        return real(optarg, 0, 1, &o->loss);
    case OPT_READERS:
        return number(optarg, 25000, &o->readers);
    case OPT_RCVBUF:
        o->rcvbuf_bytes = number(optarg, 1 << 30, &v) ? (int)v : -1;
        return o->rcvbuf_bytes >= 0;
    case OPT_SEED:
        o->seed = number(optarg, UINT32_MAX, &v) ? v : 0;
        return o->seed > 0;
    case OPT_PID:
        o->pid = number(optarg, INT32_MAX, &v) ? (pid_t)v : 0;
        return o->pid > 0;
    default:
        return false;
    }
}

static void defaults(struct load_options *o)
{
    *o = (struct load_options){
        .publishers = 1,
        .viewers = 10,
        .slots_audio = 1,
        .slots_video = 1,
        .kbps = 1000,
        .fps = 30,
        .keyframe_ms = 10000,
        .layers = 1,
        .temporal = 1,
        .codec = PEER_VP8,
        .rtx = true,
        .nack = true,
        .twcc = true,
        .twcc_ms = 100,
        .poll_us = 1000,
        .duration_s = 10,
        .settle_s = 2,
        .ramp = 50,
        .storm_rate = 200,
        .rcvbuf_bytes = 1 << 20,
        .leave = true,
        .seed = 1,
    };
    (void)profile("gcm", o);
}

/* What a combination of options lacks; NULL = nothing. */
static const char *missing(const struct load_options *o)
{
    if (o->publishers && !o->whip) {
        return "--whip URL is missing (or say --publishers 0)";
    }
    if ((o->viewers || o->storm) && !o->whep) {
        return "--whep URL is missing (or say --viewers 0)";
    }
    if (o->publishers > 1 && !strstr(o->whip, "{i}")) {
        return "several publishers need {i} in the --whip URL";
    }
    if (o->clip && (o->viewers || o->storm || o->layers > 1 || o->codec != PEER_VP8)) {
        return "a --clip is VP8 without layers, and no viewer of ours can verify it: say --viewers "
               "0";
    }
    if (o->audio_only && o->no_audio) {
        return "--audio-only and --video-only together leave nothing";
    }
    return NULL;
}

int load_options_read(int argc, char **argv, struct load_options *ret)
{
    struct load_options o;
    int id, at = -1;

    defaults(&o);
    while ((id = getopt_long(argc, argv, "h", long_options, &at)) != -1) {
        if (id == 'h' || id == OPT_HELP) {
            fputs(usage, stdout);
            return 1;
        }
        if (id == '?') {
            fprintf(stderr, "sluice-load: see --help\n");
            return -EINVAL;
        }
        if (!flag(id, &o) && !text_option(id, &o) && !number_option(id, &o)) {
            fprintf(stderr, "sluice-load: --%s does not take \"%s\"\n", long_options[at].name,
                    optarg ? optarg : "");
            return -EINVAL;
        }
    }
    const char *why = optind < argc ? "there are no arguments without --" : missing(&o);
    if (why) {
        fprintf(stderr, "sluice-load: %s; see --help\n", why);
        return -EINVAL;
    }
    if (!o.verify_every) {
        o.verify_every = o.viewers + o.storm > 200 ? 10 : 1;
    }
    *ret = o;
    return 0;
}

void load_options_url(const char *url, unsigned i, unsigned v, char *out, size_t cap)
{
    size_t n = 0;

    while (*url && n + 1 < cap) {
        bool publisher = !strncmp(url, "{i}", 3), viewer = !strncmp(url, "{v}", 3);
        if (publisher || viewer) {
            n += (size_t)snprintf(out + n, cap - n, "%u", publisher ? i : v);
            url += 3;
        } else {
            out[n++] = *url++;
        }
    }
    out[n < cap ? n : cap - 1] = '\0';
}
