/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(s, n) #s, #n
#define PLACE(s, n) offsetof(struct conf, s.n), sizeof(((struct conf *)0)->s.n)

#define STR(s, n, def, help)                                                                       \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_STR, PLACE(s, n), 0, 0, NULL, def, help                             \
    }
#define WORD(s, n, choices, def, help)                                                             \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_WORD, PLACE(s, n), 0, 0, choices, def, help                         \
    }
#define ENUM(s, n, choices, def, help)                                                             \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_ENUM, PLACE(s, n), 0, 0, choices, def, help                         \
    }
#define INT(s, n, min, max, def, help)                                                             \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_INT, PLACE(s, n), min, max, NULL, def, help                         \
    }
#define BOOL(s, n, def, help)                                                                      \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_BOOL, PLACE(s, n), 0, 0, NULL, def, help                            \
    }
#define STRINGS(s, n, def, help)                                                                   \
    {                                                                                              \
        FIELD(s, n), CONF_TYPE_STRINGS, PLACE(s, n), 0, 0, NULL, def, help                         \
    }

static_assert(sizeof(enum conf_log_format) == sizeof(int), "enums are stored as int");
static_assert(sizeof(enum conf_etag_mode) == sizeof(int), "enums are stored as int");

/* clang-format off */
const struct conf_key conf_keys[] = {
    STR(http, listen, "127.0.0.1:8080",
        "address of WHIP, WHEP and the pages; a public one needs tokens and TLS"),
    STR(http, public_origin, "",
        "URL that clients reach us by (https://media.example.org, https://example.org/sluice); empty: what TLS or a trusted proxy tells, else URLs without it"),
    STRINGS(http, cors_origins, "*",
        "origins whose pages may call us, or *; credentials are never allowed with it"),
    STRINGS(http, trusted_proxies, "",
        "addresses or CIDRs of proxies whose X-Forwarded-For, -Proto, -Host, -Port and -Prefix count"),
    INT(http, max_connections, 1, 65535, "1024", "HTTP connections at a time"),
    INT(http, max_connections_per_ip, 1, 65535, "128", "HTTP connections at a time of one address"),
    INT(http, event_streams_per_ip, 1, 65535, "64",
        "event streams (SSE) read at a time from one address"),
    INT(http, posts_per_ip_per_s, 1, 100000, "20",
        "POST and PATCH per second of one address; bursts of five times as many pass"),
    ENUM(http, etag_mode, "lenient|strict", "lenient",
        "PATCH without If-Match: lenient accepts it for the current ICE generation, strict answers 428"),
    BOOL(http, require_token_on_session, "false",
        "ask PATCH and DELETE for the token too, not only for the unguessable session URL"),

    STR(tls, cert_file, "", "PEM certificate chain for http.listen; empty: plain HTTP"),
    STR(tls, key_file, "", "PEM private key of tls.cert_file"),
    BOOL(tls, self_signed, "false", "make a certificate at start, for phones on a LAN"),
    BOOL(tls, terminated_upstream, "false", "a proxy in front of http.listen speaks TLS"),

    STR(media, listen, "[::]:8189", "address of media, UDP and TCP"),
    STRINGS(media, announce, "",
        "IP addresses written into answers, first is best; empty: those of the interfaces"),
    INT(media, workers, 0, 64, "0", "media threads; 0: one per core"),
    BOOL(media, tcp, "true", "accept ICE-TCP on the port of media.listen"),
    BOOL(media, gso, "true", "send runs of packets as one message (UDP_SEGMENT)"),
    BOOL(media, gro, "true", "receive runs of packets as one message (UDP_GRO)"),
    INT(media, gather_us, 0, 5000, "1000",
        "how long the first packets of a frame may wait for the rest, so that they leave as one message;"
        " never longer than sending them takes; 0: not at all"),
    INT(media, rcvbuf_bytes, 65536, 1 << 30, "8388608",
        "receive buffer of each media socket; the kernel caps it at net.core.rmem_max"),
    INT(media, sndbuf_bytes, 65536, 1 << 30, "8388608",
        "send buffer of each media socket; the kernel caps it at net.core.wmem_max"),
    WORD(media, seal_backend, "auto|openssl|ipsec-mb|libsrtp2", "auto",
        "what encrypts SRTP; auto takes the fastest that is built in"),
    INT(media, max_publisher_kbps, 64, 1000000, "20000",
        "cap of one publisher: told by REMB, enforced by dropping"),
    INT(media, history_ms, 100, 10000, "2000", "how long a sent packet can be asked for again"),
    STRINGS(media, video_codecs, "H264,VP8,VP9,AV1,H265", "video codecs allowed, preferred first"),
    BOOL(media, prefer_offer_order, "true",
        "among the allowed codecs the publisher's order decides, not the one above"),
    BOOL(media, video_orientation, "false",
        "negotiate urn:3gpp:video-orientation; off, since viewers without it see turned pictures"),

    BOOL(data, enabled, "true", "answer data channels; off: m=application gets port 0"),
    INT(data, max_message_bytes, 1024, 1 << 20, "65536",
        "largest message of a data channel; a channel that sends a larger one is closed"),
    INT(data, buffer_bytes, 262144, 1 << 26, "1000000",
        "memory for what waits for one slow reader; beyond it lossy messages are dropped and other channels closed"),
    INT(data, messages_per_s, 1, 100000, "2000",
        "messages a second that one client may send; it is held up, nothing is lost"),
    INT(data, max_kbps, 64, 1000000, "16000",
        "kilobits a second that one client may send on data channels; it is held up, nothing is lost"),
    INT(data, channels_max, 1, 200, "64", "data channels that one client may have open"),

    INT(rooms, audio_slots, 1, 32, "8",
        "audio sections that one session may have on a room; with video_slots 1 too: slots are off"),
    INT(rooms, video_slots, 1, 63, "49", "video sections that one session may have on a room"),
    BOOL(rooms, pin_video_codec, "true",
        "later publishers of a room are answered with the first one's video codec if they have it"),

    INT(limits, max_sessions, 1, 1000000, "20000", "sessions at a time"),
    INT(limits, max_half_open, 1, 1000000, "1000",
        "sessions that have not finished DTLS; the oldest gives way"),
    INT(limits, ice_timeout_ms, 1000, 600000, "10000", "from the answer to the first STUN check"),
    INT(limits, dtls_timeout_ms, 1000, 600000, "10000", "from the first STUN check to DTLS"),
    INT(limits, media_timeout_ms, 1000, 600000, "30000", "publisher: from DTLS to the first media"),
    INT(limits, gone_timeout_ms, 1000, 600000, "15000",
        "silence after which a session counts as gone; it may come back"),
    INT(limits, end_timeout_ms, 1000, 3600000, "60000", "silence after which a session ends"),
    INT(limits, drain_timeout_ms, 0, 86400000, "30000",
        "after SIGTERM: how long sessions may go on; 0: until the last one ends"),

    {"auth", "tokens", CONF_TYPE_TOKENS, offsetof(struct conf, auth),
        offsetof(struct conf, auth.n_keys) - offsetof(struct conf, auth), 0, 0, NULL, "",
        "bearer tokens: {token or token_file, name, pattern, publish, play, data, moderate, admin}; without "
        "any, and without auth.keys and auth.jwks_url, anyone may do all"},
    {"auth", "keys", CONF_TYPE_KEYS, offsetof(struct conf, auth.n_keys),
        offsetof(struct conf, auth.jwks_url) - offsetof(struct conf, auth.n_keys), 0, 0, NULL, "",
        "keys of JSON Web Tokens: {alg, kid, and secret, secret_file, pem_file or jwk_file}"},
    STR(auth, jwks_url, "", "where a set of further public keys is fetched from; https, or http on loopback"),
    STR(auth, issuer, "", "iss of JSON Web Tokens must be this; empty: any"),
    STR(auth, audience, "", "aud of JSON Web Tokens must hold this; empty: those that have one are refused"),
    INT(auth, leeway_s, 0, 30, "10", "by how much the clock of who makes the tokens may differ"),
    INT(auth, max_lifetime_s, 60, 31536000, "86400", "JSON Web Tokens that are good for longer are refused"),
    BOOL(auth, end_on_expiry, "false", "sessions end when their token expires; else it is only asked for at the start"),
    INT(auth, max_sessions_per_token, 1, 1000000, "20000", "sessions at a time of one token"),
    STR(auth, revoked_file, "", "file that keeps revoked tokens over restarts, made if it is not there; empty: they are forgotten"),
    STR(auth, hook_url, "", "asked for each publish and play, beside the token; https, or http on loopback"),
    STR(auth, hook_secret_file, "", "file with the secret that signs what auth.hook_url is sent"),
    INT(auth, hook_timeout_ms, 50, 10000, "1000", "without an answer of auth.hook_url by then, nobody comes in"),

    {"webhooks", "targets", CONF_TYPE_HOOKS, offsetof(struct conf, webhooks),
        offsetof(struct conf, webhooks.queue) - offsetof(struct conf, webhooks), 0, 0, NULL, "",
        "who is told what happens: {url, secret or secret_file, events}"},
    INT(webhooks, queue, 1, 100000, "1000", "events that wait for one target; those beyond are dropped and counted"),
    INT(webhooks, timeout_ms, 100, 60000, "5000", "for one delivery"),
    INT(webhooks, retry_s, 0, 86400, "600", "how long one event is tried again"),

    {"ice_servers", "servers", CONF_TYPE_SERVERS, offsetof(struct conf, ice_servers),
        sizeof(((struct conf *)0)->ice_servers), 0, 0, NULL, "",
        "STUN and TURN servers told to clients: {url, username and credential, or secret or secret_file}"},
    INT(ice_servers, credential_ttl_s, 60, 604800, "86400",
        "how long TURN credentials made from a secret are good for"),

    STR(admin, listen, "127.0.0.1:9090", "address of the admin API, /metrics, /livez and /readyz"),
    STR(admin, health_listen, "", "a further address that answers /livez and /readyz only; empty: none"),

    ENUM(log, format, "json|text", "json", "lines for machines or for people"),
    WORD(log, level, "error|warn|info|debug", "info", "what is logged"),
};
/* clang-format on */
const size_t conf_keys_count = ARRAY_LEN(conf_keys);
static_assert(ARRAY_LEN(conf_keys) <= CONF_KEYS_MAX, "a place for each origin");

