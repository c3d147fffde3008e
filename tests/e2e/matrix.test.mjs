// SPDX-License-Identifier: Apache-2.0
// matrix.test.mjs - every codec from every publisher to every viewer that has it, and the ways of sending that people ask for.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { assertSeen, client, makeFolder, openStage, python, runClient, seenFrames, sleep, until } from './lib.mjs';

const { server, ns, test, longTest, publish, watch, outside } = await openStage({ outside: true });

const seenBy = (page, after_ = 0) => page.evaluate((a) => window.watchedSoFar(a), after_);
const session = async (stream, role) => (await server.sessions()).find((s) => s.role === role && s.stream.startsWith(`${stream}/`));

const DECODERS = {
  aiortc: ['VP8', 'H264'],
  GStreamer: ['VP8', 'VP9', 'H264'],
  Firefox: ['VP8', 'VP9', 'AV1'],
};

for (const codec of ['VP8', 'VP9', 'H264', 'AV1']) {
  test(`Chromium ${codec}`, async (t) => {
    await publish({ stream: codec, codec });
    await t.test('to Chromium', async (t2) => {
      const viewer = await watch({ stream: codec });
      const seen = await seenFrames(viewer, 100);
      assertSeen(t2, seen, { frames: 100, delay: 600, hz: 1000 });
      assert.equal(seen.codec, `video/${codec}`);
      await viewer.close();
    });
    for (const [name, codecs] of Object.entries(DECODERS).filter(([, has]) => has.includes(codec))) {
      await t.test(`to ${name}`, { skip: name !== 'aiortc' && !ns && 'no namespaces here' }, async (t2) => {
        assert.ok(codecs.includes(codec));
        const seen = name === 'aiortc' ? await runClient([python, client('aiortc_view.py'), `${server.origin}/whep/${codec}`, codec, '30', '75'])
          : name === 'GStreamer' ? await ns.run(python, [client('gst_view.py'), `${outside()}/whep/${codec}`, codec, '30', '75'])
            : await ns.run('node', [client('firefox.mjs'), 'watch', outside(), codec, codec, '30', '75']);
        // GStreamer waits for its jitter buffer and decoders before the first frame.
        assertSeen(t2, seen, { frames: 75, delay: 800, first: 3000 });
      });
    }
  });
}

for (const codec of ['VP8', 'VP9', 'AV1']) {
  test(`Firefox ${codec} to Chromium`, async (t) => {
    if (!ns) return t.skip('no namespaces here');
    const published = ns.run('node', [client('firefox.mjs'), 'publish', outside(), `fox-${codec}`, codec, '30', '300']);
    published.catch(() => {}); // told below
    const viewer = await watch({ stream: `fox-${codec}` });
    await viewer.waitForFunction(() => window.watched.seen.length > 0, null, { timeout: 40000 });
    await sleep(1500); // Firefox begins small and coarse, and grows
    const seen = await seenFrames(viewer, 60, await viewer.evaluate(() => window.watched.since()));
    assert.deepEqual((await published).states, ['connecting', 'live']);
    // Its AV1 encoder smears the cells of the counter in some frames.
    assertSeen(t, seen, { frames: 60, delay: 800, hz: 1000, first: Infinity, whole: codec === 'AV1' ? 0.75 : 0.95 });
    assert.equal(seen.codec, `video/${codec}`);
  });
}

for (const codec of DECODERS.aiortc) {
  test(`aiortc ${codec} to Chromium`, async (t) => {
    const published = runClient([python, client('aiortc_publish.py'), `${server.origin}/whip/aiortc-${codec}`, codec, '12']);
    published.catch(() => {}); // told below
    const viewer = await watch({ stream: `aiortc-${codec}` });
    await viewer.waitForFunction(() => window.watched.seen.length > 0, null, { timeout: 40000 });
    const seen = await seenFrames(viewer, 75);
    assertSeen(t, seen, { frames: 75, delay: 800, hz: 1000, first: Infinity });
    assert.equal(seen.codec, `video/${codec}`);
    const { states, deleted } = await published;
    assert.deepEqual([...states, deleted], ['connecting', 'connected', 'closed', 200]);
  });
}

