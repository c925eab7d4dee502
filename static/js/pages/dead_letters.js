// The list of dead letters: rows that are ticked, across pages of the list, until something is done with them.

import { say } from "../lib/say.js";

const KEPT = "weir-picked-letters";
const MOST = 10_000;
let last = null;

const picked = new Set(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"));

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("[data-pick]")) pick([box], box.checked);
  if (box.matches("[data-pick-page]")) pick(boxes(), box.checked);
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-picked-clear]")) clear();
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-picking]")) sessionStorage.removeItem(KEPT);
});
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.body.dataset.singleKeys !== "on" || event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const box = event.target.closest("tr")?.querySelector("[data-pick]");
  if (!box) return;
  event.preventDefault();
  const all = boxes();
  const range = event.shiftKey && last && all.includes(last) ? between(all, last, box) : [box];
  pick(range, event.shiftKey || !box.checked);
  last = box;
});
new MutationObserver(show).observe(document.getElementById("content"), { childList: true, subtree: true });
show();

function boxes() {
  return [...document.querySelectorAll("[data-pick]")];
}

function between(all, one, other) {
  const ends = [all.indexOf(one), all.indexOf(other)].sort((a, b) => a - b);
  return all.slice(ends[0], ends[1] + 1);
}

function pick(some, on) {
  for (const box of some) {
    if (on && picked.size < MOST) picked.add(box.value);
    else picked.delete(box.value);
  }
  sessionStorage.setItem(KEPT, JSON.stringify([...picked]));
  show();
  say(`${picked.size.toLocaleString("en")} selected`);
}

function clear() {
  picked.clear();
  sessionStorage.removeItem(KEPT);
  show();
}

function show() {
  const parts = document.querySelectorAll("[data-picked]");
  for (const box of boxes()) if (box.checked !== picked.has(box.value)) box.checked = picked.has(box.value);
  const form = document.querySelector("[data-picking]");
  if (!form) return;
  const n = picked.size;
  for (const part of parts) if (part.hidden !== (n === 0)) part.hidden = n === 0;
  write(form.querySelector("[data-picked-count]"), n ? `${n.toLocaleString("en")} selected` : "");
  const retry = form.querySelector("[data-picked-retry]");
  if (retry) write(retry, `Retry ${n.toLocaleString("en")}…`);
  form.querySelector("[data-picked-ids]").value = [...picked].join(",");
  const all = boxes();
  const page = document.querySelector("[data-pick-page]");
  if (page) page.checked = all.length > 0 && all.every((box) => picked.has(box.value));
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
