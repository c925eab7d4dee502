// Windows of the past in words and in addresses, always UTC: as dashboard/templatetags/formats.py writes them.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 2026-11-28T13:40:10Z, as addresses have it. */
export function stamp(ms) {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** 28 Nov 13:40:10–13:55:10 UTC. */
export function label(from, to) {
  const [first, last] = [new Date(from), new Date(to)];
  const seconds = first.getUTCSeconds() || last.getUTCSeconds();
  const clock = (date) => date.toISOString().slice(11, seconds ? 19 : 16);
  const day = (date) => `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  const year = first.getUTCFullYear() === new Date().getUTCFullYear() ? "" : ` ${first.getUTCFullYear()}`;
  const end = day(first) === day(last) ? "" : `${day(last)} `;
  return `${day(first)}${year} ${clock(first)}–${end}${clock(last)} UTC`;
}
