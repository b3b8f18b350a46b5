// The conversation as it goes: who said what, words as they come. Text is only ever text.

const MOST = 60; // entries

export class Transcript {
  #partial = null;
  #replies = new Map();
  #asked = [];

  constructor(list) {
    this.list = list;
  }

  clear() {
    this.list.replaceChildren();
    this.#partial = null;
    this.#replies.clear();
    this.#asked = [];
  }

  hear(text, final) {
    if (!text && final) {
      this.#partial?.remove();
      this.#partial = null;
      return;
    }
    this.#partial ??= this.#entry("person", "Heard");
    this.#write(this.#partial, text);
    this.#partial.classList.toggle("partial", !final);
    if (!final) return;
    this.#partial = null;
    this.#asked = [...this.#asked.slice(-8), text];
  }

  reply(turn, text) {
    const entry = this.#of(turn);
    this.#write(entry, entry.querySelector("p").textContent + text);
  }

  replied(turn, text) {
    if (text) this.#write(this.#of(turn), text);
  }

  /** A turn came to its end; what was missed of it is written down. */
  finish({ turn, heard, reply, interrupted, error, source, past }) {
    if (past && reply && !this.#replies.has(turn)) this.replied(turn, reply);
    const entry = this.#replies.get(turn);
    if (heard && !this.#asked.includes(heard)) {
      const question = this.#entry("person", source);
      this.#write(question, heard);
      if (entry) entry.before(question);
    }
    this.#asked = this.#asked.filter((asked) => asked !== heard);
    this.#replies.delete(turn);
    if (error) this.#write(this.#entry("error", "Failed"), error);
    else if (interrupted && entry) entry.querySelector("b").textContent += " (interrupted)";
  }

  #of(turn) {
    let entry = this.#replies.get(turn);
    if (!entry) {
      entry = this.#entry("house", "Said");
      this.#replies.set(turn, entry);
    }
    return entry;
  }

  #entry(who, title) {
    const entry = document.createElement("li");
    entry.className = who;
    const name = document.createElement("b");
    name.textContent = title;
    entry.append(name, document.createElement("p"));
    this.list.append(entry);
    while (this.list.children.length > MOST) this.list.firstElementChild.remove();
    return entry;
  }

  #write(entry, text) {
    entry.querySelector("p").textContent = text;
    this.list.scrollTop = this.list.scrollHeight;
  }
}
