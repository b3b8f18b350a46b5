// `/control`: for a person at a desk or with a phone.

import { Engines, Health, Problems } from "./health.js";
import { Faces } from "./faces.js";
import { Link } from "./link.js";
import { Log } from "./logs.js";
import { Memory } from "./memory.js";
import { Timers } from "./timers.js";
import { Transcript } from "./transcript.js";
import { Turns } from "./turns.js";

const STATES = {
  idle: "Ready", listening: "Listening", processing: "Thinking", responding: "Speaking", error: "Something went wrong",
  away: "Looking for avatard", starting: "Starting",
};
const find = (selector) => document.querySelector(selector);

const link = new Link(() => ({ page: "control", stream: "none", sound: false }));
const told = find(".told");
const timers = new Timers(find(".timers"), (timer) =>
  timer.ringing ? command("stop") : command("cancel_timer", { timer: timer.id }),
);
const transcript = new Transcript(find(".transcript"));
const turns = new Turns(find(".turns"), find("#turn-legend"));
const memory = new Memory(find(".memory svg"), find("#memory-words"));
const health = new Health(find(".health"));
const engines = new Engines(health);
const problems = new Problems(find(".problems"));
const log = new Log(find(".log"), find("#level"), find("#filter"));
const faces = new Faces(find(".faces"), (name) => command("face", { name }));

let clearing = 0;
let moving = 0;

async function command(type, fields) {
  try {
    const answer = await link.command(type, fields);
    told.hidden = true;
    return answer;
  } catch (error) {
    told.textContent = error.message;
    told.hidden = false;
    clearTimeout(clearing);
    clearing = setTimeout(() => (told.hidden = true), 8_000);
    return null;
  }
}

function state(name) {
  document.body.dataset.state = name;
  find(".state span").textContent = STATES[name] ?? name;
}

function setting(name, value) {
  if (name === "mute") find("#mute").checked = value;
  if (name === "screen" && value !== null) find("#screen").checked = value;
  if (name === "face") faces.choose(value);
  if (name === "voice") find("#voice").value = value;
  if (name === "volume" && performance.now() > moving) {
    find("#volume").value = value;
    find(".volume output").textContent = `${value} %`;
  }
}

function voices(names, current) {
  const options = names.map((name) => new Option(name, name, false, name === current));
  find("#voice").replaceChildren(...options);
  find("#has-voices").hidden = names.length < 2;
}

link.on("welcome", (m) => {
  document.title = `Control · ${m.title}`;
  document.documentElement.lang = m.language;
  find("h1").textContent = m.title;
  state(m.ready === false ? "starting" : m.state);
  faces.show(m.faces, m.face);
  voices(m.voices, m.voice);
  find("#has-screen").hidden = m.screen === null;
  for (const [name, value] of [["mute", m.muted], ["volume", m.volume], ["screen", m.screen]]) setting(name, value);
  timers.show(m.timers);
  engines.show(m.engines ?? {});
  problems.show(m.problems ?? {});
});
link.on("open", () => {
  transcript.clear();
  turns.clear();
  memory.clear();
  log.clear();
});
link.on("lost", () => state("away"));
link.on("state", (m) => state(m.state));
link.on("heard_partly", ({ text }) => transcript.hear(text, false));
link.on("transcribed", ({ text }) => transcript.hear(text, true));
link.on("reply_text", ({ turn, text }) => transcript.reply(turn, text));
link.on("replied", ({ turn, text }) => transcript.replied(turn, text));
link.on("turn", (m) => {
  turns.add(m);
  transcript.finish(m);
});
link.on("health", (m) => {
  memory.add(m);
  health.show(m);
});
link.on("tier", (m) => memory.tier(m.tier));
link.on("engine", ({ stage, engine, why }) => engines.change(stage, engine, why));
link.on("problem", (m) => problems.tell(m));
link.on("timers", (m) => timers.show(m.timers));
link.on("setting", ({ name, value }) => setting(name, value));
link.on("log", (m) => log.add(m));

find(".speak").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("#text").value.trim();
  if (!text) return find("#text").focus();
  const verb = event.submitter?.value ?? "say";
  if (!(await command(verb, { text }))) return;
  find("#text").value = "";
});
find("#text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find(".speak").requestSubmit(find("[value=say]"));
});
for (const button of document.querySelectorAll("[data-command]")) {
  button.addEventListener("click", () => command(button.dataset.command));
}
find("#mute").addEventListener("change", (event) => command("mute", { on: event.target.checked }));
find("#screen").addEventListener("change", (event) => command("screen", { on: event.target.checked }));
find("#voice").addEventListener("change", (event) => command("voice", { name: event.target.value }));
find("#volume").addEventListener("input", (event) => {
  moving = performance.now() + 800;
  find(".volume output").textContent = `${event.target.value} %`;
});
find("#volume").addEventListener("change", (event) => command("volume", { percent: Number(event.target.value) }));
find(".timer-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const seconds = Math.round(Number(find("#minutes").value) * 60);
  command("timer", { seconds, name: find("#timer-name").value.trim() });
});

link.connect();
