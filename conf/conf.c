/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_apply.h"
#include "conf/conf_keys.h"

#define ENV_PREFIX "SLUICE_"
#define SETS_MAX   64

/* What stands on the command line, before it is applied. */
struct flags {
    const char *sets[SETS_MAX]; /* "section.key=value", in order */
    int n_sets;
    const char *log_format;
    bool insecure_dev;
};

/* What is being loaded, and what has come of it so far. */
struct loading {
    struct conf *c;
    struct conf_origins *origins;
    struct conf_error *ret_err;
};

int conf_refuse(struct conf_error *ret_err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ret_err->text, sizeof(ret_err->text), fmt, ap);
    va_end(ap);
    return -EINVAL;
}

void conf_defaults(struct conf *c)
{
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *k = &conf_keys[i];
        struct conf_keys_why why;
        if (!conf_keys_is_objects(k)) {
            int rc = conf_keys_put_text(c, k, k->def, &why);
            assert(rc == 0);
            (void)rc;
        }
    }
}

void conf_locate(const struct conf_request *req, const char *wrong, struct conf_error *ret_err)
{
    char name[CONF_KEYS_NAME_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)MIN(strcspn(wrong, ":[ "), sizeof(name)), wrong);
    const struct conf_key *k = conf_keys_find_name(name);
    enum conf_from from = k ? req->origins.of[k - conf_keys].from : CONF_FROM_DEFAULT;
    char place[CONF_STR_MAX + 16] = "";
    if (from == CONF_FROM_FILE) {
        snprintf(place, sizeof(place), "%s:%d: ", req->file, req->origins.of[k - conf_keys].line);
    } else if (from == CONF_FROM_ENV) {
        snprintf(place, sizeof(place), "%s: ", conf_keys_env_name(k, name));
    } else if (from == CONF_FROM_FLAG) {
        snprintf(place, sizeof(place), "--set: ");
    }
    conf_refuse(ret_err, "%.160s%.350s", place, wrong);
}

/* One key from one text, with from as its origin; source names where the text came from. */
static int set_text(const struct loading *l, const struct conf_key *k, enum conf_from from,
                    const char *source, const char *text)
{
    l->origins->of[k - conf_keys].from = from;
    if (conf_keys_is_objects(k)) {
        const struct conf_json_text json = {source, text, strlen(text)};
        return conf_apply_list(l->c, k, &json, l->ret_err);
    }
    struct conf_keys_why why;
    if (conf_keys_put_text(l->c, k, text, &why)) {
        char name[CONF_KEYS_NAME_MAX];
        return conf_refuse(l->ret_err, "%.120s: %s: %.250s", source, conf_keys_name(k, name),
                           why.text);
    }
    return 0;
}

static int load_file(const struct loading *l, const char *path)
{
    size_t cap = CONF_JSON_TEXT_MAX + 2;
    struct conf_json_text text = {.name = path};
    char *buf = malloc(cap);
    if (!buf) {
        return conf_refuse(l->ret_err, "%.200s: out of memory", path);
    }
    text.bytes = buf;
    int rc = conf_apply_read_file(path, buf, cap, &text.len);
    if (rc) {
        conf_refuse(l->ret_err, "%.200s: cannot be read: %s", path, strerror(-rc));
    } else {
        rc = conf_apply_file(l->c, &text, l->origins, l->ret_err);
    }
    free(buf);
    return rc ? -EINVAL : 0;
}

/* Kubernetes puts the address of every service of the namespace into the environment; a service
 * called sluice, or sluice-media, must not keep us from starting:
 * SLUICE_SERVICE_HOST, SLUICE_SERVICE_PORT_HTTP, SLUICE_PORT=tcp://..., SLUICE_PORT_8080_TCP_ADDR.
 */
