// Overview: keeps the graph, its table, the counts and the side panel current, and lets a person select.

import "../elements/service-graph.js";
import { followAddress, keep, timesOf } from "../lib/address.js";
import { isAsked, renewArranging, showArranging, startArranging } from "../lib/arrange.js";
import { renewAttention } from "../lib/attention.js";
import { remember, startCompleting } from "../lib/complete.js";
import { updateTable, WORDS } from "../lib/edge-table.js";
import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { fetchData, fetchPage, renew, replace } from "../lib/swap.js";
import { shown } from "../lib/text.js";
import { writeCounts } from "../overview/counts.js";
import { fetched, heard, isLate, isWaiting, paced } from "../overview/fetching.js";
import { Model } from "../overview/model.js";
import { drawChart, renewPanel, wayOf } from "../overview/panel.js";
import { showControls, startReplay } from "../overview/replay.js";
import { graphId, opening, selecting, selections } from "../overview/selecting.js";

const [AGAIN_MS, REGIONS_MS, ALL_MS] = [5000, 500, 300000];
const NARROWING = ["find", "hide", "label", "by"];
const USUAL = { label: "rate" };

const graph = document.getElementById("graph");
const views = document.getElementById("views");
const chip = document.querySelector("live-chip");
const source = document.getElementById("graph-data");
const model = new Model();
let [dirty, missed, wandered] = [false, false, false]; // while paused: something was to be fetched, or the page of another address was
let known = null;
let times = timesOf(); // that the drawing is of
let player = null; // of a page of the past

function start() {
  graph.relabel(document.getElementById("label").value);
  take({ kind: "snapshot", ...JSON.parse(source.textContent) });
  known = model.structure();
  if (selections().length) {
    select();
    graph.fit();
    drawChart();
  }
  if (views.dataset.view === "auto" && matchMedia("(max-width: 767px)").matches) markView("table");
  live.addEventListener("message", ({ detail }) => detail.stream.startsWith("graph:") && hear(detail));
  live.addEventListener("poll", (event) => (event.detail.again ? refreshRegions() : refetch()));
  live.listen(["layout"], () => (pause.paused && renewArranging(), refreshRegions()));
  live.addEventListener("state", () => live.state === "live" && isAsked() && refreshRegions()); // its bell may have rung before
  startArranging();
  player = startReplay({ show: (frame) => take(frame, { moving: true }), visit });
  startCompleting("narrow");
  pause.addEventListener("change", () => (times = timesOf()) && !pause.paused && catchUp());
  pause.addEventListener("change", animate);
  document.addEventListener("late", () => graph.hidden || draw());
  document.addEventListener("visibilitychange", () => !document.hidden && dirty && !pause.paused && draw());
  graph.addEventListener("choose", ({ detail: { id, second } }) => showPanel(selecting(id ?? "", { second }), { push: true }));
  graph.addEventListener("surround", (event) => surround(event.detail.id));
  graph.addEventListener("unfold", (event) => visit(opening(event.detail.id, true)));
  for (const name of ["pointerleave", "focusout"]) graph.addEventListener(name, () => setTimeout(settle));
  graph.addEventListener("fold", (event) => visit(opening(event.detail.id, false)));
  document.addEventListener("click", onLink);
  document.addEventListener("submit", onSubmit);
  document.addEventListener("change", onChange);
  addEventListener("popstate", () => ("streams" in document.body.dataset && times !== timesOf() ? location.reload() : visit(new URL(location.href), { push: false })));
  showSteps();
  animate();
  setInterval(() => idle() && again(), AGAIN_MS);
  setInterval(() => idle() && refreshRegions(), ALL_MS); // what no change tells of: since when, sampled, what may be tidied
}

const idle = () => !document.hidden && !pause.paused && "streams" in document.body.dataset && !isWaiting();
const refreshRegions = paced(renewRegions, REGIONS_MS);
const drawnAs = (id) => model.drawnAs(graphId(id));
const asks = (name) => new URL(location.href).searchParams.get(name) ?? "";
const hasMore = () => /(^|,)(idle|internal)(,|$)/.test(asks("show")); // nodes that the stream does not bring

/** What the socket does not bring: the side panel, who is found or left out by now, and what could not be fetched. */
function again() {
  if (selections().length) showPanel(new URL(location.href), { push: false });
  if (isLate("page")) visit(new URL(location.href), { push: false });
  else if (isLate("table")) refreshRegions();
  if (isLate("graph") || hasMore() || ["find", "hide", "focus"].some(asks)) refetch();
}

