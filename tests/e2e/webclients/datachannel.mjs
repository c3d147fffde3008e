// SPDX-License-Identifier: Apache-2.0
// datachannel.mjs - libdatachannel, which OBS is made with, set up as OBS does it: sections, payload types, packetizer, sender reports, NACK
// answered by the same packets again, key frame requests ignored. datachannel.mjs publish URL SECONDS FILE.h264, or datachannel.mjs chat WHEP-URL
// SECONDS: a data channel and nothing else. Prints one line of JSON.
import { readFileSync } from 'node:fs';
import rtc from 'node-datachannel';

const [what, url, seconds, file] = process.argv.slice(2);
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const OBS = 'Mozilla/5.0 (OBS-Studio/32.2.2; Linux x86_64; en-US)';

/** One POST, candidates after the answer, and neither PATCH nor OPTIONS. */
async function join(pc) {
  const offer = new Promise((done) => pc.onLocalDescription((sdp) => done(sdp)));
  pc.setLocalDescription();
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp', 'User-Agent': OBS }, body: await offer });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  pc.setRemoteDescription(answer, 'answer');
  return new URL(response.headers.get('location'), url);
}

/** The frames of an Annex B file: each ends before what is no slice, or is the slice of macroblock 0. */
function framesOf(bytes) {
  const starts = [];
  for (let i = 0; i + 4 < bytes.length; i++) if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1) starts.push(i && bytes[i - 1] === 0 ? i - 1 : i);
  const frames = [];
  let begin = 0, slices = false;
  for (const at of starts) {
    const nal = bytes[at + 2] === 1 ? at + 3 : at + 4, type = bytes[nal] & 31, slice = type === 1 || type === 5;
    if (slices && (!slice || bytes[nal + 1] & 0x80)) {
      frames.push(bytes.subarray(begin, at));
      begin = at;
      slices = false;
    }
    slices ||= slice;
  }
  return [...frames, bytes.subarray(begin)];
}

function track(pc, media, config, packetizer) {
  const t = pc.addTrack(media);
  packetizer.addToChain(new rtc.RtcpSrReporter(config));
  packetizer.addToChain(new rtc.RtcpNackResponder(4000));
  t.setMediaHandler(packetizer);
  return t;
}

async function publish() {
  const pc = new rtc.PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true }), ssrc = 4203373503, name = '9GSmeDxhfCoae6Vi', stream = 'ytFlSkyl8jBHuzkG';
  const audio = new rtc.Audio('0', 'SendOnly'), video = new rtc.Video('1', 'SendOnly');
  audio.addOpusCodec(111, 'minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1');
  audio.addSSRC(ssrc, name, stream, `${stream}-audio`);
  video.addH264Codec(96, 'profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1');
  video.addSSRC(ssrc + 1, name, stream, `${stream}-video`);
  const clocks = [new rtc.RtpPacketizationConfig(ssrc, name, 111, 48000), new rtc.RtpPacketizationConfig(ssrc + 1, name, 96, 90000)];
  const sound = track(pc, audio, clocks[0], new rtc.RtpPacketizer(clocks[0]));
  const picture = track(pc, video, clocks[1], new rtc.H264RtpPacketizer('StartSequence', clocks[1], 1200));
  const session = await join(pc), frames = framesOf(readFileSync(file));
  const begun = performance.now();
  let sent = 0, spoken = 0;
  while (performance.now() - begun < seconds * 1000 && sent < frames.length) {
    if (picture.isOpen()) {
      clocks[1].timestamp = sent * 3000;
      picture.sendMessageBinary(Buffer.from(frames[sent++]));
    }
    for (; sound.isOpen() && spoken * 3 < sent * 5; spoken++) {
      clocks[0].timestamp = spoken * 960;
      sound.sendMessageBinary(Buffer.from([0xf8, 0xff, 0xfe])); // silence
    }
    await sleep(Math.max(0, begun + sent * 1000 / 30 - performance.now()));
    if (!picture.isOpen()) await sleep(20);
  }
  const deleted = (await fetch(session, { method: 'DELETE', headers: { 'User-Agent': OBS } })).status;
  pc.close();
  return { sent, deleted };
}

/** Says something ten times a second, and listens. */
async function chat() {
  const pc = new rtc.PeerConnection('chat', { iceServers: [], disableAutoNegotiation: true }), channel = pc.createDataChannel('chat'), others = [], heard = [];
  pc.onDataChannel((other) => {
    others.push(other); // or it is collected as garbage
    other.onMessage((text) => heard.push(text));
  });
  const session = await join(pc);
  for (let i = 0; i < seconds * 10; i++) {
    if (channel.isOpen()) channel.sendMessage('from libdatachannel');
    await sleep(100);
  }
  const deleted = (await fetch(session, { method: 'DELETE' })).status;
  return { heard: heard[0], deleted };
}

console.log(JSON.stringify(what === 'publish' ? await publish() : await chat()));
process.exit(0);
