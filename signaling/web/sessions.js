// SPDX-License-Identifier: Apache-2.0
// sessions.js - what connects the page with the room: a session that publishes camera and microphone under /whip/ROOM/ID, one that plays /whep/ROOM in
// slots that the server fills, and the events that say who is where.
import { $, call, isPressed, me, slots, speaking, trackOf } from './call.js';
import { askForDescriptor, base, canAskForDescriptor, linksOf, Session } from './client.js';
import { prune } from './codecs.js';
import { hearWhereChosen, KINDS } from './devices.js';
import { onPeople } from './people.js';
import { draw, PICTURES, wishTo } from './stage.js';
import { openChat, sealing } from './talk.js';

const VOICES = 3; // of others at a time
const CAMERA = [{ rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 120_000 }, { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 400_000 }, { rid: 'f', maxBitrate: 1_500_000 }];
const SCREEN = [{ maxBitrate: 2_500_000 }];
const SILENCE_MS = 1000;

/** onend(error): not let in, or not any longer; onname(): me.id is another one; onwatch(): the token permits no more than watching. */
let on = { onend() {}, onname() {}, onwatch() {} };

// ---- under which name ----

/** Comes into the room. The first session finds out whether the name is free; others follow when it is known. */
export function enter(handlers) {
  on = handlers;
  begin();
}

function begin() {
  for (const which of ['publishing', 'playing']) {
    call[which]?.stop();
    call[which] = null;
    showState(which, '');
  }
  if (call.local) publish();
  else play();
}

const asNewcomer = () => (me.settled ? {} : { 'If-None-Match': '*' });

function settle() {
  me.settled = true;
  if (!call.playing) play();
  if (!call.publishing && call.local) publish();
}

/** Somebody else is here under this name: for the server this is the second, the third of it; of many, any. */
function rename() {
  me.nth++;
  me.id = `${me.plainId}-${me.nth < 5 ? me.nth : Math.random().toString(36).slice(2, 6)}`;
  on.onname();
  begin();
}

/** The token does not permit publishing under this name: there is a way in without any. refused: the session that was. */
function watch(refused) {
  me.watches = true;
  on.onwatch();
  if (refused === 'playing' || !call.playing) begin();
  else call.publishing = null; // what is seen goes on
}

const shown = { publishing: '', playing: '' };
function showState(which, state) {
  shown[which] = state;
  const any = (s) => Object.values(shown).includes(s);
  $('status').textContent = any('reconnecting') ? 'reconnecting…' : any('connecting') ? 'connecting…' : '';
}

/** True when it was the end, or a beginning under another name. */
function isOver(which, state, error) {
  if (error?.status === 412) rename();
  else if (error?.status === 403 && error.type.endsWith(':forbidden') && !me.watches) watch(which);
  else if (state === 'error') on.onend(error);
  else return false;
  return true;
}

// ---- end-to-end encryption ----

sealing.onstate = (transceiver, state) => {
  const slot = slots.get(transceiver.mid);
  if (slot) slot.seal = state;
  draw();
};

const offered = () => ({ many: PICTURES > 16, sealed: Boolean(me.key) });

function sealSender(transceiver, kind) {
  if (!me.key) return;
  sealing.send(transceiver, kind);
  prune(transceiver, kind, offered());
  if (kind === 'video') askForDescriptor(transceiver);
}

// ---- publishing ----

/** What sessions that publish have in common. Sealed, nothing but the descriptor need be readable by the server, which is told so. */
const asPublisher = (id) => ({ url: `${base}whip/${me.room}/${id}?name=${encodeURIComponent(me.name)}${me.key && canAskForDescriptor ? '&e2ee=1' : ''}`, token: me.token, config: sealing.config(me.key) });

const senderOf = (kind) => call.publishing?.pc?.getTransceivers().find((t) => t.receiver.track.kind === kind)?.sender;

/** Camera and microphone. */
function publish() {
  call.publishing = new Session({
    ...asPublisher(me.id), headers: asNewcomer, onstate: onPublishing, onanswer: settle,
    prepare: (pc) => {
      const off = !call.local.getTracks().some((t) => t.enabled);
      for (const { kind } of KINDS) { // both, so that what is off can be switched on without another session
        const track = trackOf(kind);
        const t = pc.addTransceiver(track || kind, { direction: 'sendonly', streams: [call.local], ...(kind === 'video' ? { sendEncodings: CAMERA.map((e) => ({ ...e })) } : {}) });
        sealSender(t, kind);
        if (!track?.enabled && !off) t.sender.replaceTrack(null); // nothing is sent while it is off, which the server tells the others
      }
    },
  });
  call.publishing.start();
}

