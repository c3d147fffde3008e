/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_corpus.h - tokens that must all be refused by a server that knows the keys of jwt_kit.h under
 * the kids hs, rs, es and ed, asks for the issuer "iss" and the audience "aud": static ones, and
 * mutations of good ones. */
#ifndef TESTS_JWT_CORPUS_H
#define TESTS_JWT_CORPUS_H

#include <inttypes.h>

#include "tests/jwt_kit.h"

typedef void(jwt_corpus_fn)(const char *token, const char *what, void *ctx);

struct jwt_corpus {
    jwt_corpus_fn *fn;
    void *ctx;
    int64_t now_s;
    unsigned n;
};

#define JWT_CORPUS_CLAIMS_MAX 8192

static inline void corpus_add(struct jwt_corpus *c, const char *token, const char *what)
{
    c->n++;
    c->fn(token, what, c->ctx);
}

/* Good claims; extra is put behind them. "%" in rows stands for the present time. */
static inline const char *corpus_claims(const struct jwt_corpus *c, const char *extra)
{
    static char text[JWT_CORPUS_CLAIMS_MAX];
    snprintf(text, sizeof(text),
             "{\"iss\":\"iss\",\"aud\":\"aud\",\"sub\":\"u1\",\"iat\":%" PRId64 ",\"exp\":%" PRId64
             ",\"room\":\"*\",\"publish\":true,\"play\":true%s}",
             c->now_s, c->now_s + 600, extra);
    return text;
}

static const struct {
    const char *alg; /* how it is signed */
    const void **key;
    const char *kid;
} corpus_algs[] = {
    {"HS256", NULL, "hs"},
    {"RS256", (const void **)&jwt_kit.rsa, "rs"},
    {"ES256", (const void **)&jwt_kit.ec, "es"},
    {"EdDSA", (const void **)&jwt_kit.ed, "ed"},
};

static inline const char *corpus_good(const struct jwt_corpus *c, size_t i)
{
    char header[128];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
             corpus_algs[i].alg, corpus_algs[i].kid);
    return jwt_kit_make(corpus_algs[i].alg,
                        corpus_algs[i].key != NULL ? *corpus_algs[i].key : JWT_KIT_SECRET, header,
                        corpus_claims(c, ""));
}

