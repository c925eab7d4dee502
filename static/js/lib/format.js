// Numbers as every page writes them: the same rules as dashboard/templatetags/formats.py.

export const NONE = "–";
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const TOLD_UP_TO = 1e-5 * 1.1 ** 254; // seconds that histograms tell apart
const LONG_UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

const WITH_COMMAS = new Intl.NumberFormat("en-US"); // made once: toLocaleString makes one with each call

const isMissing = (value) => value === null || value === undefined || !Number.isFinite(value);

export function count(value) {
  if (isMissing(value)) return NONE;
  return Math.abs(value) < 10000 ? exact(Math.round(value)) : prefixed(value);
}

export function exact(value) {
  return isMissing(value) ? NONE : WITH_COMMAS.format(value);
}

export function rate(value) {
  if (isMissing(value)) return NONE;
  if (value <= 0) return "0/s";
  if (value >= 0.1) return `${prefixed(value)}/s`;
  if (value * 60 >= 0.1) return `${twoDigits(value * 60)}/min`;
  return `${twoDigits(value * 3600)}/h`;
}

/** The rate of an edge; with ≈ where it is estimated from sampled spans, ≥ where it is that of some of its edges alone. */
export function rateOf(edge) {
  if (isMissing(edge.rate)) return NONE;
  return `${edge.partial ? "≥ " : edge.estimated ? "≈ " : ""}${rate(edge.rate)}`;
}

/** Messages of an edge in the window; of sampled spans what was kept, of about how many. */
export function eventsOf(edge) {
  if (isMissing(edge.sampled_share) || isMissing(edge.messages)) return exact(edge.messages);
  return `${exact(edge.messages)} of ≈${exact(Math.round(edge.messages / edge.sampled_share))}`;
}

export function duration(seconds) {
  if (isMissing(seconds)) return NONE;
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  for (const [limit, factor, unit] of [[1e-3, 1e6, "µs"], [1, 1e3, "ms"], [60, 1, "s"]]) {
    if (seconds < limit && rounded(seconds * factor) < limit * factor) return `${twoDigits(seconds * factor)} ${unit}`;
  }
  return longDuration(seconds);
}

/** A duration that histograms told; of what is longer than they tell apart the bound. */
export function binned(seconds) {
  return seconds > TOLD_UP_TO ? `>${duration(TOLD_UP_TO)}` : duration(seconds);
}

/** A share of 0 to 1 as percent; its ends are never rounded away. */
export function percent(ratio) {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return NONE;
  if (ratio > 0 && ratio < 0.001) return "<0.1 %";
  if (ratio < 1 && ratio > 0.999) return ">99.9 %";
  return ratio > 0.99 && ratio < 1 ? `${(ratio * 100).toFixed(1)} %` : `${twoDigits(ratio * 100)} %`;
}

function twoDigits(value) {
  if (value === 0) return "0";
  const near = rounded(value);
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(near))));
  return near.toFixed(decimals);
}

function rounded(value) {
  if (!value) return 0;
  return Number(value.toPrecision(2));
}

function prefixed(value) {
  for (const [factor, letter] of PREFIXES) {
    if (Math.abs(rounded(value)) >= factor) return `${twoDigits(value / factor)} ${letter}`;
  }
  return twoDigits(value);
}

function longDuration(seconds) {
  const left = Math.max(60, Math.round(seconds));
  for (let index = 0; index < LONG_UNITS.length; index += 1) {
    const [length, unit] = LONG_UNITS[index];
    if (left < length) continue;
    const next = LONG_UNITS[index + 1];
    const rest = next ? Math.floor((left % length) / next[0]) : 0;
    const text = `${Math.floor(left / length)} ${unit}`;
    return rest ? `${text} ${rest} ${next[1]}` : text;
  }
  return NONE;
}
