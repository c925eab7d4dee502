// Search for events in place; one that takes long can be cancelled. The first flow has the focus, so that Enter opens it.

import { say } from "../lib/say.js";
import { fetchPage, replace } from "../lib/swap.js";

const SLOW_MS = 300;
const form = document.querySelector("[data-search]");
const cancel = form?.querySelector("[data-cancel]");
let running = null;

form?.addEventListener("submit", async (event) => {
  if (!document.getElementById("results")) return; // the first search is a page of its own
  event.preventDefault();
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const url = new URL(form.action);
  url.search = new URLSearchParams(new FormData(form)).toString();
  const slow = setTimeout(() => (cancel.hidden = false), SLOW_MS);
  try {
    const fresh = await fetchPage(url.href, { part: "results", signal });
    const results = fresh?.getElementById("results");
    if (!results || results.dataset.leads) location.assign(results?.dataset.leads ?? url.href);
    else {
      history.pushState(history.state, "", url);
      replace(fresh, "results");
      first();
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    say("Search cancelled");
  } finally {
    clearTimeout(slow);
    cancel.hidden = true;
  }
});
cancel?.addEventListener("click", () => running?.abort());
addEventListener("popstate", () => location.reload());
first();

function first() {
  document.querySelector("#results [data-open]")?.focus();
}
