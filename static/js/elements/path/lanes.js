// The hops of a path as lanes of time: one for each service, long stretches without work folded.

const FOLD_SHARE = 0.2;
const FOLDED_PX = 132;
const LEAST_PX = 4;

/** {lanes: [{name, rows}], bars: [{hop, lane, row, from, to, kind}], cuts: [{from, to}], from, to}; times in seconds. */
export function lanes(hops, { fold = true } = {}) {
  const timed = hops.filter((hop) => hop.at !== null);
  if (!timed.length) return null;
  const from = Math.min(...timed.map((hop) => hop.at - (hop.wait_seconds ?? 0)));
  const to = Math.max(...timed.map((hop) => hop.at + (hop.processing_seconds ?? 0)), from + 1e-6);
  const byName = new Map();
  for (const hop of [...timed].sort((one, other) => one.at - other.at || one.id - other.id)) {
    const name = hop.service ?? (hop.group ? `group ${hop.group}` : "? unknown");
    if (!byName.has(name)) byName.set(name, { name, ends: [] });
    byName.get(name).hops = [...(byName.get(name).hops ?? []), hop];
  }
  const found = [...byName.values()];
  const bars = found.flatMap((lane, index) => lane.hops.map((hop) => ({ ...barOf(hop), hop, lane: index })));
  const cuts = fold ? idle(bars, from, to) : [];
  return { lanes: found.map((lane) => lane.name), bars, cuts, from, to };
}

function barOf(hop) {
  const wait = hop.kind === "consume" && hop.skew_seconds === null ? hop.wait_seconds ?? 0 : 0;
  return { waitFrom: hop.at - wait, from: hop.at, to: hop.at + (hop.processing_seconds ?? 0) };
}

/** Stretches longer than a fifth of the whole in which nobody works. */
function idle(bars, from, to) {
  const busy = bars.map((bar) => [bar.from, bar.to]).sort((one, other) => one[0] - other[0]);
  const cuts = [];
  let end = from;
  for (const [begins, ends] of [...busy, [to, to]]) {
    if (begins - end > FOLD_SHARE * (to - from)) cuts.push({ from: end, to: begins });
    end = Math.max(end, ends);
  }
  return cuts;
}

/** A function from seconds to pixels, `width` wide: folded stretches have one length, the rest is to scale. */
export function scale({ from, to, cuts }, width) {
  const folded = cuts.reduce((sum, cut) => sum + cut.to - cut.from, 0);
  const left = Math.max(80, width - cuts.length * FOLDED_PX);
  const pixels = left / Math.max(1e-9, to - from - folded);
  return (seconds) => {
    let x = (seconds - from) * pixels;
    for (const cut of cuts) {
      if (seconds <= cut.from) break;
      const inside = Math.min(seconds, cut.to) - cut.from;
      x += (inside / (cut.to - cut.from)) * FOLDED_PX - inside * pixels;
    }
    return x;
  };
}

/** Gives every bar a row of its lane in which it touches no other; how many rows each lane has. */
export function stack(plan, x) {
  const ends = plan.lanes.map(() => []);
  for (const bar of plan.bars) {
    const begins = x(bar.waitFrom);
    const stops = Math.max(x(bar.to), x(bar.from) + LEAST_PX);
    const rows = ends[bar.lane];
    let row = rows.findIndex((end) => end <= begins);
    if (row < 0) row = rows.length;
    rows[row] = stops + 2;
    bar.row = row;
  }
  return ends.map((rows) => Math.max(1, rows.length));
}
