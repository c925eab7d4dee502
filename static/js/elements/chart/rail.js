// The rail above a chart: one focusable glyph for each change (deploy, setting, rebalance, rewind).

const SIGNS = { version: "◆", config: "⚙", partitions: "⊞", again: "↺", rewind: "⏪", rebalance: "⇄", lost: "✖" };
const APART_PX = 24; // a target's width: marks closer than that stand as one, with all their sentences

/** Marks that can be told apart at this width: [{x, marks}], x in pixels of the plot's own box. */
export function clusters(marks, xOf, width) {
  const found = [];
  for (const mark of marks) {
    const x = xOf(mark.at);
    if (x < 0 || x > width) continue;
    const last = found.at(-1);
    if (last && x - last.x < APART_PX) last.marks.push(mark);
    else found.push({ x, marks: [mark] });
  }
  return found;
}

/** Puts the marks on the rail. The focused one stays focused; `point` is called with a mark's time, or null. */
export function drawRail(rail, found, { left, width, point }) {
  const focused = rail.contains(document.activeElement) ? document.activeElement.dataset.at : "";
  rail.replaceChildren(
    ...found.map(({ x, marks }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "mark";
      button.dataset.at = String(marks[0].at);
      button.textContent = marks.length > 1 ? String(marks.length) : (SIGNS[marks[0].kind] ?? "•");
      button.setAttribute("aria-label", marks.map((mark) => mark.text).join("; "));
      button.style.left = `${left + Math.min(Math.max(x, APART_PX / 2), width - APART_PX / 2)}px`;
      const told = document.createElement("span");
      told.className = "told";
      told.setAttribute("aria-hidden", "true");
      told.textContent = button.getAttribute("aria-label");
      if (x > width / 2) told.classList.add("to-left");
      button.append(told);
      button.addEventListener("focus", () => point(marks[0].at));
      button.addEventListener("blur", () => point(null));
      return button;
    }),
  );
  if (focused) rail.querySelector(`[data-at="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
