// SPDX-License-Identifier: Apache-2.0
// quality.test.mjs - real browsers behind links that change: the best layer comes back at once, nothing freezes. Frame times are those of the decoder, since freezeCount misses long
// stalls. QUALITY_RUNS: how often each is run, 10 if not said. Needs a machine of its own: lateP95 says by how many ms the emulated link itself was late.
import assert from 'node:assert/strict';
import { openStage, sleep } from './lib.mjs';
import { startLink } from './link.mjs';

const RUNS = Number(process.env.QUALITY_RUNS || 10), RATES = [150_000, 450_000, 1_500_000], SIZE = [960, 540];

const { server, test, publish, watch } = await openStage();

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** A viewer that notes when each frame was decoded and how high it was, in the background too. */
async function watchBehind(link, options) {
  const page = await watch(options, link.way);
  await page.waitForFunction(() => window.watched.session.pc?.getReceivers().some((r) => r.track.kind === 'video' && !r.track.muted), null, { timeout: 15000 });
  await page.evaluate(() => {
    const { track } = window.watched.session.pc.getReceivers().find((r) => r.track.kind === 'video');
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader(), frames = window.decoded = [];
    (async () => {
      for (let got; !(got = await reader.read()).done; got.value.close()) frames.push([performance.now(), got.value.codedHeight]);
    })();
  });
  return page;
}

/** Frames since the link began: [ms, height], and the page's clock at that moment. */
async function begin(link, page) {
  link.begin();
  return page.evaluate(() => performance.now());
}
const framesSince = (page, at) => page.evaluate((a) => window.decoded.filter(([t]) => t >= a).map(([t, h]) => [t - a, h]), at);

/** Gaps above 500 ms between two moments, the last one still open included. */
function stalls(frames, from, to) {
  const times = [from, ...frames.map(([at]) => at).filter((at) => at > from && at < to), to];
  return times.slice(1).map((at, i) => at - times[i]).filter((gap) => gap > 500).map(Math.round);
}

/** Share of the time between two moments at which the newest frame was at least so high. */
function share(frames, height, from, to) {
  let good = 0;
  frames.forEach(([at, h], i) => {
    const end = Math.min(frames[i + 1]?.[0] ?? to, at + 500, to), begun = Math.max(at, from);
    if (h >= height && end > begun) good += end - begun;
  });
  return good / (to - from);
}

/** 2.5, 0.6, 2.5 Mbps, 30 s each. */
async function narrowAndWiden(t, publisher) {
  const results = [];
  await publish({ stream: 'quality', rates: RATES, size: SIZE, busy: true, ...publisher });
  await sleep(8000); // the publisher's own estimate grows to all of its layers
  for (let run = 0; run < RUNS; run++) {
    const link = await startLink(server.ports.media, { trace: [[0, 2_500_000], [30, 600_000], [60, 2_500_000]], queue: 300, delay: 50 });
    const page = await watchBehind(link, { stream: 'quality', descriptor: publisher.codec !== 'VP8' });
    try {
      const at = await begin(link, page);
      await sleep(90_000);
      const frames = await framesSince(page, at), top = SIZE[1] * 0.9;
      const last = frames.filter(([when]) => when >= 60_000), below = last.findLast(([, h]) => h < top);
      const first = last.find(([, h]) => h >= top)?.[0] ?? Infinity, settled = last.find(([when, h]) => h >= top && when > (below?.[0] ?? 0))?.[0] ?? Infinity;
      const result = { back: Math.round(settled - 60_000), relapsed: settled !== first, stalls: stalls(frames, 5_000, 90_000), queueP95: Math.round(link.down.queueP95(31_000, 60_000)),
        before: share(frames, top, 10_000, 30_000), lateP95: Math.round(link.down.lateP95()) };
      t.diagnostic(`run ${run + 1}: ${JSON.stringify(result)}`);
      results.push(result);
    } finally {
      await page.close();
      link.close();
    }
  }
  const back = results.map((r) => r.back), queue = results.map((r) => r.queueP95);
  t.diagnostic(`top layer back after ${median(back)} ms (worst ${Math.max(...back)}), queue p95 ${median(queue)} ms, ${results.flatMap((r) => r.stalls).length} stalls in ${RUNS} runs`);
  assert.ok(results.every((r) => r.before > 0.9), 'the top layer fits 2.5 Mbps');
  assert.ok(median(back) <= 4000 && Math.max(...back) <= 8000, `top layer back after ${back.join(', ')} ms`);
  assert.ok(results.every((r) => !r.relapsed), 'a relapse');
  assert.deepEqual(results.flatMap((r) => r.stalls), [], 'stalls over 500 ms');
  assert.ok(median(queue) <= 100, `queue p95 while narrow: ${queue.join(', ')} ms`);
}

