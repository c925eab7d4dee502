// One topic: the charts, the graph around it and the tables of producers and groups follow the samples.

import "../elements/service-graph.js";
import "../elements/time-chart.js";
import { follow } from "../lib/following.js";

const LEAST_PX = 300; // its height; twelve readers want more
const ROOM_PX = 120; // for the outermost nodes and the buttons
const SHRUNK = 0.66; // still readable
const graph = document.getElementById("around");
const urls = new Map();

function draw() {
  const { nodes, edges } = JSON.parse(document.getElementById("around-data").textContent);
  for (const { id, url } of nodes) urls.set(id, url);
  const ys = nodes.map((node) => node.y);
  graph.style.height = `${Math.max(LEAST_PX, ROOM_PX + (Math.max(...ys) - Math.min(...ys)) * SHRUNK)}px`;
  graph.show({ nodes, edges });
}

if (graph) {
  draw();
  document.addEventListener("renewed", ({ target }) => target.id === "flow" && draw());
  graph.addEventListener("choose", ({ detail }) => urls.has(detail.id) && location.assign(urls.get(detail.id) + location.search));
}

follow("topics", "fresh", ["standing", "flow", "changes", "partitions"]);
