// Relative times, kept current: every <time data-ago> says how long ago it was.

const navigation = performance.getEntriesByType("navigation")[0];
const serverNow = Date.parse(document.documentElement.dataset.now ?? "");
const answeredAt = performance.timeOrigin + (navigation?.responseStart ?? 0);
const JUMP_MS = 1000;
let skew = Number.isFinite(serverNow) ? serverNow - answeredAt : 0;
let apart = Date.now() - performance.now();

/** Milliseconds since 1970 by the server's clock. */
export function serverTime() {
  return Date.now() + skew;
}

/** A page came: what its server's clock said, and when by ours it was answered. */
export function setClock(serverText, answeredAtMs) {
  const at = Date.parse(serverText ?? "");
  if (Number.isFinite(at)) skew = at - answeredAtMs;
}

/** Our clock was set, or the machine slept: whichever it was, the server's time is not known any more. */
function watchClock() {
  const now = Date.now() - performance.now();
  if (Math.abs(now - apart) < JUMP_MS) return;
  apart = now;
  document.dispatchEvent(new CustomEvent("clock"));
}

/** "3 min ago", as dashboard/templatetags/formats.py says it; null from 24 hours on. */
export function ago(atMs) {
  const seconds = (serverTime() - atMs) / 1000;
  if (seconds >= 86400 || seconds < -60) return null;
  if (seconds < 1) return "now";
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds)} s ago`;
}

export function startTimes() {
  setInterval(() => {
    watchClock();
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(time.dateTime)) ?? time.title.replace(/:\d\d\.\d{3} /, " "); // as the server writes it
      if (text && time.textContent !== text) time.textContent = text;
    }
  }, 1000);
}
