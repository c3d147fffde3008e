/* SPDX-License-Identifier: Apache-2.0 */
/* test_access.c - who may do what, asked of the built server (SEC-19 to SEC-29): opaque tokens,
 * JSON Web Tokens of every algorithm, keys fetched from the test and turned over, rights that are
 * there and that are missing, names that tokens are bound to, tokens of others, CORS, and what
 * stands in the log afterwards. */
#include "tests/jwt_corpus.h"
#include "tests/server/server_kit.h"
#include "tests/server/server_stub.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ISSUED       "\"iss\":\"iss\",\"aud\":\"aud\","
#define ALL_DO       "\"room\":\"*\",\"publish\":true,\"play\":true"
#define JWKS_WAIT_MS 10500 /* the server asks for the set again each ten seconds at most */

static struct server server;
static struct stub stub;
static EVP_PKEY *web[3]; /* of the fetched set, in turn */
static char folder[] = "/tmp/sluice-access-XXXXXX";
static char media_offer[PEER_SDP_TEXT_MAX], data_offer[PEER_SDP_TEXT_MAX];

/* ---- the server's settings ---- */

static void write_file(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    check(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0, "%s is written",
          name);
}

static void write_key(const char *name, EVP_PKEY *key)
{
    char *pem = jwt_kit_pem(key);

    write_file(name, pem);
    free(pem);
}

static void write_config(void)
{
    char text[4096];

    write_key("rs.pem", jwt_kit.rsa);
    write_key("es.pem", jwt_kit.ec);
    write_key("ed.pem", jwt_kit.ed);
    snprintf(text, sizeof(text),
             "{\"http\":{\"cors_origins\":[\"https://app.example.org\",\"https://b.example\"],"
             "\"require_token_on_session\":true},\n"
             "\"log\":{\"level\":\"debug\"},\n"
             "\"auth\":{\"issuer\":\"iss\",\"audience\":\"aud\",\"jwks_url\":"
             "\"http://127.0.0.1:%u/jwks\",\n\"tokens\":["
             "{\"token\":\"studio-6b1f0c8e2d\",\"name\":\"studio\",\"pattern\":\"live/*\","
             "\"publish\":true},"
             "{\"token\":\"guests-93aa7e51b0\",\"name\":\"guests\",\"pattern\":\"live/*\","
             "\"play\":true},"
             "{\"token\":\"mary-0d4c2b9a76f1\",\"name\":\"mary\",\"pattern\":\"live/*\","
             "\"moderate\":true},"
             "{\"token\":\"root-51e07cc2a8d3\",\"name\":\"root\",\"pattern\":\"*\","
             "\"admin\":true}],\n\"keys\":["
             "{\"alg\":\"HS256\",\"kid\":\"hs\",\"secret\":\"" JWT_KIT_SECRET "\"},"
             "{\"alg\":\"RS256\",\"kid\":\"rs\",\"pem_file\":\"%s/rs.pem\"},"
             "{\"alg\":\"ES256\",\"kid\":\"es\",\"pem_file\":\"%s/es.pem\"},"
             "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"pem_file\":\"%s/ed.pem\"}]}}\n",
             stub.port, folder, folder, folder);
    write_file("sluice.json", text);
}

/* A set that holds this key under its kid. */
static void publish_key(unsigned i)
{
    static char text[512];
    uint8_t raw[32];
    size_t len = sizeof(raw);
    char x[64] = "";

    check(EVP_PKEY_get_raw_public_key(web[i], raw, &len) == 1, "key web%u is told", i);
    jwt_kit_b64(x, raw, len);
    snprintf(text, sizeof(text),
             "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"EdDSA\",\"kid\":\"web%u\","
             "\"x\":\"%s\"}]}",
             i, x);
    stub.pages[0] = (struct stub_page){.path = "/jwks", .status = 200, .body = text};
}

/* ---- tokens ---- */

