// Overview: keeps the graph, its table, the counts and the side panel current, and lets a person select.

import "../elements/service-graph.js";
import { duration, exact, rate } from "../lib/format.js";
import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { fetchData, fetchPage, replace } from "../lib/swap.js";
import { sign } from "../lib/svg.js";
import { shown } from "../lib/text.js";

const PANEL_MS = 5000;
const WORDS = { ok: "OK", degraded: "Degraded", failing: "Failing", idle: "Idle", unknown: "Unknown" };

const graph = document.getElementById("graph");
const views = document.getElementById("views");
const chip = document.querySelector("live-chip");
const source = document.getElementById("graph-data");
const model = { nodes: new Map(), edges: new Map(), nIdle: 0 };
let dirty = false;
let known = null;
let panelTimer = 0;

function start() {
  graph.labelChoice = document.getElementById("label").value;
  take({ kind: "snapshot", ...JSON.parse(source.textContent) });
  known = structure();
  graph.select(selection());
  if (views.dataset.view === "auto" && matchMedia("(max-width: 767px)").matches) markView("table");
  live.addEventListener("message", (event) => event.detail.stream.startsWith("graph:") && take(event.detail));
  live.addEventListener("poll", refetch);
  live.addEventListener("bell", (event) => event.detail.of === "layout" && refetch());
  pause.addEventListener("change", () => !pause.paused && dirty && draw());
  document.addEventListener("visibilitychange", () => !document.hidden && dirty && draw());
  graph.addEventListener("choose", (event) => choose(event.detail.id));
  document.addEventListener("click", onLink);
  addEventListener("popstate", () => showPanel(selection(), { push: false }));
  document.getElementById("label").addEventListener("change", relabel);
  panelTimer = setInterval(() => selection() && idle() && showPanel(selection(), { push: false }), PANEL_MS);
  addEventListener("pagehide", () => clearInterval(panelTimer));
}

const idle = () => !document.hidden && !pause.paused && document.body.dataset.streams;
const selection = () => new URL(location.href).searchParams.get("sel") ?? "";
const graphId = (id) => id.replace(/^edge:/, "");

/** Takes a snapshot or a delta into the model, and draws it now or when the page is seen again. */
function take(message) {
  const { nodes = {}, edges = {} } = message;
  if (message.kind === "snapshot") {
    model.nodes.clear();
    model.edges.clear();
  }
  merge(model.nodes, nodes);
  merge(model.edges, edges);
  const about = message.about?.graph ?? message;
  model.nIdle = about.n_idle ?? model.nIdle;
  if (pause.paused) pause.hold();
  if (document.hidden || pause.paused) dirty = true;
  else draw();
}

/** Rows by id, as the socket sends them (null is gone), or a whole list, as the page holds it. */
function merge(into, rows) {
  const pairs = Array.isArray(rows) ? rows.map((row) => [row.id, row]) : Object.entries(rows);
  for (const [id, row] of pairs) {
    if (row === null) into.delete(id);
    else into.set(id, { ...into.get(id), ...row });
  }
}

function draw() {
  dirty = false;
  const before = new Map([...model.nodes.keys()].map((id) => [id, graph.querySelector(`[data-id="${CSS.escape(id)}"] .health`)?.dataset.level]));
  const arrived = graph.show([...model.nodes.values()], [...model.edges.values()]);
  for (const node of arrived.slice(0, 5)) say(`New ${node.kind} ${shown(node.name)}`);
  const changed = [...model.nodes.values()].filter((node) => before.get(node.id) && before.get(node.id) !== node.health);
  for (const node of changed.slice(0, 5)) say(`${shown(node.name)} is ${WORDS[node.health].toLowerCase()}: ${node.sentence}`);
  const text = `${exact(model.nodes.size)} nodes, ${exact(model.edges.size)} edges, ${exact(model.nIdle)} idle`;
  document.getElementById("counts").textContent = text;
  graph.hidden = model.nodes.size === 0;
  updateTable();
  if (known !== null && (changed.length || known !== structure())) refreshRegions();
}

function structure() {
  return `${[...model.nodes.keys()].sort().join(" ")} ${[...model.edges.keys()].sort().join(" ")}`;
}

/** New edges and nodes, or another health: the table and the attention list come anew from the server. */
async function refreshRegions() {
  known = structure();
  const fresh = await fetchPage(location.href);
  if (!fresh) return;
  for (const id of ["attention", "table"]) replace(fresh, id);
}

function updateTable() {
  for (const row of document.querySelectorAll("tr[data-edge]")) {
    const edge = model.edges.get(row.dataset.edge);
    row.classList.toggle("gone", !edge);
    if (!edge) continue;
    put(row, "rate", rate(edge.rate));
    put(row, "messages", exact(edge.messages));
    put(row, "lag", lagText(edge));
    put(row, "wait", duration(edge.wait_p95_seconds));
    const badge = row.querySelector("[data-field=health] .status");
    if (!badge.classList.contains(edge.health)) {
      badge.className = `status ${edge.health}`;
      badge.replaceChildren(sign(edge.health), WORDS[edge.health]);
    }
  }
}

function lagText(edge) {
  if (edge.lag === null || edge.lag === undefined) return "–";
  const seconds = edge.lag_seconds === null || edge.lag_seconds === undefined ? "" : `≈${duration(edge.lag_seconds)} · `;
  return seconds + exact(edge.lag);
}

function put(row, field, text) {
  const cell = row.querySelector(`[data-field=${field}]`);
  if (cell.textContent !== text) cell.textContent = text;
}

function choose(id) {
  showPanel(id ?? "", { push: true });
}

function onLink(event) {
  const link = event.target.closest("a[data-sel], a[data-close-panel], [data-views] a");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if ("view" in link.dataset) return setView(link);
  return showPanel(link.dataset.sel ?? "", { push: true, focus: true });
}

function setView(link) {
  views.dataset.view = link.dataset.view;
  markView(link.dataset.view);
  const url = new URL(location.href);
  url.searchParams.set("view", link.dataset.view);
  history.replaceState(history.state, "", url);
}

function markView(view) {
  for (const link of document.querySelectorAll("[data-views] a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** Selects on the graph and fetches the side panel; closing gives the focus back to the graph. */
async function showPanel(id, { push, focus = false }) {
  const url = new URL(location.href);
  if (id) url.searchParams.set("sel", id);
  else url.searchParams.delete("sel");
  if (push && url.href !== location.href) history.pushState(history.state, "", url);
  graph.select(id ? graphId(id) : null);
  const fresh = await fetchPage(url.href, { part: "panel" });
  if (!fresh || selection() !== id) return;
  replace(fresh, "panel");
  if (focus) (id ? document.querySelector("#panel [data-close-panel]") : graph.querySelector("svg"))?.focus();
}

function relabel(event) {
  const url = new URL(location.href);
  url.searchParams.set("label", event.target.value);
  history.replaceState(history.state, "", url);
  graph.relabel(event.target.value);
}

async function refetch() {
  if (!document.body.dataset.streams && live.state !== "polling") return;
  const data = await fetchData(location.href, "graph");
  if (!data) return;
  chip?.renew(data.as_of, data.delayed);
  take({ kind: "snapshot", ...data });
}

if (source && graph) start();
