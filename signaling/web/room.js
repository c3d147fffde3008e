// SPDX-License-Identifier: Apache-2.0
// room.js - a conference over plain WHIP and WHEP: this page publishes under /whip/ROOM/NAME and plays /whep/ROOM, whose sections are slots that the
// server fills. Who is where comes by server-sent events, what is wanted goes by POST (README, "Rooms"); chat travels by a data channel.
import { askForDescriptor, base, canAskForDescriptor, linksOf, Session, takeFragment } from './client.js';
import { grid, speaker } from './layout.js';
import { captureFault, claimsOf, clip, hue, initials, linked, listen, slug } from './people.js';
import { isKey, makeKey } from './seal.js';
import { canSeal, canTransform, Sealing } from './sealing.js';

const $ = (id) => document.getElementById(id);
const SLOTS = { audio: 3, video: Math.min(48, Math.max(1, Number(new URLSearchParams(location.search).get('tiles')) || 9)) };
const CAMERA = [{ rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 120_000 }, { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 400_000 }, { rid: 'f', maxBitrate: 1_500_000 }];

const me = { name: '', id: '', room: '', token: '', key: '', rights: {} }; // id: the name in URLs; key: of the end-to-end encryption, '': none; rights: the token's claims
let local = null, screenMedia = null, publishing = null, sharing = null, playing = null;
const slots = new Map();   // mid -> { mid, kind, participant, stream, source, muted, track }
const people = new Map();  // name -> { name, streams }
const hands = new Set(), speaking = new Set(), pins = new Set();
const tiles = new Map();   // key -> element
let dominant = null, chat = null, unread = 0, links = {}, events = null;

/** What people read of somebody: what they call themselves, or their token does; else the name in the URL. */
const calls = (id) => people.get(id)?.display || id.replaceAll('_', ' ');
/** Of what somebody publishes, what is to be seen or heard. */
const media = (person) => person?.streams.filter((s) => s.audio || s.video) ?? [];

// ---- lobby ----

function fault(text) {
  $('fault').hidden = !text;
  $('fault').textContent = text || '';
}

const KINDS = [{ kind: 'audio', what: 'microphone', key: 'mic' }, { kind: 'video', what: 'camera', key: 'cam' }];
const trackOf = (kind) => local?.getTracks().find((t) => t.kind === kind);