/** Groups that came to be open or closed while somebody pointed at the graph. */
function settle() {
  if (pause.paused || graph.isUsed || !model.settle()) return;
  if (document.hidden) dirty = true;
  else draw();
  select();
}

/** All that came meanwhile, at once. */
function catchUp() {
  if (wandered) visit(new URL(location.href), { push: false });
  else if (missed) refetch().then(refreshRegions);
  else if (dirty) draw();
  missed = wandered = false;
  if (selections().length) showPanel(new URL(location.href), { push: false });
}

/** The newest of the stream, also for who waits for a page that may be older. */
function hear(message) {
  heard(message);
  take(message, { keep: hasMore() });
}

/** Takes a snapshot or a delta, and draws it now or when the page is seen again. `moving`: a replay's; `isWish`: the
 *  person asked for this very picture; `asked`: things may move; `meanwhile`: what the socket brought after the snapshot,
 *  whose own structure is the answer then. */
function take(message, { moving = false, isWish = false, asked = isWish || isAsked(), meanwhile = [], ...options } = {}) {
  if (moving) known = null;
  const waited = model.waits;
  const held = graph.isUsed && !asked && !moving;
  model.take(message, { held, ...options });
  const told = meanwhile.length ? model.structure() : "";
  for (const newer of meanwhile) model.take(newer, { held, keep: hasMore() });
  if (model.waits && !waited) say("Groups open and close when nobody points at the graph");
  if (pause.paused && !isWish) pause.hold();
  if (document.hidden || (pause.paused && !isWish)) dirty = true;
  else draw({ asked, isCalm: isWish || moving });
  return told;
}

/** `isCalm`: who is not on the drawing yet is not news, but was looked for. */
function draw({ asked = false, isCalm = false } = {}) {
  dirty = false;
  const { n, nEdges, nodes, edges } = model.drawn((document.body.dataset.late ?? "").split(" "));
  const before = new Map(nodes.map(({ id }) => [id, graph.healthOf(id)]));
  const news = isCalm || model.seen.size === 0 ? [] : [...model.nodes.values()].filter((node) => !model.seen.has(node.id));
  graph.show({ nodes, edges, places: model.places, routes: model.routes, frames: model.view.frames, news, asked });
  graph.mark(model.found.map(drawnAs));
  for (const node of news.slice(0, 5)) say(`New ${node.kind} ${shown(node.shown_name)}`);
  model.see();
  const changed = nodes.filter((node) => before.get(node.id) && before.get(node.id) !== node.health);
  for (const node of changed) say(`${shown(node.shown_name ?? node.name)} is ${WORDS[node.health].toLowerCase()}: ${node.sentence}`, { isUrgent: ["failing", "degraded"].includes(node.health) });
  writeCounts(n, nEdges, model);
  graph.hidden = nodes.length === 0;
  const empty = document.getElementById("empty");
  if (empty && edges.length) empty.hidden = true;
  updateTable(model.edges, model.nodes);
  if (model.attention) renewAttention(model.attention);
  if (known !== null && (changed.length || known !== model.structure())) refreshRegions();
}

function select() {
  graph.select(selections().map(drawnAs), wayOf().map(drawnAs));
}

/** New edges and nodes, or another health: the table and the view come anew from the server. */
async function renewRegions() {
  missed ||= pause.paused;
  if (pause.paused) return;
  known = model.structure();
  const asked = location.href;
  const { found: fresh, meanwhile, isOld } = await fetched("table", fetchPage(asked));
  if (!fresh || isOld) return;
  if (asked !== location.href || pause.paused) return void refreshRegions();
  for (const id of ["partial", "cluster-menu", "cut", "counts-line"]) replace(fresh, id);
  showArranging(fresh);
  renew(fresh, "table");
  lookAnew(fresh, { meanwhile });
}

/** The page's own data, drawn without another round. */
function lookAnew(fresh, options) {
  const data = fresh.getElementById("graph-data");
  if (!data) return;
  known = null;
  known = take({ kind: "snapshot", ...JSON.parse(data.textContent) }, options) || model.structure();
  select();
}

