// Latency of the last turns as stacked bars: what each part of the way to the first picture took.

const PARTS = [
  ["transcript", "heard", "Understood"],
  ["first_token", "token", "First word thought"],
  ["first_audio", "audio", "First sound made"],
  ["first_frame", "frame", "First picture with its sound"],
];
const MOST = 12;
const SVG = "http://www.w3.org/2000/svg";

export class Turns {
  #turns = [];

  constructor(list, legend) {
    this.list = list;
    legend.replaceChildren(
      ...PARTS.map(([, name, title]) => {
        const item = document.createElement("li");
        item.className = name;
        item.textContent = title;
        return item;
      }),
    );
  }

  clear() {
    this.#turns = [];
    this.list.replaceChildren();
  }

  add(turn) {
    if (!PARTS.some(([part]) => after(turn, part) > 0)) return;
    this.#turns = [...this.#turns.filter((other) => other.turn !== turn.turn), turn].slice(-MOST);
    const longest = Math.max(500, ...this.#turns.map(reach));
    this.list.replaceChildren(...this.#turns.toReversed().map((one) => row(one, longest)));
  }
}

/** How long after the end of speech, or the command, this part was there, ms. */
function after({ ms = {} }, part) {
  return ms[`speech_end_to_${part}`] ?? ms[`command_to_${part}`];
}

/** When the first picture was there, ms. */
function reach(turn) {
  return Math.max(...PARTS.map(([part]) => after(turn, part) ?? 0));
}

function row(turn, longest) {
  const item = document.createElement("li");
  const about = document.createElement("span");
  const total = document.createElement("b");
  about.textContent = turn.heard || turn.reply || turn.source;
  about.title = about.textContent;
  total.textContent = `${Math.round(reach(turn))} ms`;
  const bar = document.createElementNS(SVG, "svg");
  bar.setAttribute("role", "img");
  const words = [];
  let start = 0;
  for (const [part, name, title] of PARTS) {
    const end = after(turn, part);
    if (end === undefined || end <= start) continue;
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", name);
    rect.setAttribute("x", `${((100 * start) / longest).toFixed(2)}%`);
    rect.setAttribute("width", `${((100 * (end - start)) / longest).toFixed(2)}%`);
    rect.setAttribute("height", "100%");
    bar.append(rect);
    words.push(`${title}: ${Math.round(end - start)} ms`);
    start = end;
  }
  bar.setAttribute("aria-label", words.join(", "));
  item.append(about, total, bar);
  return item;
}
