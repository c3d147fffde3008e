/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/auth_grant.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "signaling/json.h"
#include "signaling/jwt.h"

bool auth_grant_glob(const char *pattern, const char *text)
{
    /* On a mismatch only the latest '*' needs to take one character more, so the time is bounded by
     * the product of the lengths. */
    const char *star = NULL;
    const char *mark = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            mark = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

void auth_grant_from_token(const struct conf_token *t, struct auth_grant *ret)
{
    *ret = (struct auth_grant){.expires_s = INT64_MAX};
    ret->rights = (t->publish ? AUTH_RIGHTS_PUBLISH | AUTH_RIGHT_DATA : 0U) |
                  (t->play ? AUTH_RIGHT_PLAY : 0U) | (t->data ? AUTH_RIGHT_DATA : 0U) |
                  (t->moderate ? AUTH_RIGHT_MODERATE : 0U) | (t->admin ? AUTH_RIGHT_ADMIN : 0U);
    snprintf(ret->principal, sizeof(ret->principal), "%s", t->name);
}

/* ---- claims ---- */

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

/* publish: true for all, or a list of kinds. */
static int read_publish(const cJSON *claims, unsigned *rights, const char **ret_why)
{
    static const struct {
        const char *name;
        unsigned right;
    } kinds[] = {{"microphone", AUTH_RIGHT_MICROPHONE},
                 {"camera", AUTH_RIGHT_CAMERA},
                 {"screen", AUTH_RIGHT_SCREEN}};
    const cJSON *v = json_get(claims, "publish");
    if (v == NULL || cJSON_IsFalse(v)) {
        return 0;
    }
    if (cJSON_IsTrue(v)) {
        *rights |= AUTH_RIGHTS_PUBLISH;
        return 0;
    }
    for (const cJSON *one = cJSON_IsArray(v) ? v->child : NULL; one != NULL; one = one->next) {
        size_t i = 0;
        while (i < ARRAY_LEN(kinds) &&
               !(cJSON_IsString(one) && strcmp(kinds[i].name, one->valuestring) == 0)) {
            i++;
        }
        if (i == ARRAY_LEN(kinds)) {
            return refuse(ret_why, "publish may list microphone, camera and screen.");
        }
        *rights |= kinds[i].right;
    }
    return cJSON_IsArray(v) ? 0
                            : refuse(ret_why, "publish must be true, false or a list of kinds.");
}

static int read_rights(const cJSON *claims, unsigned *rights, const char **ret_why)
{
    static const struct {
        const char *name;
        unsigned right;
    } flags[] = {{"play", AUTH_RIGHT_PLAY},
                 {"data", AUTH_RIGHT_DATA},
                 {"moderate", AUTH_RIGHT_MODERATE},
                 {"admin", AUTH_RIGHT_ADMIN}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const cJSON *v = json_get(claims, flags[i].name);
        if (v != NULL && !cJSON_IsBool(v)) {
            return refuse(ret_why, "play, data, moderate and admin must be true or false.");
        }
        *rights |= cJSON_IsTrue(v) ? flags[i].right : 0;
    }
    return read_publish(claims, rights, ret_why);
}

static bool is_made_of(const char *text, const char *extra)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool alnum =
            (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
        if (!alnum && strchr(extra, *c) == NULL) {
            return false;
        }
    }
    return true;
}

/* A text claim. Returns 1 if it is there, 0 if not, -EBADMSG if it is no text of 1 to cap - 1 bytes
 * without control characters. */
static int read_text(const cJSON *claims, const char *name, char *out, size_t cap)
{
    const cJSON *v = json_get(claims, name);
    if (v == NULL) {
        return 0;
    }
    if (!cJSON_IsString(v) || v->valuestring[0] == '\0' || strlen(v->valuestring) >= cap) {
        return -EBADMSG;
    }
    if (!json_is_plain(v->valuestring)) {
        return -EBADMSG;
    }
    snprintf(out, cap, "%s", v->valuestring);
    return 1;
}

static int read_scope(const cJSON *claims, struct auth_grant *g, const char **ret_why)
{
    int room = read_text(claims, "room", g->room, sizeof(g->room));
    int participant = read_text(claims, "participant", g->participant, sizeof(g->participant));
    if (room < 0 || !is_made_of(g->room, "._~-*")) {
        return refuse(ret_why, "room must be a room's name, or a pattern with *.");
    }
    if (room == 0 && (g->rights & ~(unsigned)AUTH_RIGHT_ADMIN) != 0) {
        return refuse(ret_why, "room is missing; write * for all rooms.");
    }
    if (participant < 0 || !is_made_of(g->participant, "._-")) {
        return refuse(ret_why, "participant must be a participant's name.");
    }
    if (read_text(claims, "name", g->display, sizeof(g->display)) < 0) {
        return refuse(ret_why, "name must be a text of at most 128 bytes.");
    }
    const cJSON *n = json_get(claims, "sessions");
    if (n != NULL && (!cJSON_IsNumber(n) || !(n->valuedouble >= 1 && n->valuedouble <= 1e6))) {
        return refuse(ret_why, "sessions must be a number from 1 to 1000000.");
    }
    g->max_sessions = n != NULL ? (unsigned)n->valuedouble : 0;
    return 0;
}

static int read_metadata(const cJSON *claims, struct auth_grant *g, const char **ret_why)
{
    const cJSON *v = json_get(claims, "metadata");
    char *text = v != NULL ? cJSON_PrintUnformatted(v) : NULL;
    size_t len = text != NULL ? strlen(text) : 0;
    bool ok = v == NULL || ((cJSON_IsObject(v) || cJSON_IsString(v)) && text != NULL &&
                            len < sizeof(g->metadata));
    if (ok && text != NULL) {
        memcpy(g->metadata, text, len + 1);
    }
    cJSON_free(text);
    return ok ? 0 : refuse(ret_why, "metadata must be an object or a text of at most 512 bytes.");
}

/* Who it is: sub, else the participant, else the token itself. A prefix keeps them apart from each
 * other and from the names in the settings; what is too long is named by its hash. */
static void name_principal(const struct jwt *t, struct auth_grant *g)
{
    const char *prefix = t->subject[0] != '\0'       ? "sub:"
                         : g->participant[0] != '\0' ? "par:"
                                                     : "jti:";
    const char *text = t->subject[0] != '\0'       ? t->subject
                       : g->participant[0] != '\0' ? g->participant
                                                   : t->id;
    if (text[0] == '\0') {
        return; // auth_check names it by its digest
    }
    size_t room = sizeof(g->principal) - strlen(prefix) - 1;
    if (strlen(text) <= room) {
        snprintf(g->principal, sizeof(g->principal), "%s%.*s", prefix, (int)room, text);
        return;
    }
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char hex[33] = "";
    SHA256((const uint8_t *)text, strlen(text), hash);
    for (int i = 0; i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
    snprintf(g->principal, sizeof(g->principal), "%s#%s", prefix, hex);
}

int auth_grant_from_jwt(const struct jwt *t, struct auth_grant *ret, const char **ret_why)
{
    struct auth_grant g = {.expires_s = t->expires_s};
    int r = read_rights(t->claims, &g.rights, ret_why);
    r = r == 0 ? read_scope(t->claims, &g, ret_why) : r;
    r = r == 0 ? read_metadata(t->claims, &g, ret_why) : r;
    if (r < 0) {
        return r;
    }
    snprintf(g.jti, sizeof(g.jti), "%s", t->id);
    name_principal(t, &g);
    *ret = g;
    return 0;
}
