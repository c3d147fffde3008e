// SPDX-License-Identifier: Apache-2.0
// seal-worker.js - the encoded frames of room.js pass through here: sealed on their way out where there is a key, opened on their way in. What cannot be
// opened never reaches a decoder; the page is told of each change, { mid, state }: 'clear', 'open', 'shut'.
import { isSealed, open, Ring, Sealer } from './seal.js';

let ring = null;

function sealing(kind) {
  const sealer = ring && new Sealer(ring, kind);
  return async (frame, out) => {
    if (sealer) frame.data = await sealer.seal(frame.data, frame.type);
    out.enqueue(frame);
  };
}

function opening(kind, mid) {
  let told = '';
  const tell = (state, { type }) => {
    if (state !== told || type === 'key') postMessage({ mid, state }); // a key frame may be another person's
    told = state;
  };
  return async (frame, out) => {
    if (!isSealed(frame.data)) {
      tell('clear', frame);
      out.enqueue(frame);
      return;
    }
    try {
      if (!ring) throw new Error('no key');
      frame.data = await open(ring, kind, frame.data);
    } catch {
      tell('shut', frame);
      return;
    }
    tell('open', frame);
    out.enqueue(frame);
  };
}

function run({ readable, writable, options: { kind, mid, way } }) {
  const transform = way === 'out' ? sealing(kind) : opening(kind, mid);
  // A stream that is cut off ends with its connection.
  readable.pipeThrough(new TransformStream({ transform })).pipeTo(writable).catch(() => {});
}

// { key }: of the room that is entered now; { add }, { use }: it is changed while people are in it; or streams, from browsers without script transforms
addEventListener('message', ({ data }) => {
  if (data.readable) run(data);
  else if (data.add) ring?.add(data.add);
  else if (data.use) ring?.use(data.use);
  else ring = data.key ? new Ring(data.key) : null;
});

addEventListener('rtctransform', ({ transformer }) => run(transformer));
