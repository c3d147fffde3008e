// SPDX-License-Identifier: Apache-2.0
// screenshots.mjs - pictures of the pages in all their states, light and dark, wide and on a phone, for people to look at.
//
//   SLUICE=build/sluice node tests/e2e/screenshots.mjs FOLDER [room]     room: the conference page only
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, until } from './lib.mjs';
import { LOOKS, roomStates, withStage } from './states.mjs';

const [, , out, only] = process.argv;
if (!out) {
  console.error('usage: screenshots.mjs FOLDER [room]');
  process.exit(2);
}
mkdirSync(out, { recursive: true });

async function shoot(page, name) {
  for (const look of LOOKS) {
    await page.emulateMedia({ colorScheme: look.scheme });
    await page.setViewportSize({ width: look.width, height: look.height });
    await sleep(1300); // one more second of numbers, drawn in these colours
    await page.screenshot({ path: join(out, `${name}-${look.name}.png`), fullPage: look.width < 500 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) console.log(`${name}-${look.name}: ${over} px too wide`);
  }
  await page.setViewportSize({ width: LOOKS[0].width, height: LOOKS[0].height });
  console.log(name);
}

const state = (page, want) => until(async () => want.includes(await page.evaluate(() => document.body.dataset.state)), 15000, want.join(' or '));
const open = async (browser, origin, hash = '') => {
  const page = await browser.context.newPage();
  await page.goto(`${origin}/${hash}`);
  return page;
};

/** The start page in its states. */
const startStates = () => withStage(async ({ server, guarded, browser, shy }) => {
  const publisher = await open(browser, server.origin, '#publish/studio');
  await shoot(publisher, '1-publish-idle');
  await publisher.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
  await shoot(publisher, '2-publish-options');
  await publisher.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = false; }));
  await publisher.click('#go');
  await state(publisher, ['live']);
  await sleep(8000);
  await shoot(publisher, '3-publishing');

  const waiting = await open(browser, server.origin, '#watch/nobody');
  await state(waiting, ['waiting']);
  await shoot(waiting, '4-not-live-yet');
  await waiting.close();

  const viewer = await open(browser, server.origin, '#watch/studio');
  await state(viewer, ['live']);
  await sleep(8000);
  await shoot(viewer, '5-watching');

  await publisher.click('#go');
  await state(viewer, ['waiting']);
  await shoot(viewer, '6-not-live-any-more');
  await publisher.click('#go');
  await state(viewer, ['live']);
  await sleep(3000);
  await server.stop('SIGKILL');
  await state(viewer, ['reconnecting']);
  await shoot(viewer, '7-watch-reconnecting');
  await shoot(publisher, '8-publish-reconnecting');

  await shy.context.clearPermissions();
  await shy.context.grantPermissions([], { origin: guarded.origin });
  const denied = await open(shy, guarded.origin);
  await denied.click('#go');
  await state(denied, ['error']);
  await shoot(denied, '9-permission-denied');

  await shoot(await open(browser, `http://sluice.test:${guarded.ports.http}`), '10-insecure');

  const token = await open(browser, guarded.origin, '#publish/studio');
  await token.click('#go');
  await state(token, ['error']);
  await shoot(token, '11-token-needed');
});

if (only !== 'room') await startStates();
await roomStates(shoot);
