// The page of one event: selecting a hop in place, and hops that come while one looks.

import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { fetchPage, replace } from "../lib/swap.js";

const LEAST_MS = 3000;
const REDRAWN = "event-path, event-timeline";
let timer = 0;
let last = 0;

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-select]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  select(link.getAttribute("href"), link.dataset.select);
});
document.addEventListener("click", (event) => {
  const close = event.target.closest?.("[data-close-panel]");
  if (!close) return;
  event.preventDefault();
  select(close.getAttribute("href"), null);
});
live.listen(["events", "letters", "retries"], soon);
live.addEventListener("poll", soon);
pause.addEventListener("change", () => !pause.paused && soon());
document.addEventListener("visibilitychange", () => !document.hidden && soon());
for (const element of document.querySelectorAll(REDRAWN)) element.select(selected());

async function select(href, hop) {
  const url = new URL(href, location.href);
  history.replaceState(history.state, "", url);
  carry(url.searchParams.get("sel"));
  for (const element of document.querySelectorAll(REDRAWN)) element.select(hop);
  for (const row of document.querySelectorAll("[data-hops] tbody tr")) row.classList.toggle("selected", row.dataset.hop === String(hop));
  const panel = document.getElementById("panel");
  const opener = document.activeElement;
  if (hop === null) {
    panel.hidden = true;
    return;
  }
  panel.setAttribute("aria-busy", "true");
  const fresh = await fetchPage(url.href, { part: "hop" });
  if (fresh && String(selected()) === String(hop)) replace(fresh, "panel")?.focus({ preventScroll: true });
  else panel.removeAttribute("aria-busy");
  document.getElementById("panel").addEventListener("keydown", (event) => event.key === "Escape" && opener?.isConnected && opener.focus(), { once: true });
}

/** The other views keep the selection. */
function carry(selection) {
  for (const link of document.querySelectorAll("#path > header a")) {
    const to = new URL(link.href);
    if (selection === null) to.searchParams.delete("sel");
    else to.searchParams.set("sel", selection);
    link.href = to.href;
  }
}

function selected() {
  const found = /^hop:(\d+)$/.exec(new URL(location.href).searchParams.get("sel") ?? "");
  return found ? Number(found[1]) - 1 : null;
}

function soon() {
  if (pause.paused) {
    pause.hold();
    return;
  }
  if (!document.hidden) timer ||= setTimeout(refresh, Math.max(0, last + LEAST_MS - Date.now()));
}

async function refresh() {
  try {
    const fresh = await fetchPage(location.href, { part: "path" });
    if (fresh && !pause.paused) take(fresh);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // no network: the socket's own state says so
  } finally {
    timer = 0;
    last = Date.now();
  }
}

/** New hops, states and waits take the place of the old; scroll, selection and what was opened stay. */
function take(fresh) {
  const before = document.getElementById("path-data");
  const after = fresh.getElementById("path-data");
  if (!before || !after) return;
  replace(fresh, "path-summary");
  if (before.textContent === after.textContent) return;
  const n = JSON.parse(after.textContent).hops.length - JSON.parse(before.textContent).hops.length;
  replace(fresh, "path-data");
  replace(fresh, "hops");
  for (const element of document.querySelectorAll(REDRAWN)) element.draw();
  if (n > 0) say(`${n} more hop${n === 1 ? "" : "s"}`);
}
