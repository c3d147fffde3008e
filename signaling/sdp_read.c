/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_read.c - one pass over an offer: its lines, and its m-lines into sections. */
#include "signaling/sdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signaling/sdp_attr.h"

struct reader {
    bool has_version, has_origin;
    struct sdp_attr attr; /* of the level being read */
};

static unsigned count_words(const char *s)
{
    unsigned n = 0;
    for (s += strspn(s, " \t"); *s; n++) {
        s += strcspn(s, " \t");
        s += strspn(s, " \t");
    }
    return n;
}

static enum sdp_kind kind_named(const char *name)
{
    static const char *const names[] = {"audio", "video", "application"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum sdp_kind)i;
        }
    }
    return SDP_OTHER;
}

static int read_formats(struct sdp_media *m, char *list)
{
    for (char *word = sdp_word(&list); word; word = sdp_word(&list)) {
        const char *at = word;
        uint64_t pt;
        m->first_format = m->first_format ? m->first_format : word;
        if (m->kind > SDP_VIDEO) {
            return sdp_is_token(word, SDP_LINE_MAX) ? 0 : -EBADMSG;
        }
        if (!sdp_uint(&at, SDP_FORMATS_MAX - 1, &pt) || *at) {
            return -EBADMSG;
        }
        if (m->index_of_pt[pt] == SDP_NO_FORMAT) {
            m->index_of_pt[pt] = (uint8_t)m->n_formats;
            m->formats[m->n_formats++] = (struct sdp_format){.pt = (uint8_t)pt, .fmtp = ""};
        }
    }
    return 0;
}

static bool is_proto(const char *s)
{
    for (; *s; s++) {
        if (*s < '!' || *s > '~') {
            return false;
        }
    }
    return true;
}

/* "audio 9 UDP/TLS/RTP/SAVPF 111 63", port perhaps "9/2". */
static int read_media(struct reader *r, char *text)
{
    struct sdp *sdp = r->attr.sdp;
    char *name = sdp_word(&text);
    char *port_text = sdp_word(&text);
    char *proto = sdp_word(&text);
    unsigned n_formats = count_words(text);
    const char *at = port_text;
    uint64_t port, n_ports = 1;
    if (!proto || n_formats == 0 || !sdp_is_token(name, SDP_LINE_MAX) || !is_proto(proto) ||
        !sdp_uint(&at, UINT16_MAX, &port)) {
        return -EBADMSG;
    }
    if (*at == '/') {
        at++;
        if (!sdp_uint(&at, UINT16_MAX, &n_ports)) {
            return -EBADMSG;
        }
    }
    if (*at) {
        return -EBADMSG;
    }
    if (sdp->n_media == SDP_MEDIA_MAX || n_formats > SDP_FORMATS_MAX) {
        return -E2BIG;
    }
    struct sdp_media *m = calloc(1, sizeof(*m) + n_formats * sizeof(m->formats[0]));
    if (!m) {
        return -ENOMEM;
    }
    sdp->media[sdp->n_media++] = m;
    r->attr = (struct sdp_attr){.sdp = sdp, .m = m};
    m->name = name;
    m->kind = kind_named(name);
    m->port = (uint16_t)port;
    m->proto = proto;
    m->mid = "";
    m->max_message_bytes = SDP_MESSAGE_DEFAULT;
    memset(m->index_of_pt, SDP_NO_FORMAT, sizeof(m->index_of_pt));
    return read_formats(m, text);
}

static int read_line(struct reader *r, char *line, size_t len)
{
    if (len < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=') {
        return -EBADMSG;
    }
    char *text = line + 2;
    if (!r->has_version) {
        r->has_version = strcmp(line, "v=0") == 0;
        return r->has_version ? 0 : -EBADMSG;
    }
    int err;
    switch (line[0]) {
    case 'o':
        r->has_origin = true;
        return count_words(text) == 6 ? 0 : -EBADMSG;
    case 'm':
        err = r->has_origin ? sdp_attr_finish(&r->attr) : -EBADMSG;
        return err ? err : read_media(r, text);
    case 'a':
        return sdp_attr_read(&r->attr, text);
    default: /* s= and t= included: nothing depends on them */
        return 0;
    }
}

static void mark_bundle(struct sdp *s)
{
    for (unsigned i = 0; i < s->n_media; i++) {
        for (unsigned k = 0; k < s->n_bundle && !s->media[i]->in_bundle; k++) {
            s->media[i]->in_bundle =
                s->media[i]->mid[0] && strcmp(s->media[i]->mid, s->bundle[k]) == 0;
        }
    }
}

static int read_lines(struct reader *r, size_t len, int *line_no)
{
    char *text = r->attr.sdp->text;
    const char *at = sdp_begin(text, len);
    const char *line;
    size_t n;
    while (sdp_line(&at, text + len, &line, &n)) {
        ++*line_no;
        if (n == 0) {
            continue; /* SDP-24 */
        }
        if (n > SDP_LINE_MAX) {
            return -E2BIG;
        }
        if (!sdp_line_is_clean(line, n)) {
            return -EBADMSG;
        }
        char *own = text + (line - text);
        own[n] = '\0'; /* over the line end, or the byte behind the copy */
        int err = read_line(r, own, n);
        if (err) {
            return err;
        }
    }
    if (!r->attr.m) {
        return r->has_origin ? -ENODATA : -EBADMSG;
    }
    return sdp_attr_finish(&r->attr);
}

int sdp_read(const char *text, size_t len, struct sdp **ret, int *ret_line)
{
    int line_no = 0;
    if (len > SDP_BYTES_MAX) {
        *ret_line = 1;
        return -E2BIG;
    }
    struct sdp *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    s->text = malloc(len + 1);
    if (!s->text) {
        sdp_free(s);
        return -ENOMEM;
    }
    if (len > 0) {
        memcpy(s->text, text, len);
    }
    s->text[len] = '\0';
    struct reader r = {.attr.sdp = s};
    int err = read_lines(&r, len, &line_no);
    if (err) {
        *ret_line = MAX(line_no, 1);
        sdp_free(s);
        return err;
    }
    mark_bundle(s);
    *ret = s;
    return 0;
}

void sdp_free(struct sdp *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < s->n_media; i++) {
        free(s->media[i]);
    }
    free(s->text);
    free(s);
}
