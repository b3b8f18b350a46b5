// The h264 stream: fragments of MP4 by Media Source Extensions, kept near the live edge.

const BEHIND = 0.3; // s of picture in hand from which on it plays a little faster
const JUMP = 1.0; // s from which on it jumps
const PATIENCE = 3; // s in which the first piece must become a picture
const KEEP = 10; // s of what was shown

/** The codec string that the page promises it can play. */
export function canPlayFilm(codecs = "avc1.42c01f,mp4a.40.2") {
  return "MediaSource" in globalThis && MediaSource.isTypeSupported(`video/mp4; codecs="${codecs}"`);
}

export class Film {
  #source = new MediaSource();
  #buffer = null;
  #queue = [];
  #closed = false;
  #begun = false;
  /** Nothing more comes: what is in hand is played to its end. */
  ended = false;

  constructor(video, codecs, muted, onfail) {
    this.video = video;
    this.onfail = onfail;
    this.muted = muted;
    video.muted = muted;
    this.url = URL.createObjectURL(this.#source);
    video.src = this.url;
    video.onerror = () => this.#fail();
    this.#source.onsourceopen = () => this.#open(codecs);
    this.timer = setInterval(() => this.#keepUp(), 250);
  }

  get position() {
    return this.#begun ? this.video.currentTime : 0;
  }

  get moving() {
    return this.#begun && this.video.readyState >= 2 && this.video.currentTime > 0;
  }

  push(data) {
    this.first ??= performance.now();
    this.#queue.push(data);
    this.#append();
  }

  /** Follow another display's clock. */
  follow(at) {
    if (!this.#begun) return;
    const off = at - this.video.currentTime;
    this.followed = true;
    if (Math.abs(off) > 0.5) this.video.currentTime = at;
    this.video.playbackRate = Math.abs(off) < 0.02 ? 1 : 1 + Math.max(-0.1, Math.min(0.1, off));
  }

  close() {
    this.#closed = true;
    clearInterval(this.timer);
    this.video.onerror = null;
    this.video.pause();
    this.video.muted = true;
    setTimeout(() => {
      if (this.video.src !== this.url) return URL.revokeObjectURL(this.url);
      this.video.removeAttribute("src");
      this.video.load();
      URL.revokeObjectURL(this.url);
    }, 200); // the fade shows its last picture
  }

  #open(codecs) {
    if (this.#closed) return;
    try {
      this.#buffer = this.#source.addSourceBuffer(`video/mp4; codecs="${codecs}"`);
      this.#buffer.onupdateend = () => this.#append();
      this.#append();
    } catch {
      this.#fail();
    }
  }

  #append() {
    const buffer = this.#buffer;
    if (this.#closed || !buffer || buffer.updating) return;
    this.#start();
    const old = buffer.buffered.length ? buffer.buffered.start(0) : 0;
    try {
      if (this.video.currentTime - old > 2 * KEEP) buffer.remove(old, this.video.currentTime - KEEP);
      else if (this.#queue.length) buffer.appendBuffer(this.#queue.shift());
    } catch {
      this.#fail();
    }
  }

  #start() {
    const { buffered } = this.#buffer;
    if (this.#begun || !buffered.length) return;
    this.#begun = true;
    this.video.currentTime = buffered.start(0);
    this.video.play().catch(() => {
      this.video.muted = true; // no sound without a touch; the picture may play
      this.video.play().catch(() => {});
    });
  }

  #keepUp() {
    if (!this.#begun && performance.now() - this.first > 1000 * PATIENCE) return this.#fail();
    const ranges = this.#buffer?.buffered;
    if (!this.#begun || !ranges?.length || this.followed) return;
    if (this.ended) return void (this.video.playbackRate = 1);
    const ahead = ranges.end(ranges.length - 1) - this.video.currentTime;
    if (ahead > JUMP) this.video.currentTime = ranges.end(ranges.length - 1) - 0.15;
    this.video.playbackRate = ahead > BEHIND && ahead <= JUMP ? 1.07 : 1;
  }

  #fail() {
    if (this.#closed) return;
    this.close();
    this.onfail();
  }
}
