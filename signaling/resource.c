/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/resource.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/entropy.h"

static uint64_t digest(const char *text)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
    }
    return h ^ (h >> 29);
}

static struct list *id_bucket(const struct resource_table *t, uint64_t id)
{
    return (struct list *)&t->ids[id % ARRAY_LEN(t->ids)];
}

static struct list *token_bucket(const struct resource_table *t, const char *token)
{
    return (struct list *)&t->tokens[digest(token) % ARRAY_LEN(t->tokens)];
}

void resource_table_init(struct resource_table *t)
{
    *t = (struct resource_table){.next_id = 1};
    for (size_t i = 0; i < ARRAY_LEN(t->ids); i++) {
        list_init(&t->ids[i]);
        list_init(&t->tokens[i]);
    }
    list_init(&t->half_open);
    list_init(&t->tombs);
}

static void destroy(struct resource *r)
{
    list_remove(&r->by_id);
    list_remove(&r->by_token);
    list_remove(&r->by_age);
    OPENSSL_cleanse(&r->creds, sizeof(r->creds));
    OPENSSL_cleanse(r->token, sizeof(r->token));
    free(r->mids);
    free(r->grant);
    auth_quota_give(&r->ticket);
    free(r);
}

void resource_table_fini(struct resource_table *t)
{
    for (size_t i = 0; i < ARRAY_LEN(t->ids); i++) {
        LIST_EACH(it, &t->ids[i])
        {
            destroy(container_of(it, struct resource, by_id));
        }
    }
}

struct resource *resource_add(struct resource_table *t, enum api_role role, int64_t now_us)
{
    struct resource *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    list_init(&r->by_id);
    list_init(&r->by_token);
    list_init(&r->by_age);
    list_init(&r->event_streams);
    list_init(&r->by_control);
    r->id = t->next_id++;
    r->role = role;
    r->state = RESOURCE_NEW;
    r->created_us = now_us;
    entropy_text(r->token, RESOURCE_TOKEN_LEN);
    entropy_text(r->etag, RESOURCE_ETAG_LEN);
    list_append(id_bucket(t, r->id), &r->by_id);
    list_append(token_bucket(t, r->token), &r->by_token);
    list_append(&t->half_open, &r->by_age);
    t->n_half_open++;
    t->n[role][RESOURCE_NEW]++;
    return r;
}

struct resource *resource_find(const struct resource_table *t, const char *token)
{
    if (strlen(token) != RESOURCE_TOKEN_LEN) {
        return NULL;
    }
    struct resource *found = NULL;
    struct list *head = token_bucket(t, token);
    LIST_EACH(it, head)
    {
        struct resource *r = container_of(it, struct resource, by_token);
        if (CRYPTO_memcmp(r->token, token, RESOURCE_TOKEN_LEN) == 0) {
            found = r;
        }
    }
    return found;
}

struct resource *resource_find_id(const struct resource_table *t, uint64_t id)
{
    struct list *head = id_bucket(t, id);
    LIST_EACH(it, head)
    {
        struct resource *r = container_of(it, struct resource, by_id);
        if (r->id == id) {
            return r;
        }
    }
    return NULL;
}

unsigned resource_live(const struct resource_table *t)
{
    unsigned n = 0;
    for (int role = 0; role < 2; role++) {
        n += t->n[role][RESOURCE_NEW] + t->n[role][RESOURCE_UP];
    }
    return n;
}

struct resource *resource_oldest_half_open(const struct resource_table *t)
{
    return list_empty(&t->half_open) ? NULL
                                     : container_of(t->half_open.next, struct resource, by_age);
}

static void enter(struct resource_table *t, struct resource *r, enum resource_state state)
{
    if (r->state == RESOURCE_NEW) {
        list_remove(&r->by_age);
        t->n_half_open--;
    }
    t->n[r->role][r->state]--;
    if (state != RESOURCE_NEW && state != RESOURCE_UP) {
        auth_quota_give(&r->ticket);
    }
    r->state = state;
    t->n[r->role][r->state]++;
}

void resource_set_up(struct resource_table *t, struct resource *r, int64_t now_us)
{
    if (r->state == RESOURCE_NEW) {
        enter(t, r, RESOURCE_UP);
        r->up_us = now_us;
    }
}

void resource_set_ending(struct resource_table *t, struct resource *r, enum api_reason reason,
                         int64_t now_us)
{
    if (r->state == RESOURCE_NEW || r->state == RESOURCE_UP) {
        enter(t, r, RESOURCE_ENDING);
        r->reason = reason;
        r->ended_us = now_us;
    }
}

void resource_set_gone(struct resource_table *t, struct resource *r, int64_t now_us)
{
    if (r->state == RESOURCE_GONE) {
        return;
    }
    if (r->state != RESOURCE_ENDING) {
        r->ended_us = now_us;
    }
    enter(t, r, RESOURCE_GONE);
    /* The 30 s run from here, so that the list stays in order. */
    r->ended_us = now_us;
    list_append(&t->tombs, &r->by_age);
}

void resource_drop(struct resource_table *t, struct resource *r)
{
    enter(t, r, RESOURCE_GONE);
    t->n[r->role][RESOURCE_GONE]--;
    destroy(r);
}

void resource_sweep(struct resource_table *t, int64_t now_us)
{
    LIST_EACH(it, &t->tombs)
    {
        struct resource *r = container_of(it, struct resource, by_age);
        unsigned tombs = t->n[API_PUBLISH][RESOURCE_GONE] + t->n[API_PLAY][RESOURCE_GONE];
        if (now_us - r->ended_us < RESOURCE_TOMBSTONE_US && tombs <= RESOURCE_TOMBS_MAX) {
            return;
        }
        t->n[r->role][RESOURCE_GONE]--;
        destroy(r);
    }
}

int resource_set_mids(struct resource *r, const char *answer)
{
    static const char key[] = "\r\na=mid:";
    size_t n = 0;
    for (const char *at = strstr(answer, key); at != NULL; at = strstr(at + 1, key)) {
        n++;
    }
    n = MIN(n, (size_t)API_MLINES_MAX);
    char(*mids)[API_MID_MAX] = calloc(MAX(n, (size_t)1), sizeof(*mids));
    if (mids == NULL) {
        return -ENOMEM;
    }
    const char *at = answer;
    for (size_t i = 0; i < n; i++) {
        at = strstr(at, key) + sizeof(key) - 1;
        snprintf(mids[i], sizeof(mids[i]), "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    free(r->mids);
    r->mids = mids;
    r->n_mids = (uint8_t)n;
    return 0;
}

bool resource_has_mid(const struct resource *r, const char *mid)
{
    for (int i = 0; i < r->n_mids; i++) {
        char index[8];
        snprintf(index, sizeof(index), "%d", i);
        if (strcmp(r->mids[i], mid) == 0 || strcmp(index, mid) == 0) {
            return true;
        }
    }
    return false;
}

void resource_restart(struct resource *r, const struct ice_creds *creds)
{
    r->old_ufrags[r->generation % RESOURCE_OLD_UFRAGS] = digest(r->creds.remote_ufrag);
    r->generation++;
    r->creds = *creds;
    entropy_text(r->etag, RESOURCE_ETAG_LEN);
}

bool resource_is_old_ufrag(const struct resource *r, const char *ufrag)
{
    uint64_t want = digest(ufrag);
    unsigned n = MIN(r->generation, (unsigned)RESOURCE_OLD_UFRAGS);
    for (unsigned i = 0; i < n; i++) {
        if (r->old_ufrags[i] == want) {
            return true;
        }
    }
    return false;
}
