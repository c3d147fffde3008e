// SPDX-License-Identifier: Apache-2.0
// rooms.test.mjs - a conference in real browsers with nothing but WHIP, WHEP and server-sent events: everyone sees the painted number of everyone else, and is told who is where.
import assert from 'node:assert/strict';
import { openStage, sleep, until } from './lib.mjs';
import { participant, sees } from './participant.mjs';

const { server, browser, test } = await openStage();

const page = async () => {
  const p = await browser.page(server.origin);
  await p.evaluate(participant);
  return p;
};

test('three browsers in a room: each sees the others, whoever comes, speaks, hides and goes', async (t) => {
  const people = {};
  for (const n of [37, 90, 202]) {
    people[n] = await page();
    await people[n].evaluate(([url, room, id]) => window.speak(url, id).then(() => window.attend(room, 2, 2)), [`${server.origin}/whip/trio/p${n}`, `${server.origin}/whep/trio?as=p${n}`, n]);
  }
  for (const n of [37, 90, 202]) {
    const others = [37, 90, 202].filter((x) => x !== n);
    await until(() => sees(people[n], others), 40000, `${n} sees ${others}`);
  }
  const ssrcs = Object.fromEntries((await people[37].evaluate(() => window.decoding())).map((s) => [s.mid, s.ssrc]));

  await t.test('the speaker is known within a second', async () => {
    for (const n of [90, 202, 37]) {
      for (const m of [37, 90, 202]) await people[m].evaluate((on) => window.voice(on), m === n);
      const began = Date.now();
      await until(() => people[n === 37 ? 90 : 37].evaluate((who) => window.room.dominant === who, `p${n}`), 5000, `${n} has the word`);
      t.diagnostic(`p${n} had the word after ${Date.now() - began} ms`);
      await sleep(600);
    }
    for (const m of [37, 90, 202]) await people[m].evaluate(() => window.voice(false));
  });

  await t.test('a wish chooses who sits where', async () => {
    const mid = Object.keys(await people[37].evaluate(() => window.painted())).sort()[0];
    for (const n of [90, 202, 90]) {
      assert.equal(await people[37].evaluate(([m, who]) => window.wish({ slots: [{ mid: m, stream: who, layer: { maxWidth: 320, maxHeight: 180 } }] }), [mid, `p${n}`]), 200);
      await until(() => people[37].evaluate(([m, id]) => window.painted()[m] === id, [mid, n]), 20000, `the tile shows ${n}`);
    }
    assert.equal(await people[37].evaluate((m) => window.wish({ slots: [{ mid: m, stream: null, layer: {} }] }), mid), 200);
    await until(() => sees(people[37], [90, 202]), 20000, 'all as before');
  });

  await t.test('the numbers of the own session come each second', async () => {
    await until(() => people[37].evaluate(() => window.room.stats?.tracks.filter((x) => x.kind === 'video' && x.bitrate_bps > 0).length === 2), 20000, 'two pictures are counted');
  });

  await t.test('one closes the tab: gone from roster and tiles within 3 s', async () => {
    const began = Date.now();
    await people[202].close();
    await until(() => people[37].evaluate(() => !window.room.people.p202), 5000, 'the roster knows');
    const took = Date.now() - began;
    t.diagnostic(`gone after ${took} ms`);
    assert.ok(took <= 3000);
    await until(() => sees(people[37], [90]), 3000, 'one is left');
  });

  const after = await people[37].evaluate(() => window.decoding());
  for (const s of after) {
    assert.equal(s.ssrc, ssrcs[s.mid], 'a slot keeps its SSRC');
    assert.ok(s.frames > 0);
  }
});

test('a plain player follows the speaker', async (t) => {
  const people = [];
  for (const n of [5, 9]) {
    const p = await page();
    await p.evaluate(([url, id]) => window.speak(url, id), [`${server.origin}/whip/talk/p${n}`, n]);
    people.push(p);
  }
  const viewer = await page();
  await viewer.evaluate((room) => window.attend(room, 1, 1), `${server.origin}/whep/talk`);
  for (const turn of [0, 1, 0]) {
    await people[turn].evaluate(() => window.voice(true));
    await people[1 - turn].evaluate(() => window.voice(false));
    await until(() => viewer.evaluate((id) => Object.values(window.painted())[0] === id, [5, 9][turn]), 20000, `the picture is ${[5, 9][turn]}'s`);
    await sleep(1200);
  }
  await until(async () => (await viewer.evaluate(() => window.decoding()))[0].frames > 30, 20000, '30 frames');
});
