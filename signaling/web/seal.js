// SPDX-License-Identifier: Apache-2.0
// seal.js - end-to-end encryption of frames and chat. All who have the room's key (behind the '#' of its link, which no server is told) derive from it,
// for each sender's track, a key of its own by the random salt that the track's frames carry: so no two frames share key and counter. Runs in the page,
// in its worker, and in tests.
//
//   frame   head | AES-128-GCM ciphertext and tag | salt 8 | counter 4 | id of the room's key 2 | form 1 | MAGIC 4
//
// The head is clear: what the browsers' packetisers and depacketisers read. The form says what it is:
//   0 to 10  so many bytes of the frame: Opus' first one; VP8's header, 10 bytes of a key frame, 3 of others (and as many of VP9, which needs none)
//   NAL      H.264: everything up to the first slice, its NAL header, and 2 bytes of its slice header; what follows is escaped as RBSP is
//   OBU      AV1: the header of one OBU, which holds all the rest
// Trailer and head are authenticated; of H.264's head the last three bytes, since what stands before them is rewritten on the way.

const MAGIC = [0x53, 0x6c, 0x45, 0x32], SALT = 8, TRAILER = SALT + 4 + 2 + 1 + MAGIC.length, FORM_AT = MAGIC.length + 1, TAG = 16, CLEAR_MAX = 10, SALTS_MAX = 256, KEYS_MAX = 4;
const NAL = 0x80, OBU = 0x40, SLICE_CLEAR = 3, OBU_FRAME = 0x30;
const text = new TextEncoder();

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const bytesOf = (s) => Uint8Array.from(atob(s.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

/** A fresh key for a room, as it stands in links. */
export const makeKey = () => base64url(crypto.getRandomValues(new Uint8Array(16)));
export const isKey = (key) => /^[A-Za-z0-9_-]{22,64}$/.test(key);

// ---- keys ----

/** What is derived from one key of the room. */
class Master {
  constructor(key) {
    this.key = key;
    this.root = crypto.subtle.importKey('raw', bytesOf(key), 'HKDF', false, ['deriveKey', 'deriveBits']);
    this.id = this.root.then((root) => crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: text.encode('sluice id 2') }, root, 16)).then((bits) => new Uint8Array(bits));
    this.keys = new Map(); // info and salt -> promise of a key
  }

  derive(salt, info) {
    const name = `${info} ${base64url(salt)}`;
    let key = this.keys.get(name);
    if (!key) {
      if (this.keys.size >= SALTS_MAX) this.keys.delete(this.keys.keys().next().value); // salts come from peers
      key = this.root.then((root) => crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt, info: text.encode(`sluice ${info} 2`) }, root, { name: 'AES-GCM', length: 128 }, false, ['encrypt', 'decrypt']));
      this.keys.set(name, key);
    }
    return key;
  }
}

/** The room's key, from the text of a link, the same for all who have it; and those that it had before, while frames of them may be under way. */
export class Ring {
  constructor(key) {
    this.masters = [];
    this.use(key);
  }

  /** What is sealed with this key can be opened from now on. */
  add(key) {
    let master = this.masters.find((m) => m.key === key);
    if (!master) this.masters.push(master = new Master(key));
    while (this.masters.length > KEYS_MAX) this.masters.splice(this.masters[0] === this.current ? 1 : 0, 1);
    return master;
  }

  /** From now on everything is sealed with this key. */
  use(key) { this.current = this.add(key); }

  async find(id) {
    for (const master of this.masters) {
      const own = await master.id;
      if (own[0] === id[0] && own[1] === id[1]) return master;
    }
    throw new Error('sealed with a key that is not here');
  }

  /** Chat: text to text. */
  async sealText(plain) {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, await this.current.derive(salt, 'chat'), text.encode(plain));
    return `${base64url(salt)}.${base64url(new Uint8Array(data))}`;
  }

  /** Throws where the key is another one. */
  async openText(sealed) {
    const [salt, data] = sealed.split('.').map(bytesOf);
    const open = async (master) => crypto.subtle.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, await master.derive(salt, 'chat'), data);
    return new TextDecoder().decode(await Promise.any(this.masters.map(open)));
  }
}

// ---- what stays clear ----

/** Where the first slice of H.264 begins, at its NAL header; -1: this is no H.264. */
function sliceAt(data) {
  let last = -1;
  for (let i = 0; i + 3 < data.length; i++) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1) continue;
    last = i + 3;
    const type = data[last] & 31;
    if (type === 1 || type === 5) return last;
  }
  return last;
}

