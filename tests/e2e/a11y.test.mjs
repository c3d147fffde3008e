// SPDX-License-Identifier: Apache-2.0
// a11y.test.mjs - axe-core over both pages in each of their states, light, dark and on a phone; and the keyboard, which must do for everything.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { openStage, until } from './lib.mjs';
import { LOOKS, roomStates } from './states.mjs';

const stage = await openStage(), { server, browser, test } = stage;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious findings of a page as it is now, one line each. preload: axe would wait ten seconds each time for pictures of those who have no camera. */
async function findings(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'], preload: false })).violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`));
}

const seen = [];
async function look(page, name) {
  for (const { name: how, scheme, width, height } of LOOKS) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    for (const line of await findings(page)) seen.push(`${name}, ${how}: ${line}`);
    // Pictures are laid out anew a moment after the window has changed.
    const over = await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth, null, { timeout: 3000 }).then(() => 0, () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
    if (over > 0) seen.push(`${name}, ${how}: ${over} px too wide`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

test('the conference page has no serious findings in any state', async () => {
  seen.length = 0;
  await roomStates(look);
  assert.deepEqual(seen, []);
});

test('nor has the start page; the keyboard does everything in a room', async () => {
  seen.length = 0;
  const start = await browser.context.newPage();
  await start.goto(`${server.origin}/#publish/keys`);
  await look(start, 'start');
  await start.click('#go');
  await start.waitForFunction(() => document.body.dataset.state === 'live', null, { timeout: 15000 });
  await look(start, 'publishing');
  const viewer = await browser.context.newPage();
  await viewer.goto(`${server.origin}/#watch/keys`);
  await viewer.waitForFunction(() => document.body.dataset.state === 'live', null, { timeout: 15000 });
  await look(viewer, 'watching');
  assert.deepEqual(seen, []);

  const page = await browser.context.newPage(), focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName);
  await page.goto(`${server.origin}/room.html#keys`);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await page.focus('#name');
  await page.keyboard.type('Ada');
  await page.keyboard.press('Enter');
  await until(async () => (await focus()) === 'mic', 5000, 'joined, the microphone has the focus');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focus(), 'cam');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await focus(), 'leave', 'round the corner');
  for (const [key, id] of [['m', 'mic'], ['v', 'cam'], ['h', 'hand'], ['l', 'layout']]) {
    const before = await page.getAttribute(`#${id}`, 'aria-pressed');
    await page.keyboard.press(key);
    await until(async () => (await page.getAttribute(`#${id}`, 'aria-pressed')) !== before, 5000, `${key} presses ${id}`);
  }
  await page.keyboard.press('c');
  assert.equal(await focus(), 'text', 'chat is open to write');
  await page.keyboard.press('Escape');
  assert.equal(await focus(), 'show-chat', 'and gives the focus back');
  assert.equal(await page.getAttribute('#show-chat', 'aria-expanded'), 'false');
  await page.keyboard.press('p');
  assert.ok(await page.isVisible('#people'));
  const order = [];
  for (let i = 0; i < 14; i++) {
    await page.keyboard.press('Tab');
    order.push(await focus());
  }
  for (const id of ['close', 'people', 'mic', 'leave']) assert.ok(order.includes(id), `Tab reaches ${id}: ${order}`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('c');
  await page.keyboard.type('Hello');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#chat .mine')?.textContent.includes('Hello'));
  await page.keyboard.press('Escape');
  const other = await stage.publish({ stream: 'keys/Guest', codec: 'VP8' });
  await page.waitForFunction(() => document.querySelector('.tile[data-name=Guest] .pin'), null, { timeout: 20000 });
  await page.focus('.brand');
  const label = () => page.evaluate(() => document.activeElement.textContent.trim());
  for (let i = 0; i < 8 && await label() !== 'Pin Guest'; i++) await page.keyboard.press('Tab');
  assert.equal(await label(), 'Pin Guest', 'Tab reaches a tile');
  await page.keyboard.press('Enter');
  await until(() => page.evaluate(() => document.activeElement.matches('.pin[aria-pressed=true]')), 5000, 'pinned, and the focus is where it was');
  await other.close();
  await page.focus('#leave');
  await page.keyboard.press('Enter');
  await until(() => page.isVisible('#lobby'), 5000, 'left');
});
