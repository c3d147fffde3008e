/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

#define IP_TEXT_MAX 64

/* An address in 16 bytes, IPv4 mapped. conf is a leaf, so this is not ice/addr.h. */
struct ip {
    uint8_t b[16];
};

static bool parse_ip(const char *text, struct ip *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t v4[4];
    if (inet_pton(AF_INET6, text, ret->b) == 1) {
        return true;
    }
    if (inet_pton(AF_INET, text, v4) != 1) {
        return false;
    }
    memcpy(ret->b, mapped, sizeof(mapped));
    memcpy(ret->b + 12, v4, sizeof(v4));
    return true;
}

static bool is_v4(const struct ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

static bool is_loopback(const struct ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};
    return is_v4(ip) ? ip->b[12] == 127 : memcmp(ip->b, one, sizeof(one)) == 0;
}

static bool is_unspecified(const struct ip *ip)
{
    static const uint8_t zero[16] = {0};
    return memcmp(ip->b + (is_v4(ip) ? 12 : 0), zero, is_v4(ip) ? 4 : 16) == 0;
}

static bool is_multicast(const struct ip *ip)
{
    return is_v4(ip) ? ip->b[12] >= 224 : ip->b[0] == 0xff;
}

int conf_split_host_port(const char *text, char *host, size_t host_cap, uint16_t *ret_port)
{
    const char *end = NULL;
    const char *start = text;
    if (text[0] == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (!end || end[1] != ':') {
            return -EINVAL;
        }
    } else {
        end = strchr(text, ':');
        if (!end || strchr(end + 1, ':')) {
            return -EINVAL; /* an IPv6 address needs its brackets */
        }
    }
    size_t n = (size_t)(end - start);
    const char *port = end + (text[0] == '[') + 1;
    size_t digits = strspn(port, "0123456789");
    if (n == 0 || n >= host_cap || digits == 0 || digits > 5 || port[digits]) {
        return -EINVAL;
    }
    unsigned long value = strtoul(port, NULL, 10);
    if (value > UINT16_MAX) {
        return -EINVAL;
    }
    memcpy(host, start, n);
    host[n] = '\0';
    *ret_port = (uint16_t)value;
    return 0;
}

struct listener {
    const char *key;
    const char *text;
    struct ip ip;
    uint16_t port;
};

static int check_listener(struct listener *l, struct conf_error *ret_err)
{
    char host[IP_TEXT_MAX];
    if (l->text[0] == ':' && !strchr(l->text + 1, ':')) {
        return conf_refuse(ret_err, "%s: \"%.100s\" has no address; write [::]%.8s for all", l->key,
                           l->text, l->text);
    }
    if (conf_split_host_port(l->text, host, sizeof(host), &l->port)) {
        return conf_refuse(ret_err, "%s: \"%.100s\" must be ADDRESS:PORT or [IPV6]:PORT", l->key,
                           l->text);
    }
    if (!parse_ip(host, &l->ip)) {
        return conf_refuse(ret_err, "%s: \"%.60s\" is no IP address", l->key, host);
    }
    return 0;
}

static bool collide(const struct listener *a, const struct listener *b)
{
    return a->port != 0 && a->port == b->port &&
           (memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0 || is_unspecified(&a->ip) ||
            is_unspecified(&b->ip));
}

