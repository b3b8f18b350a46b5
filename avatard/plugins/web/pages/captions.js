// What was heard, and what is said: words as they come, then sentence by sentence in time with the speech.

const LINGER = 7_000; // ms that the words stay after an answer
const MOST = 4_000; // characters of a reply that are kept

export class Captions {
  #reply = "";
  #turn = null;
  #cursor = 0;
  #timer = 0;

  /** `root` has `.heard`, `.said` and `.coming`; `onshow(bool)` tells whether there are words. */
  constructor(root, onshow = () => {}) {
    this.root = root;
    this.heard = root.querySelector(".heard");
    this.said = root.querySelector(".said");
    this.coming = root.querySelector(".coming");
    this.onshow = onshow;
  }

  /** What the recogniser believes so far, or in the end. */
  hear(text, final) {
    this.#keep();
    if (!final || text) this.#write(this.heard, text);
    this.heard.classList.toggle("partial", !final);
    if (!final) this.#blank();
  }

  /** A piece of the reply's text. */
  reply(turn, text) {
    if (turn !== this.#turn) this.#begin(turn);
    this.#reply = (this.#reply + text).slice(0, MOST);
    this.#keep();
    this.#ahead();
  }

  /** The reply's whole text. */
  replied(turn, text) {
    if (turn !== this.#turn) this.#begin(turn);
    this.#reply = text.slice(0, MOST);
    this.#ahead();
  }

  /** This sentence is heard just now. */
  speak(text) {
    this.#keep();
    const found = this.#reply.indexOf(text, this.#cursor);
    if (found >= 0) this.#cursor = found + text.length;
    else this.#cursor = this.#reply.length; // spoken otherwise than written: nothing to promise
    this.#write(this.said, text);
    this.#ahead();
  }

  /** The answer has ended: the words stay a little. */
  rest() {
    this.#write(this.coming, "");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), LINGER);
  }

  /** No more words. */
  clear() {
    this.#blank();
    this.#write(this.heard, "");
    this.#turn = null;
    this.onshow(false);
    delete this.root.dataset.shown;
  }

  #begin(turn) {
    this.#blank();
    this.#turn = turn;
  }

  #blank() {
    this.#reply = "";
    this.#cursor = 0;
    this.#turn = null;
    this.#write(this.said, "");
    this.#write(this.coming, "");
  }

  #keep() {
    clearTimeout(this.#timer);
    this.root.dataset.shown = "";
    this.onshow(true);
  }

  #ahead() {
    this.#write(this.coming, this.#reply.slice(this.#cursor).trim());
  }

  #write(element, text) {
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  }
}