/** What is asked of getUserMedia: the device that is chosen. */
function constraintsOf(kind) {
  const id = $(kind === 'audio' ? 'microphone' : 'camera').value;
  const more = kind === 'audio' ? { echoCancellation: true, noiseSuppression: true } : { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  return { ...(id ? { deviceId: { exact: id } } : {}), ...more };
}

function dropLocal() {
  local?.getTracks().forEach((t) => t.stop());
  local = null;
}

async function capture() {
  dropLocal();
  const wanted = Object.fromEntries(KINDS.filter(({ key }) => isPressed(`lobby-${key}`)).map(({ kind }) => [kind, constraintsOf(kind)]));
  fault('');
  try {
    if (wanted.audio || wanted.video) local = await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    fault(captureFault(error));
  }
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

async function listDevices() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  for (const [id, kind] of [['camera', 'videoinput'], ['microphone', 'audioinput']]) {
    const chosen = $(id).value;
    $(id).replaceChildren(new Option('Default', ''), ...devices.filter((d) => d.kind === kind && d.deviceId && d.deviceId !== 'default').map((d) => new Option(d.label || 'Unnamed', d.deviceId)));
    $(id).value = [...$(id).options].some((o) => o.value === chosen) ? chosen : '';
  }
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
  prune(transceiver, kind);
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

/** The profile of a codec that everybody has. */
const usual = ({ mimeType, sdpFmtpLine: fmtp = '' }) => !/profile(-id)?=[1-9]/.test(fmtp) && (!/H264/i.test(mimeType) || /packetization-mode=1;profile-level-id=42e01f/.test(fmtp));

/** H.264 of which each NAL unit must fit a packet: sealed, a frame is one. */
const isSmallNal = ({ mimeType, sdpFmtpLine: fmtp = '' }) => /H264/i.test(mimeType) && !/packetization-mode=1/.test(fmtp);

/** Fewer codecs keep the offer of many slots small; of very many, one profile each. */
function prune(transceiver, kind, keep = kind === 'video' ? /\/(VP8|H264|VP9|AV1|rtx)$/i : /\/opus$/i) {
  const codecs = RTCRtpReceiver.getCapabilities(kind).codecs.filter((c) => keep.test(c.mimeType) && (SLOTS.video <= 16 || usual(c)) && !(me.key && isSmallNal(c)));
  if (codecs.length) transceiver.setCodecPreferences?.(codecs);
}

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
          prune(t, kind);
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
  links = linksOf(response);
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
  wished = '';
  if (pins.size) wish();
}

function onPeople(e) {
  if (e.snapshot) people.clear();
  const came = e.snapshot ? [] : e.people.filter((p) => !people.has(p.name) && p.name !== me.id).map((p) => p.name);
  e.people.forEach((p) => people.set(p.name, p));
  const gone = (e.left || []).map(calls);
  (e.left || []).forEach((name) => { people.delete(name); hands.delete(name); pins.delete(name); });
  const news = [came.length && `${came.map(calls).join(', ')} came in.`, gone.length && `${gone.join(', ')} left.`].filter(Boolean);
  if (news.length) $('news').textContent = news.join(' ');
  obeyModerators(people.get(me.id)?.muted || []);
  $('locked').hidden = !e.locked;
  press('lock', Boolean(e.locked));
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
function putOut(error) {
  leave('Camera is off');
  fault(error.message);
}

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
  me.settled = Boolean(me.rights.participant); // whoever has this name is this person
  me.nth = 1;
  try { localStorage.setItem('sluice-name', me.name); } catch { /* private windows may refuse */ }
  if ($('seal').checked && !isKey(me.key)) me.key = makeKey();
  if (!$('seal').checked) me.key = '';
  sealing.start(me.key);
  $('sealed').hidden = $('renew').hidden = !me.key;
  $('lock').hidden = !me.rights.moderate;
  showLevel(null);
  fault('');
  history.replaceState(null, '', `#${me.room}`);
  $('where').textContent = me.room;
  document.title = `${me.room} · Sluice`;
  document.body.dataset.state = 'call';
  $('lobby').hidden = true;
  $('call').hidden = false;
  press('mic', Boolean(local?.getAudioTracks().length));
  press('cam', Boolean(local?.getVideoTracks().length));
  $('call-devices').append($('devices'));
  if (local) publish(); // which plays when it knows its name
  else play();
  draw();
  $('mic').focus();
}

/** note: what the lobby says then. */
function leave(note = 'You have left') {
  tell({ bye: true });
  [publishing, sharing, playing].forEach((s) => s?.stop());
  publishing = sharing = playing = null;
  events?.close();
  screenMedia?.getTracks().forEach((t) => t.stop());
  screenMedia = null;
  dropLocal(); // nobody who has left is filmed
  [slots, people, hands, speaking, pins].forEach((c) => c.clear());
  tiles.forEach((t) => t.remove());
  tiles.clear();
  $('chat').replaceChildren();
  lastSaid = { name: '', at: 0 };
  unread = 0;
  $('unread').hidden = true;
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

function tileFor(key, name) {
  let el = tiles.get(key);
  if (el) return el;
  el = $('tile').content.firstElementChild.cloneNode(true);
  el.dataset.name = name;
  el.style.setProperty('--hue', hue(name));
  el.querySelector('.pin').addEventListener('click', () => pin(name));
  el.querySelector('video').addEventListener('resize', draw);
  tiles.set(key, el);
  $('tiles').append(el);
  return el;
}

/** The face is there until the first frame is: a tile is never dark. */
function show(el, video, stream) {
  if (el.shown === stream) return;
  el.shown = stream;
  const bare = () => el.shown === stream && el.classList.toggle('no-picture', !stream || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA);
  video.onloadeddata = bare;
  bare();
}

function fill(el, { name, label, stream, muted, picture, screen, self, bars, seal, slot }) {
  const video = el.querySelector('video');
  if (video.srcObject?.getVideoTracks()[0] !== stream) {
    video.srcObject = stream ? new MediaStream([stream]) : null;
    if (stream) video.play?.().catch(() => {});
  }
  show(el, video, picture ? stream : null);
  el.classList.toggle('screen', Boolean(screen));
  el.classList.toggle('self', Boolean(self));
  el.classList.toggle('speaking', speaking.has(name) && !screen);
  el.querySelector('b').textContent = label;
  el.querySelector('.face').textContent = initials(self ? me.name : calls(name));
  el.querySelector('.mute').hidden = !muted;
  el.querySelector('.plain').hidden = !(me.key && seal === 'clear');
  const shut = el.querySelector('.shut');
  shut.hidden = seal !== 'shut';
  if (seal === 'shut') shut.lastElementChild.textContent = me.key ? `${label} uses another key: ask for the newest link` : `${label} is encrypted: open the link that has the key`;
  el.querySelector('.raised').hidden = !hands.has(name);
  const button = el.querySelector('.pin'), net = el.querySelector('.net');
  button.setAttribute('aria-pressed', String(pins.has(name)));
  button.querySelector('span').textContent = pins.has(name) ? `Unpin ${label}` : `Pin ${label}`;
  button.disabled = Boolean(self);
  net.hidden = !slot?.track; // what is not carried has no quality
  net.dataset.bars = bars || 3;
  net.setAttribute('aria-label', ['', 'Connection poor', 'Connection fair', 'Connection good'][bars || 3]);
}

let drawing = false;
/** Once a frame, however much has changed. */
function draw() {
  if (drawing || document.body.dataset.state !== 'call') return;
  drawing = true;
  requestAnimationFrame(() => {
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
    const screen = s.source === 'screen';
    shown.set(`slot ${s.stream}`, { name: s.participant, label: screen ? `${calls(s.participant)}'s screen` : calls(s.participant), stream: s.track, picture: !s.muted && s.track, muted: !screen && voiceMuted(s.participant), screen, bars: s.bars, seal: s.seal, slot: s });
  }
  // Those who are here and heard, but have no picture: as many as there is room for.
  for (const p of people.values()) {
    if (shown.size >= SLOTS.video) break;
    if (p.name !== me.id && media(p).length && ![...shown.values()].some((x) => x.name === p.name)) shown.set(`face ${p.name}`, { name: p.name, label: calls(p.name), picture: false, muted: voiceMuted(p.name) });
  }
  const mine = trackOf('video'), barred = people.get(me.id)?.muted || [];
  shown.set('self', { name: me.id, label: 'You', stream: mine, picture: mine?.enabled && !barred.includes('camera'), muted: !trackOf('audio')?.enabled || barred.includes('microphone'), self: true });
  if (screenMedia) shown.set('self screen', { name: me.id, label: 'Your screen', stream: screenMedia.getVideoTracks()[0], picture: true, screen: true, self: true });
  for (const [key, el] of tiles) {
    if (shown.has(key)) continue;
    el.remove();
    tiles.delete(key);
  }
  for (const [key, about] of shown) fill(tileFor(key, about.name), about);
  $('alone').hidden = [...people.keys()].some((n) => n !== me.id) || shown.size > 1;
  arrange(shown);
  listPeople();
}

/** A shared screen is shown whole, in the shape that it has. */
function shapeOf([key, about]) {
  const video = about.screen && tiles.get(key).querySelector('video');
  return video?.videoHeight ? video.videoWidth / video.videoHeight : 0;
}

function arrange(shown) {
  const box = $('tiles').getBoundingClientRect(), entries = [...shown];
  const big = document.body.dataset.layout === 'speaker' || entries.some(([, a]) => a.screen && !a.self)
    ? entries.find(([, a]) => a.screen && !a.self) || entries.find(([, a]) => pins.has(a.name) && !a.self) || entries.find(([, a]) => a.name === dominant && !a.self) || entries.find(([, a]) => !a.self) : null;
  const sizes = big && entries.length > 1 ? speaker(entries.length, box.width, box.height, shapeOf(big)) : null, even = grid(entries.length, box.width, box.height);
  let left = sizes?.room ?? Infinity;
  for (const [key, about] of entries) {
    const el = tiles.get(key), large = sizes && key === big[0];
    el.hidden = Boolean(sizes) && !large && left-- <= 0;
    el.classList.toggle('large', Boolean(large));
    const size = !sizes ? even : large ? sizes.big : sizes.small;
    el.style.setProperty('--w', `${size.w}px`);
    el.style.setProperty('--h', `${size.h}px`);
    el.style.order = large ? -1 : about.self ? 1 : 0;
    if (about.slot) about.slot.size = el.hidden ? null : size;
  }
  wishSizes();
}

let wished = '', wishTimer = null;
/** Tells the server how large each slot is shown, so that nobody pays for pixels that are not seen. */
function wishSizes() {
  clearTimeout(wishTimer);
  wishTimer = setTimeout(() => {
    const ratio = devicePixelRatio || 1;
    const list = [...slots.values()].filter((s) => s.kind === 'video' && s.participant && s.size).map((s) => ({ mid: s.mid, layer: { maxWidth: Math.round(s.size.w * ratio), maxHeight: Math.round(s.size.h * ratio) } }));
    const text = JSON.stringify(list);
    if (text === wished || !list.length) return;
    wished = text;
    wish({ slots: list });
  }, 300);
}

function wish(what = { pin: [...pins] }) {
  const to = links['urn:sluice:whep:wishes'];
  if (!to) return;
  fetch(to, { method: 'POST', headers: { 'Content-Type': 'application/json', ...playing.authorization() }, body: JSON.stringify(what) }).catch(() => { wished = ''; });
}

function pin(name) {
  if (name === me.id) return;
  if (!pins.delete(name)) pins.add(name);
  wish();
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
  const key = (text, verb, body) => {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'ghost', textContent: text });
    button.setAttribute('aria-label', `${text} ${calls(name)}`);
    button.addEventListener('click', () => moderate(`${name}/${verb}`, body));
    return button;
  };
  const muted = people.get(name)?.muted?.includes('microphone');
  return [key(muted ? 'Unmute' : 'Mute', muted ? 'unmute' : 'mute', { microphone: true }), key('Remove', 'remove', {})];
}

let listed = '';
function listPeople() {
  if (document.body.dataset.panel !== 'people') return;
  const names = [me.id, ...[...people.keys()].filter((n) => n !== me.id).sort((a, b) => calls(a).localeCompare(calls(b)))];
  const rows = names.map((name) => ({ name, label: name === me.id ? `${me.name} (you)` : calls(name), about: aboutPerson(name), muted: people.get(name)?.muted }));
  if (JSON.stringify(rows) === listed && $('people').children.length) return; // whoever is about to press a key keeps it
  listed = JSON.stringify(rows);
  $('people').replaceChildren(...rows.map(({ name, label, about }) => {
    const [li, face, b, i] = ['li', 's', 'b', 'i'].map((tag) => document.createElement(tag));
    face.textContent = initials(name === me.id ? me.name : calls(name));
    face.style.setProperty('--hue', hue(name));
    face.setAttribute('aria-hidden', 'true');
    b.textContent = label;
    b.dir = 'auto';
    i.textContent = about;
    li.append(face, b, i, ...(me.rights.moderate && name !== me.id ? moderatorKeys(name) : []));
    return li;
  }));
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
    if (sealed) say(calls(sender), 'An encrypted message that this page has no key for.');
    return;
  }
  if (typeof m?.from !== 'string') return;
  if (sealed && isKey(m.key ?? '')) {
    adopt(m.key);
    announce(`${calls(m.from)} has made a new key: only links that are copied from now on open this room.`);
  }
  if (typeof m.text === 'string') say(calls(m.from), m.text.slice(0, 2000));
  if (m.hand === true) hands.add(m.from);
  if (m.hand === false || m.bye) hands.delete(m.from);
  if (m.hello && hands.has(me.id)) tell({ hand: true }); // whoever comes late sees it, too
  draw();
}

