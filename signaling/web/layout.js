// SPDX-License-Identifier: Apache-2.0
// layout.js - how large tiles are: as large as they can be for their number and the room there is. Pure.

const GAP = 10, RATIO = 16 / 9;

/** Tiles may be a little narrower than 16:9 where that fills the room better, on a phone that stands upright as narrow as a square. */
const narrowest = (width, height) => (width > height ? 4 / 3 : 1);

/** n equal tiles in width x height: their size. */
export function grid(n, width, height) {
  let best = { w: 0, h: 0 };
  for (let columns = 1; columns <= n; columns++) {
    const rows = Math.ceil(n / columns);
    const w = (width - GAP * (columns - 1)) / columns, h = (height - GAP * (rows - 1)) / rows;
    if (w <= 0 || h <= 0) continue;
    const ratio = Math.max(narrowest(width, height), Math.min(RATIO, w / h));
    const size = w / h > ratio ? { w: h * ratio, h } : { w, h: w / ratio };
    if (size.w * size.h > best.w * best.h) best = size;
  }
  return { w: Math.floor(best.w), h: Math.floor(best.h) };
}

/** One tile of a fixed shape. */
function fit(ratio, width, height) {
  const w = Math.max(0, Math.min(width, height * ratio));
  return { w: Math.floor(w), h: Math.floor(w / ratio) };
}

/** One large tile, and as many of the n - 1 others as fit below it into two rows, or into what it leaves at full width. ratio: the large one's shape, where it must not be cut. */
export function speaker(n, width, height, ratio) {
  const large = (h) => (ratio ? fit(ratio, width, h) : grid(1, width, h));
  if (n < 2) return { big: large(height), small: { w: 0, h: 0 }, room: 0 };
  const w = Math.floor(Math.min(RATIO * Math.min(140, height * 0.2), (width - 2 * GAP) / 3)), h = Math.floor(w / RATIO);
  const perRow = Math.max(1, Math.floor((width + GAP) / (w + GAP)));
  const left = height - width / (ratio || narrowest(width, height)), rows = Math.min(Math.ceil((n - 1) / perRow), Math.max(2, Math.floor(left / (h + GAP))));
  return { big: large(height - rows * (h + GAP)), small: { w, h }, room: rows * perRow };
}

/** A picture that its tile would cut to less than half, as that of an upright phone, is shown whole. */
export function isCutHard({ videoWidth: width, videoHeight: height }, { w, h }) {
  const ratio = height && h ? (width / height) / (w / h) : 1;
  return Math.max(ratio, 1 / ratio) > 2;
}
