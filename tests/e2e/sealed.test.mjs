// SPDX-License-Identifier: Apache-2.0
// sealed.test.mjs - end-to-end encryption on the conference page: who has the link's key sees, hears and reads the others; who has none, or another one, is told so and shown nothing.
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { isSealed, makeKey, open, Ring, Sealer } from '../../signaling/web/seal.js';
import { openStage, sleep, until } from './lib.mjs';

globalThis.crypto ??= webcrypto; // Debian 12's Node has no such global
const { server, browser, test, longTest } = await openStage();

/** way: what only() does in the page. */
async function join(name, query, { room = 'vault', way } = {}) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  if (way) await page.addInitScript(only, way);
  await page.goto(`${server.origin}/room.html#${room}${query}`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await page.click('#door button[type=submit]');
  return page;
}

/** {label: what its tile shows}. */
const tiles = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll('.tile')].map((t) => [t.querySelector('b').textContent,
  !t.querySelector('.shut').hidden ? t.querySelector('.shut').textContent.trim() : t.querySelector('video').videoWidth > 0 ? `picture${t.querySelector('.plain').hidden ? '' : ', not encrypted'}` : 'nothing'])));
const shows = (page, label, want) => until(async () => want.test((await tiles(page))[label] || ''), 40000, `${label}: ${want}`).catch(async (e) => assert.fail(`${e.message}; there is ${JSON.stringify(await tiles(page))}`));
const decoded = (page) => page.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp').reduce((n, s) => ({ frames: n.frames + (s.framesDecoded || 0), energy: n.energy + (s.totalAudioEnergy || 0) }), { frames: 0, energy: 0 }));

/** A frame as codecs make it: how it begins, then anything, with many zeros. */
function frameOf(start, length) {
  const frame = crypto.getRandomValues(new Uint8Array(length)).map((x) => (x < 128 ? 0 : x));
  frame.set(start.slice(0, length));
  return frame;
}

const SPS_PPS = [0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0x8c, 0x8d, 0x40, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80];
const starts = (data) => data.reduce((n, _, i) => n + (data[i] === 0 && data[i + 1] === 0 && data[i + 2] === 1), 0);

test('a frame opens with its key only, whole only', async () => {
  const key = makeKey(), ring = new Ring(key);
  const rows = [ // kind, type, how it begins, length, bytes that stay clear
    ['video', 'key', [0x50, 0x1a, 0, 0x9d, 0x01, 0x2a], 4000, 10], ['video', 'delta', [0x31], 900, 3], ['video', 'delta', [0x31], 2, 2], // VP8
    ['video', 'key', [0x82, 0x49, 0x83, 0x42], 4000, 10], ['video', 'delta', [0x86, 0], 900, 3], // VP9
    ['video', 'key', [...SPS_PPS, 0, 0, 1, 0x65, 0xb8, 0x40], 4000, SPS_PPS.length + 6], ['video', 'delta', [0, 0, 0, 1, 0x41, 0x9a, 0], 900, 7], // H.264
    ['video', 'delta', [0, 0, 0, 1, 0x41, 0, 0, 0, 0, 1], 900, 7], ['video', 'delta', [0, 0, 1, 0x41, 0x9a, 0], 6, 6],
    ['video', 'key', [0x12, 0, 0x0a, 0x0b, 0, 0, 0], 4000, 0], ['video', 'delta', [0x12, 0, 0x32], 900, 0], ['video', 'delta', [0x32, 9], 2, 0], // AV1
    ['audio', undefined, [0x78], 80, 1], ['audio', undefined, [], 0, 0],
  ];
  for (const [kind, type, start, length, clear] of rows) {
    const sealer = new Sealer(ring, kind), plain = frameOf(start, length), one = await sealer.seal(plain.buffer, type), two = await sealer.seal(plain.buffer, type);
    assert.ok(isSealed(one) && !isSealed(plain.buffer));
    assert.deepEqual(new Uint8Array(one, 0, clear), plain.subarray(0, clear), 'the header stays clear');
    assert.notDeepEqual(new Uint8Array(one), new Uint8Array(two), 'no two frames look alike');
    assert.deepEqual(new Uint8Array(await open(new Ring(key), kind, one)), plain);
    await assert.rejects(open(new Ring(makeKey()), kind, one));
    await assert.rejects(open(ring, kind === 'audio' ? 'video' : 'audio', one));
    const annexB = plain[0] === 0 && length > 0;
    if (annexB) assert.equal(starts(new Uint8Array(one)), starts(plain.subarray(0, clear)), 'nothing sealed looks like the start of a NAL unit');
    for (let at = annexB ? clear - 2 : clear === 0 && length > 0 ? 1 : 0; at < one.byteLength - 4; at += 1 + Math.floor(one.byteLength / 60)) { // H.264's parameter sets and the OBU header are no secret
      const bent = one.slice(0);
      new Uint8Array(bent)[at] ^= 1;
      await assert.rejects(open(ring, kind, bent), `byte ${at} of ${one.byteLength}`);
    }
    for (let cut = 0; cut < one.byteLength; cut += 1 + Math.floor(one.byteLength / 100)) await assert.rejects(open(ring, kind, one.slice(0, cut)), `cut to ${cut}`);
  }
  assert.equal(await new Ring(key).openText(await ring.sealText('grüezi')), 'grüezi');
  await assert.rejects(new Ring(makeKey()).openText(await ring.sealText('grüezi')));
});

