// Timers that count down; `seconds_left` is as of the message that told it.

import { word } from "./words.js";

export class Timers {
  #timers = [];
  #longest = new Map();
  #tick = 0;

  /** `list` is the <ul>; `oncancel(timer)` where a person may cancel one, else null. */
  constructor(list, oncancel = null) {
    this.list = list;
    this.oncancel = oncancel;
  }

  show(timers) {
    const now = performance.now() / 1000;
    this.#timers = timers.map((timer) => ({ ...timer, due: now + timer.seconds_left }));
    for (const timer of timers) {
      this.#longest.set(timer.id, Math.max(this.#longest.get(timer.id) ?? 1, timer.seconds_left));
    }
    this.list.replaceChildren(...this.#timers.map((timer) => this.#item(timer)));
    this.list.hidden = !timers.length;
    clearInterval(this.#tick);
    if (timers.length) this.#tick = setInterval(() => this.#count(), 250);
    this.#count();
  }

  #item(timer) {
    const item = document.createElement("li");
    item.className = "timer";
    item.classList.toggle("ringing", timer.ringing);
    const [name, left, bar] = ["name", "left", "bar"].map((part) => {
      const element = document.createElement(part === "bar" ? "i" : "span");
      element.className = part;
      return element;
    });
    name.textContent = timer.name || word("timer");
    item.append(name, left, bar);
    if (this.oncancel) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = timer.ringing ? "Stop" : "Cancel";
      button.setAttribute("aria-label", `${button.textContent} ${name.textContent}`);
      button.addEventListener("click", () => this.oncancel(timer));
      item.append(button);
    }
    return item;
  }

  #count() {
    const now = performance.now() / 1000;
    this.#timers.forEach((timer, i) => {
      const left = Math.max(0, timer.due - now);
      const item = this.list.children[i];
      const text = timer.ringing || left === 0 ? "0:00" : countdown(Math.ceil(left));
      const element = item.querySelector(".left");
      if (element.textContent !== text) element.textContent = text;
      item.style.setProperty("--share", (left / this.#longest.get(timer.id)).toFixed(4));
    });
  }
}

function countdown(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
