// Overview: keeps the graph, its table, the counts and the side panel current, and lets a person select.

import "../elements/service-graph.js";
import { followAddress } from "../lib/address.js";
import { showArranging, startArranging } from "../lib/arrange.js";
import { duration, eventsOf, exact, rateOf } from "../lib/format.js";
import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { fetchData, fetchPage, replace } from "../lib/swap.js";
import { sign } from "../lib/svg.js";
import { shown } from "../lib/text.js";

const AGAIN_MS = 5000;
const WORDS = { ok: "OK", degraded: "Degraded", failing: "Failing", idle: "Idle", unknown: "Unknown" };

const graph = document.getElementById("graph");
const views = document.getElementById("views");
const chip = document.querySelector("live-chip");
const source = document.getElementById("graph-data");
const model = { nodes: new Map(), edges: new Map(), nIdle: 0, found: [], leftOut: new Set(), seen: new Set() };
const late = new Set(); // parts that could not be fetched
let dirty = false;
let known = null;
let timer = 0;

function start() {
  graph.labelChoice = document.getElementById("label").value;
  take({ kind: "snapshot", ...JSON.parse(source.textContent) });
  known = structure();
  if (selection()) {
    graph.select(graphId(selection()));
    graph.fit();
  }
  if (views.dataset.view === "auto" && matchMedia("(max-width: 767px)").matches) markView("table");
  live.addEventListener("message", (event) => event.detail.stream.startsWith("graph:") && take(event.detail));
  live.addEventListener("poll", refetch);
  live.addEventListener("bell", (event) => event.detail.of === "layout" && rearrange());
  startArranging();
  pause.addEventListener("change", () => !pause.paused && dirty && draw());
  document.addEventListener("visibilitychange", () => !document.hidden && dirty && draw());
  graph.addEventListener("choose", (event) => choose(event.detail.id));
  graph.addEventListener("surround", (event) => surround(event.detail.id));
  document.addEventListener("click", onLink);
  document.addEventListener("submit", onSubmit);
  document.addEventListener("change", (event) => event.target.id === "label" && relabel(event.target.value));
  addEventListener("popstate", () => visit(new URL(location.href), { push: false }));
  showSteps();
  timer = setInterval(() => idle() && again(), AGAIN_MS);
  addEventListener("pagehide", () => clearInterval(timer));
}

/** What the socket does not bring: the side panel, who is found or left out by now, and what could not be fetched. */
function again() {
  if (selection()) showPanel(selection(), { push: false });
  if (late.has("page")) visit(new URL(location.href), { push: false });
  else if (late.has("table")) refreshRegions();
  if (late.has("graph") || ["find", "hide", "focus"].some((name) => new URL(location.href).searchParams.has(name))) refetch();
}

const idle = () => !document.hidden && !pause.paused && document.body.dataset.streams;
const selection = () => new URL(location.href).searchParams.get("sel") ?? "";
const graphId = (id) => id.replace(/^edge:/, "");

/** Takes a snapshot or a delta into the model, and draws it now or when the page is seen again. */
function take(message) {
  const { nodes = {}, edges = {} } = message;
  if (message.left_out) model.leftOut = new Set(message.left_out);
  model.found = message.found ?? model.found;
  if (message.kind === "snapshot") {
    model.nodes.clear();
    model.edges.clear();
  }
  merge(model.nodes, nodes);
  merge(model.edges, edges);
  const about = message.about?.graph ?? message;
  model.nIdle = about.n_idle ?? model.nIdle;
  if ((about.scan_delayed ?? model.late) !== (model.late ??= about.scan_delayed)) refreshRegions();
  model.late = about.scan_delayed ?? model.late;
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
  const nodes = [...model.nodes.values()].filter((node) => !model.leftOut.has(node.id));
  const edges = [...model.edges.values()].filter((edge) => !model.leftOut.has(edge.source) && !model.leftOut.has(edge.target));
  const before = new Map(nodes.map(({ id }) => [id, graph.querySelector(`[data-id="${CSS.escape(id)}"] .health`)?.dataset.level]));
  const news = nodes.filter((node) => !model.seen.has(node.id));
  graph.show(nodes, edges, model.seen.size ? news : []);
  graph.mark(model.found);
  for (const node of model.seen.size ? news.slice(0, 5) : []) say(`New ${node.kind} ${shown(node.shown_name)}`);
  for (const id of model.nodes.keys()) model.seen.add(id);
  const changed = nodes.filter((node) => before.get(node.id) && before.get(node.id) !== node.health);
  for (const node of changed.slice(0, 5)) say(`${shown(node.shown_name)} is ${WORDS[node.health].toLowerCase()}: ${node.sentence}`);
  writeCounts(nodes.length, edges.length);
  graph.hidden = nodes.length === 0;
  const empty = document.getElementById("empty");
  if (empty && edges.length) empty.hidden = true;
  updateTable();
  if (known !== null && (changed.length || known !== structure())) refreshRegions();
}

function writeCounts(nNodes, nEdges) {
  const many = (n, word) => `${exact(n)} ${word}${n === 1 ? "" : "s"}`;
  const out = model.leftOut.size ? `, ${exact(model.leftOut.size)} left out` : "";
  const text = `${many(nNodes, "node")}, ${many(nEdges, "edge")}${out}, ${exact(model.nIdle)} idle`;
  const counts = document.getElementById("counts");
  if (counts.textContent !== text) counts.textContent = text;
  const found = document.getElementById("found");
  if (found) found.textContent = `${exact(model.found.length)} found`;
}

