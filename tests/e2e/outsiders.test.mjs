// SPDX-License-Identifier: Apache-2.0
// outsiders.test.mjs - rooms for those who know nothing of rooms: a player of aiortc follows the speaker, a file that GStreamer publishes is one of the participants.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { assertSeen, client, makeFolder, openStage, python, runClient, seenFrames, sleep, until } from './lib.mjs';

const SOURCE = 100_000; // as in clients/marker.py

const stage = await openStage({ outside: true }), { server, ns, test, publish, watch } = stage;

const speak = (page, on) => page.evaluate((enabled) => window.published.session.pc.getSenders().forEach((s) => { if (s.track.kind === 'audio') s.track.enabled = enabled; }), on);

test('a player of aiortc follows the speaker without a word of complaint', async (t) => {
  const people = [];
  for (const n of [1, 2]) people.push(await publish({ stream: `talk/p${n}`, base: n * SOURCE, fps: 15 }));
  await speak(people[1], false);
  const player = runClient([python, client('aiortc_view.py'), `${server.origin}/whep/talk`, 'VP8', '18']);
  player.catch(() => {}); // told below
  await until(async () => (await server.sessions()).some((s) => s.role === 'play' && s.state === 'up'), 20000, 'it plays');
  for (const turn of [0, 1, 0]) {
    await speak(people[turn], true);
    await speak(people[1 - turn], false);
    await sleep(3500);
  }
  const seen = await player;
  t.diagnostic(JSON.stringify({ frames: seen.frames, good: seen.good, sources: seen.sources, longestGap: seen.longestGap }));
  assert.deepEqual(seen.sources.slice(-3), [1, 2, 1], 'the picture is that of who speaks');
  assert.deepEqual(seen.troubles, []);
  assert.ok(seen.frames >= 80 && seen.good >= 0.95 * seen.frames, JSON.stringify(seen));
  assert.ok(seen.audioLevel > 0, 'it hears');
});

test('a file that GStreamer publishes into a room is seen there', async (t) => {
  if (!ns) return t.skip('no namespaces here');
  const folder = makeFolder('clip'), clip = join(folder.path, 'clip.mkv');
  execFileSync(python, [client('make_clip.py'), clip, '12', '2', 'baseline']);
  const published = ns.run(python, [client('gst_publish.py'), `${stage.outside()}/whip/studio/file`, clip]);
  published.catch(() => {}); // told below
  const viewer = await watch({ stream: 'studio' });
  const seen = await seenFrames(viewer, 100);
  assertSeen(t, seen, { frames: 100, first: Infinity });
  assert.equal((await published).end, 'end of file');
  folder.remove();
});
