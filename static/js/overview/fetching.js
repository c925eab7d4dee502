// What the page fetches: the chip names parts that could not be read, and what the socket brought meanwhile is kept.

const late = new Set();
const waiting = new Set(); // of each fetch that is under way, what the socket brought since it began
let begun = 0;
let newest = 0; // the last begun of those that were taken

/** Whether the answer to a fetch is awaited: on a busy server asking again only makes all of it later. */
export const isWaiting = () => waiting.size > 0;

/** Whether this part could not be fetched the last time. */
export const isLate = (part) => late.has(part);

/** What the socket brings, for all who are waiting. */
export function heard(message) {
  for (const meanwhile of waiting) {
    if (message.kind === "snapshot") meanwhile.length = 0;
    meanwhile.push(message);
  }
}

/** What was fetched for a part of the page, or null: then the chip says that this part is late. `meanwhile`: what the
 *  socket brought since it was asked for, and will not say again; `isOld`: what was asked for later came before it. */
export async function fetched(part, fetching) {
  const meanwhile = [];
  const number = (begun += 1);
  waiting.add(meanwhile);
  let found = null;
  try {
    found = await fetching;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the server cannot be reached
  } finally {
    waiting.delete(meanwhile);
  }
  if (found) late.delete(part);
  else late.add(part);
  document.querySelector("live-chip")?.late(part, !found);
  const isOld = number < newest;
  if (found && part !== "panel") newest = Math.max(newest, number);
  return { found, meanwhile, isOld };
}

/** Calls `act` once at a time, and so many milliseconds apart: what is asked for meanwhile is done once, afterwards. All
 *  pages that stand open hear of a change at once: not all of them ask at once. */
export function paced(act, leastMs) {
  let [last, timer, busy, again] = [-leastMs, 0, false, false];
  const ask = () => {
    if (busy) again = true;
    else timer ||= setTimeout(run, Math.max(0, last + leastMs - performance.now()) + Math.random() * leastMs);
  };
  async function run() {
    [last, timer, busy] = [performance.now(), 0, true];
    try {
      await act();
    } finally {
      busy = false;
      if (again) ask();
      again = false;
    }
  }
  return ask;
}
