// SPDX-License-Identifier: Apache-2.0
// devices.js - which camera, microphone and loudspeaker: what there is to choose from, what was chosen the last time, and what a muted microphone hears.
import { base } from './client.js';

const $ = (id) => document.getElementById(id);
const KEPT = 'sluice-devices';

/** What is captured; key: of the button that switches it. */
export const KINDS = [{ kind: 'audio', what: 'microphone', key: 'mic' }, { kind: 'video', what: 'camera', key: 'cam' }];
const CHOICES = [['camera', 'videoinput'], ['microphone', 'audioinput'], ['speaker', 'audiooutput']];

/** May a page choose where it is heard? Not in every browser. */
const canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;

/** What is asked of getUserMedia: the device that is chosen. */
export function constraintsOf(kind) {
  const id = $(kind === 'audio' ? 'microphone' : 'camera').value;
  const more = kind === 'audio' ? { echoCancellation: true, noiseSuppression: true } : { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  return { ...(id ? { deviceId: { exact: id } } : {}), ...more };
}

/** getUserMedia; a device that was chosen once and is not there any more is replaced by any other. */
async function take(wanted) {
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    if (error.name !== 'OverconstrainedError') throw error;
    return navigator.mediaDevices.getUserMedia(Object.fromEntries(Object.entries(wanted).map(([kind, { deviceId, ...rest }]) => [kind, rest])));
  }
}

/**
 * What is wanted, as far as it is to be had: who has no camera is heard nevertheless.
 * Returns { tracks, errors }, the errors by kind.
 */
export async function takeWhatThereIs(wanted) {
  const tracks = [], errors = {};
  const one = (kinds) => take(kinds).then((media) => tracks.push(...media.getTracks()));
  if (!Object.keys(wanted).length) return { tracks, errors };
  try {
    await one(wanted);
  } catch (error) {
    const final = Object.keys(wanted).length === 1 || error.name === 'NotAllowedError' || !navigator.mediaDevices; // asked again, the answer would be the same
    for (const [kind, constraints] of Object.entries(wanted)) {
      if (final) errors[kind] = error;
      else await one({ [kind]: constraints }).catch((e) => { errors[kind] = e; });
    }
  }
  return { tracks, errors };
}

/** Why there is no camera or no microphone (what), or neither. */
export function captureFault(error, what = 'camera or microphone') {
  if (!navigator.mediaDevices) return `Browsers give camera and microphone only to https pages and to localhost. Open ${base.replace(/^http:/, 'https:')}, or join to watch and listen.`;
  if (error.name === 'NotAllowedError') return 'Camera and microphone are blocked for this page: allow them with the icon beside the address, or join without.';
  if (error.name === 'NotFoundError') return `No ${what} was found. You can join without.`;
  if (error.name === 'NotReadableError') return `Another program uses the ${what}. Close it, or join without.`;
  return error.message;
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || {};
  } catch {
    return {}; // private windows may refuse
  }
}

/** What is chosen now is chosen the next time, too. */
export function keepChoice() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(CHOICES.map(([id]) => [id, $(id).value]))));
  } catch { /* as above */ }
}

/** Before the browser tells what there is: the last choice, by its id. */
export function restoreChoice() {
  const before = kept();
  for (const [id] of CHOICES) {
    if (!before[id]) continue;
    $(id).append(new Option('As before', before[id]));
    $(id).value = before[id];
  }
}

export async function listDevices() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  for (const [id, kind] of CHOICES) {
    const chosen = $(id).value, there = devices.filter((d) => d.kind === kind && d.deviceId && !['default', 'communications'].includes(d.deviceId));
    $(id).replaceChildren(new Option('Default', ''), ...there.map((d) => new Option(d.label || 'Unnamed', d.deviceId)));
    $(id).value = there.some((d) => d.deviceId === chosen) ? chosen : '';
  }
  $('speaker').closest('label').hidden = !canChooseSpeaker || $('speaker').options.length < 2;
}

/** Lets an element be heard where it was chosen. */
export function hearWhereChosen(audio) {
  if (canChooseSpeaker && (audio.sinkId || '') !== $('speaker').value) audio.setSinkId($('speaker').value).catch(() => {}); // unplugged: the default goes on
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

const TALK = 0.12, TALK_STEPS = 10, TALK_AGAIN_MS = 20_000; // of listen()'s levels, ten a second

/** Calls ontalk() when somebody talks for about a second into a microphone that is off, until the function that it returns is called. The track itself is silent then: a copy listens. */
export function listenWhileMuted(track, ontalk) {
  const ear = track.clone();
  let steps = 0, told = -TALK_AGAIN_MS;
  ear.enabled = true;
  const deaf = listen(ear, (level) => {
    steps = Math.max(0, steps + (level > TALK ? 1 : -0.5));
    if (steps < TALK_STEPS || performance.now() - told < TALK_AGAIN_MS) return;
    steps = 0;
    told = performance.now();
    ontalk();
  });
  return () => {
    deaf();
    ear.stop();
  };
}