function onPublishing(state, error) {
  if (isOver('publishing', state, error)) return;
  if (['connecting', 'reconnecting'].includes(state) && !call.local) { // nothing to send any more: see sendTrack
    call.publishing.stop();
    call.publishing = null;
    showState('publishing', '');
    return;
  }
  showState('publishing', state);
  // Where all is off, a little silence is sent at first: the server gives up publishers that never send anything.
  if (state === 'live') setTimeout(() => isPressed('mic') || senderOf('audio')?.replaceTrack(null), SILENCE_MS);
}

/** Sends a track of call.local in the place of what was sent of its kind, null for nothing. The server tells the others what does not flow. */
export async function sendTrack(kind, track) {
  const sender = senderOf(kind);
  if (sender) await sender.replaceTrack(track);
  else if (track && me.settled && !call.publishing) publish(); // the first that this page sends
}

/** A shared screen, with its sound. onend(error): it has failed. */
export function publishScreen(media, onend) {
  call.sharing = new Session({
    ...asPublisher(`${me.id}~screen`), onstate: (state, error) => state === 'error' && onend(error),
    prepare: (pc) => media.getTracks().forEach((t) => sealSender(pc.addTransceiver(t, { direction: 'sendonly', streams: [media], ...(t.kind === 'video' ? { sendEncodings: SCREEN.map((e) => ({ ...e })) } : {}) }), t.kind)),
  });
  call.sharing.start();
}

// ---- playing ----

function play() {
  call.playing = new Session({
    url: `${base}whep/${me.room}?name=${encodeURIComponent(me.name)}${me.watches ? '' : `&as=${encodeURIComponent(me.id)}`}`, token: me.token, config: sealing.config(), headers: asNewcomer, onstate: onPlaying, onanswer, ontrack,
    prepare: (pc) => {
      slots.clear();
      sealing.forget();
      for (const [kind, n] of [['audio', VOICES], ['video', PICTURES]]) {
        for (let i = 0; i < n; i++) {
          const t = pc.addTransceiver(kind, { direction: 'recvonly' });
          prune(t, kind, offered());
          sealing.receive(t, kind);
          if (kind === 'video') askForDescriptor(t);
        }
      }
      openChat(pc);
    },
  });
  call.playing.start();
}

function ontrack({ track, transceiver }) {
  const slot = slots.get(transceiver.mid) || { mid: transceiver.mid, kind: track.kind };
  slot.track = track;
  slots.set(transceiver.mid, slot);
  if (track.kind === 'audio') {
    slot.audio = Object.assign(document.createElement('audio'), { autoplay: true, srcObject: new MediaStream([track]) });
    hearWhereChosen(slot.audio);
    slot.audio.play?.().catch(() => {});
  }
  draw();
}

function onPlaying(state, error) {
  if (isOver('playing', state, error)) return;
  if (state === 'reconnecting') {
    slots.forEach((s) => { s.track = s.bars = null; }); // their last pictures went with the connection
    speaking.clear();
    call.dominant = null;
    draw();
  }
  showState('playing', state);
}

// ---- events ----

let events = null;

export function forgetEvents() {
  events?.close();
  events = null;
}

/** Link headers of the session: where events come from, and where wishes go. */
function onanswer(response) {
  const links = linksOf(response), session = call.playing;
  forgetEvents();
  events = new EventSource(links['urn:sluice:whep:events']);
  const handlers = { participants: onPeople, slots: onSlots, speakers: onSpeakers, stats: onStats };
  for (const [name, handle] of Object.entries(handlers)) {
    events.addEventListener(name, ({ data }) => {
      handle(JSON.parse(data));
      draw();
    });
  }
  wishTo(links['urn:sluice:whep:wishes'], () => session.authorization());
  settle();
}

function onSlots({ slots: list }) {
  for (const s of list) {
    const slot = slots.get(s.mid) || {};
    if (slot.stream !== s.stream) slot.seal = '';
    slots.set(s.mid, Object.assign(slot, { participant: null, stream: null, source: null, muted: false }, s));
  }
}

function onSpeakers(s) {
  call.dominant = s.dominant;
  speaking.clear();
  s.speaking.forEach((x) => speaking.add(x.participant));
}

/** How well each slot is carried: three bars, by what is lost and what the network bears. */
function onStats(s) {
  for (const t of s.tracks || []) {
    const slot = slots.get(t.mid);
    if (slot) slot.bars = t.fraction_lost > 0.08 ? 1 : t.fraction_lost > 0.02 || ['bandwidth', 'loss', 'too_little'].includes(t.reason) ? 2 : 3;
  }
}
