// SPDX-License-Identifier: Apache-2.0
// firefox_page.mjs - Firefox joins a room on the conference page for some seconds. Its last line of output says, as JSON, how many frames of whom it decoded, and what the page said.
//
//   node firefox_page.mjs ORIGIN ROOM NAME SECONDS
//
// ROOM may have a key behind it, "vault?key=K": then the page counts as secure, as one by https does, and encrypts.
import puppeteer from 'puppeteer-core';
import { makeFolder, sleep } from '../lib.mjs';

const [origin, room, name, seconds] = process.argv.slice(2);
if (!seconds) {
  console.error('usage: firefox_page.mjs ORIGIN ROOM NAME SECONDS');
  process.exit(2);
}

const folder = makeFolder('firefox');
const browser = await puppeteer.launch({
  browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: folder.path, timeout: 90000,
  extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
    'media.devices.insecure.enabled': true, 'media.getusermedia.insecure.enabled': true,
    ...(room.includes('?key=') ? { 'dom.securecontext.allowlist': new URL(origin).hostname } : {}) },
});
try {
  const page = await browser.newPage(), faults = [];
  page.on('pageerror', (e) => faults.push(e.message));
  await page.goto(`${origin}/room.html#${room}`);
  await page.type('#name', name);
  await sleep(1000);
  await page.click('#door button[type=submit]');
  await sleep(1000 * seconds);
  const tiles = await page.evaluate(async () => {
    const stats = [...(await window.room.playing.pc.getStats()).values()].filter((x) => x.type === 'inbound-rtp' && x.kind === 'video');
    const slots = [...window.room.slots.values()].filter((x) => x.kind === 'video' && x.participant);
    return Object.fromEntries(slots.map((x) => [x.participant, stats.find((y) => y.mid === x.mid)?.framesDecoded || 0]));
  });
  const shut = await page.evaluate(() => [...document.querySelectorAll('.shut:not([hidden])')].map((x) => x.textContent.trim()));
  console.log(JSON.stringify({ tiles, shut, faults, fault: await page.evaluate(() => document.getElementById('fault').textContent) }));
} finally {
  await browser.close();
  folder.remove();
}
