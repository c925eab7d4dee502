// The one polite line for screen readers (state changes, at most one every 3 s), and the alarm.

const GAP_MS = 3000;
const NOTE_MS = 4000;
const MOST = 5;
let waiting = [];
let timer = 0;
let noteTimer = 0;

/** Announces a state change politely. Where more is to be said than anyone would hear out, the urgent is. */
export function say(text, { isUrgent = false } = {}) {
  waiting.push({ text, isUrgent });
  if (!timer) flush();
}

/** Announces politely and shows for a moment what a key just did. */
export function note(text) {
  say(text);
  const line = document.getElementById("note");
  line.textContent = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => (line.textContent = ""), NOTE_MS);
}

/** Says at once, and shows until the next click or Esc: a failed own action, an operation that stopped. */
export function alarm(text) {
  const line = document.getElementById("alarm");
  line.textContent = text;
  const clear = (event) => {
    if (event.type === "keydown" && event.key !== "Escape") return;
    line.textContent = "";
    for (const name of ["keydown", "pointerdown"]) removeEventListener(name, clear);
  };
  for (const name of ["keydown", "pointerdown"]) addEventListener(name, clear);
}

/** The session is over: nothing on this page moves on, and a dialog says so and leads to the login and back. */
export function sessionEnded() {
  const dialog = document.getElementById("ended");
  if (dialog.open) return;
  const link = dialog.querySelector("a");
  for (const [name, isKept] of [["edited", true], ["unedited", false]]) dialog.querySelector(`[data-${name}]`).hidden = isKept !== (document.querySelector("form[data-keep]") !== null);
  link.href = `${link.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`;
  dialog.showModal();
}

function flush() {
  if (!waiting.length) {
    timer = 0;
    return;
  }
  const ordered = [...waiting.filter(({ isUrgent }) => isUrgent), ...waiting.filter(({ isUrgent }) => !isUrgent).reverse()];
  const left = ordered.length > MOST ? [`${ordered.length - MOST} more changes`] : [];
  document.getElementById("announcer").textContent = [...ordered.slice(0, MOST).map(({ text }) => text), ...left].join(". ");
  waiting = [];
  timer = setTimeout(flush, GAP_MS);
}
