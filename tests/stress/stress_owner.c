/* SPDX-License-Identifier: Apache-2.0 */
/* stress_owner - the owner table and the STUN agents, which all workers share without locks. Plain
 * program: Criterion cannot run under ThreadSanitizer. Ends with status 0 or 1. */
#include "ice/owner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ice/lite.h"
#include "tests/stun_kit.h"

#define WORKERS 4
#define PEERS   512 /* addresses, each put by every worker in turn */
#define ROUNDS  200
#define CHECKS  2000

static struct owner_table *table;
static atomic_int faults;

static struct addr peer(unsigned i)
{
    return (struct addr){.ip = {[10] = 0xff, [11] = 0xff, [12] = 198, [15] = 1},
                         .port = (uint16_t)(1 + i)};
}

/* Every worker keeps one address in eight to itself and fights for the rest. An address of its own
 * may be missing, as two puts into one bucket may meet, but is never another's. */
static void *use_table(void *arg)
{
    int me = (int)(intptr_t)arg;

    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned i = 0; i < PEERS; i++) {
            struct addr a = peer(i);
            bool mine = i % 8 == (unsigned)me;
            int found = owner_find(table, &a);
            if (found < OWNER_NONE || found >= WORKERS ||
                (mine && found != me && found != OWNER_NONE)) {
                atomic_fetch_add(&faults, 1);
            }
            if (mine || i % 8 >= WORKERS) {
                owner_put(table, &a, me);
            }
            if (!mine && r % 3 == 0) {
                owner_remove(table, &a, me);
            }
        }
    }
    return NULL;
}

static void *use_agents(void *arg)
{
    struct ice_creds creds = {.remote_ufrag = "remo"};
    struct path from = {.remote = peer((unsigned)(intptr_t)arg)};
    char user[sizeof(creds.local_ufrag) + sizeof(creds.remote_ufrag)];
    uint8_t reply[LITE_REPLY_MAX];
    struct lite l;

    owner_make_creds((int)(intptr_t)arg, &creds);
    snprintf(user, sizeof(user), "%s:%s", creds.local_ufrag, creds.remote_ufrag);
    lite_init(&l, &creds);
    for (int i = 0; i < CHECKS; i++) {
        static _Thread_local struct kit_msg m;
        uint8_t txid[12] = {(uint8_t)i, (uint8_t)(i >> 8)};
        memset(&m, 0, sizeof(m));
        kit_put16(m.b, KIT_REQUEST);
        kit_put32(m.b + 4, 0x2112a442);
        memcpy(m.b + 8, txid, sizeof(txid));
        m.len = 20;
        kit_attr(&m, KIT_USERNAME, user, strlen(user));
        if (i % 3 == 0) {
            kit_attr(&m, KIT_CONTROLLED, "12345678", 8);
        }
        kit_integrity(&m, i % 5 == 0 ? "wrong" : creds.local_pwd);
        if (i % 2 == 0) {
            kit_fingerprint(&m);
        }
        struct lite_result r = lite_on_datagram(&l, i, &from, m.b, m.len, reply);
        enum lite_verdict want = LITE_OK;
        if (i % 5 == 0) {
            want = LITE_INTEGRITY;
        } else if (i % 3 == 0) {
            want = LITE_REFUSED;
        }
        if (r.verdict != want ||
            (want != LITE_INTEGRITY &&
             !kit_answer_ok(reply, r.reply_len, want == LITE_OK ? KIT_SUCCESS : KIT_ERROR, &m,
                            creds.local_pwd))) {
            atomic_fetch_add(&faults, 1);
        }
    }
    lite_fini(&l);
    return NULL;
}

static bool run(void *(*fn)(void *))
{
    pthread_t t[WORKERS];
    unsigned started = 0;

    while (started < WORKERS &&
           pthread_create(&t[started], NULL, fn, (void *)(intptr_t)started) == 0) {
        started++;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(t[i], NULL);
    }
    return started == WORKERS;
}

int main(void)
{
    table = owner_new(4711);
    bool ok = table && run(use_table) && run(use_agents);

    owner_free(table);
    printf("%d faults\n", atomic_load(&faults));
    return ok && atomic_load(&faults) == 0 ? 0 : 1;
}
