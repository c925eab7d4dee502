// <time-chart>: lines over time by uPlot. Colours come from tokens.css; the table under it holds the same values.

import uPlot from "uplot";

import { binned, count, duration, percent, rate } from "../lib/format.js";
import { svg } from "../lib/svg.js";
import { shown } from "../lib/text.js";
import { CLOCK_STEPS, roomFor, WHOLE_STEPS } from "./chart/axis.js";
import { colour, drawMarks, hatchGaps, lonely } from "./chart/gaps.js";
import { drawLimit, LIMIT_PX } from "./chart/limit.js";
import { clusters, drawRail } from "./chart/rail.js";
import { Steps } from "./chart/steps.js";
import { Twin } from "./chart/twin.js";

const HEIGHT = 220;
const FONT = "12px system-ui";
const DASHES = [[], [14, 4], [8, 3], [3, 3], [10, 3, 2, 3], [1, 3]];
const N_COLOURS = 5; // what is drawn beside them is grey
const FORMATS = { rate, count, duration, binned, percent };
const STEPS = { count: WHOLE_STEPS, duration: CLOCK_STEPS, binned: CLOCK_STEPS };
const GROUP = uPlot.sync("page");
const LEAST_PX = 8; // a shorter drag is a click
const DAY = 86400;
const FRESH_STEPS = 3; // the newest may not have been sampled yet
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

class TimeChart extends HTMLElement {
  #chart = null;
  #data = null;
  #marks = [];
  #twin = null;
  #onScheme = () => this.#build();