test('2.5, 0.6, 2.5 Mbps: VP8 simulcast comes back and never stalls', (t) => narrowAndWiden(t, { codec: 'VP8', simulcast: true }));
test('2.5, 0.6, 2.5 Mbps: VP9 SVC comes back and never stalls', (t) => narrowAndWiden(t, { codec: 'VP9', svc: 'L3T3' }));
test('2.5, 0.6, 2.5 Mbps: AV1 SVC comes back and never stalls', (t) => narrowAndWiden(t, { codec: 'AV1', svc: 'L3T3' }));

test('5 % loss on 2 Mbps: the top layer stays', async (t) => {
  const shares = [], stood = [];
  await publish({ stream: 'lossy', rates: RATES, size: SIZE, busy: true, codec: 'VP8', simulcast: true });
  await sleep(8000);
  for (let run = 0; run < RUNS; run++) {
    const link = await startLink(server.ports.media, { trace: [[0, 2_000_000]], queue: 300, delay: 25, loss: 0.05, seed: run + 1 });
    const page = await watchBehind(link, { stream: 'lossy' });
    try {
      const at = await begin(link, page);
      await sleep(40_000);
      const frames = await framesSince(page, at);
      shares.push(share(frames, SIZE[1] * 0.9, 5_000, 40_000));
      stood.push(...stalls(frames, 5_000, 40_000));
      t.diagnostic(`run ${run + 1}: top layer ${(100 * shares.at(-1)).toFixed(1)} %, stalls ${JSON.stringify(stood)}`);
    } finally {
      await page.close();
      link.close();
    }
  }
  assert.ok(median(shares) >= 0.95, `top layer for ${shares.map((s) => (100 * s).toFixed(1)).join(', ')} % of the time`);
  assert.deepEqual(stood, [], 'stalls over 500 ms');
});

test('three viewers on three links: each has its layer, none disturbs another', async (t) => {
  await publish({ stream: 'three', rates: RATES, size: SIZE, busy: true, codec: 'VP8', simulcast: true });
  await sleep(8000);
  for (let run = 0; run < Math.min(RUNS, 3); run++) {
    const links = [], pages = [];
    try {
      for (const rate of [5_000_000, 1_000_000, 300_000]) {
        links.push(await startLink(server.ports.media, { trace: [[0, rate]], queue: 300, delay: 30 }));
        pages.push(await watchBehind(links.at(-1), { stream: 'three' }));
      }
      const at = await Promise.all(pages.map((page, i) => begin(links[i], page)));
      await sleep(40_000);
      const frames = await Promise.all(pages.map((page, i) => framesSince(page, at[i])));
      const shares = frames.map((f, i) => share(f, SIZE[1] / 2 ** i * 0.9, 10_000, 40_000)), stood = frames.map((f) => stalls(f, 10_000, 40_000));
      t.diagnostic(`run ${run + 1}: on its layer or above ${shares.map((s) => (100 * s).toFixed(1)).join(', ')} %, stalls ${JSON.stringify(stood)}`);
      assert.ok(shares.every((s) => s >= 0.95), `on its layer for ${shares.join(', ')} of the time`);
      assert.deepEqual(stood.flat(), [], 'stalls over 500 ms');
    } finally {
      for (const page of pages) await page.close();
      links.forEach((link) => link.close());
    }
  }
});
