// SPDX-License-Identifier: Apache-2.0
// webclients.test.mjs - the WHIP and WHEP libraries that web pages use, unchanged, from a page of another origin: each publishes or plays painted
// frames, trickles as it does, and takes its leave. And WebRTC stacks for Node. Needs webclients/node_modules: npm ci there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after } from 'node:test';
import { assertSeen, client, freePorts, here, makeFolder, marker, openStage, python, runClient, seenFrames, sleep, until } from './lib.mjs';

const TOKEN = 'let-them-in';
const { server, browser, test, publish, watch } = await openStage();
const site = await openSite();
after(() => site.close());

/** Another site, with the libraries in its page. */
async function openSite() {
  const folder = makeFolder('webclients'), out = join(folder.path, 'players.js');
  execFileSync(join(here, 'webclients/node_modules/.bin/esbuild'), [join(here, 'webclients/players.js'), '--bundle', '--format=iife', '--global-name=players', `--outfile=${out}`, '--log-level=error']);
  const bundle = readFileSync(out), [port] = await freePorts(1);
  folder.remove();
  const answering = createServer((request, response) => {
    const script = request.url === '/players.js';
    response.writeHead(200, { 'Content-Type': script ? 'text/javascript' : 'text/html' });
    response.end(script ? bundle : '<!doctype html><title>another site</title><video autoplay playsinline></video><script src="/players.js"></script>');
  }).listen(port, '127.0.0.1');
  answering.origin = `http://127.0.0.1:${port}`;
  return answering;
}

/** A page of the other site, which records what it says over HTTP. */
async function foreignPage() {
  const page = await browser.context.newPage();
  page.said = [];
  page.on('response', (r) => page.said.push(`${r.request().method()} ${r.status()}`));
  await page.goto(site.origin);
  await page.evaluate(marker);
  return page;
}

const seenBy = (page) => page.evaluate(() => window.watchedSoFar());
const gone = (stream, role) => until(async () => !(await server.sessions()).some((s) => s.role === role && s.stream.startsWith(`${stream}/`)), 5000, `${role} of ${stream} has left`);
const refused = (page) => page.said.filter((s) => / [45]\d\d$/.test(s));

async function assertWatched(t, stream) {
  const viewer = await watch({ stream });
  assertSeen(t, await seenFrames(viewer, 60), { frames: 60, delay: 800, hz: 1000 });
}

test('medooze: publishes with trickle, restarts ICE, says DELETE', async (t) => {
  const page = await foreignPage(), stream = 'medooze';
  await page.evaluate(async ([url, token]) => {
    const { media } = await window.markedMedia();
    window.pc = new RTCPeerConnection();
    media.getTracks().forEach((track) => window.pc.addTransceiver(track, { direction: 'sendonly', streams: [media] }));
    window.whip = new window.players.MedoozeWhip();
    await window.whip.publish(window.pc, url, token);
  }, [`${server.origin}/whip/${stream}`, TOKEN]);
  await page.waitForFunction(() => window.pc.connectionState === 'connected', null, { timeout: 10000 });
  await assertWatched(t, stream);
  assert.ok(page.said.includes('PATCH 204'), page.said.join(', '));
  const before_ = await page.evaluate(() => window.pc.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]);
  await page.evaluate(() => window.whip.restart());
  await until(() => page.said.includes('PATCH 200'), 5000, 'the restart is answered');
  await sleep(1500);
  assert.equal(await page.evaluate(() => window.pc.connectionState), 'connected');
  assert.notEqual(await page.evaluate(() => window.pc.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]), before_);
  await assertWatched(t, stream);
  await page.evaluate(() => window.whip.stop());
  await gone(stream, 'publish');
  assert.deepEqual(refused(page), []);
});

