/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS: the certificate made at start, certificates from files, and their reload under traffic. */
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "signaling/tls.h"
#include "signaling/tls_self.h"
#include "tests/http_kit.h"

static char dir[64];

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *out = paths[next++ % 4];
    snprintf(out, 128, "%s/%s", dir, name);
    return out;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

/* A new pair in cert.pem and key.pem. */
static void write_pair(bool cert, bool key)
{
    struct tls_pem pem;
    cr_assert_eq(tls_self_make(kit.conf, &pem), 0);
    if (cert) {
        write_file("cert.pem", pem.cert);
    }
    if (key) {
        write_file("key.pem", pem.key);
    }
    free(pem.cert);
    free(pem.key);
}

static void start_with_files(void)
{
    snprintf(dir, sizeof(dir), "/tmp/sluice-test-tls-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    kit_prepare();
    snprintf(kit.conf->tls.cert_file, sizeof(kit.conf->tls.cert_file), "%s", path_of("cert.pem"));
    snprintf(kit.conf->tls.key_file, sizeof(kit.conf->tls.key_file), "%s", path_of("key.pem"));
    write_pair(true, true);
}

static void clean(void)
{
    unlink(path_of("cert.pem"));
    unlink(path_of("key.pem"));
    rmdir(dir);
}

/* ---- a client ---- */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

/* Runs a non-blocking step until it is done; returns its last result. */
static int step(struct client *c, int (*fn)(SSL *ssl))
{
    int64_t deadline = clock_now_us() + 5 * (int64_t)US_PER_S;
    for (;;) {
        int r = fn(c->ssl);
        int err = SSL_get_error(c->ssl, r);
        if (r > 0 || (err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE)) {
            return r;
        }
        cr_assert_lt(clock_now_us(), deadline);
        kit_turn();
    }
}

static bool client_open(struct client *c, int max_version)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(c->ctx, 0);
    SSL_CTX_set_max_proto_version(c->ctx, max_version);
    c->ssl = SSL_new(c->ctx);
    c->fd = kit_connect(signaling_port(kit.s));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    SSL_set_fd(c->ssl, c->fd);
    return step(c, SSL_connect) == 1;
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    kit_turn();
}

/* SHA-256 of the certificate that the server showed. */
static const char *client_saw(const struct client *c)
{
    static char text[TLS_FINGERPRINT_TEXT];
    uint8_t digest[32];
    unsigned len = 0;
    X509 *x = SSL_get1_peer_certificate(c->ssl);
    cr_assert_not_null(x);
    cr_assert_eq(X509_digest(x, EVP_sha256(), digest, &len), 1);
    X509_free(x);
    for (unsigned i = 0; i < len; i++) {
        snprintf(text + 3 * i, sizeof(text) - 3 * i, "%02X%s", digest[i], i + 1 < len ? ":" : "");
    }
    return text;
}

static char answer[8192];

static int read_some(SSL *ssl)
{
    return SSL_read(ssl, answer, sizeof(answer) - 1);
}

/* GET /whip/a over an open connection; the status. */
static int client_get(struct client *c)
{
    static const char ask[] = "GET /whip/a HTTP/1.1\r\nHost: x\r\n\r\n";
    memset(answer, 0, sizeof(answer));
    cr_assert_gt(SSL_write(c->ssl, ask, sizeof(ask) - 1), 0);
    return step(c, read_some) > 0 ? atoi(answer + 9) : 0;
}

/* A connection of its own that tells which certificate is in use. */
static void expect_served(const char *fingerprint)
{
    struct client c;
    cr_assert(client_open(&c, TLS1_3_VERSION));
    cr_expect_str_eq(client_saw(&c), fingerprint);
    cr_expect_eq(client_get(&c), 200);
    client_close(&c);
}

/* What the files hold now. */
static const char *in_files(void)
{
    static char text[TLS_FINGERPRINT_TEXT];
    struct tls *t;
    const char *what = "";
    cr_assert_eq(tls_new(kit.conf, &t, &what), 0, "%s", what);
    snprintf(text, sizeof(text), "%s", tls_fingerprint(t));
    tls_free(t);
    return text;
}

