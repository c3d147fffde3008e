// SPDX-License-Identifier: Apache-2.0
// quality.test.mjs - real browsers behind links that change: the best layer comes back at once, nothing freezes. Frame times are those of the decoder, since freezeCount misses long
// stalls. QUALITY_RUNS: how often each is run, 10 if not said. A run in which the machine had no time for the link, the publisher or the viewer says nothing about the server: it is
// told, thrown away and made again, and the test gives up after twice as many runs.
import assert from 'node:assert/strict';
import { openStage, sleep } from './lib.mjs';
import { startLink } from './link.mjs';

const RUNS = Number(process.env.QUALITY_RUNS || 10), RATES = [150_000, 450_000, 1_500_000], SIZE = [960, 540];
const SLOW_SECONDS = 2; // of a run in which the publisher may make half of its frames and less, but all of its layers

const { server, test, publish, watch } = await openStage();

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Publishes all layers and notes each second what the largest one is like: the machine, not the server, decides on that. */
async function publishAll(options) {
  const page = await publish({ rates: RATES, size: SIZE, busy: 0.1, ...options });
  page.top = (options.size ?? SIZE)[1] * 0.9; // as high as its largest layer, or nearly
  await sleep(8000); // the publisher's own estimate grows to all of its layers
  await page.evaluate(() => {
    window.made = [];
    setInterval(async () => {
      const out = [...(await window.published.session.pc.getStats()).values()].filter((s) => s.type === 'outbound-rtp' && s.kind === 'video');
      const top = out.sort((a, b) => (b.frameHeight ?? 0) - (a.frameHeight ?? 0))[0];
      window.made.push([performance.timeOrigin + performance.now(), top.frameHeight ?? 0, top.framesPerSecond ?? 0, top.qualityLimitationReason]);
    }, 1000);
  });
  return page;
}

/** What the machine had no time for since a moment of the wall clock; '' if nothing. late: ms, of the links' packets. */
async function starved(since, publisher, pages, links) {
  const made = await publisher.evaluate((a) => window.made.filter(([at]) => at > a + 1000), since);
  const small = made.some(([, height]) => height < publisher.top), poor = made.filter(([, height, fps]) => height < publisher.top || fps < 15);
  const lags = await Promise.all(pages.map((page) => page.evaluate((a) => Math.max(0, ...window.lags.filter(([at]) => at > a).map(([, ms]) => ms)), since)));
  const late = Math.max(...links.map((link) => link.down.lateP95()));
  const why = [];
  if (small || poor.length > SLOW_SECONDS) why.push(`the publisher made too little in ${poor.length} of ${made.length} seconds: ${poor[0].slice(1).join(', ')}`);
  if (Math.max(...lags) > 250) why.push(`a viewer's page stood still for ${Math.round(Math.max(...lags))} ms`);
  if (late > 15) why.push(`the link was ${Math.round(late)} ms late`);
  return why.join(', ');
}

/**
 * Makes n runs: of viewers behind new links (links(run): their parameters), for so many seconds, which measure() gets as [frames, link] each and judges.
 * Gives what measure gave of the runs that count.
 */
async function runs(t, n, publisher, { links, seconds, stream, descriptor, measure }) {
  const good = [];
  for (let run = 0; good.length < n && run < 2 * n; run++) {
    const made = [], pages = [];
    try {
      for (const params of links(run)) {
        made.push(await startLink(server.ports.media, params));
        pages.push(await watchBehind(made.at(-1), { stream, descriptor }));
      }
      const since = await pages[0].evaluate(() => performance.timeOrigin + performance.now());
      const at = await Promise.all(pages.map((page, i) => begin(made[i], page)));
      await sleep(seconds * 1000);
      const frames = await Promise.all(pages.map((page, i) => framesSince(page, at[i])));
      const result = measure(frames.map((f, i) => [f, made[i]])), why = await starved(since, publisher, pages, made);
      t.diagnostic(`run ${run + 1}: ${JSON.stringify(result)}${why && ` thrown away: ${why}`}`);
      if (!why) good.push(result);
    } finally {
      for (const page of pages) await page.close();
      made.forEach((link) => link.close());
    }
  }
  assert.equal(good.length, n, `the machine was too busy for ${n} runs`);
  return good;
}

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
    let last = performance.now();
    window.lags = []; // when the page stood still, and for how long
    setInterval(() => {
      const now = performance.now();
      if (now - last > 100) window.lags.push([performance.timeOrigin + now, now - last]);
      last = now;
    }, 20);
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
async function narrowAndWiden(t, options) {
  const publisher = await publishAll({ stream: 'quality', ...options });
  const results = await runs(t, RUNS, publisher, {
    stream: 'quality', descriptor: options.codec !== 'VP8', seconds: 90,
    links: () => [{ trace: [[0, 2_500_000], [30, 600_000], [60, 2_500_000]], queue: 300, delay: 50 }],
    measure: ([[frames, link]]) => {
      const last = frames.filter(([when]) => when >= 60_000), below = last.findLast(([, h]) => h < publisher.top);
      const first = last.find(([, h]) => h >= publisher.top)?.[0] ?? Infinity, settled = last.find(([when, h]) => h >= publisher.top && when > (below?.[0] ?? 0))?.[0] ?? Infinity;
      return { back: Math.round(settled - 60_000), relapsed: settled !== first, stalls: stalls(frames, 5_000, 90_000), queueP95: Math.round(link.down.queueP95(31_000, 60_000)), before: share(frames, publisher.top, 10_000, 30_000) };
    },
  });
  const back = results.map((r) => r.back), queue = results.map((r) => r.queueP95);
  t.diagnostic(`top layer back after ${median(back)} ms (worst ${Math.max(...back)}), queue p95 ${median(queue)} ms, ${results.flatMap((r) => r.stalls).length} stalls in ${RUNS} runs`);
  assert.ok(results.every((r) => r.before > 0.9), 'the top layer fits 2.5 Mbps');
  assert.ok(median(back) <= 4000 && Math.max(...back) <= 8000, `top layer back after ${back.join(', ')} ms`);
  assert.ok(results.every((r) => !r.relapsed), 'a relapse');
  assert.deepEqual(results.flatMap((r) => r.stalls), [], 'stalls over 500 ms');
  assert.ok(median(queue) <= 100, `queue p95 while narrow: ${queue.join(', ')} ms`);
}

