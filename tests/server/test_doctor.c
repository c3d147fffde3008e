/* SPDX-License-Identifier: Apache-2.0 */
/* test_doctor.c - `sluice doctor` against the built server: all is well, and then one fault after
 * another, each of which it must name and say what to do about. argv: the binary, the library of
 * skew.c. A closed port needs a network of its own with a packet filter: run by unshare(1), with
 * loopback only. */
#include "tests/server/server_kit.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;
static char dir[] = "/tmp/doctorXXXXXX";
static char cert_path[64], key_path[64];

struct result {
    int exit_code;
    char text[16384];
};

/* Runs a shell line, the server's loop standing still meanwhile: it is another process. */
static void run(const char *line, struct result *ret)
{
    FILE *f = popen(line, "r");
    size_t n = f ? fread(ret->text, 1, sizeof(ret->text) - 1, f) : 0;
    ret->text[n] = '\0';
    int status = f ? pclose(f) : -1;
    ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A line that begins with begin and holds part. */
static bool has_line(const char *text, const char *begin, const char *part)
{
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        size_t len = strcspn(at, "\n");
        char line[1024];
        snprintf(line, sizeof(line), "%.*s", (int)(len < 1000 ? len : 1000), at);
        if (strncmp(line, begin, strlen(begin)) == 0 && strstr(line, part)) {
            return true;
        }
    }
    return false;
}

struct row {
    const char *name;
    const char *server_set; /* of the server */
    const char *env;        /* of the doctor */
    const char *flags;      /* of the doctor; NULL: from outside, by URL */
    int exit_code;
    const char *begin, *part; /* a line that must be there */
    const char *path;         /* from outside: behind the base, NULL for none */
};

static void examine(const struct row *r, const char *base)
{
    char line[1024];
    struct result got;
    if (r->flags) {
        snprintf(line, sizeof(line), "%s %s doctor --set http.listen=127.0.0.1:%u %s 2>&1", r->env,
                 server.binary, server.http_port, r->flags);
    } else {
        snprintf(line, sizeof(line), "%s %s doctor %s%s 2>&1", r->env, server.binary, base,
                 r->path ? r->path : "");
    }
    run(line, &got);
    bool ok = check(got.exit_code == r->exit_code && has_line(got.text, r->begin, r->part),
                    "%s: exit %d, \"%s ... %s\"", r->name, got.exit_code, r->begin, r->part);
    if (!ok) {
        note("%s", line);
        note("%s", got.text);
    }
}

static void test_row(const struct row *r)
{
    char base[64];
    const char *sets[] = {r->server_set, NULL};
    server_start(&server, sets);
    snprintf(base, sizeof(base), "http://127.0.0.1:%u", server.http_port);
    examine(r, base);
    check(server_stop(&server) == 0, "%s: the server is none the worse", r->name);
}

static void make_cert(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_gmtime_adj(X509_getm_notBefore(cert), -20L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), -3L * 86400);
    X509_sign(cert, key, EVP_sha256());
    FILE *f = fopen(cert_path, "w");
    bool ok = f && PEM_write_X509(f, cert);
    if (f) {
        fclose(f);
    }
    f = fopen(key_path, "w");
    ok = ok && f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    if (f) {
        fclose(f);
    }
    check(ok, "an expired certificate is there");
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* The expired certificate, with no server: the file is what is wrong. */
static void test_expired(void)
{
    char line[512];
    struct result got;
    make_cert();
    snprintf(line, sizeof(line),
             "%s doctor --set http.listen=127.0.0.1:1 --set tls.cert_file=%s --set tls.key_file=%s "
             "2>&1",
             server.binary, cert_path, key_path);
    run(line, &got);
    check(got.exit_code == 1 && has_line(got.text, "WRONG certificate", "expired 3 days ago"),
          "an expired certificate is named");
    check(has_line(got.text, "WRONG http", "start sluice there"), "nobody listens: said so");
}

/* In a network of its own whose packet filter drops UDP to the media port. */
static void test_closed_port(void)
{
    char line[1024];
    struct result got;
    snprintf(
        line, sizeof(line),
        "unshare -n sh -c 'ip link set lo up && nft add table inet t && nft add chain inet t i "
        "\"{ type filter hook input priority 0; }\" && nft add rule inet t i udp dport 8189 "
        "drop || exit 9; %s --set http.listen=127.0.0.1:8080 --set admin.listen=127.0.0.1:9090 "
        ">/dev/null & p=$!; for i in 1 2 3 4 5 6 7 8 9 10; do %s doctor >%s/out 2>&1; grep -q "
        "\"^ok    http\" %s/out && break; done; cat %s/out; kill $p; wait $p; exit 0'",
        server.binary, server.binary, dir, dir, dir);
    run(line, &got);
    bool ok = check(has_line(got.text, "WRONG port", "127.0.0.1:8189/udp does not answer") &&
                        has_line(got.text, "ok    reachable", "127.0.0.1:8189/tcp"),
                    "a closed UDP port is named, the open TCP port too");
    if (!ok) {
        note("%s", got.text);
    }
}

int main(int argc, char **argv)
{
    static char skew[512];
    const struct row rows[] = {
        {"all well", "media.workers=2", "", "", 0, "ok    media", "50 of 50 packets came back"},
        {"from outside", "media.workers=1", "", NULL, 0, "ok    whip", "accepts a publisher"},
        {"an endpoint's URL", "media.workers=1", "", NULL, 0, "ok    whip", "/whip/live accepts",
         "/whip/live"},
        {"wrong announced address", "media.announce=192.0.2.77,127.0.0.1", "", "", 1,
         "WRONG announce", "set media.announce to an address that clients reach"},
        {"tiny receive buffer", "media.workers=1", "", "--set media.rcvbuf_bytes=65536", 1,
         "WRONG buffers", "set 4194304"},
        {"clock off by an hour", "media.workers=1", skew, NULL, 1, "WRONG clock",
         "timedatectl set-ntp true"},
    };
    server_init(&server, argc, argv);
    /* A sanitizer's runtime wants to be loaded first, but does not need to. */
    snprintf(skew, sizeof(skew),
             "SKEW_S=3600 ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 LD_PRELOAD=%s",
             argc > 2 ? argv[2] : "");
    if (!mkdtemp(dir)) {
        return 1;
    }
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
    snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_row(&rows[i]);
    }
    test_expired();
    test_closed_port();
    char line[512];
    struct result got;
    snprintf(line, sizeof(line), "%s doctor media.example.org 2>&1", server.binary);
    run(line, &got);
    check(got.exit_code == 78 && strstr(got.text, "name the server by its URL, http://media."),
          "a name is no URL: said so");
    snprintf(line, sizeof(line), "rm -r %s", dir);
    run(line, &got);
    server_start(&server, NULL);
    server_fini(&server);
    return check_report();
}
