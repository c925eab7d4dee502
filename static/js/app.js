// What every page runs: menus, keys, times, preferences, the live socket.

import "./elements/live-chip.js";
import "./elements/live-rows.js";
import { keepDrafts } from "./lib/drafts.js";
import { startKeys } from "./lib/keys.js";
import { live } from "./lib/live.js";
import { startNavigation } from "./lib/navigation.js";
import { startPause } from "./lib/pause.js";
import { startPreferences } from "./lib/preferences.js";
import { fetchPage } from "./lib/swap.js";
import { startTimes } from "./lib/times.js";

startKeys();
startTimes();
document.addEventListener("clock", askForTheTime);
startPreferences();
startPause();
startMenu();
startNavigation();
startCopying();
keepDrafts();
if ("streams" in document.body.dataset) live.start(document.body.dataset.streams.split(" ").filter(Boolean));
else if ("signedIn" in document.body.dataset) live.watch();

/** Where nobody answers now, the page that is fetched once somebody does brings the time. */
async function askForTheTime() {
  try {
    await fetchPage(location.href);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the server cannot be reached
  }
}

function startMenu() {
  const button = document.querySelector("[data-menu]");
  const navigation = document.getElementById("navigation");
  if (!button || !navigation) return;
  button.setAttribute("role", "button");
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", "navigation");
  button.addEventListener("click", (event) => {
    event.preventDefault();
    button.setAttribute("aria-expanded", String(navigation.classList.toggle("open")));
  });
}

function startCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.querySelector("[data-label]") ?? button;
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => (label.textContent = before), 1500);
  });
}
