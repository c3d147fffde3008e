/* SPDX-License-Identifier: Apache-2.0 */
/* Two of our sessions against each other, and each role against OpenSSL as anyone would use it.
 * Time is virtual: OpenSSL asks gettimeofday, which is replaced below. */
#include "ice/cert_private.h"
#include "ice/dtls.h"
#include "tests/exact.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/time.h>

#define BUF 2048

static int64_t now_us = 1000LL * US_PER_S;

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    (void)tz;
    tv->tv_sec = now_us / US_PER_S;
    tv->tv_usec = now_us % US_PER_S;
    return 0;
}

static uint32_t rnd(uint32_t below)
{
    static uint64_t seed = 0x853c49e6748fea9bULL;

    return exact_random(&seed, below);
}

/* ---- two of ours ---- */

struct pair {
    struct cert *cert[2];
    struct dtls *d[2]; /* 0: server, 1: client */
    unsigned loss_percent;
    unsigned datagrams;
};

static struct fingerprint print_of(const X509 *x, enum fingerprint_hash h)
{
    const EVP_MD *const md[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
    struct fingerprint fp = {.hash = h};
    unsigned len = 0;
    cr_assert_eq(X509_digest(x, md[h], fp.digest, &len), 1);
    fp.len = (uint8_t)len;
    return fp;
}

static void pair_init(struct pair *p, struct dtls_params *a, struct dtls_params *b)
{
    struct dtls_params *params[] = {a, b};
    memset(p, 0, sizeof(*p));
    p->cert[0] = cert_new();
    p->cert[1] = cert_new();
    for (int i = 0; i < 2; i++) {
        params[i]->cert = p->cert[i];
        params[i]->role = i == 0 ? DTLS_SERVER : DTLS_CLIENT;
        if (!params[i]->fingerprints) {
            params[i]->fingerprints = cert_fingerprint(p->cert[1 - i]);
            params[i]->n_fingerprints = 1;
        }
        p->d[i] = dtls_new(params[i]);
        cr_assert(p->d[i]);
    }
}

static void pair_free(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        dtls_free(p->d[i]);
        cert_free(p->cert[i]);
    }
}

/* Carries datagrams until both are silent. */
static void pair_shuttle(struct pair *p)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < 2; i++) {
            uint8_t buf[BUF];
            size_t n;
            while ((n = dtls_poll(p->d[i], buf, sizeof(buf))) > 0) {
                const uint8_t *data;
                size_t len;
                cr_assert_leq(n, DTLS_MTU);
                moved = true;
                p->datagrams++;
                if (rnd(100) >= p->loss_percent) {
                    dtls_on_datagram(p->d[1 - i], now_us, buf, n, &data, &len);
                }
            }
        }
    }
}

/* Carries datagrams and lets time pass until nothing more can happen. */
static void pair_run(struct pair *p)
{
    dtls_start(p->d[1], now_us);
    for (int turn = 0; turn < 1000; turn++) {
        pair_shuttle(p);
        int64_t next = MIN(dtls_next_deadline(p->d[0]), dtls_next_deadline(p->d[1]));
        if (next == INT64_MAX) {
            return;
        }
        cr_assert_geq(next, now_us, "a deadline must not lie in the past");
        now_us = next;
        dtls_on_timer(p->d[0], now_us);
        dtls_on_timer(p->d[1], now_us);
    }
    cr_assert_fail("the deadlines never end");
}

static bool same_keys(const struct srtp_keys *a, const struct srtp_keys *b)
{
    return a->profile == b->profile && memcmp(a->key, b->key, srtp_key_len(a->profile)) == 0 &&
           memcmp(a->salt, b->salt, srtp_salt_len(a->profile)) == 0;
}

static void assert_up(struct pair *p)
{
    struct srtp_keys tx[2];
    struct srtp_keys rx[2];
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(dtls_state(p->d[i]), DTLS_UP, "%d: state %d, %s", i, dtls_state(p->d[i]),
                     dtls_fail_reason(p->d[i]) ? dtls_fail_reason(p->d[i]) : "");
        cr_assert_null(dtls_fail_reason(p->d[i]));
        cr_assert_eq(dtls_export_keys(p->d[i], &tx[i], &rx[i]), 0);
    }
    cr_assert(same_keys(&tx[0], &rx[1]) && same_keys(&rx[0], &tx[1]));
    cr_assert(memcmp(tx[0].key, rx[0].key, 16) != 0);
}