static int check_listeners(const struct conf *c, struct ip *ret_http, struct ip *ret_admin,
                           struct conf_error *ret_err)
{
    struct listener l[] = {{.key = "http.listen", .text = c->http.listen},
                           {.key = "admin.listen", .text = c->admin.listen},
                           {.key = "media.listen", .text = c->media.listen},
                           {.key = "admin.health_listen", .text = c->admin.health_listen}};
    size_t n = ARRAY_LEN(l) - (c->admin.health_listen[0] ? 0 : 1);
    for (size_t i = 0; i < n; i++) {
        int rc = check_listener(&l[i], ret_err);
        if (rc) {
            return rc;
        }
        for (size_t j = 0; j < i; j++) {
            bool udp_only =
                !c->media.tcp && (l[i].text == c->media.listen || l[j].text == c->media.listen);
            if (!udp_only && collide(&l[i], &l[j])) {
                return conf_refuse(ret_err, "%s: port %u is taken by %s", l[i].key, l[i].port,
                                   l[j].key);
            }
        }
    }
    if (is_multicast(&l[2].ip)) {
        return conf_refuse(ret_err, "media.listen: a multicast address");
    }
    *ret_http = l[0].ip;
    *ret_admin = l[1].ip;
    return 0;
}

/* What stands behind "https://host" or "https://host:port"; NULL if text does not begin so. */
static const char *behind_origin(const char *text)
{
    const char *p = strncmp(text, "https://", 8) == 0  ? text + 8
                    : strncmp(text, "http://", 7) == 0 ? text + 7
                                                       : NULL;
    size_t len = p ? strcspn(p, "/?#@ \t,*") : 0;
    return len > 0 ? p + len : NULL;
}

static bool is_origin(const char *text)
{
    const char *rest = behind_origin(text);
    return rest && !*rest;
}

bool conf_is_url_path(const char *text)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~/";
    return text[0] == '/' && !text[strspn(text, unreserved)] && !strstr(text, "//") &&
           !strstr(text, "/.");
}

/* An origin, perhaps with the path under which a proxy has us. */
static bool is_base_url(const char *text)
{
    const char *rest = behind_origin(text);
    return rest && (!*rest || conf_is_url_path(rest));
}

static int check_http(const struct conf *c, struct conf_error *ret_err)
{
    if (c->http.public_origin[0] && !is_base_url(c->http.public_origin)) {
        return conf_refuse(ret_err,
                           "http.public_origin: \"%.120s\" must be like https://media.example.org "
                           "or https://example.org/sluice",
                           c->http.public_origin);
    }
    for (int i = 0; i < c->http.cors_origins.n; i++) {
        const char *o = c->http.cors_origins.s[i];
        if (strcmp(o, "*") != 0 && !is_origin(o)) {
            return conf_refuse(
                ret_err, "http.cors_origins: \"%.120s\" must be * or like https://example.org", o);
        }
    }
    for (int i = 0; i < c->http.trusted_proxies.n; i++) {
        const char *cidr = c->http.trusted_proxies.s[i];
        char host[IP_TEXT_MAX];
        struct ip ip;
        size_t n = strcspn(cidr, "/");
        const char *bits = cidr[n] ? cidr + n + 1 : "0";
        size_t digits = strspn(bits, "0123456789");
        snprintf(host, sizeof(host), "%.*s", (int)MIN(n, sizeof(host)), cidr);
        if (!parse_ip(host, &ip) || digits == 0 || digits > 3 || bits[digits] ||
            strtol(bits, NULL, 10) > (is_v4(&ip) ? 32 : 128)) {
            return conf_refuse(
                ret_err, "http.trusted_proxies: \"%.80s\" must be like 10.0.0.0/8 or 10.0.0.1",
                cidr);
        }
    }
    return 0;
}

static int check_readable(const char *key, const char *path, struct conf_error *ret_err)
{
    if (path[0] && access(path, R_OK) != 0) {
        return conf_refuse(ret_err, "%s: %.200s: %s", key, path, strerror(errno));
    }
    return 0;
}

