// The end of the log, with a filter.

const MOST = 400; // lines
const RANK = { debug: 0, info: 1, warning: 2, error: 3, critical: 4 };

export class Log {
  constructor(list, level, filter) {
    Object.assign(this, { list, level, filter });
    level.addEventListener("change", () => this.#sift());
    filter.addEventListener("input", () => this.#sift());
    this.times = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  }

  clear() {
    this.list.replaceChildren();
  }

  add({ level, text, at }) {
    const low = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    const line = document.createElement("li");
    line.dataset.level = level;
    const time = document.createElement("time");
    time.textContent = this.times.format(new Date(at * 1000));
    const name = document.createElement("b");
    name.textContent = level;
    const words = document.createElement("span");
    words.textContent = text;
    line.append(time, name, words);
    line.hidden = !this.#wanted(line);
    this.list.append(line);
    while (this.list.children.length > MOST) this.list.firstElementChild.remove();
    if (low) this.list.scrollTop = this.list.scrollHeight;
  }

  #sift() {
    for (const line of this.list.children) line.hidden = !this.#wanted(line);
    this.list.scrollTop = this.list.scrollHeight;
  }

  #wanted(line) {
    const enough = (RANK[line.dataset.level] ?? 1) >= RANK[this.level.value];
    return enough && line.lastElementChild.textContent.toLowerCase().includes(this.filter.value.toLowerCase());
  }
}
