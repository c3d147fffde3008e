// SPDX-License-Identifier: Apache-2.0
// states.mjs - leads the conference page through everything that it can show, for those who look at it: screenshots.mjs for people, a11y.test.mjs for axe-core.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, sleep, startChromium, startServer, until } from './lib.mjs';

export const LOOKS = [
  { name: 'light', scheme: 'light', width: 1280, height: 800 },
  { name: 'dark', scheme: 'dark', width: 1280, height: 800 },
  { name: 'phone', scheme: 'light', width: 390, height: 844 },
  { name: 'phone-dark', scheme: 'dark', width: 390, height: 844 },
  { name: 'phone-lying', scheme: 'light', width: 844, height: 390 },
];

/** Runs in a page: many participants who are painted, not filmed, so that nine cost less than one camera. */
function crowd() {
  const people = new Map();

  function paint(g, name, i, tick) {
    const { width, height } = g.canvas, hue = (47 * i + 150) % 360;
    const wall = g.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, `hsl(${hue} 30% 62%)`);
    wall.addColorStop(1, `hsl(${hue} 34% 30%)`);
    g.fillStyle = wall;
    g.fillRect(0, 0, width, height);
    const x = width / 2 + 6 * Math.sin(tick / 6 + i);
    g.fillStyle = `hsl(${hue} 25% 22%)`;
    g.beginPath();
    g.ellipse(x, height * 1.02, width * 0.22, height * 0.42, 0, 0, 7);
    g.fill();
    g.fillStyle = `hsl(${25 + 5 * (i % 3)} 45% ${48 + 6 * (i % 4)}%)`;
    g.beginPath();
    g.ellipse(x, height * 0.42, width * 0.09, height * 0.2, 0, 0, 7);
    g.fill();
  }

  function slide(g, name, i, tick) {
    g.fillStyle = '#fbfaf6';
    g.fillRect(0, 0, g.canvas.width, g.canvas.height);
    g.fillStyle = '#12211e';
    g.font = '600 44px sans-serif';
    g.fillText('Flow of a join', 60, 100);
    g.font = '26px sans-serif';
    ['One POST, one answer', 'The first check proves the address', 'Keys, then the last key frame', `${tick} ticks so far`].forEach((t, n) => g.fillText(`–  ${t}`, 70, 180 + 60 * n));
  }

  async function post(pc, url) {
    await pc.setLocalDescription();
    await new Promise((done) => {
      if (pc.iceGatheringState === 'complete') done();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
    });
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
    if (answer.status !== 201) throw new Error(`${url}: ${answer.status}`);
    await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    return new URL(answer.headers.get('Location'), url).href;
  }

  /** name: as in the URL; name~screen shows a slide. display: as people read it; dark: without camera. */
  window.enter = async (room, name, { voice = false, display = '', dark = false } = {}) => {
    const screen = name.endsWith('~screen'), canvas = Object.assign(document.createElement('canvas'), screen ? { width: 960, height: 540 } : { width: 320, height: 180 });
    const g = canvas.getContext('2d'), i = people.size;
    let tick = 0;
    const draw = () => (screen ? slide : paint)(g, name, i, tick++);
    draw();
    const timer = setInterval(draw, 200), stream = canvas.captureStream(5);
    const audio = new AudioContext(), tone = audio.createOscillator(), gain = audio.createGain(), out = audio.createMediaStreamDestination();
    tone.connect(gain).connect(out);
    gain.gain.value = voice ? 0.4 : 0;
    tone.start();
    if (!screen) stream.addTrack(out.stream.getAudioTracks()[0]);
    const pc = new RTCPeerConnection();
    stream.getTracks().filter((t) => !dark || t.kind === 'audio').forEach((t) => pc.addTransceiver(t, { direction: 'sendonly', streams: [stream] }));
    const chat = pc.createDataChannel('chat'), session = await post(pc, `${location.origin}/whip/${room}/${name}?name=${encodeURIComponent(display)}`);
    await new Promise((done) => { chat.onopen = done; });
    people.set(name, { pc, session, timer, audio, tell: (m) => chat.send(JSON.stringify({ ...m, from: name })) });
  };

  window.tell = (name, message) => people.get(name).tell(message);

  window.exit = async (name) => {
    const { pc, session, timer, audio } = people.get(name);
    people.delete(name);
    clearInterval(timer);
    pc.close();
    await audio.close();
    await fetch(session, { method: 'DELETE' });
  };
}

