// SPDX-License-Identifier: Apache-2.0
// peer.mjs - WebRTC stacks for Node as viewers, and one as a publisher: peer.mjs LIBRARY publish|play URL SECONDS.
// Prints one line of JSON: what came, or what was sent.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [library, role, url, seconds] = process.argv.slice(2);
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

/** POST of a complete offer, as both protocols want it. */
async function exchange(pc) {
  await pc.setLocalDescription(await pc.createOffer());
  for (let i = 0; i < 40 && pc.iceGatheringState !== 'complete'; i++) await sleep(50);
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  return new URL(response.headers.get('location'), url);
}

const hash = (n) => Math.imul(n, 0x9e3779b1) >>> 20;

/** The painted number of ../marker.js in a luma plane, and whether it is whole. */
function readMarker(luma, width, height) {
  let bits = 0;
  for (let i = 0; i < 32; i++) {
    bits = (bits * 2 + (luma[Math.floor(height * 12 / 360) * width + Math.floor((i + 0.5) * width / 32)] > 125 ? 1 : 0)) >>> 0;
  }
  return { id: bits >>> 12, good: (bits & 4095) === hash(bits >>> 12) };
}

/** libwebrtc in Node: decodes. */
async function playWithWrtc() {
  const { RTCPeerConnection, nonstandard: { RTCVideoSink, RTCAudioSink } } = require('@roamhq/wrtc');
  const pc = new RTCPeerConnection(), seen = [];
  let sound = 0;
  pc.ontrack = ({ track }) => {
    if (track.kind === 'video') {
      new RTCVideoSink(track).onframe = ({ frame: { data, width, height } }) => seen.push(readMarker(data, width, height));
    } else {
      new RTCAudioSink(track).ondata = ({ samples }) => { sound = Math.max(sound, ...samples); };
    }
  };
  pc.addTransceiver('audio', { direction: 'recvonly' });
  pc.addTransceiver('video', { direction: 'recvonly' });
  const session = await exchange(pc);
  await sleep(seconds * 1000);
  const good = seen.filter((f) => f.good);
  const deleted = (await fetch(session, { method: 'DELETE' })).status;
  pc.close();
  return { frames: seen.length, good: good.length, back: good.filter((f, i) => i && f.id < good[i - 1].id).length, firstId: good[0]?.id ?? 0, lastId: good.at(-1)?.id ?? 0, audioLevel: sound, deleted };
}

/** werift decodes nothing: numbers and times of the packets are what it can tell. */
async function playWithWerift() {
  const { RTCPeerConnection, RTCRtpCodecParameters } = await import('werift');
  const pc = new RTCPeerConnection({ codecs: {
    audio: [new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48000, channels: 2 })],
    video: [new RTCRtpCodecParameters({ mimeType: 'video/VP8', clockRate: 90000, rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'goog-remb' }] })],
  } });
  const got = { audio: [], video: [] };
  pc.ontrack = ({ track }) => track.onReceiveRtp.subscribe((rtp) => got[track.kind].push({ seq: rtp.header.sequenceNumber, ts: rtp.header.timestamp }));
  pc.addTransceiver('audio', { direction: 'recvonly' });
  pc.addTransceiver('video', { direction: 'recvonly' });
  const session = await exchange(pc);
  await sleep(seconds * 1000);
  const deleted = (await fetch(session, { method: 'DELETE' })).status;
  await pc.close();
  const gaps = (list) => {
    const seqs = [...new Set(list.map((p) => p.seq))].map((s, _, all) => (s - all[0] + 0x18000) & 0xffff).sort((a, b) => a - b);
    return seqs.length ? seqs.at(-1) - seqs[0] + 1 - seqs.length : -1;
  };
  return { audio: got.audio.length, video: got.video.length, audioGaps: gaps(got.audio), videoGaps: gaps(got.video), deleted };
}

async function publishWithWrtc() {
  const { RTCPeerConnection, nonstandard: { RTCVideoSource, RTCAudioSource } } = require('@roamhq/wrtc');
  const pc = new RTCPeerConnection(), video = new RTCVideoSource(), audio = new RTCAudioSource(), width = 640, height = 360;
  pc.addTransceiver(audio.createTrack(), { direction: 'sendonly' });
  pc.addTransceiver(video.createTrack(), { direction: 'sendonly' });
  let n = 0, phase = 0;
  const frame = { width, height, data: new Uint8ClampedArray(width * height * 3 / 2).fill(128) };
  const paint = () => {
    const row = (y, bits) => {
      for (let i = 0; i < 32; i++) for (let line = y * 24; line < y * 24 + 24; line++) frame.data.fill((bits >>> (31 - i)) & 1 ? 235 : 16, line * width + i * 20, line * width + i * 20 + 20);
    };
    n++;
    row(0, ((n & 0xfffff) * 4096 + hash(n & 0xfffff)) >>> 0);
    row(1, Math.floor(performance.timeOrigin + performance.now()) % 2 ** 32);
    video.onFrame(frame);
  };
  const beep = () => {
    const samples = new Int16Array(480).map((_, i) => 8000 * Math.sin((phase + i) * 2 * Math.PI * 1000 / 48000));
    phase += 480;
    audio.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
  };
  const timers = [setInterval(paint, 33), setInterval(beep, 10)];
  const session = await exchange(pc);
  await sleep(seconds * 1000);
  timers.forEach(clearInterval);
  const deleted = (await fetch(session, { method: 'DELETE' })).status;
  pc.close();
  return { painted: n, deleted };
}

const result = role === 'publish' ? await publishWithWrtc() : library === 'wrtc' ? await playWithWrtc() : await playWithWerift();
console.log(JSON.stringify(result));
process.exit(0);
