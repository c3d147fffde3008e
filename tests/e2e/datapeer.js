// SPDX-License-Identifier: Apache-2.0
// datapeer.js - put into a page: a client with data channels and nothing else of its own, on a plain RTCPeerConnection.
void (window.datapeer = (() => { // void: a page that is told to run this gives its last value back
  const sum = (bytes) => {
    let h = 2166136261;
    for (const b of bytes) h = Math.imul(h ^ b, 16777619) >>> 0;
    return h;
  };
  const bytesOf = (data) => typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);

  /** What came on a channel, in order; long messages as length and checksum. */
  function listen(channel, log) {
    channel.binaryType = 'arraybuffer';
    channel.onmessage = (e) => {
      const bytes = bytesOf(e.data);
      log.push({ label: channel.label, protocol: channel.protocol, ordered: channel.ordered, at: performance.now(), kind: typeof e.data, length: bytes.length,
        text: typeof e.data === 'string' && bytes.length < 200 ? e.data : undefined, sum: bytes.length < 200 ? undefined : sum(bytes) });
    };
  }

  class Peer {
    constructor() {
      this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      this.log = [];
      this.channels = {};
      this.incoming = [];
      this.pc.ondatachannel = (e) => {
        this.incoming.push(e.channel);
        listen(e.channel, this.log);
      };
    }

    open(label, options) {
      const channel = this.pc.createDataChannel(label, options);
      this.channels[label] = channel;
      listen(channel, this.log);
      return new Promise((done, fail) => {
        channel.onopen = done;
        channel.onclose = () => fail(new Error(`${label} was closed`));
      });
    }

    /** url: WHIP or WHEP; media: 'none', 'send' (a canvas) or 'receive'; relay: "address port" that stands for the server's. */
    async join(url, media, relay) {
      if (media === 'send') {
        const canvas = document.createElement('canvas');
        const draw = canvas.getContext('2d');
        setInterval(() => { draw.fillStyle = `hsl(${Date.now() % 360},50%,50%)`; draw.fillRect(0, 0, 300, 150); }, 50);
        for (const track of canvas.captureStream(20).getTracks()) this.pc.addTransceiver(track, { direction: 'sendonly' });
      } else if (media === 'receive') {
        this.pc.addTransceiver('video', { direction: 'recvonly' });
      }
      await this.pc.setLocalDescription();
      const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: this.pc.localDescription.sdp });
      let sdp = await answer.text();
      if (answer.status !== 201) throw new Error(`${answer.status} ${sdp}`);
      if (relay) sdp = sdp.replace(/a=candidate:.*\r\n/g, '').replaceAll('a=end-of-candidates', `a=candidate:1 1 udp 2130706431 ${relay} typ host\r\na=end-of-candidates`);
      this.session = new URL(answer.headers.get('Location'), url).href;
      await this.pc.setRemoteDescription({ type: 'answer', sdp });
      return sdp;
    }

    /** For a peer that publishes or plays: how the picture fares. */
    async video() {
      for (const r of (await this.pc.getStats()).values()) {
        if (r.type === 'inbound-rtp' && r.kind === 'video') return { frames: r.framesDecoded, lost: r.packetsLost, freezes: r.freezeCount };
      }
      return undefined;
    }

    async leave() {
      await fetch(this.session, { method: 'DELETE' });
      this.pc.close();
    }

    /** Sends a file of so many bytes in pieces, as applications do; gives its checksum. */
    async sendFile(label, size, piece = 16384) {
      const channel = this.channels[label], file = new Uint8Array(size);
      for (let i = 0; i < size; i++) file[i] = Math.imul(i, 2654435761) >>> 13;
      channel.bufferedAmountLowThreshold = 65536;
      for (let at = 0; at < size; at += piece) {
        if (channel.bufferedAmount > 262144) await new Promise((r) => { channel.onbufferedamountlow = r; });
        channel.send(file.subarray(at, at + piece));
      }
      const sums = [];
      for (let at = 0; at < size; at += piece) sums.push(sum(file.subarray(at, at + piece)));
      return sums;
    }
  }
  return { Peer, make(name) { return window[name] = new Peer(); } };
})());