let lastSaid = { name: '', at: 0 };
function say(name, text, mine = false) {
  const li = document.createElement('li'), b = document.createElement('b'), time = document.createElement('time'), now = new Date();
  const more = lastSaid.name === name && now - lastSaid.at < 120_000; // the same person goes on
  lastSaid = { name, at: now };
  time.textContent = now.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  b.append(name, time);
  li.append(...(more ? [] : [b]), ...linked(text));
  li.classList.toggle('more', more);
  li.classList.toggle('mine', mine);
  $('chat').append(li);
  while ($('chat').children.length > 500) $('chat').firstChild.remove();
  li.scrollIntoView({ block: 'nearest' });
  if (!mine && document.body.dataset.panel !== 'chat') unread++;
  $('unread').hidden = !unread;
  $('unread').textContent = unread;
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
  if (sender) await sender.replaceTrack(track);
  else if (track && !publishing) publish(); // the first that this page sends
  draw();
}

/** Fetches the chosen device and sends it. Returns false, and says why, when it is not to be had. */
async function fetchAndSend(kind, constraints = constraintsOf(kind)) {
  try {
    const [track] = (await navigator.mediaDevices.getUserMedia({ [kind]: constraints })).getTracks();
    mind(track);
    await send(kind, track);
    return true;
  } catch (error) {
    announce(captureFault(error));
    return false;
  }
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
  draw();
}

