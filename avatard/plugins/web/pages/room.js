// `/`: mirrors the room, full screen.

import { Captions } from "./captions.js";
import { Clock } from "./clock.js";
import { canPlayFilm } from "./film.js";
import { Link } from "./link.js";
import { Player } from "./player.js";
import { Ring } from "./ring.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";
import { Timers } from "./timers.js";
import { word } from "./words.js";
import { keepAwake } from "./awake.js";
import { Notices } from "./notices.js";

const find = (selector) => document.querySelector(selector);
const wish = new URLSearchParams(location.search).get("stream");
let stream = wish === "h264" && canPlayFilm() ? "h264" : wish ? "canvas" : null;

const sound = new Sound();
const stage = new Stage(find(".stage"));
const clock = new Clock(find(".rest"));
const timers = new Timers(find(".timers"));
const captions = new Captions(find(".captions"), (shown) => document.body.classList.toggle("words", shown));
const link = new Link(() => ({ page: "room", ...(stream && { stream }), sound: true }));
const ring = new Ring(find(".ring"), press);
const notices = new Notices(find(".notices"));
const player = new Player({
  stage, sound, link,
  on: {
    sentence: ({ text }) => captions.speak(text),
    level: (level) => (ring.level = level),
    rest: () => captions.rest(),
    fallback: () => {
      stream = "canvas";
      link.renew();
    },
  },
});

let lastTouch = -Infinity;
let away = 0;

function press(state) {
  if (state === "away") return link.retry();
  const stop = state !== "idle" || find(".timer.ringing");
  link.command(stop ? "stop" : "listen").catch((error) => notices.tell("command", error.message, 4_000));
}

function screen(on) {
  document.body.classList.toggle("dark", on === false);
  stage.sleep(on === false);
}

function hintSound() {
  find(".hint").hidden = !player.audible || sound.running;
}

link.on("welcome", (m) => {
  clearTimeout(away);
  away = 0;
  document.title = m.title;
  document.documentElement.lang = m.language;
  clock.speak(m.language);
  find(".hint").textContent = word("sound");
  player.audible = m.sound;
  if (m.sound) sound.open();
  sound.volume(m.volume);
  stage.wear(m.idle);
  ring.muted = m.muted;
  ring.state = m.ready === false ? "starting" : m.state;
  timers.show(m.timers);
  screen(m.screen);
  notices.clear();
  if (m.answer) player.begin(m.answer);
  setTimeout(hintSound, 600);
});
link.on("lost", () => {
  away ||= setTimeout(() => (ring.state = "away"), 1_500);
});
link.on("state", ({ state }) => {
  ring.state = state;
  if (state === "listening") captions.clear();
  if (state === "idle" && player.position === null) captions.rest();
});
link.on("heard_partly", ({ text }) => captions.hear(text, false));
link.on("transcribed", ({ text }) => captions.hear(text, true));
link.on("reply_text", ({ turn, text }) => captions.reply(turn, text));
link.on("replied", ({ turn, text }) => captions.replied(turn, text));
link.on("timers", (m) => timers.show(m.timers));
link.on("idle", (m) => stage.wear(m));
link.on("problem", ({ where, what, over }) => (over ? notices.over(where) : notices.tell(where, what, 12_000)));
link.on("setting", ({ name, value }) => {
  if (name === "mute") ring.muted = value;
  if (name === "volume") sound.volume(value);
  if (name === "screen") screen(value);
});
sound.onchange(hintSound);

addEventListener("pointerdown", () => {
  sound.unlock();
  const now = performance.now();
  if (now - lastTouch < 1_000) return;
  lastTouch = now;
  link.tell({ type: "touch" });
});
addEventListener("keydown", () => sound.unlock());

keepAwake();
link.connect();
