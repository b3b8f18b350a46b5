// Latency of the last turns as stacked bars: what each part of the way to the first picture took.

const PARTS = [
  ["speech_end_to_transcript", "heard", "Understood"],
  ["speech_end_to_first_token", "token", "First word thought"],
  ["speech_end_to_first_audio", "audio", "First sound made"],
  ["speech_end_to_first_frame", "frame", "First picture with its sound"],
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
    if (!PARTS.some(([key]) => turn.ms?.[key] > 0)) return;
    this.#turns = [...this.#turns.filter((other) => other.turn !== turn.turn), turn].slice(-MOST);
    const longest = Math.max(500, ...this.#turns.map(reach));
    this.list.replaceChildren(...this.#turns.toReversed().map((one) => row(one, longest)));
  }
}

/** When the first picture was there, ms. */
function reach(turn) {
  return Math.max(...PARTS.map(([key]) => turn.ms[key] ?? 0));
}

function row(turn, longest) {
  const item = document.createElement("li");
  const title = document.createElement("span");
  const total = document.createElement("b");
  title.textContent = turn.heard || turn.reply || turn.source;
  title.title = title.textContent;
  total.textContent = `${Math.round(reach(turn))} ms`;
  const bar = document.createElementNS(SVG, "svg");
  bar.setAttribute("role", "img");
  const words = [];
  let start = 0;
  for (const [key, name, part] of PARTS) {
    const end = turn.ms[key];
    if (end === undefined || end <= start) continue;
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", name);
    rect.setAttribute("x", `${((100 * start) / longest).toFixed(2)}%`);
    rect.setAttribute("width", `${((100 * (end - start)) / longest).toFixed(2)}%`);
    rect.setAttribute("height", "100%");
    bar.append(rect);
    words.push(`${part}: ${Math.round(end - start)} ms`);
    start = end;
  }
  bar.setAttribute("aria-label", words.join(", "));
  item.append(title, total, bar);
  return item;
}
