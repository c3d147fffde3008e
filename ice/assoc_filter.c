/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/assoc_filter.h"

#include "rtp/bytes.h"

#define COMMON_HEADER 12
#define CHUNK_HEADER  4
#define PARAM_HEADER  4
#define INIT_HEADER   20 /* chunk header included */

enum chunk {
    CHUNK_DATA = 0,
    CHUNK_INIT = 1,
    CHUNK_INIT_ACK = 2,
    CHUNK_SACK = 3,
    CHUNK_HEARTBEAT = 4,
    CHUNK_HEARTBEAT_ACK = 5,
    CHUNK_ABORT = 6,
    CHUNK_SHUTDOWN = 7,
    CHUNK_SHUTDOWN_ACK = 8,
    CHUNK_ERROR = 9,
    CHUNK_COOKIE_ECHO = 10,
    CHUNK_COOKIE_ACK = 11,
    CHUNK_SHUTDOWN_COMPLETE = 14,
    CHUNK_RE_CONFIG = 130,
    CHUNK_FORWARD_TSN = 192,
};

enum param {
    PARAM_IPV4 = 5,
    PARAM_IPV6 = 6,
    PARAM_COOKIE = 7,
    PARAM_HOST_NAME = 11,
    PARAM_RESET_OUT = 13,
    PARAM_RESET_IN = 14,
    PARAM_RESET_RESPONSE = 16,
    PARAM_ASCONF_FIRST = 0xc001,
    PARAM_ASCONF_LAST = 0xc006,
};

void assoc_filter_init(struct assoc_filter *f, uint16_t local_port, uint16_t remote_port,
                       int64_t now_us)
{
    *f = (struct assoc_filter){.local_port = local_port, .remote_port = remote_port};
    f->init_us = now_us - ASSOC_FILTER_INITS * (int64_t)US_PER_S;
}

void assoc_filter_set_up(struct assoc_filter *f)
{
    f->up = true;
}

/* One parameter of an INIT or INIT-ACK. Unknown ones pass: usrsctp skips them. */
static bool is_init_param_ok(uint16_t type)
{
    return type != PARAM_IPV4 && type != PARAM_IPV6 && type != PARAM_HOST_NAME &&
           !(type >= PARAM_ASCONF_FIRST && type <= PARAM_ASCONF_LAST);
}

/* One request or response of a RE-CONFIG: resets of named streams only (RFC 6525 4). */
static enum assoc_filter_reason check_reconfig_param(uint16_t type, size_t len)
{
    switch (type) {
    case PARAM_RESET_OUT:
        return len >= 16 && len % 2 == 0 ? ASSOC_FILTER_OK : ASSOC_FILTER_LENGTH;
    case PARAM_RESET_IN:
        return len >= 8 && len % 2 == 0 ? ASSOC_FILTER_OK : ASSOC_FILTER_LENGTH;
    case PARAM_RESET_RESPONSE:
        return len == 12 || len == 20 ? ASSOC_FILTER_OK : ASSOC_FILTER_LENGTH;
    default:
        return ASSOC_FILTER_PARAM;
    }
}

static enum assoc_filter_reason check_params(enum chunk chunk, const uint8_t *p, size_t len)
{
    bool init = chunk == CHUNK_INIT || chunk == CHUNK_INIT_ACK;
    size_t n_other = 0; /* bytes that are not the cookie, which is as long as we made it */
    while (len > 0) {
        if (len < PARAM_HEADER) {
            return ASSOC_FILTER_LENGTH;
        }
        uint16_t type = bytes_load16(p);
        size_t n = bytes_load16(p + 2);
        if (n < PARAM_HEADER || n > len) {
            return ASSOC_FILTER_LENGTH;
        }
        if (init) {
            n_other += type == PARAM_COOKIE ? 0 : n;
            if (!is_init_param_ok(type)) {
                return ASSOC_FILTER_PARAM;
            }
        } else {
            enum assoc_filter_reason r = check_reconfig_param(type, n);
            if (r != ASSOC_FILTER_OK) {
                return r;
            }
        }
        n = MIN((n + 3) & ~(size_t)3, len); /* the last one's padding may be missing */
        p += n;
        len -= n;
    }
    return n_other <= ASSOC_FILTER_INIT_MAX ? ASSOC_FILTER_OK : ASSOC_FILTER_LENGTH;
}

static enum assoc_filter_reason check_init(const uint8_t *p, size_t len)
{
    if (len < INIT_HEADER) {
        return ASSOC_FILTER_LENGTH;
    }
    if (bytes_load32(p + 4) == 0) {
        return ASSOC_FILTER_TAG; /* RFC 9260 3.3.2: an initiate tag is never 0 */
    }
    if (bytes_load16(p + 12) == 0 || bytes_load16(p + 14) == 0) {
        return ASSOC_FILTER_PARAM; /* nor are the numbers of streams */
    }
    return check_params((enum chunk)p[0], p + INIT_HEADER, len - INIT_HEADER);
}