test('what packetisers rewrite does not matter', async () => {
  const ring = new Ring(makeKey()), plain = frameOf([...SPS_PPS, 0, 0, 1, 0x65, 0xb8, 0x40], 600), h264 = new Uint8Array(await new Sealer(ring, 'video').seal(plain.buffer, 'key'));
  const slice = SPS_PPS.length; // its start code comes out longer
  assert.deepEqual(new Uint8Array(await open(ring, 'video', Uint8Array.from([...h264.subarray(0, slice), 0, ...h264.subarray(slice)]).buffer)), Uint8Array.from([...plain.subarray(0, slice), 0, ...plain.subarray(slice)]));
  const temporalUnit = frameOf([0x12, 0, 0x0a, 0x0b], 600), av1 = new Uint8Array(await new Sealer(ring, 'video').seal(temporalUnit.buffer, 'key'));
  const content = av1.subarray(1), sized = Uint8Array.from([av1[0] | 2, 0x80 | (content.length & 127), content.length >> 7, ...content]); // its OBU comes out with a size
  assert.deepEqual(new Uint8Array(await open(ring, 'video', sized.buffer)), temporalUnit);
});

test('the key changes while frames are under way', async () => {
  const [old, fresh] = [makeKey(), makeKey()], ada = new Ring(old), bob = new Ring(old), eve = new Ring(old), sealer = new Sealer(ada, 'video'), plain = frameOf([0x31], 300);
  const before = await sealer.seal(plain.buffer, 'delta');
  bob.add(fresh);
  assert.deepEqual(new Uint8Array(await open(eve, 'video', await sealer.seal(plain.buffer, 'delta'))), plain, 'added is not used');
  ada.use(fresh);
  const after = await sealer.seal(plain.buffer, 'delta');
  for (const frame of [after, before]) assert.deepEqual(new Uint8Array(await open(bob, 'video', frame)), plain);
  await assert.rejects(open(eve, 'video', after), 'who has only the old key');
  assert.equal(await bob.openText(await ada.sealText('new')), 'new');
  for (let i = 0; i < 6; i++) bob.add(makeKey());
  assert.equal(await ada.openText(await bob.sealText('still old')), 'still old', 'what is used is not forgotten, however many are added');
});

