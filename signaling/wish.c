/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/wish.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/json.h"
#include "signaling/rooms.h"

#define DEPTH       4
#define WHY_MAX     160
#define SIZE_MAX_PX 16384

static_assert(WISH_NAME_MAX == ROOMS_NAME_MAX, "names of streams");

struct reader {
    const struct wish_session *s;
    char *why;
};

/* Says what is wrong; peer text only after cleaning. Returns err. */
static int refuse(const struct reader *r, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int refuse(const struct reader *r, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->why, WHY_MAX, fmt, args);
    va_end(args);
    for (char *c = r->why; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return err;
}

static bool is_among(const char *const *words, const char *word)
{
    while (*words != NULL && strcmp(*words, word) != 0) {
        words++;
    }
    return *words != NULL;
}

/* Every member's name is one of these, or of those. */
static int check_keys(const struct reader *r, const cJSON *object, const char *const *these,
                      const char *const *those)
{
    for (const cJSON *i = object->child; i != NULL; i = i->next) {
        if (!is_among(these, i->string) && !is_among(those, i->string)) {
            return refuse(r, -EBADMSG, "\"%.40s\" is not known here.", i->string);
        }
    }
    return 0;
}

/* A list of names into out. */
static int read_names(const struct reader *r, const cJSON *v, const char *key,
                      char (*out)[WISH_NAME_MAX], unsigned *ret_n)
{
    unsigned n = 0;
    if (!cJSON_IsArray(v)) {
        return refuse(r, -EBADMSG, "\"%s\" must be a list of names.", key);
    }
    for (const cJSON *i = v->child; i != NULL; i = i->next) {
        if (!cJSON_IsString(i) || !rooms_is_name(i->valuestring, strlen(i->valuestring))) {
            return refuse(r, -EBADMSG, "\"%s\" holds something that is no name.", key);
        }
        if (n == WISH_NAMES) {
            return refuse(r, -EBADMSG, "\"%s\" holds more than %d names.", key, WISH_NAMES);
        }
        snprintf(out[n++], WISH_NAME_MAX, "%s", i->valuestring);
    }
    *ret_n = n;
    return 0;
}

static bool is_section(const struct wish_session *s, unsigned index)
{
    return index < s->n_mids && ((s->audio | s->video) >> index & 1);
}

/* A section by its mid. */
static int find_mid(const struct reader *r, const cJSON *v, uint8_t *ret)
{
    for (unsigned i = 0; cJSON_IsString(v) && i < r->s->n_mids; i++) {
        if (strcmp(r->s->mids[i], v->valuestring) == 0 && is_section(r->s, i)) {
            *ret = (uint8_t)i;
            return 0;
        }
    }
    if (!cJSON_IsString(v)) {
        return refuse(r, -EBADMSG, "\"mid\" must be the mid of a section, a string.");
    }
    return refuse(r, -ENOENT, "The session has no section with mid \"%.32s\".", v->valuestring);
}

/* An optional whole number from 0 to max; *out is left alone without it. */
static int read_int(const struct reader *r, const cJSON *object, const char *key, int max, int *out)
{
    const cJSON *v = json_get(object, key);
    if (v == NULL) {
        return 0;
    }
    double d = cJSON_IsNumber(v) ? v->valuedouble : -1;
    if (!(d >= 0 && d <= max) || d != (double)(int)d) {
        return refuse(r, -EBADMSG, "\"%s\" must be a whole number from 0 to %d.", key, max);
    }
    *out = (int)d;
    return 0;
}

/* The members that choose a layer, in a wish's "layer" and in the draft's layer selection. */
static const char *const layer_keys[] = {"rid",
                                         "spatialLayerId",
                                         "temporalLayerId",
                                         "maxSpatialLayerId",
                                         "maxTemporalLayerId",
                                         "maxWidth",
                                         "maxHeight",
                                         "priority",
                                         NULL};
static const char *const no_keys[] = {NULL};

static int read_layer(const struct reader *r, const cJSON *o, struct api_wish *out)
{
    int sid = -1, tid = -1, max_sid = -1, max_tid = -1, width = 0, height = 0, priority = 0;
    const cJSON *rid = json_get(o, "rid");
    rid = rid != NULL ? rid : json_get(o, "encodingId");
    if (rid != NULL && !cJSON_IsNull(rid)) {
        if (!cJSON_IsString(rid) || strlen(rid->valuestring) >= API_RID_MAX) {
            return refuse(r, -EBADMSG, "\"rid\" must be the rid of a layer, a string.");
        }
        snprintf(out->rid, sizeof(out->rid), "%s", rid->valuestring);
    }
    int err = read_int(r, o, "spatialLayerId", 7, &sid);
    err = err ? err : read_int(r, o, "temporalLayerId", 7, &tid);
    err = err ? err : read_int(r, o, "maxSpatialLayerId", 7, &max_sid);
    err = err ? err : read_int(r, o, "maxTemporalLayerId", 7, &max_tid);
    err = err ? err : read_int(r, o, "maxWidth", SIZE_MAX_PX, &width);
    err = err ? err : read_int(r, o, "maxHeight", SIZE_MAX_PX, &height);
    err = err ? err : read_int(r, o, "priority", 10, &priority);
    out->layer = -1;
    out->sid = (int8_t)sid;
    out->tid = (int8_t)tid;
    out->max_sid = (int8_t)max_sid;
    out->max_tid = (int8_t)max_tid;
    out->max_width = (uint16_t)width;
    out->max_height = (uint16_t)height;
    out->priority = (uint8_t)priority;
    return err;
}

static int read_slot_stream(const struct reader *r, const cJSON *v, uint8_t at, struct wish *ret)
{
    if (v == NULL) {
        return 0;
    }
    bool is_name = cJSON_IsString(v) && rooms_is_name(v->valuestring, strlen(v->valuestring));
    if (!is_name && !cJSON_IsNull(v)) {
        return refuse(r, -EBADMSG, "\"stream\" must be the name of a stream, or null.");
    }
    ret->has_fixed |= 1ULL << at;
    snprintf(ret->state.fixed[at], WISH_NAME_MAX, "%s", is_name ? v->valuestring : "");
    return 0;
}

static int read_slot_off(const struct reader *r, const cJSON *v, uint8_t at, struct wish *ret)
{
    if (v == NULL) {
        return 0;
    }
    if (!cJSON_IsBool(v)) {
        return refuse(r, -EBADMSG, "\"off\" must be true or false.");
    }
    ret->has_off |= 1ULL << at;
    ret->state.off &= ~(1ULL << at);
    ret->state.off |= (uint64_t)cJSON_IsTrue(v) << at;
    return 0;
}

static int read_slot_layer(const struct reader *r, const cJSON *v, uint8_t at, struct wish *ret)
{
    if (v == NULL) {
        return 0;
    }
    if (!cJSON_IsObject(v) || !(r->s->video >> at & 1)) {
        return refuse(r, -EBADMSG, "\"layer\" must be an object, of a video section.");
    }
    if (ret->n_layers == API_MLINES_MAX) {
        return refuse(r, -EBADMSG, "\"slots\" holds more entries than there are sections.");
    }
    struct api_wish *l = &ret->layers[ret->n_layers++];
    *l = (struct api_wish)API_WISH_NONE;
    l->mline = at;
    int err = check_keys(r, v, layer_keys, no_keys);
    return err ? err : read_layer(r, v, l);
}

/* One entry of "slots". */
static int read_slot(const struct reader *r, const cJSON *o, struct wish *ret)
{
    static const char *const keys[] = {"mid", "stream", "off", "layer", NULL};
    uint8_t at = 0;
    if (!cJSON_IsObject(o)) {
        return refuse(r, -EBADMSG, "\"slots\" must be a list of objects.");
    }
    int err = check_keys(r, o, keys, no_keys);
    err = err ? err : find_mid(r, json_get(o, "mid"), &at);
    err = err ? err : read_slot_stream(r, json_get(o, "stream"), at, ret);
    err = err ? err : read_slot_off(r, json_get(o, "off"), at, ret);
    return err ? err : read_slot_layer(r, json_get(o, "layer"), at, ret);
}

static int parse(const struct reader *r, const char *text, size_t len, cJSON **ret)
{
    int err = json_parse(text, len, DEPTH, ret);
    if (err) {
        return refuse(r, err == -ENOMEM ? -ENOMEM : -EBADMSG,
                      "The body is not valid JSON, or nests too deep.");
    }
    if (!cJSON_IsObject(*ret)) {
        cJSON_Delete(*ret);
        return refuse(r, -EBADMSG, "The body must be a JSON object.");
    }
    return 0;
}

static int read_all(const struct reader *r, const cJSON *o, struct wish *ret)
{
    static const char *const keys[] = {"pin", "mute", "slots", NULL};
    const cJSON *pins = json_get(o, "pin");
    const cJSON *mutes = json_get(o, "mute");
    const cJSON *slots = json_get(o, "slots");
    int err = check_keys(r, o, keys, no_keys);
    if (!err && pins != NULL) {
        ret->has_pins = true;
        err = read_names(r, pins, "pin", ret->state.pins, &ret->state.n_pins);
    }
    if (!err && mutes != NULL) {
        ret->has_mutes = true;
        err = read_names(r, mutes, "mute", ret->state.mutes, &ret->state.n_mutes);
    }
    if (!err && slots != NULL && !cJSON_IsArray(slots)) {
        err = refuse(r, -EBADMSG, "\"slots\" must be a list of objects.");
    }
    for (const cJSON *i = slots != NULL ? slots->child : NULL; i != NULL && !err; i = i->next) {
        err = read_slot(r, i, ret);
    }
    return err;
}

int wish_read(const char *text, size_t len, const struct wish_session *s, struct wish *ret,
              char ret_why[160])
{
    struct reader r = {.s = s, .why = ret_why};
    cJSON *o;
    memset(ret, 0, sizeof(*ret));
    int err = parse(&r, text, len, &o);
    if (err) {
        return err;
    }
    err = read_all(&r, o, ret);
    cJSON_Delete(o);
    return err;
}

/* mediaId: an m-line index as a string; the first video section without one. */
static int find_media(const struct reader *r, const cJSON *v, uint8_t *ret)
{
    unsigned index = (unsigned)(r->s->video ? __builtin_ctzll(r->s->video) : 0);
    char *end = NULL;
    if (v != NULL && !cJSON_IsNull(v)) {
        unsigned long n = cJSON_IsString(v) ? strtoul(v->valuestring, &end, 10) : API_MLINES_MAX;
        bool whole = end != NULL && end != v->valuestring && *end == '\0';
        index = whole && n < API_MLINES_MAX ? (unsigned)n : API_MLINES_MAX;
    }
    if (index >= API_MLINES_MAX || !(r->s->video >> index & 1)) {
        return refuse(r, -ENOENT, "\"mediaId\" must be the index of a video m-line, as a string.");
    }
    *ret = (uint8_t)index;
    return 0;
}

int wish_read_layer(const char *text, size_t len, const struct wish_session *s,
                    struct api_wish *ret, char ret_why[160])
{
    static const char *const keys[] = {"mediaId", "encodingId", NULL};
    struct reader r = {.s = s, .why = ret_why};
    cJSON *o;
    struct api_wish w = API_WISH_NONE;
    int err = parse(&r, text, len, &o);
    if (err) {
        return err;
    }
    err = check_keys(&r, o, keys, layer_keys);
    err = err ? err : find_media(&r, json_get(o, "mediaId"), &w.mline);
    err = err ? err : read_layer(&r, o, &w);
    cJSON_Delete(o);
    if (!err) {
        *ret = w;
    }
    return err;
}

bool wish_apply(struct wish_state *to, const struct wish *w)
{
    if (w->has_pins) {
        to->n_pins = w->state.n_pins;
        memcpy(to->pins, w->state.pins, sizeof(to->pins));
    }
    if (w->has_mutes) {
        to->n_mutes = w->state.n_mutes;
        memcpy(to->mutes, w->state.mutes, sizeof(to->mutes));
    }
    for (uint64_t todo = w->has_fixed; todo != 0; todo &= todo - 1) {
        unsigned i = (unsigned)__builtin_ctzll(todo);
        memcpy(to->fixed[i], w->state.fixed[i], WISH_NAME_MAX);
    }
    to->off = (to->off & ~w->has_off) | (w->state.off & w->has_off);
    return w->has_pins || w->has_mutes || w->has_fixed || w->has_off;
}

bool wish_is_empty(const struct wish_state *w)
{
    bool fixed = false;
    for (unsigned i = 0; i < API_MLINES_MAX; i++) {
        fixed |= w->fixed[i][0] != '\0';
    }
    return w->n_pins == 0 && w->n_mutes == 0 && !fixed && w->off == 0;
}
