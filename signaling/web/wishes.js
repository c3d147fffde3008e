// SPDX-License-Identifier: Apache-2.0
// wishes.js - what the page asks of the server: pins, and how large each slot is shown (README, "Rooms").

const SETTLE_MS = 300; // tiles move in bursts

export class Wishes {
  constructor() {
    Object.assign(this, { url: '', authorization: () => ({}), sized: '', timer: null });
  }

  /** A fresh session, which knows of no wish yet. */
  begin(url, authorization) { Object.assign(this, { url, authorization, sized: '' }); }

  send(what) {
    if (this.url) fetch(this.url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...this.authorization() }, body: JSON.stringify(what) }).catch(() => { this.sized = ''; });
  }

  /** How large pictures are shown, so that nobody pays for pixels that are not seen. slots(): those of now, when things have settled; unseen: nobody looks at the page. */
  sizes(slots, unseen) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const ratio = devicePixelRatio || 1, shownAs = (px) => (unseen ? 1 : Math.round(px * ratio));
      const list = slots().filter((s) => s.kind === 'video' && s.participant && s.size).map((s) => ({ mid: s.mid, layer: { maxWidth: shownAs(s.size.w), maxHeight: shownAs(s.size.h) } }));
      const text = JSON.stringify(list);
      if (text === this.sized || !list.length) return;
      this.sized = text;
      this.send({ slots: list });
    }, SETTLE_MS);
  }
}
