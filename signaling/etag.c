/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/etag.h"

#include <string.h>

enum etag_match etag_match(const char *header, const char *current)
{
    if (header == NULL) {
        return ETAG_ABSENT;
    }
    size_t want = strlen(current);
    enum etag_match result = ETAG_STALE;
    const char *at = header;
    for (;;) {
        at += strspn(at, " \t,");
        if (*at == '\0') {
            return result;
        }
        bool weak = at[0] == 'W' && at[1] == '/';
        at += weak ? 2 : 0;
        size_t len;
        const char *tag = at;
        if (*at == '"') {
            tag++;
            len = strcspn(tag, "\"");
            at = tag + len + (tag[len] == '"' ? 1 : 0);
        } else {
            len = strcspn(tag, " \t,");
            at = tag + len;
        }
        if (len == 1 && tag[0] == '*' && !weak) {
            return ETAG_ANY;
        }
        if (!weak && len == want && memcmp(tag, current, len) == 0) {
            result = ETAG_CURRENT;
        }
    }
}
