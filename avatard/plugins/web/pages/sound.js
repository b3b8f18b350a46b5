// Sound by Web Audio: pieces of 48 kHz sound, placed to the sample; its clock is what is heard.

export const RATE = 48_000;
const HUSH = 0.012; // s in which sound fades before it is cut, so that it does not click

export class Sound {
  #context = null;
  #master = null;
  #voice = null;
  #level = 1;
  #clock = { at: 0, now: 0 };
  #handlers = [];

  /** Make the context; browsers may keep it silent until the page is touched. */
  open() {
    if (this.#context) return;
    try {
      this.#context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    } catch {
      return; // a device without sound: the pictures go by the wall's clock
    }
    this.#master = new GainNode(this.#context, { gain: this.#level });
    this.#master.connect(this.#context.destination);
    this.#context.onstatechange = () => this.#handlers.forEach((handler) => handler(this.running));
  }

  /** Call `handler(running)` when the browser allows sound, or no longer. */
  onchange(handler) {
    this.#handlers.push(handler);
  }

  get running() {
    return this.#context?.state === "running";
  }

  /** Ask the browser for sound; it listens only while a person touches the page. */
  async unlock() {
    this.open();
    if (this.#context && !this.running) await this.#context.resume().catch(() => {});
  }

  /** Loudness, 0–100, at once. */
  volume(percent) {
    this.#level = Math.min(1, Math.max(0, percent / 100));
    this.#master?.gain.setTargetAtTime(this.#level, this.#context.currentTime, 0.01);
  }

  /** The time up to which sound was handed over, seconds of the context. */
  get written() {
    return this.#context.currentTime;
  }

  /** How long sound is on its way to the ear, seconds. */
  get latency() {
    return this.#context?.outputLatency || this.#context?.baseLatency || 0;
  }

  /** The time that is being heard, seconds of the context: smooth, although the context's own goes in steps. */
  heard() {
    const now = performance.now() / 1000;
    const measured = this.#context.currentTime - this.latency;
    const guess = this.#clock.at + (now - this.#clock.now);
    const off = measured - guess;
    this.#clock = { at: Math.abs(off) > 0.08 ? measured : guess + 0.05 * off, now };
    return this.#clock.at;
  }

  /** Play int16 samples from this time of the context on. */
  play(samples, at) {
    if (!samples.length) return;
    if (!this.#voice) {
      this.#voice = new GainNode(this.#context);
      this.#voice.connect(this.#master);
    }
    const buffer = new AudioBuffer({ length: samples.length, numberOfChannels: 1, sampleRate: RATE });
    const floats = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) floats[i] = samples[i] / 32768;
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#voice);
    source.onended = () => source.disconnect();
    source.start(at);
  }

  /** Silence at once. */
  hush() {
    const voice = this.#voice;
    if (!voice) return;
    this.#voice = null;
    voice.gain.setTargetAtTime(0, this.#context.currentTime, HUSH / 3);
    setTimeout(() => voice.disconnect(), 1000 * HUSH * 3);
  }
}

/** How loud the samples are, 0–1. */
export function loudness(samples) {
  if (!samples.length) return 0;
  let sum = 0;
  for (let i = 0; i < samples.length; i += 4) sum += samples[i] * samples[i];
  return Math.min(1, Math.sqrt(sum / (samples.length / 4)) / 6000);
}
