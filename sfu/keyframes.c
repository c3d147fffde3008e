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

void keyframes_trust(struct keyframes *k)
{
    k->answers = KEYFRAME_ANSWERS;
}

void keyframes_want(struct keyframes *k, bool urgent, int64_t now_us)
{
    k->urgent |= urgent;
    if (k->wanted) {
        return;
    }
    k->wanted = true;
    int64_t last_us = MAX(k->last_ask_us, k->last_key_us);
    k->next_ask_us = MAX(now_us, last_us + KEYFRAME_FLOOR_US);
    if (!urgent && now_us - last_us < US_PER_S) {
        int64_t bins = (k->next_ask_us + KEYFRAME_BIN_US - 1) / KEYFRAME_BIN_US;
        k->next_ask_us = bins * KEYFRAME_BIN_US;
    }
    if (k->deaf) {
        k->next_ask_us = MAX(k->next_ask_us, k->last_ask_us + KEYFRAME_DEAF_US);
    }
}

void keyframes_on_key(struct keyframes *k, int64_t now_us)
{
    /* A source that answers, however late, is not deaf; one that goes on in its own interval
     * although it was asked is. */
    int64_t gap_us = now_us - k->last_key_us;
    bool own = k->own_us && gap_us > k->own_us - k->own_us / 16 && gap_us < k->own_us / 16 * 17;
    bool answer = k->tries > 0 && k->fresh && now_us - k->last_ask_us < US_PER_S;
    if (own && k->tries >= KEYFRAME_TRIES_LEAST) {
        k->deaf = true;
    } else if (!own && !k->never && answer) {
        k->answers = (uint8_t)(k->deaf ? 1 : MIN(k->answers + 1, KEYFRAME_ANSWERS));
        k->deaf = false;
    }
    k->own_us = k->seen && !answer ? gap_us : k->own_us;
    k->wanted = false;
    k->urgent = false;
    k->charged = false;
    k->tries = 0;
    k->last_key_us = now_us;
    /* Key frames that nobody has asked for: a source with an interval of its own. Whether it
     * listens as well must be known before somebody joins and waits in vain. */
    if (k->seen++ && !k->asked) {
        keyframes_want(k, false, now_us);
    }
}

void keyframes_on_packet(struct keyframes *k, uint32_t len, bool key)
{
    k->went_on |= !key;
    k->credit += len * KEYFRAME_PERCENT / 100;
    if (key) {
        k->part += len;
        k->key_bytes += len;
    } else if (k->part) {
        k->credit += k->size ? 0 : (int64_t)k->part * KEYFRAME_BURST;
        k->size = k->part;
        k->part = 0;
    }
    k->credit = MIN(k->credit, (int64_t)k->size * KEYFRAME_BURST);
    k->dear = k->credit < (int64_t)k->size;
}

void keyframes_on_sibling(struct keyframes *k, int64_t now_us)
{
    if (k->wanted && k->tries == 0 && !k->urgent) {
        k->next_ask_us = MAX(k->next_ask_us, now_us + KEYFRAME_SIBLING_US);
    }
}

/* Pays for a request. Returns false while it is too dear. */
static bool pay(struct keyframes *k, int64_t now_us)
{
    if (k->size == 0 || k->charged) {
        return true;
    }
    int64_t least = k->urgent ? 0 : k->size;
    bool waited = now_us - MAX(k->last_key_us, k->last_ask_us) >= KEYFRAME_SLOWEST_US;
    if (k->credit < least && !waited) {
        return false;
    }
    k->credit = MAX(k->credit - (int64_t)k->size, -(int64_t)k->size);
    k->charged = true;
    k->dear = k->credit < (int64_t)k->size;
    return true;
}

static bool test_is_due(const struct keyframes *k, int64_t now_us)
{
    int64_t after_us = k->answers ? KEYFRAME_TEST_AGAIN_US : KEYFRAME_TEST_US;
    return keyframes_untested(k) && k->asked < KEYFRAME_TEST_ASKS &&
           now_us - k->last_key_us >= after_us;
}

bool keyframes_poll(struct keyframes *k, int64_t now_us, int64_t rtt_us)
{
    if (!k->wanted && test_is_due(k, now_us)) {
        keyframes_want(k, false, now_us);
        k->charged = true; /* joiners do not pay for this one */
    }
    if (!k->wanted || k->never || now_us < k->next_ask_us) {
        return false;
    }
    if (!pay(k, now_us)) {
        k->next_ask_us = now_us + KEYFRAME_BIN_US / 2;
        return false;
    }
    k->fresh = k->deaf || k->tries < KEYFRAME_TRIES_LEAST - 1;
    k->tries++;
    k->asked++;
    k->last_ask_us = now_us;
    int64_t patience =
        MAX((rtt_us + 100 * US_PER_MS) << (k->tries - 1), (int64_t)KEYFRAME_FLOOR_US);
    k->next_ask_us = now_us + patience;
    if (k->blind) {
        k->wanted = false;
        k->urgent = false;
        k->tries = 0;
    }
    if (k->tries >= KEYFRAME_TRIES) {
        k->deaf |= k->went_on; /* else it has nothing to send: a layer that has ended, say */
        k->tries = KEYFRAME_TRIES - 1;
    }
    if (k->deaf) {
        k->next_ask_us = now_us + KEYFRAME_DEAF_US;
    }
    k->went_on = false;
    return true;
}
