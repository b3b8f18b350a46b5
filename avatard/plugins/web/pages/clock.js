// The big clock, in the manner of the house's language.

export class Clock {
  #timer = 0;

  constructor(root) {
    this.time = root.querySelector("time");
    this.date = root.querySelector(".date");
    this.speak(document.documentElement.lang || "en");
    document.addEventListener("visibilitychange", () => document.hidden || this.#tick());
  }

  /** Tell the time in this language, as the browser's region does where both agree. */
  speak(language) {
    const base = language.split(/[-_]/)[0];
    const locale = navigator.languages.find((own) => own.split("-")[0] === base) ?? language.replace("_", "-");
    try {
      this.#formats(locale);
    } catch {
      this.#formats("en");
    }
    this.#tick();
  }

  #formats(locale) {
    this.hours = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
    this.days = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
  }

  #tick() {
    clearTimeout(this.#timer);
    const now = new Date();
    const parts = this.hours.formatToParts(now);
    const half = parts.find((part) => part.type === "dayPeriod")?.value ?? "";
    const clock = parts.filter((part) => part.type !== "dayPeriod").map((part) => part.value).join("").trim();
    this.time.replaceChildren(clock, ...(half ? [small(half)] : []));
    this.time.dateTime = now.toISOString();
    this.date.textContent = this.days.format(now);
    this.#timer = setTimeout(() => this.#tick(), 60_050 - (Date.now() % 60_000));
  }
}

function small(text) {
  const element = document.createElement("small");
  element.textContent = ` ${text}`;
  return element;
}