/* A file that is written anew each time needs a folder that can be written to. */
static int check_writable(const char *key, const char *path, struct conf_error *ret_err)
{
    char folder[CONF_STR_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    if (path[0] && access(folder, W_OK | X_OK) != 0) {
        return conf_refuse(ret_err, "%s: %.200s: %s", key, folder, strerror(errno));
    }
    return 0;
}

static int check_tls(const struct conf *c, struct conf_error *ret_err)
{
    if (c->tls.cert_file[0] && !c->tls.key_file[0]) {
        return conf_refuse(ret_err, "tls.key_file: missing; tls.cert_file needs it");
    }
    if (c->tls.key_file[0] && !c->tls.cert_file[0]) {
        return conf_refuse(ret_err, "tls.cert_file: missing; tls.key_file needs it");
    }
    if (c->tls.self_signed && c->tls.cert_file[0]) {
        return conf_refuse(ret_err, "tls.self_signed: cannot be used together with tls.cert_file");
    }
    int rc = check_readable("tls.cert_file", c->tls.cert_file, ret_err);
    return rc ? rc : check_readable("tls.key_file", c->tls.key_file, ret_err);
}

static int check_media(const struct conf *c, struct conf_error *ret_err)
{
    static const char *const codecs[] = {"VP8", "VP9", "H264", "H265", "AV1"};
    for (int i = 0; i < c->media.announce.n; i++) {
        struct ip ip;
        const char *text = c->media.announce.s[i];
        if (!parse_ip(text, &ip) || is_unspecified(&ip) || is_multicast(&ip)) {
            return conf_refuse(
                ret_err,
                "media.announce: \"%.120s\" must be an IP address of this machine, or "
                "one that is forwarded to it",
                text);
        }
    }
    if (c->media.video_codecs.n == 0) {
        return conf_refuse(ret_err, "media.video_codecs: empty");
    }
    for (int i = 0; i < c->media.video_codecs.n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(codecs) && strcmp(codecs[k], c->media.video_codecs.s[i]) != 0) {
            k++;
        }
        if (k == ARRAY_LEN(codecs)) {
            return conf_refuse(ret_err,
                               "media.video_codecs: \"%.40s\" must be one of VP8 H264 VP9 AV1 H265",
                               c->media.video_codecs.s[i]);
        }
    }
    return 0;
}

/* "https://…", or "http://" of this machine: what is fetched there decides who comes in. */
static bool is_safe_url(const char *text)
{
    static const char *const local[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    bool ok = strncmp(text, "https://", 8) == 0 && text[8] && text[8] != '/';
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        size_t n = strlen(local[i]);
        ok = ok || (strncmp(text, local[i], n) == 0 && (text[n] == ':' || text[n] == '/'));
    }
    size_t host = (size_t)(strstr(text, "://") ? strstr(text, "://") + 3 - text : 0);
    return ok && !text[strcspn(text, " \"<>\\^`{|}#")] &&
           !memchr(text + host, '@', strcspn(text + host, "/?"));
}

static int check_auth(const struct conf *c, struct conf_error *ret_err)
{
    if (c->auth.jwks_url[0] && !is_safe_url(c->auth.jwks_url)) {
        return conf_refuse(
            ret_err,
            "auth.jwks_url: \"%.120s\" must be an https:// URL without user and password, "
            "or http:// on loopback",
            c->auth.jwks_url);
    }
    if (c->auth.hook_url[0] && !is_safe_url(c->auth.hook_url)) {
        return conf_refuse(
            ret_err,
            "auth.hook_url: \"%.120s\" must be an https:// URL without user and password, "
            "or http:// on loopback",
            c->auth.hook_url);
    }
    if (check_readable("auth.hook_secret_file", c->auth.hook_secret_file, ret_err) ||
        check_writable("auth.revoked_file", c->auth.revoked_file, ret_err)) {
        return -EINVAL;
    }
    for (int i = 0; i < c->auth.n_keys; i++) {
        const struct conf_auth_key *k = &c->auth.keys[i];
        for (int j = 0; j < i; j++) {
            if (k->kid[0] && strcmp(k->kid, c->auth.keys[j].kid) == 0) {
                return conf_refuse(ret_err, "auth.keys[%d].kid: the same as that of auth.keys[%d]",
                                   i, j);
            }
        }
        if (k->pem_file[0] && access(k->pem_file, R_OK) != 0) {
            return conf_refuse(ret_err, "auth.keys[%d].pem_file: %.200s: %s", i, k->pem_file,
                               strerror(errno));
        }
        if (k->jwk_file[0] && access(k->jwk_file, R_OK) != 0) {
            return conf_refuse(ret_err, "auth.keys[%d].jwk_file: %.200s: %s", i, k->jwk_file,
                               strerror(errno));
        }
    }
    return 0;
}