const isAnnexB = (d) => d[0] === 0 && d[1] === 0 && (d[2] === 1 || (d[2] === 0 && d[3] === 1));
const isKeyOfVp8 = (d) => d[3] === 0x9d && d[4] === 0x01 && d[5] === 0x2a;
/** An OBU's header has its first bit and its last one clear; VP9 has the first set, VP8 the last, but for key frames. */
const isAv1 = (d, type) => d.length > 1 && (d[0] & 0x81) === 0 && !(type === 'key' && isKeyOfVp8(d));

/** { form, head: clear bytes, from: where what is sealed begins }: the codec shows in the first bytes. */
function shapeOf(kind, data, type) {
  if (kind === 'audio') return { form: Math.min(1, data.length) };
  if (isAnnexB(data)) return { form: NAL, from: Math.min(data.length, sliceAt(data) + SLICE_CLEAR) };
  if (isAv1(data, type)) return { form: OBU, from: 0 };
  return { form: Math.min(type === 'key' ? 10 : 3, data.length) };
}

/** RBSP (H.264 7.4.1): no three bytes of it look like the start of a NAL unit. zeros: how many stand before it. */
function escape(data, zeros) {
  const out = [];
  for (const byte of data) {
    if (zeros >= 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    out.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return Uint8Array.from(out);
}

function unescape(data, zeros) {
  const out = new Uint8Array(data.length);
  let n = 0;
  for (const byte of data) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    out[n++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.subarray(0, n);
}

const zerosBefore = (data, at) => (at > 1 && data[at - 1] === 0 && data[at - 2] === 0 ? 2 : at > 0 && data[at - 1] === 0 ? 1 : 0);

/** Where the content of the OBU that data begins with starts. */
function contentOf(data) {
  let at = data[0] & 4 ? 2 : 1;
  if (data[0] & 2) while (data[at++] & 0x80 && at < 10);
  return at;
}

// ---- frames ----

const nonce = (counter) => {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setUint32(8, counter);
  return iv;
};

function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Seals the frames of one track, all of its layers. */
export class Sealer {
  constructor(ring, kind) {
    Object.assign(this, { ring, kind, salt: crypto.getRandomValues(new Uint8Array(SALT)), counter: 0 });
  }

  async seal(buffer, type) {
    if (this.counter >= 2 ** 32 - 1) [this.salt, this.counter] = [crypto.getRandomValues(new Uint8Array(SALT)), 0];
    const { salt } = this, counter = this.counter++, master = this.ring.current; // all taken before anything waits
    const data = new Uint8Array(buffer), { form, from = form } = shapeOf(this.kind, data, type), head = data.subarray(0, from);
    const trailer = join(salt, nonce(counter).subarray(8), await master.id, [form], MAGIC);
    const bound = join(form === NAL ? head.subarray(-SLICE_CLEAR) : head, trailer);
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce(counter), additionalData: bound }, await master.derive(salt, this.kind), data.subarray(from)));
    if (form === NAL) return join(head, escape(join(sealed, trailer), zerosBefore(head, head.length))).buffer;
    return join(form === OBU ? [OBU_FRAME] : head, sealed, trailer).buffer;
  }
}

export const isSealed = (data) => {
  const at = data.byteLength - MAGIC.length;
  const end = at >= 0 ? new Uint8Array(data, at) : [];
  return data.byteLength >= TRAILER + TAG && MAGIC.every((m, i) => m === end[i]);
};

/** The clear head of a sealed frame, and the rest without escapes and wrapping. */
function split(all) {
  const form = all[all.length - FORM_AT];
  if (form === OBU) return { form, head: all.subarray(0, 0), rest: all.subarray(contentOf(all)) };
  const slice = form === NAL ? sliceAt(all) : 0, from = form === NAL ? slice + SLICE_CLEAR : form;
  if (slice < 0 || (form !== NAL && form > CLEAR_MAX)) throw new Error('no sealed frame');
  return { form, head: all.subarray(0, from), rest: form === NAL ? unescape(all.subarray(from), zerosBefore(all, from)) : all.subarray(from) };
}

/** The frame as it was. Throws where it is damaged, or the key is another one. */
export async function open(ring, kind, buffer) {
  const { form, head, rest } = split(new Uint8Array(buffer)), at = rest.length - TRAILER;
  if (at < TAG) throw new Error('no sealed frame');
  const trailer = rest.slice(at), bound = join(form === NAL ? head.subarray(-SLICE_CLEAR) : head, trailer);
  const counter = new DataView(trailer.buffer).getUint32(SALT), master = await ring.find(trailer.subarray(SALT + 4, SALT + 6));
  const plain = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce(counter), additionalData: bound }, await master.derive(trailer.slice(0, SALT), kind), rest.subarray(0, at)));
  return join(head, plain).buffer;
}
