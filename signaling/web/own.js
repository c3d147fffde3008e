// SPDX-License-Identifier: Apache-2.0
// own.js - what this person shows and says: camera, microphone and screen, before the call (the lobby's preview) and in it.
import { $, announce, call, inCall, isPressed, press, slots, trackOf } from './call.js';
import { captureFault, constraintsOf, hearWhereChosen, keepChoice, KINDS, listDevices, listen, listenWhileMuted, restoreChoice, takeWhatThereIs } from './devices.js';
import { publishScreen, sendTrack } from './sessions.js';
import { draw } from './stage.js';

const kindOf = (kind) => KINDS.find((k) => k.kind === kind);

// ---- the lobby ----

/** Why somebody cannot come in, or comes in without something; '' takes it away. */
export function fault(text) {
  $('fault').hidden = !text;
  $('fault').textContent = text;
}

function dropLocal() {
  call.local?.getTracks().forEach((t) => t.stop());
  call.local = null;
}

let asked = 0, again = false; // again: after a call, what was on in it is taken when the next begins
/** Takes the devices that the lobby's keys ask for. Who joins meanwhile sends them when they come. */
export async function capture() {
  const turn = ++asked;
  again = false;
  dropLocal();
  if (!inCall()) fault('');
  const wanted = Object.fromEntries(KINDS.filter(({ key }) => isPressed(`lobby-${key}`)).map(({ kind }) => [kind, constraintsOf(kind)]));
  const { tracks, errors } = await takeWhatThereIs(wanted);
  if (turn !== asked) { // pressed once more, or left, meanwhile
    tracks.forEach((t) => t.stop());
    return;
  }
  const failed = KINDS.filter(({ kind }) => errors[kind]), why = failed.length ? captureFault(errors[failed[0].kind], failed.length > 1 ? undefined : failed[0].what) : '';
  if (inCall()) {
    for (const track of tracks) await useTrack(track);
    if (why) announce(why);
    return;
  }
  tracks.forEach(mind);
  call.local = tracks.length ? new MediaStream(tracks) : null;
  if (why) fault(why);
  for (const { kind, key } of KINDS) {
    if (!trackOf(kind)) press(`lobby-${key}`, false); // what cannot be had is off
  }
  showPreview();
}

function showPreview(note = 'Camera is off') {
  $('preview-note').textContent = note;
  $('preview').srcObject = call.local;
  $('preview-note').hidden = Boolean(trackOf('video'));
  showLevel(trackOf('audio'));
  listDevices().catch(() => {});
}

let deaf = null; // ends the level's display
function showLevel(track) {
  deaf?.();
  deaf = track ? listen(track, (v) => $('level').style.setProperty('--v', v.toFixed(2))) : null;
}

// ---- into the call, and out of it ----

/** The call has begun. */
export function takeAlong() {
  showLevel(null);
  keepChoice();
  for (const { kind, key } of KINDS) press(key, Boolean(trackOf(kind)));
  $('call-devices').append($('devices'));
  minded();
  if (again) capture();
}

/** Who may only watch has no keys for what is sent. */
export function mayOnlyWatch(barred) {
  for (const id of ['mic', 'cam']) $(id).hidden = barred;
  $('screen').hidden = barred || !navigator.mediaDevices?.getDisplayMedia; // phones have none
  if (!barred) return;
  asked++;
  dropLocal();
  minded();
}

/** The call is over: nobody who has left is filmed. note: what the lobby says. */
export function putAway(note) {
  for (const { key } of KINDS) press(`lobby-${key}`, isPressed(key));
  again = true;
  asked++;
  dropLocal();
  dropScreen();
  minded();
  $('pair').append($('devices'));
  showPreview(note);
}

// ---- in the call ----

