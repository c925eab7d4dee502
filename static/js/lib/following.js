// A page of charts that follows the samples: values, marks and one fragment are fetched when something changed.

import { live } from "./live.js";
import { pause } from "./pause.js";
import { fetchData, fetchPage, renew } from "./swap.js";
import { shown } from "./text.js";

const EVERY_MS = 5000;

/** Follows the live stream; `part` is a fragment of the page, `ids` the elements of it that take the old ones' places. Without a part only charts do. */
export function follow(stream, part = "", ids = [part]) {
  const chip = document.querySelector("live-chip");
  let last = 0;
  let busy = false;
  if (!("streams" in document.body.dataset)) return; // the past stands still

  async function refresh() {
    if (pause.paused) {
      pause.hold();
      return;
    }
    if (document.hidden || busy || Date.now() - last < EVERY_MS) return;
    busy = true;
    last = Date.now();
    try {
      const charts = [...document.querySelectorAll("time-chart")];
      const [data, fresh] = await Promise.all([
        charts.length ? fetchData(location.href, "charts") : null,
        part ? fetchPage(location.href, { part }) : null,
      ]);
      if (pause.paused) return; // it was asked for before
      chip?.late(part, (part && !fresh) || (charts.length > 0 && !data));
      if (data) for (const chart of charts) redraw(chart, data);
      if (data) chip?.renew({ fold: data.folded_at, scan: data.scanned_at });
      if (fresh) for (const id of ids) renew(fresh, id);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the server cannot be reached
      chip?.late(part, true);
    } finally {
      busy = false;
    }
  }

  live.addEventListener("message", (event) => event.detail.stream.startsWith(`${stream}:`) && refresh());
  live.addEventListener("poll", refresh);
  document.addEventListener("visibilitychange", refresh);
  pause.addEventListener("change", () => !pause.paused && refresh());
}

/** A chart, and the sentence below it: both say the same moment. */
function redraw(chart, data) {
  chart.show(data[chart.id], data.marks);
  chart.querySelector(".caption").textContent = shown(data.captions[chart.id]);
}
