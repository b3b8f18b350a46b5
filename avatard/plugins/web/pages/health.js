// How the daemon is, which engines serve, and what is wrong.

const ROWS = [
  ["uptime_s", "Running for", duration],
  ["latency_ms", "Last answer began after", (v) => `${Math.round(v)} ms`],
  ["fps", "Pictures a second", (v) => v.toFixed(0)],
  ["lag_ms", "Longest pause of the loop", (v) => `${Math.round(v)} ms`],
  ["drops", "Lost for want of room", String],
  ["temperature_c", "Temperature", (v) => `${v.toFixed(0)} °C`],
  ["stuck", "Without a sign of life", (v) => v.join(", ")],
];

export class Health {
  #rows = new Map();

  constructor(list) {
    this.list = list;
  }

  show(report) {
    for (const [key, title, word] of ROWS) {
      const value = report[key];
      const nothing = value === null || value === undefined || (Array.isArray(value) && !value.length);
      this.row(key, title, nothing ? "" : word(value));
    }
  }

  /** Write a row; an empty value takes it away. */
  row(key, title, value) {
    let row = this.#rows.get(key);
    if (!row && value) {
      row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      row.firstElementChild.textContent = title;
      this.#rows.set(key, row);
      this.list.append(row);
    }
    if (row) {
      row.hidden = !value;
      row.lastElementChild.textContent = value;
    }
  }
}

const STAGES = {
  wake_word: "Wake word", vad: "Voice activity", stt: "Understands by", conversation: "Answers by", tts: "Speaks by",
  render: "Drawn by", encoder: "Encoded by",
};

export class Engines {
  constructor(health) {
    this.health = health;
  }

  show(engines) {
    for (const [stage, engine] of Object.entries(engines)) this.change(stage, engine);
  }

  change(stage, engine, why = "") {
    this.health.row(`engine ${stage}`, STAGES[stage] ?? stage, why ? `${engine} (${why})` : engine);
  }
}

export class Problems {
  #problems = new Map();

  constructor(list) {
    this.list = list;
  }

  show(problems) {
    this.#problems = new Map(Object.entries(problems));
    this.#draw();
  }

  tell({ where, what, over }) {
    if (over) this.#problems.delete(where);
    else this.#problems.set(where, what);
    this.#draw();
  }

  #draw() {
    const items = [...this.#problems].map(([where, what]) => {
      const item = document.createElement("li");
      const name = document.createElement("b");
      name.textContent = where;
      item.append(name, ` ${what}`);
      return item;
    });
    if (!items.length) {
      const fine = document.createElement("li");
      fine.className = "fine";
      fine.textContent = "No problems.";
      items.push(fine);
    }
    this.list.replaceChildren(...items);
  }
}

function duration(seconds) {
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d} d ${h} h`;
  return h ? `${h} h ${m} min` : m ? `${m} min` : `${Math.round(seconds)} s`;
}
