/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/quirks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUBLISH (1u << API_PUBLISH)
#define PLAY    (1u << API_PLAY)

static const struct quirk_row rows[] = {
    {.name = "obs-no-pli",
     .agent = "OBS-Studio/",
     .roles = PUBLISH,
     .bits = QUIRK_NO_PLI,
     .what = "ignores key frame requests; its encoder's own interval is all there is",
     .source = "obs-studio pull request 13090, open; seen with 32.2.2"},
    {.name = "obs-corrupt-resends",
     .agent = "OBS-Studio/",
     .from = 30001,
     .upto = 30001,
     .roles = PUBLISH,
     .bits = QUIRK_NO_NACK,
     .what = "retransmits damaged packets (libdatachannel 0.20.1)",
     .source = "obs-studio issue 10564"},
    {.name = "ffmpeg-no-pli",
     .agent = "Lavf/",
     .origin = "FFmpegPublishSession",
     .roles = PUBLISH,
     .bits = QUIRK_NO_PLI,
     .what = "cannot ask its encoder for a key frame",
     .source = "libavformat/whip.c of FFmpeg 8; seen with 9.0.2"},
    {.name = "pion-own-codec",
     .agent = "Go-http-client/",
     .origin = QUIRK_PION,
     .roles = PUBLISH,
     .bits = QUIRK_OWN_CODEC,
     .what = "offers every codec it knows, and fails if the answer lacks the one that it has",
     .source = "RTPSender of Pion 4; seen with 4.2.1"},
    {.name = "safari-vp9-svc",
     .agent = "Version/",
     .from = 18004,
     .upto = 18004,
     .roles = PUBLISH,
     .bits = QUIRK_NO_VP9,
     .what = "encodes VP9 that others cannot decode",
     .source = "livekit issue 3631"},
    {.name = "firefox-av1-layers",
     .agent = "Firefox/",
     .roles = PLAY,
     .bits = QUIRK_ONE_SPATIAL,
     .what = "stalls on AV1 with spatial layers",
     .source = "Mozilla bug 2071030, open"},
};

/* Programs by what stands before their version; the first that fits gives the name. Chromium names
 * Safari, Edge names Chromium, so order matters. */
static const struct {
    const char *agent, *name;
} programs[] = {
    {"OBS-Studio/", "obs"},    {"Lavf/", "ffmpeg"},
    {"Firefox/", "firefox"},   {"Edg/", "edge"},
    {"OPR/", "opera"},         {"CriOS/", "chrome-ios"},
    {"FxiOS/", "firefox-ios"}, {"Chrome/", "chrome"},
    {"Version/", "safari"},    {"GStreamer", "gstreamer"},
    {"aiohttp/", "aiohttp"},   {"Larix", "larix"},
    {"vMix", "vmix"},          {"libdatachannel", "libdatachannel"},
    {"Go-http-client", "go"},  {"node", "node"},
    {"curl/", "curl"},
};

/* The same by the offer alone. */
static const struct {
    const char *origin, *name;
} origins[] = {
    {"FFmpegPublishSession", "ffmpeg"},
    {"rtc", "libdatachannel"},
    {QUIRK_PION, "pion"},
};

const struct quirk_row *quirks_rows(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(rows);
    return rows;
}

/* major * 1000 + minor of what follows the agent's name; 0 if no version does. */
static unsigned version_after(const char *at)
{
    char *end;
    unsigned long major = strtoul(at, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return end == at ? 0 : (unsigned)(MIN(major, 9999UL) * 1000 + MIN(minor, 999UL));
}

/* Safari is who says Version/ and Safari/, and is none of those who say so to be like it. */
static const char *find_agent(const char *user_agent, const char *agent)
{
    const char *at = user_agent ? strstr(user_agent, agent) : NULL;
    if (at && strcmp(agent, "Version/") == 0 &&
        (!strstr(at, "Safari/") || strstr(user_agent, "Chrome/"))) {
        return NULL;
    }
    return at ? at + strlen(agent) : NULL;
}

/* The number of digits at at, at most n. */
static size_t digits(const char *at, size_t n)
{
    size_t i = 0;
    while (i < n && at[i] >= '0' && at[i] <= '9') {
        i++;
    }
    return i;
}

/* "o=- 7769714896120964051 1795291618 IN IP4 0.0.0.0": the version is the time in Unix seconds,
 * where others count from 0, 1 or 2, or have NTP's (aiortc, 3 and more billions). */
static bool is_pion(const char *line, size_t n)
{
    static const char begin[] = "o=- ", end[] = " IN IP4 0.0.0.0";
    size_t at = sizeof(begin) - 1;
    if (n < at || memcmp(line, begin, at) != 0) {
        return false;
    }
    size_t id = digits(line + at, n - at);
    at += id;
    if (id == 0 || at == n || line[at++] != ' ') {
        return false;
    }
    return digits(line + at, n - at) == 10 && (line[at] == '1' || line[at] == '2') &&
           n - at >= 10 + sizeof(end) - 1 && memcmp(line + at + 10, end, sizeof(end) - 1) == 0;
}

/* True if line n bytes long, "o=NAME ..." or "s=NAME", names origin. */
static bool names_origin(const char *line, size_t n, const char *origin)
{
    size_t len = strlen(origin);
    if (strcmp(origin, QUIRK_PION) == 0) {
        return is_pion(line, n);
    }
    if (n < len + 2 || line[1] != '=' || memcmp(line + 2, origin, len) != 0) {
        return false;
    }
    return line[0] == 'o' ? n > len + 2 && line[len + 2] == ' '
                          : line[0] == 's' && (n == len + 2 || line[len + 2] == '\r');
}

/* Both lines stand at the beginning of an offer. */
static bool find_origin(const char *offer, size_t len, const char *origin)
{
    for (int i = 0; i < 4 && len; i++) {
        const char *end = memchr(offer, '\n', len);
        size_t n = end ? (size_t)(end - offer) : len;
        if (names_origin(offer, n, origin)) {
            return true;
        }
        offer += end ? n + 1 : n;
        len -= end ? n + 1 : n;
    }
    return false;
}

static void name_client(const char *user_agent, const char *offer, size_t len, struct quirks *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        const char *at = find_agent(user_agent, programs[i].agent);
        if (at) {
            unsigned v = version_after(at);
            snprintf(ret->client, sizeof(ret->client), v ? "%s/%u.%u" : "%s", programs[i].name,
                     v / 1000, v % 1000);
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        if (find_origin(offer, len, origins[i].origin)) {
            snprintf(ret->client, sizeof(ret->client), "%s", origins[i].name);
            return;
        }
    }
}

static bool fits(const struct quirk_row *r, const char *user_agent, const char *offer, size_t len)
{
    const char *at = r->agent ? find_agent(user_agent, r->agent) : NULL;
    if (at) {
        unsigned v = version_after(at);
        return (!r->from || v >= r->from) && (!r->upto || (v && v <= r->upto));
    }
    return r->origin && find_origin(offer, len, r->origin);
}

void quirks_find(const char *user_agent, const char *offer, size_t len, enum api_role role,
                 struct quirks *ret)
{
    memset(ret, 0, sizeof(*ret));
    name_client(user_agent, offer, len, ret);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((rows[i].roles >> role & 1) && fits(&rows[i], user_agent, offer, len)) {
            size_t n = strlen(ret->names);
            snprintf(ret->names + n, sizeof(ret->names) - n, "%s%s", n ? "," : "", rows[i].name);
            ret->bits |= rows[i].bits;
        }
    }
}
