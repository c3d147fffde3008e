// SPDX-License-Identifier: Apache-2.0
// comfort.test.mjs - what people take for granted in a call: another tab takes it over, who talks while muted is told, what is pinned is large, devices are kept, a hidden page costs little.
import assert from 'node:assert/strict';
import { openStage, until } from './lib.mjs';

const WAIT = 60000; // three cameras are much for two cores
const stage = await openStage(), { server, browser, longTest: test } = stage;

/** prepare: [function, argument], runs in the page before it is there. ready: with a picture of oneself. */
async function open(room, name, { prepare, origin = server.origin, ready = true } = {}) {
  const page = await browser.context.newPage();
  page.faults = [];
  page.on('pageerror', (e) => page.faults.push(e.message));
  await page.addInitScript(devices);
  if (prepare) await page.addInitScript(...prepare);
  await page.goto(`${origin}/room.html#${room}`);
  await page.fill('#name', name);
  if (ready) await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0, null, { timeout: WAIT });
  return page;
}

const enter = (page) => page.click('#door button[type=submit]');
async function join(...args) {
  const page = await open(...args);
  await enter(page);
  return page;
}

/** Runs in the page: small pictures, since all are encoded here, and a voice that can be raised: window.talk(true). */
function devices() {
  const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
  media.getUserMedia = async ({ audio, video }) => {
    const stream = video ? await get({ video: { ...video, width: 160, height: 90, frameRate: 5 } }) : new MediaStream();
    if (!audio) return stream;
    const context = new AudioContext(), tone = context.createOscillator(), gain = context.createGain(), out = context.createMediaStreamDestination();
    gain.gain.value = 0;
    tone.connect(gain).connect(out);
    tone.start();
    window.talk = (on) => { gain.gain.value = on ? 0.3 : 0; };
    stream.addTrack(out.stream.getAudioTracks()[0]);
    return stream;
  };
}

const told = (page, words) => page.waitForFunction((w) => document.getElementById('toast').textContent.includes(w), words, { timeout: WAIT });
const roster = (page) => page.evaluate(() => [...window.room.people.keys()].sort().join());
const sees = (page, labels) => until(async () => await page.evaluate(() => [...document.querySelectorAll('.tile:not(.no-picture) b')].map((b) => b.textContent).sort().join()) === [...labels].sort().join(), WAIT, `pictures of ${labels}`);
const noFaults = (...pages) => assert.deepEqual(pages.flatMap((p) => p.faults), []);

test('the same person in a second tab: the call moves there, and the first tab says so', async () => {
  const bob = await join('tabs', 'Bob'), first = await join('tabs', 'Ada');
  await sees(bob, ['Ada', 'You']);
  const second = await join('tabs', 'Ada');
  await first.waitForFunction(() => document.body.dataset.state === 'lobby' && /goes on in another tab/.test(document.getElementById('fault').textContent), null, { timeout: WAIT });
  assert.equal(await first.evaluate(() => window.room.local), null, 'its camera is let go');
  await sees(second, ['Bob', 'You']);
  await sees(bob, ['Ada', 'You']);
  assert.equal(await roster(bob), 'Ada,Bob', 'one Ada');
  for (const id of ['#lobby-mic', '#lobby-cam', '#join']) await first.click(id); // thought better of it
  await second.waitForFunction(() => document.body.dataset.state === 'lobby', null, { timeout: WAIT });
  await until(async () => await roster(bob) === 'Ada,Bob' && await first.evaluate(() => window.room.me.id) === 'Ada', WAIT, 'still one Ada');
  const other = await join('tabs', 'Ada', { origin: server.origin.replace('127.0.0.1', 'localhost') }); // as another browser: somebody else of that name
  await until(async () => await roster(bob) === 'Ada,Ada-2,Bob', WAIT, 'two of one name');
  assert.equal(await first.evaluate(() => document.body.dataset.state), 'call');
  noFaults(bob, first, second, other);
});

