// SPDX-License-Identifier: Apache-2.0
// data.test.mjs - data channels between browsers, through the server.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { client, here, openStage, until } from './lib.mjs';

const script = readFileSync(join(here, 'datapeer.js'), 'utf8');
const { server, browser, ns, test, longTest } = await openStage({ outside: true });

/** A page with one peer that has joined and opened channels: {label: options}. */
async function joined(path, channels, media = 'none', relay = undefined) {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/#none`);
  await page.evaluate(script);
  page.answer = await page.evaluate(async ([url, open, kind, way]) => {
    const peer = window.datapeer.make('peer');
    const opened = Object.entries(open).map(([label, options]) => peer.open(label, options));
    const answer = await peer.join(url, kind, way);
    await Promise.all(opened);
    return answer;
  }, [`${server.origin}${path}`, channels, media, relay]);
  return page;
}

const say = (page, label, text) => page.evaluate(([l, t]) => window.peer.channels[l].send(t), [label, text]);
const heard = (page) => page.evaluate(() => window.peer.log);
const hears = (page, n, ms = 5000) => until(async () => (await heard(page)).length >= n && heard(page), ms, `${n} messages`);

/** A relay that loses this share of the datagrams each way, reached at 127.0.0.1 and at the namespace's address. */
async function startLoss(share) {
  const near = createSocket('udp4').bind(0, '0.0.0.0'), far = new Map();
  let state = 12345, lost = 0;
  const lose = () => { // the same losses each time
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const yes = (state >>> 8) % 1000 < share * 1000;
    lost += yes;
    return yes;
  };
  await once(near, 'listening');
  near.on('message', (data, from) => {
    const key = `${from.address} ${from.port}`;
    if (!far.has(key)) {
      const socket = createSocket('udp4');
      socket.on('message', (back) => lose() || near.send(back, from.port, from.address));
      far.set(key, socket);
    }
    // The server tells the client what it sees: Firefox would take no loopback address for its own.
    if (!lose()) far.get(key).send(data, server.ports.media, from.address === '127.0.0.1' ? '127.0.0.1' : ns.address);
  });
  return { port: near.address().port, lost: () => lost, close() { near.close(); far.forEach((socket) => socket.close()); } };
}

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

test('to one: only that one hears', async () => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => joined(`/whip/desk/${name}`, name === 'alice' ? { 'chat@bob': {} } : { chat: {} })));
  await say(alice, 'chat@bob', 'between us');
  const [message] = await hears(bob, 1);
  assert.equal(message.text, 'between us');
  assert.equal(message.label, 'chat');
  assert.equal(message.protocol, 'sender=alice&direct=1');
  assert.deepEqual(await heard(carol), []);
});

test('beside media: a publisher and its viewer talk, text and binary, ordered and not', async () => {
  const publisher = await joined('/whip/stage', { chat: {}, pointer: { ordered: false, maxRetransmits: 0 } }, 'send');
  const viewer = await joined('/whep/stage', { chat: {}, pointer: {} }, 'receive');
  await publisher.evaluate(() => {
    window.peer.channels.pointer.send(new Uint8Array([1, 2, 3]));
    window.peer.channels.chat.send('');
    window.peer.channels.chat.send('\u00e4\u{1f600}');
  });
  const log = await hears(viewer, 3);
  const pointer = log.find((m) => m.label === 'pointer'), chat = log.filter((m) => m.label === 'chat');
  assert.deepEqual([pointer.kind, pointer.length, pointer.ordered], ['object', 3, false]);
  assert.deepEqual(chat.map((m) => m.text), ['', '\u00e4\u{1f600}']);
  assert.equal(pointer.protocol, 'sender=main');
  assert.equal(await viewer.evaluate(() => window.peer.incoming.find((c) => c.label === 'pointer').maxRetransmits), 0);
  await say(viewer, 'chat', 'nice');
  const [answer] = await hears(publisher, 1);
  assert.match(answer.protocol, /^sender=~\d+$/);
  await until(async () => (await viewer.evaluate(() => window.peer.video()))?.frames > 10, 10000, 'the picture flows beside it');
  const numbers = async () => (await server.sessions()).filter((s) => s.stream.startsWith('stage')).map((s) => s.data.channels).sort();
  await until(async () => String(await numbers()) === '3,4', 5000, 'the admin API tells the number of channels');
});

