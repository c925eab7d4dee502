// <time-chart>: lines over time by uPlot. Colours come from tokens.css; the table under it holds the same values.

import uPlot from "uplot";

import { count, rate } from "../lib/format.js";
import { svg } from "../lib/svg.js";
import { shown } from "../lib/text.js";

const HEIGHT = 220;
const DASHES = [[], [], [8, 3], [3, 3], [10, 3, 2, 3], [1, 3]];
const FORMATS = { rate: (value) => rate(value), count: (value) => count(value) };
const GROUP = uPlot.sync("page");

class TimeChart extends HTMLElement {
  #chart = null;
  #data = null;
  #onScheme = () => this.#build();

  connectedCallback() {
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    this.legend = document.createElement("ul");
    this.legend.className = "chart-legend";
    this.prepend(this.plot, this.legend);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.plot);
    document.addEventListener("schemechange", this.#onScheme);
    this.show(JSON.parse(document.getElementById(this.dataset.source).textContent));
  }

  disconnectedCallback() {
    this.observer.disconnect();
    document.removeEventListener("schemechange", this.#onScheme);
    this.#chart?.destroy();
  }

  /** Draws {at, lines: [{name, values}], unit, step}. The same lines are updated, others are built anew. */
  show(data) {
    const sameLines = this.#data && names(this.#data) === names(data);
    this.#data = data;
    if (sameLines && this.#chart) {
      this.#chart.setData(columns(data));
      this.#writeLegend(null);
    } else this.#build();
  }

  #build() {
    this.#chart?.destroy();
    this.#chart = null;
    this.plot.replaceChildren();
    const { lines, at } = this.#data;
    if (!lines.length || !at.length || lines.every((line) => line.values.every((value) => value === null))) {
      const none = document.createElement("p");
      none.className = "no-data";
      none.textContent = "no data in this window";
      this.plot.append(none);
      this.legend.replaceChildren();
      return;
    }
    this.#drawLegend(lines);
    this.#chart = new uPlot(this.#options(lines), columns(this.#data), this.plot);
  }

  #options(lines) {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--hairline"), width: 1 }, ticks: { stroke: colour("--hairline"), width: 1 }, font: "12px system-ui" };
    const say = FORMATS[this.dataset.format];
    return {
      width: Math.max(200, this.plot.clientWidth),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      legend: { show: false },
      cursor: { sync: { key: GROUP.key }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: { y: { range: (_chart, _least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { ...axis, values: (_chart, ticks) => ticks.map(stamps(ticks)), size: 32 },
        { ...axis, values: (_chart, ticks) => ticks.map(say), size: 72 },
      ],
      series: [{}, ...lines.map((_line, index) => ({ stroke: colour(`--series-${(index % 5) + 1}`), width: 1.75, dash: DASHES[index % DASHES.length], points: { show: false }, spanGaps: false }))],
      hooks: {
        setCursor: [(chart) => this.#writeLegend(chart.cursor.idx)],
        setSelect: [(chart) => this.#select(chart)],
        draw: [(chart) => hatchGaps(chart)],
      },
    };
  }

  #drawLegend(lines) {
    this.outputs = lines.map((line, index) => {
      const item = document.createElement("li");
      const key = svg("svg", { width: 28, height: 8, "aria-hidden": "true", class: `series-${index + 1}` }, svg("line", { x1: 0, y1: 4, x2: 28, y2: 4 }));
      const output = document.createElement("output");
      item.append(key, document.createTextNode(shown(line.name)), output);
      return [item, output];
    });
    this.legend.replaceChildren(...this.outputs.map(([item]) => item));
    this.#writeLegend(null);
  }

  #writeLegend(index) {
    const say = FORMATS[this.dataset.format];
    this.#data.lines.forEach((line, number) => {
      const value = index === null || index === undefined ? line.values.findLast((one) => one !== null) : line.values[index];
      if (this.outputs?.[number]) this.outputs[number][1].textContent = say(value);
    });
  }

  /** A dragged stretch becomes the page's window. */
  #select(chart) {
    const { left, width } = chart.select;
    if (width < 8) return;
    const stamp = (x) => `${new Date(chart.posToVal(x, "x") * 1000).toISOString().slice(0, 19)}Z`;
    const url = new URL(location.href);
    url.searchParams.set("from", stamp(left));
    url.searchParams.set("to", stamp(left + width));
    location.assign(url);
  }

  #resize() {
    const width = this.plot.clientWidth;
    if (this.#chart && width > 0 && Math.abs(width - this.#chart.width) > 1) this.#chart.setSize({ width, height: HEIGHT });
  }
}

/** Writes ticks as times of day (UTC), with the day where they are of several. */
function stamps(ticks) {
  const days = ticks.at(-1) - ticks[0] > 86400 ? 5 : 11;
  return (tick) => new Date(tick * 1000).toISOString().slice(days, 16).replace("T", " ");
}

const names = (data) => data.lines.map((line) => line.name).join("\n");
const columns = (data) => [data.at, ...data.lines.map((line) => line.values)];

/** Where the first line has no sample, hatching says so. */
function hatchGaps(chart) {
  const { ctx, bbox } = chart;
  for (const [from, to] of gaps(chart.data[0], chart.data[1])) {
    const left = chart.valToPos(from, "x", true);
    const width = chart.valToPos(to, "x", true) - left;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, width, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (let x = left - bbox.height; x < left + width; x += 10) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.strokeStyle = colour("--hairline");
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.restore();
  }
}

/** Stretches [from, to] without values. */
function gaps(at, values) {
  const found = [];
  values.forEach((value, index) => {
    if (value !== null || index === 0) return;
    const last = found.at(-1);
    if (last && last[1] === at[index - 1]) last[1] = at[index];
    else found.push([at[index - 1], at[index]]);
  });
  return found;
}

/** The colour of a token as the browser resolves it for the present theme. */
function colour(token) {
  const probe = document.createElement("i");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

customElements.define("time-chart", TimeChart);
