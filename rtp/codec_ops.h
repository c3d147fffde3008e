/* SPDX-License-Identifier: Apache-2.0 */
/* codec_ops.h - what the codec files share among themselves; private to rtp/codec*.c. */
#ifndef RTP_CODEC_OPS_H
#define RTP_CODEC_OPS_H

#include "rtp/codec.h"
#include "rtp/dd.h"

/* Where a packet stands on the media clock. */
enum codec_step {
    STEP_NEW,  /* first packet seen of its frame */
    STEP_SAME, /* of the frame at last_ts */
    STEP_LATE, /* of an earlier frame: changes no state */
};

/* Moves d's clock to this packet and forgets what belonged to the frame before. Call it after the
 * payload has proved sound. */
enum codec_step codec_step(struct describe *d, const struct describe_in *in);

/* Notes that the frame of this packet is a key frame. */
void codec_note_key(struct describe *d, const struct describe_in *in);

/* True when the packet's frame is known to be a key frame, late packets of it included. */
bool codec_in_key(const struct describe *d, const struct describe_in *in);

/* DESC_FRAME_START and DESC_FRAME_END of codecs that show them by timestamp and marker only. */
uint8_t codec_frame_flags(enum codec_step step, const struct describe_in *in);

/* Sets the number of layers exactly, and the targets that follow from it. */
void codec_layers_set(struct describe *d, unsigned n_sid, unsigned n_tid);

/* Grows the number of layers to hold (sid, tid). */
void codec_layers_grow(struct describe *d, unsigned sid, unsigned tid);

/* dt_mask of a frame of layer (sid, tid); no_upper: layers above do not build on it. */
uint16_t codec_layer_mask(const struct describe *d, unsigned sid, unsigned tid, bool no_upper);

/* Bits of all targets whose highest temporal layer is in [tid_min, tid_max]. */
uint16_t codec_tid_mask(const struct describe *d, unsigned tid_min, unsigned tid_max);

/* Lays a read dependency descriptor over what the payload said. codec_dd.c */
void codec_dd_apply(struct describe *d, const struct describe_in *in, const struct dd_frame *f,
                    struct pkt_desc *desc);

/* Unwraps a picture id of 7 or 15 bits to 15 bits. */
uint16_t codec_unwrap_pic_id(struct describe *d, uint16_t id, bool is_15bit);

/* The value of a fmtp parameter "key=value;...", key compared without case; NULL if absent.
 * ret_len  length of the value, surrounding blanks left out */
const char *codec_fmtp_find(const char *fmtp, const char *key, size_t *ret_len);

/* True when both fmtps give the same decimal number for key; dflt stands for an absent one. What is
 * not a number below 2^20 equals nothing. */
bool codec_fmtp_equal(const char *a, const char *b, const char *key, long dflt);

/* Describers and the rest of the table's columns, one file a codec. */
int codec_audio_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
int codec_red_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
int codec_vp8_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
uint8_t codec_vp8_rewrite(const uint8_t *payload, const struct pkt_desc *desc,
                          const struct codec_ids *ids, uint8_t out[CODEC_HEAD_MAX]);
int codec_vp9_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
uint8_t codec_vp9_rewrite(const uint8_t *payload, const struct pkt_desc *desc,
                          const struct codec_ids *ids, uint8_t out[CODEC_HEAD_MAX]);
bool codec_vp9_match(const char *a, const char *b);
int codec_h264_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
bool codec_h264_match(const char *a, const char *b);
int codec_h265_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
bool codec_h265_match(const char *a, const char *b);
int codec_av1_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret);
bool codec_av1_match(const char *a, const char *b);

/* Copies a NAL unit's payload without its emulation prevention bytes (H.264 7.4.1), as far as out
 * has room. Returns the bytes written. */
size_t codec_nal_unescape(const uint8_t *nal, size_t len, uint8_t *out, size_t cap);

#endif