const NAMES = ['Grace_Hopper', 'Linus', 'Barbara_Liskov', 'Dennis', 'Radia_Perlman', 'Ken', 'Margaret_Hamilton', 'Edsger'];
const ROOM = 'studio';
const DISPLAYS = ['Мария Склодовская-Кюри', '山田 太郎', 'فاطمة الفهرية', 'Dr. Maximiliane von und zu Hohenlohe-Schillingsfürst', 'Ελένη', 'नीलम'];

const tiles = (page, n) => until(() => page.evaluate((want) => [...document.querySelectorAll('.tile')].filter((t) => t.classList.contains('no-picture') || t.querySelector('video').videoWidth > 0).length === want, n), 20000, `${n} tiles`);

/** One page of the meeting is encrypted, the other has no key. */
async function sealed(show, browser, server) {
  const key = `${'k'.repeat(21)}A`, ada = await lobby(browser, server.origin, `#vault?key=${key}`);
  await enter(ada);
  const eve = await lobby(browser, server.origin, '#vault');
  await eve.fill('#name', 'Eve');
  await enter(eve);
  await eve.waitForSelector('.shut:not([hidden])');
  await show(ada, 'room-11-sealed');
  await show(eve, 'room-12-no-key');
  await eve.close();
  await ada.close();
}

async function lobby(browser, origin, hash = `#${ROOM}`, query = '') {
  const page = await browser.context.newPage();
  await page.goto(`${origin}/room.html${query}${hash}`);
  await page.fill('#name', 'Ada Lovelace');
  await sleep(700);
  return page;
}

const enter = (page) => page.click('#door button[type=submit]');
const refused = (page, words) => page.waitForFunction((w) => document.getElementById('fault').textContent.includes(w), words, { timeout: 10000 });

/** A meeting that grows. */
async function meeting(show, browser, server) {
  const others = await browser.context.newPage();
  await others.goto(`${server.origin}/#none`);
  await others.evaluate(crowd);
  const come = (names) => others.evaluate(async ([room, list]) => { for (const n of list) await window.enter(room, n, { voice: n === 'Linus' }); }, [ROOM, names]);
  const page = await lobby(browser, server.origin);
  await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
  await show(page, 'room-1-lobby');
  await enter(page);
  await page.waitForSelector('#alone:not([hidden])');
  await show(page, 'room-2-alone');
  await come(NAMES.slice(0, 1));
  await tiles(page, 2);
  await show(page, 'room-3-two');
  await come(NAMES.slice(1, 3));
  await tiles(page, 4);
  await others.evaluate((n) => window.tell(n, { hand: true }), NAMES[0]);
  await show(page, 'room-4-four');
  await page.click('#show-chat');
  for (const [n, text] of [[0, 'Good morning, everybody'], [2, 'Hello! Here is the agenda: https://example.org/agenda/2026/spring/with-a-rather-long-path'], [2, 'Shall we begin?']]) {
    await others.evaluate(([name, m]) => window.tell(name, { text: m }), [NAMES[n], text]);
  }
  await sleep(200);
  await page.fill('#text', 'Yes, one moment please');
  await page.press('#text', 'Enter');
  await show(page, 'room-5-chat');
  await page.click('#show-people');
  await show(page, 'room-6-people');
  await page.click('#show-people');
  await come([`${NAMES[1]}~screen`]);
  await tiles(page, 5);
  await show(page, 'room-7-screen');
  await others.evaluate((n) => window.exit(n), `${NAMES[1]}~screen`);
  await tiles(page, 4);
  await come(NAMES.slice(3));
  await tiles(page, 9);
  await show(page, 'room-8-nine');
  await page.click('#layout');
  await show(page, 'room-9-speaker');
  await page.click('#layout');
  await others.close();
  await sleep(500);
  return page;
}