test('medooze: plays with trickle, restarts ICE, says DELETE', async (t) => {
  const page = await foreignPage(), stream = 'for-medooze';
  await publish({ stream, codec: 'VP8' });
  await page.evaluate(async (url) => {
    const el = document.querySelector('video');
    const pc = window.pc = new RTCPeerConnection();
    el.srcObject = new MediaStream();
    pc.ontrack = ({ track }) => el.srcObject.addTrack(track);
    window.followElement(el, () => pc);
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    window.whep = new window.players.MedoozeWhep();
    await window.whep.view(pc, url);
  }, `${server.origin}/whep/${stream}`);
  assertSeen(t, await seenFrames(page, 60), { frames: 60, delay: 800, hz: 1000 });
  assert.ok(page.said.includes('PATCH 204'), `trickles without an ETag: ${page.said.join(', ')}`);
  await page.evaluate(() => window.whep.restart());
  await until(() => page.said.includes('PATCH 200'), 5000, 'the restart is answered');
  const at = (await seenBy(page)).frames;
  assert.ok((await seenFrames(page, at + 31)).frames > at + 30, 'plays on after the restart');
  await page.evaluate(() => window.whep.stop());
  await gone(stream, 'play');
  assert.deepEqual(refused(page), []);
});

test('Eyevinn: publishes with trickle, says DELETE', async (t) => {
  const page = await foreignPage(), stream = 'eyevinn';
  await page.evaluate(async (url) => {
    const { media } = await window.markedMedia();
    window.whip = new window.players.EyevinnWhip({ endpoint: url, opts: { iceServers: [] } });
    await window.whip.setIceServersFromEndpoint();
    await window.whip.ingest(media);
  }, `${server.origin}/whip/${stream}`);
  await assertWatched(t, stream);
  assert.ok(page.said.includes('PATCH 204'), page.said.join(', '));
  await page.evaluate(() => window.whip.destroy());
  await gone(stream, 'publish');
  assert.deepEqual(refused(page), []);
});

test('Eyevinn: plays', async (t) => {
  const page = await foreignPage(), stream = 'for-eyevinn';
  await publish({ stream, codec: 'VP8' });
  await page.evaluate(async (url) => {
    const el = document.querySelector('video');
    window.player = new window.players.EyevinnPlayer({ video: el, type: 'whep', iceServers: [], detectTimeout: false });
    window.followElement(el, () => window.player.peer);
    await window.player.load(new URL(url));
  }, `${server.origin}/whep/${stream}`);
  // It gathers candidates for up to 2 s.
  assertSeen(t, await seenFrames(page, 60), { frames: 60, delay: 800, hz: 1000, first: 5000 });
  assert.deepEqual(refused(page), []);
});

for (const layers of [1, 3]) {
  test(`OvenLiveKit: publishes ${layers} layers as H264 with a header of its own, says DELETE`, async (t) => {
    const page = await foreignPage(), stream = `oven-${layers}`;
    await page.evaluate(async ([url, n]) => {
      const { media } = await window.markedMedia();
      window.oven = window.players.OvenLiveKit.create();
      await window.oven.setMediaStream(media);
      window.oven.startStreaming(url, n > 1 ? { simulcast: [4, 2, 1].map((scaleResolutionDownBy) => ({ scaleResolutionDownBy })) } : {});
    }, [`${server.origin}/whip/${stream}`, layers]);
    await until(() => page.said.includes('POST 201'), 8000, `it is let in: ${page.said.join(', ')}`);
    await assertWatched(t, stream);
    const [session] = (await server.sessions()).filter((s) => s.role === 'publish' && s.stream === `${stream}/main`);
    assert.equal(session.tracks.filter((x) => x.kind === 'video').length, layers, JSON.stringify(session));
    await page.evaluate(() => window.oven.stopStreaming());
    await gone(stream, 'publish');
    assert.deepEqual(refused(page), []);
  });
}

