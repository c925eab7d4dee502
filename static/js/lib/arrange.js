// Tidying up the graph, and undoing that for ten seconds: asked for here, done by a worker, seen by everybody.

import { alarm, say } from "./say.js";
import { fetchPage, replace } from "./swap.js";

const SAID = {
  arrange: { tidy: "Tidying up", undo: "Undoing" },
  pins: { pin: "Pinned", unpin: "No longer pinned", up: "Moved up", down: "Moved down" },
};
const ASKED_MS = 30000;
let timer = 0;
let askedAt = -ASKED_MS;

/** Whether a new layout is this person's own wish. */
export const isAsked = () => performance.now() - askedAt < ASKED_MS;

export function startArranging() {
  document.addEventListener("submit", async (event) => {
    const done = SAID[event.target.id];
    if (!done) return;
    event.preventDefault();
    const wish = new FormData(event.target, event.submitter);
    event.submitter.disabled = true;
    askedAt = performance.now();
    const answer = await fetch(event.target.action, { method: "POST", body: wish, credentials: "same-origin", redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") return void say(done[wish.get("wanted")]);
    alarm("The graph could not be laid out anew. Try again, or reload the page.");
    event.submitter.disabled = false;
  });
  watchUndo();
}

/** A page that was fetched says what can be done with the layout now. */
export function showArranging(fresh) {
  replace(fresh, "arrange");
  watchUndo();
}

/** When the time for an undo is over, the server says what is offered instead. */
function watchUndo() {
  clearTimeout(timer);
  const seconds = Number(document.querySelector("#arrange [data-seconds]")?.dataset.seconds);
  if (seconds) timer = setTimeout(renewArranging, (seconds + 1) * 1000);
}

/** Fetches what can be done now; where the server cannot be reached that is asked again with the page. */
export async function renewArranging() {
  try {
    const fresh = await fetchPage(location.href);
    if (fresh) showArranging(fresh);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