// High is what encoders make unless told otherwise, and what Chromium decodes but does not name.
for (const [profile, name] of [['baseline', '42c01e'], ['high', '64001e']]) test(`a file of H264 ${profile} by GStreamer to Chromium, not encoded again`, async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv');
  execFileSync(python, [client('make_clip.py'), clip, '12', '2', profile]);
  const published = ns.run('env', [`PROFILE=${name}`, python, client('gst_publish.py'), `${outside()}/whip/file-${profile}`, clip]);
  published.catch(() => {}); // told below
  const viewer = await watch({ stream: `file-${profile}` });
  const ended = await published;
  assert.equal(ended.end, 'end of file', JSON.stringify(ended));
  assert.equal(ended.deleted, 200);
  const seen = await seenBy(viewer);
  // The clip's clock is its own, so the delay says nothing. The tone has ended, too: its energy was counted.
  // On a busy machine the viewer comes late: what counts is the share of what was there from then on.
  assertSeen(t, seen, { frames: Math.max(100, 0.9 * (seen.lastId - seen.firstId)), first: Infinity });
  assert.ok(seen.lastId >= 355, `the end is missing: ${JSON.stringify(seen)}`);
  assert.equal(seen.codec, 'video/H264');
  folder.remove();
});

test('a source like OBS, a keyframe every 10 s and none on request: who joins late sees it at once, and soon the present', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv');
  execFileSync(python, [client('make_clip.py'), clip, '28', '10']);
  const published = ns.run('env', ['AGENT=Mozilla/5.0 (OBS-Studio/32.2.2; Linux x86_64; en-US)', python, client('gst_publish.py'), `${outside()}/whip/obs`, clip]);
  published.catch(() => {}); // told below
  const early = await watch({ stream: 'obs' });
  await early.waitForFunction(() => window.watched.seen.at(-1)?.id > 250, null, { timeout: 40000 });
  const late = await watch({ stream: 'obs' });
  await sleep(5000);
  const [one, other] = await Promise.all([seenBy(early), seenBy(late)]);
  t.diagnostic(`the late one: ${JSON.stringify(other)}`);
  assert.ok(other.firstAt <= 500, `the first frame came late: ${JSON.stringify(other)}`);
  assert.ok(other.firstId < 200, `not with the last keyframe: ${JSON.stringify(other)}`); // the page misses some frames of the fast motion
  assert.ok(one.lastId - other.lastId < 20, `behind: ${one.lastId} and ${other.lastId}`);
  assert.equal(other.back, 0);
  const at = await late.evaluate(() => window.watched.since());
  await sleep(6000); // over the next keyframe
  const seen = await seenBy(late, at);
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.frames > 120 && seen.longestGap < 500, JSON.stringify(seen));
  assert.ok((await seenBy(early)).lastId - seen.lastId < 12, JSON.stringify(seen));
  await published;
  folder.remove();
});

test('parameter sets in the offer alone: who joins late sees a picture', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv');
  execFileSync(python, [client('make_clip.py'), clip, '24', '2']);
  const published = ns.run('env', ['SETS=offer', python, client('gst_publish.py'), `${outside()}/whip/sets`, clip]);
  published.catch(() => {}); // told below
  const early = await watch({ stream: 'sets' });
  await early.waitForFunction(() => window.watched.seen.at(-1)?.id > 150, null, { timeout: 40000 });
  const late = await watch({ stream: 'sets' });
  const ended = await published;
  assert.equal(ended.end, 'end of file', JSON.stringify(ended));
  assertSeen(t, await seenBy(early), { frames: 300, first: Infinity });
  assertSeen(t, await seenBy(late), { frames: 150, first: 3000 });
  folder.remove();
});

test('FFmpeg publishes by itself', async (t) => {
  const muxers = spawnSync('ffmpeg', ['-hide_banner', '-muxers'], { encoding: 'utf8' }).stdout;
  if (!/ whip /.test(muxers)) return t.skip('this ffmpeg has no whip muxer (it came with 8.0)');
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv');
  execFileSync(python, [client('make_clip.py'), clip, '12']);
  const viewer = await watch({ stream: 'ffmpeg' });
  await runClient(['sh', '-c', `ffmpeg -loglevel error -re -i ${clip} -c copy -f whip ${server.origin}/whip/ffmpeg; echo $?`]);
  assertSeen(t, await seenBy(viewer), { frames: 200, first: Infinity });
  folder.remove();
});

