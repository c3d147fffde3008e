// SPDX-License-Identifier: Apache-2.0
// room.js - a conference over plain WHIP and WHEP: this page publishes under /whip/ROOM/NAME and plays /whep/ROOM, whose sections are slots that the
// server fills. Who is where comes by server-sent events, what is wanted goes by POST (README, "Rooms"); chat travels by a data channel.
import { askForDescriptor, base, canAskForDescriptor, linksOf, Session, takeFragment } from './client.js';
import { forgetChat, markRead, say } from './chat.js';
import { prune } from './codecs.js';
import { canFloat, copyLink, float, fullScreen, land, stayAwake, watchDoublePress, watchEyes } from './comfort.js';
import { constraintsOf, hearWhereChosen, keepChoice, KINDS, listDevices, listenWhileMuted, restoreChoice, takeWhatThereIs } from './devices.js';
import { grid, isCutHard, speaker } from './layout.js';
import { captureFault, claimsOf, clip, Comings, hue, listen, showPeople, slug } from './people.js';
import { isKey, makeKey } from './seal.js';
import { canSeal, canTransform, Sealing } from './sealing.js';
import { Tabs } from './tabs.js';
import { fillTile } from './tiles.js';
import { Wishes } from './wishes.js';

const $ = (id) => document.getElementById(id);
const stage = $('tiles'); // wherever it is: see floatTiles
const SLOTS = { audio: 3, video: Math.min(48, Math.max(1, Number(new URLSearchParams(location.search).get('tiles')) || 9)) };
const CAMERA = [{ rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 120_000 }, { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 400_000 }, { rid: 'f', maxBitrate: 1_500_000 }];

const me = { name: '', id: '', room: '', token: '', key: '', rights: {} }; // id: the name in URLs; key: of the end-to-end encryption, '': none; rights: the token's claims
let local = null, screenMedia = null, publishing = null, sharing = null, playing = null;
const slots = new Map();   // mid -> { mid, kind, participant, stream, source, muted, track }
const people = new Map();  // name -> { name, streams }
const hands = new Set(), speaking = new Set(), pins = new Set();
const tiles = new Map();   // key -> element
let dominant = null, chat = null, events = null;
const wishes = new Wishes();

/** What people read of somebody: what they call themselves, or their token does; else the name in the URL. */
const calls = (id) => people.get(id)?.display || id.replaceAll('_', ' ');
/** Of what somebody publishes, what is to be seen or heard. */
const media = (person) => person?.streams.filter((s) => s.audio || s.video) ?? [];

// ---- lobby ----

function fault(text) {
  $('fault').hidden = !text;
  $('fault').textContent = text || '';
}

const trackOf = (kind) => local?.getTracks().find((t) => t.kind === kind);

function dropLocal() {
  local?.getTracks().forEach((t) => t.stop());
  local = null;
}

async function capture() {
  dropLocal();
  const wanted = Object.fromEntries(KINDS.filter(({ key }) => isPressed(`lobby-${key}`)).map(({ kind }) => [kind, constraintsOf(kind)]));
  fault('');
  const { tracks, errors } = await takeWhatThereIs(wanted);
  if (document.body.dataset.state === 'call') { // joined meanwhile, without them
    for (const track of tracks) await sendFirst(track);
    return;
  }
  if (tracks.length) local = new MediaStream(tracks);
  const failed = KINDS.filter(({ kind }) => errors[kind]);
  if (failed.length) fault(captureFault(errors[failed[0].kind], failed.length > 1 ? undefined : failed[0].what));
  for (const { kind, key } of KINDS) {
    if (!trackOf(kind)) press(`lobby-${key}`, false); // what cannot be had is off
  }
  local?.getTracks().forEach(mind);
  showPreview();
}

function showPreview(note = 'Camera is off') {
  $('preview-note').textContent = note;
  $('preview').srcObject = local;
  $('preview-note').hidden = Boolean(local?.getVideoTracks().length);
  showLevel(trackOf('audio'));
  listDevices().catch(() => {});
}

let deaf = null; // ends the level's display
function showLevel(track) {
  deaf?.();
  deaf = track ? listen(track, (v) => $('level').style.setProperty('--v', v.toFixed(2))) : null;
}

