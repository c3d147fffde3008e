/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/moderate.h"

#include <errno.h>
#include <string.h>

#include "conf/clock.h"
#include "conf/conf.h"
#include "conf/log.h"
#include "signaling/life.h"
#include "signaling/state.h"

static bool is_live(const struct resource *r)
{
    return r->state == RESOURCE_NEW || r->state == RESOURCE_UP;
}

int moderate_revoke(struct signaling *s, const char *jti)
{
    int64_t now_s = clock_wall_us() / US_PER_S;
    int64_t until_s = now_s + s->conf->auth.max_lifetime_s + 2 * s->conf->auth.leeway_s;
    int n = 0;
    if (auth_revoked_add_jti(&s->revoked, jti, until_s) < 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            if (is_live(r) && r->grant != NULL && strcmp(r->grant->jti, jti) == 0) {
                life_end(s, r, API_END_REVOKED);
                n++;
            }
        }
    }
    log_info("token_revoked", LOG_STR("jti", jti), LOG_INT("sessions", n));
    return n;
}

void moderate_sweep(struct signaling *s, int64_t now_s)
{
    auth_revoked_sweep(&s->revoked, now_s);
    if (!s->conf->auth.end_on_expiry) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(s->sessions.ids); i++) {
        LIST_EACH(it, &s->sessions.ids[i])
        {
            struct resource *r = container_of(it, struct resource, by_id);
            int64_t leeway_s = s->conf->auth.leeway_s;
            if (is_live(r) && r->grant != NULL && r->grant->expires_s < now_s - leeway_s) {
                life_end(s, r, API_END_EXPIRED);
            }
        }
    }
}
