// The line under the graph: how much is drawn, how much is not, and what waits for the pointer.

import { exact } from "../lib/format.js";

const many = (n, word) => `${exact(n)} ${word}${n === 1 ? "" : "s"}`;

/** Writes how many nodes and edges there are, and how many were found. */
export function writeCounts(nNodes, nEdges, model) {
  const nOut = model.leftOut.size;
  const counts = document.getElementById("counts");
  const waits = model.waits ? " · Groups open and close when nobody points at the graph" : "";
  const text = `${many(nNodes, "node")}, ${many(nEdges, "edge")}${nOut ? `, ${exact(nOut)} left out` : ""}, ${exact(model.nIdle)} ${counts.dataset.idle}${waits}`;
  if (counts.textContent !== text) counts.textContent = text;
  const found = document.getElementById("found");
  if (found) found.textContent = `${exact(model.found.length)} found`;
}
