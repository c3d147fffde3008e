// SPDX-License-Identifier: Apache-2.0
// room.js - a conference over plain WHIP and WHEP: this page publishes under /whip/ROOM/NAME and plays /whep/ROOM, whose sections are slots that the
// server fills. Who is where comes by server-sent events, what is wanted goes by POST (README, "Rooms"); chat travels by a data channel.
import { askForDescriptor, canAskForDescriptor, linksOf, Session, takeFragment } from './client.js';
import { grid, speaker } from './layout.js';
import { isKey, makeKey, Ring } from './seal.js';

const $ = (id) => document.getElementById(id);
const SLOTS = { audio: 3, video: Math.min(48, Math.max(1, Number(new URLSearchParams(location.search).get('tiles')) || 9)) };
const CAMERA = [{ rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 120_000 }, { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 400_000 }, { rid: 'f', maxBitrate: 1_500_000 }];

const me = { name: '', id: '', room: '', token: '', key: '' }; // key: of the end-to-end encryption; '': none
let local = null, screenTrack = null, publishing = null, sharing = null, playing = null;
const slots = new Map();   // mid -> { mid, kind, participant, stream, source, muted, track }
const people = new Map();  // name -> { name, streams }
const hands = new Set(), speaking = new Set(), pins = new Set();
const tiles = new Map();   // key -> element
let dominant = null, chat = null, unread = 0, links = {}, events = null;

const initials = (name) => name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((w) => w[0].toUpperCase()).join('') || '?';
const hue = (name) => [...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7);
const pretty = (id) => id.replaceAll('_', ' ');

// ---- lobby ----

function fault(text) {
  $('fault').hidden = !text;
  $('fault').textContent = text || '';
}

function captureFault(error) {
  if (!navigator.mediaDevices) return `Browsers give camera and microphone only to https pages and to localhost. Open https://${location.host}/, or join to watch and listen.`;
  if (error.name === 'NotAllowedError') return 'Camera and microphone are blocked for this page: allow them with the icon beside the address, or join without.';
  if (error.name === 'NotFoundError') return 'No camera or microphone was found. You can join without.';
  if (error.name === 'NotReadableError') return 'Another program uses the camera. Close it, or join without.';
  return error.message;
}

async function capture() {
  const want = (id, on, more) => on && { ...(id ? { deviceId: { exact: id } } : {}), ...more };
  local?.getTracks().forEach((t) => t.stop());
  local = null;
  const pressed = (id) => $(id).getAttribute('aria-pressed') === 'true';
  const constraints = {
    audio: want($('microphone').value, pressed('lobby-mic'), { echoCancellation: true, noiseSuppression: true }),
    video: want($('camera').value, pressed('lobby-cam'), { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } }),
  };
  fault('');
  try {
    if (constraints.audio || constraints.video) local = await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    fault(captureFault(error));
  }
  for (const [id, kind] of [['lobby-mic', 'audio'], ['lobby-cam', 'video']]) {
    if (pressed(id) && !local?.getTracks().some((t) => t.kind === kind)) press(id, false); // what cannot be had is off
  }
  $('preview').srcObject = local;
  $('preview-note').hidden = Boolean(local?.getVideoTracks().length);
  listen(local?.getAudioTracks()[0]);
  listDevices().catch(() => {});
}

