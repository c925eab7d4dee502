// Keyboard shortcuts of every page. Single keys can be switched off, and none fires in a text field.

import { pause } from "./pause.js";
import { note } from "./say.js";

let leader = 0;

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      focusSearch();
      return;
    }
    if (event.key === "Escape") closeInnermost(event);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.body.dataset.singleKeys !== "on" || typing(event.target)) return;
    if (single(event.key)) event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-show-keys]")) {
    button.hidden = false;
    button.addEventListener("click", showMap);
  }
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
}

const SINGLE = {
  "/": () => focusSearch(),
  "?": () => showMap(),
  p: () => pause.toggle(),
  t: () => openRange(),
  "[": () => press("#earlier"),
  "]": () => press("#later"),
  j: () => step(1),
  k: () => step(-1),
  r: () => press("[data-key-retry]") || refused(),
  v: () => nextView(),
  y: () => copyLink(),
  ".": () => press("[data-held]:not([hidden])"),
};

function single(key) {
  if (leader && Date.now() - leader < 1500) {
    leader = 0;
    return press(`#navigation a[data-key="${CSS.escape(key)}"]`);
  }
  if (key === "g") {
    leader = Date.now();
    return true;
  }
  const action = SINGLE[key];
  if (!action) return false;
  action();
  return true;
}

function typing(target) {
  return target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
}

function focusSearch() {
  const field = document.getElementById("search");
  field?.focus();
  field?.select();
}

function showMap() {
  document.getElementById("keys").showModal();
}

function press(selector) {
  const target = document.querySelector(selector);
  target?.click();
  return target !== null;
}

function refused() {
  const line = document.querySelector("[data-refused]");
  if (line) note(line.textContent.trim());
}

function openRange() {
  const menu = document.getElementById("range");
  if (!menu) return;
  menu.open = true;
  menu.querySelector("a")?.focus();
}

function nextView() {
  const views = [...document.querySelectorAll("[data-views] a")];
  const now = views.findIndex((link) => link.hasAttribute("aria-current"));
  views[(now + 1) % views.length]?.click();
}

async function copyLink() {
  await navigator.clipboard.writeText(location.href);
  note("Link copied");
}

function step(by) {
  const links = [...document.querySelectorAll("[data-rows] :is(tbody tr, article):not([hidden]) [data-open]")];
  if (!links.length) return;
  const now = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, now < 0 ? 0 : now + by))].focus();
}

function closeInnermost(event) {
  const menus = [...document.querySelectorAll("details.menu[open]")];
  const inner = menus.at(-1);
  if (inner) {
    inner.open = false;
    inner.querySelector("summary").focus();
    event.preventDefault();
    return;
  }
  const close = document.querySelector("[data-close-panel]") ?? document.querySelector("[data-leave]");
  if (close && !document.querySelector("dialog[open]") && !typing(event.target)) {
    close.click();
    event.preventDefault();
  }
}