Test(dtls, both_ends_get_the_same_keys_of_the_best_profile)
{
    static const struct {
        bool only_cm[2];
        enum srtp_profile want;
    } rows[] = {
        {{false, false}, SRTP_AEAD_AES_128_GCM},
        {{true, false}, SRTP_AES128_CM_SHA1_80},
        {{false, true}, SRTP_AES128_CM_SHA1_80},
        {{true, true}, SRTP_AES128_CM_SHA1_80},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dtls_params a = {.only_cm = rows[i].only_cm[0]};
        struct dtls_params b = {.only_cm = rows[i].only_cm[1]};
        struct pair p;
        struct srtp_keys tx;
        struct srtp_keys rx = {.profile = SRTP_NONE};
        pair_init(&p, &a, &b);
        cr_assert_eq(dtls_state(p.d[0]), DTLS_NEW);
        cr_assert_eq(dtls_export_keys(p.d[0], &tx, &rx), -EAGAIN);
        cr_assert_eq(rx.profile, SRTP_NONE, "written only on success");
        cr_assert_eq(dtls_send(p.d[0], (const uint8_t *)"x", 1), -EAGAIN);
        dtls_start(p.d[0], now_us); /* a server has nothing to start */
        cr_assert_eq(dtls_state(p.d[0]), DTLS_NEW);
        pair_run(&p);
        assert_up(&p);
        cr_assert_eq(dtls_export_keys(p.d[0], &tx, &rx), 0);
        cr_assert_eq(tx.profile, rows[i].want, "row %zu: %s", i, srtp_profile_name(tx.profile));
        cr_assert_leq(p.datagrams, 8);
        pair_free(&p);
    }
}

/* DTLS-04, DTLS-05, DTLS-07: every byte and every algorithm counts; one of several suffices. */
Test(dtls, the_fingerprint_decides)
{
    for (int h = FP_SHA1; h <= FP_SHA512; h++) {
        for (int who = 0; who < 2; who++) {
            for (int kind = 0; kind < 4; kind++) { /* right; first, last byte wrong; right third */
                struct pair p;
                struct dtls_params a = {0};
                struct dtls_params b = {0};
                struct dtls_params *judge = who == 0 ? &a : &b;
                pair_init(&p, &a, &b);
                struct fingerprint right =
                    print_of(p.cert[1 - who]->x509, (enum fingerprint_hash)h);
                struct fingerprint fps[3] = {right, right, right};
                fps[0].digest[0] ^= kind == 1 || kind == 3;
                fps[0].digest[right.len - 1] ^= kind == 2 ? 0x80 : 0;
                fps[1].hash = FP_SHA384;
                fps[1].len = 48;
                judge->fingerprints = fps;
                judge->n_fingerprints = kind == 3 ? 3 : 1;
                dtls_free(p.d[who]);
                p.d[who] = dtls_new(judge);
                pair_run(&p);
                if (kind == 0 || kind == 3) {
                    assert_up(&p);
                } else {
                    struct srtp_keys k;
                    cr_assert_eq(dtls_state(p.d[who]), DTLS_FAILED, "hash %d kind %d", h, kind);
                    cr_assert_str_eq(dtls_fail_reason(p.d[who]), "fingerprint_mismatch");
                    cr_assert_eq(dtls_export_keys(p.d[who], &k, &k), -EAGAIN);
                    cr_assert_eq(dtls_state(p.d[1 - who]), DTLS_FAILED);
                    cr_assert_str_eq(dtls_fail_reason(p.d[1 - who]), "peer_alert");
                }
                pair_free(&p);
            }
        }
    }
}

Test(dtls, nobody_matches_an_empty_list_of_fingerprints)
{
    struct fingerprint none = {0};
    struct dtls_params a = {.fingerprints = &none, .n_fingerprints = 0};
    struct dtls_params b = {0};
    struct pair p;
    pair_init(&p, &a, &b);
    pair_run(&p);
    cr_assert_str_eq(dtls_fail_reason(p.d[0]), "fingerprint_mismatch");
    pair_free(&p);
}

/* DTLS-09. At 30 % a handshake now and then needs more than the ten seconds; it must then say so.
 */