// ---- end-to-end encryption ----

const sealing = new Sealing((transceiver, state) => {
  const slot = slots.get(transceiver.mid);
  if (slot) slot.seal = state;
  draw();
});

function sealSender(transceiver, kind) {
  if (!me.key) return;
  sealing.send(transceiver, kind);
  prune(transceiver, kind, offered());
  if (kind === 'video') askForDescriptor(transceiver);
}

function adopt(key) {
  me.key = key;
  sealing.adopt(key);
}

function renewKey() {
  const key = makeKey();
  if (!tell({ key })) return;
  adopt(key);
  announce('The key is new: only links that are copied from now on open this room.');
}

const link = () => `${base}room.html#${me.room}${me.key ? `?key=${me.key}` : ''}`;

// ---- joining and leaving ----

const url = (kind, path) => `${base}${kind}/${path}`;

const offered = () => ({ many: SLOTS.video > 16, sealed: Boolean(me.key) });

/** What sessions that publish have in common. Sealed, nothing but the descriptor need be readable by the server, which is told so. */
const asPublisher = (name) => ({ url: `${url('whip', `${me.room}/${name}`)}?name=${encodeURIComponent(me.name)}${me.key && canAskForDescriptor ? '&e2ee=1' : ''}`, token: me.token, config: sealing.config(me.key) });

/** Camera and microphone. Whoever is here under this name already is not thrown out: see onPublishing. */
function publish() {
  publishing = new Session({
    ...asPublisher(me.id), onstate: onPublishing, headers: () => (me.settled ? {} : { 'If-None-Match': '*' }),
    prepare: (pc) => {
      for (const { kind } of KINDS) { // both, so that what is off can be switched on without another session
        const track = trackOf(kind);
        const t = pc.addTransceiver(track || kind, { direction: 'sendonly', streams: local ? [local] : [], ...(kind === 'video' ? { sendEncodings: CAMERA.map((e) => ({ ...e })) } : {}) });
        sealSender(t, kind);
        if (!track?.enabled) t.sender.replaceTrack(null); // nothing is sent while it is off, which the server tells the others
      }
    },
    onanswer: () => {
      me.settled = true;
      if (!playing) play();
    },
  });
  publishing.start();
}

function play() {
  playing = new Session({
    url: `${url('whep', me.room)}?as=${encodeURIComponent(me.id)}&name=${encodeURIComponent(me.name)}`, token: me.token, config: sealing.config(), onstate: onPlaying, onanswer,
    prepare: (pc) => {
      slots.clear();
      sealing.forget();
      for (const kind of ['audio', 'video']) {
        for (let i = 0; i < SLOTS[kind]; i++) {
          const t = pc.addTransceiver(kind, { direction: 'recvonly' });
          prune(t, kind, offered());
          sealing.receive(t, kind);
          if (kind === 'video') askForDescriptor(t);
        }
      }
      chat = pc.createDataChannel('chat');
      chat.onopen = () => tell({ hello: true, hand: hands.has(me.id) });
      pc.ondatachannel = ({ channel }) => {
        const sender = new URLSearchParams(channel.protocol).get('sender') || 'Somebody';
        let heard = Promise.resolve(); // in order, though each may take a moment to open
        channel.onmessage = ({ data }) => { heard = heard.then(() => hear(data, sender)); };
      };
    },
    ontrack: ({ track, transceiver }) => {
      const slot = slots.get(transceiver.mid) || { mid: transceiver.mid, kind: track.kind };
      slot.track = track;
      slots.set(transceiver.mid, slot);
      if (track.kind === 'audio') {
        const el = document.createElement('audio');
        el.autoplay = true;
        el.srcObject = new MediaStream([track]);
        hearWhereChosen(el);
        el.play?.().catch(() => {});
        slot.audio = el;
      }
      draw();
    },
  });
  playing.start();
}

