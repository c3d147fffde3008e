// SPDX-License-Identifier: Apache-2.0
// firefox.mjs - Firefox publishes or watches so many marked frames, for at most some seconds, and says on its last line of output, as JSON, what it saw.
//
//   node firefox.mjs publish|watch ORIGIN STREAM [CODEC] [SECONDS] [FRAMES]
//   ip netns exec NAME node firefox.mjs watch http://10.77.7.1:8080 demo VP8 30 90
//
// The sound is Firefox's own fake microphone, a tone: its AudioContext never starts on a machine without sound.
// Firefox neither gathers nor pairs loopback addresses: ORIGIN must be reached by another one, from a network namespace where there is but one machine.
import puppeteer from 'puppeteer-core';
import { makeFolder, marker, sleep, until } from '../lib.mjs';

const [role, origin, stream, codec = 'VP8', seconds = '8', frames = 'Infinity'] = process.argv.slice(2);
if (!['publish', 'watch'].includes(role) || !stream) {
  console.error('usage: firefox.mjs publish|watch ORIGIN STREAM [CODEC] [SECONDS] [FRAMES]');
  process.exit(2);
}

const folder = makeFolder('firefox');
const browser = await puppeteer.launch({
  browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: folder.path,
  extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
    // ORIGIN is no localhost, and nothing encrypts it here.
    'media.devices.insecure.enabled': true, 'media.getusermedia.insecure.enabled': true },
});
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/#none`);
  await page.evaluate(marker);
  const enough = (count) => until(async () => await page.evaluate(count) >= Number(frames), seconds * 1000, `${frames} frames`).catch(() => {}); // the count is told
  if (role === 'publish') {
    const states = await page.evaluate((o) => window.publishMarked(o), { stream, codec, microphone: true });
    console.error(`publishing: ${states.join(', ')}`);
    await enough(() => window.published.frame());
    console.log(JSON.stringify({ states: await page.evaluate(() => window.published.states), frames: await page.evaluate(() => window.published.frame()) }));
  } else {
    await page.evaluate((o) => window.watchMarked(o), { stream });
    await enough(() => window.watched.seen.length);
    console.log(JSON.stringify(await page.evaluate(() => window.watchedSoFar())));
  }
  await page.evaluate(() => (window.published || window.watched).session.stop());
  await sleep(200); // the DELETE is on its way
} finally {
  await browser.close();
  folder.remove();
}
