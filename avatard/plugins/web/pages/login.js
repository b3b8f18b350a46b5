// `/login`: says why the door stayed shut, and keeps where to go.

const REASONS = {
  wrong: "That is not the token.",
  wait: "There were too many wrong tokens. Wait a minute, then try again.",
};

const reason = REASONS[document.documentElement.dataset.login];
if (reason) {
  const note = document.querySelector(".wrong");
  note.textContent = reason;
  note.hidden = false;
  document.querySelector("#token").setAttribute("aria-invalid", "true");
}
document.querySelector("form").action = `/login${location.search}`;