let ear = null;
function listen(track) {
  clearInterval(ear?.timer);
  ear?.context.close();
  ear = null;
  $('level').style.setProperty('--v', 0);
  if (!track) return;
  const context = new AudioContext(), analyser = context.createAnalyser(), wave = new Float32Array(analyser.fftSize);
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  ear = { context, timer: setInterval(() => {
    analyser.getFloatTimeDomainData(wave);
    $('level').style.setProperty('--v', Math.min(1, 4 * Math.sqrt(wave.reduce((s, x) => s + x * x, 0) / wave.length)).toFixed(2));
  }, 100) };
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

const byScript = typeof RTCRtpScriptTransform === 'function', canTransform = byScript || 'createEncodedStreams' in (window.RTCRtpSender?.prototype ?? {}); // older Chromium: by streams
const canSeal = canTransform && Boolean(crypto.subtle); // which only secure pages have
const transforming = byScript || !canTransform ? {} : { encodedInsertableStreams: true }; // how such connections are made
const ways = new Map(); // number of a receiver -> its transceiver
let worker = null, ring = null;

/** All that arrives passes through the worker, with a key or without: what nobody here can open must not be decoded. */
function startSealing() {
  ring = me.key ? new Ring(me.key) : null;
  if (canTransform && !worker) {
    worker = new Worker('/seal-worker.js', { type: 'module' });
    worker.addEventListener('message', ({ data: { mid, state } }) => {
      const slot = slots.get(ways.get(mid)?.mid);
      if (slot) slot.seal = state;
      draw();
    });
  }
  worker?.postMessage({ key: me.key });
}

/** All encoded frames of a sender or receiver go through the worker. */
function route(end, options) {
  if (byScript) {
    end.transform = new RTCRtpScriptTransform(worker, options);
    return;
  }
  const { readable, writable } = end.createEncodedStreams();
  worker.postMessage({ readable, writable, options }, [readable, writable]);
}

function sealSender(transceiver, kind) {
  if (!me.key) return;
  route(transceiver.sender, { way: 'out', kind });
  prune(transceiver, kind);
  if (kind === 'video') askForDescriptor(transceiver);
}

function openReceiver(transceiver, kind) {
  if (!worker) return;
  const mid = ways.size;
  ways.set(mid, transceiver);
  route(transceiver.receiver, { way: 'in', kind, mid });
}

/** Everybody here opens what is sealed with this key from now on, and seals with it in a moment, when the others have heard of it. */
function adopt(key) {
  me.key = key;
  ring.add(key);
  worker.postMessage({ add: key });
  setTimeout(() => {
    ring?.use(key);
    worker.postMessage({ use: key });
  }, 1000);
}

function renewKey() {
  const key = makeKey();
  if (!tell({ key })) return;
  adopt(key);
  announce('The key is new: only links that are copied from now on open this room.');
}

const link = () => `${location.origin}/room.html#${me.room}${me.key ? `?key=${me.key}` : ''}`;

// ---- joining and leaving ----

const url = (kind, path) => new URL(`/${kind}/${path}`, location.href).href;

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
const asPublisher = (name) => ({ url: url('whip', `${me.room}/${name}`) + (me.key && canAskForDescriptor ? '?e2ee=1' : ''), token: me.token, config: me.key ? transforming : {} });

function publish() {
  publishing = new Session({
    ...asPublisher(me.id), onstate: onPublishing,
    prepare: (pc) => {
      const audio = local?.getAudioTracks()[0], video = local?.getVideoTracks()[0];
      const streams = [local];
      if (audio) sealSender(pc.addTransceiver(audio, { direction: 'sendonly', streams }), 'audio');
      if (video) sealSender(pc.addTransceiver(video, { direction: 'sendonly', streams, sendEncodings: CAMERA.map((e) => ({ ...e })) }), 'video');
    },
  });
  publishing.start();
}

function play() {
  playing = new Session({
    url: `${url('whep', me.room)}?as=${encodeURIComponent(me.id)}`, token: me.token, config: worker ? transforming : {}, onstate: onPlaying, onanswer,
    prepare: (pc) => {
      slots.clear();
      ways.clear();
      for (const kind of ['audio', 'video']) {
        for (let i = 0; i < SLOTS[kind]; i++) {
          const t = pc.addTransceiver(kind, { direction: 'recvonly' });
          prune(t, kind);
          openReceiver(t, kind);
          if (kind === 'video') askForDescriptor(t);
        }
      }
      chat = pc.createDataChannel('chat');
      chat.onopen = () => tell({ hello: true });
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
  (e.left || []).forEach((name) => { people.delete(name); hands.delete(name); pins.delete(name); });
  const news = [came.length && `${came.map(pretty).join(', ')} came in.`, e.left?.length && `${e.left.map(pretty).join(', ')} left.`].filter(Boolean);
  if (news.length) $('news').textContent = news.join(' ');
  $('count').textContent = e.anonymous ? `${e.total}, ${e.anonymous} without a name` : e.total;
  draw();
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

function onPublishing(state, error) {
  if (state === 'error') {
    leave();
    fault(error.message);
  }
}

function onPlaying(state, error) {
  if (state === 'error') {
    leave();
    fault(error.message);
    return;
  }
  if (state === 'reconnecting') {
    slots.forEach((s) => { s.track = null; }); // their last pictures went with the connection
    draw();
  }
  status(state === 'reconnecting' ? 'reconnecting…' : state === 'connecting' ? 'connecting…' : '');
}

async function join() {
  me.room = $('room').value;
  me.name = $('name').value.trim();
  me.id = me.name.replace(/\s+/g, '_').replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '').slice(0, 48) || `guest${Math.floor(Math.random() * 9000) + 1000}`;
  me.token = $('token').value;
  try { localStorage.setItem('sluice-name', me.name); } catch { /* private windows may refuse */ }
  if ($('seal').checked && !isKey(me.key)) me.key = makeKey();
  if (!$('seal').checked) me.key = '';
  startSealing();
  $('sealed').hidden = $('renew').hidden = !me.key;
  clearInterval(ear?.timer);
  fault('');
  history.replaceState(null, '', `#${me.room}`);
  $('where').textContent = me.room;
  document.title = `${me.room} · Sluice`;
  document.body.dataset.state = 'call';
  $('lobby').hidden = true;
  $('call').hidden = false;
  press('mic', Boolean(local?.getAudioTracks().length));
  press('cam', Boolean(local?.getVideoTracks().length));
  if (local) publish();
  play();
  draw();
  $('mic').focus();
}

function leave() {
  tell({ bye: true });
  [publishing, sharing, playing].forEach((s) => s?.stop());
  publishing = sharing = playing = null;
  events?.close();
  screenTrack?.stop();
  screenTrack = null;
  [slots, people, hands, speaking, pins].forEach((c) => c.clear());
  tiles.forEach((t) => t.remove());
  tiles.clear();
  document.body.dataset.state = 'lobby';
  document.body.dataset.panel = '';
  $('lobby').hidden = false;
  $('call').hidden = true;
  capture();
}

// ---- tiles ----

function tileFor(key, name) {
  let el = tiles.get(key);
  if (el) return el;
  el = $('tile').content.firstElementChild.cloneNode(true);
  el.dataset.name = name;
  el.style.setProperty('--hue', hue(name));
  el.querySelector('.face').textContent = initials(pretty(name));
  el.querySelector('.pin').addEventListener('click', () => pin(name));
  el.querySelector('video').addEventListener('resize', draw);
  tiles.set(key, el);
  $('tiles').append(el);
  return el;
}

function fill(el, { name, label, stream, muted, picture, screen, self, bars, seal }) {
  const video = el.querySelector('video');
  if (video.srcObject?.getVideoTracks()[0] !== stream) {
    video.srcObject = stream ? new MediaStream([stream]) : null;
    if (stream) video.play?.().catch(() => {});
  }
  el.classList.toggle('no-picture', !picture);
  el.classList.toggle('screen', Boolean(screen));
  el.classList.toggle('self', Boolean(self));
  el.classList.toggle('speaking', speaking.has(name) && !screen);
  el.querySelector('b').textContent = label;
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
  net.hidden = Boolean(self);
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
    shown.set(`slot ${s.stream}`, { name: s.participant, label: screen ? `${pretty(s.participant)}'s screen` : pretty(s.participant), stream: s.track, picture: !s.muted && s.track, muted: !screen && voiceMuted(s.participant), screen, bars: s.bars, seal: s.seal, slot: s });
  }
  // Those who are here and heard, but have no picture: as many as there is room for.
  for (const p of people.values()) {
    if (shown.size >= SLOTS.video) break;
    if (p.name !== me.id && p.streams.length && ![...shown.values()].some((x) => x.name === p.name)) shown.set(`face ${p.name}`, { name: p.name, label: pretty(p.name), picture: false, muted: voiceMuted(p.name) });
  }
  const mine = local?.getVideoTracks()[0];
  shown.set('self', { name: me.id, label: 'You', stream: mine, picture: mine?.enabled, muted: !local?.getAudioTracks()[0]?.enabled, self: true });
  if (screenTrack) shown.set('self screen', { name: me.id, label: 'Your screen', stream: screenTrack, picture: true, screen: true, self: true });
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

function listPeople() {
  if (document.body.dataset.panel !== 'people') return;
  const row = (name, label) => {
    const [li, face, b, i] = ['li', 's', 'b', 'i'].map((tag) => document.createElement(tag));
    face.textContent = initials(pretty(name));
    face.style.setProperty('--hue', hue(name));
    face.setAttribute('aria-hidden', 'true');
    b.textContent = label;
    const about = name === me.id ? { streams: local ? [1] : [] } : people.get(name);
    i.textContent = [hands.has(name) && 'hand up', speaking.has(name) ? 'speaking' : about?.streams.length && (name === me.id ? !isPressed('mic') : voiceMuted(name)) && 'muted', !about?.streams.length && 'watching', name !== me.id && about?.streams.some((s) => s.source === 'screen') && 'sharing'].filter(Boolean).join(' · ');
    li.append(face, b, i);
    return li;
  };
  $('people').replaceChildren(row(me.id, `${me.name} (you)`), ...[...people.keys()].filter((n) => n !== me.id).sort().map((n) => row(n, pretty(n))));
}

// ---- chat, hands ----

let telling = Promise.resolve();
function tell(message) {
  if (chat?.readyState !== 'open') return false;
  const channel = chat, text = JSON.stringify({ ...message, from: me.id });
  if (ring) telling = telling.then(() => ring.sealText(text)).then((sealed) => channel.send(JSON.stringify({ sealed }))).catch(() => {}); // it may have closed meanwhile
  else channel.send(text);
  return true;
}

async function hear(data, sender) {
  let m, sealed = false;
  try {
    m = JSON.parse(data);
    sealed = typeof m?.sealed === 'string';
    if (sealed) m = JSON.parse(await ring.openText(m.sealed));
  } catch {
    if (sealed) say(pretty(sender), 'An encrypted message that this page has no key for.');
    return;
  }
  if (typeof m?.from !== 'string') return;
  if (sealed && isKey(m.key ?? '')) {
    adopt(m.key);
    announce(`${pretty(m.from)} has made a new key: only links that are copied from now on open this room.`);
  }
  if (typeof m.text === 'string') say(pretty(m.from), m.text.slice(0, 2000));
  if (m.hand === true) hands.add(m.from);
  if (m.hand === false || m.bye) hands.delete(m.from);
  if (m.hello && hands.has(me.id)) tell({ hand: true }); // whoever comes late sees it, too
  draw();
}

/** The text with its addresses as links. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? Object.assign(document.createElement('a'), { href: part, textContent: part, target: '_blank', rel: 'noopener noreferrer' }) : part));
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

/** Off keeps the track, so that on is instant; one that was never there is fetched now, and the session begins anew. */
async function toggle(id, kind) {
  const track = local?.getTracks().find((t) => t.kind === kind);
  const on = !isPressed(id);
  if (track) {
    track.enabled = on;
    // Nothing is sent while it is off, which the server tells the others.
    const sender = publishing?.pc?.getTransceivers().find((t) => t.sender.track === track || (!t.sender.track && t.receiver.track.kind === kind))?.sender;
    await sender?.replaceTrack(on ? track : null);
  } else if (on) {
    try {
      const more = await navigator.mediaDevices.getUserMedia({ [kind]: true });
      local = new MediaStream([...(local?.getTracks() || []), ...more.getTracks()]);
    } catch (error) {
      status(captureFault(error));
      return;
    }
    publishing?.stop();
    publish();
  }
  press(id, on);
  draw();
}

async function share() {
  if (sharing) {
    sharing.stop();
    sharing = null;
    screenTrack?.stop();
    screenTrack = null;
    press('screen', false);
    draw();
    return;
  }
  let media;
  try {
    media = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: true });
  } catch { return; } // thought better of it
  [screenTrack] = media.getVideoTracks();
  screenTrack.contentHint = 'detail';
  screenTrack.addEventListener('ended', () => sharing && share());
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
  'show-people': () => panel('people'), 'show-chat': () => panel('chat'), leave,
};
$('renew').addEventListener('click', renewKey);
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
for (const id of ['camera', 'microphone']) $(id).addEventListener('change', capture);
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
const endpoint = () => { $('endpoint').textContent = `${location.origin}/whip/${$('room').value || 'ROOM'}/NAME`; };
$('room').addEventListener('input', endpoint);
new ResizeObserver(draw).observe($('tiles'));
addEventListener('pagehide', () => [publishing, sharing, playing].forEach((s) => s?.stop()));

const { name: room, given } = takeFragment();
$('room').value = room || 'lounge';
$('token').value = given.get('token') || '';
me.key = isKey(given.get('key') || '') ? given.get('key') : '';
$('seal').checked = Boolean(me.key);
if (!canSeal) {
  const what = me.key ? 'This room is encrypted end to end' : 'Encryption', remedy = canTransform ? 'needs a page by https, or on localhost' : 'needs a newer browser';
  $('seal').disabled = true;
  $('seal').checked = false;
  $('seal-note').textContent = me.key ? `${what}, which ${remedy}.` : `${what} ${remedy}.`;
  me.key = '';
}
try { $('name').value = given.get('name') || localStorage.getItem('sluice-name') || ''; } catch { /* as above */ }
endpoint();
capture();
window.room = { me, slots, people, speaking, hands, tiles, get playing() { return playing; }, get publishing() { return publishing; } }; // for the console, and for tests