Test(dtls, survives_loss_of_30_percent_both_ways, .timeout = 60)
{
    enum { RUNS = 100 };
    int up = 0;
    for (int i = 0; i < RUNS; i++) {
        struct dtls_params a = {0};
        struct dtls_params b = {0};
        struct pair p;
        pair_init(&p, &a, &b);
        p.loss_percent = 30;
        int64_t start = now_us;
        pair_run(&p);
        if (dtls_state(p.d[0]) == DTLS_UP && dtls_state(p.d[1]) == DTLS_UP) {
            assert_up(&p);
            up++;
        } else {
            for (int k = 0; k < 2; k++) {
                const char *why = dtls_fail_reason(p.d[k]);
                cr_assert(!why || strcmp(why, "timeout") == 0, "%s", why);
            }
        }
        cr_assert_leq(now_us - start, 20LL * US_PER_S);
        pair_free(&p);
    }
    cr_assert_geq(up, 90, "%d of %d", up, RUNS);
}

/* 250 ms, 500 ms, 1, 2 and 4 s after each other, and the end after ten seconds. */
Test(dtls, retransmits_on_schedule_and_gives_up)
{
    static const int64_t at_ms[] = {0, 250, 750, 1750, 3750, 7750};
    struct dtls_params a = {0};
    struct dtls_params b = {0};
    struct pair p;
    uint8_t buf[BUF];
    pair_init(&p, &a, &b);
    int64_t start = now_us;
    cr_assert_eq(dtls_next_deadline(p.d[1]), INT64_MAX);
    dtls_start(p.d[1], now_us);
    for (size_t i = 0; i < ARRAY_LEN(at_ms); i++) {
        cr_assert_eq(now_us - start, at_ms[i] * US_PER_MS);
        cr_assert_gt(dtls_poll(p.d[1], buf, sizeof(buf)), 0);
        cr_assert_eq(dtls_poll(p.d[1], buf, sizeof(buf)), 0);
        now_us = dtls_next_deadline(p.d[1]) - 20 * US_PER_MS;
        dtls_on_timer(p.d[1], now_us);
        cr_assert_eq(dtls_poll(p.d[1], buf, sizeof(buf)), 0, "not before its time");
        now_us = dtls_next_deadline(p.d[1]);
        dtls_on_timer(p.d[1], now_us);
    }
    cr_assert_eq(now_us - start, 10LL * US_PER_S);
    cr_assert_eq(dtls_state(p.d[1]), DTLS_FAILED);
    cr_assert_str_eq(dtls_fail_reason(p.d[1]), "timeout");
    cr_assert_eq(dtls_next_deadline(p.d[1]), INT64_MAX);
    pair_free(&p);
}

/* SEC-51: two clients never hear each other out. */
Test(dtls, two_clients_do_not_come_up)
{
    struct dtls_params a = {0};
    struct dtls_params b = {0};
    struct pair p;
    pair_init(&p, &a, &b);
    dtls_free(p.d[0]);
    a.role = DTLS_CLIENT;
    p.d[0] = dtls_new(&a);
    dtls_start(p.d[0], now_us);
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(dtls_state(p.d[i]), DTLS_FAILED);
        cr_assert_str_eq(dtls_fail_reason(p.d[i]), "timeout");
        cr_assert_gt(dtls_filtered(p.d[i]), 0);
    }
    pair_free(&p);
}

static void spray(struct dtls *d)
{
    static const uint8_t plain[][2] = {{1, 0}, {1, 90}, {1, 100}, {2, 40}, {2, 80}, {2, 0}};
    const uint8_t *data;
    size_t len;
    for (size_t i = 0; i < 600; i++) {
        uint8_t rec[] = {21,
                         0xfe,
                         0xfd,
                         0,
                         0,
                         0,
                         0,
                         0,
                         0,
                         9,
                         (uint8_t)i,
                         0,
                         2,
                         plain[i % 6][0],
                         plain[i % 6][1]};
        dtls_on_datagram(d, now_us, rec, sizeof(rec), &data, &len);
        uint8_t sealed[13 + 26] = {21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 9, (uint8_t)i, 0, 26};
        dtls_on_datagram(d, now_us, sealed, sizeof(sealed), &data, &len);
        cr_assert_eq(len, 0);
    }
}

/* SEC-55. */
Test(dtls, forged_alerts_do_not_end_a_session)
{
    struct dtls_params a = {0};
    struct dtls_params b = {0};
    struct pair p;
    pair_init(&p, &a, &b);
    pair_run(&p);
    assert_up(&p);
    for (int round = 0; round < 2; round++) {
        spray(p.d[0]);
        spray(p.d[1]);
        assert_up(&p);
        now_us += 2 * US_PER_S;
    }
    dtls_shrink(p.d[0]);
    spray(p.d[0]);
    cr_assert_eq(dtls_state(p.d[0]), DTLS_UP);
    pair_free(&p);
}

