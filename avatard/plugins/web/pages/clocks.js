// What time it is in an answer: by what is heard, by the wall where nothing is, or by another display's clock.

import { RATE } from "./sound.js";

const LEAD = 0.08; // s between the first frame's arrival and its sound
const REACH = 0.4; // s that a followed clock is trusted to go on without news

/** Follows the sound: frames are placed on the context's time, and what is heard is where the answer is. */
export class Ear {
  written = true;

  constructor(sound, pts, floor = 0) {
    this.sound = sound;
    this.shifts = 0;
    this.base = 0;
    this.#anchor(pts, floor);
  }

  /** Go on at this position, whose sound up to now is lost. */
  static resume(sound, at) {
    const ear = new Ear(sound, at);
    ear.base = quantum(sound.heard() - at);
    return ear;
  }

  /** Seconds of the answer that were heard. */
  position() {
    return this.sound.heard() - this.base;
  }

  /** Give the frame's sound its time; where that has passed already, everything that follows moves. */
  place(pts, samples) {
    if (this.base + pts < this.sound.written + 0.003) {
      this.shifts += 1;
      this.#anchor(pts, 0);
    }
    if (samples) this.sound.play(samples, this.base + pts);
  }

  #anchor(pts, floor) {
    this.base = quantum(Math.max(this.sound.written + LEAD, floor) - pts);
  }
}

/** Without sound: the wall's clock. */
export class QuietClock {
  constructor(pts, lead = LEAD) {
    this.base = seconds() + lead - pts;
  }

  position() {
    return seconds() - this.base;
  }

  place(pts) {
    if (this.base + pts < seconds() - 0.02) this.base = seconds() + LEAD - pts;
  }
}

/** Follows another display, which says every 100 ms where it is. */
export class FollowClock {
  /** All of the answer is here: it may go on to its end without news. */
  ended = false;
  #at = -1;
  #from = 0;
  #told = 0;

  hear(at) {
    const now = seconds();
    const off = at - this.position();
    const guess = this.#told && Math.abs(off) < 0.25 ? this.position() + 0.2 * off : at;
    this.#at = guess;
    this.#from = this.#told = now;
  }

  position() {
    if (!this.#told) return -1;
    return this.#at + Math.min(seconds() - this.#from, this.ended ? Infinity : REACH);
  }
}

function seconds() {
  return performance.now() / 1000;
}

/** A whole sample: pieces that meet between two samples would click. */
function quantum(time) {
  return Math.round(time * RATE) / RATE;
}