PRINTF_LIKE(2, 3) static int refuse(struct conf_keys_why *ret_why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ret_why->text, sizeof(ret_why->text), fmt, ap);
    va_end(ap);
    return -EINVAL;
}

const struct conf_key *conf_keys_find(const char *section, const char *name)
{
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (strcmp(k->section, section) == 0 && strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

const struct conf_key *conf_keys_find_name(const char *name)
{
    char full[CONF_KEYS_NAME_MAX];
    for (size_t i = 0; i < conf_keys_count; i++) {
        if (strcmp(conf_keys_name(&conf_keys[i], full), name) == 0) {
            return &conf_keys[i];
        }
    }
    return NULL;
}

bool conf_keys_has_section(const char *section)
{
    for (size_t i = 0; i < conf_keys_count; i++) {
        if (strcmp(conf_keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

const char *conf_keys_name(const struct conf_key *k, char out[CONF_KEYS_NAME_MAX])
{
    snprintf(out, CONF_KEYS_NAME_MAX, "%s.%s", k->section, k->name);
    return out;
}

const char *conf_keys_env_name(const struct conf_key *k, char out[CONF_KEYS_NAME_MAX])
{
    snprintf(out, CONF_KEYS_NAME_MAX, "SLUICE_%s__%s", k->section, k->name);
    for (char *p = out; *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return out;
}

/* Edit distance (insert, delete, replace), counted no further than the length of the longer. */
static size_t distance(const char *a, const char *b)
{
    size_t row[CONF_KEYS_NAME_MAX + 1];
    size_t nb = strnlen(b, CONF_KEYS_NAME_MAX);
    for (size_t j = 0; j <= nb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= strnlen(a, CONF_KEYS_NAME_MAX); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(MIN(row[j], row[j - 1]) + 1, replace);
        }
    }
    return row[nb];
}

const char *conf_keys_nearest(const char *word, const char *const words[], size_t n)
{
    const char *best = NULL;
    size_t best_d = MAX(strlen(word) / 3, 2) + 1;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);
        if (d < best_d) {
            best_d = d;
            best = words[i];
        }
    }
    return best;
}

const struct conf_key *conf_keys_suggest(const char *name)
{
    const char *dot = strchr(name, '.');
    const char *bare = dot ? dot + 1 : name;
    const struct conf_key *best = NULL;
    size_t best_d = MAX(strlen(bare) / 3, 2) + 1;
    for (size_t i = 0; i < conf_keys_count; i++) {
        char full[CONF_KEYS_NAME_MAX];
        size_t d = distance(name, conf_keys_name(&conf_keys[i], full));
        /* The right key in the wrong section, or without one. */
        size_t elsewhere = distance(bare, conf_keys[i].name) + 1;
        d = MIN(d, elsewhere);
        if (d < best_d) {
            best_d = d;
            best = &conf_keys[i];
        }
    }
    return best;
}

int conf_keys_copy(char *out, size_t cap, const char *text, struct conf_keys_why *ret_why)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return refuse(ret_why, "has a control character");
        }
    }
    if (n >= cap) {
        return refuse(ret_why, "longer than %zu bytes", cap - 1);
    }
    memcpy(out, text, n + 1);
    return 0;
}

/* Index of text among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *text)
{
    size_t n = strlen(text);
    int index = 0;
    for (const char *p = choices; p; index++) {
        const char *bar = strchr(p, '|');
        size_t len = bar ? (size_t)(bar - p) : strlen(p);
        if (len == n && memcmp(p, text, n) == 0) {
            return index;
        }
        p = bar ? bar + 1 : NULL;
    }
    return -1;
}

int conf_keys_put_str(struct conf *c, const struct conf_key *k, const char *text,
                      struct conf_keys_why *ret_why)
{
    char *at = (char *)c + k->offset;
    if (k->type == CONF_TYPE_STR) {
        return conf_keys_copy(at, k->size, text, ret_why);
    }
    assert(k->type == CONF_TYPE_WORD || k->type == CONF_TYPE_ENUM);
    int index = choice_index(k->choices, text);
    if (index < 0) {
        return refuse(ret_why, "must be one of %s", k->choices);
    }
    if (k->type == CONF_TYPE_WORD) {
        return conf_keys_copy(at, k->size, text, ret_why);
    }
    memcpy(at, &index, sizeof(index));
    return 0;
}

int conf_keys_put_int(struct conf *c, const struct conf_key *k, double value,
                      struct conf_keys_why *ret_why)
{
    assert(k->type == CONF_TYPE_INT && k->size == sizeof(int));
    if (!(value >= k->min && value <= k->max)) {
        return refuse(ret_why, "must be from %d to %d", k->min, k->max);
    }
    int n = (int)value;
    if (value > n || value < n) {
        return refuse(ret_why, "must be a whole number");
    }
    memcpy((char *)c + k->offset, &n, sizeof(n));
    return 0;
}

void conf_keys_put_bool(struct conf *c, const struct conf_key *k, bool value)
{
    assert(k->type == CONF_TYPE_BOOL && k->size == sizeof(bool));
    memcpy((char *)c + k->offset, &value, sizeof(value));
}

void conf_keys_clear(struct conf *c, const struct conf_key *k)
{
    assert(k->type == CONF_TYPE_STRINGS);
    memset((char *)c + k->offset, 0, k->size);
}

int conf_keys_add_str(struct conf *c, const struct conf_key *k, const char *text,
                      struct conf_keys_why *ret_why)
{
    assert(k->type == CONF_TYPE_STRINGS);
    struct conf_strings *list = (struct conf_strings *)(void *)((char *)c + k->offset);
    if (!text[0]) {
        return refuse(ret_why, "has an empty entry");
    }
    if (list->n == CONF_LIST_MAX) {
        return refuse(ret_why, "has more than %d entries", CONF_LIST_MAX);
    }
    for (int i = 0; i < list->n; i++) {
        if (strcmp(list->s[i], text) == 0) {
            return refuse(ret_why, "names \"%.80s\" twice", text);
        }
    }
    int rc = conf_keys_copy(list->s[list->n], CONF_STR_MAX, text, ret_why);
    list->n += rc == 0;
    return rc;
}

static int put_list(struct conf *c, const struct conf_key *k, const char *text,
                    struct conf_keys_why *ret_why)
{
    conf_keys_clear(c, k);
    if (!text[0]) {
        return 0;
    }
    for (const char *p = text; p;) {
        const char *comma = strchr(p, ',');
        const char *end = comma ? comma : p + strlen(p);
        while (*p == ' ') {
            p++;
        }
        while (end > p && end[-1] == ' ') {
            end--;
        }
        char item[CONF_STR_MAX];
        size_t n = (size_t)(end - p);
        if (n >= sizeof(item)) {
            return refuse(ret_why, "has an entry longer than %zu bytes", sizeof(item) - 1);
        }
        memcpy(item, p, n);
        item[n] = '\0';
        int rc = conf_keys_add_str(c, k, item, ret_why);
        if (rc) {
            return rc;
        }
        p = comma ? comma + 1 : NULL;
    }
    return 0;
}

static int put_number_text(struct conf *c, const struct conf_key *k, const char *text,
                           struct conf_keys_why *ret_why)
{
    size_t digits = strspn(text[0] == '-' ? text + 1 : text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits + (text[0] == '-')]) {
        return refuse(ret_why, "must be a whole number");
    }
    return conf_keys_put_int(c, k, (double)strtoll(text, NULL, 10), ret_why);
}

int conf_keys_put_text(struct conf *c, const struct conf_key *k, const char *text,
                       struct conf_keys_why *ret_why)
{
    switch (k->type) {
    case CONF_TYPE_STR:
    case CONF_TYPE_WORD:
    case CONF_TYPE_ENUM:
        return conf_keys_put_str(c, k, text, ret_why);
    case CONF_TYPE_INT:
        return put_number_text(c, k, text, ret_why);
    case CONF_TYPE_STRINGS:
        return put_list(c, k, text, ret_why);
    case CONF_TYPE_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return refuse(ret_why, "must be true or false");
        }
        conf_keys_put_bool(c, k, text[0] == 't');
        return 0;
    case CONF_TYPE_TOKENS:
    case CONF_TYPE_SERVERS:
    case CONF_TYPE_KEYS:
    case CONF_TYPE_HOOKS:
        break;
    }
    assert(false && "lists of objects are read by conf_apply");
    return -EINVAL;
}

bool conf_keys_is_objects(const struct conf_key *k)
{
    return k->type == CONF_TYPE_TOKENS || k->type == CONF_TYPE_SERVERS ||
           k->type == CONF_TYPE_KEYS || k->type == CONF_TYPE_HOOKS;
}

const char *conf_keys_word(const struct conf *c, const struct conf_key *k, char out[16])
{
    const char *at = (const char *)c + k->offset;
    if (k->type == CONF_TYPE_WORD) {
        return at;
    }
    assert(k->type == CONF_TYPE_ENUM);
    int index = 0;
    memcpy(&index, at, sizeof(index));
    const char *p = k->choices;
    while (index-- > 0) {
        p = strchr(p, '|') + 1;
    }
    snprintf(out, 16, "%.*s", (int)strcspn(p, "|"), p);
    return out;
}