/* Before Finished only fatal alerts count, and those end it at once (the peer gave up). */
Test(dtls, warnings_during_the_handshake_are_ignored)
{
    struct dtls_params a = {0};
    struct dtls_params b = {0};
    struct pair p;
    const uint8_t *data;
    size_t len;
    pair_init(&p, &a, &b);
    dtls_start(p.d[1], now_us);
    for (uint8_t i = 0; i < 60; i++) {
        uint8_t rec[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, i, 0, 2, 1, 0};
        dtls_on_datagram(p.d[1], now_us, rec, sizeof(rec), &data, &len);
    }
    cr_assert_eq(dtls_state(p.d[1]), DTLS_HANDSHAKE);
    now_us += US_PER_S;
    pair_run(&p);
    assert_up(&p);
    pair_free(&p);
}

/* ---- floods ---- */

/* AddressSanitizer's count, if it is there; glibc's does not see its heap. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_now(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                   : mallinfo2().uordblks;
}

static size_t first_fragment(uint8_t *p, uint8_t type, unsigned msg_seq, uint32_t length,
                             unsigned record)
{
    const uint8_t bytes[] = {22,
                             0xfe,
                             0xfd,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             (uint8_t)(record >> 8),
                             (uint8_t)record,
                             0,
                             22,
                             type,
                             (uint8_t)(length >> 16),
                             (uint8_t)(length >> 8),
                             (uint8_t)length,
                             (uint8_t)(msg_seq >> 8),
                             (uint8_t)msg_seq,
                             0,
                             0,
                             0,
                             0,
                             0,
                             10};
    memcpy(p, bytes, sizeof(bytes));
    memset(p + sizeof(bytes), 0, 10);
    return sizeof(bytes) + 10;
}

/* SEC-49: 35 bytes a datagram made OpenSSL hold 1.33 MB; never more than 128 kB a session now. */
Test(dtls, fragment_floods_hold_little_memory)
{
    struct cert *cert = cert_new();
    struct fingerprint fp = *cert_fingerprint(cert);
    const struct dtls_params params = {
        .cert = cert, .role = DTLS_SERVER, .fingerprints = &fp, .n_fingerprints = 1};
    dtls_free(dtls_new(&params)); /* what the library allocates once */
    size_t before = heap_now();
    size_t peak = 0;
    struct dtls *d = dtls_new(&params);
    unsigned record = 0;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned seq = 0; seq < 12; seq++) {
            static const uint8_t types[] = {1, 11, 16, 15};
            uint8_t buf[64];
            const uint8_t *data;
            size_t len;
            uint8_t type = seq == 0 ? 1 : seq <= 2 ? 11 : types[rnd(4)];
            uint32_t length = type == 1 ? 8192 : type == 11 ? 16384 : 4096;
            size_t n = first_fragment(buf, type, seq, length, record++);
            dtls_on_datagram(d, now_us, buf, n, &data, &len);
            dtls_on_timer(d, now_us);
            peak = MAX(peak, heap_now());
        }
        now_us += 150 * US_PER_MS;
    }
    cr_assert_gt(peak - before, 30000, "%zu: else the flood did not get through", peak - before);
    cr_assert_lt(peak - before, 128000, "%zu bytes", peak - before);
    dtls_free(d);
    cr_assert_lt(heap_now(), before + 4096, "all of it is freed with the session");
    cert_free(cert);
}

Test(dtls, shrinking_frees_openssl_memory)
{
    struct dtls_params a = {0};
    struct dtls_params b = {0};
    struct pair p;
    pair_init(&p, &a, &b);
    pair_run(&p);
    assert_up(&p);
    size_t before = heap_now();
    dtls_shrink(p.d[0]);
    size_t freed = before - heap_now();
    cr_assert(freed > 40000 && freed < before, "%zu bytes", freed);
    dtls_shrink(p.d[1]);
    dtls_close(p.d[0]);
    pair_shuttle(&p);
    cr_assert_eq(dtls_state(p.d[1]), DTLS_CLOSED, "two shrunken ends still understand each other");
    pair_free(&p);
}
