// SPDX-License-Identifier: Apache-2.0
// people.js - who is here: the list of people, what moderators can do to them, and who comes and goes.
import { $, announce, calls, hands, isPressed, me, media, people, personOf, pins, press, speaking, trackOf, voiceMuted } from './call.js';
import { base } from './client.js';
import { hue, initials, several } from './names.js';

// ---- the list ----

function newRow(id) {
  const li = document.createElement('li'), [face, b, i] = ['s', 'b', 'i'].map((tag) => document.createElement(tag));
  li.dataset.id = id;
  face.style.setProperty('--hue', hue(id));
  face.setAttribute('aria-hidden', 'true');
  b.dir = 'auto';
  li.append(face, b, i);
  return li;
}

function fillRow(li, { called, label, about, keys }) {
  const [face, b, i] = li.children;
  for (const [el, text] of [[face, initials(called)], [b, label], [i, about]]) if (el.textContent !== text) el.textContent = text;
  keys.forEach(({ text, run }, at) => {
    const button = li.children[3 + at] || li.appendChild(Object.assign(document.createElement('button'), { type: 'button', className: 'ghost' }));
    button.onclick = run;
    if (button.textContent === text) return;
    button.textContent = text;
    button.setAttribute('aria-label', `${text} ${label}`);
  });
}

/** The list of people: { id, called: for the face, label, about, keys: [{ text, run }] } each. What stays stays the same element: whoever is about to press a key has it under the finger. */
function showPeople(list, rows) {
  const before = new Map([...list.children].map((li) => [li.dataset.id, li]));
  rows.forEach((row, at) => {
    const li = before.get(row.id) || newRow(row.id);
    before.delete(row.id);
    fillRow(li, row);
    if (list.children[at] !== li) list.insertBefore(li, list.children[at] || null);
  });
  before.forEach((li) => li.remove());
}

/** What the list says of somebody beside the name. */
function aboutPerson(name) {
  const self = name === me.id, person = people.get(name), streams = media(person), publishes = self ? trackOf('audio') || trackOf('video') : streams.length;
  return [hands.has(name) && 'hand up',
    speaking.has(name) ? 'speaking' : publishes && (self ? !isPressed('mic') : voiceMuted(name)) && 'muted',
    !publishes && (!self && person?.streams.length ? 'data only' : 'watching'),
    !self && streams.some((s) => s.source === 'screen') && 'sharing'].filter(Boolean).join(' · ');
}

/** What those with the right to it do to the room and to others. path: within the room. */
export async function moderate(path, body) {
  const answer = await fetch(`${base}moderate/${me.room}/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${me.token}` }, body: JSON.stringify(body) }).catch(() => null);
  if (!answer?.ok) announce(`That did not work${answer ? `: ${(await answer.json().catch(() => ({}))).detail || answer.status}` : '.'}`);
}

function moderatorKeys(name) {
  const verb = people.get(name)?.muted?.includes('microphone') ? 'unmute' : 'mute';
  return [{ text: verb === 'mute' ? 'Mute' : 'Unmute', run: () => moderate(`${name}/${verb}`, { microphone: true }) }, { text: 'Remove', run: () => moderate(`${name}/remove`, {}) }];
}

export function listPeople() {
  if (document.body.dataset.panel !== 'people') return;
  const others = [...people.keys()].filter((n) => n !== me.id).sort((a, b) => hands.has(b) - hands.has(a) || calls(a).localeCompare(calls(b))); // hands first
  showPeople($('people'), [{ id: me.id, called: me.name, label: `${me.name} (you)`, about: aboutPerson(me.id), keys: [] },
    ...others.map((id) => ({ id, called: calls(id), label: calls(id), about: aboutPerson(id), keys: me.rights.moderate ? moderatorKeys(id) : [] }))]);
}

// ---- comings and goings ----

/** Tells of those who come and go at about the same time in one sentence. */
class Comings {
  constructor(tell) {
    Object.assign(this, { tell, came: new Map(), left: new Map(), timer: null });
  }

  /** Each [id, name]. Who comes back at once has never been away. */
  add(came, left) {
    came.forEach(([id, name]) => this.left.delete(id) || this.came.set(id, name));
    left.forEach(([id, name]) => this.came.delete(id) || this.left.set(id, name));
    this.timer ||= setTimeout(() => this.flush(), 2000);
  }

  flush() {
    const sentence = (map, verb) => map.size && `${several([...map.values()])} ${verb}.`;
    const news = [sentence(this.came, 'came in'), sentence(this.left, 'left')].filter(Boolean).join(' ');
    this.forget();
    if (news) this.tell(news);
  }

  forget() {
    clearTimeout(this.timer);
    this.timer = null;
    this.came.clear();
    this.left.clear();
  }
}

const comings = new Comings((news) => { $('news').textContent = news; }); // for screen readers
export const forgetComings = () => comings.forget();

/** A participants event. */
export function onPeople(e) {
  if (e.snapshot) people.clear();
  const left = e.left.filter((name) => name !== me.id), named = (names) => names.map((name) => [name, calls(name)]);
  const came = e.snapshot ? [] : e.people.map((p) => p.name).filter((name) => !people.has(name) && name !== me.id);
  e.people.forEach((p) => people.set(p.name, p));
  comings.add(named(came), named(left));
  e.left.forEach((name) => {
    people.delete(name);
    hands.delete(name);
    pins.forEach((p) => personOf(p) === name && pins.delete(p));
  });
  obeyModerators(people.get(me.id)?.muted || []);
  $('locked').hidden = !e.locked;
  press('lock', Boolean(e.locked));
  $('heads').textContent = e.total;
  $('heads').hidden = e.total < 3; // two see each other
  $('count').textContent = e.anonymous ? `${e.total}, ${e.anonymous} without a name` : e.total;
}

/** What a moderator has muted of this person cannot be switched on here. */
function obeyModerators(muted) {
  for (const [what, key] of [['microphone', 'mic'], ['camera', 'cam'], ['screen', 'screen']]) {
    const barred = muted.includes(what);
    if (barred !== $(key).disabled) announce(`A moderator has ${barred ? 'muted' : 'unmuted'} your ${what}.`);
    $(key).disabled = barred;
  }
}
