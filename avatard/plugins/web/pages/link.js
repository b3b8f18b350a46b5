// The socket to the daemon: says hello, hands on what comes, numbers commands, and mends itself after any break.

const LONGEST_PAUSE = 10_000; // ms
const SILENCE = 75_000; // ms: the daemon tells its health every 30 s
const SLEEP = 12_000; // ms between two looks at the clock: the machine was asleep
const ANSWER = 15_000; // ms until a command counts as lost

export const KIND = { FRAME: 1, PIECE: 2, CHIME: 3 };

export class Link {
  #socket = null;
  #handlers = new Map();
  #waiting = new Map();
  #next = 1;
  #tries = 0;
  #timer = 0;
  #heard = 0;
  #version = null;
  #welcomed = false;
  #looked = performance.now();

  /** `hello()` returns the first message, made afresh for each connection. */
  constructor(hello) {
    this.hello = hello;
    setInterval(() => this.#look(), 4_000);
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => {
      this.#looked = performance.now(); // a hidden page's timers are slow: that is no sleep
      if (!document.hidden) this.retry();
    });
  }

  /** Call `handler(message)` for messages of this type; also `open` (the first welcome), `lost`, `refused` and `binary`. */
  on(type, handler) {
    this.#handlers.set(type, [...(this.#handlers.get(type) ?? []), handler]);
    return this;
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connect unless a connection stands or is on its way. */
  connect() {
    clearTimeout(this.#timer);
    if (this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heard = performance.now();
    let opened = false;
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify({ type: "hello", ...this.hello() }));
    };
    socket.onmessage = (event) => socket === this.#socket && this.#take(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#lost(event.code, opened);
  }

  /** Give the connection up and make another, e.g. to ask for another stream. */
  renew() {
    const socket = this.#socket;
    if (socket) this.#lost(1000, true);
    socket?.close();
  }

  /** Do not wait out the pause. */
  retry() {
    if (!this.#socket) this.connect();
  }

  /** Send a message that needs no answer; without a connection it is lost. */
  tell(message) {
    if (this.open) this.#socket.send(JSON.stringify(message));
  }

  /** Send bytes; those which the network is too slow for are lost. */
  stream(bytes) {
    if (this.open && this.#socket.bufferedAmount < 64_000) this.#socket.send(bytes);
  }

  /** Send a command; resolves with its answer, rejects with what is wrong. */
  command(type, fields = {}) {
    if (!this.open) return Promise.reject(new Error("There is no connection just now."));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle({ id, ok: false, error: "No answer came." }), ANSWER);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...fields, type, id }));
    });
  }

  #emit(type, detail) {
    for (const handler of this.#handlers.get(type) ?? []) handler(detail);
  }

  #take(data) {
    this.#heard = performance.now();
    if (data instanceof ArrayBuffer) {
      const piece = unpack(data);
      if (piece) this.#emit("binary", piece);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "answer") this.#settle(message);
    else if (message.type === "welcome") this.#welcome(message);
    else this.#emit(message.type, message);
  }

  #welcome(message) {
    if (this.#version !== null && this.#version !== message.version) {
      location.reload();
      return;
    }
    this.#version = message.version;
    this.#tries = 0;
    if (!this.#welcomed) this.#emit("open", message);
    this.#welcomed = true;
    this.#emit("welcome", message);
  }

  #settle({ id, ok, error, ...rest }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (ok) waiting.resolve(rest);
    else waiting.reject(new Error(error || "It was refused."));
  }

  #lost(code, opened) {
    this.#socket = null;
    this.#welcomed = false;
    for (const id of [...this.#waiting.keys()]) this.#settle({ id, ok: false, error: "The connection was lost." });
    this.#emit("lost", { code });
    if (code === 4401) return login();
    if (code === 4429) this.#emit("refused", { code });
    if (!opened) askForLogin();
    const longest = code === 4429 ? 2 * LONGEST_PAUSE : LONGEST_PAUSE;
    const pause = code === 1000 && opened ? 0 : Math.min(longest, 250 * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, 10);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), pause * (0.6 + 0.4 * Math.random()));
  }

  #look() {
    const now = performance.now();
    const slept = now - this.#looked > SLEEP && !document.hidden;
    this.#looked = now;
    if (this.open && (slept || now - this.#heard > SILENCE)) this.renew();
  }
}

function unpack(buffer) {
  if (buffer.byteLength < 16) return null;
  const view = new DataView(buffer);
  const sound = view.getUint32(12, true);
  if (16 + sound > buffer.byteLength) return null;
  return {
    kind: view.getUint8(0),
    flags: view.getUint8(1),
    answer: view.getUint32(4, true),
    pts: view.getUint32(8, true) / 1000,
    sound: new Int16Array(buffer, 16, sound >> 1),
    data: new Uint8Array(buffer, 16 + sound),
  };
}

function login() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}

/** A handshake that is refused looks like a daemon that is away: ask which it is. */
async function askForLogin() {
  try {
    const answer = await fetch("/api/status", { cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) login();
  } catch {
    // The daemon is away; the next try follows.
  }
}
