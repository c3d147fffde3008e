/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - settings: defaults < file (JSON with comments) < SLUICE_SECTION__KEY environment < flags
 * (--set section.key=value). One table of keys (conf_keys.c) drives reading, validation,
 * --print-config and the README's list. Loaded on MAIN before threads start; read-only afterwards
 * (a reload makes a new struct conf and swaps what is reloadable). */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "rtp/base.h"

#define CONF_STR_MAX   256
#define CONF_LIST_MAX  16
#define CONF_RULES_MAX 64

enum conf_log_format {
    CONF_LOG_JSON,
    CONF_LOG_TEXT,
};

enum conf_etag_mode {
    CONF_ETAG_LENIENT, /* a trickle PATCH without If-Match passes when its ufrag and pwd are current
                        */
    CONF_ETAG_STRICT,  /* 428 */
};

struct conf_strings {
    int n;
    char s[CONF_LIST_MAX][CONF_STR_MAX];
};

/* One bearer token: who may do what on which streams. */
struct conf_token {
    char token[CONF_STR_MAX];   /* compared in constant time; "token_file" reads it from a file */
    char name[64];              /* principal, for logs and take-over */
    char pattern[CONF_STR_MAX]; /* "room/participant" glob, anchored, '*' matches any run of
                                   characters */
    bool publish;
    bool play;
    bool data;     /* data channels; publishers have them anyway */
    bool moderate; /* mute, remove, lock: in the rooms of pattern */
    bool admin;    /* the admin API */
};

/* A key that JSON Web Tokens are verified with. Which members must be there depends on alg. */
struct conf_auth_key {
    char alg[8];                 /* HS256, RS256, ES256, EdDSA */
    char kid[72];                /* empty: serves tokens of any kid */
    char secret[CONF_STR_MAX];   /* HS256; "secret_file" reads it from a file */
    char pem_file[CONF_STR_MAX]; /* public key or certificate */
    char jwk_file[CONF_STR_MAX]; /* one JSON Web Key (RFC 7517) */
};

/* Who is told what happens. */
struct conf_webhook {
    char url[CONF_STR_MAX];
    char secret[CONF_STR_MAX]; /* signs; "secret_file" reads it from a file */
    char events[CONF_STR_MAX]; /* names or patterns with *, separated by commas; empty: all */
};

struct conf_ice_server {
    char url[CONF_STR_MAX]; /* stun:…, turn:…, turns:… (RFC 7065) */
    char username[64];      /* static credentials, or empty */
    char credential[CONF_STR_MAX];
    char secret[CONF_STR_MAX]; /* coturn's static-auth-secret: credentials are made per session */
};

struct conf {
    struct {
        char listen[CONF_STR_MAX]; /* "127.0.0.1:8080"; without tokens only loopback is accepted,
                                      unless insecure_dev */
        char public_origin[CONF_STR_MAX];    /* "https://media.example.org", or with a path before
                                                ours: Location headers begin so; empty: from Host */
        struct conf_strings cors_origins;    /* "*" or exact origins */
        struct conf_strings trusted_proxies; /* CIDRs whose X-Forwarded-* headers count (SEC-11) */
        int max_connections;
        int max_connections_per_ip;
        int posts_per_ip_per_s; /* token bucket on POST and PATCH; burst is 5x (SEC-04) */
        enum conf_etag_mode etag_mode;
        int event_streams_per_ip;      /* SSE */
        bool require_token_on_session; /* PATCH and DELETE need the token too */
    } http;
    struct {
        char cert_file[CONF_STR_MAX]; /* PEM chain; empty: plain HTTP */
        char key_file[CONF_STR_MAX];
        bool self_signed;         /* make a certificate at start, for phones on a LAN */
        bool terminated_upstream; /* a proxy in front speaks TLS */
    } tls;
    struct {
        char listen[CONF_STR_MAX]; /* "[::]:8189", UDP and TCP */
        /* addresses written into answers, in order; empty: those of the interfaces */
        struct conf_strings announce;
        int workers; /* 0: one per core */
        bool tcp;
        bool gso;
        bool gro;
        int gather_us;
        int rcvbuf_bytes;
        int sndbuf_bytes;
        char seal_backend[16];  /* auto, openssl, ipsec-mb, libsrtp2 */
        int max_publisher_kbps; /* cap per publisher (SEC-71), told by REMB, enforced by dropping */
        int history_ms;         /* how long sent packets can be asked for again */
        /* allowed, in the server's order of preference: VP8 H264 VP9 AV1 H265 */
        struct conf_strings video_codecs;
        bool prefer_offer_order; /* the publisher's order decides among the allowed ones */
        bool video_orientation;  /* negotiate urn:3gpp:video-orientation with publishers */
    } media;
    struct {
        bool enabled;
        int max_message_bytes; /* told as a=max-message-size, enforced by closing the channel */
        int buffer_bytes;      /* of memory for what waits for one slow reader */
        int messages_per_s;    /* of one sender; SCTP holds it up */
        int max_kbps;          /* the same, by volume */
        int channels_max;      /* that one client may have open */
    } data;
    struct {
        int audio_slots; /* sections of one kind in one session; both 1: no slots */
        int video_slots;
        bool pin_video_codec; /* a room's first video publisher decides for the later ones */
    } rooms;
    struct {
        int max_sessions;
        int max_half_open;    /* sessions without DTLS; the oldest gives way (SEC-76) */
        int ice_timeout_ms;   /* POST without STUN */
        int dtls_timeout_ms;  /* STUN without DTLS */
        int media_timeout_ms; /* publisher: DTLS without media */
        int gone_timeout_ms;  /* silence: counts as gone */
        int end_timeout_ms;   /* silence: ends */
        int drain_timeout_ms;
    } limits;
    struct {
        int n_tokens;
        struct conf_token tokens[CONF_RULES_MAX];
        int n_keys;
        struct conf_auth_key keys[CONF_LIST_MAX];
        char jwks_url[CONF_STR_MAX]; /* key set fetched and refreshed (RFC 7517 5) */
        char issuer[CONF_STR_MAX];   /* iss must be this; empty: any */
        char audience[CONF_STR_MAX]; /* aud must hold this; empty: tokens with aud are refused */
        int leeway_s;
        int max_lifetime_s;
        bool end_on_expiry; /* a session ends when its token does */
        int max_sessions_per_token;
        char revoked_file[CONF_STR_MAX]; /* keeps revocations over restarts; empty: nothing does */
        char hook_url[CONF_STR_MAX];     /* asked for each publish and play; empty: nobody is */
        char hook_secret_file[CONF_STR_MAX];
        int hook_timeout_ms;
    } auth;
    struct {
        int n;
        struct conf_webhook targets[CONF_LIST_MAX];
        int queue;
        int timeout_ms;
        int retry_s; /* from the event on; then it is dropped */
    } webhooks;
    struct {
        int n;
        struct conf_ice_server servers[CONF_LIST_MAX];
        int credential_ttl_s;
    } ice_servers;
    struct {
        char listen[CONF_STR_MAX];        /* "127.0.0.1:9090": admin API, metrics, health */
        char health_listen[CONF_STR_MAX]; /* empty, or a public address that answers /livez and
                                             /readyz only */
    } admin;
    struct {
        enum conf_log_format format;
        char level[8]; /* error warn info debug */
    } log;
    bool insecure_dev; /* --insecure-dev: a public address without tokens and TLS */
};

