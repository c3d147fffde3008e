// SPDX-License-Identifier: Apache-2.0
// firefox_room.mjs - Firefox as a participant of a room until two of the others have left, or so many seconds are over. Its last line of output says, as JSON, whom it saw and heard when it had all, and when each left.
//
//   node firefox_room.mjs ORIGIN ROOM NUMBER SECONDS OTHERS...      the numbers of who must be seen
//
// Its sound is Firefox's own fake microphone, and it hears by the energy that it decodes: its AudioContext never starts on a machine without sound.
import puppeteer from 'puppeteer-core';
import { makeFolder, sleep } from '../lib.mjs';
import { participant, sees } from '../participant.mjs';

const [origin, room, number, seconds, ...others] = process.argv.slice(2);
if (!others.length) {
  console.error('usage: firefox_room.mjs ORIGIN ROOM NUMBER SECONDS OTHERS...');
  process.exit(2);
}

const folder = makeFolder('firefox'), began = Date.now();
const browser = await puppeteer.launch({
  browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: folder.path, timeout: 90000,
  extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
    'media.devices.insecure.enabled': true, 'media.getusermedia.insecure.enabled': true },
});
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/#none`);
  await page.evaluate(participant);
  await page.evaluate(async ([base, name, n, count]) => {
    await window.speak(`${base}/whip/${name}/p${n}`, n, { fps: 8, microphone: true });
    await window.attend(`${base}/whep/${name}?as=p${n}`, count, count);
  }, [origin, room, Number(number), others.length]);
  const energies = () => page.evaluate(async () => [...(await window.attending.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'audio').map((s) => s.totalAudioEnergy || 0));
  let saw = 0;
  const left = {};
  for (; Date.now() < began + 1000 * seconds && Object.keys(left).length < 2; await sleep(100)) {
    if (!saw && await sees(page, others.map(Number))) saw = Date.now();
    const people = await page.evaluate(() => Object.keys(window.room.people));
    for (const n of others) if (saw && !people.includes(`p${n}`)) left[n] ||= Date.now();
  }
  console.log(JSON.stringify({ saw, left, heard: (await energies()).filter((e) => e > 0.001).length, painted: await page.evaluate(() => window.painted()) }));
} finally {
  await browser.close();
  folder.remove();
}
