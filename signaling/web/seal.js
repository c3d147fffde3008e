// SPDX-License-Identifier: Apache-2.0
// seal.js - end-to-end encryption of frames and chat. All who have the room's key (behind the '#' of its link, which no server is told) derive from it,
// for each sender's track, a key of its own by the random salt that the track's frames carry: so no two frames share key and counter. Runs in the page,
// in its worker, and in tests.
//
//   frame   clear header | AES-128-GCM ciphertext and tag | salt 8 | counter 4 | length of the clear header 1 | MAGIC 4
//
// What is clear is what a packetiser and a server must read: VP8's frame header, which says key frame and size, and Opus' first byte. It and the trailer
// are authenticated.

const MAGIC = [0x53, 0x6c, 0x45, 0x31], SALT = 8, TRAILER = SALT + 4 + 1 + MAGIC.length, TAG = 16, CLEAR_MAX = 10, SALTS_MAX = 256;
const text = new TextEncoder();

const clearBytes = (kind, type) => (kind === 'audio' ? 1 : type === 'key' ? 10 : 3);

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const bytesOf = (s) => Uint8Array.from(atob(s.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

/** A fresh key for a room, as it stands in links. */
export const makeKey = () => base64url(crypto.getRandomValues(new Uint8Array(16)));
export const isKey = (key) => /^[A-Za-z0-9_-]{22,64}$/.test(key);

/** From the text of a link; the same for all who have it. */
export class Ring {
  constructor(key) {
    this.master = crypto.subtle.importKey('raw', bytesOf(key), 'HKDF', false, ['deriveKey']);
    this.keys = new Map(); // salt as text -> promise of a key
  }

  derive(salt, info) {
    const name = `${info} ${base64url(salt)}`;
    let key = this.keys.get(name);
    if (!key) {
      if (this.keys.size >= SALTS_MAX) this.keys.delete(this.keys.keys().next().value); // salts come from peers
      key = this.master.then((m) => crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt, info: text.encode(`sluice ${info} 1`) }, m, { name: 'AES-GCM', length: 128 }, false, ['encrypt', 'decrypt']));
      this.keys.set(name, key);
    }
    return key;
  }

  /** Chat: text to text. */
  async sealText(plain) {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, await this.derive(salt, 'chat'), text.encode(plain));
    return `${base64url(salt)}.${base64url(new Uint8Array(data))}`;
  }

  /** Throws where the key is another one. */
  async openText(sealed) {
    const [salt, data] = sealed.split('.').map(bytesOf);
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, await this.derive(salt, 'chat'), data));
  }
}

const nonce = (counter) => {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setUint32(8, counter);
  return iv;
};

/** Seals the frames of one track, all of its layers. */
export class Sealer {
  constructor(ring, kind) {
    Object.assign(this, { ring, kind, salt: crypto.getRandomValues(new Uint8Array(SALT)), counter: 0 });
  }

  async seal(data, type) {
    if (this.counter >= 2 ** 32 - 1) [this.salt, this.counter] = [crypto.getRandomValues(new Uint8Array(SALT)), 0];
    const { salt } = this, counter = this.counter++; // both taken before anything waits
    const clear = Math.min(clearBytes(this.kind, type), data.byteLength);
    const trailer = new Uint8Array(TRAILER);
    trailer.set(salt);
    new DataView(trailer.buffer).setUint32(SALT, counter);
    trailer[SALT + 4] = clear;
    trailer.set(MAGIC, SALT + 5);
    const head = new Uint8Array(data, 0, clear), bound = new Uint8Array([...head, ...trailer]);
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce(counter), additionalData: bound }, await this.ring.derive(salt, this.kind), new Uint8Array(data, clear)));
    const out = new Uint8Array(clear + sealed.length + TRAILER);
    out.set(head);
    out.set(sealed, clear);
    out.set(trailer, clear + sealed.length);
    return out.buffer;
  }
}

export const isSealed = (data) => {
  const at = data.byteLength - MAGIC.length;
  const end = at >= 0 ? new Uint8Array(data, at) : [];
  return data.byteLength >= TRAILER + TAG && MAGIC.every((m, i) => m === end[i]);
};

/** The frame as it was. Throws where it is damaged, or the key is another one. */
export async function open(ring, kind, data) {
  const all = new Uint8Array(data), trailer = all.subarray(all.length - TRAILER), clear = trailer[SALT + 4];
  if (clear > CLEAR_MAX || clear + TAG + TRAILER > all.length) throw new Error('no sealed frame');
  const counter = new DataView(data, all.length - TRAILER).getUint32(SALT), bound = new Uint8Array([...all.subarray(0, clear), ...trailer]);
  const plain = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce(counter), additionalData: bound }, await ring.derive(trailer.slice(0, SALT), kind), all.subarray(clear, all.length - TRAILER)));
  const out = new Uint8Array(clear + plain.length);
  out.set(all.subarray(0, clear));
  out.set(plain, clear);
  return out.buffer;
}
