// SPDX-License-Identifier: Apache-2.0
// sealed.test.mjs - end-to-end encryption on the conference page: who has the link's key sees, hears and reads the others; who has none, or another one, is told so and shown nothing.
import assert from 'node:assert/strict';
import { isSealed, makeKey, open, Ring, Sealer } from '../../signaling/web/seal.js';
import { openStage, sleep, until } from './lib.mjs';

const { server, browser, test } = await openStage();

async function join(name, query) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.goto(`${server.origin}/room.html#vault${query}`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await page.click('#door button[type=submit]');
  return page;
}

/** {label: what its tile shows}. */
const tiles = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll('.tile')].map((t) => [t.querySelector('b').textContent,
  !t.querySelector('.shut').hidden ? t.querySelector('.shut').textContent.trim() : t.querySelector('video').videoWidth > 0 ? `picture${t.querySelector('.plain').hidden ? '' : ', not encrypted'}` : 'nothing'])));
const shows = (page, label, want) => until(async () => want.test((await tiles(page))[label] || ''), 15000, `${label}: ${want}`).catch(async (e) => assert.fail(`${e.message}; there is ${JSON.stringify(await tiles(page))}`));
const decoded = (page) => page.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp').reduce((n, s) => ({ frames: n.frames + (s.framesDecoded || 0), energy: n.energy + (s.totalAudioEnergy || 0) }), { frames: 0, energy: 0 }));

test('a frame opens with its key only, whole only', async () => {
  const key = makeKey(), ring = new Ring(key);
  for (const [kind, type, length, clear] of [['video', 'key', 4000, 10], ['video', 'delta', 900, 3], ['video', 'delta', 2, 2], ['audio', undefined, 80, 1], ['audio', undefined, 0, 0]]) {
    const sealer = new Sealer(ring, kind), plain = crypto.getRandomValues(new Uint8Array(length)), one = await sealer.seal(plain.buffer, type), two = await sealer.seal(plain.buffer, type);
    assert.ok(isSealed(one) && !isSealed(plain.buffer));
    assert.deepEqual(new Uint8Array(one, 0, clear), plain.subarray(0, clear), 'the header stays clear');
    assert.notDeepEqual(new Uint8Array(one), new Uint8Array(two), 'no two frames look alike');
    assert.deepEqual(new Uint8Array(await open(new Ring(key), kind, one)), plain);
    await assert.rejects(open(new Ring(makeKey()), kind, one));
    await assert.rejects(open(ring, kind === 'audio' ? 'video' : 'audio', one));
    for (let at = 0; at < one.byteLength - 4; at += 1 + Math.floor(one.byteLength / 60)) {
      const bent = one.slice(0);
      new Uint8Array(bent)[at] ^= 1;
      await assert.rejects(open(ring, kind, bent), `byte ${at} of ${one.byteLength}`);
    }
  }
  assert.equal(await new Ring(key).openText(await ring.sealText('grüezi')), 'grüezi');
  await assert.rejects(new Ring(makeKey()).openText(await ring.sealText('grüezi')));
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
  await sleep(1500);
  const heard = await decoded(bob);
  assert.ok(heard.frames > 10 && heard.energy > 0, `seen and heard: ${JSON.stringify(heard)}`);

  const eve = await join('Eve', ''), mallory = await join('Mallory', `?key=${makeKey()}`);
  await shows(eve, 'Ada', /Ada is encrypted/);
  await shows(eve, 'Bob', /Bob is encrypted/);
  await shows(mallory, 'Ada', /Ada uses another key/);
  await shows(ada, 'Eve', /^picture, not encrypted$/);
  await shows(ada, 'Mallory', /Mallory uses another key/);
  await sleep(1000);
  const eves = await eve.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video' && s.bytesReceived > 5000).map((s) => s.framesDecoded || 0));
  assert.ok(eves.filter((n) => n === 0).length >= 2, `nothing of theirs was decoded: ${eves}`);

  await ada.click('#show-chat');
  await ada.fill('#text', 'only for us');
  await ada.press('#text', 'Enter');
  await bob.waitForFunction(() => document.getElementById('chat').textContent.includes('only for us'), null, { timeout: 5000 });
  await eve.waitForFunction(() => /no key for/.test(document.getElementById('chat').textContent), null, { timeout: 5000 });
  assert.ok(!(await eve.textContent('#chat')).includes('only for us'));
  t.diagnostic(`${requests.length} requests of the page looked at`);
  assert.ok(!requests.some((r) => r.includes(key)), 'the server is never told the key');
  assert.deepEqual([...ada.faults, ...bob.faults, ...eve.faults, ...mallory.faults], []);
});