/** Another narrowing of the same graph: the regions come from the server, the drawing stays and loses or gains nodes. */
async function visit(url, { push = true } = {}) {
  player?.leave();
  if (push) history.pushState(history.state, "", url);
  const { found: fresh, meanwhile } = await fetched("page", fetchPage(url.href));
  if (!fresh || url.href !== location.href) return;
  document.title = fresh.title;
  showControls(fresh);
  for (const id of ["crumbs", "times", "cluster-menu", "tools", "partial", "attention", "table", "cut", "counts-line", ...(pause.paused ? [] : ["moment", "replay", "past-label"])]) replace(fresh, id);
  player?.adopt();
  await renewPanel(fresh, false);
  const before = drawing();
  wandered ||= pause.paused;
  lookAnew(fresh, { meanwhile: pause.paused ? [] : meanwhile, isWish: true });
  graph.relabel(document.getElementById("label").value);
  if (before !== drawing()) graph.fit();
  if (asks("focus") && document.activeElement === document.body) graph.querySelector("svg").focus();
  showSteps();
  animate();
  say(document.querySelector(".narrowing p")?.innerText.split("\n")[0] ?? "Whole graph");
}

const drawing = () => JSON.stringify([[...model.leftOut], model.view.boxes.map((box) => box.id), Object.keys(model.view.places)]);

function onSubmit(event) {
  if (event.target.id !== "narrow") return;
  event.preventDefault();
  const url = new URL(location.href);
  for (const name of NARROWING) {
    const field = event.target.elements[name];
    const value = field.value.trim();
    const isUsual = name === "by" ? field.options[field.selectedIndex].defaultSelected : !value || value === USUAL[name];
    if (!isUsual) url.searchParams.set(name, value);
    else if (name !== "by") url.searchParams.delete(name);
    if (name === "find" || name === "hide") remember(value);
  }
  visit(url);
}

function onChange({ target }) {
  if (target.id === "label") relabel(target.value);
  if (target.id === "by") target.form.requestSubmit();
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

function animate() {
  graph.animate(/(^|,)traffic(,|$)/.test(asks("show")), { paused: pause.paused });
}

function onLink(event) {
  const step = event.target.closest("[data-step]");
  if (step) return void graph.step(model.found.map(drawnAs), Number(step.dataset.step));
  const link = event.target.closest("a[data-sel], a[data-close-panel], a[data-visit], #table thead a, [data-views] a, #cut a");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if ("visit" in link.dataset || link.closest("thead")) return visit(new URL(link.href));
  if ("view" in link.dataset) return setView(link);
  return showPanel(selecting(link.dataset.sel ?? ""), { push: true, focus: true });
}

function setView(link) {
  views.dataset.view = link.dataset.view;
  markView(link.dataset.view);
  keep("view", link.dataset.view);
  showSteps();
}

function markView(view) {
  for (const link of document.querySelectorAll("[data-views] a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** Selects on the graph and fetches the side panel; closing gives the focus back to the graph. */
async function showPanel(url, { push, focus = false }) {
  const before = selections().join(" ");
  if (push && url.href !== location.href) {
    history.pushState(history.state, "", url);
    followAddress();
  }
  const now = selections().join(" ");
  if (now !== before) graph.select(selections().map(drawnAs));
  const { found: fresh } = await fetched("panel", fetchPage(url.href, { part: "panel" }));
  if (!fresh || selections().join(" ") !== now) return;
  await renewPanel(fresh, now === before);
  if (now !== before || wayOf().length) select();
  if (focus) (now ? document.querySelector("#panel [data-close-panel]") : opener(before))?.focus();
}

/** What opened the panel: the row of the table where that is shown, else the graph. */
function opener(id) {
  const drawn = graph.offsetParent !== null;
  return drawn ? graph.querySelector("svg") : document.querySelector(`#table [data-sel="${CSS.escape(id)}"]`) ?? document.getElementById("table");
}

function relabel(choice) {
  keep("label", choice);
  graph.relabel(choice);
}

async function refetch() {
  missed ||= pause.paused;
  if (pause.paused) return void pause.hold();
  const { found: data, meanwhile, isOld } = await fetched("graph", fetchData(location.href, "graph"));
  missed ||= pause.paused;
  if (!data || pause.paused || isOld) return;
  chip?.renew({ fold: data.folded_at, scan: data.scanned_at });
  take({ kind: "snapshot", ...data }, { meanwhile });
}

if (source && graph) start();
else live.addEventListener("message", (event) => Object.keys(event.detail.nodes ?? {}).length && location.reload());