test('who talks while muted is told, who writes and raises a hand is noticed', async () => {
  const ada = await join('words', 'Ada'), bob = await join('words', 'Bob');
  await sees(bob, ['Ada', 'You']);
  await sees(ada, ['Bob', 'You']);
  await ada.evaluate(() => window.talk(true));
  await ada.click('#mic');
  await told(ada, 'your microphone is off');
  await bob.click('#show-chat');
  await bob.fill('#text', 'שלום — see https://example.org/a');
  await bob.press('#text', 'Enter');
  await told(ada, 'Bob: שלום');
  assert.match(await ada.title(), /^\(1\) words/);
  await ada.press('body', 'c');
  assert.equal(await ada.title(), 'words · Sluice');
  assert.equal(await ada.$eval('#chat span', (s) => `${s.dir} ${s.querySelector('a').href}`), 'auto https://example.org/a');
  await bob.click('#hand');
  await told(ada, 'Bob has raised a hand');
  noFaults(ada, bob);
});

test('what is pinned is large, also in a window of its own; the whole screen; a picture of an upright phone is not cut', async () => {
  const ada = await join('large', 'Ada'), bob = await join('large', 'Bob'), cy = await join('large', 'Cy', { prepare: [() => { // an upright phone
    const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
    media.getUserMedia = async (wanted) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 90, height: 160 }), g = canvas.getContext('2d'), real = await get(wanted);
      setInterval(() => g.fillRect(0, 0, 90, (Date.now() / 20) % 160), 200);
      return wanted.video ? new MediaStream([...canvas.captureStream(5).getVideoTracks(), ...real.getAudioTracks()]) : real;
    };
  }] });
  await sees(ada, ['Bob', 'Cy', 'You']);
  const large = (page = ada) => page.evaluate(() => [...window.room.tiles.values()].filter((t) => t.classList.contains('large')).map((t) => t.querySelector('b').textContent).join());
  const tile = (name) => ada.locator('.tile', { hasText: name });
  await until(() => tile('Cy').evaluate((t) => t.classList.contains('whole')), WAIT, 'all of Cy is shown');
  assert.equal(await tile('Bob').evaluate((t) => t.classList.contains('whole')), false);
  assert.equal(await large(), '');
  for (const name of ['Bob', 'Cy']) {
    await tile(name).locator('.pin').click();
    await until(async () => await large() === name, WAIT, `${name} is large`);
  }
  await tile('Cy').locator('.pin').press('Enter');
  await until(async () => await large() === 'Bob', WAIT, 'Bob is large again');
  await ada.bringToFront(); // others have no screen to fill
  await tile('Bob').locator('.pin').dblclick();
  await until(() => ada.evaluate(() => document.fullscreenElement?.matches('.tile[data-name=Bob]')), WAIT, 'Bob has the whole screen');
  assert.equal(await large(), 'Bob', 'two presses leave the pin as it was');
  await ada.evaluate(() => document.exitFullscreen());

  await ada.click('#show-settings');
  if (await ada.isVisible('#float')) {
    await ada.click('#float');
    await until(() => ada.evaluate(() => window.documentPictureInPicture.window?.document.querySelectorAll('.tile').length === 3), WAIT, 'three pictures in a small window');
    assert.ok(await ada.isVisible('#floating'));
    await bob.click('#leave');
    await until(() => ada.evaluate(() => window.documentPictureInPicture.window.document.querySelectorAll('.tile').length === 2), WAIT, 'who leaves, leaves there');
    await ada.click('#float');
    await until(() => ada.evaluate(() => document.querySelectorAll('#tiles .tile').length === 2 && !window.documentPictureInPicture.window), WAIT, 'they are back');
    await sees(ada, ['Cy', 'You']);
  }
  noFaults(ada, bob, cy);
});

