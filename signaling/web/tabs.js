// SPDX-License-Identifier: Apache-2.0
// tabs.js - the same person in the same room in another tab of this browser: the newer tab takes the call over, the older one lets go and is told so.

export class Tabs {
  /** ontaken(): another tab takes what this one holds. */
  constructor(ontaken) {
    this.held = null;          // { key, id } while this tab is in a call
    this.others = new Map();   // key -> id, of the other tabs
    this.channel = new BroadcastChannel(`sluice ${new URL('.', import.meta.url).pathname}`);
    this.channel.onmessage = ({ data: { ask, holds, drops, takes } }) => {
      if (ask && this.held) this.tell({ holds: this.held });
      if (holds) this.others.set(holds.key, holds.id);
      if (drops) this.others.delete(drops.key);
      if (takes && this.held?.key === takes.key) {
        this.held = null; // without a word: it is the other's now
        ontaken();
      }
    };
    this.tell({ ask: true });
  }

  tell(message) { this.channel.postMessage(message); }

  /** A person in a room; JSON, since names may hold anything. */
  static key(room, name) { return JSON.stringify([room, name]); }

  /** Takes the call over from another tab, if there is one; gives the id that it had, or ''. */
  take(room, name) {
    const key = Tabs.key(room, name), id = this.others.get(key) || '';
    this.others.delete(key);
    if (id) this.tell({ takes: { key } });
    return id;
  }

  /** This tab is in a call. */
  hold(room, name, id) {
    this.held = { key: Tabs.key(room, name), id };
    this.tell({ holds: this.held });
  }

  drop() {
    if (this.held) this.tell({ drops: this.held });
    this.held = null;
  }
}
