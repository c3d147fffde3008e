// SPDX-License-Identifier: Apache-2.0
// meet.test.mjs - the pages as people use them: three join a room, see and hear each other, chat, raise a hand, share a screen, leave; a viewer chooses a layer.
import assert from 'node:assert/strict';
import { openStage, startServer, until } from './lib.mjs';

const stage = await openStage(), { server, browser, test, longTest, publish } = stage;

async function join(name, room = 'studio', { origin = server.origin, camera = true } = {}) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.setViewportSize({ width: 1100, height: 700 });
  await page.goto(`${origin}/room.html#${room}`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  if (!camera) for (const key of ['#lobby-cam', '#lobby-mic']) await page.click(key);
  await page.click('#door button[type=submit]');
  return page;
}

/** What a person sees: tiles with a picture that moves, by their labels. */
const tiles = (page) => page.evaluate(() => [...document.querySelectorAll('.tile:not(.no-picture)')].filter((t) => t.querySelector('video').videoWidth > 0 && t.offsetWidth > 60).map((t) => t.querySelector('b').textContent).sort());
const sees = (page, labels, ms = 30000) => until(async () => (await tiles(page)).join() === [...labels].sort().join(), ms, `tiles ${labels}`).catch(async (e) => assert.fail(`${e.message}; there are ${await tiles(page)}`));
const energy = (page) => page.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'audio').reduce((n, s) => n + (s.totalAudioEnergy || 0), 0));

test('three meet, talk, write, share a screen and leave', async (t) => {
  const ada = await join('Ada Lovelace');
  await until(() => ada.isVisible('#alone'), 20000, 'the first is told that nobody is here');
  const grace = await join('Grace'), linus = await join('Linus');
  await sees(ada, ['Grace', 'Linus', 'You']);
  await sees(grace, ['Ada Lovelace', 'Linus', 'You']);
  await sees(linus, ['Ada Lovelace', 'Grace', 'You']);
  assert.equal(await ada.isVisible('#alone'), false);

  const before = await energy(ada);
  await until(async () => await energy(ada) > before, 20000, 'the others are heard');

  await linus.click('#show-chat');
  await linus.fill('#text', 'Good morning');
  await linus.press('#text', 'Enter');
  await ada.waitForFunction(() => document.getElementById('chat').textContent.includes('Good morning'), null, { timeout: 20000 });
  assert.equal(await ada.textContent('#unread'), '1');
  await grace.press('body', 'h');
  await ada.waitForFunction(() => [...document.querySelectorAll('.tile')].some((x) => x.querySelector('b').textContent === 'Grace' && !x.querySelector('.raised').hidden), null, { timeout: 20000 });

  await grace.click('#cam');
  await sees(ada, ['Linus', 'You']);
  await grace.click('#cam');
  await sees(ada, ['Grace', 'Linus', 'You']);

  await linus.click('#screen');
  await sees(ada, ['Grace', 'Linus', "Linus's screen", 'You']);
  assert.equal(await ada.textContent('.tile.large b'), "Linus's screen");
  await linus.click('#screen');
  await sees(ada, ['Grace', 'Linus', 'You']);

  const began = Date.now();
  await linus.close(); // as by closing the tab
  await ada.waitForFunction(() => !window.room.people.has('Linus'), null, { timeout: 5000 });
  t.diagnostic(`gone from the roster ${Date.now() - began} ms after the tab was closed`);
  await sees(ada, ['Grace', 'You']);
  await grace.click('#leave');
  await until(() => ada.isVisible('#alone'), 8000, 'alone again');
  assert.deepEqual([...ada.faults, ...grace.faults], []);
});

/** What a tile shows beside its picture. */
const tile = (page, label) => page.evaluate((l) => {
  const t = [...document.querySelectorAll('.tile')].find((x) => x.querySelector('b').textContent === l);
  return t && { face: t.querySelector('.face').textContent, picture: !t.classList.contains('no-picture'), muted: !t.querySelector('.mute').hidden, hand: !t.querySelector('.raised').hidden };
}, label);
const becomes = (page, label, want) => until(async () => {
  const is = await tile(page, label);
  return is && Object.entries(want).every(([k, v]) => is[k] === v);
}, 30000, `${label}: ${JSON.stringify(want)}`).catch(async (e) => assert.fail(`${e.message}; it is ${JSON.stringify(await tile(page, label))}`));