/** Sends a track in the place of what was sent of its kind, null for nothing. */
async function send(kind, track) {
  const others = (call.local?.getTracks() || []).filter((t) => t.kind !== kind), old = trackOf(kind);
  if (old !== track) old?.stop();
  call.local = track || others.length ? new MediaStream([...others, ...(track ? [track] : [])]) : null;
  minded();
  await sendTrack(kind, track);
  draw();
}

/** Sends a track that has just been had. */
async function useTrack(track) {
  mind(track);
  await send(track.kind, track);
  press(kindOf(track.kind).key, true);
}

/** Fetches the chosen device and sends it. Returns false, and says why, when it is not to be had. */
async function fetchAndSend(kind) {
  const { tracks: [track], errors } = await takeWhatThereIs({ [kind]: constraintsOf(kind) });
  if (!track) announce(captureFault(errors[kind], kindOf(kind).what));
  else if (inCall()) await useTrack(track);
  else track.stop(); // left meanwhile
  return Boolean(track) && inCall();
}

/** The key of microphone or camera. A microphone that is off is kept, so that on is instant; a camera is let go, so that its light is off. */
export async function toggle(kind) {
  const { key } = kindOf(kind), track = trackOf(kind), on = !isPressed(key);
  if (on && !track) {
    if (!await fetchAndSend(kind)) return;
  } else if (kind === 'video') {
    await send(kind, null);
  } else {
    track.enabled = on;
    await sendTrack(kind, on ? track : null);
  }
  press(key, on);
  minded();
  draw();
}

let unheard = null; // ends what listens to a microphone that is off
/** Who talks while the microphone is off is told so: once more has anything changed about it. */
function minded() {
  unheard?.();
  unheard = null;
  const track = trackOf('audio');
  if (!inCall() || !track || track.enabled || track.readyState !== 'live') return;
  unheard = listenWhileMuted(track, () => !$('mic').disabled && announce('You are talking, but your microphone is off. Press m, or its button.'));
}

/** A device that is unplugged ends its track: another one takes its place, if there is one. A microphone may be dead without that. */
function mind(track) {
  const { kind, what, key } = kindOf(track.kind);
  track.addEventListener('mute', () => kind === 'audio' && trackOf(kind) === track && track.enabled && announce('Your microphone gives no sound: its own switch or the system has muted it.'));
  track.addEventListener('ended', async () => {
    if (trackOf(kind) !== track) return;
    if (!inCall()) {
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

/** Another device has been chosen, in the lobby or during the call. */
function onDevice(kind) {
  keepChoice();
  if (!inCall()) capture();
  else if (isPressed(kindOf(kind).key)) fetchAndSend(kind);
  else if (kind === 'audio' && trackOf('audio')) send('audio', null); // fetched when it is switched on
}

// ---- the screen ----

function dropScreen() {
  call.sharing?.stop();
  call.sharing = null;
  call.screen?.getTracks().forEach((t) => t.stop());
  call.screen = null;
  press('screen', false);
  draw();
}

export async function share() {
  if (call.sharing) {
    dropScreen();
    return;
  }
  const media = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: true }).catch(() => null);
  if (!media) return; // thought better of it
  const [picture] = media.getVideoTracks();
  picture.contentHint = 'detail';
  picture.addEventListener('ended', () => call.screen === media && dropScreen()); // by the browser's own bar
  call.screen = media;
  publishScreen(media, (error) => {
    announce(error.message);
    dropScreen();
  });
  press('screen', true);
  draw();
}

// ---- what is pressed ----

for (const { kind, what, key } of KINDS) {
  $(what).addEventListener('change', () => onDevice(kind));
  $(`lobby-${key}`).addEventListener('click', () => {
    press(`lobby-${key}`, !isPressed(`lobby-${key}`));
    capture();
  });
}
$('speaker').addEventListener('change', () => {
  keepChoice();
  slots.forEach((s) => s.audio && hearWhereChosen(s.audio));
});
navigator.mediaDevices?.addEventListener('devicechange', () => listDevices().catch(() => {}));
restoreChoice();
