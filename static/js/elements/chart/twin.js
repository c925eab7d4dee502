// The table under a chart: the same values, every step of them, also while they move.

import { shown } from "../../lib/text.js";

/** Keeps the table in `chart` (a <time-chart>) as its lines are; what is folded up is written when it is opened. */
export class Twin {
  #fold;
  #data = null;
  #words;

  /** `words` gives { say, moment }: how a value and a time are written. */
  constructor(chart, words) {
    this.#fold = chart.querySelector(".chart-table");
    this.#words = words;
    this.#fold?.addEventListener("toggle", () => this.#write());
  }

  show(data) {
    this.#data = data;
    this.#write();
  }

  #write() {
    const table = this.#fold?.querySelector("table");
    if (!table || !this.#fold.open || !this.#data) return;
    const { at, lines } = this.#data;
    const { say, moment } = this.#words();
    table.tHead.rows[0].replaceChildren(head("Until"), ...lines.map((line) => head(shown(line.name), "number")));
    const rows = at.map((second, index) => {
      const row = document.createElement("tr");
      row.append(cell(moment(second), "nowrap"), ...lines.map((line) => cell(say(line.values[index]), "number")));
      return row;
    });
    table.tBodies[0].replaceChildren(...rows.reverse());
  }
}

function head(text, kind = "") {
  const made = Object.assign(document.createElement("th"), { scope: "col", textContent: text });
  if (kind) made.className = kind;
  return made;
}

const cell = (text, kind) => Object.assign(document.createElement("td"), { className: kind, textContent: text });
