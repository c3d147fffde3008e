// SPDX-License-Identifier: Apache-2.0
// comeback.test.mjs - what happens to people in a call: the server is started anew under six of them, a page sleeps meanwhile, one goes back and forth in the history, a microphone dies.
import assert from 'node:assert/strict';
import { openStage, startServer, until } from './lib.mjs';

const WAIT = 60000; // six cameras are much for two cores
const stage = await openStage(), { server, browser, longTest: test } = stage;

/** Runs in the page: small pictures, since all are encoded and decoded here. */
function small() {
  const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
  media.getUserMedia = ({ audio, video }) => get({ audio, video: video && { width: 160, height: 90, frameRate: 5 } });
}

async function enter(name, room) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.addInitScript(small);
  await page.goto(`${server.origin}/room.html#${room}`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0, null, { timeout: WAIT });
  await page.click('#door button[type=submit]');
  return page;
}

const pictures = (page) => page.evaluate(() => [...document.querySelectorAll('.tile:not(.no-picture) b')].map((b) => b.textContent).sort().join());
const sees = (page, names) => until(async () => await pictures(page) === [...names, 'You'].sort().join(), WAIT, `pictures of ${names}`).catch(async (e) => assert.fail(`${e.message}; there are ${await pictures(page)}`));
const settled = (page) => until(async () => await page.textContent('#status') === '', WAIT, 'nothing reconnects any more');
const read = (page, text) => page.waitForFunction((t) => document.getElementById('chat').textContent.includes(t), text, { timeout: WAIT });

async function write(page, text) {
  if (!await page.isVisible('#text')) await page.click('#show-chat');
  await until(async () => { // its channel opens a moment after the connection
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
    return await page.inputValue('#text') === '';
  }, WAIT, `"${text}" is sent`);
}

const session = (page) => page.evaluate(() => window.room.playing.pc?.connectionState === 'connected' && window.room.playing.resource);

test('the server is started anew under six people, one of whose pages sleeps', async (t) => {
  const names = ['Ada', 'Bob', 'Cy', 'Dot', 'Eve', 'Fay'], pages = [], others = (name) => names.filter((n) => n !== name);
  for (const name of names) pages.push(await enter(name, 'six'));
  for (const [i, page] of pages.entries()) await sees(page, others(names[i]));
  await write(pages[0], 'before the fall');
  for (const page of pages) await read(page, 'before the fall');

  const asleep = await browser.context.newCDPSession(pages[5]);
  await asleep.send('Page.setWebLifecycleState', { state: 'frozen' });
  const before = await Promise.all(pages.map(session)), { ports } = stage.server;
  await stage.server.stop('SIGKILL');
  for (const page of pages.slice(0, 5)) await page.waitForFunction(() => /reconnecting/.test(document.getElementById('status').textContent), null, { timeout: WAIT });
  stage.server = await startServer({ ports });
  const began = Date.now();
  for (const page of pages.slice(0, 5)) await until(async () => ![false, before[pages.indexOf(page)]].includes(await session(page)), WAIT, 'a new session');
  for (const [i, page] of pages.slice(0, 5).entries()) await until(async () => {
    const there = (await pictures(page)).split(',');
    return others(names[i]).every((n) => n === 'Fay' || there.includes(n));
  }, WAIT, `${names[i]} sees who is awake`);
  t.diagnostic(`five are back after ${Date.now() - began} ms`);
  await asleep.send('Page.setWebLifecycleState', { state: 'active' });
  const woke = Date.now();
  await until(async () => ![false, before[5]].includes(await session(pages[5])), WAIT, 'a new session of who slept');
  for (const [i, page] of pages.entries()) await sees(page, others(names[i]));
  t.diagnostic(`and the sixth ${Date.now() - woke} ms after it woke`);
  for (const page of pages) await settled(page);
  await write(pages[5], 'after the fall');
  for (const page of pages) {
    await read(page, 'after the fall');
    await read(page, 'before the fall');
  }
  assert.deepEqual(pages.flatMap((p) => p.faults), []);
});

test('a page that slept for long, with nothing else amiss, shows what it missed', async () => {
  const ada = await enter('Ada', 'nap'), bob = await enter('Bob', 'nap');
  await sees(ada, ['Bob']);
  await sees(bob, ['Ada']);
  const asleep = await browser.context.newCDPSession(bob);
  await asleep.send('Page.setWebLifecycleState', { state: 'frozen' });
  await enter('Cy', 'nap');
  await until(() => ada.evaluate(() => window.room.people.has('Cy')), WAIT, 'Cy has come');
  await write(ada, 'are you there?');
  await asleep.send('Page.setWebLifecycleState', { state: 'active' });
  await sees(bob, ['Ada', 'Cy']);
  await read(bob, 'are you there?');
  await settled(bob);
  assert.deepEqual([...ada.faults, ...bob.faults], []);
});

test('back and forth in the history: gone for the others, and the door is open again', async () => {
  const ada = await enter('Ada', 'history'), bob = await enter('Bob', 'history');
  await sees(ada, ['Bob']);
  await bob.goto(`${server.origin}/#none`);
  await until(() => ada.evaluate(() => !window.room.people.has('Bob')), WAIT, 'Bob is gone');
  await bob.goBack();
  await bob.waitForFunction(() => document.body.dataset.state === 'lobby' && document.getElementById('name').value === 'Bob' && document.getElementById('room').value === 'history', null, { timeout: WAIT });
  await bob.click('#door button[type=submit]');
  await sees(ada, ['Bob']);
  assert.deepEqual([...ada.faults, ...bob.faults], []);
});

test('a dead microphone is told of, and the rest goes on', async () => {
  const ada = await enter('Ada', 'mute'), bob = await enter('Bob', 'mute');
  await sees(bob, ['Ada']);
  await ada.evaluate(() => window.room.local.getAudioTracks()[0].dispatchEvent(new Event('mute')));
  await ada.waitForFunction(() => /microphone gives no sound/.test(document.getElementById('toast').textContent), null, { timeout: WAIT });
  assert.equal(await ada.getAttribute('#mic', 'aria-pressed'), 'true', 'it may come back by itself');
  await sees(bob, ['Ada']);
  assert.deepEqual([...ada.faults, ...bob.faults], []);
});