static const char *token_of(const char *kid, const char *claims)
{
    char header[128], all[2048];
    const char *alg = "EdDSA";
    const void *key = kid[0] == 'w' ? web[kid[3] - '0'] : NULL;

    for (size_t i = 0; i < ARRAY_LEN(corpus_algs) && !key; i++) {
        if (!strcmp(corpus_algs[i].kid, kid)) {
            alg = corpus_algs[i].alg;
            key = corpus_algs[i].key ? *corpus_algs[i].key : (const void *)JWT_KIT_SECRET;
        }
    }
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
    snprintf(all, sizeof(all), "{" ISSUED "\"exp\":%lld,%s}", (long long)time(NULL) + 60, claims);
    return jwt_kit_make(alg, key, header, all);
}

static void make_offers(void)
{
    struct peer_params m;

    for (int data = 0; data < 2; data++) {
        server_params(PEER_PUBLISH, &m);
        m.url = "http://127.0.0.1:1/";
        m.data = data;
        struct peer *p = peer_new(server.loop, server.identity, &m);
        const char *text = p ? peer_offer(p) : NULL;
        check(text != NULL, "an offer is made");
        snprintf(data ? data_offer : media_offer, PEER_SDP_TEXT_MAX, "%s", text ? text : "");
        peer_free(p);
    }
}

/* ---- one request ---- */

struct row {
    const char *what;
    const char *kid; /* of a JSON Web Token; "": claims is an opaque token; NULL: no token */
    const char *claims;
    const char *method, *path;
    int status;
    const char *says; /* somewhere in the answer, head or body; NULL: anything */
};

static const char *row_token(const struct row *r)
{
    return !r->kid ? NULL : r->kid[0] ? token_of(r->kid, r->claims) : r->claims;
}

/* What a POST has made goes at once. */
static void leave(const char *location, const char *token)
{
    const char *path = strstr(location, "/session/");
    struct server_ask ask = {.method = "DELETE", .path = path, .token = token};
    struct server_reply r;

    if (path) {
        int status = server_ask(&server, &ask, &r);
        check(status == 200, "who made a session may end it (%d)", status);
        free(r.body);
    }
}

static void check_row(const struct row *r)
{
    char token[4200] = "";
    const char *got = row_token(r);
    struct server_reply reply;
    bool post = !strncmp(r->path, "/wh", 3) && !strcmp(r->method, "POST");

    if (got) {
        snprintf(token, sizeof(token), "%s", got);
    }
    struct server_ask ask = {
        .admin = !strncmp(r->path, "/api/", 5) || !strcmp(r->path, "/livez"),
        .method = r->method,
        .path = r->path,
        .token = got ? token : NULL,
        .type = post ? "application/sdp" : NULL,
        .body = post ? strstr(r->what, "data channel") ? data_offer : media_offer : NULL,
    };
    server_ask(&server, &ask, &reply);
    bool said =
        !r->says || strstr(reply.head, r->says) || (reply.body && strstr(reply.body, r->says));
    check(reply.status == r->status && said, "%s: %s %s is %d (%d)%s", r->what, r->method, r->path,
          r->status, reply.status, said ? "" : ", but does not say so");
    leave(reply.location, got ? token : NULL);
    free(reply.body);
}

#define POST "POST"
#define GET  "GET"

