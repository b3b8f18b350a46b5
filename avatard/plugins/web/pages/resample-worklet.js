// On the audio thread: any rate in, 16 kHz int16 out, 40 ms a message.

const OUT = 16_000; // Hz
const PIECE = 640; // samples: 40 ms
const LOBES = 12; // of the windowed sinc on each side

class Resampler extends AudioWorkletProcessor {
  #step = sampleRate / OUT;
  #half = Math.ceil(LOBES * Math.max(1, sampleRate / OUT));
  #kept = new Float32Array(this.#half * 2);
  #at = this.#half; // where the next sample out lies in what is kept
  #piece = new Int16Array(PIECE);
  #filled = 0;
  #power = 0;
  #taps = new Map();

  process([[input]]) {
    if (!input) return true;
    const signal = new Float32Array(this.#kept.length + input.length);
    signal.set(this.#kept);
    signal.set(input, this.#kept.length);
    while (this.#at + this.#half < signal.length) {
      this.#put(this.#interpolate(signal, this.#at));
      this.#at += this.#step;
    }
    const keep = Math.max(0, Math.floor(this.#at) - this.#half);
    this.#kept = signal.slice(keep);
    this.#at -= keep;
    return true;
  }

  #interpolate(signal, at) {
    const whole = Math.floor(at);
    const taps = this.#tapsFor(at - whole);
    let sum = 0;
    for (let i = 0; i < taps.length; i++) sum += taps[i] * (signal[whole - this.#half + 1 + i] ?? 0);
    return sum;
  }

  /** A windowed sinc that lies so far between two samples; 1/64 of a sample is fine enough for speech. */
  #tapsFor(fraction) {
    const key = Math.round(fraction * 64);
    let taps = this.#taps.get(key);
    if (taps) return taps;
    const cut = Math.min(1, 1 / this.#step) * 0.94;
    taps = new Float32Array(2 * this.#half);
    for (let i = 0; i < taps.length; i++) {
      const x = i - this.#half + 1 - key / 64;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cut * x) / (Math.PI * cut * x);
      taps[i] = cut * sinc * (0.5 + 0.5 * Math.cos((Math.PI * Math.max(-1, Math.min(1, x / this.#half)))));
    }
    this.#taps.set(key, taps);
    return taps;
  }

  #put(value) {
    this.#power += value * value;
    this.#piece[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    if (this.#filled < PIECE) return;
    const level = Math.min(1, Math.sqrt(this.#power / PIECE) * 6);
    this.port.postMessage({ piece: this.#piece, level }, [this.#piece.buffer]);
    this.#piece = new Int16Array(PIECE);
    this.#filled = 0;
    this.#power = 0;
  }
}

registerProcessor("resampler", Resampler);