test('devices: kept for the next time, late, or not all there', async () => {
  const ada = await join('tools', 'Ada'), bob = await join('tools', 'Bob', { ready: false, prepare: [() => { // no camera
    const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
    media.getUserMedia = (wanted) => (wanted.video ? Promise.reject(new DOMException('none', 'NotFoundError')) : get(wanted));
  }] });
  await ada.waitForFunction(() => window.room.people.get('Bob')?.streams[0]?.audio.muted === false, null, { timeout: WAIT });
  assert.equal(await bob.getAttribute('#cam', 'aria-pressed'), 'false');
  await bob.click('#cam');
  await told(bob, 'No camera was found');
  await ada.click('#show-settings');
  if (await ada.isVisible('#speaker')) {
    const chosen = await ada.$eval('#speaker', (s) => s.options[s.options.length - 1].value);
    await ada.selectOption('#speaker', chosen);
    await until(() => ada.evaluate((id) => [...window.room.slots.values()].filter((s) => s.audio).every((s) => s.audio.sinkId === id), chosen), WAIT, 'heard there');
    await ada.reload();
    await until(() => ada.evaluate((id) => document.getElementById('speaker').value === id && document.getElementById('speaker').selectedOptions[0].text !== 'As before', chosen), WAIT, 'and the next time, too');
  }
  const cy = await open('tools', 'Cy', { ready: false, prepare: [() => { // asks until Cy has entered
    const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
    media.getUserMedia = (wanted) => new Promise((done) => { window.allow = done; }).then(() => get(wanted));
  }] });
  await enter(cy);
  await cy.waitForFunction(() => document.body.dataset.state === 'call' && window.room.playing?.pc?.connectionState === 'connected', null, { timeout: WAIT });
  await cy.evaluate(() => window.allow());
  await bob.waitForFunction(() => ['audio', 'video'].every((k) => window.room.people.get('Cy')?.streams[0]?.[k]?.muted === false), null, { timeout: WAIT });
  assert.deepEqual(await Promise.all(['mic', 'cam'].map((k) => cy.getAttribute(`#${k}`, 'aria-pressed'))), ['true', 'true']);
  noFaults(ada, bob, cy);
});

test('a page that nobody looks at asks for the smallest pictures; crowds come and go in a sentence', async () => {
  const bob = await join('hidden', 'Bob'), ada = await join('hidden', 'Ada', { prepare: [() => {
    const wait = window.setTimeout;
    window.setTimeout = (run, ms, ...args) => wait(run, ms === 10_000 ? 100 : ms, ...args); // nobody has looked for a while
    window.hide = (now) => {
      Object.defineProperty(document, 'hidden', { value: now, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    };
  }] });
  const sizes = [];
  ada.on('request', (r) => r.url().endsWith('/wish') && r.postDataJSON().slots?.forEach((s) => sizes.push(s.layer.maxWidth)));
  await sees(ada, ['Bob', 'You']);
  await until(() => sizes.at(-1) > 100, WAIT, 'a size');
  await ada.evaluate(() => window.hide(true));
  await until(() => sizes.at(-1) === 1, WAIT, 'the smallest');
  await ada.evaluate(() => window.hide(false));
  await until(() => sizes.at(-1) > 100, WAIT, 'as before');

  await ada.evaluate(() => {
    window.news = [];
    new MutationObserver(() => window.news.push(document.getElementById('news').textContent)).observe(document.getElementById('news'), { childList: true, characterData: true, subtree: true });
  });
  const crowd = await browser.context.newPage();
  await crowd.goto(`${server.origin}/#none`);
  await crowd.evaluate(async () => {
    window.all = await Promise.all([...Array(20).keys()].map(async (i) => {
      const pc = new RTCPeerConnection();
      pc.createDataChannel('chat');
      await pc.setLocalDescription();
      const post = () => fetch(`/whip/hidden/g${i}`, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
      let answer = await post();
      for (; answer.status === 429; answer = await post()) await new Promise((done) => { setTimeout(done, 1000); });
      await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
      return [pc, answer.headers.get('Location')];
    }));
  });
  await until(async () => (await roster(ada)).split(',').length === 22, WAIT, 'twenty more').catch(async (e) => assert.fail(`${e.message}: ${await roster(ada)}`));
  const count = () => ada.evaluate(() => window.news.reduce((n, t) => n + [...t.matchAll(/(\d+) others|\bg\d+/g)].reduce((m, [, more]) => m + Number(more || 1), 0), 0));
  await until(async () => await count() === 20, WAIT, 'all are told of');
  const news = await ada.evaluate(() => window.news);
  assert.ok(news.length <= 5, `in few sentences: ${news.join(' | ')}`);
  noFaults(ada, bob);
});
