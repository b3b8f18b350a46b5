// The face: its silent film below, the speaking picture above it, and around both the picture's colours, continued.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const FADE = 140; // ms, as in face.css

export class Stage {
  #speaking = false;
  #aspect = 1;

  /** `root` holds the face's elements; see index.html. */
  constructor(root) {
    this.root = root;
    this.idle = root.querySelector(".idle-film");
    this.still = root.querySelector(".still");
    this.canvas = root.querySelector(".speech");
    this.film = root.querySelector(".speech-film");
    this.surround = root.querySelector(".surround");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.still.addEventListener("load", () => this.#paint());
    this.idle.addEventListener("error", () => (this.idle.hidden = true)); // the still stays
    addEventListener("resize", () => this.#paint());
  }

  /** Show another silent face: `{film, still}`, or null where there is none. */
  wear(idle) {
    if (!idle) return;
    if (!this.still.src.endsWith(idle.still)) this.still.src = idle.still;
    if (!this.#speaking) delete this.root.dataset.speech; // an answer's last picture stood in for it
    if (calm.matches || this.idle.src.endsWith(idle.film)) return;
    this.idle.hidden = false;
    this.idle.poster = idle.still;
    this.idle.src = idle.film;
    this.idle.play().catch(() => {});
  }

  /** Draw one picture of an answer; the first one brings the canvas up. */
  draw(bitmap) {
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    this.#speak("canvas");
    if (!this.still.src) this.#continue(this.canvas);
  }

  /** The stream's own video shows the answer. */
  roll() {
    this.#speak("film");
  }

  /** Back to the silent film, from its first picture, which is the one that an answer ends with. */
  rest() {
    if (!this.#speaking) return;
    this.#speaking = false;
    if (!this.idle.src || this.idle.hidden) {
      if (this.still.src) delete this.root.dataset.speech;
      return; // without a silent face the last picture stays
    }
    this.idle.currentTime = 0;
    this.idle.play().catch(() => {});
    delete this.root.dataset.speech;
  }

  /** What nobody sees need not move. */
  sleep(on) {
    if (on) this.idle.pause();
    else if (!this.#speaking) this.idle.play().catch(() => {});
  }

  #speak(how) {
    if (this.#speaking) return;
    this.#speaking = true;
    this.root.dataset.speech = how;
    setTimeout(() => this.#speaking && this.idle.pause(), 2 * FADE);
  }

  #paint() {
    if (this.still.naturalWidth) this.#continue(this.still);
  }

  #continue(picture) {
    const [wide, high] = [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
    if (wide / high !== this.#aspect) {
      this.#aspect = wide / high;
      document.documentElement.style.setProperty("--aspect", this.#aspect);
    }
    paintSurround(this.surround, picture, wide, high, this.root.querySelector(".face").getBoundingClientRect());
    const wall = edgeColour(this.surround);
    document.documentElement.style.setProperty("--wall", wall);
  }
}

const SCALE = 8; // pixels of the page to one of the surround: what is soft needs no more

/** Stretch the picture's rim to the page's edges and leave a hole for the face, whose edge is soft. */
function paintSurround(canvas, picture, wide, high, box) {
  const width = Math.max(2, Math.ceil(innerWidth / SCALE));
  const height = Math.max(2, Math.ceil(innerHeight / SCALE));
  const [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom].map((edge) => edge / SCALE);
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const rim = Math.max(1, Math.round(wide / 64));
  const columns = [[0, rim, 0, left], [0, wide, left, right], [wide - rim, rim, right, width]];
  const rows = [[0, rim, 0, top], [0, high, top, bottom], [high - rim, rim, bottom, height]];
  for (const [sx, sw, x0, x1] of columns) {
    for (const [sy, sh, y0, y1] of rows) {
      if (x1 > x0 && y1 > y0) pen.drawImage(picture, sx, sy, sw, sh, x0 - 0.5, y0 - 0.5, x1 - x0 + 1, y1 - y0 + 1);
    }
  }
  pen.filter = "blur(5px)"; // a wall stays as it is, and what is on it does not become stripes
  pen.drawImage(canvas, 0, 0);
  pen.filter = "none";
  pen.globalCompositeOperation = "destination-in";
  fade(pen, width, height, left, top, right, bottom);
}

/** Keep what is outside of the box, and inside a rim that fades inwards. */
function fade(pen, width, height, left, top, right, bottom) {
  const mask = new OffscreenCanvas(width, height);
  const brush = mask.getContext("2d");
  const soft = 0.07 * Math.min(right - left, bottom - top);
  brush.filter = `blur(${soft / 2}px)`;
  brush.fillRect(left + soft, top + soft, right - left - 2 * soft, bottom - top - 2 * soft);
  brush.filter = "none";
  brush.globalCompositeOperation = "source-out";
  brush.fillRect(0, 0, width, height);
  pen.drawImage(mask, 0, 0);
}

function edgeColour(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
  let [r, g, b, n] = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 128) continue;
    [r, g, b, n] = [r + data[i], g + data[i + 1], b + data[i + 2], n + 1];
  }
  return n ? `rgb(${(r / n) | 0} ${(g / n) | 0} ${(b / n) | 0})` : "rgb(143 208 203)";
}
