/* SPDX-License-Identifier: Apache-2.0 */
#include "ice/dcep.h"

#include <errno.h>

#include "rtp/bytes.h"

#define UNORDERED 0x80 /* bit of the channel type */

int dcep_read(const uint8_t *msg, size_t len, struct dcep_open *ret_open)
{
    struct bytes_in in = bytes_in_init(msg, len);
    uint8_t type = bytes_in_u8(&in);
    if (in.failed) {
        return -EBADMSG;
    }
    if (type == DCEP_ACK) {
        return len == DCEP_ACK_LEN ? DCEP_ACK : -EBADMSG;
    }
    if (type != DCEP_OPEN) {
        return -EPROTONOSUPPORT;
    }
    uint8_t channel = bytes_in_u8(&in);
    struct dcep_open o = {.priority = bytes_in_u16(&in)};
    o.reliability.param = bytes_in_u32(&in);
    o.label_len = bytes_in_u16(&in);
    o.protocol_len = bytes_in_u16(&in);
    if (in.failed || bytes_in_left(&in) != (size_t)o.label_len + o.protocol_len) {
        return -EBADMSG;
    }
    if (o.label_len > DCEP_TEXT_MAX || o.protocol_len > DCEP_TEXT_MAX) {
        return -E2BIG;
    }
    if ((channel & ~UNORDERED) > DCEP_TIMED) {
        return -EPROTONOSUPPORT;
    }
    o.reliability.kind = (enum dcep_kind)(channel & ~UNORDERED);
    o.reliability.unordered = channel & UNORDERED;
    if (o.reliability.kind == DCEP_RELIABLE) {
        o.reliability.param = 0; /* RFC 8832 5.1: to be ignored */
    }
    o.label = (const char *)bytes_in_take(&in, o.label_len);
    o.protocol = (const char *)bytes_in_take(&in, o.protocol_len);
    *ret_open = o;
    return DCEP_OPEN;
}

int dcep_write_open(const struct dcep_open *o, uint8_t *out, size_t cap)
{
    if (o->label_len > DCEP_TEXT_MAX || o->protocol_len > DCEP_TEXT_MAX) {
        return -E2BIG;
    }
    struct bytes_out w = bytes_out_init(out, cap);
    bytes_out_u8(&w, DCEP_OPEN);
    bytes_out_u8(
        &w, (uint8_t)((unsigned)o->reliability.kind | (o->reliability.unordered ? UNORDERED : 0U)));
    bytes_out_u16(&w, o->priority);
    bytes_out_u32(&w, o->reliability.param);
    bytes_out_u16(&w, o->label_len);
    bytes_out_u16(&w, o->protocol_len);
    bytes_out_copy(&w, (const uint8_t *)o->label, o->label_len);
    bytes_out_copy(&w, (const uint8_t *)o->protocol, o->protocol_len);
    return w.failed ? -ENOSPC : (int)bytes_out_len(&w);
}

void dcep_write_ack(uint8_t out[DCEP_ACK_LEN])
{
    out[0] = DCEP_ACK;
}

bool dcep_is_user(uint32_t ppid)
{
    return ppid == DCEP_PPID_STRING || ppid == DCEP_PPID_BINARY || ppid == DCEP_PPID_STRING_EMPTY ||
           ppid == DCEP_PPID_BINARY_EMPTY;
}
