// SPDX-License-Identifier: Apache-2.0
// comfort.js - what a browser can do for a call beside the call itself: its screen stays on, all of it is used, the pictures stay on top of other windows.

let lock = null, wanted = false;

async function takeLock() {
  if (!wanted || document.hidden || lock) return;
  lock = await navigator.wakeLock?.request('screen').catch(() => null); // an empty battery may refuse
  lock?.addEventListener('release', () => { lock = null; });
  if (!wanted) lock?.release();
}

/** A phone that shows a call does not go to sleep. */
export function stayAwake(want) {
  wanted = want;
  if (want) takeLock();
  else lock?.release();
}
document.addEventListener('visibilitychange', takeLock); // browsers end it when the page is hidden

const UNSEEN_MS = 10_000;

/** Calls onseen(false) when nobody has looked at the page for a while, and onseen(true) when somebody does again. */
export function watchEyes(onseen) {
  let timer = null, seen = true;
  const tell = (now) => {
    if (seen === now) return;
    seen = now;
    onseen(now);
  };
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(tell, UNSEEN_MS, false);
    else tell(true);
  });
}

/** All of the screen for an element; back again, when it has that already. */
export function fullScreen(el = document.documentElement) {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  else el.requestFullscreen?.().catch(() => {});
}

export const canFloat = 'documentPictureInPicture' in globalThis;
let floating = null;

/** Brings an element home that floats. */
export function land() { floating?.close(); }

/** Moves an element into a small window on top of all others, until that is closed. onmove(window): the one that it is in now. */
export async function float(el, onmove) {
  if (floating) {
    land();
    return;
  }
  const home = el.parentNode, next = el.nextSibling, small = await documentPictureInPicture.requestWindow({ width: 400, height: 300 });
  floating = small;
  for (const { href } of document.querySelectorAll('link[rel=stylesheet]')) small.document.head.append(Object.assign(small.document.createElement('link'), { rel: 'stylesheet', href }));
  small.document.documentElement.lang = document.documentElement.lang;
  small.document.title = document.title;
  small.document.body.append(el);
  small.addEventListener('resize', () => onmove(small));
  small.addEventListener('pagehide', () => {
    floating = null;
    home.insertBefore(el, next);
    onmove(window);
  });
  onmove(small);
}

/** Copies a link, which its button says then; where that is not allowed, people copy it themselves. */
export async function copyLink(button, link) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = before; }, 2000);
  } catch {
    prompt('The link to this room:', link);
  }
}

const TWICE_MS = 400, TWICE_PX = 20;

/**
 * Calls ontwice(item) when an item of a list is pressed twice in the same place, though the first press may have moved it.
 * Returns a function that tells whether a click event is that of such a second press.
 */
export function watchDoublePress(list, selector, ontwice) {
  let first = { item: null, at: 0, x: 0, y: 0 }, isSecond = false;
  list.addEventListener('pointerup', (ev) => {
    isSecond = Boolean(first.item) && ev.timeStamp - first.at < TWICE_MS && Math.hypot(ev.clientX - first.x, ev.clientY - first.y) < TWICE_PX;
    const { item } = first;
    first = { item: isSecond ? null : ev.target.closest(selector), at: ev.timeStamp, x: ev.clientX, y: ev.clientY };
    if (isSecond) ontwice(item);
  });
  return ({ detail }) => detail > 0 && isSecond; // 0: by a key
}
