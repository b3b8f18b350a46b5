// Plays an answer: its sound to the sample, its pictures and sentences when their sound is heard.

import { Pictures } from "./pictures.js";
import { Ear, FollowClock, QuietClock } from "./clocks.js";
import { loudness } from "./sound.js";
import { Film } from "./film.js";
import { KIND } from "./link.js";

const REPORT = 200; // ms
const EARLY = 0.008; // s: half a picture of the screen

export class Player {
  #answer = null;
  #drawing = false;

  /**
   * `stage` shows the pictures, `sound` is the ear's, `link` is told how far it is;
   * `on.sentence(text, index)`, `on.level(0–1)`, `on.start()`, `on.rest()`.
   */
  constructor({ stage, sound, link, on = {} }) {
    this.stage = stage;
    this.sound = sound;
    this.on = on;
    this.audible = true;
    this.link = link;
    link.on("begin", (m) => this.begin(m)).on("sentence", (m) => this.#sentence(m));
    link.on("end", (m) => this.#end(m)).on("clear", (m) => this.#clear(m));
    link.on("position", (m) => this.#position(m)).on("binary", (piece) => this.#piece(piece));
    link.on("chime", () => {}).on("lost", () => this.#lost());
    sound.onchange(() => this.#answer?.clock && this.#swap());
    setInterval(() => this.#report(), REPORT);
  }

  /** The answer that is being played, as the tests and the page ask for it. */
  get position() {
    return this.#answer ? this.#at() : null;
  }

  get dropped() {
    return this.#answer?.pictures.dropped ?? 0;
  }

  begin(message) {
    const before = this.#answer;
    const floor = before?.duration != null && before.clock?.written ? before.clock.base + before.duration : 0;
    if (before && before.duration == null) this.sound.hush();
    before?.pictures.clear();
    before?.film?.close();
    this.#answer = {
      number: message.answer, follow: message.follow, pictures: new Pictures(), sentences: [], said: -1,
      clock: message.follow ? new FollowClock() : null, floor, until: 0, duration: null, film: null, shown: false,
    };
    if (message.stream === "h264") this.#openFilm(message);
    this.on.start?.(message);
    this.#draw();
  }

  #openFilm(message) {
    const silent = message.follow || !this.audible;
    this.#answer.film = new Film(this.stage.film, message.codecs, silent, () => this.on.fallback?.());
  }

  #piece({ kind, flags, answer, pts, sound, data }) {
    if (kind === KIND.CHIME) return this.#chime(sound.length ? sound : new Int16Array(data.slice().buffer));
    const current = this.#answer;
    if (!current || current.number !== answer) return;
    if (kind === KIND.PIECE) return current.film?.push(data);
    if (!current.clock) this.#start(pts);
    if (!current.follow) {
      current.clock.place(pts, this.audible ? sound : null);
      current.until = Math.max(current.until, pts + 0.04);
    }
    if (sound.length) current.levels ??= new Map();
    current.levels?.set(Math.round(pts * 25), loudness(sound));
    if (data.length) current.pictures.push(pts, data);
  }

  #start(pts) {
    const { floor } = this.#answer;
    this.#answer.clock = this.audible && this.sound.running ? new Ear(this.sound, pts, floor) : new QuietClock(pts);
  }

  /** Go over to the other clock in mid-answer, because the browser allowed sound or took it away. */
  #swap() {
    const current = this.#answer;
    if (current.follow || !this.audible) return;
    const at = current.clock.position();
    current.clock = this.sound.running ? Ear.resume(this.sound, at) : new QuietClock(at, 0);
  }

  #chime(samples) {
    if (this.audible && this.sound.running) this.sound.play(samples, this.sound.written + 0.01);
  }

  #sentence({ answer, index, text, pts }) {
    if (this.#answer?.number === answer) this.#answer.sentences.push({ index, text, pts });
  }

  #position({ answer, at }) {
    const current = this.#answer;
    if (current?.number !== answer || !current.follow) return;
    current.clock.hear(at);
    current.film?.follow(at);
  }

  #end({ answer, duration }) {
    const current = this.#answer;
    if (current?.number !== answer) return;
    current.duration = duration;
    for (const part of [current.film, current.clock]) if (part) part.ended = true;
  }

  #clear({ answer }) {
    if (this.#answer && this.#answer.number === answer) this.#rest(true);
  }

  /** What is here is played out. */
  #lost() {
    if (this.#answer) this.#answer.duration ??= this.#answer.until;
  }

  #rest(hush) {
    if (hush) this.sound.hush();
    this.#answer.pictures.clear();
    this.#answer.film?.close();
    this.#answer = null;
    this.stage.rest();
    this.on.rest?.();
  }

  #at() {
    const { clock, film, until, follow, duration } = this.#answer;
    if (film) return film.position;
    if (!clock) return 0;
    return Math.min(clock.position(), duration ?? (follow ? Infinity : until));
  }

  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    const step = (now) => {
      this.#drawing = this.#answer !== null;
      if (!this.#drawing) return;
      this.#show(now);
      if (this.#answer) requestAnimationFrame(step);
      else this.#drawing = false;
    };
    requestAnimationFrame(step);
  }

  #show(now) {
    const current = this.#answer;
    const at = this.#at();
    const picture = current.film ? null : current.pictures.take(at + EARLY);
    if (picture) {
      this.stage.draw(picture.bitmap);
      picture.bitmap.close();
      if (!current.shown) this.#first(current);
      globalThis.avatardProbe?.({ pts: picture.pts, at, now, answer: current.number, latency: this.sound.latency });
    } else if (current.film?.moving && !current.shown) {
      this.#first(current);
      this.stage.roll();
    }
    this.on.level?.(current.levels?.get(Math.floor(at * 25)) ?? null);
    this.#say(at);
    if (this.#over(at)) this.#finish();
  }

  #first(current) {
    current.shown = true;
    performance.mark("avatard-first-picture", { detail: current.number });
  }

  #over(at) {
    const { duration, film } = this.#answer;
    return duration != null && at >= duration - (film ? 0.08 : 0.001);
  }

  #say(at) {
    const current = this.#answer;
    let said = current.said;
    current.sentences.forEach((sentence, i) => sentence.pts <= at + EARLY && (said = Math.max(said, i)));
    if (said === current.said) return;
    current.said = said;
    this.on.sentence?.(current.sentences[said]);
  }

  #finish() {
    const { number, duration, follow } = this.#answer;
    if (!follow) this.link.tell({ type: "played", answer: number, at: duration });
    this.#rest(false);
  }

  #report() {
    const current = this.#answer;
    if (!current || current.follow || (!current.clock && !current.film)) return;
    const at = this.#at();
    if (this.#over(at)) return this.#finish(); // a hidden page draws nothing
    this.link.tell({ type: "played", answer: current.number, at: Math.max(0, at) });
  }
}
