// SPDX-License-Identifier: Apache-2.0
// tiles.js - what a tile shows of somebody: picture or face, name, and the marks beside it.
import { initials } from './names.js';

/** The face is there until the first frame is: a tile is never dark. */
function show(el, video, stream) {
  if (el.shown === stream) return;
  el.shown = stream;
  const bare = () => el.shown === stream && el.classList.toggle('no-picture', !stream || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA);
  video.onloadeddata = bare;
  bare();
}

const NET = ['', 'Connection poor', 'Connection fair', 'Connection good'];

/**
 * label: its name, called: that of the person; stream: its track, shown where there is a picture; pin: what is pinned with it, pinned: is it;
 * shut: why nothing can be shown; plain: it should be encrypted and is not; bars: 1 to 3, how well it is carried, 0: it is not.
 */
export function fillTile(el, { label, called, stream, picture, screen, self, speaking, muted, hand, pin, pinned, shut, plain, bars }) {
  const video = el.querySelector('video'), part = (name) => el.querySelector(name);
  el.dataset.pin = pin || '';
  if (video.srcObject?.getVideoTracks()[0] !== stream) {
    video.srcObject = stream ? new MediaStream([stream]) : null;
    if (stream) video.play?.().catch(() => {});
  }
  show(el, video, picture ? stream : null);
  for (const [name, on] of Object.entries({ screen, self, speaking })) el.classList.toggle(name, Boolean(on));
  part('b').textContent = label;
  part('.face').textContent = initials(called);
  for (const [name, on] of Object.entries({ '.mute': muted, '.plain': plain, '.raised': hand, '.shut': shut, '.net': bars })) part(name).hidden = !on;
  if (shut) part('.shut').lastElementChild.textContent = shut;
  const button = part('.pin');
  button.setAttribute('aria-pressed', String(Boolean(pinned)));
  button.querySelector('span').textContent = pinned ? `Unpin ${label}` : `Pin ${label}`;
  button.hidden = Boolean(self);
  if (!bars) return;
  part('.net').dataset.bars = bars;
  part('.net').setAttribute('aria-label', NET[bars]);
}