/** Link headers of the session: where events come from, and where wishes go. */
function onanswer(response) {
  const links = linksOf(response), session = playing;
  events?.close();
  const source = links['urn:sluice:whep:events'];
  if (!source) return;
  events = new EventSource(source);
  const on = (name, handle) => events.addEventListener(name, ({ data }) => handle(JSON.parse(data)));
  on('participants', onPeople);
  on('slots', ({ slots: list }) => {
    for (const s of list) {
      const slot = slots.get(s.mid) || {};
      if (slot.stream !== s.stream) slot.seal = '';
      slots.set(s.mid, Object.assign(slot, { participant: null, stream: null, source: null, muted: false }, s));
    }
    draw();
  });
  on('speakers', (s) => {
    dominant = s.dominant;
    speaking.clear();
    s.speaking.forEach((x) => speaking.add(x.participant));
    draw();
  });
  on('stats', onStats);
  wishes.begin(links['urn:sluice:whep:wishes'], () => session.authorization());
  if (pins.size) wishPins();
}

const comings = new Comings((news) => { $('news').textContent = news; }); // for screen readers

function onPeople(e) {
  if (e.snapshot) people.clear();
  const came = e.snapshot ? [] : e.people.map((p) => p.name).filter((name) => !people.has(name) && name !== me.id);
  e.people.forEach((p) => people.set(p.name, p));
  const named = (names) => names.map((name) => [name, calls(name)]);
  comings.add(named(came), named((e.left || []).filter((name) => name !== me.id)));
  (e.left || []).forEach((name) => { people.delete(name); hands.delete(name); pins.forEach((p) => personOf(p) === name && pins.delete(p)); });
  obeyModerators(people.get(me.id)?.muted || []);
  $('locked').hidden = !e.locked;
  press('lock', Boolean(e.locked));
  $('heads').textContent = e.total;
  $('heads').hidden = e.total < 3; // two see each other
  $('count').textContent = e.anonymous ? `${e.total}, ${e.anonymous} without a name` : e.total;
  draw();
}

/** What a moderator has muted of this person cannot be switched on here. */
function obeyModerators(muted) {
  for (const [what, key] of [['microphone', 'mic'], ['camera', 'cam'], ['screen', 'screen']]) {
    const barred = muted.includes(what);
    if (barred !== $(key).disabled) announce(`A moderator has ${barred ? 'muted' : 'unmuted'} your ${what}.`);
    $(key).disabled = barred;
  }
}

/** How well each slot is carried: three bars, by what is lost and what the network bears. */
function onStats(s) {
  for (const t of s.tracks || []) {
    const slot = slots.get(t.mid);
    if (slot) slot.bars = t.fraction_lost > 0.08 ? 1 : t.fraction_lost > 0.02 || ['bandwidth', 'loss', 'too_little'].includes(t.reason) ? 2 : 3;
  }
  draw();
}

function status(text) { $('status').textContent = text; }

let announced = 0;
/** Says something for some seconds. */
function announce(text) {
  $('toast').textContent = text;
  clearTimeout(announced);
  announced = setTimeout(() => { $('toast').textContent = ''; }, 7000);
}

const now = { publishing: '', playing: '' }; // states
function tellState(which, state) {
  now[which] = state;
  const any = (s) => now.playing === s || now.publishing === s;
  status(any('reconnecting') ? 'reconnecting…' : any('connecting') ? 'connecting…' : '');
}

/** Not let in, or not any longer. */
function putOut({ message }) {
  leave('Camera is off');
  fault(message);
}

/** The same person in the same room in two tabs of one browser would hear themselves: the newest tab has the call. */
const tabs = new Tabs(() => putOut({ message: 'The call goes on in another tab of this browser.' }));

function onPublishing(state, error) {
  if (error?.status === 412) {
    rename();
  } else if (state === 'error') {
    putOut(error);
  } else tellState('publishing', state);
}

/** Somebody else is here under this name: for the server this is the second, the third of it. */
function rename() {
  me.id = `${me.plainId}-${++me.nth}`;
  publishing.stop();
  playing?.stop();
  playing = null;
  tabs.hold(me.room, me.name, me.id);
  publish();
}

function onPlaying(state, error) {
  if (state === 'error') {
    putOut(error);
    return;
  }
  if (state === 'reconnecting') {
    slots.forEach((s) => { s.track = s.bars = null; }); // their last pictures went with the connection
    speaking.clear();
    dominant = null;
    draw();
  }
  tellState('playing', state);
}

