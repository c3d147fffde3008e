// SPDX-License-Identifier: Apache-2.0
// call.js - what all parts of the conference page know: who this is, what is sent and played, who else is there and where, and how to say something to the user.

export const $ = (id) => document.getElementById(id);

/** name: what people read; id: the name in URLs, made of plainId and, where nth others have that, more; settled: it is known to be free; watches: may publish nothing; key: of the end-to-end encryption, '': none; rights: the token's claims. */
export const me = { name: '', id: '', plainId: '', nth: 1, settled: false, watches: false, room: '', token: '', key: '', rights: {} };

/** local, screen: own media (MediaStream); publishing, sharing, playing: sessions; chat: data channel; dominant: who has the word. Each is null while there is none. */
export const call = { local: null, screen: null, publishing: null, sharing: null, playing: null, chat: null, dominant: null };

export const slots = new Map();  // mid -> { mid, kind, participant, stream, source, muted, track }
export const people = new Map(); // id -> a person of the roster (README, "Rooms"); oneself, too
export const hands = new Set(), speaking = new Set(); // ids
export const pins = new Set();   // streams, in the order of being pinned

export const inCall = () => document.body.dataset.state === 'call';

/** The participant of a stream. */
export const personOf = (stream) => stream.split('~')[0];

/** What people read of somebody: what they call themselves, or their token does; else the name in the URL. */
export const calls = (id) => people.get(id)?.display || id.replaceAll('_', ' ');

/** Of what somebody publishes, what is to be seen or heard. */
export const media = (person) => person?.streams.filter((s) => s.audio || s.video) ?? [];

export function voiceMuted(id) {
  const voice = people.get(id)?.streams.find((s) => s.source === 'camera' && s.audio);
  return !voice || voice.audio.muted;
}

/** The own microphone's or camera's track. */
export const trackOf = (kind) => call.local?.getTracks().find((t) => t.kind === kind);

export const press = (id, on) => $(id).setAttribute('aria-pressed', String(on));
export const isPressed = (id) => $(id).getAttribute('aria-pressed') === 'true';

let announced = 0;
/** Says something for some seconds. */
export function announce(text) {
  $('toast').textContent = text;
  clearTimeout(announced);
  announced = setTimeout(() => { $('toast').textContent = ''; }, 7000);
}
