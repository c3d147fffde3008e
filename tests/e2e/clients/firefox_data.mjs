// SPDX-License-Identifier: Apache-2.0
// firefox_data.mjs - Firefox joins a room with data channels only, chats, and sends or receives a file of 1 MB. Its last line of output says, as JSON, what it got or sent.
//
//   node firefox_data.mjs ORIGIN ROOM send|receive [RELAY]
//
// RELAY: "address port" to send to in the server's place. Firefox neither gathers nor pairs loopback addresses: ORIGIN must be reached by another one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { here, makeFolder, sleep } from '../lib.mjs';

const [origin, room, role, relay] = process.argv.slice(2);
if (!['send', 'receive'].includes(role)) {
  console.error('usage: firefox_data.mjs ORIGIN ROOM send|receive [RELAY]');
  process.exit(2);
}

const folder = makeFolder('firefox');
const browser = await puppeteer.launch({ browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: folder.path, timeout: 90000,
  extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true } });
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/#none`);
  await page.evaluate(readFileSync(join(here, 'datapeer.js'), 'utf8'));
  await page.evaluate(async ([url, way]) => {
    const peer = window.datapeer.make('peer');
    const opened = ['chat', 'file'].map((label) => peer.open(label));
    await peer.join(url, 'none', way);
    await Promise.all(opened);
  }, [`${origin}/whip/${room}/firefox`, relay]);
  if (role === 'send') {
    const sums = await page.evaluate(() => {
      window.peer.channels.chat.send('hello from firefox');
      return window.peer.sendFile('file', 1 << 20);
    });
    await sleep(6000); // until the last piece is acknowledged, lost ones too
    console.log(JSON.stringify({ sums }));
  } else {
    await page.evaluate(() => window.peer.channels.chat.send('ready'));
    const file = () => page.evaluate(() => window.peer.log.filter((m) => m.label === 'file'));
    for (const end = Date.now() + 30000; (await file()).length < 64 && Date.now() < end;) await sleep(100);
    const got = await file();
    const chat = await page.evaluate(() => window.peer.log.find((m) => m.label === 'chat'));
    console.log(JSON.stringify({ chat: chat?.text, sender: chat?.protocol, fileMs: Math.round(got.at(-1)?.at - got[0]?.at), sums: got.map((m) => m.sum) }));
  }
  await page.evaluate(() => window.peer.leave());
} finally {
  await browser.close();
  folder.remove();
}