test('Livepeer: publishes and plays with a header of its own; leaves without DELETE', async (t) => {
  const source = await foreignPage(), page = await foreignPage(), stream = 'livepeer';
  await source.evaluate(async (url) => {
    const { media } = await window.markedMedia();
    window.whip = window.players.livepeerWhip({ ingestUrl: url, element: document.querySelector('video'), sdpTimeout: null, iceServers: [],
      callbacks: { onRTCPeerConnection: (pc) => window.players.attachMediaStreamToPeerConnection({ mediaStream: media, peerConnection: pc }) } });
  }, `${server.origin}/whip/${stream}`);
  await until(() => source.said.includes('POST 201'), 10000, `it is let in: ${source.said.join(', ')}`);
  await page.evaluate(async ([url, jwt]) => {
    const el = document.querySelector('video'), made = window.RTCPeerConnection;
    window.RTCPeerConnection = function (...args) { return window.pc = new made(...args); };
    window.followElement(el, () => window.pc);
    window.whep = window.players.livepeerWhep({ source: url, element: el, callbacks: {}, accessControl: { jwt }, sdpTimeout: null, iceServers: [] });
  }, [`${server.origin}/whep/${stream}`, TOKEN]);
  await until(() => page.said.includes('POST 201'), 10000, `it is let in: ${page.said.join(', ')}`);
  assertSeen(t, await seenFrames(page, 60), { frames: 60, delay: 800, hz: 1000 });
  await page.evaluate(() => window.whep.destroy());
  await source.evaluate(() => window.whip.destroy());
  await gone(stream, 'play');
  await gone(stream, 'publish');
  assert.deepEqual([...refused(source), ...refused(page)], []);
});

for (const library of ['wrtc', 'werift']) {
  test(`${library} in Node plays`, async (t) => {
    await publish({ stream: `for-${library}`, codec: 'VP8' });
    const seen = await runClient(['node', join(here, 'webclients/peer.mjs'), library, 'play', `${server.origin}/whep/for-${library}`, '5']);
    t.diagnostic(JSON.stringify(seen));
    assert.equal(seen.deleted, 200);
    if (library === 'werift') {
      assert.ok(seen.audio > 150 && seen.video > 100, JSON.stringify(seen));
      assert.ok(seen.audioGaps === 0 && seen.videoGaps === 0, JSON.stringify(seen));
      return;
    }
    assert.ok(seen.frames > 90 && seen.good >= 0.95 * seen.frames && seen.back === 0, JSON.stringify(seen));
    assert.ok(seen.audioLevel > 1000, JSON.stringify(seen));
  });
}

test('wrtc in Node publishes', async (t) => {
  const published = runClient(['node', join(here, 'webclients/peer.mjs'), 'wrtc', 'publish', `${server.origin}/whip/from-wrtc`, '9']);
  published.catch(() => {}); // told below
  await until(async () => (await server.sessions()).some((s) => s.stream.startsWith('from-wrtc/')), 10000, 'it publishes');
  await sleep(1500);
  await assertWatched(t, 'from-wrtc');
  assert.equal((await published).deleted, 200);
});

const datachannel = (...argv) => runClient(['node', join(here, 'webclients/datachannel.mjs'), ...argv.map(String)]);

test('libdatachannel as OBS sets it up, a keyframe every 10 s: who joins late sees a picture within 500 ms', async (t) => {
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv'), raw = join(folder.path, 'clip.h264');
  execFileSync(python, [client('make_clip.py'), clip, '16', '10']);
  execFileSync('ffmpeg', ['-loglevel', 'error', '-i', clip, '-c', 'copy', '-an', raw]);
  const published = datachannel('publish', `${server.origin}/whip/like-obs`, 16, raw);
  published.catch(() => {}); // told below
  const early = await watch({ stream: 'like-obs' });
  await early.waitForFunction(() => window.watched.seen.at(-1)?.id > 200, null, { timeout: 20000 });
  const late = await watch({ stream: 'like-obs' });
  await sleep(4000);
  const seen = await seenBy(late), [session] = (await server.sessions()).filter((s) => s.role === 'publish' && s.stream === 'like-obs/main');
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.firstAt >= 0 && seen.firstAt <= 500, `the first frame came late: ${JSON.stringify(seen)}`);
  assert.ok(seen.good >= 60 && seen.good >= 0.95 * seen.frames && seen.back === 0, JSON.stringify(seen));
  assert.deepEqual([session.client, session.quirks], ['obs/32.2', 'obs-no-pli']);
  assert.ok((await published).deleted === 200, JSON.stringify(await published));
  folder.remove();
});

test('libdatachannel: a data channel and nothing else, without SRTP', async () => {
  const [one, other] = await Promise.all([datachannel('chat', `${server.origin}/whep/chat`, 5), datachannel('chat', `${server.origin}/whep/chat`, 5)]);
  for (const said of [one, other]) assert.deepEqual(said, { heard: 'from libdatachannel', deleted: 200 });
});