for (const [name, options, viewing] of [
  ['simulcast H264', { codec: 'H264', simulcast: true }],
  ['simulcast VP9', { codec: 'VP9', simulcast: true }],
  ['SVC VP9 L3T3_KEY', { codec: 'VP9', svc: 'L3T3_KEY' }],
  ['SVC VP9 L3T3_KEY with dependency descriptor', { codec: 'VP9', svc: 'L3T3_KEY' }, { descriptor: true }],
  // Without the descriptor libwebrtc cannot tell the layers of AV1 apart.
  ['SVC AV1 L3T3 with dependency descriptor', { codec: 'AV1', svc: 'L3T3' }, { descriptor: true }],
]) {
  test(`${name} reaches the top layer`, async (t) => {
    const stream = name.replaceAll(' ', '-');
    await publish({ stream, ...options });
    const viewer = await watch({ stream, ...viewing });
    const began = Date.now();
    // A busy libwebrtc leaves out frames of its top spatial layer, and with them the marker that ends a picture; its own receiver then waits for a
    // keyframe. So two good seconds in a row are what is asked for.
    for (let seen = null; !(seen?.width === 960 && seen.frames >= 35 && seen.longestGap < 500);) {
      assert.ok(Date.now() - began < 30000, JSON.stringify(seen));
      const at = await viewer.evaluate(() => window.watched.since());
      await sleep(2000);
      seen = await seenBy(viewer, at);
      if (seen.frames >= 35) assertSeen(t, seen, { frames: 35, delay: 1000, hz: 1000, first: Infinity });
    }
    t.diagnostic(`well after ${Date.now() - began} ms`);
  });
}

test('SVC AV1 L3T3: viewers that cannot take its layers get the lowest one', async (t) => {
  await publish({ stream: 'av1-base', codec: 'AV1', svc: 'L3T3' });
  const viewer = await watch({ stream: 'av1-base' }); // asks for no dependency descriptor
  await sleep(5000);
  const at = await viewer.evaluate(() => window.watched.since());
  await sleep(3000);
  const seen = await seenBy(viewer, at);
  t.diagnostic(JSON.stringify(seen));
  // Too small for the counter: that frames are decoded, in time and in order, is what shows.
  assert.ok(seen.frames >= 30 && seen.longestGap < 500 && seen.decoded > 60, JSON.stringify(seen));
  if (!ns) return;
  const fox = await ns.run('node', [client('firefox.mjs'), 'watch', outside(), 'av1-base', 'AV1', '8']);
  t.diagnostic(JSON.stringify(fox));
  assert.ok(fox.frames >= 60 && fox.decoded > 60, JSON.stringify(fox));
});

test('RED audio, and unwrapped for who has none', async (t) => {
  // The answer lists opus first; a publisher that wants RED all the same sends it.
  const sendsRed = [() => window.rewriteAnswers((sdp) => sdp.replace('SAVPF 111 63', 'SAVPF 63 111'))];
  const hasNone = [() => window.rewriteOffers((sdp) => sdp.replace('SAVPF 111 63', 'SAVPF 111').replace(/a=(rtpmap|fmtp):63 .*\r\n/g, ''))];
  await publish({ stream: 'red', codec: 'VP8', audioCodec: 'red' }, sendsRed);
  const sizes = [];
  for (const prepare of [undefined, hasNone]) {
    const viewer = await watch({ stream: 'red' }, prepare);
    const seen = await seenFrames(viewer, 100); // sound, too, for some seconds
    assertSeen(t, seen, { frames: 60, delay: 600, hz: 1000 });
    assert.ok(seen.concealed < 0.1 * seen.samples, JSON.stringify(seen));
    sizes.push(seen.audioBytes / seen.audioPackets);
    await viewer.close();
  }
  // The browser's statistics say opus of both: what tells is that RED carries each frame twice.
  t.diagnostic(`bytes a packet: ${sizes.map(Math.round).join(' with RED, ')} without`);
  assert.ok(sizes[0] > 1.6 * sizes[1]);
});

