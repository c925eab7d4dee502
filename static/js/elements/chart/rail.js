// The rail above a chart: one focusable glyph for each change (deploy, setting, rebalance, rewind).

import { svg } from "../../lib/svg.js";

// Drawn, not written: hardly a font has all of them. Strokes in a box of 16.
const SIGNS = {
  version: "M8 2.5 13.5 8 8 13.5 2.5 8Z",
  config: "M2 5h5m4 0h3M9 3v4M2 11h2m4 0h6M6 9v4",
  partitions: "M2.5 2.5h11v11h-11ZM8 2.5v11M2.5 8h11",
  again: "M3.5 8a4.5 4.5 0 1 0 1.6-3.4M5.5 1.5v3.6h3.6",
  rewind: "M8 3.5 3 8l5 4.5ZM13.5 3.5 8.5 8l5 4.5Z",
  rebalance: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
  lost: "M4 4l8 8M12 4l-8 8",
  cut: "M2 4.5h6M2 8h6M2 11.5h6M10.5 2.5 13.5 8l-3 5.5",
  retry: "M2.5 8h9M8 4.5 11.5 8 8 11.5M14 4v8",
};
const FILLED = new Set(["version", "rewind"]);
const OTHER = "M8 5.5v5M5.5 8h5";
const APART_PX = 24; // a target's width: marks closer than that stand as one, with all their sentences

/** Marks that can be told apart at this width: [{x, marks}], x in pixels of the plot's own box, where a target fits. */
export function clusters(marks, xOf, width) {
  const found = [];
  for (const mark of marks) {
    const at = xOf(mark.at);
    if (at < 0 || at > width) continue;
    const x = Math.min(Math.max(at, APART_PX / 2), width - APART_PX / 2);
    const last = found.at(-1);
    if (last && x - last.x < APART_PX) last.marks.push(mark);
    else found.push({ x, marks: [mark] });
  }
  return found;
}

/** Puts the marks on the rail; one that was there stays the same button. `point` is called with a mark's time, or null. */
export function drawRail(rail, found, { left, width, point }) {
  const before = new Map([...rail.children].map((button) => [button.dataset.at, button]));
  const buttons = found.map(({ x, marks }) => {
    const button = before.get(String(marks[0].at)) ?? made(marks[0].at, point);
    const text = marks.map((mark) => mark.text).join("; ");
    button.style.left = `${left + x}px`;
    button.lastChild.classList.toggle("to-left", x > width / 2);
    button.onclick = () => openRows(marks);
    if (button.lastChild.textContent === text) return button;
    button.lastChild.textContent = text;
    button.setAttribute("aria-label", text);
    button.firstChild.replaceWith(marks.length > 1 ? String(marks.length) : sign(marks[0].kind));
    return button;
  });
  for (const button of before.values()) if (!buttons.includes(button)) button.remove();
  buttons.forEach((button, index) => rail.children[index] === button || rail.insertBefore(button, rail.children[index] ?? null));
}

/** A button for the marks of a time: what it shows, and beside it what it says. */
function made(at, point) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "mark" });
  button.dataset.at = String(at);
  const told = document.createElement("span");
  told.className = "told";
  told.setAttribute("aria-hidden", "true");
  button.append("", told);
  button.addEventListener("focus", () => point(at));
  button.addEventListener("blur", () => point(null));
  return button;
}

/** In the list of changes the rows of these marks are marked, opened, and the first has the focus. */
function openRows(marks) {
  const keys = new Set(marks.map((mark) => mark.key));
  const rows = [...document.querySelectorAll("#changes [data-change]")];
  const own = rows.filter((row) => keys.has(row.dataset.change));
  for (const row of rows) row.toggleAttribute("data-chosen", own.includes(row));
  for (const fold of own.flatMap((row) => [row.closest("details"), ...row.querySelectorAll("details")])) if (fold) fold.open = true;
  own.at(-1)?.focus(); // the list has the newest first, the rail the oldest
}

function sign(kind) {
  const path = svg("path", { d: SIGNS[kind] ?? OTHER, fill: FILLED.has(kind) ? "currentColor" : "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linejoin": "round" });
  return svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, path);
}