/* Who set a setting last. */
enum conf_from { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_ENV, CONF_FROM_FLAG };

#define CONF_KEYS_MAX 128

/* Where each setting comes from, by its row in conf_keys. */
struct conf_origins {
    struct {
        enum conf_from from;
        int line; /* CONF_FROM_FILE */
    } of[CONF_KEYS_MAX];
};

/* What conf_load decided beside the settings. */
struct conf_request {
    bool check_config; /* --check-config: validate, print "ok", exit 0 */
    bool print_config; /* --print-config: effective settings as JSON, secrets masked */
    bool version;
    bool help;
    char file[CONF_STR_MAX]; /* --config FILE, or empty: embedded defaults */
    struct conf_origins origins;
};

struct conf_error {
    char text[512]; /* "sluice.json:12: media.worker: unknown key (did you mean media.workers?)" */
};

/* Exit code for a configuration that was refused (sysexits EX_CONFIG). */
#define CONF_EXIT 78

/* Loads everything. argv and envp as main got them. Returns 0; -EINVAL with ret_err filled. On
 * failure ret_conf is undefined. */
int conf_load(int argc, char **argv, char **envp, struct conf *ret_conf,
              struct conf_request *ret_req, struct conf_error *ret_err) MUST_CHECK;
/* Only the defaults. */
void conf_defaults(struct conf *c);
/* Checks that hold between keys (architecture §9: public address needs tokens and TLS, …). Returns
 * 0 or -EINVAL. */
int conf_validate(const struct conf *c, struct conf_error *ret_err) MUST_CHECK;
/* Says in ret_err why settings are refused. Returns -EINVAL. */
PRINTF_LIKE(2, 3) int conf_refuse(struct conf_error *ret_err, const char *fmt, ...);
/* Puts the place of the setting that wrong begins with before it, as far as it was set:
 * "sluice.json:12: tls.cert_file: …". */
void conf_locate(const struct conf_request *req, const char *wrong, struct conf_error *ret_err);
/* True when something says who may do what: tokens, keys of tokens, a hook. */
bool conf_has_auth(const struct conf *c);
/* True when admin.listen can be reached from other machines. */
bool conf_admin_is_public(const struct conf *c);
/* The effective settings as JSON, secrets masked; free(3) it. */
char *conf_print(const struct conf *c);
/* The text of --help. */
const char *conf_usage(void);
/* Whether text is the path of a URL that needs no escapes: "/sluice", "/a/b/". */
bool conf_is_url_path(const char *text);
/* "host:port" or "[v6]:port". Returns 0 or -EINVAL. */
int conf_split_host_port(const char *text, char *host, size_t host_cap,
                         uint16_t *ret_port) MUST_CHECK;

#endif
