// The side panel: fetched when something is selected, and again while it stands; its chart goes on living.

import { replace } from "../lib/swap.js";

const KEPT = ["panel-facts", "panel-more", "pins"];

/** Puts the panel of a page that was fetched in place of ours. The same selection keeps its chart and its buttons. */
export async function renewPanel(fresh, isSame) {
  const chart = document.getElementById("beside");
  const next = fresh.getElementById("beside-data");
  if (isSame && KEPT.every((id) => Boolean(document.getElementById(id)) === Boolean(fresh.getElementById(id))) && Boolean(chart) === Boolean(next)) {
    if (chart?.show) chart.show(JSON.parse(next.textContent), JSON.parse(fresh.getElementById("marks-data").textContent));
    for (const id of KEPT) replace(fresh, id);
    return;
  }
  replace(fresh, "panel");
  await drawChart();
}

/** Charts are loaded with the first panel that has one. */
export async function drawChart() {
  if (document.getElementById("beside")) await import("../elements/time-chart.js");
}

/** The ids of the nodes and edges on the way that the panel tells of. */
export function wayOf() {
  return (document.querySelector("#panel [data-way]")?.dataset.way ?? "").split("\n").filter(Boolean);
}