/** Lets a publisher send one of its simulcast layers, or not. */
const activate = (publisher, layer, active) => publisher.evaluate(async ([i, on]) => {
  const sender = window.published.session.pc.getSenders().find((s) => s.track?.kind === 'video'), parameters = sender.getParameters();
  parameters.encodings[i].active = on;
  await sender.setParameters(parameters);
}, [layer, active]);

test('simulcast: the top layer is paused and comes back, the picture goes on', async (t) => {
  const publisher = await publish({ stream: 'pause', codec: 'VP8', simulcast: true });
  const viewer = await watch({ stream: 'pause' });
  await viewer.waitForFunction(() => window.watched.seen.at(-1)?.w === 960, null, { timeout: 20000 });
  for (const [active, width] of [[false, 480], [true, 960]]) {
    await activate(publisher, 2, active);
    const at = await viewer.evaluate(() => window.watched.since());
    await viewer.waitForFunction((w) => window.watched.seen.at(-1).w === w, width, { timeout: 15000 });
    const seen = await seenFrames(viewer, 60, at);
    assertSeen(t, seen, { frames: 30, delay: 600, hz: 1000, first: Infinity });
    assert.ok(seen.longestGap < 1500, `a gap of ${seen.longestGap} ms`);
  }
});

/** As pages did it before there were rids: two more streams beside the one that the browser offers, each with its RTX, in a group. */
const grouped = [() => window.rewriteOffers((sdp) => {
  const [, first, rtx] = sdp.match(/a=ssrc-group:FID (\d+) (\d+)/).map(Number), [, cname] = sdp.match(/a=ssrc:\d+ cname:(\S+)/), [, msid] = sdp.match(/m=video[^]*?a=msid:(.*)\r\n/);
  const lines = (ssrc) => `a=ssrc:${ssrc} cname:${cname}\r\na=ssrc:${ssrc} msid:${msid}\r\n`;
  const more = [1, 2].map((i) => `a=ssrc-group:FID ${first + i} ${rtx + i}\r\n${lines(first + i)}${lines(rtx + i)}`).join('');
  return `${sdp}${more}a=ssrc-group:SIM ${first} ${first + 1} ${first + 2}\r\n`;
})];

longTest('simulcast by SSRC group, as munged offers have it: its layers are listed, and a viewer chooses', async (t) => {
  await publish({ stream: 'group', codec: 'VP8', size: [960, 540] }, grouped);
  const viewer = await watch({ stream: 'group' });
  await viewer.waitForFunction(() => window.watched.seen.at(-1)?.w === 960, null, { timeout: 20000 });
  const layers = (await session('group', 'publish')).tracks.filter((x) => x.kind === 'video').map((x) => x.rid);
  assert.deepEqual(layers, ['s0', 's1', 's2']);
  const at = await viewer.evaluate(() => window.watched.since());
  const answer = await viewer.evaluate(async () => {
    const { session } = window.watched, mid = session.pc.getTransceivers().find((x) => x.receiver.track.kind === 'video').mid;
    return fetch(`${session.resource}/layer`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ mediaId: mid, rid: 's1' }) }).then(async (r) => `${r.status} ${await r.text()}`);
  });
  assert.match(answer, /^200/);
  // Of what size Chromium makes which of them is its own business, and not always three: tests/server/test_clients.c goes from one to another.
  const chosen = async () => (await session('group', 'play')).tracks.find((x) => x.kind === 'video');
  await until(async () => (await chosen()).rid === 's1' && (await chosen()).aim.why === 'wish', 15000, 'it is sent what it chose');
  assertSeen(t, await seenFrames(viewer, 60, at), { frames: 45, delay: 600, hz: 1000, first: Infinity });
});