static const struct row rows[] = {
    {"nobody", NULL, "", POST, "/whip/live/a", 401, "WWW-Authenticate: Bearer"},
    {"nobody", NULL, "", POST, "/whep/live/a", 401, "WWW-Authenticate: Bearer"},
    {"nobody", NULL, "", POST, "/moderate/live/lock", 401, "WWW-Authenticate: Bearer"},
    {"a preflight needs no token", NULL, "", "OPTIONS", "/whip/live/a", 200, "Allow: "},
    {"an unknown token", "", "studio-6b1f0c8e2", POST, "/whip/live/a", 401, "invalid_token"},
    {"an empty token", "", "", POST, "/whip/live/a", 401, NULL},
    {"a token in the URL", NULL, "", POST, "/whip/live/a?access_token=studio-6b1f0c8e2d", 401,
     NULL},
    {"an opaque publisher", "", "studio-6b1f0c8e2d", POST, "/whip/live/a", 201, "a=recvonly"},
    {"an opaque publisher elsewhere", "", "studio-6b1f0c8e2d", POST, "/whip/other/a", 403, NULL},
    {"an opaque publisher plays", "", "studio-6b1f0c8e2d", POST, "/whep/live/a", 403, NULL},
    {"an opaque player", "", "guests-93aa7e51b0", POST, "/whep/live/a", 409, "Retry-After"},
    {"an opaque player elsewhere", "", "guests-93aa7e51b0", POST, "/whep/alive/a", 403, NULL},
    {"an opaque player publishes", "", "guests-93aa7e51b0", POST, "/whip/live/a", 403, NULL},
    {"a moderator of no room", "", "mary-0d4c2b9a76f1", POST, "/moderate/live/lock", 404, NULL},
    {"a moderator elsewhere", "", "mary-0d4c2b9a76f1", POST, "/moderate/other/lock", 403, NULL},
    {"a moderator publishes", "", "mary-0d4c2b9a76f1", POST, "/whip/live/a", 403, NULL},
    {"a moderator administers", "", "mary-0d4c2b9a76f1", GET, "/api/v1/sessions", 403, NULL},

    {"HS256", "hs", ALL_DO, POST, "/whip/r/a", 201, NULL},
    {"RS256", "rs", ALL_DO, POST, "/whip/r/a", 201, NULL},
    {"ES256", "es", ALL_DO, POST, "/whip/r/a", 201, NULL},
    {"EdDSA", "ed", ALL_DO, POST, "/whip/r/a", 201, NULL},
    {"a fetched key", "web0", ALL_DO, POST, "/whip/r/a", 201, NULL},
    {"a key that is not there yet", "web1", ALL_DO, POST, "/whip/r/a", 401, "invalid_token"},

    {"all kinds", "hs", "\"room\":\"r\",\"publish\":[\"camera\",\"microphone\"]", POST, "/whip/r/a",
     201, "a=recvonly"},
    {"no microphone", "hs", "\"room\":\"r\",\"publish\":[\"camera\"]", POST, "/whip/r/a", 201,
     "a=sluice-refused:microphone"},
    {"no camera", "hs", "\"room\":\"r\",\"publish\":[\"microphone\"]", POST, "/whip/r/a", 201,
     "a=sluice-refused:camera"},
    {"a screen as camera", "hs", "\"room\":\"r\",\"publish\":[\"screen\"]", POST, "/whip/r/a", 403,
     "lacks the right"},
    {"a screen", "hs", "\"room\":\"r\",\"publish\":[\"screen\"]", POST, "/whip/r/a~screen", 201,
     NULL},
    {"no screen", "hs", "\"room\":\"r\",\"publish\":[\"camera\",\"microphone\"]", POST,
     "/whip/r/a~screen", 403, "screen"},
    {"no publish", "hs", "\"room\":\"r\",\"play\":true", POST, "/whip/r/a", 403, NULL},
    {"no play", "hs", "\"room\":\"r\",\"publish\":true", POST, "/whep/r/a", 403, NULL},
    {"play", "hs", "\"room\":\"r\",\"play\":true", POST, "/whep/r/a", 409, NULL},
    {"a data channel", "hs", "\"room\":\"r\",\"publish\":true,\"data\":true", POST, "/whip/r/a",
     201, "a=sctp-port:"},
    {"no data channel", "hs", "\"room\":\"r\",\"publish\":true,\"data\":false", POST, "/whip/r/a",
     201, "m=application 0 "},
    {"no moderate", "hs", ALL_DO, POST, "/moderate/r/lock", 403, NULL},
    {"moderate", "hs", "\"room\":\"r\",\"moderate\":true", POST, "/moderate/r/lock", 404, NULL},
    {"moderate elsewhere", "hs", "\"room\":\"r\",\"moderate\":true", POST, "/moderate/s/lock", 403,
     NULL},

    {"a room", "es", "\"room\":\"class-*\",\"publish\":true", POST, "/whip/class-1/a", 201, NULL},
    {"a room as prefix", "es", "\"room\":\"class\",\"publish\":true", POST, "/whip/class-1/a", 403,
     NULL},
    {"a room as suffix", "es", "\"room\":\"class-*\",\"publish\":true", POST, "/whip/a-class-1/a",
     403, NULL},
    {"another room", "es", "\"room\":\"class-*\",\"publish\":true", POST, "/whip/staff/a", 403,
     NULL},
    {"a name", "ed", ALL_DO ",\"participant\":\"ann\"", POST, "/whip/r/ann", 201, NULL},
    {"a name's screen", "ed", ALL_DO ",\"participant\":\"ann\"", POST, "/whip/r/ann~screen", 201,
     NULL},
    {"another name", "ed", ALL_DO ",\"participant\":\"ann\"", POST, "/whip/r/anna", 403, NULL},
    {"another name's screen", "ed", ALL_DO ",\"participant\":\"ann\"", POST, "/whip/r/bob~ann", 403,
     NULL},

    {"probes", NULL, "", GET, "/livez", 200, NULL},
    {"no admin", NULL, "", GET, "/api/v1/sessions", 401, "WWW-Authenticate: Bearer"},
    {"a publisher as admin", "", "studio-6b1f0c8e2d", GET, "/api/v1/sessions", 403, NULL},
    {"a JSON Web Token as admin", "hs", ALL_DO ",\"moderate\":true", GET, "/api/v1/sessions", 403,
     NULL},
    {"an opaque admin", "", "root-51e07cc2a8d3", GET, "/api/v1/sessions", 200, NULL},
    {"an admin by key", "rs", "\"admin\":true", GET, "/api/v1/sessions", 200, NULL},
    {"an admin publishes", "rs", "\"admin\":true", POST, "/whip/r/a", 403, NULL},
};