static bool is_service_link(const char *name, size_t n, const char *value)
{
    static const char *const marks[] = {"_SERVICE_HOST", "_SERVICE_PORT"};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (memmem(name, n, marks[i], strlen(marks[i]))) {
            return true;
        }
    }
    const char *port = memmem(name, n, "_PORT", 5);
    if (!port) {
        return false;
    }
    const char *after = port + 5;
    bool links = strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
    return links || (after[0] == '_' && isdigit((unsigned char)after[1]));
}

static int refuse_env(const char *name, struct conf_error *ret_err)
{
    /* SLUICE_MEDIA__WORKER and SLUICE_MEDIA_WORKER both mean media.workers. */
    char guess[CONF_KEYS_NAME_MAX] = "";
    const char *p = name + strlen(ENV_PREFIX);
    const char *split = strstr(p, "__");
    size_t gap = 2;
    if (!split) {
        split = strchr(p, '_');
        gap = 1;
    }
    if (split) {
        snprintf(guess, sizeof(guess), "%.*s.%.60s", (int)MIN(split - p, 30), p, split + gap);
    } else {
        snprintf(guess, sizeof(guess), "%.90s", p);
    }
    for (char *g = guess; *g; g++) {
        *g = (char)tolower((unsigned char)*g);
    }
    const struct conf_key *near = conf_keys_suggest(guess);
    char full[CONF_KEYS_NAME_MAX];
    return near ? conf_refuse(ret_err,
                              "%.120s: unknown setting in the environment (did you mean %s?)", name,
                              conf_keys_env_name(near, full))
                : conf_refuse(ret_err, "%.120s: unknown setting in the environment", name);
}

static int load_env_entry(const struct loading *l, const char *entry)
{
    const char *eq = strchr(entry, '=');
    if (!eq || strncmp(entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0) {
        return 0;
    }
    char name[128];
    size_t n = (size_t)(eq - entry);
    snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name)), entry);
    for (size_t i = 0; i < conf_keys_count; i++) {
        char key[CONF_KEYS_NAME_MAX];
        if (strcmp(conf_keys_env_name(&conf_keys[i], key), name) == 0) {
            return set_text(l, &conf_keys[i], CONF_FROM_ENV, name, eq + 1);
        }
    }
    return is_service_link(name, strlen(name), eq + 1) ? 0 : refuse_env(name, l->ret_err);
}

static int apply_set(const struct loading *l, const char *set)
{
    const char *eq = strchr(set, '=');
    char name[CONF_KEYS_NAME_MAX];
    if (!eq) {
        return conf_refuse(l->ret_err, "--set %.100s: must be section.key=value", set);
    }
    snprintf(name, sizeof(name), "%.*s", (int)MIN(eq - set, (ptrdiff_t)sizeof(name)), set);
    const struct conf_key *k = conf_keys_find_name(name);
    if (k) {
        return set_text(l, k, CONF_FROM_FLAG, "--set", eq + 1);
    }
    const struct conf_key *near = conf_keys_suggest(name);
    char full[CONF_KEYS_NAME_MAX];
    return near ? conf_refuse(l->ret_err, "--set %.100s: unknown key (did you mean %s?)", name,
                              conf_keys_name(near, full))
                : conf_refuse(l->ret_err, "--set %.100s: unknown key", name);
}

/* The words of the command line, and how far we are. */
struct words {
    int argc, i;
    char **argv;
};

/* Takes "--flag VALUE" or "--flag=VALUE". Returns 1 with *ret_value set, 0 if the word is another
 * flag, -EINVAL if the value is missing. */
static int take_value(struct words *w, const char *flag, const char **ret_value,
                      struct conf_error *ret_err)
{
    const char *word = w->argv[w->i];
    size_t n = strlen(flag);
    if (strncmp(word, flag, n) != 0 || (word[n] && word[n] != '=')) {
        return 0;
    }
    if (word[n] == '=') {
        *ret_value = word + n + 1;
    } else if (w->i + 1 < w->argc) {
        *ret_value = w->argv[++w->i];
    } else {
        return conf_refuse(ret_err, "%s: needs a value", flag);
    }
    return 1;
}

