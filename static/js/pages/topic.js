// One topic: the charts and the tables of producers and groups follow the samples.

import "../elements/time-chart.js";
import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { fetchData, fetchPage, replace } from "../lib/swap.js";

const EVERY_MS = 5000;
const chip = document.querySelector("live-chip");
let last = 0;
let busy = false;

live.addEventListener("message", (event) => event.detail.stream.startsWith("topics:") && refresh());
live.addEventListener("poll", () => refresh());
document.addEventListener("visibilitychange", () => refresh());
pause.addEventListener("change", () => !pause.paused && refresh());

async function refresh() {
  if (document.hidden || busy || Date.now() - last < EVERY_MS) return;
  if (pause.paused) {
    pause.hold();
    return;
  }
  busy = true;
  last = Date.now();
  try {
    const [charts, flow] = await Promise.all([fetchData(location.href, "charts"), fetchPage(location.href, { part: "flow" })]);
    chip?.late("flow", !charts || !flow);
    for (const id of ["rates", "lags"]) if (charts) document.getElementById(id).show(charts[id]);
    if (charts && live.state === "polling") chip?.renew(charts.as_of, charts.delayed);
    if (flow) replace(flow, "flow");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the server cannot be reached
    chip?.late("flow", true);
  } finally {
    busy = false;
  }
}
