// SPDX-License-Identifier: Apache-2.0
// meter.js - what getStats() says of a session, once a second: numbers for people, and the curve of the last minute.

const SECONDS = 60;

function sum(list, key) {
  return list.reduce((n, s) => n + (s[key] || 0), 0);
}

/** Reads one sample: totals that only grow, and facts of the moment. */
export async function sample(pc) {
  const all = [...(await pc.getStats()).values()];
  const of = (type) => all.filter((s) => s.type === type);
  const out = of('outbound-rtp'), inn = of('inbound-rtp');
  const pair = of('candidate-pair').find((s) => s.nominated && s.state === 'succeeded') || {};
  const remote = all.find((s) => s.id === pair.remoteCandidateId) || {};
  const video = (out.length ? out : inn).filter((s) => s.kind === 'video');
  const big = video.reduce((a, s) => ((s.frameWidth || 0) * (s.framesPerSecond ? 1 : 0) >= (a.frameWidth || 0) ? s : a), {});
  const codec = all.find((s) => s.id === big.codecId);
  return {
    at: performance.now(),
    bytes: sum(out, 'bytesSent') + sum(inn, 'bytesReceived'),
    packets: sum(inn, 'packetsReceived') + sum(out, 'packetsSent'),
    lost: sum(inn, 'packetsLost') + sum(of('remote-inbound-rtp'), 'packetsLost'),
    rtt: (pair.currentRoundTripTime || 0) * 1000,
    width: big.frameWidth, height: big.frameHeight, fps: big.framesPerSecond,
    codec: codec?.mimeType.replace(/^video\//, ''),
    freezes: sum(inn, 'freezeCount'),
    frames: sum(video, out.length ? 'framesEncoded' : 'framesDecoded'),
    layers: video.filter((s) => s.rid && s.framesPerSecond > 0).length,
    limited: big.qualityLimitationReason && big.qualityLimitationReason !== 'none' ? big.qualityLimitationReason : '',
    address: remote.address ? `${remote.protocol} ${remote.address.includes(':') ? `[${remote.address}]` : remote.address}:${remote.port}` : '',
  };
}

export class Meter {
  constructor(canvas, onfacts) {
    this.canvas = canvas;
    this.onfacts = onfacts;
  }

  start(session) {
    this.stop();
    this.session = session;
    this.kbps = [];
    this.last = null;
    this.timer = setInterval(() => this.tick().catch(() => {}), 1000);
    this.draw();
  }

  stop() {
    clearInterval(this.timer);
  }

  async tick() {
    const pc = this.session.pc;
    if (!pc) return;
    const now = await sample(pc), was = this.last;
    this.last = now;
    if (!was || now.bytes < was.bytes) return;
    const seconds = (now.at - was.at) / 1000;
    const kbps = (now.bytes - was.bytes) * 8 / 1000 / seconds;
    const packets = now.packets - was.packets, lost = Math.max(0, now.lost - was.lost);
    this.kbps.push(kbps);
    if (this.kbps.length > SECONDS) this.kbps.shift();
    this.onfacts({ ...now, kbps, loss: packets + lost ? 100 * lost / (packets + lost) : 0 });
    this.draw();
  }

  draw() {
    const { canvas } = this, ratio = devicePixelRatio || 1;
    const w = canvas.clientWidth, h = canvas.clientHeight;
    if (!w) return;
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    const g = canvas.getContext('2d'), style = getComputedStyle(document.body);
    g.scale(ratio, ratio);
    const top = Math.max(100, ...this.kbps) * 1.15;
    const x = (i) => w - (this.kbps.length - 1 - i) * w / (SECONDS - 1), y = (v) => h - 4 - (h - 20) * v / top;
    g.strokeStyle = style.getPropertyValue('--line');
    g.beginPath();
    g.moveTo(0, h - 4);
    g.lineTo(w, h - 4);
    g.stroke();
    if (this.kbps.length > 1) {
      g.beginPath();
      this.kbps.forEach((v, i) => g.lineTo(x(i), y(v)));
      g.strokeStyle = style.getPropertyValue('--water');
      g.lineWidth = 2;
      g.lineJoin = 'round';
      g.stroke();
      g.lineTo(w, h - 4);
      g.lineTo(x(0), h - 4);
      g.globalAlpha = .14;
      g.fillStyle = style.getPropertyValue('--water');
      g.fill();
      g.globalAlpha = 1;
    }
    g.fillStyle = style.getPropertyValue('--soft');
    g.font = '11px system-ui, sans-serif';
    g.fillText(`${Math.round(top).toLocaleString('en')} kbit/s`, 0, 10);
  }
}