async function join() {
  me.room = $('room').value;
  me.name = clip($('name').value.trim());
  me.token = $('token').value;
  me.rights = claimsOf(me.token);
  me.id = me.plainId = me.rights.participant || slug(me.name) || `guest-${Math.random().toString(36).slice(2, 7)}`;
  const before = tabs.take(me.room, me.name);
  if (before && !me.rights.participant) me.id = before;
  me.settled = Boolean(me.rights.participant || before); // whoever has this name is this person
  tabs.hold(me.room, me.name, me.id);
  me.nth = 1;
  try { localStorage.setItem('sluice-name', me.name); } catch { /* private windows may refuse */ }
  if ($('seal').checked && !isKey(me.key)) me.key = makeKey();
  if (!$('seal').checked) me.key = '';
  sealing.start(me.key);
  $('sealed').hidden = $('renew').hidden = !me.key;
  $('lock').hidden = !me.rights.moderate;
  showLevel(null);
  fault('');
  keepChoice();
  stayAwake(true);
  history.replaceState(null, '', `#${me.room}`);
  $('where').textContent = me.room;
  document.title = `${me.room} · Sluice`;
  document.body.dataset.state = 'call';
  $('lobby').hidden = true;
  $('call').hidden = false;
  press('mic', Boolean(local?.getAudioTracks().length));
  press('cam', Boolean(local?.getVideoTracks().length));
  $('call-devices').append($('devices'));
  minded();
  if (local) publish(); // which plays when it knows its name
  else play();
  draw();
  $('mic').focus();
}

/** note: what the lobby says then. */
function leave(note = 'You have left') {
  tell({ bye: true });
  tabs.drop();
  stayAwake(false);
  land();
  comings.forget();
  [publishing, sharing, playing].forEach((s) => s?.stop());
  publishing = sharing = playing = null;
  events?.close();
  screenMedia?.getTracks().forEach((t) => t.stop());
  screenMedia = null;
  dropLocal(); // nobody who has left is filmed
  minded();
  [slots, people, hands, speaking, pins].forEach((c) => c.clear());
  tiles.forEach((t) => t.remove());
  tiles.clear();
  forgetChat();
  for (const id of ['hand', 'screen', 'lobby-mic', 'lobby-cam']) press(id, false);
  for (const id of ['mic', 'cam', 'screen']) $(id).disabled = false;
  document.body.dataset.state = 'lobby';
  if (document.body.dataset.panel) panel(document.body.dataset.panel);
  $('pair').append($('devices'));
  $('lobby').hidden = false;
  $('call').hidden = true;
  showPreview(note);
  $('join').textContent = 'Join again';
  $('join').focus();
}

// ---- tiles ----

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

let drawing = false, canvas = window; // canvas: the window that the tiles are in
/** Once a frame, however much has changed. */
function draw() {
  if (drawing || document.body.dataset.state !== 'call') return;
  drawing = true;
  canvas.requestAnimationFrame(() => {
    drawing = false;
    if (document.body.dataset.state === 'call') render();
  });
}

function voiceMuted(name) {
  const p = people.get(name), voice = p?.streams.find((s) => s.source === 'camera' && s.audio);
  return !voice || voice.audio.muted;
}

