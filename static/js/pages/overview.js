// Overview: keeps the graph, its table, the counts and the side panel current, and lets a person select.

import "../elements/service-graph.js";
import { followAddress } from "../lib/address.js";
import { showArranging, startArranging } from "../lib/arrange.js";
import { renewAttention } from "../lib/attention.js";
import { updateTable, WORDS } from "../lib/edge-table.js";
import { exact } from "../lib/format.js";
import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { fetchData, fetchPage, renew, replace } from "../lib/swap.js";
import { shown } from "../lib/text.js";

const AGAIN_MS = 5000;

const graph = document.getElementById("graph");
const views = document.getElementById("views");
const chip = document.querySelector("live-chip");
const source = document.getElementById("graph-data");
const model = { nodes: new Map(), edges: new Map(), nIdle: 0, found: [], leftOut: new Set(), seen: new Set() };
const late = new Set(); // parts that could not be fetched
let dirty = false;
let missed = false; // something was to be fetched while the page was paused
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
  live.addEventListener("poll", (event) => (event.detail.again ? refreshRegions() : refetch()));
  live.addEventListener("bell", (event) => event.detail.of === "layout" && rearrange());
  startArranging();
  pause.addEventListener("change", () => !pause.paused && catchUp());
  document.addEventListener("late", () => graph.hidden || draw());
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

const idle = () => !document.hidden && !pause.paused && "streams" in document.body.dataset;
const selection = () => new URL(location.href).searchParams.get("sel") ?? "";
const graphId = (id) => id.replace(/^edge:/, "");

/** All that came meanwhile, at once. */
function catchUp() {
  if (dirty) draw();
  if (missed) refetch();
}

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
  if (message.attention) model.attention = { ...model.attention, ...message.attention.list };
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
  const nodes = [...model.nodes.values()].filter((node) => !model.leftOut.has(node.id)).map(markedNode);
  const edges = [...model.edges.values()].filter((edge) => !model.leftOut.has(edge.source) && !model.leftOut.has(edge.target)).map(marked);
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
  updateTable(model.edges);
  if (model.attention) renewAttention(model.attention);
  if (known !== null && (changed.length || known !== structure())) refreshRegions();
}

/** An edge that says which of its numbers are old: lags are the sampler's, and rates where no span tells them. */
function marked(edge) {
  const late = (document.body.dataset.late ?? "").split(" ");
  const bySamples = edge.messages_from === "offsets";
  return { ...edge, lagIsOld: late.includes("scan"), rateIsOld: late.includes(bySamples ? "scan" : "fold") };
}

/** A topic's rate is from its end offsets. */
function markedNode(node) {
  return { ...node, rateIsOld: node.kind !== "service" && (document.body.dataset.late ?? "").split(" ").includes("scan") };
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

/** New edges and nodes, or another health: the table comes anew from the server. */
async function refreshRegions() {
  if (pause.paused) return;
  known = structure();
  const asked = location.href;
  const fresh = await fetched("table", fetchPage(asked));
  if (!fresh || asked !== location.href) return;
  for (const id of ["partial", "cluster-menu"]) replace(fresh, id);
  renew(fresh, "table");
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
  missed = pause.paused;
  if (missed) {
    pause.hold();
    return;
  }
  const data = await fetched("graph", fetchData(location.href, "graph"));
  if (!data || pause.paused) return;
  chip?.renew({ fold: data.folded_at, scan: data.scanned_at });
  take({ kind: "snapshot", ...data });
}

if (source && graph) start();
else live.addEventListener("message", (event) => Object.keys(event.detail.nodes ?? {}).length && location.reload());
