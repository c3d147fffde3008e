// SPDX-License-Identifier: Apache-2.0
// talk.js - what pages tell each other by the data channel "chat": words, raised hands, and fresh keys of the end-to-end encryption.
import { say } from './chat.js';
import { $, announce, call, calls, hands, isPressed, me, press } from './call.js';
import { isKey, makeKey } from './seal.js';
import { Sealing } from './sealing.js';
import { draw } from './stage.js';

export const sealing = new Sealing();

let telling = Promise.resolve(); // in order, though each may take a moment to seal
/** Sends a message to all others; false while there is no way to them. */
export function tell(message) {
  const { chat } = call, { ring } = sealing, text = JSON.stringify({ ...message, from: me.id });
  if (chat?.readyState !== 'open') return false;
  if (ring) telling = telling.then(() => ring.sealText(text)).then((sealed) => chat.send(JSON.stringify({ sealed }))).catch(() => {}); // it may have closed meanwhile
  else chat.send(text);
  return true;
}

/** A message of somebody else's: where the chat is not open, its beginning is shown for a moment. */
function read(from, text) {
  const open = document.body.dataset.panel === 'chat', name = calls(from);
  say(name, text, { from, read: open });
  if (!open) announce(`${name}: ${text.length > 90 ? `${text.slice(0, 88)}…` : text}`);
}

function adopt(key) {
  me.key = key;
  sealing.adopt(key);
}

/** A fresh key for all who are here. */
function renewKey() {
  const key = makeKey();
  if (!tell({ key })) return;
  adopt(key);
  announce('The key is new: only links that are copied from now on open this room.');
}

async function hear(data, sender) {
  let m, sealed = false;
  try {
    m = JSON.parse(data);
    sealed = typeof m?.sealed === 'string';
    if (sealed) m = JSON.parse(await sealing.ring.openText(m.sealed));
  } catch {
    if (sealed) read(sender, 'An encrypted message that this page has no key for.');
    return;
  }
  if (typeof m?.from !== 'string') return;
  if (sealed && isKey(m.key ?? '')) {
    adopt(m.key);
    announce(`${calls(m.from)} has made a new key: only links that are copied from now on open this room.`);
  }
  if (typeof m.text === 'string') read(m.from, m.text.slice(0, 2000));
  if (m.hand === true && !hands.has(m.from)) {
    hands.add(m.from);
    announce(`${calls(m.from)} has raised a hand.`);
  }
  if (m.hand === false || m.bye) hands.delete(m.from);
  if (m.hello && hands.has(me.id)) tell({ hand: true }); // whoever comes late sees it, too
  draw();
}

/** Opens the channel on a connection that is being made, and hears those of the others. */
export function openChat(pc) {
  call.chat = pc.createDataChannel('chat');
  call.chat.onopen = () => tell({ hello: true, hand: hands.has(me.id) });
  pc.ondatachannel = ({ channel }) => {
    const sender = new URLSearchParams(channel.protocol).get('sender') || 'Somebody';
    let heard = Promise.resolve(); // in order, though each may take a moment to open
    channel.onmessage = ({ data }) => { heard = heard.then(() => hear(data, sender)); };
  };
}

/** The own hand, up or down. */
export function raiseHand() {
  const up = !isPressed('hand');
  press('hand', up);
  hands[up ? 'add' : 'delete'](me.id);
  tell({ hand: up });
  draw();
}

$('say').addEventListener('submit', (ev) => {
  ev.preventDefault();
  const text = $('text').value.trim();
  if (text && tell({ text })) {
    say('You', text, { mine: true, read: true });
    $('text').value = '';
  }
});
$('renew').addEventListener('click', renewKey);
