// Memory over the last hour as a curve, with the lines at which the tiers begin.

const HOUR = 3600; // s
const TIERS = [[0.8, "tidy"], [1, "shed"], [1.2, "survive"]];
const NAMES = { normal: "normal", tidy: "tidying up", shed: "shedding load", survive: "surviving" };
const [WIDE, HIGH] = [600, 200];
const SVG = "http://www.w3.org/2000/svg";

export class Memory {
  #points = [];
  #tier = "normal";

  constructor(svg, words) {
    this.svg = svg;
    this.words = words;
    svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  }

  clear() {
    this.#points = [];
  }

  /** A report: `memory_mb` of `budget_mb`. */
  add({ memory_mb, budget_mb, tier, at_time = Date.now() / 1000 }) {
    if (!(memory_mb >= 0)) return;
    this.#points.push({ at: at_time, memory_mb, budget_mb, tier });
    this.#points = this.#points.filter(({ at }) => at > at_time - HOUR);
    this.tier(tier);
  }

  tier(name) {
    this.#tier = name ?? this.#tier;
    if (this.#points.length) this.#draw();
  }

  #draw() {
    const last = this.#points.at(-1);
    const budget = last.budget_mb;
    const top = Math.max(1.3 * budget, ...this.#points.map((point) => 1.1 * point.memory_mb)) || 1;
    const first = Math.min(this.#points[0].at, last.at - 300);
    const x = (at) => (((at - first) / (last.at - first)) * WIDE).toFixed(1);
    const y = (mb) => (HIGH - (mb / top) * HIGH).toFixed(1);
    const line = this.#points.map((point) => `${x(point.at)},${y(point.memory_mb)}`);
    const parts = TIERS.map(([share, name]) =>
      shape("line", { class: name, x1: 0, x2: WIDE, y1: y(share * budget), y2: y(share * budget) }),
    );
    const area = [`${x(this.#points[0].at)},${HIGH}`, ...line, `${WIDE},${HIGH}`].join(" ");
    parts.push(shape("polygon", { class: "area", points: area }), shape("polyline", { class: "curve", points: line.join(" ") }));
    this.svg.replaceChildren(...parts);
    const most = Math.max(...this.#points.map((point) => point.memory_mb));
    this.words.textContent =
      `${Math.round(last.memory_mb)} MB of ${Math.round(budget)} MB, ${NAMES[this.#tier] ?? this.#tier}; ` +
      `at most ${Math.round(most)} MB in the last ${Math.max(1, Math.round((last.at - first) / 60))} minutes. ` +
      "The lines: 80 %, 100 %, 120 % of the budget.";
  }
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.setAttribute("vector-effect", "non-scaling-stroke");
  return element;
}