function render() {
  const shown = new Map();
  for (const s of slots.values()) {
    if (s.kind !== 'video' || !s.participant || s.off) continue;
    const screen = s.source === 'screen', label = screen ? `${calls(s.participant)}'s screen` : calls(s.participant);
    shown.set(`slot ${s.stream}`, { name: s.participant, pin: s.stream, label, stream: s.track, picture: !s.muted && s.track, muted: !screen && voiceMuted(s.participant), screen, slot: s,
      bars: s.track && (s.bars || 3), // what is not carried has no quality
      plain: me.key && s.seal === 'clear', shut: s.seal === 'shut' && (me.key ? `${label} uses another key: ask for the newest link` : `${label} is encrypted: open the link that has the key`) });
  }
  // Those who are here and heard, but have no picture: as many as there is room for.
  for (const p of people.values()) {
    if (shown.size >= SLOTS.video) break;
    if (p.name !== me.id && media(p).length && ![...shown.values()].some((x) => x.name === p.name)) shown.set(`face ${p.name}`, { name: p.name, pin: p.name, label: calls(p.name), picture: false, muted: voiceMuted(p.name) });
  }
  const mine = trackOf('video'), barred = people.get(me.id)?.muted || [];
  shown.set('self', { name: me.id, label: 'You', stream: mine, picture: mine?.enabled && !barred.includes('camera'), muted: !trackOf('audio')?.enabled || barred.includes('microphone'), self: true });
  if (screenMedia) shown.set('self screen', { name: me.id, label: 'Your screen', stream: screenMedia.getVideoTracks()[0], picture: true, screen: true, self: true });
  for (const [key, el] of tiles) {
    if (shown.has(key)) continue;
    el.remove();
    tiles.delete(key);
  }
  for (const [key, about] of shown) {
    const { name, screen, self } = about;
    fillTile(tileFor(key, name), { ...about, called: self ? me.name : calls(name), speaking: speaking.has(name) && !screen, hand: hands.has(name), pinned: pins.has(about.pin) });
  }
  $('alone').hidden = [...people.keys()].some((n) => n !== me.id) || shown.size > 1;
  arrange(shown);
  listPeople();
}

/** A shared screen is shown whole, in the shape that it has. */
function shapeOf([key, about]) {
  const video = about.screen && tiles.get(key).querySelector('video');
  return video?.videoHeight ? video.videoWidth / video.videoHeight : 0;
}