test('who leaves is gone from the others, a closed channel stays closed, and labels can be used again', async () => {
  const alice = await joined('/whip/hall/alice', { chat: {} }), bob = await joined('/whip/hall/bob', { chat: {} });
  await say(alice, 'chat', '1');
  await hears(bob, 1);
  const states = () => bob.evaluate(() => window.peer.incoming.map((c) => c.readyState));
  await bob.evaluate(() => window.peer.incoming[0].close()); // bob has heard enough
  await until(async () => (await states())[0] === 'closed', 5000, 'closed by the reader');
  await say(alice, 'chat', '2');
  await say(bob, 'chat', 'not now');
  await hears(alice, 1);
  assert.equal((await heard(bob)).length, 1, 'nothing more of alice');
  await alice.evaluate(async () => {
    const old = window.peer.channels.chat;
    old.close();
    await new Promise((r) => { old.onclose = r; });
    await window.peer.open('chat');
    window.peer.channels.chat.send('3');
  });
  assert.equal((await hears(bob, 2))[1].text, '3', 'a new channel of hers is another matter');
  await alice.evaluate(() => window.peer.leave());
  await until(async () => (await states()).every((s) => s === 'closed'), 3000, 'closed when the sender leaves');
});

test('a file of 1 MB from page to page', async (t) => {
  const alice = await joined('/whip/files/alice', { file: {} }), bob = await joined('/whip/files/bob', { file: {} });
  const began = Date.now();
  const sums = await alice.evaluate(() => window.peer.sendFile('file', 1 << 20));
  const log = await hears(bob, sums.length, 20000);
  t.diagnostic(`${Date.now() - began} ms`);
  assert.deepEqual(log.map((m) => m.sum), sums);
  assert.ok(log.every((m) => m.protocol === 'sender=alice' && m.kind === 'object'));
});

test('a message above the limit is refused by the browser itself', async () => {
  const alice = await joined('/whip/limits/alice', { x: {} });
  assert.equal(await alice.evaluate(() => window.peer.pc.sctp.maxMessageSize), 65536);
  assert.equal(await alice.evaluate(() => {
    try {
      window.peer.channels.x.send(new Uint8Array(65537));
      return 'sent';
    } catch (e) {
      return e.name;
    }
  }), 'TypeError');
});

for (const [run, direction] of [[test, 'Chromium to Firefox'], [longTest, 'Firefox to Chromium']]) {
  run(`chat and a file of 1 MB in 5 % loss, ${direction}`, async (t) => {
    if (!ns) return t.skip('no namespaces here');
    const room = direction.replaceAll(' ', ''), sends = direction.startsWith('Firefox');
    const loss = await startLoss(0.05);
    try {
      const page = await joined(`/whip/${room}/chromium`, { chat: {}, file: {} }, 'none', `127.0.0.1 ${loss.port}`);
      const fox = ns.run('node', [client('firefox_data.mjs'), `http://${ns.address}:${server.ports.http}`, room, sends ? 'send' : 'receive', `${ns.address} ${loss.port}`], 150000);
      fox.catch(() => {}); // told below
      if (!sends) {
        const [ready] = await hears(page, 1, 90000);
        assert.equal(ready.text, 'ready');
        await say(page, 'chat', 'hello from chromium');
        const sums = await page.evaluate(() => window.peer.sendFile('file', 1 << 20));
        const got = await fox;
        t.diagnostic(`${got.fileMs} ms from first to last piece, ${loss.lost()} datagrams lost`);
        assert.equal(got.chat, 'hello from chromium');
        assert.equal(got.sender, 'sender=chromium');
        assert.deepEqual(got.sums, sums);
      } else {
        const log = await hears(page, 65, 120000), sent = await fox;
        const file = log.filter((m) => m.label === 'file'), chat = log.find((m) => m.label === 'chat');
        t.diagnostic(`${Math.round(file.at(-1).at - file[0].at)} ms from first to last piece, ${loss.lost()} datagrams lost`);
        assert.equal(chat.text, 'hello from firefox');
        assert.equal(chat.protocol, 'sender=firefox');
        assert.deepEqual(file.map((m) => m.sum), sent.sums);
      }
      assert.ok(loss.lost() > 20, 'there was loss');
    } finally {
      loss.close();
    }
  });
}
