// SPDX-License-Identifier: Apache-2.0
// people.js - names, tokens and texts of people, and what their devices say: what room.js needs that knows nothing of the room.

import { base } from './client.js';

/** One or two letters for a face, in whatever script. */
export const initials = (name) => name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((w) => [...w][0].toLocaleUpperCase()).join('') || '?';
export const hue = (name) => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7);

/** A name for URLs, of what people call themselves; '' where nothing of it can stand there. */
export const slug = (name) => name.normalize('NFKD').replace(/\s+/g, '_').replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '').slice(0, 48);

/** No more of a name than the server takes: 128 bytes of UTF-8. */
export function clip(name) {
  let chars = [...name];
  while (new TextEncoder().encode(chars.join('')).length > 128) chars = chars.slice(0, -1);
  return chars.join('');
}

function newRow(id) {
  const li = document.createElement('li'), [face, b, i] = ['s', 'b', 'i'].map((tag) => document.createElement(tag));
  li.dataset.id = id;
  face.style.setProperty('--hue', hue(id));
  face.setAttribute('aria-hidden', 'true');
  b.dir = 'auto';
  li.append(face, b, i);
  return li;
}

function fillRow(li, { called, label, about, keys }) {
  const [face, b, i] = li.children;
  for (const [el, text] of [[face, initials(called)], [b, label], [i, about]]) if (el.textContent !== text) el.textContent = text;
  keys.forEach(({ text, run }, at) => {
    const button = li.children[3 + at] || li.appendChild(Object.assign(document.createElement('button'), { type: 'button', className: 'ghost' }));
    button.onclick = run;
    if (button.textContent === text) return;
    button.textContent = text;
    button.setAttribute('aria-label', `${text} ${label}`);
  });
}

/** The list of people: { id, called: for the face, label, about, keys: [{ text, run }] } each. What stays stays the same element: whoever is about to press a key has it under the finger. */
export function showPeople(list, rows) {
  const before = new Map([...list.children].map((li) => [li.dataset.id, li]));
  rows.forEach((row, at) => {
    const li = before.get(row.id) || newRow(row.id);
    before.delete(row.id);
    fillRow(li, row);
    if (list.children[at] !== li) list.insertBefore(li, list.children[at] || null);
  });
  before.forEach((li) => li.remove());
}

/** The claims of a JSON Web Token, which the server checks; {} of any other. */
export function claimsOf(token) {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

/** Several names as people say them; of many, how many more. */
function several(names) {
  const told = names.length > 4 ? names.slice(0, 2) : names, more = names.length - told.length;
  const parts = more ? [...told, `${more} others`] : told;
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** The text with its addresses as links. */
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? Object.assign(document.createElement('a'), { href: part, textContent: part, target: '_blank', rel: 'noopener noreferrer' }) : part));
}

/** Why there is no camera or no microphone (what), or neither. */
export function captureFault(error, what = 'camera or microphone') {
  if (!navigator.mediaDevices) return `Browsers give camera and microphone only to https pages and to localhost. Open ${base.replace(/^http:/, 'https:')}, or join to watch and listen.`;
  if (error.name === 'NotAllowedError') return 'Camera and microphone are blocked for this page: allow them with the icon beside the address, or join without.';
  if (error.name === 'NotFoundError') return `No ${what} was found. You can join without.`;
  if (error.name === 'NotReadableError') return `Another program uses the ${what}. Close it, or join without.`;
  return error.message;
}

/** Calls onlevel(0 to 1) ten times a second with how loud a track is, until the function that it returns is called. */
export function listen(track, onlevel) {
  const context = new AudioContext(), analyser = context.createAnalyser(), wave = new Float32Array(analyser.fftSize);
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(wave);
    onlevel(Math.min(1, 4 * Math.sqrt(wave.reduce((s, x) => s + x * x, 0) / wave.length)));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
    onlevel(0);
  };
}

/** Tells of those who come and go at about the same time in one sentence. */
export class Comings {
  constructor(tell) {
    Object.assign(this, { tell, came: new Map(), left: new Map(), timer: null });
  }

  /** Each [id, name]. Who comes back at once has never been away. */
  add(came, left) {
    came.forEach(([id, name]) => this.left.delete(id) || this.came.set(id, name));
    left.forEach(([id, name]) => this.came.delete(id) || this.left.set(id, name));
    this.timer ||= setTimeout(() => this.flush(), 2000);
  }

  flush() {
    const sentence = (map, verb) => map.size && `${several([...map.values()])} ${verb}.`;
    const news = [sentence(this.came, 'came in'), sentence(this.left, 'left')].filter(Boolean).join(' ');
    this.forget();
    if (news) this.tell(news);
  }

  forget() {
    clearTimeout(this.timer);
    this.timer = null;
    this.came.clear();
    this.left.clear();
  }
}
