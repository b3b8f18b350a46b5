// Small words at the page's edge: what a person should know, until it has passed.

export class Notices {
  #timers = new Map();

  constructor(root) {
    this.root = root;
  }

  /** Show it for so many ms; the same place has one notice. */
  tell(where, what, ms = 8_000) {
    this.over(where);
    const note = document.createElement("p");
    note.dataset.where = where;
    note.textContent = what;
    this.root.append(note);
    while (this.root.children.length > 2) this.over(this.root.firstElementChild.dataset.where);
    this.#timers.set(where, setTimeout(() => this.over(where), ms));
  }

  over(where) {
    clearTimeout(this.#timers.get(where));
    this.#timers.delete(where);
    for (const note of [...this.root.children]) if (note.dataset.where === where) note.remove();
  }

  clear() {
    for (const where of [...this.#timers.keys()]) this.over(where);
  }
}
