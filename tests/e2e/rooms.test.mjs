// SPDX-License-Identifier: Apache-2.0
// rooms.test.mjs - a conference in real browsers with nothing but WHIP, WHEP and server-sent events: everyone sees the painted number of everyone else, and is told who is where.
import assert from 'node:assert/strict';
import { openStage, sleep, until } from './lib.mjs';

const { server, browser, test } = await openStage();

/** Runs in a page: a participant that paints its number, and sees slots. */
function participant() {
  const gathered = (pc) => new Promise((done) => {
    if (pc.iceGatheringState === 'complete') done();
    pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && done());
  });
  const post = async (pc, url) => {
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
    if (answer.status !== 201) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    // A tab that is closed says no word on its connections: the session URL is told.
    const session = new URL(answer.headers.get('Location'), location.origin).href;
    addEventListener('pagehide', () => fetch(session, { method: 'DELETE', keepalive: true }));
    return answer;
  };

  /** Publishes a picture of eight squares that are the bits of n, and a tone that can be silenced. */
  window.speak = async (url, n) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 }), g = canvas.getContext('2d');
    let tick = 0;
    setInterval(() => {
      g.fillStyle = '#444';
      g.fillRect(0, 0, 320, 180);
      for (let i = 0; i < 8; i++) {
        g.fillStyle = (n >> i) & 1 ? '#fff' : '#000';
        g.fillRect(i * 40, 0, 40, 120);
      }
      g.fillStyle = '#f80';
      g.fillRect((tick++ * 4) % 300, 130, 20, 40);
    }, 66);
    const audio = new AudioContext(), osc = audio.createOscillator(), gain = audio.createGain(), out = audio.createMediaStreamDestination();
    await audio.resume();
    osc.frequency.value = 300 + 100 * n;
    gain.gain.value = 0;
    osc.connect(gain).connect(out);
    osc.start();
    window.voice = (on) => { gain.gain.value = on ? 0.5 : 0; };
    const pc = window.publishing = new RTCPeerConnection(), stream = new MediaStream([...canvas.captureStream(15).getTracks(), ...out.stream.getAudioTracks()]);
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    await post(pc, url);
  };

  /** Watches a room in slots, reads events. */
  window.attend = async (url, audio, video) => {
    const pc = window.attending = new RTCPeerConnection(), room = window.room = { slots: {}, people: {}, dominant: null, history: [] };
    for (let i = 0; i < audio; i++) pc.addTransceiver('audio', { direction: 'recvonly' });
    for (let i = 0; i < video; i++) pc.addTransceiver('video', { direction: 'recvonly' });
    window.tiles = {};
    pc.ontrack = ({ track, transceiver }) => {
      const el = document.createElement(track.kind);
      el.srcObject = new MediaStream([track]);
      el.autoplay = true;
      el.muted = true;
      document.body.append(el);
      if (track.kind === 'video') window.tiles[transceiver.mid] = el;
    };
    const answer = await post(pc, url);
    const links = Object.fromEntries(answer.headers.get('Link').split(/,\s*(?=<)/).map((l) => [/rel="([^"]*)"/.exec(l)?.[1], new URL(/<([^>]*)>/.exec(l)[1], location.origin).href]));
    window.links = links;
    const events = new EventSource(links['urn:sluice:whep:events']);
    const on = (name, fn) => events.addEventListener(name, (e) => {
      room.history.push([name, e.data]);
      fn(JSON.parse(e.data));
    });
    on('participants', (d) => {
      if (d.snapshot) room.people = {};
      for (const p of d.people) room.people[p.name] = p;
      for (const name of d.left) delete room.people[name];
    });
    on('slots', (d) => d.slots.forEach((s) => { room.slots[s.mid] = s; }));
    on('speakers', (d) => { room.dominant = d.dominant; });
    on('stats', (d) => { room.stats = d; });
    await new Promise((done, fail) => { events.onopen = done; events.onerror = fail; });
  };

  /** What is painted in each tile now: {mid: number}. */
  window.painted = () => {
    const canvas = window.eye ||= Object.assign(document.createElement('canvas'), { width: 320, height: 180 }), g = canvas.getContext('2d', { willReadFrequently: true });
    return Object.fromEntries(Object.entries(window.tiles).filter(([, el]) => el.videoWidth > 0).map(([mid, el]) => {
      g.drawImage(el, 0, 0, 320, 180);
      let n = 0;
      for (let i = 0; i < 8; i++) n |= (g.getImageData(i * 40 + 20, 60, 1, 1).data[1] > 127 ? 1 : 0) << i;
      return [mid, n];
    }));
  };

  /** Frames decoded, dropped for errors and key frames of every tile. */
  window.decoding = async () => {
    const all = [...(await window.attending.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video');
    return all.map((s) => ({ mid: s.mid, ssrc: s.ssrc, frames: s.framesDecoded || 0, freezes: s.freezeCount || 0, plis: s.pliCount || 0 }));
  };

  window.wish = (body) => fetch(window.links['urn:sluice:whep:wishes'], { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.status);
}

const page = async () => {
  const p = await browser.page(server.origin);
  await p.evaluate(participant);
  return p;
};

/** Whether what is painted in a participant's tiles agrees with what it is told, and shows exactly these numbers. */
const sees = async (p, numbers) => {
  const { painted, slots } = await p.evaluate(() => ({ painted: window.painted(), slots: window.room.slots }));
  const told = Object.values(slots).filter((s) => s.kind === 'video' && s.participant);
  return told.length === numbers.length && numbers.every((n) => told.some((s) => s.participant === `p${n}` && painted[s.mid] === n));
};

test('three browsers in a room: each sees the others, whoever comes, speaks, hides and goes', async (t) => {
  const people = {};
  for (const n of [37, 90, 202]) {
    people[n] = await page();
    await people[n].evaluate(([url, room, id]) => window.speak(url, id).then(() => window.attend(room, 2, 2)), [`${server.origin}/whip/trio/p${n}`, `${server.origin}/whep/trio?as=p${n}`, n]);
  }
  for (const n of [37, 90, 202]) {
    const others = [37, 90, 202].filter((x) => x !== n);
    await until(() => sees(people[n], others), 15000, `${n} sees ${others}`);
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
      await until(() => people[37].evaluate(([m, id]) => window.painted()[m] === id, [mid, n]), 5000, `the tile shows ${n}`);
    }
    assert.equal(await people[37].evaluate((m) => window.wish({ slots: [{ mid: m, stream: null, layer: {} }] }), mid), 200);
    await until(() => sees(people[37], [90, 202]), 5000, 'all as before');
  });

  await t.test('the numbers of the own session come each second', async () => {
    await until(() => people[37].evaluate(() => window.room.stats?.tracks.filter((x) => x.kind === 'video' && x.bitrate_bps > 0).length === 2), 5000, 'two pictures are counted');
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
    await until(() => viewer.evaluate((id) => Object.values(window.painted())[0] === id, [5, 9][turn]), 6000, `the picture is ${[5, 9][turn]}'s`);
    await sleep(1200);
  }
  const [seen] = await viewer.evaluate(() => window.decoding());
  assert.ok(seen.frames > 30, `${seen.frames} frames`);
});
