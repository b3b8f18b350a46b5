// Pictures that wait for their time: decoded a little ahead, late ones dropped.

const AHEAD = 8; // decoded pictures that are kept: each takes a megabyte
const OVERDUE = 0.12; // s after which a picture is not worth decoding, where a later one is there
const MOST = 500; // pictures; 20 s

export class Pictures {
  #waiting = [];
  #decoding = 0;
  dropped = 0;

  /** Keep a JPEG until `pts` seconds. */
  push(pts, jpeg) {
    this.#waiting.push({ pts, blob: new Blob([jpeg], { type: "image/jpeg" }), bitmap: null, gone: false });
    while (this.#waiting.length > MOST) this.#drop();
    this.#decode();
  }

  /** Return the newest decoded picture whose time has come, or null; it is the caller's to close. */
  take(position) {
    while (this.#waiting.length > 1 && !this.#waiting[0].bitmap && this.#waiting[1].pts <= position - OVERDUE) this.#drop();
    let found = -1;
    for (let i = 0; i < this.#waiting.length && this.#waiting[i].pts <= position; i++) {
      if (this.#waiting[i].bitmap) found = i;
    }
    if (found < 0) return null;
    for (let i = 0; i < found; i++) this.#drop();
    const item = this.#waiting.shift();
    this.#decode();
    return item;
  }

  clear() {
    for (const item of this.#waiting) {
      item.gone = true;
      item.bitmap?.close();
    }
    this.#waiting = [];
  }

  #drop() {
    const item = this.#waiting.shift();
    item.gone = true;
    item.bitmap?.close();
    this.dropped += 1;
  }

  #decode() {
    for (const item of this.#waiting.slice(0, AHEAD)) {
      if (item.bitmap || !item.blob || this.#decoding >= AHEAD) continue;
      const { blob } = item;
      item.blob = null;
      this.#decoding += 1;
      createImageBitmap(blob)
        .then((bitmap) => {
          if (item.gone) bitmap.close();
          else item.bitmap = bitmap;
        })
        .catch(() => (item.gone = true))
        .finally(() => {
          this.#decoding -= 1;
          this.#decode();
        });
    }
  }
}
