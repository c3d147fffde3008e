// SPDX-License-Identifier: Apache-2.0
// data.test.mjs - data channels between browsers, through the server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test as plain } from 'node:test';
import { here, startChromium, startServer, until } from './lib.mjs';

const script = readFileSync(join(here, 'datapeer.js'), 'utf8');
let server, browser;
before(async () => {
  server = await startServer({ host: '0.0.0.0' });
  browser = await startChromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A test after which no page is left. */
const test = (name, run) => plain(name, async (t) => {
  try {
    await run(t);
  } finally {
    await browser.closePages();
  }
});

/** A page with one peer that has joined and opened channels: {label: options}. */
async function joined(path, channels, media = 'none') {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/#none`);
  await page.evaluate(script);
  page.answer = await page.evaluate(async ([url, open, kind]) => {
    const peer = window.datapeer.make('peer');
    const opened = Object.entries(open).map(([label, options]) => peer.open(label, options));
    const answer = await peer.join(url, kind);
    await Promise.all(opened);
    return answer;
  }, [`${server.origin}${path}`, channels, media]);
  return page;
}

const say = (page, label, text) => page.evaluate(([l, t]) => window.peer.channels[l].send(t), [label, text]);
const heard = (page) => page.evaluate(() => window.peer.log);
const hears = (page, n) => until(async () => (await heard(page)).length >= n && heard(page), 5000, `${n} messages`);

test('chat: what one says, the others of the room hear, and who said it', async () => {
  const alice = await joined('/whip/lounge/alice', { chat: {} });
  const bob = await joined('/whip/lounge/bob', { chat: {} });
  const carol = await joined('/whip/lounge/carol', { other: {} });
  const away = await joined('/whip/elsewhere/dave', { chat: {} });
  assert.match(alice.answer, /m=application 9 UDP\/DTLS\/SCTP webrtc-datachannel/);
  await say(alice, 'chat', 'hello');
  const [first] = await hears(bob, 1);
  assert.equal(first.text, 'hello');
  assert.equal(first.label, 'chat');
  assert.equal(first.protocol, 'sender=alice');
  await say(bob, 'chat', 'hello yourself');
  const [back] = await hears(alice, 1);
  assert.equal(back.text, 'hello yourself');
  assert.equal(back.protocol, 'sender=bob');
  for (const page of [carol, away]) assert.deepEqual(await heard(page), []);
});
