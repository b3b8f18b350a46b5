// The browser's microphone as 16 kHz int16 in pieces of 40 ms. It is open only while somebody needs it.

const WANTED = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export class Microphone {
  #stream = null;
  #context = null;
  #opening = null;

  /** `onpiece(Int16Array)` and `onlevel(0–1)` come while it is open. */
  constructor(onpiece, onlevel) {
    this.onpiece = onpiece;
    this.onlevel = onlevel;
  }

  /** Why there can be none here, in a person's words; empty where there can. */
  static obstacle() {
    if (!globalThis.isSecureContext) {
      return (
        "Browsers give a microphone only to pages that come by https or from this same machine (localhost). " +
        "Typing works here; for speaking, open this page by https."
      );
    }
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) return "This browser has no microphone for pages.";
    return "";
  }

  get isOpen() {
    return this.#context !== null;
  }

  /** Open it; a second call waits for the first. Throws an Error with a person's words. */
  async open() {
    if (this.isOpen) return;
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    await this.#opening;
  }

  async #open() {
    const obstacle = Microphone.obstacle();
    if (obstacle) throw new Error(obstacle);
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: WANTED });
    } catch (error) {
      throw new Error(excuse(error.name));
    }
    const context = new AudioContext({ latencyHint: "interactive" });
    await context.audioWorklet.addModule(new URL("./resample-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "resampler", { numberOfInputs: 1, numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => {
      this.onlevel(data.level);
      this.onpiece(data.piece);
    };
    context.createMediaStreamSource(stream).connect(node);
    stream.getAudioTracks()[0].onended = () => this.close();
    await context.resume();
    this.#stream = stream;
    this.#context = context;
  }

  close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#stream = this.#context = null;
    this.onlevel(0);
  }
}

function excuse(name) {
  if (name === "NotAllowedError") return "The microphone was not allowed. The lock beside the address lets you change that.";
  if (name === "NotFoundError") return "There is no microphone on this device.";
  if (name === "NotReadableError") return "The microphone is in use by another program.";
  return `The microphone could not be opened (${name}).`;
}
