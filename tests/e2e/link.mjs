// SPDX-License-Identifier: Apache-2.0
// link.mjs - a network between one client and the server, in user space: a UDP relay with a bottleneck whose rate follows a trace, a drop-tail queue, delay and loss, for each
// direction by itself. Many kernels have no netem; this needs nothing.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const HEADERS = 28; // UDP and IPv4, counted against the rate

/** A sequence of numbers that is the same for the same seed. */
function dice(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** One direction. trace: [[from s, bits/s], ...], null: unlimited. queue, delay: ms. */
class Way {
  constructor({ trace = null, queue = 300, delay = 0, loss = 0, seed = 1 } = {}) {
    Object.assign(this, { trace, queue, delay, loss, random: dice(seed), start: performance.now(), free: 0, waits: [], late: [], dropped: 0, lost: 0, passed: 0, timers: new Set() });
  }

  rate(now) {
    const t = (now - this.start) / 1000;
    return this.trace.findLast(([from]) => from <= t)?.[1] ?? this.trace[0][1];
  }

  pass(length, out) {
    const now = performance.now();
    let wait = 0, service = 0;
    if (this.trace) {
      // What waits was reckoned at the rate of its arrival; after a step of the trace the rest takes as long as it takes now.
      const rate = this.rate(now);
      if (this.lastRate && rate !== this.lastRate && this.free > now) this.free = now + (this.free - now) * this.lastRate / rate;
      this.lastRate = rate;
      wait = Math.max(this.free - now, 0);
      service = (length + HEADERS) * 8000 / rate;
      if (wait + service > this.queue) {
        this.dropped++;
        return;
      }
      this.free = now + wait + service;
      this.waits.push([now, wait]);
    }
    if (this.random() < this.loss) {
      this.lost++;
      return;
    }
    this.passed++;
    const due = now + wait + service + this.delay;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.late.push(performance.now() - due);
      out();
    }, due - now);
    this.timers.add(timer);
  }

  /** By how much 95 of 100 packets were late at most because the machine was busy: what is measured over such a link is worth no more. */
  lateP95() {
    return [...this.late].sort((a, b) => a - b)[Math.floor(0.95 * this.late.length)] ?? 0;
  }

  /** What 95 of 100 packets waited at most between two moments (ms since the start). */
  queueP95(from, to) {
    const waits = this.waits.filter(([at]) => at - this.start >= from && at - this.start < to).map(([, wait]) => wait).sort((a, b) => a - b);
    return waits.length ? waits[Math.floor(0.95 * waits.length)] : 0;
  }
}

/**
 * A relay between a page and the server's media port. As a NAT it has an address of its own towards the server for each of the page's (a browser probes from all of its interfaces);
 * renew() forgets them all. up, down: get each packet's length, and what sends it on.
 */
export async function startRelay(serverPort, { up = (_, send) => send(), down = (_, send) => send() } = {}) {
  const near = createSocket('udp4').bind(0, '127.0.0.1'), far = new Map();
  await once(near, 'listening');
  const relay = {
    renew() {
      far.forEach((socket) => socket.close());
      far.clear();
    },
    close() {
      relay.renew();
      near.close();
    },
    /** What makes a page take this way: for publishFrom and watchFrom. */
    way: [(port) => window.rewriteAnswers((sdp) => sdp.replace(/a=candidate:.*\r\n/g, '')
      .replaceAll('a=end-of-candidates', `a=candidate:1 1 udp 2130706431 127.0.0.1 ${port} typ host\r\na=end-of-candidates`)), near.address().port],
  };
  near.on('message', (data, from) => {
    let socket = far.get(from.port);
    if (!socket) {
      socket = createSocket('udp4');
      socket.on('message', (back) => down(back.length, () => near.send(back, from.port, from.address, () => {})));
      far.set(from.port, socket);
    }
    up(data.length, () => socket.send(data, serverPort, '127.0.0.1', () => {}));
  });
  return relay;
}

/** A link to the server's media port. down, up: what Way takes. begin() starts the traces anew. */
export async function startLink(serverPort, down, up = { delay: down.delay }) {
  const relay = await startRelay(serverPort, { up: (...packet) => link.up.pass(...packet), down: (...packet) => link.down.pass(...packet) });
  const link = {
    way: relay.way,
    down: new Way(down),
    up: new Way(up),
    begin() {
      link.down = new Way(down);
      link.up = new Way(up);
    },
    close() {
      for (const way of [link.down, link.up]) way.timers.forEach(clearTimeout);
      relay.close();
    },
  };
  return link;
}