/** Who is shown large, if anybody: what was pinned last, a screen, and in the speaker view who has the word. */
function largest(entries) {
  const first = (test) => entries.find(([, a]) => !a.self && test(a)), pinned = [...pins].reverse().map((p) => first((a) => a.pin === p)).find(Boolean);
  return pinned || first((a) => a.screen) || (document.body.dataset.layout === 'speaker' && (first((a) => a.name === dominant) || first(() => true))) || null;
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

let unseen = false;
const wishSizes = () => wishes.sizes(() => [...slots.values()], unseen);
const wishPins = () => wishes.send({ pin: [...pins].reverse() }); // the newest is wanted most

/** The participant of a stream. */
const personOf = (stream) => stream.split('~')[0];

/** stream: one's name, or that of a shared screen. */
function pin(stream) {
  if (!stream || personOf(stream) === me.id) return;
  if (!pins.delete(stream)) pins.add(stream);
  wishPins();
  draw();
}

function aboutPerson(name) {
  const self = name === me.id, person = self ? { streams: local ? [{ audio: {} }] : [] } : people.get(name), streams = media(person);
  return [hands.has(name) && 'hand up',
    speaking.has(name) ? 'speaking' : streams.length && (self ? !isPressed('mic') : voiceMuted(name)) && 'muted',
    !streams.length && (person?.streams.length ? 'data only' : 'watching'),
    !self && streams.some((s) => s.source === 'screen') && 'sharing'].filter(Boolean).join(' · ');
}

/** What those with the right to it may do to the room and to others. path: within the room. */
async function moderate(path, body) {
  const answer = await fetch(url('moderate', `${me.room}/${path}`), { method: 'POST', headers: { 'Content-Type': 'application/json', ...playing.authorization() }, body: JSON.stringify(body) }).catch(() => null);
  if (!answer?.ok) announce(`That did not work${answer ? `: ${(await answer.json().catch(() => ({}))).detail || answer.status}` : '.'}`);
}

function moderatorKeys(name) {
  const verb = people.get(name)?.muted?.includes('microphone') ? 'unmute' : 'mute';
  return [{ text: verb === 'mute' ? 'Mute' : 'Unmute', run: () => moderate(`${name}/${verb}`, { microphone: true }) }, { text: 'Remove', run: () => moderate(`${name}/remove`, {}) }];
}

function listPeople() {
  if (document.body.dataset.panel !== 'people') return;
  const others = [...people.keys()].filter((n) => n !== me.id).sort((a, b) => hands.has(b) - hands.has(a) || calls(a).localeCompare(calls(b))); // hands first
  showPeople($('people'), [{ id: me.id, called: me.name, label: `${me.name} (you)`, about: aboutPerson(me.id), keys: [] },
    ...others.map((id) => ({ id, called: calls(id), label: calls(id), about: aboutPerson(id), keys: me.rights.moderate ? moderatorKeys(id) : [] }))]);
}

// ---- chat, hands ----

let telling = Promise.resolve();
function tell(message) {
  if (chat?.readyState !== 'open') return false;
  const channel = chat, text = JSON.stringify({ ...message, from: me.id });
  const { ring } = sealing;
  if (ring) telling = telling.then(() => ring.sealText(text)).then((sealed) => channel.send(JSON.stringify({ sealed }))).catch(() => {}); // it may have closed meanwhile
  else channel.send(text);
  return true;
}

async function hear(data, sender) {
  let m, sealed = false;
  try {
    m = JSON.parse(data);
    sealed = typeof m?.sealed === 'string';
    if (sealed) m = JSON.parse(await sealing.ring.openText(m.sealed));
  } catch {
    if (sealed) read(calls(sender), 'An encrypted message that this page has no key for.');
    return;
  }
  if (typeof m?.from !== 'string') return;
  if (sealed && isKey(m.key ?? '')) {
    adopt(m.key);
    announce(`${calls(m.from)} has made a new key: only links that are copied from now on open this room.`);
  }
  if (typeof m.text === 'string') read(calls(m.from), m.text.slice(0, 2000));
  if (m.hand === true && !hands.has(m.from)) {
    hands.add(m.from);
    announce(`${calls(m.from)} has raised a hand.`);
  }
  if (m.hand === false || m.bye) hands.delete(m.from);
  if (m.hello && hands.has(me.id)) tell({ hand: true }); // whoever comes late sees it, too
  draw();
}

/** A message of somebody else's: where the chat is not open, its beginning is shown for a moment. */
function read(name, text) {
  const open = document.body.dataset.panel === 'chat';
  say(name, text, { read: open });
  if (!open) announce(`${name}: ${text.length > 90 ? `${text.slice(0, 88)}…` : text}`);
}

// ---- controls ----

const press = (id, on) => $(id).setAttribute('aria-pressed', String(on));
const isPressed = (id) => $(id).getAttribute('aria-pressed') === 'true';

const senderOf = (kind) => publishing?.pc?.getTransceivers().find((t) => t.receiver.track.kind === kind)?.sender;

/** Sends a track in the place of what was sent of its kind, null for nothing. The server tells the others what does not flow. */
async function send(kind, track) {
  const others = (local?.getTracks() || []).filter((t) => t.kind !== kind);
  const old = trackOf(kind);
  if (old !== track) old?.stop();
  local = track || others.length ? new MediaStream([...others, ...(track ? [track] : [])]) : null;
  const sender = senderOf(kind);
  minded();
  if (sender) await sender.replaceTrack(track);
  else if (track && !publishing) publish(); // the first that this page sends
  draw();
}

/** Fetches the chosen device and sends it. Returns false, and says why, when it is not to be had. */
async function fetchAndSend(kind) {
  const { tracks: [track], errors } = await takeWhatThereIs({ [kind]: constraintsOf(kind) });
  if (!track) {
    announce(captureFault(errors[kind], KINDS.find((k) => k.kind === kind).what));
    return false;
  }
  await sendFirst(track);
  return true;
}

/** Sends a track that has just been had. */
async function sendFirst(track) {
  mind(track);
  await send(track.kind, track);
  press(KINDS.find((k) => k.kind === track.kind).key, true);
}

let unheard = null; // ends what listens to a microphone that is off
/** Who talks while the microphone is off is told so: once more has anything changed about it. */
function minded() {
  unheard?.();
  unheard = null;
  const track = trackOf('audio');
  if (document.body.dataset.state !== 'call' || !track || track.enabled || track.readyState !== 'live') return;
  unheard = listenWhileMuted(track, () => !$('mic').disabled && announce('You are talking, but your microphone is off. Press m, or its button.'));
}

/** What nobody looks at is not paid for. */
watchEyes((seen) => {
  unseen = !seen && canvas === window;
  wishSizes();
});

/** The pictures on top of other windows, or back in this one. */
async function floatTiles() {
  await float(stage, (where) => {
    canvas = where;
    drawing = false; // what the other window was asked to draw may never come
    $('floating').hidden = where === window;
    $('float').setAttribute('aria-pressed', String(where !== window));
    draw();
  }).catch(() => announce('This browser does not open a small window now.'));
}

/** A device that is unplugged ends its track: another one takes its place, if there is one. A microphone may be dead without that. */
function mind(track) {
  const { kind, what, key } = KINDS.find((k) => k.kind === track.kind);
  track.addEventListener('mute', () => kind === 'audio' && trackOf(kind) === track && track.enabled && announce('Your microphone gives no sound: its own switch or the system has muted it.'));
  track.addEventListener('ended', async () => {
    if (trackOf(kind) !== track) return;
    if (document.body.dataset.state !== 'call') {
      capture();
      return;
    }
    const on = await navigator.mediaDevices.getUserMedia({ [kind]: true }).then(async (fresh) => {
      const [other] = fresh.getTracks();
      mind(other);
      other.enabled = track.enabled;
      await send(kind, other);
      announce(`Your ${what} is gone. Now in use: ${other.label}.`);
      return track.enabled;
    }, async () => {
      await send(kind, null);
      announce(`Your ${what} is gone.`);
      return false;
    });
    press(key, on);
    listDevices().catch(() => {});
    draw();
  });
}

/** A microphone that is off is kept, so that on is instant; a camera is let go, so that its light is off. */
async function toggle(id, kind) {
  const track = trackOf(kind), on = !isPressed(id);
  if (on && !track) {
    if (!await fetchAndSend(kind)) return;
  } else if (kind === 'video') {
    await send(kind, null);
  } else {
    track.enabled = on;
    await senderOf(kind)?.replaceTrack(on ? track : null);
  }
  press(id, on);
  minded();
  draw();
}

/** Another device has been chosen, in the lobby or during the call. */
function onDevice(kind) {
  keepChoice();
  if (document.body.dataset.state !== 'call') capture();
  else if (isPressed(kind === 'audio' ? 'mic' : 'cam')) fetchAndSend(kind);
  else if (kind === 'audio' && trackOf('audio')) send('audio', null); // fetched when it is switched on
}

async function share() {
  if (sharing) {
    sharing.stop();
    sharing = null;
    screenMedia?.getTracks().forEach((t) => t.stop());
    screenMedia = null;
    press('screen', false);
    draw();
    return;
  }
  let media;
  try {
    media = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: true });
  } catch { return; } // thought better of it
  screenMedia = media;
  const [picture] = media.getVideoTracks();
  picture.contentHint = 'detail';
  picture.addEventListener('ended', () => sharing && screenMedia === media && share()); // by the browser's own bar
  sharing = new Session({
    ...asPublisher(`${me.id}~screen`), onstate: (state, error) => state === 'error' && (status(error.message), share()),
    prepare: (pc) => media.getTracks().forEach((t) => sealSender(pc.addTransceiver(t, { direction: 'sendonly', streams: [media], ...(t.kind === 'video' ? { sendEncodings: [{ maxBitrate: 2_500_000 }] } : {}) }), t.kind)),
  });
  sharing.start();
  press('screen', true);
  draw();
}

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