/* ---- sessions, and whose they are ---- */

static void check_sessions(void)
{
    char mine[1024], others[1024], path[256], shown[256];
    struct server_reply r;

    snprintf(mine, sizeof(mine), "%s", token_of("hs", ALL_DO ",\"sub\":\"ann\""));
    snprintf(others, sizeof(others), "%s", token_of("hs", ALL_DO ",\"sub\":\"eve\""));
    struct server_ask post = {.method = POST,
                              .path = "/whip/r/ann",
                              .token = mine,
                              .type = "application/sdp",
                              .body = media_offer};
    check(server_ask(&server, &post, &r) == 201, "ann publishes");
    free(r.body);
    const char *at = strstr(r.location, "/session/");
    snprintf(path, sizeof(path), "%s", at ? at : "/session/none");
    snprintf(shown, sizeof(shown), "%s", path + strlen("/session/"));
    check(strlen(shown) >= 22 && !strstr(shown, "ann"),
          "a session's URL has 128 bits and tells nothing");
    const struct {
        const char *what, *token, *method, *path;
        int status;
    } asks[] = {
        {"without a token", NULL, "DELETE", path, 401},
        {"with another's token", others, "DELETE", path, 403},
        {"with another's token", others, "PATCH", path, 403},
        {"with an opaque token", "studio-6b1f0c8e2d", "DELETE", path, 403},
        {"with a wrong token", "nonsense", "DELETE", path, 401},
        {"another's session that is none", mine, "DELETE", "/session/AAAAAAAAAAAAAAAAAAAAAA", 404},
        {"with its own token", mine, "GET", path, 200},
        {"with its own token", mine, "DELETE", path, 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        struct server_ask ask = {
            .method = asks[i].method,
            .path = asks[i].path,
            .token = asks[i].token,
            .type = !strcmp(asks[i].method, "PATCH") ? "application/trickle-ice-sdpfrag" : NULL,
            .body = !strcmp(asks[i].method, "PATCH") ? "a=ice-ufrag:x\r\n" : NULL};
        int status = server_ask(&server, &ask, &r);
        check(status == asks[i].status, "%s of a session %s is %d (%d)", asks[i].method,
              asks[i].what, asks[i].status, status);
        free(r.body);
    }
    check(server_log_count(&server, shown) == 0, "no session's URL stands in the log");
}

/* ---- the corpus ---- */

struct refusals {
    unsigned n, wrong;
};

static void refuse(const char *token, const char *what, void *ctx)
{
    struct refusals *c = ctx;
    struct server_reply r;
    struct server_ask ask = {.method = POST,
                             .path = "/whip/r/a",
                             .token = token,
                             .type = "application/sdp",
                             .body = media_offer};

    c->n++;
    if (server_ask(&server, &ask, &r) != 401 && c->wrong++ < 10) {
        note("%d to: %.200s", r.status, what);
    }
    free(r.body);
}

static void check_corpus(void)
{
    struct refusals c = {0};

    jwt_corpus(refuse, &c, time(NULL));
    check(c.n >= 200 && c.wrong == 0, "%u wrong JSON Web Tokens are 401 each (%u are not)", c.n,
          c.wrong);
}

/* ---- CORS ---- */

static void check_cors(void)
{
    static const struct {
        const char *origin;
        bool allowed;
    } origins[] = {
        {"https://app.example.org", true},
        {"https://b.example", true},
        {"https://APP.example.org", false},
        {"http://app.example.org", false},
        {"https://app.example.org.evil.net", false},
        {"https://evil-app.example.org", false},
        {"https://app.example.org:8443", false},
        {"https://app.example.org/", false},
        {"null", false},
        {"*", false},
        {"", false},
    };
    static const char *const methods[] = {"OPTIONS", POST};

    for (size_t i = 0; i < ARRAY_LEN(origins) * ARRAY_LEN(methods); i++) {
        const char *origin = origins[i / 2].origin;
        char headers[128], want[128];
        struct server_reply r;
        struct server_ask ask = {
            .method = methods[i % 2], .path = "/whip/live/a", .headers = headers};
        snprintf(headers, sizeof(headers), "Origin: %s\r\n", origin);
        snprintf(want, sizeof(want), "\r\nAccess-Control-Allow-Origin: %s\r\n", origin);
        server_ask(&server, &ask, &r);
        bool told = strcasestr(r.head, want),
             any = strcasestr(r.head, "Access-Control-Allow-Origin");
        check(told == origins[i / 2].allowed && any == told && strcasestr(r.head, "Vary: Origin") &&
                  !strcasestr(r.head, "Allow-Credentials"),
              "%s from '%s' is %s", methods[i % 2], origin, told ? "allowed" : "not allowed");
        free(r.body);
    }
}

/* ---- keys turned over ---- */

/* The first set was fetched at the start; asked_ms: before that. */
static void check_rotation(int64_t asked_ms)
{
    static const struct {
        int publish, status; /* the key in the set; what the stub answers */
        const char *kid;
        int want;
    } steps[] = {
        {1, 200, "web1", 201}, /* the new key is fetched while the POST waits */
        {1, 200, "web0", 401}, /* the old one went with the set */
        {1, 500, "web1", 201}, /* the set cannot be had: keys that are there stay */
        {2, 500, "web2", 401},
    };
    unsigned fetches = stub.pages[0].n;

    server_run(&server, asked_ms + JWKS_WAIT_MS - server_now_ms());
    check(fetches <= 2, "keys that are not there cost one fetch each ten seconds (%u so far)",
          fetches);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct row r = {"after a new set", steps[i].kid,  ALL_DO, POST,
                        "/whip/r/a",       steps[i].want, NULL};
        publish_key((unsigned)steps[i].publish);
        stub.pages[0].status = steps[i].status;
        check_row(&r);
    }
}

