// SPDX-License-Identifier: Apache-2.0
// meet.test.mjs - the pages as people use them: three join a room, see and hear each other, chat, raise a hand, share a screen, leave; a viewer chooses a layer.
import assert from 'node:assert/strict';
import { openStage, sleep, until } from './lib.mjs';

const { server, browser, test, publish } = await openStage();

async function join(name) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.setViewportSize({ width: 1100, height: 700 });
  await page.goto(`${server.origin}/room.html#studio`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await page.click('#door button[type=submit]');
  return page;
}

/** What a person sees: tiles with a picture that moves, by their labels. */
const tiles = (page) => page.evaluate(() => [...document.querySelectorAll('.tile:not(.no-picture)')].filter((t) => t.querySelector('video').videoWidth > 0 && t.offsetWidth > 60).map((t) => t.querySelector('b').textContent).sort());
const sees = (page, labels, ms = 15000) => until(async () => (await tiles(page)).join() === [...labels].sort().join(), ms, `tiles ${labels}`).catch(async (e) => assert.fail(`${e.message}; there are ${await tiles(page)}`));
const energy = (page) => page.evaluate(async () => [...(await window.room.playing.pc.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'audio').reduce((n, s) => n + (s.totalAudioEnergy || 0), 0));

test('three meet, talk, write, share a screen and leave', async (t) => {
  const ada = await join('Ada Lovelace');
  await until(() => ada.isVisible('#alone'), 8000, 'the first is told that nobody is here');
  const grace = await join('Grace'), linus = await join('Linus');
  await sees(ada, ['Grace', 'Linus', 'You']);
  await sees(grace, ['Ada Lovelace', 'Linus', 'You']);
  await sees(linus, ['Ada Lovelace', 'Grace', 'You']);
  assert.equal(await ada.isVisible('#alone'), false);

  const before_ = await energy(ada);
  await sleep(1500);
  assert.ok(await energy(ada) > before_, 'the others are heard');

  await linus.click('#show-chat');
  await linus.fill('#text', 'Good morning');
  await linus.press('#text', 'Enter');
  await ada.waitForFunction(() => document.getElementById('chat').textContent.includes('Good morning'), null, { timeout: 5000 });
  assert.equal(await ada.textContent('#unread'), '1');
  await grace.press('body', 'h');
  await ada.waitForFunction(() => [...document.querySelectorAll('.tile')].some((x) => x.querySelector('b').textContent === 'Grace' && !x.querySelector('.raised').hidden), null, { timeout: 5000 });

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

test('a viewer chooses a layer on the start page', async () => {
  await publish({ stream: 'layers', codec: 'VP8', simulcast: true });
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/#watch/layers`);
  await page.waitForSelector('#layers:not([hidden])', { timeout: 20000 });
  const width = () => page.evaluate(() => document.getElementById('video').videoWidth);
  await until(async () => (await width()) >= 480, 15000, 'automatic is large');
  const large = await width(), labels = await page.$$eval('#layer option', (all) => all.map((o) => o.textContent));
  assert.match(labels.join('; '), /^Automatic; \d+p, [\d,]+ kbit\/s; /);
  await page.selectOption('#layer', { index: labels.length - 1 });
  await until(async () => (await width()) < large, 10000, 'the smallest is smaller');
  await page.selectOption('#layer', '');
  await until(async () => (await width()) >= large, 20000, 'automatic is large again');
});

test('as many pictures as there may be', async () => {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/room.html?tiles=48#many`);
  await page.fill('#name', 'Ada');
  await page.click('#door button[type=submit]');
  await until(() => page.evaluate(() => window.room.playing?.pc?.connectionState === 'connected' && [...window.room.slots.values()].filter((s) => s.kind === 'video').length === 48), 20000, '48 slots');
});
