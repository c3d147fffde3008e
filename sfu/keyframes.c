/* SPDX-License-Identifier: Apache-2.0 */
#include "sfu/keyframes.h"

#include <string.h>

void keyframes_init(struct keyframes *k)
{
    memset(k, 0, sizeof(*k));
    k->last_ask_us = INT64_MIN / 2;
    k->last_key_us = INT64_MIN / 2;
}

void keyframes_give_up(struct keyframes *k)
{
    k->deaf = true;
    k->never = true;
}

void keyframes_want(struct keyframes *k, int64_t now_us)
{
    if (k->wanted) {
        return;
    }
    k->wanted = true;
    int64_t floor_us = MAX(k->last_ask_us, k->last_key_us) + KEYFRAME_FLOOR_US;
    k->next_ask_us = MAX(now_us, floor_us);
    if (k->deaf) {
        k->next_ask_us = MAX(k->next_ask_us, k->last_ask_us + KEYFRAME_DEAF_US);
    }
}

void keyframes_on_key(struct keyframes *k, int64_t now_us)
{
    /* A source that answers, however late, is not deaf; one that only follows its own interval is
     * found out again after the next tries. */
    if (!k->never && k->tries > 0 && now_us - k->last_ask_us < US_PER_S) {
        k->deaf = false;
    }
    k->wanted = false;
    k->tries = 0;
    k->seen++;
    k->last_key_us = now_us;
}

bool keyframes_poll(struct keyframes *k, int64_t now_us, int64_t rtt_us)
{
    if (!k->wanted || k->never || now_us < k->next_ask_us) {
        return false;
    }
    k->tries++;
    k->asked++;
    k->last_ask_us = now_us;
    int64_t patience =
        MAX((rtt_us + 100 * US_PER_MS) << (k->tries - 1), (int64_t)KEYFRAME_FLOOR_US);
    k->next_ask_us = now_us + patience;
    if (k->deaf || k->tries >= KEYFRAME_TRIES) {
        k->deaf = true;
        k->tries = KEYFRAME_TRIES - 1;
        k->next_ask_us = now_us + KEYFRAME_DEAF_US;
    }
    return true;
}