test('who watches is not the other of the same name who shows herself', async () => {
  const elsewhere = server.origin.replace('127.0.0.1', 'localhost'); // as another browser: its storage is another
  const watcher = await join('Ada', 'two', { camera: false }), bob = await join('Bob', 'two', { camera: false });
  await until(() => bob.evaluate(() => window.room.people.size === 2), 20000, 'the first Ada is here');
  const shown = await join('Ada', 'two', { origin: elsewhere });
  await sees(bob, ['Ada']);
  await sees(watcher, ['Ada']);
  assert.deepEqual(await Promise.all([watcher, shown].map((p) => p.evaluate(() => window.room.me.id))), ['Ada', 'Ada-2']);
  assert.deepEqual(await bob.evaluate(() => [...window.room.people.values()].map((p) => [p.name, p.streams.length, p.watching]).sort()), [['Ada', 0, true], ['Ada-2', 1, true], ['Bob', 0, true]]);
  await watcher.click('#cam');
  await sees(bob, ['Ada', 'Ada']);
  await sees(shown, ['Ada', 'You']);
  assert.deepEqual([watcher, shown, bob].flatMap((p) => p.faults), []);
});

longTest('names in any script, and two of one name', async () => {
  const long = 'Dr. Maximiliane von und zu Hohenlohe-Sch', names = ['Мария Кюри', '山田 太郎', 'فاطمة', long, 'Anna', 'Anna'], pages = [];
  for (const [i, name] of names.entries()) pages.push(await join(name, 'names', i === 5 ? { origin: server.origin.replace('127.0.0.1', 'localhost') } : {})); // the second Anna by another browser: her storage is another
  const labels = (page) => page.evaluate(() => [...document.querySelectorAll('.tile b')].map((b) => b.textContent).sort().join()); // six cameras are much for two cores: with or without picture
  for (const [i, page] of pages.entries()) await until(async () => await labels(page) === [...names.filter((_, k) => k !== i), 'You'].sort().join(), 20000, `${names[i]} reads the others' names`);
  await becomes(pages[5], 'Мария Кюри', { face: 'МК' });
  await becomes(pages[0], '山田 太郎', { face: '山太' });
  assert.deepEqual((await Promise.all(pages.slice(4).map((p) => p.evaluate(() => window.room.me.id)))).sort(), ['Anna', 'Anna-2'], 'nobody is thrown out by another of the same name');
  assert.deepEqual(pages.flatMap((p) => p.faults), []);
  await Promise.all(pages.map((p) => p.close()));
});

