// SPDX-License-Identifier: Apache-2.0
// sealing.js - the page's side of seal-worker.js: sends the encoded frames of senders and receivers through it, and keeps the keys for the chat.
import { Ring } from './seal.js';

const byScript = typeof RTCRtpScriptTransform === 'function';

/** Can this browser? Older Chromium by streams, and none on pages that are not secure. */
export const canTransform = byScript || 'createEncodedStreams' in (globalThis.RTCRtpSender?.prototype ?? {});
export const canSeal = canTransform && Boolean(globalThis.crypto?.subtle);

const ADOPT_MS = 1000; // by then the others have heard of a new key

export class Sealing {
  constructor() {
    this.onstate = () => {}; // (transceiver, state): what its frames are, 'clear', 'open' or 'shut'
    Object.assign(this, { key: '', ring: null, worker: null, receivers: [] });
  }

  /** All that arrives passes through the worker, with a key or without: what nobody here can open must not be decoded. */
  start(key) {
    this.key = key;
    this.ring = key ? new Ring(key) : null;
    if (canTransform && !this.worker) {
      this.worker = new Worker(new URL('seal-worker.js', import.meta.url), { type: 'module' });
      this.worker.addEventListener('message', ({ data: { mid, state } }) => this.receivers[mid] && this.onstate(this.receivers[mid], state));
    }
    this.worker?.postMessage({ key });
  }

  /** How connections are made whose frames go this way. */
  config(used = this.worker) {
    return used && !byScript ? { encodedInsertableStreams: true } : {};
  }

  /** A fresh connection: the receivers of the one before are gone. */
  forget() { this.receivers = []; }

  receive(transceiver, kind) {
    if (this.worker) this.route(transceiver.receiver, { way: 'in', kind, mid: this.receivers.push(transceiver) - 1 });
  }

  send(transceiver, kind) {
    if (this.key) this.route(transceiver.sender, { way: 'out', kind });
  }

  route(end, options) {
    if (byScript) {
      end.transform = new RTCRtpScriptTransform(this.worker, options);
      return;
    }
    const { readable, writable } = end.createEncodedStreams();
    this.worker.postMessage({ readable, writable, options }, [readable, writable]);
  }

  /** Everybody here opens what is sealed with this key from now on, and seals with it in a moment. */
  adopt(key) {
    const { ring } = this;
    this.key = key;
    ring.add(key);
    this.worker.postMessage({ add: key });
    setTimeout(() => {
      if (this.ring !== ring) return; // another room meanwhile
      ring.use(key);
      this.worker.postMessage({ use: key });
    }, ADOPT_MS);
  }
}
