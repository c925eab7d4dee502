// Dead letters: rows that are ticked until something is done with them, letters also across pages of their list; the filter.

import { remember, startCompleting } from "../lib/complete.js";
import { say } from "../lib/say.js";

const MOST = 10_000;
const FILTERS = "weir-letter-filters";
// Of the page, not of the form: where nothing failed yet there is none.
const kind = document.getElementById("letters")?.dataset.kind === "groups" ? "groups" : "letters";
const kept = `weir-picked-${kind}`;
const picked = new Set(JSON.parse(sessionStorage.getItem(kept) ?? "[]"));
let last = null;

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("[data-pick]")) pick([box], box.checked);
  if (box.matches("[data-pick-page]")) pick(boxes(), box.checked);
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-picked-clear]")) clear();
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-picking]")) sessionStorage.removeItem(kept);
  if (event.target.id === "filtering") remember(event.target.elements.q.value.trim(), FILTERS);
});
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.body.dataset.singleKeys !== "on" || event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const box = event.target.closest("[data-key]")?.querySelector("[data-pick]");
  if (!box) return;
  event.preventDefault();
  const all = boxes();
  const range = event.shiftKey && last && all.includes(last) ? between(all, last, box) : [box];
  pick(range, event.shiftKey || !box.checked);
  last = box;
});
startCompleting("filtering", FILTERS);
new MutationObserver(show).observe(document.getElementById("content"), { childList: true, subtree: true });
show();

function picking() {
  return document.querySelector("[data-picking]");
}

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
  sessionStorage.setItem(kept, JSON.stringify([...picked]));
  show();
  say(picked.size ? counted() : "Nothing selected");
}

function clear() {
  picked.clear();
  sessionStorage.removeItem(kept);
  show();
}

function show() {
  const form = picking();
  if (!form) return;
  const all = boxes();
  if (kind === "groups") for (const each of picked) if (!all.some((box) => box.value === each)) picked.delete(each);
  for (const box of all) if (box.checked !== picked.has(box.value)) box.checked = picked.has(box.value);
  const n = picked.size;
  for (const part of document.querySelectorAll("[data-picked]")) if (part.hidden !== (n === 0)) part.hidden = n === 0;
  for (const part of form.querySelectorAll("[data-scripted]")) if (part.hidden) part.hidden = false;
  write(form.querySelector("[data-picked-count]"), n ? counted() : "");
  write(form.querySelector("[data-picked-retry]"), `Retry ${toSend(form)}…`);
  const ids = form.querySelector("[data-picked-ids]");
  if (ids) ids.value = [...picked].join(",");
  const page = document.querySelector("[data-pick-page]");
  if (page) page.checked = all.length > 0 && all.every((box) => picked.has(box.value));
}

/** "2 failure groups selected, 4,829 open" */
function counted() {
  if (kind === "letters") return `${said(picked.size)} selected`;
  return `${said(picked.size)} failure group${picked.size === 1 ? "" : "s"} selected, ${said(open())} open`;
}

function open() {
  return boxes().reduce((sum, box) => sum + (picked.has(box.value) ? Number(box.dataset.n) : 0), 0);
}

function toSend(form) {
  if (kind === "letters") return said(picked.size);
  const [n, most] = [open(), Number(form.dataset.most)];
  return n > most ? `first ${said(most)} of ${said(n)}` : said(n);
}

function said(n) {
  return n.toLocaleString("en");
}

function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
