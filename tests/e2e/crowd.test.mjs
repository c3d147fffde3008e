// SPDX-License-Identifier: Apache-2.0
// crowd.test.mjs - six Chromiums and a Firefox in one room: each sees and hears every other, by painted numbers and by tones; one closes its tab, one is killed.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { client, openStage, sleep, startChromium, until } from './lib.mjs';
import { participant, sees } from './participant.mjs';

const CHROMIUMS = [1, 2, 3, 4, 5, 6], FIREFOX = 40, DOOMED = 6, LEAVER = 5; // Firefox' own tone is none of 300 + 100 n
const ROOM = 'crowd', SECONDS = 200; // of Firefox at most, its start included

const stage = await openStage({ outside: true }), { server, browser, ns, test, longTest } = stage;
const doomed = await startChromium();
after(() => doomed.close());

async function enter(n, others) {
  const page = await (n === DOOMED ? doomed : browser).page(server.origin);
  await page.evaluate(participant);
  await page.evaluate(async ([base, room, id, count]) => {
    await window.speak(`${base}/whip/${room}/p${id}`, id, { fps: 8 });
    await window.attend(`${base}/whep/${room}?as=p${id}`, count, count);
    window.voice(true);
  }, [server.origin, ROOM, n, others]);
  return page;
}

/** Firefox takes a minute to start where others are busy: it comes first. */
const attends = () => until(async () => (await server.sessions()).some((s) => s.role === 'play'), 90000, 'Firefox attends');

/** Tones of the others that a Chromium hears now, among those of Chromiums. */
async function hears(page, others) {
  const heard = Object.values(await page.evaluate(() => window.heard())).map((x) => x.hz);
  return others.filter((n) => heard.some((hz) => Math.abs(hz - (300 + 100 * n)) < 40));
}

test('six Chromiums and a Firefox: each sees and hears every other; leaving is told in 3 s, a death in 20 s', async (t) => {
  const all = ns ? [...CHROMIUMS, FIREFOX] : CHROMIUMS, pages = {};
  const firefox = ns?.run('node', [client('firefox_room.mjs'), stage.outside(), ROOM, String(FIREFOX), String(SECONDS), ...CHROMIUMS.map(String)], 1000 * (SECONDS + 60));
  firefox?.catch(() => {}); // told below
  if (ns) await attends();
  else t.diagnostic('no namespaces here: without Firefox');
  const began = Date.now();
  for (const n of CHROMIUMS) pages[n] = await enter(n, all.length - 1);
  for (const n of CHROMIUMS) {
    const others = all.filter((x) => x !== n), tones = CHROMIUMS.filter((x) => x !== n);
    await until(() => sees(pages[n], others), 60000, `p${n} sees ${others}`).catch(async (e) => assert.fail(`${e.message}: ${JSON.stringify(await pages[n].evaluate(() => ({ painted: window.painted(), people: Object.keys(window.room.people), slots: Object.values(window.room.slots).filter((s) => s.participant).map((s) => `${s.mid} ${s.kind} ${s.participant}`) })))}`));
    await until(async () => (await hears(pages[n], tones)).length === tones.length, 20000, `p${n} hears ${tones}`);
  }
  t.diagnostic(`all ${CHROMIUMS.length} Chromiums see and hear all after ${Date.now() - began} ms`);
  if (ns) await sleep(6000); // Firefox looks, too

  const gone = async (n, ms, left) => {
    const at = Date.now();
    await left();
    for (const m of CHROMIUMS.filter((x) => pages[x])) await until(() => pages[m].evaluate((who) => !window.room.people[who], `p${n}`), ms - (Date.now() - at), `p${n} is gone from the roster of p${m}`);
    t.diagnostic(`p${n} gone from every roster after ${Date.now() - at} ms`);
    return at;
  };
  const leave = (n, how) => { delete pages[n]; return how(); };
  const closing = pages[LEAVER];
  const leftAt = await gone(LEAVER, 3000, () => leave(LEAVER, () => closing.close()));
  const diedAt = await gone(DOOMED, 20000, () => leave(DOOMED, () => doomed.kill()));
  for (const n of CHROMIUMS.filter((x) => pages[x])) await until(() => sees(pages[n], all.filter((x) => ![n, LEAVER, DOOMED].includes(x))), 5000, `p${n} sees who is left`);

  if (!firefox) return;
  const seen = await firefox;
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.saw, 'Firefox has seen all');
  assert.ok(seen.heard >= CHROMIUMS.length - 2, `Firefox hears ${seen.heard}`);
  assert.ok(seen.left[LEAVER] - leftAt <= 3500, `told Firefox of who left after ${seen.left[LEAVER] - leftAt} ms`); // it looks each 100 ms or so
  assert.ok(seen.left[DOOMED] - diedAt <= 20500, `told Firefox of who died after ${seen.left[DOOMED] - diedAt} ms`);
});

const KEY = `?key=${'k'.repeat(21)}A`;

/** A Chromium comes by the conference page. */
async function join(name, room) {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/room.html#${room}`);
  await page.fill('#name', name);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await page.click('#door button[type=submit]');
  return page;
}

test('Firefox on the conference page: what is plain is shown, what is encrypted is said to be', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const firefox = ns.run('node', [client('firefox_page.mjs'), stage.outside(), 'pages', 'Fox', '30'], 200000);
  firefox.catch(() => {}); // told below
  await attends();
  await join('Plain', 'pages');
  await join('Sealed', `pages${KEY}`);
  const seen = await firefox;
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.tiles.Plain > 50, 'the plain one moves');
  assert.deepEqual(seen.shut, ['Sealed is encrypted: open the link that has the key']);
  assert.deepEqual([seen.faults, seen.fault], [[], '']);
});

longTest('Firefox publishes end-to-end encrypted, and sees who does', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const firefox = ns.run('node', [client('firefox_page.mjs'), stage.outside(), `vault${KEY}`, 'Fox', '40'], 200000);
  firefox.catch(() => {}); // told below
  await attends();
  const ada = await join('Ada', `vault${KEY}`), eve = await join('Eve', 'vault');
  const shown = (page) => page.evaluate(() => {
    const tile = document.querySelector('.tile[data-name=Fox]'), said = (part) => (tile.querySelector(part).hidden ? '' : tile.querySelector(part).textContent.trim());
    return tile && { frames: tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames, shut: said('.shut'), plain: said('.plain') };
  });
  await until(async () => (await shown(ada))?.frames > 50, 60000, 'Ada sees Firefox').catch(async (e) => assert.fail(`${e.message}: ${JSON.stringify(await shown(ada))}`));
  await until(async () => (await shown(eve))?.shut, 20000, 'Eve is told that she cannot');
  t.diagnostic(`Ada: ${JSON.stringify(await shown(ada))}, Eve: ${JSON.stringify(await shown(eve))}`);
  assert.deepEqual([(await shown(ada)).shut, (await shown(ada)).plain], ['', '']);
  assert.deepEqual(await shown(eve), { frames: 0, shut: 'Fox is encrypted: open the link that has the key', plain: '' });
  const seen = await firefox;
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.tiles.Ada > 50, 'Firefox sees Ada');
  assert.deepEqual([seen.shut, seen.faults, seen.fault], [[], [], '']); // Eve, who has no key, is not encrypted: seen
});
