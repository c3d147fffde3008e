// SPDX-License-Identifier: Apache-2.0
// fifty.test.mjs - a Chromium in a room with forty-nine native participants who speak in turn: its nine tiles show whom the server says they show, whoever changes, and its decoders never stumble.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { binary, makeFolder, openStage, sleep, until } from './lib.mjs';
import { participant } from './participant.mjs';

const NATIVE = 49, CHROMIUM = 200, TILES = 9, FPS = 15, SPEAK_MS = 2000, SECONDS = 30;
const load = join(dirname(binary), 'bench/load/sluice-load');

const { server, browser, test } = await openStage();
const folder = makeFolder('fifty');
after(() => folder.remove());

/** Runs in a page: a second of VP8 for each of so many numbers, which are painted as a participant paints them; IVF files as base64. */
async function encodeClips([count, fps]) {
  const canvas = new OffscreenCanvas(320, 180), g = canvas.getContext('2d'), clips = [];
  for (let id = 0; id < count; id++) {
    const parts = [];
    const add = (bytes, size, fill) => {
      const head = new DataView(new ArrayBuffer(size));
      fill(head);
      parts.push(new Uint8Array(head.buffer), ...bytes);
    };
    add([], 32, (v) => {
      [...'DKIF\0\0\x20\0VP80'].forEach((c, i) => v.setUint8(i, c.charCodeAt(0)));
      v.setUint16(12, 320, true);
      v.setUint16(14, 180, true);
      v.setUint32(16, fps, true);
      v.setUint32(20, 1, true);
      v.setUint32(24, fps, true);
    });
    const encoder = new VideoEncoder({
      output: (chunk) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        add([data], 12, (v) => v.setUint32(0, data.length, true));
      },
      error: (e) => { throw e; },
    });
    encoder.configure({ codec: 'vp8', width: 320, height: 180, bitrate: 100_000, framerate: fps, latencyMode: 'realtime' });
    for (let n = 0; n < fps; n++) {
      window.paintNumber(g, id, 20 * n);
      const frame = new VideoFrame(canvas, { timestamp: n * 1e6 / fps });
      encoder.encode(frame, { keyFrame: n === 0 });
      frame.close();
    }
    await encoder.flush();
    encoder.close();
    clips.push(btoa(parts.map((p) => String.fromCharCode(...p)).join('')));
  }
  return clips;
}

/** What a tile shows and whom the server says it shows, now: [mid, number painted, participant]. */
const tiles = (page) => page.evaluate(() => {
  const painted = window.painted();
  return Object.values(window.room.slots).filter((s) => s.kind === 'video' && s.participant).map((s) => [s.mid, painted[s.mid], s.participant]);
});

test('forty-nine native participants and a Chromium: every tile shows the right one, and no decoder stumbles', async (t) => {
  assert.ok(existsSync(load), `the load generator is not beside the server: ${load}`);
  const page = await browser.page(server.origin);
  await page.evaluate(participant);
  (await page.evaluate(encodeClips, [NATIVE, FPS])).forEach((clip, i) => writeFileSync(join(folder.path, `${i}.ivf`), Buffer.from(clip, 'base64')));
  const others = spawn(load, ['--whip', `${server.origin}/whip/fifty/p{i}`, '--publishers', String(NATIVE), '--viewers', '0', '--clip', join(folder.path, '{i}.ivf'), '--fps', String(FPS),
    '--speak-ms', String(SPEAK_MS), '--duration', String(SECONDS + 90), '--fast'], { stdio: 'ignore' });
  try {
    await page.evaluate(async ([base, id, count]) => {
      await window.speak(`${base}/whip/fifty/p${id}`, id, { fps: 8 });
      await window.attend(`${base}/whep/fifty?as=p${id}`, 3, count);
    }, [server.origin, CHROMIUM, TILES]);
    await until(() => page.evaluate((n) => Object.keys(window.room.people).length === n, NATIVE + 1), 40000, 'the roster holds everybody');
    await until(async () => (await tiles(page)).length === TILES && (await tiles(page)).every(([, n, who]) => who === `p${n}`), 20000, 'all tiles are right');

    const before = await page.evaluate(() => window.decoding()), spoke = new Set(), wrong = new Map();
    let looks = 0, longest = 0;
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end; looks++) {
      spoke.add(await page.evaluate(() => window.room.dominant));
      const now = await tiles(page);
      for (const [mid, n, who] of now) { // a picture may be on its way
        if (who === `p${n}`) wrong.delete(mid);
        else if (!wrong.has(mid)) wrong.set(mid, Date.now());
        else longest = Math.max(longest, Date.now() - wrong.get(mid));
      }
      await sleep(50);
    }
    const decoded = await page.evaluate(() => window.decoding()), changes = await page.evaluate(() => window.room.history.filter(([name, data]) => name === 'slots' && /"kind":"video"/.test(data)).length);
    t.diagnostic(`${spoke.size} had the word, ${changes} times tiles changed; the longest that a tile showed another than was said: ${longest} ms (${looks} looks)`);
    t.diagnostic(`decoded ${decoded.map((s, i) => s.frames - before[i].frames).join(' ')}, key frames asked for ${decoded.map((s, i) => s.plis - before[i].plis).join(' ')}, freezes ${decoded.map((s, i) => s.freezes - before[i].freezes).join(' ')}`);
    assert.ok(spoke.size >= SECONDS * 1000 / SPEAK_MS / 2, 'the word goes round');
    assert.ok(longest < 1500, 'a tile showed another than was said');
    for (const [i, s] of decoded.entries()) {
      assert.equal(s.ssrc, before[i].ssrc, 'a slot keeps its SSRC');
      assert.ok(s.frames - before[i].frames > FPS * SECONDS / 2, `tile ${s.mid} plays`);
      assert.equal(s.plis - before[i].plis, 0, `the decoder of tile ${s.mid} had to ask for a key frame`);
    }
  } finally {
    others.kill();
  }
});
