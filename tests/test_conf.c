/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/conf_apply.h"
#include "conf/conf_keys.h"

static struct conf c, d; /* too large for a frame each */
static struct conf_error err;
static struct conf_request req;

static int apply(const char *json)
{
    const struct conf_json_text text = {"f.json", json, strlen(json)};
    conf_defaults(&c);
    memset(&err, 0, sizeof(err));
    return conf_apply_file(&c, &text, NULL, &err);
}

/* argv and envp end with NULL; argv[0] is added. */
static int load(const char *const *flags, const char *const *env)
{
    static char self[] = "sluice";
    char *argv[80] = {self};
    char *envp[40] = {0};
    int argc = 1;
    for (; flags && flags[argc - 1]; argc++) {
        argv[argc] = (char *)flags[argc - 1];
    }
    for (int i = 0; env && env[i]; i++) {
        envp[i] = (char *)env[i];
    }
    memset(&err, 0, sizeof(err));
    return conf_load(argc, argv, envp, &c, &req, &err);
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_error(const char *part, const char *what)
{
    cr_assert(strstr(err.text, part), "%s: \"%s\" lacks \"%s\"", what, err.text, part);
}

static char *read_source(const char *path)
{
    char full[1024];
    const char *here = __FILE__; /* as the compiler was told it: the tests run where it ran */
    const char *slash = strrchr(here, '/');
    int n_dir = slash ? (int)(slash - here) : 1;
    snprintf(full, sizeof(full), "%.*s/../%s", n_dir, slash ? here : ".", path);
    char *buf = malloc(CONF_JSON_TEXT_MAX);
    size_t n = 0;
    if (conf_apply_read_file(full, buf, CONF_JSON_TEXT_MAX, &n)) {
        free(buf);
        return NULL;
    }
    return buf;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

Test(conf, has_the_defaults_that_the_design_names)
{
    conf_defaults(&c);
    cr_assert_str_eq(c.http.listen, "127.0.0.1:8080");
    cr_assert_str_eq(c.media.listen, "[::]:8189");
    cr_assert_str_eq(c.admin.listen, "127.0.0.1:9090");
    cr_assert_eq(c.limits.drain_timeout_ms, 30000);
    cr_assert_eq(c.limits.gone_timeout_ms, 15000);
    cr_assert_eq(c.limits.end_timeout_ms, 60000);
    cr_assert_eq(c.http.etag_mode, CONF_ETAG_LENIENT);
    cr_assert_eq(c.log.format, CONF_LOG_JSON);
    cr_assert_eq(c.media.video_codecs.n, 5);
    cr_assert(c.media.tcp && c.media.gso && c.media.gro && !c.insecure_dev);
    cr_assert_eq(conf_validate(&c, &err), 0, "%s", err.text);
}

/* Every byte of struct conf that a setting can live in is covered by exactly one key. */
Test(conf, table_covers_the_struct)
{
    static unsigned char used[sizeof(struct conf)];
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *k = &conf_keys[i];
        /* auth and ice_servers hold their list and its count beside other keys */
        size_t size = k->type == CONF_TYPE_SERVERS
                          ? offsetof(struct conf, ice_servers.credential_ttl_s) -
                                offsetof(struct conf, ice_servers)
                          : k->size;
        for (size_t b = 0; b < size; b++) {
            cr_assert_eq(used[k->offset + b]++, 0, "%s.%s overlaps", k->section, k->name);
        }
        cr_assert_eq(conf_keys_find(k->section, k->name), k, "%s.%s twice", k->section, k->name);
        cr_assert(strlen(k->help) > 5);
    }
    size_t free_bytes = 0;
    for (size_t b = 0; b < offsetof(struct conf, insecure_dev); b++) {
        free_bytes += !used[b];
        cr_assert_lt(free_bytes, 24, "byte %zu: more than padding is in no key", b);
    }
}

static bool is_in_section(const cJSON *section, const struct conf_key *k)
{
    return section && cJSON_GetObjectItemCaseSensitive(section, k->name) != NULL;
}

Test(conf, example_file_has_every_key_with_its_default)
{
    char *text = read_source("conf/sluice.json");
    cr_assert(text);
    cJSON *root = NULL;
    const struct conf_json_text t = {"sluice.json", text, strlen(text)};
    cr_assert_eq(conf_json_parse(&t, &root, &err), 0, "%s", err.text);
    for (size_t i = 0; i < conf_keys_count; i++) {
        const cJSON *section = cJSON_GetObjectItemCaseSensitive(root, conf_keys[i].section);
        cr_assert(is_in_section(section, &conf_keys[i]), "%s.%s", conf_keys[i].section,
                  conf_keys[i].name);
    }
    cJSON_Delete(root);
    /* Values that differ from the defaults show up as a difference to the untouched struct; start
     * from something else, so that a key that does nothing shows too. */
    memset(&d, 0, sizeof(d));
    cr_assert_eq(conf_apply_file(&d, &t, NULL, &err), 0, "%s", err.text);
    conf_defaults(&c);
    cr_assert_arr_eq(&c, &d, sizeof(c));
    free(text);
}

/* README's table has one row a key, "| `section.key` | `default` | help", and no others. */
Test(conf, readme_lists_every_key)
{
    char *text = read_source("README.md");
    cr_assert(text);
    char *table = strstr(text, "\n## Configuration\n");
    cr_assert(table);
    char *end = strstr(table + 1, "\n## ");
    if (end) {
        *end = '\0';
    }
    for (size_t i = 0; i < conf_keys_count; i++) {
        const struct conf_key *k = &conf_keys[i];
        char name[CONF_KEYS_NAME_MAX], row[512];
        const char *tick = k->def[0] ? "`" : "";
        snprintf(row, sizeof(row), "\n| `%s` | %s%s%s | %s", conf_keys_name(k, name), tick, k->def,
                 tick, k->help);
        cr_assert(strstr(table, row), "README.md lacks: %s", row + 1);
    }
    size_t rows = 0;
    for (const char *p = table; (p = strstr(p, "\n| `")) != NULL; p++) {
        rows++;
    }
    cr_assert_eq(rows, conf_keys_count, "README.md has %zu rows for %zu keys", rows,
                 conf_keys_count);
    free(text);
}

Test(conf, reads_a_file_with_comments)
{
    const char *json =
        "\xef\xbb\xbf// first\n{ /* two\nlines */ \"media\": { \"workers\": 3, // n\n"
        "\"announce\": [\"192.0.2.1\", \"2001:db8::1\"], \"tcp\": false },\n"
        "\"http\": {\"public_origin\": \"https://a//b\", \"etag_mode\": \"strict\"},"
        "\"log\": {\"format\": \"text\", \"level\": \"debug\"}}//";
    cr_assert_eq(apply(json), 0, "%s", err.text);
    cr_assert_eq(c.media.workers, 3);
    cr_assert_eq(c.media.announce.n, 2);
    cr_assert_str_eq(c.media.announce.s[1], "2001:db8::1");
    cr_assert(!c.media.tcp && c.media.gro);
    cr_assert_str_eq(c.http.public_origin, "https://a//b");
    cr_assert_eq(c.http.etag_mode, CONF_ETAG_STRICT);
    cr_assert_eq(c.log.format, CONF_LOG_TEXT);
    cr_assert_str_eq(c.log.level, "debug");
}

Test(conf, reads_tokens_and_ice_servers)
{
    write_file("/tmp/sluice_test_secret", "s3cret-from-file\n");
    cr_assert_eq(
        apply("{\"auth\":{\"tokens\":[{\"token\":\"abc\",\"name\":\"n\",\"publish\":true},"
              "{\"token_file\":\"/tmp/sluice_test_secret\",\"name\":\"m\",\"pattern\":\"r/*\","
              "\"play\":true}]},"
              "\"ice_servers\":{\"servers\":[{\"url\":\"stun:a\"},{\"url\":\"turn:b?transport="
              "udp\",\"secret_file\":\"/tmp/sluice_test_secret\"},"
              "{\"url\":\"turns:c\",\"username\":\"u\",\"credential\":\"p\"}]}}"),
        0, "%s", err.text);
    unlink("/tmp/sluice_test_secret");
    cr_assert_eq(c.auth.n_tokens, 2);
    cr_assert_str_eq(c.auth.tokens[0].pattern, "*");
    cr_assert(c.auth.tokens[0].publish && !c.auth.tokens[0].play);
    cr_assert_str_eq(c.auth.tokens[1].token, "s3cret-from-file");
    cr_assert_str_eq(c.auth.tokens[1].pattern, "r/*");
    cr_assert_eq(c.ice_servers.n, 3);
    cr_assert_str_eq(c.ice_servers.servers[1].secret, "s3cret-from-file");
    cr_assert_str_eq(c.ice_servers.servers[2].credential, "p");
}

#define HOOKS(x)   "{\"webhooks\":{\"targets\":[" x "]}}"
#define KEYS(x)    "{\"auth\":{\"keys\":[" x "]}}"
#define TOKENS(x)  "{\"auth\":{\"tokens\":[" x "]}}"
#define SERVERS(x) "{\"ice_servers\":{\"servers\":[" x "]}}"

Test(conf, refuses_bad_files_and_names_line_and_key)
{
    static const struct {
        const char *json, *error;
    } rows[] = {
        {"", "f.json:1: nothing in it; {} means the defaults"},
        {" \n// all of it\n", "nothing in it"},
        {"{\n\"http\": {}\n", "f.json:3: ends too early"},
        {"{\"http\": {},\n# no\n\"log\": {}}",
         "f.json:2: syntax error near \"# no\"; comments are // or /* */"},
        {"{'http': {}}", "f.json:1: syntax error near \"'http': {}}\"; strings and keys have"},
        {"{\"media\": {\"announce\": [\"a\",]}}", "f.json:1: a comma before ]"},
        {"{\n\n  \"http\": {,}}", "f.json:3: a comma before }"},
        {"{\"http\": {\"listen\": \"a\",\n}}", "f.json:2: a comma before }"},
        {"{} {}", "f.json:1: syntax error near \"{}\""},
        {"{\n/* no end", "f.json:2: comment without an end"},
        {"[]", "f.json:1: must be an object with sections, not a list"},
        {"{\"media\":{\n\"worker\":1}}",
         "f.json:2: media.worker: unknown key (did you mean media.workers?)"},
        {"{\"http\":{\"workers\":1}}", "http.workers: unknown key (did you mean media.workers?)"},
        {"{\"http\":{\"zzzzzzzzzzzz\":1}}", "http.zzzzzzzzzzzz: unknown key"},
        {"{\n\"medai\":{}}", "f.json:2: medai: unknown section (did you mean media?)"},
        {"{\"insecure_dev\":true}", "insecure_dev: is no setting, but the flag --insecure-dev"},
        {"{\"media\":3}", "media: must be an object, not a number"},
        {"{\"media\":{\"workers\":1,\n\"workers\":2}}", "f.json:2: media.workers: given twice"},
        {"{\"media\":{},\n\"media\":{}}", "f.json:2: media: given twice"},
        {"{\"media\":{\"workers\":\"1\"}}", "media.workers: must be a number, not a string"},
        {"{\"media\":{\"workers\":1.5}}", "media.workers: must be a whole number"},
        {"{\"media\":{\"workers\":-1}}", "media.workers: must be from 0 to 64"},
        {"{\"media\":{\"workers\":1e99}}", "media.workers: must be from 0 to 64"},
        {"{\"media\":{\"workers\":01}}", "malformed number"},
        {"{\"media\":{\"workers\":+1}}", "syntax error"},
        {"{\"media\":{\"workers\":1.}}", "malformed number"},
        {"{\"media\":{\"tcp\":1}}", "media.tcp: must be true or false, not a number"},
        {"{\"media\":{\"tcp\":null}}", "media.tcp: must be true or false, not null"},
        {"{\"media\":{\"announce\":\"a\"}}",
         "media.announce: must be a list of strings, not a string"},
        {"{\"media\":{\"announce\":[\n1]}}", "f.json:2: media.announce: must be a list of strings"},
        {"{\"media\":{\"announce\":[\"\"]}}", "media.announce: has an empty entry"},
        {"{\"media\":{\"announce\":[\"a\",\"a\"]}}", "media.announce: names \"a\" twice"},
        {"{\"media\":{\"announce\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
         "\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}}",
         "media.announce: has more than 16 entries"},
        {"{\"log\":{\"format\":\"xml\"}}", "log.format: must be one of json|text"},
        {"{\"log\":{\"level\":\"\"}}", "log.level: must be one of error|warn|info|debug"},
        {"{\"http\":{\"listen\":\"a\\u0000b\"}}", "NUL character in a string"},
        {"{\"http\":{\"listen\":\"a\\nb\"}}", "http.listen: has a control character"},
        {"{\"http\":{\"listen\":\"a\tb\"}}", "control character in a string"},
        {"{\"http\":[[[[[[[[[[1]]]]]]]]]]}", "nested too deeply"},
        {KEYS("1"), "auth.keys[0]: must be an object, not a number"},
        {KEYS("{\"secret\":\"x\"}"), "auth.keys[0]: needs alg, one of HS256"},
        {KEYS("{\"alg\":\"none\",\"secret\":\"x\"}"), "auth.keys[0]: needs alg, one of HS256"},
        {KEYS("{\"alg\":\"HS256\"}"), "auth.keys[0]: needs one of secret, secret_file"},
        {KEYS("{\"alg\":\"HS256\",\"secret\":\"a\",\"jwk_file\":\"b\"}"),
         "auth.keys[0]: needs one of secret, secret_file"},
        {KEYS("{\"alg\":\"RS256\",\"secret\":\"a\"}"), "auth.keys[0]: a secret is for HS256"},
        {KEYS("{\"alg\":\"HS256\",\"pem_file\":\"a\"}"), "auth.keys[0]: HS256 has a secret"},
        {KEYS("{\"alg\":\"HS256\",\"kid\":\"../a\",\"secret\":\"a\"}"),
         "auth.keys[0]: kid may have"},
        {KEYS("{\"algo\":\"HS256\"}"), "auth.keys[0]: unknown member \"algo\" (did you mean alg?)"},
        {HOOKS("{}"), "webhooks.targets[0]: url must be an http"},
        {HOOKS("{\"url\":\"ftp://a/\"}"), "webhooks.targets[0]: url must be"},
        {HOOKS("{\"url\":\"http://u:p@a/\"}"), "webhooks.targets[0]: url must be"},
        {HOOKS("{\"url\":\"http://a b/\"}"), "webhooks.targets[0]: url must be"},
        {HOOKS("{\"url\":\"http:///x\"}"), "webhooks.targets[0]: url must be"},
        {HOOKS("{\"url\":\"http://a/\",\"events\":\"Room\"}"),
         "webhooks.targets[0]: events must be"},
        {HOOKS("{\"url\":\"http://a/\"},{\"url\":\"http://a/\"}"),
         "webhooks.targets[1]: the same url"},
        {TOKENS("1"), "auth.tokens[0]: must be an object, not a number"},
        {TOKENS("{\"name\":\"a\",\"play\":true}"), "auth.tokens[0]: needs token or token_file"},
        {TOKENS("{\"token\":\"a\",\"play\":true}"), "auth.tokens[0]: needs a name"},
        {TOKENS("{\"token\":\"a\",\"name\":\"b\"}"), "permits nothing"},
        {TOKENS("{\"token\":\"a\",\"name\":\"b\",\"play\":true,\"pattern\":\"a b\"}"),
         "pattern may have only"},
        {TOKENS("{\"token\":\"a b\",\"name\":\"b\",\"play\":true}"), "the token may have only"},
        {TOKENS("{\"token\":\"a\",\"token\":\"b\"}"), "auth.tokens[0].token: given twice"},
        {TOKENS("{\"token\":1}"), "auth.tokens[0].token: must be a string, not a number"},
        {TOKENS("{\"publish\":1}"), "auth.tokens[0].publish: must be true or false, not a number"},
        {TOKENS("{\"tokn\":\"a\"}"), "unknown member \"tokn\" (did you mean token?)"},
        {TOKENS("{\"token\":\"a\",\"token_file\":\"/dev/null\"}"),
         "auth.tokens[0].token_file: is given both"},
        {TOKENS("{\"token_file\":\"/dev/null\"}"), "/dev/null: no secret in it"},
        {TOKENS("{\"token_file\":\"/dev/zero\"}"), "/dev/zero: File too large"},
        {TOKENS("\n{\"token_file\":\"/none/x\"}"),
         "f.json:2: auth.tokens[0].token_file: /none/x: No such file"},
        {TOKENS("{\"token\":\"a\",\"name\":\"b\",\"play\":true},{\"token\":\"a\",\"name\":\"c\","
                "\"play\":true}"),
         "auth.tokens[1]: the same token as auth.tokens[0]"},
        {SERVERS("{}"), "ice_servers.servers[0]: url must be"},
        {SERVERS("{\"url\":\"http://a\"}"), "url must be"},
        {SERVERS("{\"url\":\"stun://a\"}"), "url must be"},
        {SERVERS("{\"url\":\"turn:a\"}"), "a TURN server needs"},
        {SERVERS("{\"url\":\"turn:a\",\"username\":\"u\"}"), "a TURN server needs"},
        {SERVERS("{\"url\":\"turn:a\",\"secret\":\"u\",\"credential\":\"x\"}"), "has both"},
        {SERVERS("{\"url\":\"stun:a\",\"secret\":\"u\"}"), "takes no credentials"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(apply(rows[i].json), -EINVAL, "%s", rows[i].json);
        expect_error(rows[i].error, rows[i].json);
        cr_assert_eq(strncmp(err.text, "f.json:", 7), 0, "%s", err.text);
    }
    const struct conf_json_text nul = {"f.json", "{}\n\0", 4};
    cr_assert_eq(conf_apply_file(&c, &nul, NULL, &err), -EINVAL);
    expect_error("f.json:2: NUL byte; the file must be UTF-8", "NUL");
}

/* Every prefix of the example is refused, and nothing leaks or reads too far. */
Test(conf, refuses_every_truncation_of_the_example)
{
    char *text = read_source("conf/sluice.json");
    size_t last = (size_t)(strrchr(text, '}') - text);
    for (size_t n = 0; n <= last; n += 7) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        const struct conf_json_text t = {"f.json", copy, n};
        conf_defaults(&c);
        cr_assert_eq(conf_apply_file(&c, &t, NULL, &err), -EINVAL, "%zu", n);
        free(copy);
    }
    free(text);
}

Test(conf, file_then_environment_then_flags)
{
    const char *path = "/tmp/sluice_test_conf.json";
    write_file(path, "{\"media\":{\"workers\":1,\"history_ms\":500,\"max_publisher_kbps\":100},"
                     "\"log\":{\"format\":\"text\"}}");
    cr_assert_eq(
        load(FLAGS("--set", "media.max_publisher_kbps=300", "--config", path, "--log-format=json"),
             FLAGS("PATH=/bin", "SLUICE_MEDIA__MAX_PUBLISHER_KBPS=200",
                   "SLUICE_MEDIA__HISTORY_MS=600", "SLUICE_MEDIA__ANNOUNCE=192.0.2.1, ::2",
                   "SLUICE_HTTP__CORS_ORIGINS=", "SLUICE_MEDIA__TCP=false",
                   "SLUICE_AUTH__TOKENS=[{\"token\":\"t\",\"name\":\"n\",\"play\":true}]")),
        0, "%s", err.text);
    cr_assert_eq(c.media.workers, 1);
    cr_assert_eq(c.media.history_ms, 600);
    cr_assert_eq(c.media.max_publisher_kbps, 300);
    cr_assert_eq(c.log.format, CONF_LOG_JSON);
    cr_assert_eq(c.media.announce.n, 2);
    cr_assert_str_eq(c.media.announce.s[1], "::2");
    cr_assert_eq(c.http.cors_origins.n, 0);
    cr_assert(!c.media.tcp);
    cr_assert_eq(c.auth.n_tokens, 1);
    cr_assert_str_eq(req.file, path);
    unlink(path);
}

Test(conf, refuses_bad_environment_and_flags)
{
    static const struct {
        const char *env, *flag, *value, *error;
    } rows[] = {
        {"SLUICE_MEDIA__WORKER=1", 0, 0, "(did you mean SLUICE_MEDIA__WORKERS?)"},
        {"SLUICE_MEDIA_WORKERS=1", 0, 0, "(did you mean SLUICE_MEDIA__WORKERS?)"},
        {"SLUICE_WORKERS=1", 0, 0, "(did you mean SLUICE_MEDIA__WORKERS?)"},
        {"SLUICE_PORT=80", 0, 0, "SLUICE_PORT: unknown setting"},
        {"SLUICE_QQQQQQQQQQQQQ=1", 0, 0, "unknown setting"},
        {"SLUICE_MEDIA__WORKERS=", 0, 0, "SLUICE_MEDIA__WORKERS: media.workers: must be a whole"},
        {"SLUICE_MEDIA__WORKERS=1x", 0, 0, "must be a whole number"},
        {"SLUICE_MEDIA__WORKERS=-", 0, 0, "must be a whole number"},
        {"SLUICE_MEDIA__WORKERS=99999999999999999999", 0, 0, "must be a whole number"},
        {"SLUICE_MEDIA__WORKERS=65", 0, 0, "must be from 0 to 64"},
        {"SLUICE_MEDIA__TCP=yes", 0, 0, "must be true or false"},
        {"SLUICE_MEDIA__ANNOUNCE=1,,2", 0, 0, "has an empty entry"},
        {"SLUICE_AUTH__TOKENS=[x]", 0, 0, "SLUICE_AUTH__TOKENS:1: syntax error"},
        {"SLUICE_AUTH__TOKENS={}", 0, 0, "auth.tokens: must be a list of objects, not an object"},
        {0, "--set", "media.worker=1", "--set media.worker: unknown key (did you mean"},
        {0, "--set", "media.workers", "must be section.key=value"},
        {0, "--set", "media.workers=x", "--set: media.workers: must be a whole number"},
        {0, "--set", 0, "--set: needs a value"},
        {0, "--config", "/none/x.json", "/none/x.json: cannot be read: No such file"},
        {0, "--config", "/", "/: cannot be read: Is a directory"},
        {0, "--config=", 0, "--config: the name must have"},
        {0, "--log-format", "xml", "--log-format: log.format: must be one of json|text"},
        {0, "--chekc-config", 0, "unknown flag (did you mean --check-config?)"},
        {0, "--versoin", 0, "unknown flag (did you mean --version?)"},
        {0, "--settings=1", 0, "--settings=1: unknown flag"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *flags[] = {rows[i].flag, rows[i].value, NULL};
        const char *env[] = {rows[i].env, NULL};
        cr_assert_eq(load(flags, env), -EINVAL, "row %zu", i);
        expect_error(rows[i].error, rows[i].env ? rows[i].env : rows[i].flag);
    }
    const char *many[70] = {0};
    for (int i = 0; i < 65; i++) {
        many[i] = "--set=media.workers=1";
    }
    cr_assert_eq(load(many, NULL), -EINVAL);
    expect_error("--set: more than 64 times", "many");
}

Test(conf, ignores_what_kubernetes_puts_into_the_environment)
{
    cr_assert_eq(
        load(NULL, FLAGS("SLUICE_SERVICE_HOST=10.0.0.1", "SLUICE_SERVICE_PORT=8080",
                         "SLUICE_SERVICE_PORT_HTTP=8080", "SLUICE_PORT=tcp://10.0.0.1:8080",
                         "SLUICE_PORT_8080_TCP_ADDR=10.0.0.1",
                         "SLUICE_MEDIA_PORT_8189_UDP=udp://10.0.0.1:8189")),
        0, "%s", err.text);
}

Test(conf, knows_every_request)
{
    cr_assert_eq(load(FLAGS("--check-config", "--print-config", "--insecure-dev"), NULL), 0);
    cr_assert(req.check_config && req.print_config && c.insecure_dev);
    cr_assert(!req.version && !req.help && !req.file[0]);
    /* Asked for when the settings may be what is wrong. */
    cr_assert_eq(load(FLAGS("--help", "--config", "/none"), FLAGS("SLUICE_BAD=1")), 0);
    cr_assert(req.help);
    cr_assert_eq(load(FLAGS("--version"), NULL), 0);
    cr_assert(req.version);
    cr_assert_eq(load(NULL, NULL), 0);
    cr_assert(!req.check_config && !req.version && !c.insecure_dev);
}

#define AUTH        "auth.tokens=[{\"token\":\"t\",\"name\":\"n\",\"play\":true}]"
#define ADMIN       "admin.listen=0.0.0.0:9090"
#define ADMIN_TOKEN "auth.tokens=[{\"token\":\"t\",\"name\":\"n\",\"admin\":true}]"
#define PUBLIC      "http.listen=0.0.0.0:8080"

Test(conf, validates_what_holds_between_keys)
{
    static const struct {
        const char *a, *b, *c;
        const char *error; /* NULL: fine */
    } rows[] = {
        {"http.listen=[::1]:80", 0, 0, NULL},
        {"http.listen=127.9.9.9:0", 0, 0, NULL},
        {"http.listen=[::ffff:127.0.0.1]:80", 0, 0, NULL},
        {PUBLIC, 0, 0, "auth.tokens is empty, and one of tls.cert_file"},
        {"http.listen=[::]:80", 0, 0, "http.listen: [::]:80 can be reached from other machines"},
        {"http.listen=192.168.0.2:80", AUTH, 0, "tls.terminated_upstream is missing"},
        {PUBLIC, "tls.self_signed=true", 0, "machines: auth.tokens is empty; or start with"},
        {PUBLIC, "tls.self_signed=true", "auth.jwks_url=https://id.example/keys", 0},
        {PUBLIC, "tls.self_signed=true", "auth.hook_url=https://app.example/may", 0},
        {"auth.hook_url=http://app.example/may", 0, 0, "auth.hook_url: "},
        {"auth.hook_secret_file=/none/x", 0, 0, "auth.hook_secret_file: /none/x: No such file"},
        {"auth.revoked_file=/none/x", 0, 0, "auth.revoked_file: /none/: No such file"},
        {ADMIN, 0, 0, "admin.listen: 0.0.0.0:9090 can be reached from other machines: no entry of"},
        {ADMIN, "tls.self_signed=true", 0,
         "machines: no entry of auth.tokens has \"admin\": true; or"},
        {ADMIN, ADMIN_TOKEN, 0, "machines: one of tls.cert_file"},
        {ADMIN, ADMIN_TOKEN, "tls.self_signed=true", 0},
        {ADMIN, ADMIN_TOKEN, "tls.terminated_upstream=true", 0},
        {ADMIN, AUTH, "tls.self_signed=true", "no entry of auth.tokens has \"admin\""},
        {"admin.listen=[::1]:9090", "admin.health_listen=0.0.0.0:9091", 0, 0},
        {"auth.jwks_url=http://id.example/keys", 0, 0,
         "auth.jwks_url: \"http://id.example/keys\" must be"},
        {"auth.jwks_url=http://127.0.0.1.evil.example/", 0, 0, "auth.jwks_url: "},
        {"auth.jwks_url=http://127.0.0.1@evil.example/", 0, 0, "auth.jwks_url: "},
        {"auth.jwks_url=https://user@id.example/", 0, 0, "auth.jwks_url: "},
        {"auth.jwks_url=file:///etc/keys", 0, 0, "auth.jwks_url: "},
        {"auth.jwks_url=https:///keys", 0, 0, "auth.jwks_url: "},
        {"auth.jwks_url=http://127.0.0.1:8000/keys", "auth.audience=a", 0, 0},
        {PUBLIC, AUTH, "tls.self_signed=true", NULL},
        {PUBLIC, AUTH, "tls.terminated_upstream=true", NULL},
        {"tls.terminated_upstream=true", 0, 0, "auth.tokens: empty, but tls.terminated_upstream"},
        {"http.listen=localhost:80", 0, 0, "http.listen: \"localhost\" is no IP address"},
        {"http.listen=:80", 0, 0, "has no address; write [::]:80 for all"},
        {"http.listen=127.0.0.1", 0, 0, "must be ADDRESS:PORT"},
        {"http.listen=::1:80", 0, 0, "must be ADDRESS:PORT"},
        {"http.listen=[::1]80", 0, 0, "must be ADDRESS:PORT"},
        {"http.listen=127.0.0.1:65536", 0, 0, "must be ADDRESS:PORT"},
        {"http.listen=127.0.0.1:8x", 0, 0, "must be ADDRESS:PORT"},
        {"http.listen=", 0, 0, "http.listen: \"\" must be ADDRESS:PORT"},
        {"admin.listen=127.0.0.1:99999", 0, 0, "admin.listen:"},
        {"admin.listen=127.0.0.1:8080", 0, 0, "admin.listen: port 8080 is taken by http.listen"},
        {"media.listen=[::]:8080", 0, 0, "media.listen: port 8080 is taken by http.listen"},
        {"media.listen=[::]:8080", "media.tcp=false", 0, NULL},
        {"media.listen=239.0.0.1:1", 0, 0, "media.listen: a multicast address"},
        {"admin.health_listen=0.0.0.0:9091", 0, 0, NULL},
        {"admin.health_listen=0.0.0.0:9090", 0, 0,
         "health_listen: port 9090 is taken by admin.listen"},
        {"tls.cert_file=/dev/null", 0, 0, "tls.key_file: missing"},
        {"tls.key_file=/dev/null", 0, 0, "tls.cert_file: missing"},
        {"tls.cert_file=/none/c", "tls.key_file=/dev/null", 0, "tls.cert_file: /none/c: No such"},
        {"tls.cert_file=/dev/null", "tls.key_file=/dev/null", "tls.self_signed=true", "together"},
        {"media.announce=192.0.2.1,2001:db8::1", 0, 0, NULL},
        {"media.announce=media.example.org", 0, 0, "media.announce: \"media.example.org\" must be"},
        {"media.announce=0.0.0.0", 0, 0, "media.announce:"},
        {"media.announce=ff02::1", 0, 0, "media.announce:"},
        {"media.video_codecs=", 0, 0, "media.video_codecs: empty"},
        {"media.video_codecs=vp8", 0, 0, "media.video_codecs: \"vp8\" must be one of"},
        {"http.public_origin=https://a.example:8443", 0, 0, NULL},
        {"http.public_origin=https://a.example/", 0, 0, NULL},
        {"http.public_origin=https://a.example/sluice", 0, 0, NULL},
        {"http.public_origin=https://a.example:1/a/b-c.d/", 0, 0, NULL},
        {"http.public_origin=https://a.example//a", 0, 0, "http.public_origin:"},
        {"http.public_origin=https://a.example/a/../b", 0, 0, "http.public_origin:"},
        {"http.public_origin=https://a.example/a?b", 0, 0, "http.public_origin:"},
        {"http.public_origin=https://a.example/a b", 0, 0, "http.public_origin:"},
        {"http.public_origin=https:///sluice", 0, 0, "http.public_origin:"},
        {"http.public_origin=a.example", 0, 0, "http.public_origin:"},
        {"http.cors_origins=https://a,*", 0, 0, NULL},
        {"http.cors_origins=https://*.a", 0, 0, "http.cors_origins:"},
        {"http.trusted_proxies=10.0.0.0/8,2001:db8::/128,10.1.1.1", 0, 0, NULL},
        {"http.trusted_proxies=10.0.0.0/33", 0, 0, "http.trusted_proxies:"},
        {"http.trusted_proxies=10.0.0.0/", 0, 0, "http.trusted_proxies:"},
        {"http.trusted_proxies=proxy", 0, 0, "http.trusted_proxies:"},
        {"limits.gone_timeout_ms=90000", 0, 0, "limits.gone_timeout_ms: longer than"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *sets[] = {rows[i].a, rows[i].b, rows[i].c};
        const char *flags[8] = {0};
        for (size_t s = 0, n = 0; s < 3 && sets[s]; s++) {
            flags[n++] = "--set";
            flags[n++] = sets[s];
        }
        int rc = load(flags, NULL);
        cr_assert_eq(rc, rows[i].error ? -EINVAL : 0, "%s: %s", rows[i].a, err.text);
        if (rows[i].error) {
            expect_error(rows[i].error, rows[i].a);
        }
    }
    cr_assert_eq(load(FLAGS("--insecure-dev", "--set", PUBLIC), NULL), 0, "%s", err.text);
}

/* A refusal that only shows when all is read still says where the setting stands. */
Test(conf, locates_what_is_refused_at_the_end)
{
    static const struct {
        const char *env, *set;
        const char *error; /* its beginning */
    } rows[] = {
        {0, 0, "/tmp/sluice_test_conf_at.json:3: http.listen: \"nowhere\" must be"},
        {"SLUICE_HTTP__LISTEN=there", 0, "SLUICE_HTTP__LISTEN: http.listen: \"there\" must be"},
        {"SLUICE_HTTP__LISTEN=there", "http.listen=here", "--set: http.listen: \"here\" must be"},
        {0, "http.listen=127.0.0.1:9090", "admin.listen: port 9090 is taken by http.listen"},
    };
    const char *path = "/tmp/sluice_test_conf_at.json";
    write_file(path, "{\n\"http\": {\n\"listen\": \"nowhere\"\n}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *flags[] = {"--config", path, rows[i].set ? "--set" : NULL, rows[i].set, NULL};
        const char *env[] = {rows[i].env, NULL};
        cr_assert_eq(load(flags, env), -EINVAL);
        cr_assert_eq(strncmp(err.text, rows[i].error, strlen(rows[i].error)), 0, "%s", err.text);
    }
    cr_assert_eq(load(FLAGS("--config", path, "--set", "http.listen=127.0.0.1:1"), NULL), 0);
    conf_locate(&req, "http.listen cannot be had", &err);
    cr_assert_str_eq(err.text, "--set: http.listen cannot be had");
    conf_locate(&req, "the moon", &err);
    cr_assert_str_eq(err.text, "the moon");
    unlink(path);
}

Test(conf, prints_settings_that_can_be_read_again)
{
    cr_assert_eq(load(FLAGS("--set", "media.workers=7", "--set", "media.announce=192.0.2.9",
                            "--set", "log.level=warn"),
                      NULL),
                 0);
    char *text = conf_print(&c);
    cr_assert(text);
    memcpy(&d, &c, sizeof(c));
    cr_assert_eq(apply(text), 0, "%s", err.text);
    cr_assert_arr_eq(&c, &d, sizeof(c));
    free(text);
}

Test(conf, prints_no_secret)
{
    cr_assert_eq(apply(TOKENS("{\"token\":\"HUSH1\",\"name\":\"studio\",\"play\":true}")), 0, "%s",
                 err.text);
    memcpy(&d, &c, sizeof(c));
    cr_assert_eq(apply(SERVERS("{\"url\":\"turn:a\",\"secret\":\"HUSH2\"},{\"url\":\"turn:b\","
                               "\"username\":\"u\",\"credential\":\"HUSH3\"}")),
                 0);
    memcpy(&c.auth, &d.auth, sizeof(c.auth));
    char *text = conf_print(&c);
    cr_assert(!strstr(text, "HUSH"));
    cr_assert(strstr(text, "studio") && strstr(text, "turn:b") && strstr(text, "***"));
    free(text);
}

Test(conf, help_lists_every_key_and_flag)
{
    const char *text = conf_usage();
    for (size_t i = 0; i < conf_keys_count; i++) {
        cr_assert(strstr(text, conf_keys[i].name), "%s", conf_keys[i].name);
        cr_assert(strstr(text, conf_keys[i].help), "%s", conf_keys[i].name);
    }
    const char *flags[] = {"--config",     "--set",          "--check-config", "--print-config",
                           "--log-format", "--insecure-dev", "--version",      "--help"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        cr_assert(strstr(text, flags[i]), "%s", flags[i]);
    }
}

Test(conf, splits_host_and_port)
{
    char host[16];
    uint16_t port = 7;
    cr_assert_eq(conf_split_host_port("[2001:db8::1]:443", host, sizeof(host), &port), 0);
    cr_assert_str_eq(host, "2001:db8::1");
    cr_assert_eq(port, 443);
    cr_assert_eq(conf_split_host_port("a.example:1", host, sizeof(host), &port), 0);
    cr_assert_str_eq(host, "a.example");
    static const char *const bad[] = {"",
                                      ":",
                                      ":1",
                                      "a",
                                      "a:",
                                      "a:1:2",
                                      "[a:1",
                                      "[]:1",
                                      "[a]",
                                      "a:-1",
                                      "a:65536",
                                      "a:1 ",
                                      "a-name-longer-than-16:1",
                                      "a:000001"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(conf_split_host_port(bad[i], host, sizeof(host), &port), -EINVAL, "%s",
                     bad[i]);
    }
    cr_assert_eq(port, 1, "written on failure");
}
