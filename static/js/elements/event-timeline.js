// <event-timeline>: when each service waited and worked. Folding keeps the order, not the length, and says so.

import { duration } from "../lib/format.js";
import { svg } from "../lib/svg.js";
import { cut, shown } from "../lib/text.js";
import { lanes, scale, stack } from "./path/lanes.js";

const NAMES = 168;
const BAR = 14;
const GAP = 6;
const TOP = 40;
const TICK_PX = 160;

class EventTimeline extends HTMLElement {
  #watch = null;
  #width = 0;

  connectedCallback() {
    this.draw();
    this.#watch = new ResizeObserver(() => Math.abs(this.clientWidth - this.#width) > 8 && this.draw());
    this.#watch.observe(this);
  }

  disconnectedCallback() {
    this.#watch?.disconnect();
  }

  draw() {
    const data = JSON.parse(document.getElementById(this.dataset.source).textContent);
    this.#width = this.clientWidth;
    const plan = lanes(data.hops, { fold: this.dataset.scale !== "true" });
    if (!plan) {
      this.replaceChildren(Object.assign(document.createElement("p"), { className: "more", textContent: "No hop of this path has a time." }));
      return;
    }
    const width = Math.max(640, this.#width - 16);
    const x = scale(plan, width - NAMES - 24);
    const heights = stack(plan, x).map((rows) => rows * (BAR + GAP) + GAP);
    const tops = heights.map((_, index) => TOP + heights.slice(0, index).reduce((sum, height) => sum + height, 0));
    const height = TOP + heights.reduce((sum, each) => sum + each, 0) + 8;
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Timeline over ${plan.lanes.length} services; the table below says the same.` });
    plan.lanes.forEach((name, index) => picture.append(drawLane(name, tops[index], heights[index], width)));
    const field = svg("g", { transform: `translate(${NAMES} 0)` });
    drawTicks(field, plan, x, height);
    for (const each of plan.cuts) drawCut(field, each, x, height);
    for (const bar of plan.bars) field.append(drawBar(bar, x, tops[bar.lane] + GAP + bar.row * (BAR + GAP)));
    picture.append(field);
    this.replaceChildren(picture);
    this.select(this.dataset.selected);
  }

  /** Marks the hop that the address names. */
  select(hop) {
    this.dataset.selected = hop ?? "";
    for (const bar of this.querySelectorAll("[data-hop]")) bar.classList.toggle("selected", bar.dataset.hop === String(hop));
  }
}

function drawLane(name, top, height, width) {
  const group = svg("g", { class: "lane" });
  group.append(svg("path", { class: "ground", d: `M0 ${top}H${width}` }));
  group.append(svg("text", { x: 8, y: top + height / 2 + 4 }, svg("title", {}, shown(name)), cut(shown(name), 22)));
  return group;
}

function drawBar(bar, x, y) {
  const { hop } = bar;
  const from = x(bar.from);
  const width = Math.max(3, x(bar.to) - from);
  const url = new URL(location.href);
  url.searchParams.set("sel", `hop:${hop.id + 1}`);
  const group = svg("a", { class: `bar ${hop.kind} ${hop.result}`, href: `${url.pathname}${url.search}`, "data-hop": hop.id, "data-select": hop.id });
  const wait = from - x(bar.waitFrom);
  const words = hop.kind === "produce" ? `wrote ${hop.topic}` : `read ${hop.topic}, wait ${hop.skew_seconds === null ? duration(hop.wait_seconds) : "not known: clocks differ"}, worked ${duration(hop.processing_seconds)}`;
  group.append(svg("title", {}, shown(words)));
  if (wait > 1) group.append(svg("rect", { class: "wait", x: from - wait, y: y + 3, width: wait, height: BAR - 6 }));
  group.append(svg("rect", { class: "work", x: from, y, width, height: BAR, rx: 2 }));
  group.append(svg("rect", { class: "hit", x: from - wait - 4, y: y - 5, width: Math.max(24, width + wait + 8), height: BAR + 10 }));
  if (hop.result === "failed") group.append(svg("text", { class: "cross", x: from + width + 3, y: y + BAR - 2 }, "✖"));
  return group;
}

function drawCut(field, { from, to }, x, height) {
  const middle = (x(from) + x(to)) / 2;
  field.append(svg("rect", { class: "folded", x: x(from) + 6, y: TOP - 4, width: x(to) - x(from) - 12, height: height - TOP }));
  field.append(svg("text", { class: "folded-label", x: middle, y: TOP - 10, "text-anchor": "middle" }, `⋯ ${duration(to - from)} folded ⋯`));
}

function drawTicks(field, plan, x, height) {
  const end = x(plan.to);
  const n = Math.max(2, Math.floor(end / TICK_PX));
  let last = -TICK_PX;
  for (let index = 0; index <= n; index += 1) {
    const at = plan.from + ((plan.to - plan.from) * index) / n;
    const px = x(at);
    if (px - last < TICK_PX * 0.7 || plan.cuts.some((each) => at > each.from && at < each.to)) continue;
    last = px;
    field.append(svg("path", { class: "tick", d: `M${px} 18V${height}` }));
    const isLast = px > end - TICK_PX / 2;
    field.append(svg("text", { class: "tick-label", x: isLast ? px - 3 : px + 3, y: 14, "text-anchor": isLast ? "end" : "start" }, index ? `+${duration(at - plan.from)}` : new Date(at * 1000).toISOString().slice(11, 23)));
  }
}

customElements.define("event-timeline", EventTimeline);