test('two with the key, one without, one with another', async (t) => {
  const key = makeKey(), requests = [];
  const ada = await join('Ada', `?key=${key}`);
  assert.ok(await ada.isVisible('#sealed'));
  assert.equal(await ada.evaluate(() => location.hash), '#vault', 'the key leaves the address bar');
  ada.on('request', (r) => requests.push(r.url() + (r.postData() || '') + JSON.stringify(r.headers())));
  const bob = await join('Bob', `?key=${key}`);
  await shows(ada, 'Bob', /^picture$/);
  await shows(bob, 'Ada', /^picture$/);
  await seesAndHears(bob, 'Bob');

  const eve = await join('Eve', ''), mallory = await join('Mallory', `?key=${makeKey()}`);
  await shows(eve, 'Ada', /Ada is encrypted/);
  await shows(eve, 'Bob', /Bob is encrypted/);
  await shows(mallory, 'Ada', /Ada uses another key/);
  await shows(ada, 'Eve', /^picture, not encrypted$/);
  await shows(ada, 'Mallory', /Mallory uses another key/);
  await until(() => eve.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video' && s.bytesReceived > 5000 && !s.framesDecoded).length >= 2), 20000, 'much of theirs arrives, and none of it is decoded');

  await ada.click('#show-chat');
  await ada.fill('#text', 'only for us');
  await ada.press('#text', 'Enter');
  await bob.waitForFunction(() => document.getElementById('chat').textContent.includes('only for us'), null, { timeout: 20000 });
  await eve.waitForFunction(() => /no key for/.test(document.getElementById('chat').textContent), null, { timeout: 20000 });
  assert.ok(!(await eve.textContent('#chat')).includes('only for us'));
  t.diagnostic(`${requests.length} requests of the page looked at`);
  assert.ok(!requests.some((r) => r.includes(key)), 'the server is never told the key');
  assert.deepEqual([...ada.faults, ...bob.faults, ...eve.faults, ...mallory.faults], []);
});

/** Each frame of the others must be decoded anew within a while. */
async function seesAndHears(page, who) {
  const was = await decoded(page);
  await until(async () => {
    const now = await decoded(page);
    return now.frames > was.frames + 10 && now.energy > was.energy;
  }, 40000, `${who} sees and hears`);
}

const codecsSeen = (page) => page.evaluate(async () => {
  const all = [...(await window.room.playing.pc.getStats()).values()];
  return all.filter((s) => s.type === 'inbound-rtp' && s.kind === 'video' && s.framesDecoded > 0).map((s) => all.find((c) => c.id === s.codecId)?.mimeType);
});

/** Runs in the page: this codec alone, and small pictures, since all are encoded here; streams: as a browser that has no script transforms yet. */
function only({ codec, streams }) {
  const capabilities = RTCRtpReceiver.getCapabilities, media = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  RTCRtpReceiver.getCapabilities = (kind) => {
    const all = capabilities.call(RTCRtpReceiver, kind);
    return { ...all, codecs: all.codecs.filter((c) => kind === 'audio' || c.mimeType === `video/${codec}` || c.mimeType === 'video/rtx') };
  };
  navigator.mediaDevices.getUserMedia = ({ audio, video }) => media({ audio, video: video && { width: 320, height: 180, frameRate: 10 } });
  if (streams) delete window.RTCRtpScriptTransform;
}

for (const way of [{ codec: 'VP8', streams: true }, { codec: 'H264' }, { codec: 'VP9' }, { codec: 'AV1' }]) {
  const { codec, streams } = way;
  longTest(`${codec}${streams ? ' by createEncodedStreams' : ''}`, async (t) => {
    const key = makeKey(), room = `vault-${codec}`, pages = [];
    const come = async (name, query) => pages[pages.push(await join(name, query, { room, way })) - 1];
    const ada = await come('Ada', `?key=${key}`), bob = await come('Bob', `?key=${key}`);
    if (streams && !(await ada.evaluate(() => 'createEncodedStreams' in RTCRtpSender.prototype))) {
      t.skip('this browser has them no more');
    } else {
      await shows(ada, 'Bob', /^picture$/);
      await shows(bob, 'Ada', /^picture$/);
      await seesAndHears(ada, 'Ada');
      await seesAndHears(bob, 'Bob');
      assert.deepEqual(await codecsSeen(bob), [`video/${codec}`]);
      await shows(await come('Eve', ''), 'Ada', /Ada is encrypted/);
      await shows(await come('Late', `?key=${key}`), 'Ada', /^picture$/);
    }
    assert.deepEqual(pages.flatMap((p) => p.faults), []);
    await Promise.all(pages.map((p) => p.close()));
  });
}

test('a new key for who is here', async () => {
  const key = makeKey(), room = 'renewed', ada = await join('Ada', `?key=${key}`, { room }), bob = await join('Bob', `?key=${key}`, { room });
  await shows(ada, 'Bob', /^picture$/);
  await shows(bob, 'Ada', /^picture$/);
  await ada.click('#show-people');
  await ada.click('#renew');
  await bob.waitForFunction((old) => window.room.me.key !== old, key, { timeout: 20000 });
  assert.equal(await bob.evaluate(() => window.room.me.key), await ada.evaluate(() => window.room.me.key));
  await sleep(1500); // by now they use it
  await seesAndHears(ada, 'Ada');
  await seesAndHears(bob, 'Bob');
  await shows(bob, 'Ada', /^picture$/);
  const eve = await join('Eve', `?key=${key}`, { room });
  await shows(eve, 'Ada', /Ada uses another key/);
  await shows(bob, 'Eve', /Eve uses another key|^picture$/); // her own is the old one, which they still open
  await bob.click('#show-chat');
  await bob.fill('#text', 'with the new one');
  await bob.press('#text', 'Enter');
  await ada.waitForFunction(() => document.getElementById('chat').textContent.includes('with the new one'), null, { timeout: 20000 });
  await eve.waitForFunction(() => /no key for/.test(document.getElementById('chat').textContent), null, { timeout: 20000 });
  assert.deepEqual([...ada.faults, ...bob.faults, ...eve.faults], []);
});
