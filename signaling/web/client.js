// SPDX-License-Identifier: Apache-2.0
// client.js - WHIP (RFC 9725) and WHEP in the browser: one session that keeps itself alive. The server is ICE-lite and learns our addresses from our
// checks, so the offer is posted at once and nothing is trickled.

/** Where the server is for its clients: behind a proxy perhaps under a path of its own. */
export const base = new URL('.', import.meta.url).href;

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

/** The URLs that a 201 names in its Link headers, by relation. */
export function linksOf(response) {
  const links = {};
  for (const m of (response.headers.get('Link') || '').matchAll(/<([^>]+)>\s*;\s*rel="([^"]+)"/g)) links[m[2]] = new URL(m[1], response.url).href;
  return links;
}

/** Ends after which nobody comes back by themselves: what the server says of the session then. */
const FINAL = /:(taken-over|removed|room-ended|token-revoked|token-expired)$/;
const WAIT_FIRST = 500, WAIT_MAX = 5000, DISCONNECTED_PATIENCE = 2500, NOTHING_ARRIVES = 1500, NO_MEDIA = 3000;

/**
 * A session that reconnects until stop() is called.
 * prepare(pc)   adds transceivers to a fresh connection
 * headers()     more for the POST
 * config        for the RTCPeerConnection, beside what is always so
 * onstate(state, error)  'connecting' | 'live' | 'waiting' (nobody publishes now) | 'reconnecting' | 'error' (will not try again)
 * onanswer(response)  the 201, for its Link headers
 */
export class Session extends EventTarget {
  constructor({ url, token, prepare, config, headers, onstate, ontrack, onanswer }) {
    super();
    Object.assign(this, { url, token, prepare, config, headers, onstate, ontrack, onanswer });
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
    if (this.stopped) return;
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', ...this.config });
    this.pc = pc;
    try {
      await this.prepare(pc);
      pc.ontrack = (ev) => this.pc === pc && this.ontrack?.(ev);
      pc.onconnectionstatechange = () => this.pc === pc && this.connection(pc);
      await pc.setLocalDescription();
      const headers = { 'Content-Type': 'application/sdp', ...this.headers?.(), ...this.authorization() };
      const response = await fetch(this.url, { method: 'POST', headers, body: pc.localDescription.sdp });
      if (response.status !== 201) throw await refusal(response);
      const resource = new URL(response.headers.get('Location'), response.url).href;
      if (this.stopped || this.pc !== pc) {
        this.remove(resource);
        return;
      }
      this.resource = resource;
      this.onanswer?.(response);
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
      this.refused(error);
    } else if (error instanceof DOMException) {
      this.refused(error);
    } else {
      this.state(this.everLive ? 'reconnecting' : 'connecting', error);
      this.again((error.retryAfter || 0) * 1000);
    }
  }

  /** For good. */
  refused(error) {
    clearTimeout(this.timer);
    this.drop();
    this.state('error', error);
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
      this.ask(pc);
    } else if (pc.connectionState === 'failed' || pc.connectionState === 'closed') {
      this.state('reconnecting');
      this.again();
      this.ask(pc); // it may say that there is no way back
    }
  }

  /** Does the server still know this session? One that was started anew does not, and patience would be wasted on it. */
  async ask(pc) {
    if (!this.resource) return false;
    const response = await fetch(this.resource, { headers: this.authorization(), cache: 'no-store' }).catch(() => null);
    if (response?.status === 404) {
      const why = await refusal(response);
      if (this.pc !== pc || this.stopped) return false;
      if (!FINAL.test(why.type)) this.attempt();
      else this.refused(why);
    }
    return response?.ok;
  }

  /**
   * Sees sooner than ICE does that the server is gone, and tells viewers that the publisher is: they stay connected for its return,
   * and all that they notice is that no media arrives.
   */
  listen(pc) {
    clearInterval(this.ear);
    let bytes = 0, packets = 0, heard = performance.now(), played = heard, patience = NOTHING_ARRIVES;
    this.ear = setInterval(async () => {
      const stats = [...(await pc.getStats()).values()], now = performance.now();
      if (this.pc !== pc) return;
      const sum = (type, key) => stats.reduce((n, s) => n + (s.type === type ? s[key] || 0 : 0), 0);
      const arrived = sum('candidate-pair', 'bytesReceived'), media = sum('inbound-rtp', 'packetsReceived');
      if (arrived !== bytes) [bytes, heard, patience] = [arrived, now, NOTHING_ARRIVES];
      if (media !== packets) [packets, played] = [media, now];
      if (now - heard > patience) {
        patience = now - heard + 1000;
        if (await this.ask(pc)) patience = 2 * (now - heard); // it is there, and only quiet
      }
      const waiting = Boolean(this.ontrack) && now - played > NO_MEDIA;
      if (this.pc === pc && pc.connectionState === 'connected' && waiting !== (this.told === 'waiting')) this.state(waiting ? 'waiting' : 'live');
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

  authorization() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  remove(resource) {
    fetch(resource, { method: 'DELETE', headers: this.authorization(), keepalive: true }).catch(() => {});
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.drop();
  }
}

/** What a link carries behind its '#': a name, and after '?' a token and the like. Secrets leave the address bar, and the history with it, at once. */
export function takeFragment() {
  const [name, query] = location.hash.slice(1).split('?');
  if (query) history.replaceState(null, '', `#${name}`);
  return { name: decodeURIComponent(name), given: new URLSearchParams(query) };
}

/** May a page choose its RTP header extensions? */
export const canAskForDescriptor = 'setHeaderExtensionsToNegotiate' in (globalThis.RTCRtpTransceiver?.prototype ?? {});

/** Asks for the dependency descriptor, without which a browser cannot be sent the spatial layers of AV1. Not every browser lets a page ask. */
export function askForDescriptor(transceiver) {
  const all = transceiver.getHeaderExtensionsToNegotiate?.();
  if (all) transceiver.setHeaderExtensionsToNegotiate(all.map((x) => (x.uri.includes('dependency-descriptor') ? { ...x, direction: 'sendrecv' } : x)));
}