const actions = {
  mic: () => toggle('mic', 'audio'), cam: () => toggle('cam', 'video'), screen: share,
  hand: () => {
    const up = !isPressed('hand');
    press('hand', up);
    hands[up ? 'add' : 'delete'](me.id);
    tell({ hand: up });
    draw();
  },
  layout: () => {
    const on = !isPressed('layout');
    press('layout', on);
    document.body.dataset.layout = on ? 'speaker' : 'grid';
    draw();
  },
  'show-people': () => panel('people'), 'show-chat': () => panel('chat'), 'show-settings': () => panel('settings'), full: () => fullScreen(), float: floatTiles, leave: () => leave(),
};
$('renew').addEventListener('click', renewKey);
$('lock').addEventListener('click', () => moderate(isPressed('lock') ? 'unlock' : 'lock', {}));
for (const [id, run] of Object.entries(actions)) $(id).addEventListener('click', run);
const KEYS = { m: 'mic', v: 'cam', s: 'screen', h: 'hand', l: 'layout', p: 'show-people', c: 'show-chat', f: 'full', '?': 'show-settings' };
addEventListener('keydown', (ev) => {
  if (document.body.dataset.state !== 'call' || ev.ctrlKey || ev.metaKey || ev.altKey) return;
  if (ev.key === 'Escape' && document.body.dataset.panel) panel(document.body.dataset.panel);
  else if (KEYS[ev.key] && !ev.target.closest('input, textarea, select')) {
    ev.preventDefault();
    actions[KEYS[ev.key]]();
  }
});
for (const id of ['lobby-mic', 'lobby-cam']) $(id).addEventListener('click', () => { press(id, !isPressed(id)); capture(); });
for (const { kind, what } of KINDS) $(what).addEventListener('change', () => onDevice(kind));
$('speaker').addEventListener('change', () => {
  keepChoice();
  slots.forEach((s) => s.audio && hearWhereChosen(s.audio));
});
navigator.mediaDevices?.addEventListener('devicechange', () => listDevices().catch(() => {}));
$('door').addEventListener('submit', (ev) => { ev.preventDefault(); join(); });
$('say').addEventListener('submit', (ev) => {
  ev.preventDefault();
  const text = $('text').value.trim();
  if (text && tell({ text })) {
    say('You', text, { mine: true, read: true });
    $('text').value = '';
  }
});
document.querySelectorAll('.invite').forEach((button) => button.addEventListener('click', () => copyLink(button, link())));
document.querySelectorAll('.close').forEach((button) => button.addEventListener('click', () => panel(document.body.dataset.panel)));
document.querySelector('.keys').addEventListener('keydown', (ev) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[ev.key], keys = [...document.querySelectorAll('.keys .key')].filter((k) => k.offsetWidth);
  if (step) keys[(keys.indexOf(document.activeElement) + step + keys.length) % keys.length].focus();
});
const endpoint = () => { $('endpoint').textContent = `${base}whip/${$('room').value || 'ROOM'}/NAME`; };
$('room').addEventListener('input', endpoint);
new ResizeObserver(draw).observe(stage);
document.addEventListener('fullscreenchange', draw);
new ResizeObserver(() => $('chat').lastElementChild?.scrollIntoView({ block: 'nearest' })).observe($('chat').parentElement); // a phone is turned, its keyboard comes
addEventListener('pagehide', () => {
  tabs.drop();
  [publishing, sharing, playing].forEach((s) => s?.stop());
});
addEventListener('pageshow', (ev) => ev.persisted && document.body.dataset.state === 'call' && location.reload()); // come back to by the browser's arrow

const { name: room, given } = takeFragment();
$('room').value = room || 'lounge';
$('token').value = given.get('token') || '';
const { name: named } = claimsOf($('token').value); // who the link was made for
me.key = isKey(given.get('key') || '') ? given.get('key') : '';
$('seal').checked = Boolean(me.key);
if (!canSeal) {
  const what = me.key ? 'This room is encrypted end to end' : 'Encryption', remedy = canTransform ? 'needs a page by https, or on localhost' : 'needs a newer browser';
  $('seal').disabled = true;
  $('seal').checked = false;
  $('seal-note').textContent = me.key ? `${what}, which ${remedy}.` : `${what} ${remedy}.`;
  me.key = '';
}
try { $('name').value = given.get('name') || named || localStorage.getItem('sluice-name') || ''; } catch { /* as above */ }
endpoint();
restoreChoice();
$('screen').hidden = !navigator.mediaDevices?.getDisplayMedia; // phones have none
$('full').hidden = !document.fullscreenEnabled;
$('float').hidden = !canFloat;
capture();
window.room = { me, slots, people, speaking, hands, tiles, get playing() { return playing; }, get publishing() { return publishing; }, get local() { return local; }, get screen() { return screenMedia; } }; // for the console, and for tests
