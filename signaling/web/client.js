// SPDX-License-Identifier: Apache-2.0
// client.js - WHIP (RFC 9725) and WHEP in the browser: one session that keeps itself alive. The server is ICE-lite and learns our addresses from our
// checks, so the offer is posted at once and nothing is trickled.

/** A refused request, with the server's own sentence. */
export class Refused extends Error {
  constructor(status, detail, type, retryAfter) {
    super(detail);
    this.status = status;
    this.type = type;
    this.retryAfter = retryAfter;
  }
}

async function refusal(response) {
  let detail = `The server answered ${response.status}.`, type = '';
  try {
    const problem = await response.json();
    detail = problem.detail || problem.title || detail;
    type = problem.type || '';
  } catch { /* not a problem document */ }
  return new Refused(response.status, detail, type, Number(response.headers.get('Retry-After')) || 0);
}

/** ICE servers from Link headers (RFC 9725 4.6). */
export function iceServers(link) {
  const servers = [];
  for (const m of (link || '').matchAll(/<([^>]+)>\s*;([^<]*)/g)) {
    if (!/rel="?ice-server"?/.test(m[2])) continue;
    const param = (name) => (m[2].match(new RegExp(`${name}="([^"]*)"`)) || [])[1];
    const server = { urls: m[1] };
    if (param('username')) Object.assign(server, { username: param('username'), credential: param('credential') });
    servers.push(server);
  }
  return servers;
}

const WAIT_FIRST = 500, WAIT_MAX = 5000, DISCONNECTED_PATIENCE = 2500, SILENCE = 3000;

/**
 * A session that reconnects until stop() is called.
 * prepare(pc)   adds transceivers to a fresh connection
 * onstate(state, error)  'connecting' | 'live' | 'waiting' (nobody publishes now) | 'reconnecting' | 'error' (will not try again)
 */
export class Session extends EventTarget {
  constructor({ url, token, prepare, onstate, ontrack }) {
    super();
    Object.assign(this, { url, token, prepare, onstate, ontrack });
    this.wait = WAIT_FIRST;
    this.everLive = false;
  }

  start() {
    this.stopped = false;
    this.attempt();
  }

  state(name, error) {
    if (this.stopped) return;
    this.told = name;
    this.onstate(name, error);
  }

  async attempt() {
    clearTimeout(this.timer);
    this.drop();
    if (this.told !== 'waiting') this.state(this.everLive ? 'reconnecting' : 'connecting');
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc = pc;
    try {
      await this.prepare(pc);
      pc.ontrack = (ev) => this.pc === pc && this.ontrack?.(ev);
      pc.onconnectionstatechange = () => this.pc === pc && this.connection(pc);
      await pc.setLocalDescription();
      const headers = { 'Content-Type': 'application/sdp' };
      if (this.token) headers.Authorization = `Bearer ${this.token}`;
      const response = await fetch(this.url, { method: 'POST', headers, body: pc.localDescription.sdp });
      if (response.status !== 201) throw await refusal(response);
      const resource = new URL(response.headers.get('Location'), response.url).href;
      if (this.stopped || this.pc !== pc) {
        this.remove(resource);
        return;
      }
      this.resource = resource;
      const servers = iceServers(response.headers.get('Link'));
      if (servers.length) pc.setConfiguration({ ...pc.getConfiguration(), iceServers: servers });
      await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    } catch (error) {
      if (this.pc === pc) this.failed(error);
    }
  }

  failed(error) {
    if (this.stopped) return;
    if (error instanceof Refused && error.type.endsWith('not-live')) {
      this.state('waiting', error);
      this.wait = WAIT_FIRST;
      this.again((error.retryAfter || 2) * 1000);
    } else if (error instanceof Refused && error.status < 500 && ![404, 408, 409, 429].includes(error.status)) {
      this.drop();
      this.state('error', error);
    } else if (error instanceof DOMException) {
      this.drop();
      this.state('error', error);
    } else {
      this.state(this.everLive ? 'reconnecting' : 'connecting', error);
      this.again((error.retryAfter || 0) * 1000);
    }
  }

  again(atLeast = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.attempt(), Math.max(atLeast, this.wait));
    this.wait = Math.min(this.wait * 1.6, WAIT_MAX);
  }

  connection(pc) {
    clearTimeout(this.patience);
    if (pc.connectionState === 'connected') {
      this.wait = WAIT_FIRST;
      this.everLive = true;
      this.state('live');
      this.listen(pc);
    } else if (pc.connectionState === 'disconnected') {
      this.patience = setTimeout(() => this.attempt(), DISCONNECTED_PATIENCE);
      this.forgotten(pc);
    } else if (pc.connectionState === 'failed' || pc.connectionState === 'closed') {
      this.state('reconnecting');
      this.again();
    }
  }

  /** A server that was started anew does not know this session: then there is nothing to be patient for. */
  async forgotten(pc) {
    const response = await fetch(this.resource).catch(() => null);
    if (response?.status === 404 && this.pc === pc && pc.connectionState !== 'connected') this.attempt();
  }

  /** A publisher may leave and come back while its viewers stay connected: what tells them is that nothing arrives. */
  listen(pc) {
    clearInterval(this.ear);
    if (!this.ontrack) return;
    let packets = 0, heard = performance.now();
    this.ear = setInterval(async () => {
      const all = [...(await pc.getStats()).values()].reduce((n, s) => n + (s.type === 'inbound-rtp' ? s.packetsReceived : 0), 0);
      if (this.pc !== pc || pc.connectionState !== 'connected') return;
      if (all !== packets) heard = performance.now();
      packets = all;
      const silent = performance.now() - heard > SILENCE;
      if (silent !== (this.told === 'waiting')) this.state(silent ? 'waiting' : 'live');
    }, 500);
  }

  /** Ends what is there without a word to the user. */
  drop() {
    clearTimeout(this.patience);
    clearInterval(this.ear);
    const { pc, resource } = this;
    this.pc = this.resource = null;
    if (pc) pc.close();
    if (resource) this.remove(resource);
  }

  remove(resource) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    fetch(resource, { method: 'DELETE', headers, keepalive: true }).catch(() => {});
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.drop();
  }
}