function structure() {
  return [[...model.nodes.keys()].sort(), [...model.edges.keys()].sort(), [...model.leftOut].sort(), model.found].map((ids) => ids.join(" ")).join("\n");
}

/** What was fetched for a part of the page, or null: then the chip says that this part is late. */
async function fetched(part, fetching) {
  let found = null;
  try {
    found = await fetching;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the server cannot be reached
  }
  if (found) late.delete(part);
  else late.add(part);
  chip?.late(part, !found);
  return found;
}

/** New edges and nodes, or another health: the table and the attention list come anew from the server. */
async function refreshRegions() {
  known = structure();
  const asked = location.href;
  const fresh = await fetched("table", fetchPage(asked));
  if (!fresh || asked !== location.href) return;
  for (const id of ["partial", "cluster-menu", "attention", "table"]) replace(fresh, id);
}

/** Another narrowing of the same graph: the regions come from the server, the drawing stays and loses or gains nodes. */
async function visit(url, { push = true } = {}) {
  if (push) history.pushState(history.state, "", url);
  const fresh = await fetched("page", fetchPage(url.href));
  if (!fresh || url.href !== location.href) return;
  const focus = new URL(location.href).searchParams.get("focus");
  document.title = fresh.title;
  for (const id of ["crumbs", "times", "cluster-menu", "tools", "partial", "attention", "table", "panel"]) replace(fresh, id);
  graph.select(graphId(selection()));
  const before = [...model.leftOut].join();
  known = null;
  take({ kind: "snapshot", ...JSON.parse(fresh.getElementById("graph-data").textContent) });
  known = structure();
  if (before !== [...model.leftOut].join()) graph.fit();
  if (focus && document.activeElement === document.body) graph.querySelector("svg").focus();
  showSteps();
  say(document.querySelector(".narrowing")?.innerText.split("\n")[0] ?? "Whole graph");
}

function onSubmit(event) {
  if (event.target.id !== "narrow") return;
  event.preventDefault();
  const url = new URL(location.href);
  for (const name of ["find", "hide", "label"]) {
    const value = event.target.elements[name].value.trim();
    if (value && !(name === "label" && value === "rate")) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  visit(url);
}

function surround(id) {
  const url = new URL(location.href);
  url.searchParams.set("focus", id);
  url.searchParams.delete("sel");
  visit(url);
}

/** The buttons that walk through what was found: only the script can do that. */
function showSteps() {
  const steps = document.querySelector("[data-steps]");
  if (steps) steps.hidden = views.dataset.view === "table";
}

function updateTable() {
  for (const row of document.querySelectorAll("tr[data-edge]")) {
    const edge = model.edges.get(row.dataset.edge);
    row.classList.toggle("gone", !edge);
    if (!edge) continue;
    put(row, "rate", rateOf(edge));
    put(row, "messages", eventsOf(edge));
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
  const step = event.target.closest("[data-step]");
  if (step) return void graph.step(model.found, Number(step.dataset.step));
  const link = event.target.closest("a[data-sel], a[data-close-panel], a[data-visit], #table thead a, [data-views] a");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if ("visit" in link.dataset || link.closest("thead")) return visit(new URL(link.href));
  if ("view" in link.dataset) return setView(link);
  return showPanel(link.dataset.sel ?? "", { push: true, focus: true });
}

function setView(link) {
  views.dataset.view = link.dataset.view;
  markView(link.dataset.view);
  const url = new URL(location.href);
  url.searchParams.set("view", link.dataset.view);
  history.replaceState(history.state, "", url);
  followAddress();
  showSteps();
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
  const closed = selection();
  if (id) url.searchParams.set("sel", id);
  else url.searchParams.delete("sel");
  if (push && url.href !== location.href) {
    history.pushState(history.state, "", url);
    followAddress();
  }
  graph.select(id ? graphId(id) : null);
  const fresh = await fetched("panel", fetchPage(url.href, { part: "panel" }));
  if (!fresh || selection() !== id) return;
  replace(fresh, "panel");
  if (focus) (id ? document.querySelector("#panel [data-close-panel]") : opener(closed))?.focus();
}

/** What opened the panel: the row of the table where that is shown, else the graph. */
function opener(id) {
  const drawn = graph.offsetParent !== null;
  return drawn ? graph.querySelector("svg") : document.querySelector(`#table [data-sel="${CSS.escape(id)}"]`) ?? document.getElementById("table");
}

function relabel(choice) {
  const url = new URL(location.href);
  url.searchParams.set("label", choice);
  history.replaceState(history.state, "", url);
  followAddress();
  graph.relabel(choice);
}

function rearrange() {
  refetch();
  showArranging();
}

async function refetch() {
  if (!document.body.dataset.streams && live.state !== "polling") return;
  const data = await fetched("graph", fetchData(location.href, "graph"));
  if (!data) return;
  chip?.renew(data.as_of, data.delayed);
  take({ kind: "snapshot", ...data });
}

if (source && graph) start();
else live.addEventListener("message", (event) => Object.keys(event.detail.nodes ?? {}).length && location.reload());
