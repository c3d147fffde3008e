// SPDX-License-Identifier: Apache-2.0
// room.js - a conference over plain WHIP and WHEP: the lobby's door, the way in and out, and the keys. What the call is made of:
//   call.js      what all parts know of it
//   own.js       own camera, microphone and screen (devices.js)
//   sessions.js  publishing, playing, events (client.js, sealing.js)
//   stage.js     the pictures (tiles.js, layout.js, wishes.js)
//   people.js    the list of people
//   talk.js      chat and hands (chat.js)
import { $, announce, call, hands, inCall, isPressed, me, people, pins, press, slots, speaking } from './call.js';
import { forgetChat, markRead } from './chat.js';
import { base, takeFragment } from './client.js';
import { canFloat, copyLink, fullScreen, land, stayAwake } from './comfort.js';
import { claimsOf, clip, slug } from './names.js';
import { capture, fault, mayOnlyWatch, putAway, share, takeAlong, toggle } from './own.js';
import { forgetComings, moderate } from './people.js';
import { isKey, makeKey } from './seal.js';
import { canSeal, canTransform } from './sealing.js';
import { enter, forgetEvents } from './sessions.js';
import { draw, floatTiles, forgetTiles, tiles } from './stage.js';
import { Tabs } from './tabs.js';
import { raiseHand, sealing, tell } from './talk.js';

// ---- in and out ----

/** The same person in the same room in two tabs of one browser would hear themselves: the newest tab has the call. */
const tabs = new Tabs(() => putOut({ message: 'The call goes on in another tab of this browser.' }));

/** Not let in: the lobby is as it was. Or not any longer. */
function putOut({ message }) {
  const wasIn = [call.publishing, call.playing].some((s) => s?.everLive);
  leave('The call is over');
  if (!wasIn) {
    $('join').textContent = 'Join';
    capture();
  }
  fault(message);
}

/** Who this is, as the lobby says. */
function readDoor() {
  Object.assign(me, { room: $('room').value, name: clip($('name').value.trim()), token: $('token').value });
  me.rights = claimsOf(me.token);
  me.plainId = me.rights.participant || slug(me.name) || `guest-${Math.random().toString(36).slice(2, 7)}`;
  const before = tabs.take(me.room, me.name);
  me.id = me.rights.participant || before || me.plainId;
  me.nth = 1;
  me.watches = false;
  me.settled = Boolean(me.rights.participant || before); // whoever has this name is this person
  if (!$('seal').checked) me.key = '';
  else if (!isKey(me.key)) me.key = makeKey();
  try { localStorage.setItem('sluice-name', me.name); } catch { /* private windows may refuse */ }
}

function join() {
  readDoor();
  fault('');
  sealing.start(me.key);
  stayAwake(true);
  history.replaceState(null, '', `#${me.room}`);
  document.title = `${me.room} · Sluice`;
  document.body.dataset.state = 'call';
  $('where').textContent = me.room;
  $('sealed').hidden = $('renew').hidden = !me.key;
  $('lock').hidden = !me.rights.moderate;
  $('lobby').hidden = true;
  $('call').hidden = false;
  takeAlong();
  const hold = () => tabs.hold(me.room, me.name, me.id);
  hold();
  mayOnlyWatch(false);
  enter({ onend: putOut, onname: hold, onwatch });
  draw();
  $('mic').focus();
}

function onwatch() {
  mayOnlyWatch(true);
  announce('You can watch and listen: your link, or your token, permits no more.');
  draw();
}

/** note: what the lobby says then. */
function leave(note = 'You have left') {
  tell({ bye: true });
  tabs.drop();
  stayAwake(false);
  land();
  forgetEvents();
  forgetComings();
  forgetChat();
  forgetTiles();
  [call.publishing, call.playing].forEach((s) => s?.stop());
  Object.assign(call, { publishing: null, playing: null, chat: null, dominant: null });
  [slots, people, hands, speaking, pins].forEach((c) => c.clear());
  document.body.dataset.state = 'lobby';
  putAway(note);
  press('hand', false);
  for (const id of ['mic', 'cam', 'screen']) $(id).disabled = false;
  if (document.body.dataset.panel) panel(document.body.dataset.panel);
  $('lobby').hidden = false;
  $('call').hidden = true;
  $('join').textContent = 'Join again';
  $('join').focus();
}

// ---- keys ----