/* Headers with good claims and a right HS256 tag. */
static const char *const corpus_headers[] = {
    "{\"alg\":\"none\"}",
    "{\"alg\":\"None\"}",
    "{\"alg\":\"NONE\"}",
    "{\"alg\":\"nOnE\"}",
    "{\"alg\":\"hs256\"}",
    "{\"alg\":\"HS256 \"}",
    "{\"alg\":\"HS256\\u0000\"}",
    "{\"alg\":\"HS384\"}",
    "{\"alg\":\"HS512\"}",
    "{\"alg\":\"RS256\"}",
    "{\"alg\":\"RS384\"}",
    "{\"alg\":\"PS256\"}",
    "{\"alg\":\"ES256\"}",
    "{\"alg\":\"ES256K\"}",
    "{\"alg\":\"ES384\"}",
    "{\"alg\":\"EdDSA\"}",
    "{\"alg\":\"eddsa\"}",
    "{\"alg\":\"dir\"}",
    "{\"alg\":\"A128KW\"}",
    "{\"alg\":\"\"}",
    "{\"alg\":null}",
    "{\"alg\":256}",
    "{\"alg\":true}",
    "{\"alg\":[\"HS256\"]}",
    "{\"alg\":{\"alg\":\"HS256\"}}",
    "{\"Alg\":\"HS256\"}",
    "{\"ALG\":\"HS256\"}",
    "{}",
    "{\"typ\":\"JWT\"}",
    "[]",
    "[\"HS256\"]",
    "\"HS256\"",
    "null",
    "1",
    "",
    " ",
    "{\"alg\":\"HS256\"",
    "{\"alg\":\"HS256\"}}",
    "{\"alg\":\"HS256\"}x",
    "{\"alg\":\"HS256\"} {}",
    "{\"alg\":\"HS256\",}",
    "{'alg':'HS256'}",
    "{alg:\"HS256\"}",
    "{\"alg\":\"HS256\"/**/}",
    "\xef\xbb\xbf{\"alg\":\"HS256\"}",
    "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
    "{\"alg\":\"none\",\"alg\":\"HS256\"}",
    "{\"alg\":\"HS256\",\"al\\u0067\":\"none\"}",
    "{\"alg\":\"HS256\",\"x\":{\"a\":1,\"a\":2}}",
    "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
    "{\"alg\":\"HS256\",\"crit\":[]}",
    "{\"alg\":\"HS256\",\"b64\":false}",
    "{\"alg\":\"HS256\",\"b64\":true}",
    "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}",
    "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
    "{\"alg\":\"HS256\",\"enc\":\"A128GCM\"}",
    "{\"alg\":\"HS256\",\"cty\":\"JWT\"}",
    "{\"alg\":\"HS256\",\"typ\":\"JWE\"}",
    "{\"alg\":\"HS256\",\"typ\":1}",
    "{\"alg\":\"HS256\",\"kid\":\"nobody\"}",
    "{\"alg\":\"HS256\",\"kid\":\"rs\"}",
    "{\"alg\":\"HS256\",\"kid\":\"es\"}",
    "{\"alg\":\"HS256\",\"kid\":\"\"}",
    "{\"alg\":\"HS256\",\"kid\":null}",
    "{\"alg\":\"HS256\",\"kid\":1}",
    "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}",
    "{\"alg\":\"HS256\",\"kid\":\"/proc/sys/kernel/randomize_va_space\"}",
    "{\"alg\":\"HS256\",\"kid\":\"http://127.0.0.1/k\"}",
    "{\"alg\":\"HS256\",\"kid\":\"x' UNION SELECT 'a\"}",
    "{\"alg\":\"HS256\",\"kid\":\"hs;ls\"}",
    "{\"alg\":\"HS256\",\"kid\":\"hs\\u0000\"}",
    "{\"alg\":\"HS256\",\"kid\":\"hs\\n\"}",
    ("{\"alg\":\"HS256\",\"kid\":"
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
    "{\"alg\":\"HS256\",\"x\":[[[[[[[[[[[[]]]]]]]]]]]]}",
    "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
    "{\"alg\":\"HS256\",\"x\":\"\xc0\xaf\"}",
    "{\"alg\":\"HS256\",\"x\":\"\xed\xa0\x80\"}",
    "{\"alg\":\"HS256\",\"x\":\"\\ud800\"}",
    "{\"alg\":\"HS256\",\"x\":\"a\nb\"}",
    "{\"alg\":\"HS256\",\"x\":01}",
    "{\"alg\":\"HS256\",\"x\":+1}",
    "{\"alg\":\"HS256\",\"x\":1.}",
    "{\"alg\":\"HS256\",\"x\":.5}",
    "{\"alg\":\"HS256\",\"x\":NaN}",
    "{\"alg\":\"HS256\",\"x\":\"\\x\"}",
};

/* Claims, signed well. %d: now. */
static const char *const corpus_payloads[] = {
    "",
    "{}",
    "[]",
    "null",
    "\"x\"",
    "1",
    "{\"exp\":%d",
    "%d",
    /* exp */
    "{ISS,\"room\":\"*\",\"publish\":true}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":0}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":-1}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":\"%d\"}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":null}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":true}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":[%d]}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":1e300}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":1e400}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":-1e400}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":99999999999999999999999}",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d}-30",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d}-11",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d}+100000",
    "{ISS,\"room\":\"*\",\"publish\":true,\"iat\":0,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"Exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":1,\"\\u0065xp\":%d}+60",
    /* nbf, iat */
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":4000000000,\"nbf\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"nbf\":4000000000}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"nbf\":\"0\"}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"nbf\":null}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"nbf\":-5}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"iat\":4000000000}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"iat\":\"now\"}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"exp\":%d,\"iat\":{}}+60",
    /* iss, aud */
    "{\"aud\":\"aud\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"Iss\",\"aud\":\"aud\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss/\",\"aud\":\"aud\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":[\"iss\"],\"aud\":\"aud\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":null,\"aud\":\"aud\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":\"AUD\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":\"aud2\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":\"*\",\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":[],\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":[\"a\",\"b\"],\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":[\"aud\",1],\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":{\"aud\":1},\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{\"iss\":\"iss\",\"aud\":null,\"room\":\"*\",\"publish\":true,\"exp\":%d}+60",
    ("{\"iss\":\"iss\",\"aud\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
     "\"11\","
     "\"12\",\"13\",\"14\",\"15\",\"16\",\"aud\"],\"room\":\"*\",\"publish\":true,\"exp\":%d}+60"),
    /* ours */
    "{ISS,\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":1,\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":[\"*\"],\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"a/b\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"..%%2f*\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"^.*$\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"participant\":\"*\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"participant\":\"\",\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"participant\":7,\"publish\":true,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":\"true\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":1,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":[\"camara\"],\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":[true],\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":{},\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"play\":\"yes\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"moderate\":1,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"name\":1,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"name\":\"a\\u001bb\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"sessions\":0,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"sessions\":\"9\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"metadata\":[1],\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"sub\":7,\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"sub\":\"\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"jti\":\"a\\nb\",\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"x\":[[[[[[[[[]]]]]]]]],\"exp\":%d}+60",
    "{ISS,\"room\":\"*\",\"publish\":true,\"room\":\"b\",\"exp\":%d}+60",
};

/* A row of corpus_payloads: %d becomes the time, moved by what stands behind the last brace. */
static inline void corpus_expand(const char *row, int64_t now_s, char *out, size_t cap)
{
    const char *last = strrchr(row, '}');
    int64_t when = now_s + (last != NULL ? strtoll(last + 1, NULL, 10) : 0);
    const char *stop = last != NULL ? last + 1 : row + strlen(row);
    size_t n = 0;
    out[0] = '\0';
    for (const char *c = row; c < stop; c++) {
        if (strncmp(c, "%d", 2) == 0) {
            n += (size_t)snprintf(out + n, cap - n, "%" PRId64, when);
            c += 1;
        } else if (strncmp(c, "ISS", 3) == 0) {
            n += (size_t)snprintf(out + n, cap - n, "\"iss\":\"iss\",\"aud\":\"aud\"");
            c += 2;
        } else {
            out[n++] = *c;
            out[n] = '\0';
        }
    }
}

static inline void corpus_tables(struct jwt_corpus *c)
{
    for (size_t i = 0; i < ARRAY_LEN(corpus_headers); i++) {
        corpus_add(c,
                   jwt_kit_make("HS256", JWT_KIT_SECRET, corpus_headers[i], corpus_claims(c, "")),
                   corpus_headers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(corpus_payloads); i++) {
        char text[JWT_CORPUS_CLAIMS_MAX];
        corpus_expand(corpus_payloads[i], c->now_s, text, sizeof(text));
        corpus_add(c, jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", text), text);
    }
    char long_name[700] = ",\"name\":\"";
    memset(long_name + 9, 'n', 129);
    memcpy(long_name + 138, "\"", 2);
    corpus_add(
        c,
        jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", corpus_claims(c, long_name)),
        "a long name");
    snprintf(long_name, sizeof(long_name), ",\"metadata\":\"");
    memset(long_name + 13, 'm', 512);
    memcpy(long_name + 525, "\"", 2);
    corpus_add(
        c,
        jwt_kit_make("HS256", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}", corpus_claims(c, long_name)),
        "long metadata");
}

/* What is signed by the wrong key, or as another algorithm than is said. */
static inline void corpus_confusion(struct jwt_corpus *c)
{
    char *rsa = jwt_kit_pem(jwt_kit.rsa);
    char *ec = jwt_kit_pem(jwt_kit.ec);
    char *ed = jwt_kit_pem(jwt_kit.ed);
    struct {
        const char *what, *alg;
        const void *key;
        const char *header;
    } rows[] = {
        {"HMAC with the RSA PEM", "HS256", rsa, "{\"alg\":\"HS256\",\"kid\":\"rs\"}"},
        {"HMAC with the RSA PEM, no kid", "HS256", rsa, "{\"alg\":\"HS256\"}"},
        {"HMAC with the EC PEM", "HS256", ec, "{\"alg\":\"HS256\",\"kid\":\"es\"}"},
        {"HMAC with the EC PEM, no kid", "HS256", ec, "{\"alg\":\"HS256\"}"},
        {"HMAC with the Ed25519 PEM", "HS256", ed, "{\"alg\":\"HS256\",\"kid\":\"ed\"}"},
        {"HMAC said to be RSA", "HS256", rsa, "{\"alg\":\"RS256\",\"kid\":\"rs\"}"},
        {"HMAC said to be EC", "HS256", ec, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"empty secret", "HS256", "", "{\"alg\":\"HS256\",\"kid\":\"hs\"}"},
        {"another secret", "HS256", JWT_KIT_SECRET2, "{\"alg\":\"HS256\",\"kid\":\"hs\"}"},
        {"the kid as secret", "HS256", "hs", "{\"alg\":\"HS256\",\"kid\":\"hs\"}"},
        {"HS512 said to be HS256", "HS512", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}"},
        {"HS384 said to be HS256", "HS384", JWT_KIT_SECRET, "{\"alg\":\"HS256\"}"},
        {"HS512 honestly", "HS512", JWT_KIT_SECRET, "{\"alg\":\"HS512\"}"},
        {"another RSA key", "RS256", jwt_kit.rsa2, "{\"alg\":\"RS256\",\"kid\":\"rs\"}"},
        {"another RSA key, no kid", "RS256", jwt_kit.rsa2, "{\"alg\":\"RS256\"}"},
        {"RS512 said to be RS256", "RS512", jwt_kit.rsa, "{\"alg\":\"RS256\",\"kid\":\"rs\"}"},
        {"RS512 honestly", "RS512", jwt_kit.rsa, "{\"alg\":\"RS512\",\"kid\":\"rs\"}"},
        {"PSS said to be RS256", "PS256", jwt_kit.rsa, "{\"alg\":\"RS256\",\"kid\":\"rs\"}"},
        {"PSS honestly", "PS256", jwt_kit.rsa, "{\"alg\":\"PS256\",\"kid\":\"rs\"}"},
        {"RSA under another kid", "RS256", jwt_kit.rsa, "{\"alg\":\"RS256\",\"kid\":\"es\"}"},
        {"ECDSA in DER", "ESDER", jwt_kit.ec, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"another EC key", "ES256", jwt_kit.ec2, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"P-384", "ES384", jwt_kit.p384, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"P-384 honestly", "ES384", jwt_kit.p384, "{\"alg\":\"ES384\",\"kid\":\"es\"}"},
        {"RSA said to be EC", "RS256", jwt_kit.rsa, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"EC said to be RSA", "ES256", jwt_kit.ec, "{\"alg\":\"RS256\",\"kid\":\"rs\"}"},
        {"EC said to be EdDSA", "ES256", jwt_kit.ec, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"},
        {"EdDSA said to be EC", "EdDSA", jwt_kit.ed, "{\"alg\":\"ES256\",\"kid\":\"es\"}"},
        {"another Ed25519 key", "EdDSA", jwt_kit.ed2, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"},
        {"jwk brought along", "EdDSA", jwt_kit.ed2,
         "{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}}"},
        {"jku brought along", "RS256", jwt_kit.rsa2,
         "{\"alg\":\"RS256\",\"jku\":\"http://127.0.0.1:1/k\",\"kid\":\"x\"}"},
        {"x5u brought along", "RS256", jwt_kit.rsa2,
         "{\"alg\":\"RS256\",\"x5u\":\"http://127.0.0.1:1/k\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        corpus_add(c, jwt_kit_make(rows[i].alg, rows[i].key, rows[i].header, corpus_claims(c, "")),
                   rows[i].what);
    }
    free(rsa);
    free(ec);
    free(ed);
}

/* Signatures made of numbers that a verifier may forget to look at. */
static inline void corpus_numbers(struct jwt_corpus *c)
{
    /* The order of P-256. */
    static const uint8_t n[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    static const size_t lengths[] = {0,  1,   31,  32,  33,  63,  64, 65,
                                     96, 128, 255, 256, 257, 512, 600};
    for (size_t a = 0; a < ARRAY_LEN(corpus_algs); a++) {
        for (size_t l = 0; l < ARRAY_LEN(lengths); l++) {
            for (int fill = 0; fill < 3; fill++) {
                uint8_t sig[640];
                char token[16384];
                const char *good = corpus_good(c, a);
                memset(sig, fill == 1 ? 0xff : 0, sizeof(sig));
                if (fill == 2) {
                    memcpy(sig, n, 32);
                    memcpy(sig + 32, n, 32);
                }
                snprintf(token, sizeof(token), "%.*s", (int)(strrchr(good, '.') - good + 1), good);
                jwt_kit_b64(token, sig, lengths[l]);
                corpus_add(c, token, "a signature of zeros, ones or the order");
            }
        }
    }
}

static inline void corpus_edit(struct jwt_corpus *c, const char *good)
{
    static const char *const tails[] = {"=",  "==", ".",  "..", ".x", " ",
                                        "\t", "A",  "AA", "%",  "+/", "-"};
    static const char *const fronts[] = {".", "x", "=", "%20", "e"};
    char text[16384];
    size_t len = strlen(good);
    const char *dot1 = strchr(good, '.');
    const char *dot2 = strrchr(good, '.');
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        snprintf(text, sizeof(text), "%s%s", good, tails[i]);
        if (tails[i][0] != ' ' && tails[i][0] != '\t') {
            corpus_add(c, text, tails[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(fronts); i++) {
        snprintf(text, sizeof(text), "%s%s", fronts[i], good);
        corpus_add(c, text, fronts[i]);
    }
    for (size_t cut = 1; cut <= 16; cut++) {
        snprintf(text, sizeof(text), "%.*s", (int)(len - cut), good);
        corpus_add(c, text, "cut at the end");
    }
    /* The last character has bits that no byte needs: only one of its forms is canonical. */
    snprintf(text, sizeof(text), "%s", good);
    if ((len - (size_t)(dot2 + 1 - good)) % 4 != 0) {
        text[len - 1] = (char)(text[len - 1] == 'A' ? 'B' : text[len - 1] + 1);
        corpus_add(c, text, "other trailing bits");
    }
    snprintf(text, sizeof(text), "%.*s", (int)(dot2 - good), good);
    corpus_add(c, text, "no signature part");
    snprintf(text, sizeof(text), "%.*s.", (int)(dot2 - good), good);
    corpus_add(c, text, "empty signature");
    snprintf(text, sizeof(text), "%.*s%s", (int)(dot1 - good), good, dot2);
    corpus_add(c, text, "no claims");
    snprintf(text, sizeof(text), "%.*s.%s", (int)(dot1 - good), good, dot2);
    corpus_add(c, text, "empty claims");
    snprintf(text, sizeof(text), "%s.%.*s", dot1 + 1, (int)(dot1 - good), good);
    corpus_add(c, text, "parts turned round");
    /* One bit of one character, evenly over the token. */
    for (size_t at = 0; at < len; at += len / 24) {
        snprintf(text, sizeof(text), "%s", good);
        if (text[at] != '.') {
            text[at] = text[at] == 'A' ? 'Q' : 'A';
            corpus_add(c, text, "one character changed");
        }
    }
}

/* Calls fn for each; returns how many there were. */
static inline unsigned jwt_corpus(jwt_corpus_fn *fn, void *ctx, int64_t now_s)
{
    struct jwt_corpus c = {.fn = fn, .ctx = ctx, .now_s = now_s};
    corpus_tables(&c);
    corpus_confusion(&c);
    corpus_numbers(&c);
    for (size_t i = 0; i < ARRAY_LEN(corpus_algs); i++) {
        char good[8192];
        snprintf(good, sizeof(good), "%s", corpus_good(&c, i));
        corpus_edit(&c, good);
    }
    return c.n;
}

#endif