static enum assoc_filter_reason fits(bool ok)
{
    return ok ? ASSOC_FILTER_OK : ASSOC_FILTER_LENGTH;
}

/* One chunk, len bytes without padding. */
static enum assoc_filter_reason check_chunk(const uint8_t *p, size_t len)
{
    switch ((enum chunk)p[0]) {
    case CHUNK_DATA:
        return fits(len > 16);
    case CHUNK_INIT:
    case CHUNK_INIT_ACK:
        return check_init(p, len);
    case CHUNK_SACK:
        return fits(len >= 16 && len == 16 + 4u * (bytes_load16(p + 12) + bytes_load16(p + 14)));
    case CHUNK_HEARTBEAT:
    case CHUNK_HEARTBEAT_ACK:
        return fits(len >= 8);
    case CHUNK_ABORT:
    case CHUNK_ERROR:
        return ASSOC_FILTER_OK;
    case CHUNK_SHUTDOWN:
        return fits(len == 8);
    case CHUNK_COOKIE_ECHO:
        return fits(len > CHUNK_HEADER);
    case CHUNK_SHUTDOWN_ACK:
    case CHUNK_COOKIE_ACK:
    case CHUNK_SHUTDOWN_COMPLETE:
        return fits(len == CHUNK_HEADER);
    case CHUNK_RE_CONFIG:
        return len > CHUNK_HEADER
                   ? check_params(CHUNK_RE_CONFIG, p + CHUNK_HEADER, len - CHUNK_HEADER)
                   : ASSOC_FILTER_LENGTH;
    case CHUNK_FORWARD_TSN:
        return fits(len >= 8 && len % 4 == 0);
    }
    return ASSOC_FILTER_CHUNK;
}

/* These travel alone (RFC 9260 6.10). */
static bool is_loner(uint8_t type)
{
    return type == CHUNK_INIT || type == CHUNK_INIT_ACK || type == CHUNK_SHUTDOWN_COMPLETE;
}

static enum assoc_filter_reason check_chunks(const uint8_t *p, size_t len)
{
    size_t all = len;
    while (len > 0) {
        if (len < CHUNK_HEADER) {
            return ASSOC_FILTER_LENGTH;
        }
        size_t n = bytes_load16(p + 2);
        if (n < CHUNK_HEADER || n > len) {
            return ASSOC_FILTER_LENGTH;
        }
        enum assoc_filter_reason r = check_chunk(p, n);
        if (r != ASSOC_FILTER_OK) {
            return r;
        }
        n = (n + 3) & ~(size_t)3;
        if (n > len) {
            return ASSOC_FILTER_LENGTH; /* a packet is a multiple of four bytes */
        }
        if (is_loner(p[0]) && n != all) {
            return ASSOC_FILTER_CHUNK;
        }
        p += n;
        len -= n;
    }
    return ASSOC_FILTER_OK;
}

/* An INIT costs a cookie, and little else; more than one a second is not for getting connected. */
static bool admit_init(struct assoc_filter *f, int64_t now_us)
{
    if (f->up || f->init_us + US_PER_S > now_us) {
        return false;
    }
    f->init_us = MAX(f->init_us, now_us - ASSOC_FILTER_INITS * (int64_t)US_PER_S) + US_PER_S;
    return true;
}

enum assoc_filter_reason assoc_filter_check(struct assoc_filter *f, const uint8_t *pkt, size_t len,
                                            int64_t now_us)
{
    if (len < COMMON_HEADER + CHUNK_HEADER || len > ASSOC_FILTER_PACKET_MAX) {
        return ASSOC_FILTER_LENGTH;
    }
    if (bytes_load16(pkt) != f->remote_port || bytes_load16(pkt + 2) != f->local_port) {
        return ASSOC_FILTER_PORT;
    }
    bool init = pkt[COMMON_HEADER] == CHUNK_INIT;
    if ((bytes_load32(pkt + 4) == 0) != init) {
        return ASSOC_FILTER_TAG;
    }
    enum assoc_filter_reason r = check_chunks(pkt + COMMON_HEADER, len - COMMON_HEADER);
    if (r == ASSOC_FILTER_OK && init && !admit_init(f, now_us)) {
        return ASSOC_FILTER_INIT;
    }
    if (r == ASSOC_FILTER_OK && f->up && pkt[COMMON_HEADER] == CHUNK_INIT_ACK) {
        return ASSOC_FILTER_INIT;
    }
    return r;
}
