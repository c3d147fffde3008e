// SPDX-License-Identifier: Apache-2.0
// stage.js - the pictures: whose there are, how large, which is pinned, in which window; and what of it the server is told.
import { $, announce, call, calls, hands, inCall, me, media, people, personOf, pins, slots, speaking, trackOf, voiceMuted } from './call.js';
import { float, fullScreen, watchDoublePress, watchEyes } from './comfort.js';
import { grid, isCutHard, speaker } from './layout.js';
import { hue } from './names.js';
import { listPeople } from './people.js';
import { fillTile } from './tiles.js';
import { Wishes } from './wishes.js';

const stage = $('tiles'); // wherever it is: see floatTiles
export const tiles = new Map(); // key -> element
export const wishes = new Wishes();

/** The most pictures of others: as many slots are asked for. */
export const PICTURES = Math.min(48, Math.max(1, Number(new URLSearchParams(location.search).get('tiles')) || 9));

let drawing = false, canvas = window; // canvas: the window that the tiles are in
/** Once a frame, however much has changed. */
export function draw() {
  if (drawing || !inCall()) return;
  drawing = true;
  canvas.requestAnimationFrame(() => {
    drawing = false;
    if (inCall()) render();
  });
}

// ---- what is shown ----

/** What is said of a slot that plays a picture. */
function aboutSlot(s) {
  const screen = s.source === 'screen', label = screen ? `${calls(s.participant)}'s screen` : calls(s.participant);
  return {
    name: s.participant, pin: s.stream, label, screen, slot: s, stream: s.track, picture: !s.muted && s.track,
    muted: !screen && voiceMuted(s.participant),
    bars: s.track && (s.bars || 3), // what is not carried has no quality
    plain: me.key && s.seal === 'clear',
    shut: s.seal === 'shut' && (me.key ? `${label} uses another key: ask for the newest link` : `${label} is encrypted: open the link that has the key`),
  };
}

function aboutSelf() {
  const picture = trackOf('video'), barred = people.get(me.id)?.muted || [];
  return { name: me.id, label: 'You', self: true, stream: picture, picture: picture?.enabled && !barred.includes('camera'), muted: !trackOf('audio')?.enabled || barred.includes('microphone') };
}

/** All tiles by key. Whose camera goes off and on keeps the tile. */
function whatIsShown() {
  const shown = new Map(), key = (stream) => `of ${stream}`;
  for (const s of slots.values()) {
    if (s.kind === 'video' && s.participant && !s.off) shown.set(key(s.stream), aboutSlot(s));
  }
  const pictured = new Set([...shown.values()].map((a) => a.name));
  // Those who are here and heard, but have no picture: as many as there is room for.
  for (const p of people.values()) {
    if (shown.size >= PICTURES) break;
    if (p.name !== me.id && media(p).length && !pictured.has(p.name)) shown.set(key(p.name), { name: p.name, pin: p.name, label: calls(p.name), picture: false, muted: voiceMuted(p.name) });
  }
  shown.set('self', aboutSelf());
  if (call.screen) shown.set('self screen', { name: me.id, label: 'Your screen', stream: call.screen.getVideoTracks()[0], picture: true, screen: true, self: true });
  return shown;
}

/** Pressed twice, a tile has the whole screen, and its pin is as it was. */
const isSecondPress = watchDoublePress(stage, '.tile', (el) => {
  pin(el.dataset.pin);
  fullScreen(el);
});

function tileFor(key, name) {
  let el = tiles.get(key);
  if (el) return el;
  el = $('tile').content.firstElementChild.cloneNode(true);
  el.dataset.name = name;
  el.style.setProperty('--hue', hue(name));
  el.querySelector('.pin').addEventListener('click', (ev) => isSecondPress(ev) || pin(el.dataset.pin));
  el.querySelector('video').addEventListener('resize', draw);
  tiles.set(key, el);
  stage.append(el);
  return el;
}

function render() {
  const shown = whatIsShown();
  for (const [key, el] of tiles) {
    if (shown.has(key)) continue;
    el.remove();
    tiles.delete(key);
  }
  for (const [key, about] of shown) {
    const { name, screen, self } = about;
    fillTile(tileFor(key, name), { ...about, called: self ? me.name : calls(name), speaking: speaking.has(name) && !screen, hand: hands.has(name) && !screen, pinned: pins.has(about.pin) });
  }
  $('alone').hidden = [...people.keys()].some((n) => n !== me.id) || shown.size > 1;
  arrange(shown);
  listPeople();
}

export function forgetTiles() {
  tiles.forEach((t) => t.remove());
  tiles.clear();
}

// ---- how large ----

/** A shared screen is shown whole, in the shape that it has. */
function shapeOf([key, about]) {
  const video = about.screen && tiles.get(key).querySelector('video');
  return video?.videoHeight ? video.videoWidth / video.videoHeight : 0;
}

/** Who is shown large, if anybody: what was pinned last, a screen, and in the speaker view who has the word. */
function largest(entries) {
  const first = (test) => entries.find(([, a]) => !a.self && test(a)), pinned = [...pins].reverse().map((p) => first((a) => a.pin === p)).find(Boolean);
  return pinned || first((a) => a.screen) || (document.body.dataset.layout === 'speaker' && (first((a) => a.name === call.dominant) || first(() => true))) || null;
}

function arrange(shown) {
  const box = stage.getBoundingClientRect(), entries = [...shown], big = largest(entries);
  const sizes = big && entries.length > 1 ? speaker(entries.length, box.width, box.height, shapeOf(big)) : null, even = grid(entries.length, box.width, box.height);
  let left = sizes ? sizes.room - 1 : Infinity; // one of them is for oneself
  for (const [key, about] of entries) {
    const el = tiles.get(key), large = sizes && key === big[0];
    el.hidden = Boolean(sizes) && !large && !about.self && left-- <= 0;
    el.classList.toggle('large', Boolean(large));
    const size = !sizes ? even : large ? sizes.big : sizes.small;
    el.classList.toggle('whole', isCutHard(el.querySelector('video'), size));
    el.style.setProperty('--w', `${size.w}px`);
    el.style.setProperty('--h', `${size.h}px`);
    el.style.order = large ? -1 : about.self ? 1 : 0;
    if (about.slot) about.slot.size = el === document.fullscreenElement ? { w: innerWidth, h: innerHeight } : el.hidden ? null : size;
  }
  wishSizes();
}

new ResizeObserver(draw).observe(stage);
document.addEventListener('fullscreenchange', draw);

// ---- wishes ----

let unseen = false;
const wishSizes = () => wishes.sizes(() => [...slots.values()], unseen);
const wishPins = () => wishes.send({ pin: [...pins].reverse() }); // the newest is wanted most

/** What nobody looks at is not paid for. */
watchEyes((seen) => {
  unseen = !seen && canvas === window;
  wishSizes();
});

/** A fresh session takes wishes there. */
export function wishTo(url, authorization) {
  wishes.begin(url, authorization);
  if (pins.size) wishPins();
}

/** stream: one's name, or that of a shared screen. */
function pin(stream) {
  if (!stream || personOf(stream) === me.id) return;
  if (!pins.delete(stream)) pins.add(stream);
  wishPins();
  draw();
}

/** The pictures on top of other windows, or back in this one. */
export async function floatTiles() {
  await float(stage, (where) => {
    canvas = where;
    drawing = false; // what the other window was asked to draw may never come
    $('floating').hidden = where === window;
    $('float').setAttribute('aria-pressed', String(where !== window));
    draw();
  }).catch(() => announce('This browser does not open a small window now.'));
}
