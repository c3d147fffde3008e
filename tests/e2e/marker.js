// SPDX-License-Identifier: Apache-2.0
// marker.js - runs inside a page: publishes frames that carry a painted counter and clock, and reads them back out of the viewer's pixels. Row 1 holds 20 bits of frame
// number and 12 bits of its hash; row 2 holds 32 bits of milliseconds. 32 cells a row, white is 1.
(() => {
  const CELLS = 32, ROW = 24 / 360; // of the height
  const hash = (n) => Math.imul(n, 0x9e3779b1) >>> 20;
  const nowMs = () => Math.floor(performance.timeOrigin + performance.now()) % 2 ** 32;

  // Noise that differs from frame to frame, so that an encoder has use for all of its rate.
  const noise = new ImageData(160, 160);
  for (let i = 0, x = 1; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
  const grain = new OffscreenCanvas(160, 160);
  grain.getContext('2d').putImageData(noise, 0, 0);

  function paint(g, n, busy) {
    const { width, height } = g.canvas, row = height * ROW;
    g.fillStyle = `hsl(${n % 360} 60% 45%)`;
    g.fillRect(0, 2 * row, width, height - 2 * row);
    if (busy) {
      g.globalAlpha = busy;
      const from = 4 * (n % 20);
      g.drawImage(grain, from, (7 * n) % 80, 80, 60, 0, 2 * row, width, height - 2 * row);
      g.globalAlpha = 1;
    }
    g.fillStyle = '#fff';
    g.beginPath();
    g.arc(width / 2 + 0.3 * width * Math.sin(n / 15), 0.58 * height, 0.14 * height, 0, 7);
    g.fill();
    [((n & 0xfffff) * 4096 + hash(n & 0xfffff)) >>> 0, nowMs()].forEach((bits, y) => {
      for (let i = 0; i < CELLS; i++) {
        g.fillStyle = (bits >>> (CELLS - 1 - i)) & 1 ? '#fff' : '#000';
        g.fillRect(i * width / CELLS, y * row, width / CELLS, row);
      }
    });
  }

  function read(data, width, row, rowHeight) {
    let bits = 0;
    for (let i = 0; i < CELLS; i++) {
      const x = Math.floor((i + 0.5) * width / CELLS), y = Math.floor((row + 0.5) * rowHeight);
      bits = (bits * 2 + (data[(y * width + x) * 4 + 1] > 127 ? 1 : 0)) >>> 0;
    }
    return bits;
  }

  /** A track with one tone, or with one on the left and another on the right. */
  async function tone(frequencies) {
    const audio = new AudioContext();
    await audio.resume();
    const both = audio.createChannelMerger(2), out = audio.createMediaStreamDestination();
    [0, 1].forEach((channel) => {
      const osc = audio.createOscillator();
      osc.frequency.value = frequencies[channel] ?? frequencies[0];
      osc.connect(both, 0, channel);
      osc.start();
    });
    both.connect(out);
    return out.stream.getAudioTracks()[0];
  }

  /** What a track sounds like: strength and loudest frequency of its channels, the newest second's. */
  function listen(track, heard) {
    const audio = new AudioContext(), split = audio.createChannelSplitter(2);
    audio.createMediaStreamSource(new MediaStream([track])).connect(split);
    audio.resume();
    const ears = [0, 1].map((channel) => {
      const ear = audio.createAnalyser();
      split.connect(ear, channel);
      return ear;
    });
    const bins = new Float32Array(ears[0].frequencyBinCount), wave = new Float32Array(ears[0].fftSize);
    clearInterval(heard.timer); // of the track before a reconnection
    heard.timer = setInterval(() => {
      ears[0].getFloatTimeDomainData(wave);
      heard.level = Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / wave.length);
      heard.hz = ears.map((ear) => {
        ear.getFloatFrequencyData(bins);
        return Math.round(bins.indexOf(Math.max(...bins)) * audio.sampleRate / ear.fftSize);
      });
    }, 100);
  }

  addEventListener('pagehide', () => [window.published, window.watched].forEach((w) => w?.session.stop()));

  /** Lets a test change what the server answers: change(sdp) gives the answer that the page sees. */
  window.rewriteAnswers = (change) => {
    const plain = window.fetch;
    window.fetch = async (url, options) => {
      const response = await plain(url, options);
      if (response.status !== 201) return response;
      const changed = new Response(change(await response.text()), { status: 201, headers: response.headers });
      Object.defineProperty(changed, 'url', { value: response.url });
      return changed;
    };
  };

  /** Lets a test change what the page offers, as people do who want stereo or DTX. */
  window.rewriteOffers = (change) => {
    const plain = RTCPeerConnection.prototype.setLocalDescription;
    RTCPeerConnection.prototype.setLocalDescription = async function () {
      const offer = await this.createOffer();
      return plain.call(this, { type: 'offer', sdp: change(offer.sdp) });
    };
  };

  /** A picture with the counter, and a tone: what a camera and a microphone give. base: the first frame's number. */
  window.markedMedia = async ({ size = [640, 360], frequencies = [1000], fps = 30, base = 0, microphone, busy, hint } = {}) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = size;
    const g = canvas.getContext('2d');
    let n = base;
    setInterval(() => paint(g, ++n, busy), 1000 / fps);
    const video = canvas.captureStream(fps).getVideoTracks()[0];
    if (hint) video.contentHint = hint;
    const audio = microphone ? (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks()[0] : await tone(frequencies);
    return { video, audio, media: new MediaStream([audio, video]), frame: () => n };
  };

  /** kinds: 'av', 'a' or 'v'. rates: of the simulcast layers, lowest first. busy: how much noise covers the picture, 0 to 1, so that it costs an encoder what it may; of much more than 0.1 SVC encoders make smaller pictures. base: the first frame's number. audioCodec: 'red' puts RED first. microphone: instead of tones of our own. */
  window.publishMarked = async ({ stream, codec, simulcast, svc, frequencies, fps, kinds = 'av', base, audioCodec, microphone, token, rates = [], busy, hint,
    // libwebrtc makes only two layers of 640x360, and its AV1 smears small cells
    size = simulcast || svc || codec === 'AV1' ? [960, 540] : [640, 360] }) => {
    const { Session } = await import('/client.js');
    const { video, audio, media, frame } = await window.markedMedia({ size, frequencies, fps, base, microphone, busy, hint });
    const states = [];
    const session = new Session({
      url: new URL(`/whip/${stream}`, location.href).href, token,
      onstate: (s, e) => states.push(e ? `${s}: ${e.message}` : s),
      prepare: (pc) => {
        if (kinds.includes('a')) {
          const t = pc.addTransceiver(audio, { direction: 'sendonly', streams: [media] });
          if (audioCodec) {
            const all = RTCRtpSender.getCapabilities('audio').codecs, first = all.filter((c) => c.mimeType === `audio/${audioCodec}`);
            t.setCodecPreferences([...first, ...all.filter((c) => !first.includes(c))]);
          }
        }
        if (!kinds.includes('v')) return;
        const mode = codec === 'VP9' || codec === 'AV1' ? { scalabilityMode: 'L1T3' } : {};
        const t = pc.addTransceiver(video, { direction: 'sendonly', streams: [media],
          sendEncodings: simulcast ? [4, 2, 1].map((s, i) => ({ rid: 'qhf'[i], scaleResolutionDownBy: s, ...mode, ...(rates[i] ? { maxBitrate: rates[i] } : {}) })) : [{ maxBitrate: 1_500_000, ...(svc ? { scalabilityMode: svc } : {}) }] });
        if (codec) {
          const all = RTCRtpReceiver.getCapabilities('video').codecs;
          const first = all.filter((c) => c.mimeType === `video/${codec}`);
          t.setCodecPreferences([...first, ...all.filter((c) => !first.includes(c))]);
        }
      },
    });
    session.start();
    window.published = { session, states, frame };
    for (let i = 0; i < 150 && states.at(-1) !== 'live'; i++) await new Promise((r) => setTimeout(r, 100));
    return states;
  };

  /** Reads the counter off every frame that a video element shows, into the list that it gives. */
  function follow(el, begun) {
    const seen = [];
    const canvas = document.createElement('canvas'), g = canvas.getContext('2d', { willReadFrequently: true });
    const onframe = () => {
      const w = canvas.width = el.videoWidth, h = el.videoHeight, rowHeight = ROW * h;
      if (w) {
        canvas.height = Math.ceil(2 * rowHeight);
        g.drawImage(el, 0, 0, w, h);
        const { data } = g.getImageData(0, 0, w, canvas.height);
        const bits = read(data, w, 0, rowHeight), id = bits >>> 12;
        const good = (bits & 4095) === hash(id);
        seen.push({ id, good, at: performance.now() - begun, delay: (nowMs() - read(data, w, 1, rowHeight)) | 0, w, h });
      }
      el.requestVideoFrameCallback(onframe);
    };
    el.requestVideoFrameCallback(onframe);
    return seen;
  }

  /** Follows a video element that another player fills. pc(): its RTCPeerConnection. */
  window.followElement = (el, pc) => {
    const begun = performance.now(), heard = { level: 0, hz: [0, 0] };
    window.watched = { session: { get pc() { return pc(); }, stop() {} }, states: [], seen: follow(el, begun), heard, since: () => performance.now() - begun };
    const timer = setInterval(() => {
      const track = el.srcObject?.getAudioTracks()[0];
      if (!track) return;
      clearInterval(timer);
      listen(track, heard);
    }, 50);
  };

  window.watchMarked = async ({ stream, kinds = 'av', audioCodec, descriptor, token }) => {
    const { Session } = await import('/client.js');
    const el = document.createElement('video');
    el.playsInline = true;
    document.body.append(el);
    const media = new MediaStream(), states = [];
    el.srcObject = media;
    const heard = { level: 0, hz: [0, 0] };
    const begun = performance.now(), seen = follow(el, begun);
    const session = new Session({
      url: new URL(`/whep/${stream}`, location.href).href, token,
      onstate: (s, e) => states.push(e ? `${s}: ${e.message}` : s),
      prepare: (pc) => {
        media.getTracks().forEach((t) => media.removeTrack(t));
        if (kinds.includes('a')) {
          const t = pc.addTransceiver('audio', { direction: 'recvonly' });
          if (audioCodec) {
            const all = RTCRtpReceiver.getCapabilities('audio').codecs, first = all.filter((c) => c.mimeType === `audio/${audioCodec}`);
            t.setCodecPreferences([...first, ...all.filter((c) => !first.includes(c))]);
          }
        }
        if (kinds.includes('v')) {
          const t = pc.addTransceiver('video', { direction: 'recvonly' });
          if (descriptor) t.setHeaderExtensionsToNegotiate(t.getHeaderExtensionsToNegotiate().map((x) => (x.uri.includes('dependency-descriptor') ? { ...x, direction: 'sendrecv' } : x)));
        }
      },
      ontrack: ({ track }) => {
        media.addTrack(track);
        el.play().catch(() => {});
        if (track.kind === 'audio') listen(track, heard);
      },
    });
    session.start();
    window.watched = { session, states, seen, heard, since: () => performance.now() - begun };
  };

  /** What the viewer has seen since it began, or since `after` milliseconds. */
  window.watchedSoFar = async (after = 0) => {
    const { session, states, seen, heard, since } = window.watched;
    const frames = seen.filter((f) => f.at >= after), good = frames.filter((f) => f.good);
    const delays = good.map((f) => f.delay).sort((a, b) => a - b);
    let back = 0, gap = 0;
    for (let i = 1; i < good.length; i++) {
      back += good[i].id < good[i - 1].id;
      gap = Math.max(gap, good[i].at - good[i - 1].at);
    }
    const stats = session.pc ? [...(await session.pc.getStats()).values()] : [];
    const audio = stats.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio') || {};
    const video = stats.find((s) => s.type === 'inbound-rtp' && s.kind === 'video') || {};
    return {
      states, frames: frames.length, good: good.length, back, longestGap: Math.round(gap), firstAt: Math.round(good[0]?.at ?? -1), firstId: good[0]?.id ?? 0, lastId: good.at(-1)?.id ?? 0,
      delayP50: delays[Math.floor(delays.length / 2)] ?? -1, width: good.at(-1)?.w ?? 0,
      audioEnergy: audio.totalAudioEnergy ?? 0, audioLevel: heard.level, audioHz: heard.hz[0], rightHz: heard.hz[1], audioPackets: audio.packetsReceived ?? 0, audioBytes: audio.bytesReceived ?? 0, concealed: audio.concealedSamples ?? 0, samples: audio.totalSamplesReceived ?? 0,
      codec: stats.find((s) => s.id === video.codecId)?.mimeType ?? '', audioCodec: stats.find((s) => s.id === audio.codecId)?.mimeType ?? '',
      decoded: video.framesDecoded ?? 0, dropped: video.framesDropped ?? 0, keys: video.keyFramesDecoded ?? 0,
      lost: video.packetsLost ?? 0, nacks: video.nackCount ?? 0, now: Math.round(since()),
    };
  };
})();
