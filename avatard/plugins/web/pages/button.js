// The button to talk: hold it, or tap it once and speak; the space key does the same.

const TAP = 350; // ms: what is shorter is a tap, and it listens until the request has ended

export class TalkButton {
  #down = 0;
  #on = false;
  #latched = false;

  /** `onchange(on)` is called when talking begins and ends. */
  constructor(button, onchange) {
    this.button = button;
    this.onchange = onchange;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.#press();
    });
    button.addEventListener("pointerup", () => this.#release());
    button.addEventListener("pointercancel", () => this.#release());
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", (event) => event.detail === 0 && this.#tap()); // a screen reader's press
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => this.end());
  }

  /** The request has ended, or cannot begin. */
  end() {
    this.#latched = false;
    this.#down = 0;
    this.#set(false);
  }

  #key(event, down) {
    if (event.code !== "Space" || event.target.closest("input, textarea, select, [role=switch], button:not(.talk)")) return;
    event.preventDefault();
    if (event.repeat) return;
    if (down) this.#press();
    else this.#release();
  }

  #tap() {
    if (this.#on) return this.end();
    this.#latched = true;
    this.#set(true);
  }

  #press() {
    if (this.#latched) return this.end();
    this.#down = performance.now();
    this.#set(true);
  }

  #release() {
    if (!this.#down) return;
    const short = performance.now() - this.#down < TAP;
    this.#down = 0;
    if (short) this.#latched = true;
    else this.#set(false);
  }

  #set(on) {
    if (on === this.#on) return;
    this.#on = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.onchange(on);
  }
}
