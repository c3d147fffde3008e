// SPDX-License-Identifier: Apache-2.0
// quick.test.mjs - one end-to-end test per kind of client: real encoders, real decoders, and the viewer's pixels and sound as proof.
import assert from 'node:assert/strict';
import { assertSeen, client, openStage, python, runClient, seenFrames, sleep, until } from './lib.mjs';

const { server, browser, ns, test, publish, watch, outside } = await openStage({ outside: true });

test('Chromium VP8 and Opus to Chromium: every frame in order, the tone, and the delay', async (t) => {
  const publisher = await publish({ stream: 'vp8', codec: 'VP8' });
  const viewer = await watch({ stream: 'vp8' });
  const seen = await seenFrames(viewer, 120);
  assertSeen(t, seen, { frames: 120, delay: 400, hz: 1000 });
  assert.equal(seen.codec, 'video/VP8');
  assert.deepEqual(seen.states, ['connecting', 'live']);

  await t.test('the same to aiortc', async (t2) => {
    const viewed = await runClient([python, client('aiortc_view.py'), `${server.origin}/whep/vp8`, 'VP8', '30', '90']);
    assertSeen(t2, viewed, { frames: 90, delay: 600 });
  });
  await t.test('the same to Firefox', { skip: !ns && 'no namespaces here' }, async (t2) => {
    const viewed = await ns.run('node', [client('firefox.mjs'), 'watch', outside(), 'vp8', 'VP8', '30', '90']);
    assertSeen(t2, viewed, { frames: 90, delay: 600 });
  });
});

test('Chromium H264 to GStreamer', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const publisher = await publish({ stream: 'h264', codec: 'H264' });
  const seen = await ns.run(python, [client('gst_view.py'), `${outside()}/whep/h264`, 'H264', '30', '90']);
  assertSeen(t, seen, { frames: 90, delay: 600 });
});

test('Firefox VP8 to Chromium', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const viewer = await watch({ stream: 'fox' });
  const published = ns.run('node', [client('firefox.mjs'), 'publish', outside(), 'fox', 'VP8', '30', '300']);
  published.catch(() => {}); // told below
  await viewer.waitForFunction(() => window.watched.seen.length > 0, null, { timeout: 40000 });
  await sleep(1500); // Firefox begins small and coarse, and grows
  const seen = await seenFrames(viewer, 60, await viewer.evaluate(() => window.watched.since()));
  assert.deepEqual((await published).states, ['connecting', 'live']);
  assertSeen(t, seen, { frames: 60, delay: 600, hz: 1000, first: Infinity });
});

test('simulcast reaches the top layer', async (t) => {
  const publisher = await publish({ stream: 'cast', codec: 'VP8', simulcast: true });
  const viewer = await watch({ stream: 'cast' });
  const began = Date.now();
  await viewer.waitForFunction(() => window.watched.seen.at(-1)?.w === 960, null, { timeout: 20000 });
  t.diagnostic(`960 wide after ${Date.now() - began} ms`);
  const seen = await seenFrames(viewer, 45, await viewer.evaluate(() => window.watched.since() + 500));
  assert.equal(seen.width, 960);
  assertSeen(t, seen, { frames: 45, delay: 400, hz: 1000, first: Infinity });
  const [session] = (await server.sessions()).filter((s) => s.role === 'publish' && s.stream.startsWith('cast'));
  assert.equal(session.tracks.filter((x) => x.kind === 'video').length, 3, 'three layers at the server');
});

test('the page: publish in one tab, watch in another, stop', async (t) => {
  const faults = [];
  const open = async (hash) => {
    const page = await browser.context.newPage();
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && faults.push(`${m.text()} ${m.location().url}`));
    page.on('pageerror', (e) => faults.push(e.message));
    await page.goto(`${server.origin}/#${hash}`);
    return page;
  };
  const state = (page) => page.evaluate(() => document.body.dataset.state);
  const publisher = await open('publish/stage');
  await publisher.click('#go');
  await until(async () => await state(publisher) === 'live', 10000, 'the publisher is live');

  const viewer = await open('watch/stage');
  const began = Date.now();
  await viewer.waitForFunction(() => document.getElementById('video').videoWidth > 0 && document.getElementById('video').currentTime > 0, null, { timeout: 10000 });
  const took = Date.now() - began;
  t.diagnostic(`picture after ${took} ms`);
  assert.ok(took < 2000, `the picture came after ${took} ms`);
  await until(async () => (await viewer.textContent('#facts')).includes('kbit/s'), 5000, 'the numbers are shown');
  await until(async () => /[1-9]\d* kbit/.test(await publisher.textContent('#facts')), 5000, 'the publisher sees what it sends');
  assert.match(await viewer.textContent('#facts'), /Picture\d+ × \d+/);
  assert.ok(await viewer.evaluate(() => document.getElementById('veil').classList.contains('gone')), 'nothing covers the picture');
  assert.equal((await server.sessions()).filter((s) => s.stream.startsWith('stage')).length, 2);

  await publisher.click('#go');
  const stopped = Date.now();
  await until(async () => !(await server.sessions()).some((s) => s.stream.startsWith('stage') && s.role === 'publish'), 2000, 'the session is gone from the list');
  t.diagnostic(`session gone after ${Date.now() - stopped} ms`);
  assert.equal(await state(publisher), 'idle');
  await until(async () => ['reconnecting', 'waiting'].includes(await state(viewer)), 10000, 'the viewer is told');
  t.diagnostic(`viewer told after ${Date.now() - stopped} ms: ${await viewer.textContent('#veil-title')}`);

  await publisher.click('#go');
  await until(async () => await state(viewer) === 'live' && await viewer.evaluate(() => document.getElementById('veil').classList.contains('gone')), 12000, 'the viewer plays again by itself');
  // A refused POST while nobody publishes is told by the browser itself, on its console.
  assert.deepEqual(faults.filter((f) => !/status of 409/.test(f)), []);
  await viewer.click('#go');
  await publisher.click('#go');
  await until(async () => (await server.sessions()).every((s) => !s.stream.startsWith('stage')), 2000, 'no session is left');
});