bool conf_has_auth(const struct conf *c)
{
    return c->auth.n_tokens > 0 || c->auth.n_keys > 0 || c->auth.jwks_url[0] || c->auth.hook_url[0];
}

/* A public address needs tokens and TLS, and the refusal names what is missing. */
static int check_public(const struct conf *c, const struct ip *http, struct conf_error *ret_err)
{
    if (c->insecure_dev) {
        return 0;
    }
    bool auth = conf_has_auth(c);
    if (c->tls.terminated_upstream && !auth) {
        return conf_refuse(ret_err,
                           "auth.tokens: empty, but tls.terminated_upstream says that a proxy "
                           "lets others in; or start with --insecure-dev");
    }
    if (is_loopback(http)) {
        return 0;
    }
    bool tls = c->tls.cert_file[0] || c->tls.self_signed || c->tls.terminated_upstream;
    if (auth && tls) {
        return 0;
    }
    return conf_refuse(
        ret_err,
        "http.listen: %.60s can be reached from other machines: %s%s%s; or start with "
        "--insecure-dev",
        c->http.listen, auth ? "" : "auth.tokens is empty", auth || tls ? "" : ", and ",
        tls ? ""
            : "one of tls.cert_file (with tls.key_file), tls.self_signed or "
              "tls.terminated_upstream is missing");
}

bool conf_admin_is_public(const struct conf *c)
{
    char host[IP_TEXT_MAX];
    struct ip ip;
    uint16_t port;
    return conf_split_host_port(c->admin.listen, host, sizeof(host), &port) ||
           !parse_ip(host, &ip) || !is_loopback(&ip);
}

/* The same for the admin API: whoever reaches it ends sessions and reads addresses. */
static int check_admin(const struct conf *c, const struct ip *admin, struct conf_error *ret_err)
{
    bool token = c->auth.n_keys > 0 || c->auth.jwks_url[0];
    bool tls = c->tls.cert_file[0] || c->tls.self_signed || c->tls.terminated_upstream;
    for (int i = 0; i < c->auth.n_tokens; i++) {
        token = token || c->auth.tokens[i].admin;
    }
    if (c->insecure_dev || is_loopback(admin) || (token && tls)) {
        return 0;
    }
    return conf_refuse(
        ret_err,
        "admin.listen: %.60s can be reached from other machines: %s%s%s; or keep it on "
        "loopback, with admin.health_listen for probes; or start with --insecure-dev",
        c->admin.listen, token ? "" : "no entry of auth.tokens has \"admin\": true",
        token || tls ? "" : ", and ",
        tls ? ""
            : "one of tls.cert_file (with tls.key_file), tls.self_signed or "
              "tls.terminated_upstream is missing");
}

int conf_validate(const struct conf *c, struct conf_error *ret_err)
{
    struct ip http;
    struct ip admin;
    int rc = check_listeners(c, &http, &admin, ret_err);
    rc = rc ? rc : check_http(c, ret_err);
    rc = rc ? rc : check_tls(c, ret_err);
    rc = rc ? rc : check_media(c, ret_err);
    rc = rc ? rc : check_auth(c, ret_err);
    if (rc == 0 && c->limits.gone_timeout_ms > c->limits.end_timeout_ms) {
        rc = conf_refuse(ret_err, "limits.gone_timeout_ms: longer than limits.end_timeout_ms");
    }
    rc = rc ? rc : check_public(c, &http, ret_err);
    return rc ? rc : check_admin(c, &admin, ret_err);
}