// Of a screen 4 s of silence are normal, so that only the publisher's word tells that its top layer has ended.
test('simulcast: viewers leave a layer of a screen at the word that it has ended', async (t) => {
  const publisher = await publish({ stream: 'word', codec: 'VP8', simulcast: true, hint: 'detail' });
  const viewer = await watch({ stream: 'word' });
  await viewer.waitForFunction(() => window.watched.seen.at(-1)?.w === 960, null, { timeout: 20000 });
  const at = await viewer.evaluate(() => window.watched.since());
  await activate(publisher, 2, false);
  await viewer.waitForFunction(() => window.watched.seen.at(-1).w === 480 && window.watched.seen.at(-1).good, null, { timeout: 15000 });
  const { longestGap } = await viewer.evaluate((from) => window.watchedSoFar(from), at);
  t.diagnostic(`longest gap ${longestGap} ms`);
  assert.ok(longestGap < 3000, `a gap of ${longestGap} ms`);
});

const munge = (more) => [(words) => window.rewriteOffers((sdp) => sdp.replace(/useinbandfec=1/g, `useinbandfec=1;${words}`)), more];

test('stereo: left and right stay apart', async (t) => {
  await publish({ stream: 'stereo', codec: 'VP8', frequencies: [1000, 3000] }, munge('stereo=1;sprop-stereo=1'));
  const viewer = await watch({ stream: 'stereo' }, munge('stereo=1;sprop-stereo=1'));
  const seen = await seenFrames(viewer, 100);
  assertSeen(t, seen, { frames: 60, delay: 600, hz: 1000 });
  assert.ok(Math.abs(seen.rightHz - 3000) < 50, `right: ${seen.rightHz} Hz`);
});

test('DTX: silence costs next to nothing, and breaks nothing', async (t) => {
  await publish({ stream: 'dtx', codec: 'VP8', frequencies: [0] }, munge('usedtx=1'));
  const viewer = await watch({ stream: 'dtx' });
  await sleep(6000);
  const seen = await seenBy(viewer);
  assertSeen(t, seen, { frames: 100, delay: 600, sound: false });
  t.diagnostic(`${seen.audioPackets} packets of audio in 6 s`);
  assert.ok(seen.audioPackets > 0 && seen.audioPackets < 150, `${seen.audioPackets} packets`);
});

test('audio only', async (t) => {
  await publish({ stream: 'radio', kinds: 'a' });
  const viewer = await watch({ stream: 'radio' });
  await viewer.waitForFunction(() => Math.abs(window.watched.heard.hz[0] - 1000) < 50, null, { timeout: 10000 });
  await sleep(3000);
  const seen = await seenBy(viewer);
  t.diagnostic(`${seen.audioPackets} packets, ${seen.concealed} of ${seen.samples} samples concealed`);
  assert.ok(seen.audioPackets > 120 && seen.audioLevel > 0.1, JSON.stringify(seen));
  assert.deepEqual(seen.states, ['connecting', 'live']);
});

test('video only', async (t) => {
  await publish({ stream: 'mute', codec: 'VP8', kinds: 'v' });
  const viewer = await watch({ stream: 'mute' });
  const seen = await seenFrames(viewer, 90);
  assertSeen(t, seen, { frames: 90, delay: 400, sound: false });
  assert.equal(seen.audioPackets, 0);
});

test('a viewer without video hears', async () => {
  await publish({ stream: 'ear', codec: 'VP8' });
  const viewer = await watch({ stream: 'ear', kinds: 'a' });
  await viewer.waitForFunction(() => Math.abs(window.watched.heard.hz[0] - 1000) < 50, null, { timeout: 10000 });
  assert.equal((await session('ear', 'play')).tracks.length, 1);
});

test('ICE-TCP only, where UDP is blocked', async (t) => {
  const tcpOnly = [() => window.rewriteAnswers((sdp) => sdp.replace(/a=candidate:\S+ \d udp .*\r\n/g, ''))];
  await publish({ stream: 'tcp', codec: 'VP8' }, tcpOnly);
  const viewer = await watch({ stream: 'tcp' }, tcpOnly);
  assertSeen(t, await seenFrames(viewer, 100), { frames: 100, delay: 600, hz: 1000 });
  for (const role of ['publish', 'play']) assert.equal((await session('tcp', role)).transport, 'tcp', role);
});
