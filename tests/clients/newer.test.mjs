// SPDX-License-Identifier: Apache-2.0
// newer.test.mjs - clients that this distribution does not have, out of a newer one (root.sh), in a namespace of their own: each publishes the
// painted clip to a browser, or plays what a browser or the clip's publisher sends. run.sh starts it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertSeen, client, openStage, python, runClient } from '../e2e/lib.mjs';

const here = dirname(fileURLToPath(import.meta.url)), root = process.env.CLIENTS_ROOT, TOKEN = 'let-them-in', SECONDS = 10;
const { ns, server, test, publish, watch } = await openStage({ outside: true });
assert.ok(ns, 'these clients refuse loopback: network namespaces are needed (root)');
execFileSync(python, [client('make_clip.py'), join(root, 'clients/clip.mkv'), String(SECONDS)]);
for (const out of [['-c', 'copy', '-an', 'clip.h264'], ['-c', 'copy', '-vn', '-page_duration', '20000', 'clip.ogg']]) {
  const to = join(root, 'clients', out.pop());
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', '-i', join(root, 'clients/clip.mkv'), ...out, to]);
}

const url = (way, stream) => `http://${ns.address}:${server.ports.http}/${way}/${stream}`;
/** A program of the newer distribution; resolves with its last line, parsed. */
const inside = (...argv) => ns.run('chroot', [root, ...argv]);
/** A program that does not speak JSON: what it ended with. */
const status = (...argv) => inside('sh', '-c', '"$@" >/clients/log 2>&1; echo $?', 'sh', ...argv);
const log = () => readFileSync(join(root, 'clients/log'), 'utf8');
const joins = (stream) => server.log.split('\n').filter((l) => l.includes(`ev=session_join label=${stream}/`));

// GStreamer's elements from the clip to RTP.
const VIDEO = 'filesrc location=/clients/clip.mkv ! matroskademux ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au ! clocksync sync-to-first=true'
  + ' ! rtph264pay pt=96 aggregate-mode=zero-latency config-interval=-1 ! queue ! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000';
const AUDIO = 'filesrc location=/clients/clip.mkv ! matroskademux ! opusparse ! clocksync sync-to-first=true ! rtpopuspay pt=111'
  + ' ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2';
const ffmpeg = (...how) => ['ffmpeg', '-re', '-i', '/clients/clip.mkv', '-c', 'copy', ...how, '-f', 'whip', '-authorization', TOKEN];
const whipClient = (...how) => ['timeout', '-s', 'INT', '--preserve-status', String(SECONDS), 'whip-client', '-t', TOKEN, '-A', AUDIO, '-V', VIDEO, ...how, '-u'];

for (const [name, argv, known] of [
  ['FFmpeg as the DTLS server, as it ships', ffmpeg(), 'ffmpeg-no-pli'],
  ['FFmpeg as the DTLS client', ffmpeg('-whip_flags', 'dtls_active'), 'ffmpeg-no-pli'],
  ['simple-whip-client, trickling', whipClient()],
  ['simple-whip-client, all in the offer', whipClient('-n')],
]) {
  test(`${name} publishes`, async (t) => {
    const stream = name.replaceAll(/\W+/g, '-');
    const viewer = await watch({ stream });
    const ended = await status(...argv, url('whip', stream));
    const all = await viewer.evaluate(() => window.watchedSoFar());
    // Who comes late is shown what is stored first, in fast motion, of which a browser paints a part.
    const seen = await viewer.evaluate((at) => window.watchedSoFar(at), all.firstAt + 2000);
    assert.equal(ended, 0, log());
    assert.ok(all.back === 0 && all.good >= 0.95 * all.frames, JSON.stringify(all));
    // The clip's clock is its own, so the delay says nothing. On a busy machine both sides come late: what counts is the share of what was there.
    assertSeen(t, seen, { frames: Math.max(75, 0.9 * (seen.lastId - seen.firstId)), first: Infinity });
    assert.equal(joins(stream).length, 2);
    if (known) assert.ok(joins(stream).some((l) => l.includes(`quirks=${known}`)), joins(stream).join('\n'));
    assert.ok(server.log.includes(`ev=session_leave label=${stream}/main role=publish`) && server.log.includes('reason=client'), 'it says DELETE');
  });
}

test('GStreamer: webrtcbin publishes and plays', async (t) => {
  const published = inside('python3', '/clients/gst_publish.py', url('whip', 'gst'), '/clients/clip.mkv', String(SECONDS));
  published.catch(() => {}); // told below
  const seen = await inside('python3', '/clients/gst_view.py', url('whep', 'gst'), 'H264', String(SECONDS - 3));
  assertSeen(t, seen, { frames: 20 * (SECONDS - 4), first: 3000 });
  assert.equal(seen.deleted, 200);
  assert.equal((await published).deleted, 200);
});

for (const [name, codec, script] of [['GStreamer', 'VP9', 'gst_view.py'], ['aiortc', 'VP8', 'aiortc_view.py'], ['aiortc', 'H264', 'aiortc_view.py']]) {
  test(`${name} plays ${codec} of a browser`, async (t) => {
    const stream = `${name}-${codec}`;
    await publish({ stream, codec });
    const seen = await inside('python3', `/clients/${script}`, url('whep', stream), codec, '5');
    assertSeen(t, seen, { frames: 75, delay: 800, first: 3000 });
    assert.equal(seen.deleted, 200);
  });
}

test('Pion publishes, and plays, trickling', async (t) => {
  const published = inside('/clients/pion', 'publish', url('whip', 'pion'), String(SECONDS), '/clients/clip.h264', '/clients/clip.ogg');
  published.catch(() => {}); // told below
  const viewer = await watch({ stream: 'pion' });
  await viewer.waitForFunction(() => window.watched.seen.length > 0, null, { timeout: 10000 });
  const played = await inside('/clients/pion', 'play', url('whep', 'pion'), String(SECONDS - 4), '/clients/played.h264');
  const sent = await published;
  for (const said of [sent, played]) assert.ok(said.deleted === 200 && said.trickled > 0 && !said.fault, JSON.stringify(said));
  assertSeen(t, await viewer.evaluate(() => window.watchedSoFar()), { frames: 25 * (SECONDS - 3), first: Infinity });
  assert.ok(played.audio > 40 * (SECONDS - 5), JSON.stringify(played));
  const seen = await runClient([python, join(here, 'decode.py'), join(root, 'clients/played.h264')]);
  t.diagnostic(JSON.stringify(seen));
  assert.ok(seen.good >= 25 * (SECONDS - 6) && seen.good === seen.frames && seen.back === 0, JSON.stringify(seen));
});
