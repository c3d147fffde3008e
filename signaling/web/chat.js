// SPDX-License-Identifier: Apache-2.0
// chat.js - the list of messages, and how many of them nobody has read.

const $ = (id) => document.getElementById(id);
const KEEP = 500, GOES_ON_MS = 120_000;
let last = { from: '', at: 0 }, unread = 0;

function showUnread() {
  $('unread').hidden = !unread;
  $('unread').textContent = unread > 99 ? '99+' : unread;
  document.title = document.title.replace(/^(\(\d+\) )?/, unread ? `(${unread}) ` : '');
}

export function markRead() {
  unread = 0;
  showUnread();
}

export function forgetChat() {
  $('chat').replaceChildren();
  last = { from: '', at: 0 };
  markRead();
}

/** The text with its addresses as links. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? Object.assign(document.createElement('a'), { href: part, textContent: part, target: '_blank', rel: 'noopener noreferrer' }) : part));
}

/** Adds a message. from: the id of whoever is called name; read: somebody looks at the list now. */
export function say(name, text, { from = name, mine = false, read = false } = {}) {
  const li = document.createElement('li'), b = document.createElement('b'), time = document.createElement('time'), now = new Date();
  const more = last.from === from && now - last.at < GOES_ON_MS; // the same person goes on
  last = { from, at: now };
  time.textContent = now.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  b.append(Object.assign(document.createElement('bdi'), { textContent: name }), time);
  const words = document.createElement('span');
  words.dir = 'auto';
  words.append(...linked(text));
  li.append(...(more ? [] : [b]), words);
  li.classList.toggle('more', more);
  li.classList.toggle('mine', mine);
  $('chat').append(li);
  while ($('chat').children.length > KEEP) $('chat').firstChild.remove();
  li.scrollIntoView({ block: 'nearest' });
  if (read) return;
  unread++;
  showUnread();
}

new ResizeObserver(() => $('chat').lastElementChild?.scrollIntoView({ block: 'nearest' })).observe($('chat').parentElement); // a phone is turned, its keyboard comes
