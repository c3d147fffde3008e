/* SPDX-License-Identifier: Apache-2.0 */
/* conf_keys.h - the one table of settings. It drives reading of the file, the environment and
 * --set, the defaults, --print-config, --help, and the tests that compare the example file and the
 * README with it. Setters check type, range and length and say in a few words what is wrong. Pure;
 * MAIN. */
#ifndef CONF_CONF_KEYS_H
#define CONF_CONF_KEYS_H

#include "conf/conf.h"

#define CONF_KEYS_WHY_MAX  384 /* text of a refusal, without the place it happened at */
#define CONF_KEYS_NAME_MAX 96  /* "section.key" */

enum conf_type {
    CONF_TYPE_STR,
    CONF_TYPE_WORD, /* one of choices, kept as text */
    CONF_TYPE_ENUM, /* one of choices, kept as its index */
    CONF_TYPE_INT,
    CONF_TYPE_BOOL,
    CONF_TYPE_STRINGS, /* struct conf_strings */
    CONF_TYPE_TOKENS,  /* conf.auth, a list of objects */
    CONF_TYPE_SERVERS, /* conf.ice_servers, a list of objects */
    CONF_TYPE_KEYS,    /* conf.auth.keys, a list of objects */
    CONF_TYPE_HOOKS,   /* conf.webhooks, a list of objects */
};

struct conf_key {
    const char *section;
    const char *name;
    enum conf_type type;
    size_t offset; /* in struct conf */
    size_t size;
    int min, max;        /* CONF_TYPE_INT */
    const char *choices; /* CONF_TYPE_WORD and _ENUM: "json|text" */
    const char *def;     /* as in the environment: lists with commas */
    const char *help;
};

/* The table. Keys of one section stand together. */
extern const struct conf_key conf_keys[];
extern const size_t conf_keys_count;

/* What a refusal says. Every setter below fills it when it returns -EINVAL. */
struct conf_keys_why {
    char text[CONF_KEYS_WHY_MAX];
};

/* NULL if there is no such key. section and name as in the file. */
const struct conf_key *conf_keys_find(const char *section, const char *name);
/* The same by "section.key". */
const struct conf_key *conf_keys_find_name(const char *name);
bool conf_keys_has_section(const char *section);
/* "section.key" into out; returns out. */
const char *conf_keys_name(const struct conf_key *k, char out[CONF_KEYS_NAME_MAX]);
/* "SLUICE_SECTION__KEY" into out; returns out. */
const char *conf_keys_env_name(const struct conf_key *k, char out[CONF_KEYS_NAME_MAX]);
/* The key that "section.key", "key" or a misspelling of it most likely means, or NULL. */
const struct conf_key *conf_keys_suggest(const char *name);
/* The nearest of n words, or NULL if none is near. */
const char *conf_keys_nearest(const char *word, const char *const words[], size_t n);

/* Sets a string, a word or an enum. */
int conf_keys_put_str(struct conf *c, const struct conf_key *k, const char *text,
                      struct conf_keys_why *ret_why) MUST_CHECK;
/* Sets a number. */
int conf_keys_put_int(struct conf *c, const struct conf_key *k, double value,
                      struct conf_keys_why *ret_why) MUST_CHECK;
void conf_keys_put_bool(struct conf *c, const struct conf_key *k, bool value);
/* Appends to a list of strings. */
int conf_keys_add_str(struct conf *c, const struct conf_key *k, const char *text,
                      struct conf_keys_why *ret_why) MUST_CHECK;
/* Empties a list of strings. */
void conf_keys_clear(struct conf *c, const struct conf_key *k);
/* Sets any key but the lists of objects from one text, as it stands in the environment: numbers in
 * decimal, true or false, lists with commas. */
int conf_keys_put_text(struct conf *c, const struct conf_key *k, const char *text,
                       struct conf_keys_why *ret_why) MUST_CHECK;
/* Copies text if it fits and has no control characters. */
int conf_keys_copy(char *out, size_t cap, const char *text,
                   struct conf_keys_why *ret_why) MUST_CHECK;

/* True if k is a list of objects, which only JSON can say. */
bool conf_keys_is_objects(const struct conf_key *k);

/* The chosen word of a WORD or ENUM key. Static text, or inside c. */
const char *conf_keys_word(const struct conf *c, const struct conf_key *k, char out[16]);

#endif