  connectedCallback() {
    this.rail = document.createElement("div");
    this.rail.className = "marks-rail";
    this.rail.setAttribute("role", "group");
    this.rail.setAttribute("aria-label", "Changes");
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute("aria-label", `${this.dataset.label ?? "Chart"}: arrows move along it, Shift and arrows select`);
    this.legend = document.createElement("ul");
    this.legend.className = "chart-legend";
    this.prepend(this.rail, this.plot, this.legend);
    this.#twin = new Twin(this, () => ({ say: (value) => this.#said(value), moment: full }));
    new Steps(this.plot, { chart: () => this.#chart, all: () => GROUP.plots, choose: choose });
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.plot);
    document.addEventListener("schemechange", this.#onScheme);
    this.show(read(this.dataset.source), read("marks-data") ?? []);
  }

  disconnectedCallback() {
    this.observer.disconnect();
    document.removeEventListener("schemechange", this.#onScheme);
    this.#chart?.destroy();
  }

  /** Draws {at, lines: [{name, values}], unit, step} and marks. The same lines are updated, others built anew. */
  show(data, marks = this.#marks) {
    const sameLines = this.#data && names(this.#data) === names(data);
    this.#data = data;
    this.#marks = marks;
    this.#twin.show(data);
    if (sameLines && this.#chart) {
      this.#chart.setData(columns(data));
      this.#writeLegend(this.#chart.cursor.idx);
    } else this.#build();
  }

  #build() {
    this.#chart?.destroy();
    this.#chart = null;
    this.plot.replaceChildren();
    this.rail.replaceChildren();
    const { lines, at } = this.#data;
    if (!lines.length || !at.length || lines.every((line) => line.values.every((value) => value === null))) {
      const none = document.createElement("p");
      none.className = "no-data";
      none.textContent = this.#data.none;
      this.plot.append(none);
      this.legend.replaceChildren();
      return;
    }
    this.#drawLegend(lines);
    this.#chart = new uPlot(this.#options(lines), columns(this.#data), this.plot);
  }

  #options(lines) {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--hairline"), width: 1 }, ticks: { stroke: colour("--hairline"), width: 1 }, font: FONT };
    const say = FORMATS[this.dataset.format];
    const steps = STEPS[this.dataset.format];
    return {
      width: Math.max(200, this.plot.clientWidth),
      height: HEIGHT,
      padding: [this.#data.limit ? LIMIT_PX : 8, null, null, null],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      legend: { show: false },
      cursor: { y: false, sync: { key: GROUP.key }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, bind: { dblclick: () => zoomOut } },
      scales: { y: { range: (_chart, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { ...axis, values: (_chart, ticks) => ticks.map(stamps(ticks)), size: 32, space: (_chart, _index, from, to) => (to - from < 900 ? 72 : 50) },
        { ...axis, ...(steps && { incrs: steps }), values: (_chart, ticks) => ticks.map(say), size: roomFor(FONT, () => GROUP.plots) },
      ],
      series: [{}, ...lines.map((_line, index) => this.#style(index + this.#data.first))],
      hooks: {
        setCursor: [(chart) => this.#writeLegend(chart.cursor.idx)],
        setSelect: [(chart) => this.#select(chart)],
        draw: [(chart) => hatchGaps(chart), (chart) => drawMarks(chart, this.#marks), (chart) => drawLimit(chart, this.#data.limit), (chart) => this.#drawRail(chart)],
      },
    };
  }

  /** How the line at this place among the colours looks. */
  #style(place) {
    const stroke = colour(place < N_COLOURS ? `--series-${place + 1}` : "--muted");
    return { stroke, width: 1.75, dash: DASHES[place % DASHES.length], points: { show: true, size: 5, filter: lonely }, spanGaps: false };
  }

  #drawRail(chart) {
    const { offsetLeft: left, clientWidth: width } = chart.over;
    const found = clusters(this.#marks, (at) => chart.valToPos(at, "x"), width);
    this.rail.hidden = !found.length;
    const point = (at) => GROUP.plots.forEach((each) => each.setCursor({ left: at === null ? -10 : each.valToPos(at, "x"), top: 8 }));
    drawRail(this.rail, found, { left, width, point });
  }

  #drawLegend(lines) {
    this.outputs = lines.map((line, index) => {
      const item = document.createElement("li");
      const key = svg("svg", { width: 28, height: 8, "aria-hidden": "true", class: `series-${index + this.#data.first + 1}` }, svg("line", { x1: 0, y1: 4, x2: 28, y2: 4 }));
      const output = document.createElement("output");
      output.setAttribute("aria-live", "off");
      item.append(key, document.createTextNode(shown(line.name)), output);
      return [item, output];
    });
    this.when = document.createElement("li");
    this.when.className = "when";
    this.legend.replaceChildren(...this.outputs.map(([item]) => item), this.when);
    this.#writeLegend(null);
  }

  /** Values under the crosshair, or the newest: with its time, where the line has stopped since. */
  #writeLegend(index) {
    const points = index !== null && index !== undefined;
    const { at, lines } = this.#data;
    lines.forEach((line, number) => {
      const from = points ? index : line.values.findLastIndex((one) => one !== null);
      const stopped = !points && from >= 0 && from < at.length - FRESH_STEPS;
      if (this.outputs?.[number]) this.outputs[number][1].textContent = this.#said(line.values[from]) + (stopped ? ` at ${this.#moment(at[from])}` : "");
    });
    if (this.when) this.when.textContent = points ? this.#moment(at[index]) : "";
  }

  /** A value; of a chart whose points are the highest of their steps, as what it was at most. */
  #said(value) {
    const text = FORMATS[this.dataset.format](value);
    return this.#data.highest && value ? `≤ ${text}` : text;
  }

  /** A time of day, with the day where the chart shows several. */
  #moment(second) {
    const { at } = this.#data;
    const text = new Date(second * 1000).toISOString();
    return at.at(-1) - at[0] > DAY ? `${day(text)} ${text.slice(11, 16)} UTC` : `${text.slice(11, 19)} UTC`;
  }

  /** A dragged stretch becomes the page's window. */
  #select(chart) {
    const { left, width } = chart.select;
    if (width >= LEAST_PX) choose(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
  }

  #resize() {
    const width = this.plot.clientWidth;
    if (this.#chart && width > 0 && Math.abs(width - this.#chart.width) > 1) this.#chart.setSize({ width, height: HEIGHT });
  }
}

/** Writes ticks as times of day (UTC), to the second where they stand closer than a minute; of several days, the day at each midnight. */
function stamps(ticks) {
  const severalDays = ticks.at(-1) - ticks[0] > DAY;
  const end = ticks.some((tick) => tick % 60) ? 19 : 16;
  return (tick) => {
    const text = new Date(tick * 1000).toISOString();
    return severalDays && tick % DAY === 0 ? day(text) : text.slice(11, end);
  };
}

/** 5 Nov, of an ISO text. */
const day = (text) => `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;

/** 5 Nov 14:02:10 UTC, as the table under a chart has it. */
function full(second) {
  const text = new Date(second * 1000).toISOString();
  return `${day(text)} ${text.slice(11, 19)} UTC`;
}

const names = (data) => data.lines.map((line) => line.name).join("\n");
const columns = (data) => [data.at, ...data.lines.map((line) => line.values)];

function read(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

/** The page's window becomes this stretch, in seconds since 1970. */
function choose(from, to) {
  const stamp = (second) => `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
  const url = new URL(location.href);
  url.searchParams.set("from", stamp(from));
  url.searchParams.set("to", stamp(Math.max(to, from + 1)));
  location.assign(url);
}

function zoomOut() {
  const url = new URL(location.href);
  if (!url.searchParams.has("from") && !url.searchParams.has("to")) return;
  url.searchParams.delete("from");
  url.searchParams.delete("to");
  location.assign(url);
}

customElements.define("time-chart", TimeChart);