/** Another device has been chosen, in the lobby or during the call. */
function onDevice(kind) {
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
  for (const p of ['people', 'chat']) {
    $(`panel-${p}`).hidden = now !== p;
    $(`show-${p}`).setAttribute('aria-expanded', String(now === p));
  }
  if (now === 'chat') {
    unread = 0;
    $('unread').hidden = true;
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
  'show-people': () => panel('people'), 'show-chat': () => panel('chat'), leave: () => leave(),
};
$('renew').addEventListener('click', renewKey);
$('lock').addEventListener('click', () => moderate(isPressed('lock') ? 'unlock' : 'lock', {}));
for (const [id, run] of Object.entries(actions)) $(id).addEventListener('click', run);
const KEYS = { m: 'mic', v: 'cam', s: 'screen', h: 'hand', l: 'layout', p: 'show-people', c: 'show-chat' };
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
navigator.mediaDevices?.addEventListener('devicechange', () => listDevices().catch(() => {}));
$('door').addEventListener('submit', (ev) => { ev.preventDefault(); join(); });
$('say').addEventListener('submit', (ev) => {
  ev.preventDefault();
  const text = $('text').value.trim();
  if (text && tell({ text })) {
    say('You', text, true);
    $('text').value = '';
  }
});
document.querySelectorAll('.invite').forEach((button) => button.addEventListener('click', async () => {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(link());
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = before; }, 2000);
  } catch { prompt('The link to this room:', link()); }
}));
document.querySelectorAll('.close').forEach((button) => button.addEventListener('click', () => panel(document.body.dataset.panel)));
document.querySelector('.keys').addEventListener('keydown', (ev) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[ev.key], keys = [...document.querySelectorAll('.keys .key')].filter((k) => k.offsetWidth);
  if (step) keys[(keys.indexOf(document.activeElement) + step + keys.length) % keys.length].focus();
});
const endpoint = () => { $('endpoint').textContent = `${base}whip/${$('room').value || 'ROOM'}/NAME`; };
$('room').addEventListener('input', endpoint);
new ResizeObserver(draw).observe($('tiles'));
new ResizeObserver(() => $('chat').lastElementChild?.scrollIntoView({ block: 'nearest' })).observe($('chat').parentElement); // a phone is turned, its keyboard comes
addEventListener('pagehide', () => [publishing, sharing, playing].forEach((s) => s?.stop()));
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
capture();
window.room = { me, slots, people, speaking, hands, tiles, get playing() { return playing; }, get publishing() { return publishing; }, get local() { return local; }, get screen() { return screenMedia; } }; // for the console, and for tests
