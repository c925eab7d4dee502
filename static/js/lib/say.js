// The one polite line for screen readers (state changes, at most one every 3 s), and the alarm.

const GAP_MS = 3000;
let waiting = [];
let timer = 0;

/** Announces a state change politely. */
export function say(text) {
  waiting.push(text);
  if (!timer) flush();
}

/** Announces at once: a failed own action, the end of the session, an operation that stopped. */
export function alarm(text) {
  document.getElementById("alarm").textContent = text;
}

function flush() {
  if (!waiting.length) {
    timer = 0;
    return;
  }
  document.getElementById("announcer").textContent = waiting.slice(-5).join(". ");
  waiting = [];
  timer = setTimeout(flush, GAP_MS);
}
