/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/proxy.h"

#include <errno.h>
#include <string.h>

static int parse_net(const char *text, struct addr *ret, unsigned *ret_bits)
{
    char ip[ADDR_TEXT_MAX];
    size_t len = strcspn(text, "/");
    if (len >= sizeof(ip)) {
        return -EINVAL;
    }
    memcpy(ip, text, len);
    ip[len] = '\0';
    struct addr a;
    if (addr_parse_ip(ip, 0, &a) < 0) {
        return -EINVAL;
    }
    unsigned width = addr_is_v4(&a) ? 32 : 128;
    unsigned bits = width;
    if (text[len] == '/') {
        const char *digits = text + len + 1;
        size_t n = strspn(digits, "0123456789");
        if (n == 0 || n > 3 || digits[n] != '\0') {
            return -EINVAL;
        }
        bits = 0;
        for (size_t i = 0; i < n; i++) {
            bits = bits * 10 + (unsigned)(digits[i] - '0');
        }
        if (bits > width) {
            return -EINVAL;
        }
    }
    *ret = a;
    *ret_bits = bits + 128 - width;
    return 0;
}

int proxy_parse(const struct conf_strings *list, struct proxy_set *ret, const char **ret_bad)
{
    struct proxy_set set = {0};
    for (int i = 0; i < list->n; i++) {
        if (parse_net(list->s[i], &set.nets[i].net, &set.nets[i].bits) < 0) {
            *ret_bad = list->s[i];
            return -EINVAL;
        }
        set.n++;
    }
    *ret = set;
    return 0;
}

bool proxy_is_trusted(const struct proxy_set *set, const struct addr *a)
{
    for (int i = 0; i < set->n; i++) {
        if (addr_in_prefix(a, &set->nets[i].net, set->nets[i].bits)) {
            return true;
        }
    }
    return false;
}

/* One element of X-Forwarded-For: an address, perhaps in brackets, perhaps with a port. */
static bool parse_hop(const char *text, size_t len, struct addr *ret)
{
    while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    char ip[ADDR_TEXT_MAX];
    if (len == 0 || len >= sizeof(ip)) {
        return false;
    }
    memcpy(ip, text, len);
    ip[len] = '\0';
    char *start = ip;
    if (ip[0] == '[') {
        char *end = strchr(ip, ']');
        if (end == NULL) {
            return false;
        }
        *end = '\0';
        start = ip + 1;
    } else {
        char *colon = strchr(ip, ':');
        if (colon != NULL && strchr(colon + 1, ':') == NULL) {
            *colon = '\0'; // IPv4 with a port
        }
    }
    return addr_parse_ip(start, 0, ret) == 0;
}

struct addr proxy_client(const struct proxy_set *set, const struct addr *peer, const char *xff)
{
    struct addr client = *peer;
    if (xff == NULL) {
        return client;
    }
    size_t end = strlen(xff);
    while (proxy_is_trusted(set, &client) && end > 0) {
        size_t start = end;
        while (start > 0 && xff[start - 1] != ',') {
            start--;
        }
        struct addr hop;
        if (!parse_hop(xff + start, end - start, &hop)) {
            break;
        }
        client = hop;
        end = start > 0 ? start - 1 : 0;
    }
    return client;
}
