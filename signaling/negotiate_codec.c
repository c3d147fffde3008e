/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate_codec.c - which payload types of a section are worth answering. */
#include <string.h>
#include <strings.h>

#include "signaling/negotiate_plan.h"

/* True for an fmtp parameter that holds parameter sets: RFC 6184 8.1, RFC 7798 7.1. */
static bool is_sprop(const char *param)
{
    static const char *const names[] = {
        "sprop-parameter-sets=", "sprop-vps=", "sprop-sps=", "sprop-pps="};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strncasecmp(param, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Copies those parameters that are about parameter sets, or all others; as many as fit, each whole.
 */
static void copy_fmtp(char *out, size_t cap, const char *fmtp, bool sets)
{
    size_t n = 0;
    while (*fmtp) {
        fmtp += strspn(fmtp, "; \t");
        size_t len = strcspn(fmtp, ";");
        size_t gap = n > 0;
        if (len && is_sprop(fmtp) == sets && n + gap + len < cap) {
            memcpy(out + n, ";", gap);
            memcpy(out + n + gap, fmtp, len);
            n += gap + len;
        }
        fmtp += len;
    }
    out[n] = '\0';
}

void negotiate_codec_sprop(const struct sdp_format *f, char out[API_SPROP_MAX])
{
    copy_fmtp(out, API_SPROP_MAX, f->fmtp, true);
}

bool negotiate_codec_add(struct api_mline *line, const struct sdp_media *m,
                         const struct sdp_format *f)
{
    for (unsigned i = 0; i < line->n_codecs; i++) {
        if (line->codecs[i].pt == f->pt) {
            return false;
        }
    }
    if (line->n_codecs == API_CODECS_MAX) {
        return false;
    }
    struct api_codec *c = &line->codecs[line->n_codecs++];
    c->id = f->codec;
    c->pt = f->pt;
    c->rtx_pt = f->rtx_pt;
    c->nack = f->fb & SDP_FB_NACK;
    c->pli = f->fb & SDP_FB_PLI;
    c->fir = f->fb & SDP_FB_FIR;
    /* the feedback counts numbers that only the extension carries */
    c->twcc = (f->fb & SDP_FB_TWCC) && line->ext.id[EXT_TWCC] != 0;
    c->remb = (f->fb & SDP_FB_REMB) && !c->twcc;
    if (m->kind == SDP_AUDIO && f->codec != CODEC_OPUS) {
        c->nack = false;
    }
    copy_fmtp(c->fmtp, sizeof(c->fmtp), f->fmtp, false);
    return true;
}

const struct sdp_format *negotiate_codec_red(const struct sdp_media *m, uint8_t opus_pt)
{
    for (unsigned i = 0; i < m->n_formats; i++) {
        const struct sdp_format *f = &m->formats[i];
        const char *at = f->fmtp;
        uint64_t pt = 0;
        bool ok = f->codec == CODEC_RED && sdp_uint(&at, SDP_FORMATS_MAX - 1, &pt) && pt == opus_pt;
        while (ok && *at == '/') {
            at++;
            ok = sdp_uint(&at, SDP_FORMATS_MAX - 1, &pt) && pt == opus_pt;
        }
        if (ok && *at == '\0') {
            return f;
        }
    }
    return NULL;
}

static bool is_mode_1(const char *fmtp)
{
    size_t n;
    const char *mode = sdp_fmtp_param(fmtp, "packetization-mode", &n);
    return mode && n == 1 && mode[0] == '1';
}

/* How much a publisher's H264 payload type is wanted: every viewer takes constrained baseline, and
 * mode 0 cannot fragment a frame. by_offer: the client knows best which profile to encode. */
static int rank_h264(const struct sdp_format *f, bool by_offer)
{
    int rank = is_mode_1(f->fmtp) ? 2 : 0;
    return rank + (!by_offer && codec_h264_profile(f->fmtp) == H264_CONSTRAINED_BASELINE ? 1 : 0);
}

const struct sdp_format *negotiate_codec_best(const struct sdp_media *m, enum codec_id id,
                                              bool by_offer)
{
    const struct sdp_format *best = NULL;
    int best_rank = -1;
    for (unsigned i = 0; i < m->n_formats; i++) {
        const struct sdp_format *f = &m->formats[i];
        int rank = id == CODEC_H264 ? rank_h264(f, by_offer) : 0;
        if (f->codec == id && rank > best_rank) {
            best = f;
            best_rank = rank;
        }
    }
    return best;
}

bool negotiate_codec_allowed(const struct negotiate_params *p, enum codec_id id)
{
    if (codec_info(id)->kind == MEDIA_AUDIO) {
        return true;
    }
    for (int i = 0; i < p->n_video_codecs; i++) {
        if (p->video_codecs[i] == id) {
            return true;
        }
    }
    return false;
}

bool negotiate_codec_h264_exact(const char *fmtp, const struct sdp_format *f)
{
    size_t a_len, b_len;
    const char *a = sdp_fmtp_param(fmtp, "profile-level-id", &a_len);
    const char *b = sdp_fmtp_param(f->fmtp, "profile-level-id", &b_len);
    return a && b && a_len == 6 && b_len == 6 && strncasecmp(a, b, 4) == 0 &&
           is_mode_1(fmtp) == is_mode_1(f->fmtp);
}

bool negotiate_codec_h264_common(const char *fmtp, const struct sdp_format *f)
{
    int source = codec_h264_profile(fmtp);
    int viewer = codec_h264_profile(f->fmtp);
    return source >= 0 && viewer >= 0 && source != H264_OTHER && viewer != H264_OTHER &&
           (!is_mode_1(fmtp) || is_mode_1(f->fmtp));
}

bool negotiate_codec_h264_upward(const char *fmtp, const struct sdp_format *f)
{
    int source = codec_h264_profile(fmtp);
    int viewer = codec_h264_profile(f->fmtp);
    return viewer >= source || (source == H264_BASELINE && viewer == H264_CONSTRAINED_BASELINE);
}

static void add_id(enum codec_id *list, unsigned *n, enum codec_id id)
{
    for (unsigned i = 0; i < *n; i++) {
        if (list[i] == id) {
            return;
        }
    }
    list[(*n)++] = id;
}

unsigned negotiate_codec_order(const struct negotiate_plan *plan, const struct sdp_media *m,
                               enum codec_id ret[CODEC_COUNT])
{
    const struct negotiate_params *p = plan->p;
    unsigned n = 0;
    if (m->kind == SDP_AUDIO) {
        add_id(ret, &n, CODEC_OPUS);
    } else if (p->room_codec != CODEC_NONE && negotiate_codec_allowed(p, p->room_codec)) {
        add_id(ret, &n, p->room_codec);
    }
    if (m->kind == SDP_VIDEO && !p->prefer_offer_order) {
        for (int i = 0; i < p->n_video_codecs; i++) {
            add_id(ret, &n, p->video_codecs[i]);
        }
    }
    for (unsigned i = 0; i < m->n_formats; i++) {
        enum codec_id id = m->formats[i].codec;
        bool fits = !p->slots || m->kind == SDP_VIDEO || id == CODEC_OPUS;
        if (id != CODEC_NONE && id != CODEC_RED && fits && negotiate_codec_allowed(p, id)) {
            add_id(ret, &n, id);
        }
    }
    return n;
}
