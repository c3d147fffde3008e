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

/** The claims of a JSON Web Token, which the server checks; {} of any other. */
export function claimsOf(token) {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

/** The text with its addresses as links. */
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? Object.assign(document.createElement('a'), { href: part, textContent: part, target: '_blank', rel: 'noopener noreferrer' }) : part));
}

/** Why there is no camera or microphone. */
export function captureFault(error) {
  if (!navigator.mediaDevices) return `Browsers give camera and microphone only to https pages and to localhost. Open ${base.replace(/^http:/, 'https:')}, or join to watch and listen.`;
  if (error.name === 'NotAllowedError') return 'Camera and microphone are blocked for this page: allow them with the icon beside the address, or join without.';
  if (error.name === 'NotFoundError') return 'No camera or microphone was found. You can join without.';
  if (error.name === 'NotReadableError') return 'Another program uses the camera. Close it, or join without.';
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
