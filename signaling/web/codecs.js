// SPDX-License-Identifier: Apache-2.0
// codecs.js - which codecs a conference offers.

/** The profile of a codec that everybody has. */
const usual = ({ mimeType, sdpFmtpLine: fmtp = '' }) => !/profile(-id)?=[1-9]/.test(fmtp) && (!/H264/i.test(mimeType) || /packetization-mode=1;profile-level-id=42e01f/.test(fmtp));

/** H.264 of which each NAL unit must fit a packet: sealed, a frame is one. */
const isSmallNal = ({ mimeType, sdpFmtpLine: fmtp = '' }) => /H264/i.test(mimeType) && !/packetization-mode=1/.test(fmtp);

/** Fewer codecs keep the offer of slots small. many: of so many slots that one profile each has to do; sealed: frames that are encrypted must pass. */
export function prune(transceiver, kind, { many, sealed }) {
  const keep = kind === 'video' ? /\/(VP8|H264|VP9|AV1|rtx)$/i : /\/opus$/i;
  const codecs = RTCRtpReceiver.getCapabilities(kind).codecs.filter((c) => keep.test(c.mimeType) && (!many || usual(c)) && !(sealed && isSmallNal(c)));
  if (codecs.length) transceiver.setCodecPreferences?.(codecs);
}