/** 5 % of all packets are lost, on 2 Mbps. */
async function lose(t, options) {
  const publisher = await publishAll({ stream: 'lossy', ...options });
  const results = await runs(t, RUNS, publisher, {
    stream: 'lossy', descriptor: options.codec !== 'VP8', seconds: 40,
    links: (run) => [{ trace: [[0, 2_000_000]], queue: 300, delay: 25, loss: 0.05, seed: run + 1 }],
    measure: ([[frames]]) => ({ top: share(frames, publisher.top, 5_000, 40_000), stalls: stalls(frames, 5_000, 40_000) }),
  });
  const shares = results.map((r) => r.top);
  assert.ok(median(shares) >= 0.95, `top layer for ${shares.map((s) => (100 * s).toFixed(1)).join(', ')} % of the time`);
  assert.deepEqual(results.flatMap((r) => r.stalls), [], 'stalls over 500 ms');
}

for (const [name, options] of [['VP8 simulcast', { codec: 'VP8', simulcast: true }], ['VP9 SVC', { codec: 'VP9', svc: 'L3T3_KEY' }], ['AV1 SVC', { codec: 'AV1', svc: 'L3T3', size: [480, 270] }]]) {
  test(`2.5, 0.6, 2.5 Mbps: ${name} comes back and never stalls`, (t) => narrowAndWiden(t, options));
  test(`5 % loss on 2 Mbps: the top layer of ${name} stays`, (t) => lose(t, options));
}

test('three viewers on three links: each has its layer, none disturbs another', async (t) => {
  const publisher = await publishAll({ stream: 'three', codec: 'VP8', simulcast: true });
  const results = await runs(t, Math.min(RUNS, 3), publisher, {
    stream: 'three', seconds: 40,
    links: () => [5_000_000, 1_000_000, 300_000].map((rate) => ({ trace: [[0, rate]], queue: 300, delay: 30 })),
    measure: (viewers) => ({ shares: viewers.map(([frames], i) => share(frames, SIZE[1] / 2 ** i * 0.9, 10_000, 40_000)), stalls: viewers.map(([frames]) => stalls(frames, 10_000, 40_000)) }),
  });
  assert.ok(results.every((r) => r.shares.every((s) => s >= 0.95)), `on its layer or above for ${results.map((r) => r.shares.map((s) => s.toFixed(3)).join(', ')).join('; ')} of the time`);
  assert.deepEqual(results.flatMap((r) => r.stalls.flat()), [], 'stalls over 500 ms');
});

test('10 % loss: who reads RED hears next to nothing of it', async (t) => {
  await publish({ stream: 'heard', kinds: 'a' });
  const withoutRed = [() => window.rewriteOffers((sdp) => {
    const [, pt] = sdp.match(/a=rtpmap:(\d+) red\/48000/);
    return sdp.replace(new RegExp(`a=(rtpmap|fmtp):${pt} .*\r\n`, 'g'), '').replace(new RegExp(`(m=audio.*) ${pt}\\b`), '$1');
  })];
  const links = [], viewers = [];
  try {
    for (const prepare of [null, withoutRed]) {
      links.push(await startLink(server.ports.media, { loss: 0.1, delay: 25 }));
      viewers.push(await watch({ stream: 'heard', kinds: 'a' }, links.at(-1).way, prepare));
    }
    const soFar = () => Promise.all(viewers.map((page) => page.evaluate(() => window.watchedSoFar())));
    await sleep(15_000); // Chromium reports on audio every few seconds
    const from = await soFar();
    await sleep(20_000);
    const to = await soFar(), samples = to.map((x, i) => x.samples - from[i].samples), [copies, plain] = to.map((x, i) => (x.concealed - from[i].concealed) / samples[i]);
    t.diagnostic(`made up: ${(100 * copies).toFixed(2)} % of the sound with RED, ${(100 * plain).toFixed(2)} % without`);
    assert.ok(Math.min(...samples) > 15 * 48_000, `it does not play: ${JSON.stringify(to)}`);
    assert.ok(copies < 0.02, `${(100 * copies).toFixed(1)} % of the sound was made up`);
    assert.ok(plain > 0.05, 'the link must lose enough to be heard');
  } finally {
    links.forEach((link) => link.close());
  }
});
