// SPDX-License-Identifier: Apache-2.0
// participant.mjs - a participant of a room in a page, with nothing but WHIP, WHEP and server-sent events: paints its number, hums its tone, sees and hears what comes.

/** Runs in a page: a participant that paints its number, and sees slots. */
export function participant() {
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

  /** A tone that is silent until window.voice(true). */
  async function tone(hz) {
    const audio = new AudioContext(), osc = audio.createOscillator(), gain = audio.createGain(), out = audio.createMediaStreamDestination();
    await audio.resume();
    osc.frequency.value = hz;
    gain.gain.value = 0;
    osc.connect(gain).connect(out);
    osc.start();
    window.voice = (on) => { gain.gain.value = on ? 0.5 : 0; };
    return out.stream;
  }

  /** Eight squares that are the bits of n, and something that moves: of 320 x 180. */
  window.paintNumber = (g, n, at) => {
    g.fillStyle = '#444';
    g.fillRect(0, 0, 320, 180);
    for (let i = 0; i < 8; i++) {
      g.fillStyle = (n >> i) & 1 ? '#fff' : '#000';
      g.fillRect(i * 40, 0, 40, 120);
    }
    g.fillStyle = '#f80';
    g.fillRect(at % 300, 130, 20, 40);
  };

  /** Publishes a picture of eight squares that are the bits of n, and a tone that can be silenced; microphone: its sound instead. */
  window.speak = async (url, n, { fps = 15, microphone } = {}) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 }), g = canvas.getContext('2d');
    let tick = 0;
    setInterval(() => window.paintNumber(g, n, 4 * tick++), 1000 / fps);
    const sound = microphone ? await navigator.mediaDevices.getUserMedia({ audio: true }) : await tone(300 + 100 * n);
    const pc = window.publishing = new RTCPeerConnection(), stream = new MediaStream([...canvas.captureStream(fps).getTracks(), ...sound.getAudioTracks()]);
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    await post(pc, url);
  };

  /** Watches a room in slots, reads events. */
  window.attend = async (url, audio, video) => {
    const pc = window.attending = new RTCPeerConnection(), room = window.room = { slots: {}, people: {}, dominant: null, history: [] };
    for (let i = 0; i < audio; i++) pc.addTransceiver('audio', { direction: 'recvonly' });
    for (let i = 0; i < video; i++) pc.addTransceiver('video', { direction: 'recvonly' });
    window.tiles = {};
    window.tracks = {};
    pc.ontrack = ({ track, transceiver }) => {
      const el = document.createElement(track.kind);
      el.srcObject = new MediaStream([track]);
      el.autoplay = true;
      el.muted = true;
      document.body.append(el);
      if (track.kind === 'video') window.tiles[transceiver.mid] = el;
      else window.tracks[transceiver.mid] = track;
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

  /** What each audio slot sounds like: {mid: {energy so far, hz}}; hz only where an AudioContext runs. */
  window.heard = async () => {
    const ears = window.ears ||= { audio: new AudioContext(), of: {} };
    for (const [mid, track] of Object.entries(window.tracks)) {
      if (ears.of[mid]) continue;
      ears.of[mid] = ears.audio.createAnalyser();
      ears.audio.createMediaStreamSource(new MediaStream([track])).connect(ears.of[mid]);
    }
    const energy = Object.fromEntries([...(await window.attending.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'audio').map((s) => [s.mid, s.totalAudioEnergy || 0]));
    return Object.fromEntries(Object.entries(ears.of).map(([mid, ear]) => {
      const bins = new Float32Array(ear.frequencyBinCount);
      ear.getFloatFrequencyData(bins);
      const top = Math.max(...bins);
      return [mid, { energy: energy[mid] || 0, hz: top > -60 ? Math.round(bins.indexOf(top) * ears.audio.sampleRate / ear.fftSize) : 0 }];
    }));
  };

  /** Frames decoded, dropped for errors and key frames of every tile. */
  window.decoding = async () => {
    const all = [...(await window.attending.getStats()).values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video');
    return all.map((s) => ({ mid: s.mid, ssrc: s.ssrc, frames: s.framesDecoded || 0, freezes: s.freezeCount || 0, plis: s.pliCount || 0 }));
  };

  window.wish = (body) => fetch(window.links['urn:sluice:whep:wishes'], { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.status);
}

/** Whether what is painted in a participant's tiles agrees with what it is told, and shows exactly these numbers. */
export const sees = async (p, numbers) => {
  const { painted, slots } = await p.evaluate(() => ({ painted: window.painted(), slots: window.room.slots }));
  const told = Object.values(slots).filter((s) => s.kind === 'video' && s.participant);
  return told.length === numbers.length && numbers.every((n) => told.some((s) => s.participant === `p${n}` && painted[s.mid] === n));
};
