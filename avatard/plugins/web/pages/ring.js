// What the house is doing: a ring around the face and a badge upon it, each state with a shape and a word of its own.

import { word } from "./words.js";

const ICONS = {
  idle: "M12 5a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm0 4.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6Z",
  listening: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3Zm-6.5 7.5a1 1 0 0 1 2 0 4.5 4.5 0 0 0 9 0 1 1 0 0 1 2 0 6.5 6.5 0 0 1-5.5 6.4V20a1 1 0 0 1-2 0v-3.1a6.5 6.5 0 0 1-5.5-6.4Z",
  error: "M12 3.2c.8 0 1.5.4 1.9 1.1l7 12.4c.8 1.4-.2 3.1-1.9 3.1H5c-1.7 0-2.7-1.7-1.9-3.1l7-12.4c.4-.7 1.1-1.1 1.9-1.1Zm0 5.3c-.7 0-1.2.6-1.1 1.3l.3 3.7a.8.8 0 0 0 1.6 0l.3-3.7c.1-.7-.4-1.3-1.1-1.3Zm0 6.9a1.15 1.15 0 1 0 0 2.3 1.15 1.15 0 0 0 0-2.3Z",
  muted: "M4.7 3.3a1 1 0 0 0-1.4 1.4l16 16a1 1 0 0 0 1.4-1.4l-3.6-3.6a6.5 6.5 0 0 0 1.4-4.1 1 1 0 0 0-2 0c0 1-.3 1.9-.8 2.7l-1.1-1.1c.3-.5.4-1 .4-1.6V6a3 3 0 0 0-5.9-.7L4.7 3.3ZM9 10.4v1a3 3 0 0 0 3.3 3l1.6 1.6A4.5 4.5 0 0 1 7.5 11.6a1 1 0 0 0-2 0 6.5 6.5 0 0 0 5.5 6.4V20a1 1 0 0 0 2 0v-2",
  away: "M12 18a1.4 1.4 0 1 0 0-2.8A1.4 1.4 0 0 0 12 18Zm0-6.6c1.7 0 3.2.7 4.3 1.7a1 1 0 1 1-1.4 1.5 4.2 4.2 0 0 0-5.8 0 1 1 0 0 1-1.4-1.5c1.1-1 2.6-1.7 4.3-1.7Zm0-4.9c3 0 5.8 1.2 7.8 3.1a1 1 0 1 1-1.4 1.5A9.2 9.2 0 0 0 12 8.5a9.2 9.2 0 0 0-6.4 2.6 1 1 0 1 1-1.4-1.5c2-1.9 4.8-3.1 7.8-3.1Z",
};
ICONS.starting = ICONS.away;

export class Ring {
  #state = "away";
  #muted = false;
  #shown = "";

  /** `root` is the ring's element; `onpress(state)` is called when a person presses the badge. */
  constructor(root, onpress) {
    this.root = root;
    this.badge = root.querySelector(".badge");
    this.icon = root.querySelector(".badge path");
    this.word = root.querySelector(".word");
    this.status = root.querySelector("[role=status]");
    this.badge.addEventListener("click", () => onpress(this.#state));
    this.#show();
  }

  /** One of the daemon's states, or `away`. */
  set state(state) {
    this.#state = state;
    this.#show();
  }

  get state() {
    return this.#state;
  }

  set muted(on) {
    this.#muted = on;
    this.#show();
  }

  /** How loud it speaks, 0–1. */
  set level(level) {
    this.root.style.setProperty("--level", level === null ? 0.35 : level.toFixed(2));
  }

  #show() {
    const shown = this.#state === "idle" && this.#muted ? "muted" : this.#state;
    if (shown + document.documentElement.lang === this.#shown) return;
    this.#shown = shown + document.documentElement.lang;
    this.root.dataset.state = shown;
    document.body.dataset.state = shown;
    this.icon.setAttribute("d", ICONS[shown] ?? "");
    this.word.textContent = this.status.textContent = word(shown);
    const does = shown === "idle" ? "Listen" : ["listening", "processing", "responding"].includes(shown) ? "Stop" : "";
    this.badge.setAttribute("aria-label", does ? `${word(shown)}. ${does}` : word(shown));
  }
}
