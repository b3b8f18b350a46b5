// `/talk`: a place of one's own, with this browser's microphone.

import { TalkButton } from "./button.js";
import { Captions } from "./captions.js";
import { canPlayFilm } from "./film.js";
import { Link } from "./link.js";
import { Microphone } from "./microphone.js";
import { Notices } from "./notices.js";
import { Player } from "./player.js";
import { Ring } from "./ring.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";

const find = (selector) => document.querySelector(selector);
const wish = new URLSearchParams(location.search).get("stream");
let stream = wish === "h264" && canPlayFilm() ? "h264" : wish ? "canvas" : null;
let pressed = false;

const sound = new Sound();
const stage = new Stage(find(".stage"));
const captions = new Captions(find(".captions"));
const notices = new Notices(find(".notices"));
const link = new Link(() => ({ page: "talk", ...(stream && { stream }), sound: true }));
const ring = new Ring(find(".ring"), (state) => {
  if (state === "away") link.retry();
  else if (state !== "idle") command("stop");
});
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
const wake = find("#wake");
const button = new TalkButton(find(".talk"), talk);
const microphone = new Microphone(
  (piece) => (pressed || wake.checked) && link.stream(piece.buffer),
  (level) => find(".talk").style.setProperty("--level", level.toFixed(2)),
);

function command(type, fields) {
  return link.command(type, fields).catch((error) => notices.tell("command", error.message, 6_000));
}

async function opened() {
  try {
    await microphone.open();
    return true;
  } catch (error) {
    notices.tell("microphone", error.message, 12_000);
    return false;
  }
}

async function talk(on) {
  pressed = on;
  sound.unlock();
  if (!on) {
    link.tell({ type: "talk", on: false });
    if (!wake.checked) microphone.close();
    return;
  }
  if (!(await opened())) return button.end();
  if (pressed) link.tell({ type: "talk", on: true });
  else if (!wake.checked) microphone.close(); // released while the browser was asking
}

wake.addEventListener("change", async () => {
  sound.unlock();
  if (wake.checked) wake.checked = await opened();
  else if (!pressed) microphone.close();
});

find(".type").addEventListener("submit", (event) => {
  event.preventDefault();
  sound.unlock();
  const text = find("#text").value.trim();
  if (!text) return;
  captions.clear();
  captions.hear(text, true);
  find("#text").value = "";
  command("ask", { text });
});

link.on("welcome", (m) => {
  document.title = `Talk with ${m.title}`;
  document.documentElement.lang = m.language;
  player.audible = m.sound;
  if (m.sound) sound.open();
  sound.volume(m.volume);
  stage.wear(m.idle);
  ring.muted = m.muted;
  ring.state = m.ready === false ? "starting" : m.state;
  notices.clear();
  if (m.wake_phrases.length) find("#phrases").textContent = `Listen for “${m.wake_phrases.map(said).join("” or “")}”`;
  find(".switch").hidden = !m.wake_phrases.length;
  if (m.answer) player.begin(m.answer);
});
link.on("lost", () => {
  button.end();
  ring.state = "away";
});
link.on("refused", () => notices.tell("place", "Everybody who may talk at once is talking. This page goes on trying.", 15_000));
link.on("state", ({ state }) => {
  ring.state = state;
  if (state === "listening") captions.clear();
  if (state === "processing" || state === "responding") button.end();
  if (state === "idle" && player.position === null) captions.rest();
});
link.on("heard_partly", ({ text }) => captions.hear(text, false));
link.on("transcribed", ({ text }) => captions.hear(text, true));
link.on("reply_text", ({ turn, text }) => captions.reply(turn, text));
link.on("replied", ({ turn, text }) => captions.replied(turn, text));
link.on("idle", (m) => stage.wear(m));
link.on("problem", ({ where, what, over }) => (over ? notices.over(where) : notices.tell(where, what, 12_000)));
link.on("setting", ({ name, value }) => {
  if (name === "mute") ring.muted = value;
  if (name === "volume") sound.volume(value);
});

/** `okay_nabu` as a person says it. */
function said(phrase) {
  return phrase.replaceAll("_", " ");
}

const obstacle = Microphone.obstacle();
if (obstacle) {
  find(".why").textContent = obstacle;
  find(".why").hidden = false;
  find(".speak").hidden = true;
}
addEventListener("pointerdown", () => sound.unlock());
addEventListener("pagehide", () => microphone.close());
link.connect();