/** As many as a page shows well: some without camera, their names in many scripts. */
async function many(show, browser, server) {
  const others = await browser.context.newPage();
  await others.goto(`${server.origin}/#none`);
  await others.evaluate(crowd);
  await others.evaluate(async (displays) => {
    for (let i = 0; i < 24; i++) await window.enter('hall', `p${i}`, { display: displays[i] ?? `Guest ${i}`, dark: i % 5 === 1 });
  }, DISPLAYS);
  const page = await lobby(browser, server.origin, '#hall', '?tiles=24');
  await enter(page);
  await tiles(page, 25);
  await show(page, 'room-13-many');
  await page.click('#show-people');
  await show(page, 'room-14-many-people');
  await page.click('#show-settings');
  await show(page, 'room-16-settings');
  await page.close();
  await others.close();
}

/** What goes wrong, each with its sentence. */
async function faults(show, browser, shy, guarded, secret) {
  await shy.context.clearPermissions();
  const denied = await lobby(shy, guarded.origin);
  await denied.waitForSelector('#fault:not([hidden])');
  await show(denied, 'room-fault-denied');
  await denied.close();
  const insecure = await lobby(browser, `http://sluice.test:${guarded.ports.http}`);
  await insecure.waitForSelector('#fault:not([hidden])');
  await show(insecure, 'room-fault-insecure');
  await insecure.close();
  const missing = await browser.context.newPage();
  await missing.addInitScript(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError')); });
  await missing.goto(`${guarded.origin}/room.html#${ROOM}`);
  await missing.waitForSelector('#fault:not([hidden])');
  await show(missing, 'room-fault-no-device');
  await missing.close();
  const token = await lobby(browser, guarded.origin);
  await enter(token);
  await refused(token, 'token');
  await show(token, 'room-fault-token');
  await token.close();
  const first = await lobby(browser, guarded.origin, `#${ROOM}?token=${secret}`);
  await enter(first);
  await first.waitForSelector('#alone:not([hidden])');
  await sleep(500);
  await fetch(`${guarded.admin}/api/v1/rooms/${ROOM}/lock`, { method: 'POST' });
  const late = await lobby(browser, guarded.origin, `#${ROOM}?token=visitor-9d1f7a2c44e0b1a6`);
  await late.fill('#name', 'Grace');
  await enter(late);
  await refused(late, 'locked');
  await show(late, 'room-fault-locked');
  await late.close();
  await fetch(`${guarded.admin}/api/v1/rooms/${ROOM}`, { method: 'DELETE' });
  await refused(first, 'ended the room');
  await show(first, 'room-fault-ended');
  await first.close();
}

/** Runs run({ server, guarded, browser, shy, secret }): a server for everybody, one that asks for tokens, a browser, and one that has to ask for its camera. */
export async function withStage(run) {
  const folder = makeFolder('config'), file = join(folder.path, 'sluice.json'), secret = 'studio-9d1f7a2c44e0b1a6';
  const all = { pattern: '*', publish: true, play: true };
  writeFileSync(file, JSON.stringify({ auth: { tokens: [{ token: secret, name: 'studio', ...all }, { token: 'visitor-9d1f7a2c44e0b1a6', name: 'visitor', ...all }] } }), { mode: 0o600 });
  const server = await startServer({ args: ['--set', 'http.posts_per_ip_per_s=100'] }), guarded = await startServer({ args: ['--config', file] });
  const browser = await startChromium(['--hide-scrollbars', '--host-resolver-rules=MAP sluice.test 127.0.0.1']);
  const shy = await startChromium(['--hide-scrollbars'], { without: ['--use-fake-ui-for-media-stream'] });
  try {
    await run({ server, guarded, browser, shy, secret });
  } finally {
    await browser.close();
    await shy.close();
    await guarded.stop();
    await server.stop();
    folder.remove();
  }
}

/** Calls show(page, name) in each state; show may change size and colours. */
export const roomStates = (show) => withStage(async ({ server, guarded, browser, shy, secret }) => {
  await faults(show, browser, shy, guarded, secret);
  await sealed(show, browser, server);
  await many(show, browser, server);
  const page = await meeting(show, browser, server);
  await server.stop('SIGKILL');
  await page.waitForFunction(() => /reconnect/i.test(document.getElementById('status').textContent), null, { timeout: 15000 });
  await show(page, 'room-10-reconnecting');
  await page.click('#leave');
  await show(page, 'room-15-left');
});
