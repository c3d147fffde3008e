/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/origin.h"

#include <stdio.h>
#include <string.h>

#include "signaling/http.h"

/* A Host header that may be written into a Location: a name or address and a port. */
static bool is_host(const char *host)
{
    size_t len = strlen(host);
    return len > 0 && len < 256 &&
           strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]_") ==
               len;
}

static bool has_port(const char *host)
{
    const char *bracket = strrchr(host, ']');
    return strchr(bracket != NULL ? bracket : host, ':') != NULL;
}

/* What a trusted proxy says of the origin that it was asked for, or "". A host that only the Host
 * header names may have lost its port on the way (nginx: "$host"): without one it is not enough. */
static void forwarded_origin(const struct http_request *rq, char out[ORIGIN_MAX])
{
    const char *proto = http_header(rq, "X-Forwarded-Proto");
    const char *host = http_header(rq, "X-Forwarded-Host");
    const char *port = http_header(rq, "X-Forwarded-Port");
    bool whole = host != NULL; // else the Host header has to do
    host = host != NULL ? host : http_header(rq, "Host");
    if (proto == NULL || (strcmp(proto, "https") != 0 && strcmp(proto, "http") != 0) ||
        host == NULL || !is_host(host)) {
        return;
    }
    bool standard = port != NULL && strcmp(port, strcmp(proto, "https") == 0 ? "443" : "80") == 0;
    if (has_port(host) || standard || (whole && port == NULL)) {
        snprintf(out, ORIGIN_MAX, "%s://%s", proto, host);
    } else if (port != NULL && strlen(port) <= 5 && strspn(port, "0123456789") == strlen(port)) {
        snprintf(out, ORIGIN_MAX, "%s://%s:%s", proto, host, port);
    }
}

/* Appends the path that a trusted proxy took off the URL (Traefik says so by itself). */
static void add_forwarded_prefix(const struct http_request *rq, char out[ORIGIN_MAX])
{
    const char *prefix = http_header(rq, "X-Forwarded-Prefix");
    size_t len = prefix != NULL ? strlen(prefix) : 0;
    size_t used = strlen(out);
    len -= len > 0 && prefix[len - 1] == '/' ? 1 : 0;
    if (len > 0 && len < ORIGIN_PREFIX_MAX && conf_is_url_path(prefix)) {
        snprintf(out + used, ORIGIN_MAX - used, "%.*s", (int)len, prefix);
    }
}

/* Without TLS of our own a proxy may stand in front that speaks it, and say nothing: then "http:"
 * would be wrong, and the page's browser refuse it. */
void origin_find(const struct conf *c, const struct http_request *rq, char out[ORIGIN_MAX])
{
    const char *host = http_header(rq, "Host");
    out[0] = '\0';
    if (c->http.public_origin[0] != '\0') {
        size_t len = strlen(c->http.public_origin);
        len -= c->http.public_origin[len - 1] == '/' ? 1 : 0;
        snprintf(out, ORIGIN_MAX, "%.*s", (int)len, c->http.public_origin);
    } else if (http_is_proxied(rq)) {
        forwarded_origin(rq, out);
        add_forwarded_prefix(rq, out);
    } else if (http_is_tls(rq) && host != NULL && is_host(host)) {
        snprintf(out, ORIGIN_MAX, "https://%s", host);
    }
}