Test(tls, makes_a_certificate_that_covers_this_machine)
{
    kit_prepare();
    kit.conf->tls.self_signed = true;
    strcpy(kit.conf->http.public_origin, "https://media.example.org:8443");
    kit_go();
    struct client c;
    char url[256];
    cr_assert(client_open(&c, TLS1_3_VERSION));
    cr_expect_eq(SSL_version(c.ssl), TLS1_3_VERSION);
    cr_expect_str_eq(client_saw(&c), signaling_self_signed(kit.s));
    X509 *x = SSL_get1_peer_certificate(c.ssl);
    static const char *const names[] = {"localhost", "media.example.org"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_expect_eq(X509_check_host(x, names[i], 0, 0, NULL), 1, "%s", names[i]);
    }
    cr_expect_eq(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
    cr_expect_eq(X509_check_ip_asc(x, "::1", 0), 1);
    cr_expect_neq(X509_check_host(x, "example.org", 0, 0, NULL), 1);
    X509_free(x);
    cr_expect_eq(client_get(&c), 200);
    client_close(&c);
    cr_expect_str_eq(signaling_url(kit.s, url, sizeof(url)), "https://media.example.org:8443/");
    kit_stop();
}

Test(tls, speaks_1_2_and_1_3_only)
{
    /* SEC-09 */
    static const struct {
        int version;
        bool good;
    } rows[] = {{TLS1_3_VERSION, true},
                {TLS1_2_VERSION, true},
                {TLS1_1_VERSION, false},
                {TLS1_VERSION, false}};
    start_with_files();
    kit_go();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client c;
        cr_expect_eq(client_open(&c, rows[i].version), rows[i].good, "row %zu", i);
        client_close(&c);
    }
    kit_stop();
    clean();
}

Test(tls, reloads_files_without_dropping_anybody)
{
    start_with_files();
    kit_go();
    const char *what = NULL;
    struct client old;
    cr_assert(client_open(&old, TLS1_3_VERSION));
    cr_expect_str_eq(client_saw(&old), in_files());
    cr_expect_eq(client_get(&old), 200);

    write_pair(true, true);
    cr_assert_eq(signaling_reload(kit.s, kit.conf, &what), 0, "%s", what);
    expect_served(in_files());
    cr_expect_eq(client_get(&old), 200, "the old connection goes on");

    char good[TLS_FINGERPRINT_TEXT];
    snprintf(good, sizeof(good), "%s", in_files());
    /* Bad files are refused with a reason, and the good pair stays in use. */
    static const char no_cert[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char *const broken[] = {"", "nonsense", no_cert};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        write_file("cert.pem", broken[i]);
        what = NULL;
        cr_expect_lt(signaling_reload(kit.s, kit.conf, &what), 0, "%zu", i);
        cr_expect_not_null(what);
        expect_served(good);
    }
    write_pair(true, false); // a certificate without its key
    cr_expect_lt(signaling_reload(kit.s, kit.conf, &what), 0);
    cr_expect_str_eq(what, "tls.key_file is not the key of the first certificate in tls.cert_file");
    expect_served(good);
    unlink(path_of("key.pem"));
    cr_expect_lt(signaling_reload(kit.s, kit.conf, &what), 0);
    expect_served(good);
    client_close(&old);
    kit_stop();
    clean();
}

Test(tls, refuses_to_start_with_bad_files)
{
    start_with_files();
    write_file("key.pem", "nonsense");
    struct signaling *s = NULL;
    const char *what = NULL;
    uv_loop_t loop;
    struct signaling_params p = {.loop = &loop, .conf = kit.conf};
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_expect_eq(signaling_check(kit.conf, &what), -EBADMSG, "--check-config says so as well");
    cr_expect_lt(signaling_start(&p, &s, &what), 0);
    cr_expect_null(s);
    cr_expect_str_eq(what, "tls.key_file holds no private key in PEM without a passphrase");
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
    free(kit.conf);
    clean();
}

Test(tls, plain_http_and_noise_on_the_port_end_soon)
{
    static const char *const rows[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff"
                                                                            "noise"};
    start_with_files();
    kit_go();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct reply r;
        int fd = kit_connect(signaling_port(kit.s));
        kit_send(fd, rows[i], strlen(rows[i]));
        if (i == 0) {
            kit_read(fd, false, &r);
            cr_expect_eq(r.status, 0);
            cr_expect(r.closed);
        }
        close(fd);
        expect_served(in_files());
    }
    kit_stop();
    clean();
}