/** Opens a panel; closes it when it is open. */
function panel(name) {
  const now = document.body.dataset.panel === name ? '' : name;
  document.body.dataset.panel = now;
  for (const p of ['people', 'chat', 'settings']) {
    $(`panel-${p}`).hidden = now !== p;
    $(`show-${p}`).setAttribute('aria-expanded', String(now === p));
  }
  if (now === 'chat') {
    markRead();
    $('text').focus();
  } else if (!now) $(`show-${name}`).focus();
  draw();
}

function changeLayout() {
  const on = !isPressed('layout');
  press('layout', on);
  document.body.dataset.layout = on ? 'speaker' : 'grid';
  draw();
}

const actions = {
  mic: () => toggle('audio'), cam: () => toggle('video'), screen: share, hand: raiseHand, layout: changeLayout,
  'show-people': () => panel('people'), 'show-chat': () => panel('chat'), 'show-settings': () => panel('settings'),
  full: () => fullScreen(), float: floatTiles, leave: () => leave(), lock: () => moderate(isPressed('lock') ? 'unlock' : 'lock', {}),
};
for (const [id, run] of Object.entries(actions)) $(id).addEventListener('click', run);
document.querySelectorAll('.close').forEach((button) => button.addEventListener('click', () => panel(document.body.dataset.panel)));

const KEYS = { m: 'mic', v: 'cam', s: 'screen', h: 'hand', l: 'layout', p: 'show-people', c: 'show-chat', f: 'full', '?': 'show-settings' };
addEventListener('keydown', (ev) => {
  if (!inCall() || ev.ctrlKey || ev.metaKey || ev.altKey) return;
  if (ev.key === 'Escape' && document.body.dataset.panel) panel(document.body.dataset.panel);
  else if (KEYS[ev.key] && !ev.target.closest('input, textarea, select') && !$(KEYS[ev.key]).disabled && !$(KEYS[ev.key]).hidden) {
    ev.preventDefault();
    actions[KEYS[ev.key]]();
  }
});
document.querySelector('.keys').addEventListener('keydown', (ev) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[ev.key], keys = [...document.querySelectorAll('.keys .key')].filter((k) => k.offsetWidth);
  if (step) keys[(keys.indexOf(document.activeElement) + step + keys.length) % keys.length].focus();
});

// ---- the page ----

const link = () => `${base}room.html#${me.room}${me.key ? `?key=${me.key}` : ''}`;
document.querySelectorAll('.invite').forEach((button) => button.addEventListener('click', () => copyLink(button, link())));

const showEndpoint = () => { $('endpoint').textContent = `${base}whip/${$('room').value || 'ROOM'}/NAME`; };
$('room').addEventListener('input', showEndpoint);
$('door').addEventListener('submit', (ev) => { ev.preventDefault(); join(); });

addEventListener('pagehide', () => {
  tabs.drop();
  [call.publishing, call.sharing, call.playing].forEach((s) => s?.stop());
});
addEventListener('pageshow', (ev) => ev.persisted && inCall() && location.reload()); // come back to by the browser's arrow

/** What the link says: room, name, token, key. */
function readLink() {
  const { name: room, given } = takeFragment();
  $('room').value = room || 'lounge';
  $('token').value = given.get('token') || '';
  const { name: named } = claimsOf($('token').value); // who the link was made for
  try { $('name').value = given.get('name') || named || localStorage.getItem('sluice-name') || ''; } catch { /* private windows may refuse */ }
  me.key = isKey(given.get('key') || '') ? given.get('key') : '';
  $('seal').checked = Boolean(me.key);
  showEndpoint();
}

/** What this browser cannot do is not offered. */
function hideWhatCannotBe() {
  if (!canSeal) {
    const remedy = canTransform ? 'needs a page by https, or on localhost' : 'needs a newer browser';
    $('seal-note').textContent = me.key ? `This room is encrypted end to end, which ${remedy}.` : `Encryption ${remedy}.`;
    $('seal').disabled = true;
    $('seal').checked = false;
    me.key = '';
  }
  mayOnlyWatch(false);
  $('full').hidden = !document.fullscreenEnabled;
  $('float').hidden = !canFloat;
}

readLink();
hideWhatCannotBe();
capture();
window.room = { // for the console, and for tests
  me, slots, people, speaking, hands, tiles,
  get playing() { return call.playing; }, get publishing() { return call.publishing; }, get local() { return call.local; }, get screen() { return call.screen; },
};
