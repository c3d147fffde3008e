/* SPDX-License-Identifier: Apache-2.0 */
/* told.h - what a publisher says of the layers it sends (rtp/vla.h): which there are, what they
 * aim at, how large they are. It is known before a second has been measured, of layers whose
 * payloads are encrypted as well, and when a layer ends, before its silence shows it. Held in
 * struct layer_map, so that replicas learn it with the next packet. Role MEDIA. */
#ifndef SFU_TOLD_H
#define SFU_TOLD_H

#include "sfu/track.h"

/* A packet of e, newer than all before, carries the extension. Returns 0; -EMSGSIZE if it does not
 * parse. */
int told_on_packet(struct encoding *e, const uint8_t *data, size_t len, int64_t now_us) MUST_CHECK;
/* Replicas: e takes over the map of a packet, and what is new in it. */
void told_follow(struct encoding *e, const struct layer_map *map, int64_t now_us);
/* The publisher has said that it does not send e, and no packet has belied it. */
bool told_is_off(const struct encoding *e);
/* Aimed at for target d of e, in bits per second with WIRE_OVERHEAD, about; 0 = not told. */
uint32_t told_bps(const struct encoding *e, unsigned d);
/* Pictures a second of target d, in sixteenths; 0 = not told. */
uint16_t told_fps_q4(const struct encoding *e, unsigned d);
/* Pixels of a picture of target d; 0 = not told. */
uint32_t told_pixels(const struct encoding *e, unsigned d);

#endif