/* Flags with a value. Returns as take_value. */
static int take_valued(struct words *w, struct flags *f, struct conf_request *req,
                       struct conf_error *ret_err)
{
    const char *value = NULL;
    int rc = take_value(w, "--config", &value, ret_err);
    if (rc == 1) {
        if (!value[0] || strlen(value) >= sizeof(req->file)) {
            return conf_refuse(ret_err, "--config: the name must have 1 to %zu bytes",
                               sizeof(req->file) - 1);
        }
        memcpy(req->file, value, strlen(value) + 1);
        return 1;
    }
    if (rc == 0) {
        rc = take_value(w, "--log-format", &f->log_format, ret_err);
    }
    if (rc == 0) {
        rc = take_value(w, "--set", &value, ret_err);
        if (rc == 1 && f->n_sets == SETS_MAX) {
            return conf_refuse(ret_err, "--set: more than %d times", SETS_MAX);
        }
        if (rc == 1) {
            f->sets[f->n_sets++] = value;
        }
    }
    return rc;
}

static int read_flags(int argc, char **argv, struct flags *f, struct conf_request *req,
                      struct conf_error *ret_err)
{
    struct words w = {.argc = argc, .i = 1, .argv = argv};
    struct {
        const char *word;
        bool *at;
    } plain[] = {{"--check-config", &req->check_config},
                 {"--print-config", &req->print_config},
                 {"--version", &req->version},
                 {"--help", &req->help},
                 {"-h", &req->help},
                 {"--insecure-dev", &f->insecure_dev}};
    static const char *const words[] = {"--check-config", "--print-config", "--version",
                                        "--help",         "--insecure-dev", "--config",
                                        "--log-format",   "--set"};
    for (; w.i < argc; w.i++) {
        size_t p = 0;
        while (p < ARRAY_LEN(plain) && strcmp(plain[p].word, argv[w.i]) != 0) {
            p++;
        }
        if (p < ARRAY_LEN(plain)) {
            *plain[p].at = true;
            continue;
        }
        int rc = take_valued(&w, f, req, ret_err);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0) {
            const char *near = conf_keys_nearest(argv[w.i], words, ARRAY_LEN(words));
            return near
                       ? conf_refuse(ret_err, "%.100s: unknown flag (did you mean %s?)", argv[w.i],
                                     near)
                       : conf_refuse(ret_err, "%.100s: unknown flag; --help lists them", argv[w.i]);
        }
    }
    return 0;
}

int conf_load(int argc, char **argv, char **envp, struct conf *ret_conf,
              struct conf_request *ret_req, struct conf_error *ret_err)
{
    struct flags f = {0};
    struct conf_request req = {0};
    struct loading l = {ret_conf, &ret_req->origins, ret_err};
    conf_defaults(ret_conf);
    int rc = read_flags(argc, argv, &f, &req, ret_err);
    if (rc) {
        return rc;
    }
    *ret_req = req;
    if (req.version || req.help) {
        return 0; /* asked by people whose settings may be what is wrong */
    }
    if (req.file[0]) {
        rc = load_file(&l, req.file);
    }
    for (char **e = envp; rc == 0 && *e; e++) {
        rc = load_env_entry(&l, *e);
    }
    for (int i = 0; rc == 0 && i < f.n_sets; i++) {
        rc = apply_set(&l, f.sets[i]);
    }
    if (rc == 0 && f.log_format) {
        rc = set_text(&l, conf_keys_find("log", "format"), CONF_FROM_FLAG, "--log-format",
                      f.log_format);
    }
    ret_conf->insecure_dev = f.insecure_dev;
    if (rc == 0 && conf_validate(ret_conf, ret_err)) {
        const struct conf_error wrong = *ret_err;
        conf_locate(ret_req, wrong.text, ret_err);
        rc = -EINVAL;
    }
    return rc ? -EINVAL : 0;
}