int main(int argc, char **argv)
{
    char config[128];

    server_init(&server, argc, argv);
    jwt_kit_init();
    for (size_t i = 0; i < ARRAY_LEN(web); i++) {
        web[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    if (!mkdtemp(folder) || stub_open(&stub, server.loop) < 0) {
        return 2;
    }
    publish_key(0);
    write_config();
    snprintf(config, sizeof(config), "%s/sluice.json", folder);
    server.config = config;
    int64_t asked_ms = server_now_ms();
    server_start(&server, NULL);
    make_offers();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&rows[i]);
    }
    check_sessions();
    check_cors();
    check_corpus();
    check_rotation(asked_ms);
    static const char *const secrets[] = {"studio-6b1f0c8e2d", "guests-93aa7e51b0",
                                          "mary-0d4c2b9a76f1", "root-51e07cc2a8d3",
                                          JWT_KIT_SECRET,      "eyJ"};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        check(server_log_count(&server, secrets[i]) == 0, "no %s... in the log", secrets[i]);
    }
    stub_close(&stub);
    server_fini(&server);
    for (size_t i = 0; i < ARRAY_LEN(web); i++) {
        EVP_PKEY_free(web[i]);
    }
    jwt_kit_fini();
    static const char *const files[] = {"rs.pem", "es.pem", "ed.pem", "sluice.json"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(config, sizeof(config), "%s/%s", folder, files[i]);
        unlink(config);
    }
    rmdir(folder);
    return check_report();
}