longTest('devices come and go, the browser ends a screen, a moderator mutes', async () => {
  const ada = await join('Ada', 'devices'), bob = await join('Bob', 'devices');
  await sees(bob, ['Ada', 'You']);
  await ada.click('#cam');
  await becomes(bob, 'Ada', { picture: false, face: 'A' });
  assert.equal(await ada.evaluate(() => window.room.local.getVideoTracks().length), 0, 'the camera is let go');
  await ada.click('#cam');
  await becomes(bob, 'Ada', { picture: true });

  const unplug = (kind, none) => ada.evaluate(([k, refuse]) => { // as browsers do it; none: and there is no other
    const track = window.room.local.getTracks().find((t) => t.kind === k), media = navigator.mediaDevices, get = media.getUserMedia;
    if (refuse) media.getUserMedia = () => { media.getUserMedia = get; return Promise.reject(new DOMException('none', 'NotFoundError')); };
    track.stop();
    track.dispatchEvent(new Event('ended'));
  }, [kind, none]);
  await unplug('video', false);
  await ada.waitForFunction(() => /camera is gone. Now in use: ./.test(document.getElementById('toast').textContent));
  await sees(bob, ['Ada', 'You']);
  await unplug('audio', true);
  await ada.waitForFunction(() => /microphone is gone/.test(document.getElementById('toast').textContent));
  assert.equal(await ada.getAttribute('#mic', 'aria-pressed'), 'false');
  await becomes(bob, 'Ada', { muted: true });
  await ada.click('#mic');
  await becomes(bob, 'Ada', { muted: false });
  await ada.click('#show-settings');
  const other = await ada.$eval('#camera', (s) => s.options[s.options.length - 1].value);
  await ada.selectOption('#camera', other);
  await until(() => ada.evaluate((id) => window.room.local.getVideoTracks()[0].getSettings().deviceId === id, other), 5000, 'another camera');
  await sees(bob, ['Ada', 'You']);

  await ada.click('#screen');
  await sees(bob, ['Ada', "Ada's screen", 'You']);
  await ada.evaluate(() => window.room.screen.getVideoTracks()[0].dispatchEvent(new Event('ended')));
  await sees(bob, ['Ada', 'You']);
  assert.deepEqual(await ada.evaluate(() => [document.getElementById('screen').getAttribute('aria-pressed'), window.room.screen]), ['false', null]);

  const moderate = (verb, body) => fetch(`${server.admin}/api/v1/rooms/devices/participants/Ada/${verb}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  await moderate('mute', { microphone: true });
  await becomes(bob, 'Ada', { muted: true, picture: true });
  await becomes(ada, 'You', { muted: true, picture: true });
  assert.ok(await ada.isDisabled('#mic'));
  await moderate('mute', { camera: true });
  await becomes(bob, 'Ada', { picture: false });
  await moderate('unmute', {});
  await becomes(bob, 'Ada', { muted: false, picture: true });
  assert.ok(await ada.isEnabled('#mic'));
  assert.deepEqual([...ada.faults, ...bob.faults], []);
  await ada.click('#leave');
  await until(() => bob.isVisible('#alone'), 8000, 'she has left');
  assert.equal(await ada.evaluate(() => window.room.local), null, 'and nobody films her');
  await ada.click('#join');
  await becomes(bob, 'Ada', { picture: true, muted: false });
  assert.deepEqual(await ada.$$eval('#mic, #cam', (keys) => keys.map((k) => k.getAttribute('aria-pressed'))), ['true', 'true'], 'as it was');
  await ada.click('#cam');
  await becomes(bob, 'Ada', { picture: false });
  await ada.click('#leave');
  await until(() => bob.isVisible('#alone'), 8000, 'she has left');
  await ada.click('#join');
  await becomes(bob, 'Ada', { picture: false, muted: false });
  await Promise.all([ada, bob].map((p) => p.close()));
});

test('a viewer chooses a layer on the start page', async () => {
  await publish({ stream: 'layers', codec: 'VP8', simulcast: true });
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/#watch/layers`);
  await page.waitForSelector('#layers:not([hidden])', { timeout: 20000 });
  const width = () => page.evaluate(() => document.getElementById('video').videoWidth);
  await until(async () => (await width()) >= 480, 30000, 'automatic is large');
  const large = await width(), labels = await page.$$eval('#layer option', (all) => all.map((o) => o.textContent));
  assert.match(labels.join('; '), /^Automatic; \d+p, [\d,]+ kbit\/s; /);
  await page.selectOption('#layer', { index: labels.length - 1 });
  await until(async () => (await width()) < large, 30000, 'the smallest is smaller');
  await page.selectOption('#layer', '');
  await until(async () => (await width()) >= large, 40000, 'automatic is large again');
});

test('as many pictures as there may be', async () => {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/room.html?tiles=48#many`);
  await page.fill('#name', 'Ada');
  await page.click('#door button[type=submit]');
  await until(() => page.evaluate(() => window.room.playing?.pc?.connectionState === 'connected' && [...window.room.slots.values()].filter((s) => s.kind === 'video').length === 48), 40000, '48 slots');
});

longTest('the server is started anew: everybody is back as they were', async () => {
  const ada = await join('Ada', 'again'), bob = await join('Bob', 'again');
  await sees(bob, ['Ada', 'You']);
  await sees(ada, ['Bob', 'You']);
  await ada.click('#cam');
  await ada.press('body', 'h');
  await bob.click('#mic');
  await becomes(bob, 'Ada', { picture: false, hand: true });
  const { ports } = server;
  await server.stop('SIGKILL');
  await bob.waitForFunction(() => /reconnecting/.test(document.getElementById('status').textContent), null, { timeout: 15000 });
  stage.server = await startServer({ ports });
  await becomes(ada, 'Bob', { picture: true, muted: true });
  await bob.waitForFunction(() => window.room.people.has('Ada'), null, { timeout: 15000 });
  await becomes(bob, 'Ada', { picture: false, hand: true, muted: false });
  for (const page of [ada, bob]) await until(async () => await page.textContent('#status') === '', 10000, 'nothing reconnects any more');
  await ada.click('#cam');
  await becomes(bob, 'Ada', { picture: true });
  assert.deepEqual([...ada.faults, ...bob.faults], []);
});
