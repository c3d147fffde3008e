// SPDX-License-Identifier: Apache-2.0
// moderator.test.mjs - who may moderate does it from the list of people: mutes, removes, locks; and a session whose token has expired.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder, signToken, startChromium, startServer, until } from './lib.mjs';

const SECRET = 'moderator-test-0123456789abcdef0123456789', ROOM = 'board', WAIT = 30000;
const folder = makeFolder('moderator'), file = join(folder.path, 'sluice.json');
writeFileSync(file, JSON.stringify({ auth: { keys: [{ alg: 'HS256', secret: SECRET }], leeway_s: 0, end_on_expiry: true } }), { mode: 0o600 });
const server = await startServer({ args: ['--config', file] }), browser = await startChromium();
after(async () => {
  await browser.close();
  await server.stop();
  folder.remove();
});

async function enter(name, claims = {}) {
  const page = await browser.context.newPage(), token = signToken(SECRET, { room: ROOM, participant: name, publish: true, play: true, data: true, ...claims });
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.goto(`${server.origin}/room.html#${ROOM}?token=${token}&name=${name}`);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0, null, { timeout: WAIT });
  await page.click('#door button[type=submit]');
  return page;
}

const knows = (page, name) => until(() => page.evaluate((n) => window.room.people.has(n), name), WAIT, `${name} is in the roster`);
const row = (page, name, key) => page.locator('#people li', { hasText: name }).getByRole('button', { name: new RegExp(`^${key} `) });
const told = (page, words) => page.waitForFunction((w) => document.getElementById('toast').textContent.includes(w), words, { timeout: WAIT });
const ended = (page, words) => page.waitForFunction((w) => document.body.dataset.state === 'lobby' && document.getElementById('fault').textContent.includes(w), words, { timeout: WAIT });

test('mute, lock and remove from the list of people', async () => {
  const mod = await enter('Mona', { moderate: true }), bob = await enter('Bob'), eve = await enter('Eve');
  for (const name of ['Bob', 'Eve']) await knows(mod, name);
  await mod.click('#show-people');
  await bob.click('#show-people');
  assert.equal(await bob.locator('#people button').count(), 0, 'others have no such keys');
  assert.equal(await bob.isVisible('#lock'), false);

  await row(mod, 'Bob', 'Mute').click();
  await told(bob, 'A moderator has muted your microphone');
  assert.ok(await bob.isDisabled('#mic'));
  await row(mod, 'Bob', 'Unmute').click();
  await told(bob, 'A moderator has unmuted your microphone');
  assert.ok(await bob.isEnabled('#mic'));

  await mod.click('#lock');
  await bob.waitForSelector('#locked:not([hidden])', { timeout: WAIT });
  assert.equal(await mod.getAttribute('#lock', 'aria-pressed'), 'true');
  const late = await enter('Late');
  await ended(late, 'locked');
  await mod.click('#lock');
  await bob.waitForSelector('#locked', { state: 'hidden', timeout: WAIT });
  await late.click('#door button[type=submit]');
  await knows(mod, 'Late');

  await row(mod, 'Eve', 'Remove').focus();
  await mod.keyboard.press('Enter');
  await ended(eve, 'moderator has ended this session');
  await until(() => mod.evaluate(() => !window.room.people.has('Eve')), WAIT, 'Eve is gone');
  assert.deepEqual([mod, bob, eve, late].flatMap((p) => p.faults), []);
});

test('who may only watch comes in as a viewer, without keys to show themselves', async () => {
  const bob = await enter('Bob'), eve = await enter('Eve', { participant: undefined, publish: false });
  await told(eve, 'You can watch and listen');
  await eve.waitForFunction(() => document.querySelector('.tile[data-name=Bob] video')?.videoWidth > 0, null, { timeout: WAIT });
  assert.deepEqual(await eve.$$eval('#mic, #cam, #screen', (keys) => keys.map((k) => k.hidden)), [true, true, true]);
  assert.equal(await eve.evaluate(() => window.room.local), null, 'and nobody is filmed for nothing');
  assert.deepEqual([...bob.faults, ...eve.faults], []);
});

test('a token that expires during the call ends it, and the page says why', async () => {
  const page = await enter('Short', { exp: Math.floor(Date.now() / 1000) + 20 });
  await ended(page, 'expired');
  assert.equal(await page.evaluate(() => window.room.local), null, 'and nobody is filmed');
  assert.deepEqual(page.faults, []);
});
