/* SPDX-License-Identifier: Apache-2.0 */
/* sdpfrag.c - what real trickle bodies hold, not what RFC 8840 says they should: credentials at any
 * level, m-lines without a port, an empty "a=" line for the end of candidates, misspelt lines. */
#include "signaling/sdpfrag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "signaling/sdp_model.h"

/* "1 1 udp 2122063615 192.0.2.2 53804 typ host ...". Component 0 (Eyevinn) and port 0 are not
 * candidates (ICE-18), names are (mDNS). Cuts value. */
static bool is_candidate(char *value)
{
    const char *foundation = sdp_word(&value);
    const char *component = sdp_word(&value);
    const char *transport = sdp_word(&value);
    const char *priority = sdp_word(&value);
    const char *address = sdp_word(&value);
    const char *port = sdp_word(&value);
    const char *typ = sdp_word(&value);
    const char *type = sdp_word(&value);
    uint64_t n;
    if (!type || strlen(foundation) > 32 || !sdp_uint(&component, 256, &n) || *component ||
        n == 0 || !sdp_is_token(transport, 16) || !sdp_uint(&priority, UINT32_MAX, &n) ||
        *priority || !address[0] || !sdp_uint(&port, UINT16_MAX, &n) || *port || n == 0) {
        return false;
    }
    return strcmp(typ, "typ") == 0;
}

/* Media name and at least two words more; "audio RTP/AVP 0" without a port is seen in the wild. */
static int read_media(char *text)
{
    const char *name = sdp_word(&text);
    const char *second = sdp_word(&text);
    const char *third = sdp_word(&text);
    return third && second && sdp_is_token(name, 32) ? 0 : -EBADMSG;
}

static int read_mid(struct sdpfrag *f, const char *value)
{
    if (!sdp_is_token(value, sizeof(f->mids[0]) - 1)) {
        return -EBADMSG;
    }
    for (int i = 0; i < f->n_mids; i++) {
        if (strcmp(f->mids[i], value) == 0) {
            return 0;
        }
    }
    if (f->n_mids == SDPFRAG_MIDS_MAX) {
        return -EBADMSG;
    }
    snprintf(f->mids[f->n_mids++], sizeof(f->mids[0]), "%s", value);
    return 0;
}

/* The first of several counts: it is that of the session level, or of the first section, which
 * carries the BUNDLE. */
static int read_credential(char *out, size_t cap, size_t min, const char *value)
{
    if (!sdp_is_ice_chars(value, min, cap - 1)) {
        return -EBADMSG;
    }
    if (!out[0]) {
        snprintf(out, cap, "%s", value);
    }
    return 0;
}

static int read_attribute(struct sdpfrag *f, char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        text[--len] = '\0';
    }
    if (strcmp(text, "end-of-candidates") == 0) {
        f->end_of_candidates = true;
        return 0;
    }
    char *value = strchr(text, ':');
    if (!value) {
        return 0;
    }
    *value++ = '\0';
    if (strcmp(text, "ice-ufrag") == 0) {
        return read_credential(f->ufrag, sizeof(f->ufrag), 4, value);
    }
    if (strcmp(text, "ice-pwd") == 0) {
        return read_credential(f->pwd, sizeof(f->pwd), 22, value);
    }
    if (strcmp(text, "mid") == 0) {
        return read_mid(f, value);
    }
    if (strcmp(text, "candidate") == 0) {
        f->n_candidates += is_candidate(value);
    }
    return 0;
}

static int read_line(struct sdpfrag *f, char *line, size_t len)
{
    if (len < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=') {
        return -EBADMSG;
    }
    switch (line[0]) {
    case 'm':
        return read_media(line + 2);
    case 'a':
        return read_attribute(f, line + 2);
    default:
        return 0;
    }
}

int sdpfrag_read(const char *text, size_t len, struct sdpfrag *ret)
{
    struct sdpfrag f = {0};
    const char *at = sdp_begin(text, len);
    const char *line;
    size_t n;
    if (len > SDP_BYTES_MAX) {
        return -EBADMSG;
    }
    while (len > 0 && sdp_line(&at, text + len, &line, &n)) {
        char own[SDP_LINE_MAX + 1];
        if (n > SDP_LINE_MAX || !sdp_line_is_clean(line, n)) {
            return -EBADMSG;
        }
        memcpy(own, line, n);
        own[n] = '\0';
        int err = n > 0 ? read_line(&f, own, n) : 0;
        if (err) {
            return err;
        }
    }
    if (!f.ufrag[0] || !f.pwd[0]) {
        return -EBADMSG;
    }
    *ret = f;
    return 0;
}
