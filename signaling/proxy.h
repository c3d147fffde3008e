/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h - which client stands behind the proxies we trust (SEC-11). Pure; any thread. */
#ifndef SIGNALING_PROXY_H
#define SIGNALING_PROXY_H

#include "conf/conf.h"
#include "ice/addr.h"
#include "rtp/base.h"

struct proxy_set {
    int n;
    struct {
        struct addr net;
        unsigned bits; /* in the 16-byte form */
    } nets[CONF_LIST_MAX];
};

/* Reads "192.0.2.0/24", "2001:db8::/32" or single addresses. Returns 0, or -EINVAL with the first
 * bad entry in *ret_bad. */
int proxy_parse(const struct conf_strings *list, struct proxy_set *ret,
                const char **ret_bad) MUST_CHECK;
bool proxy_is_trusted(const struct proxy_set *set, const struct addr *a);
/* The client: peer itself unless trusted; else the rightmost address of X-Forwarded-For that is not
 * a trusted proxy. An unreadable entry ends the search at the hop that wrote it. xff may be NULL.
 */
struct addr proxy_client(const struct proxy_set *set, const struct addr *peer, const char *xff);

#endif
