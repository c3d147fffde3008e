/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "rtp/codec_ops.h"
#include "rtp/red.h"

/* Every packet decodes by itself, so every one is a place to start. Also the row of CODEC_NONE. */
int codec_audio_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    (void)codec_step(d, in);
    ret->flags = DESC_ENTRY | DESC_FRAME_START | DESC_FRAME_END;
    return 0;
}

int codec_red_describe(struct describe *d, const struct describe_in *in, struct pkt_desc *ret)
{
    struct red_block primary;
    if (red_primary(in->payload, in->len, &primary)) {
        return -EBADMSG;
    }
    return codec_audio_describe(d, in, ret);
}
