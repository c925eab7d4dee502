// The only place where markup becomes elements: fragments of our own pages, fetched from our own origin.

import { alarm } from "./say.js";

const policy = window.trustedTypes?.createPolicy("weir", { createHTML: (text) => text });

/** Fetches a page (or one part of it) and returns it as a document. Null when the session is over or it failed. */
export async function fetchPage(url, { part = "", signal } = {}) {
  const answer = await fetch(url, { headers: part ? { "X-Weir-Part": part } : {}, signal, credentials: "same-origin" });
  if (answer.status === 401 || answer.redirected) {
    alarm("Your session ended. Sign in again.");
    return null;
  }
  const type = answer.headers.get("content-type") ?? "";
  if (!answer.ok || !type.startsWith("text/html") || new URL(answer.url).origin !== location.origin) return null;
  return parse(await answer.text());
}

/** Fetches JSON that the page itself answers for one of its parts. Null when it failed. */
export async function fetchData(url, part) {
  const answer = await fetch(url, { headers: { "X-Weir-Part": part }, credentials: "same-origin" });
  return answer.ok && !answer.redirected ? answer.json() : null;
}

/** Puts the element with this id from `fresh` in the place of ours; focus stays, or goes to its successor by id. */
export function replace(fresh, id) {
  const old = document.getElementById(id);
  const next = fresh.getElementById(id);
  if (!old || !next) return null;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
  const adopted = document.adoptNode(next);
  old.replaceWith(adopted);
  for (const detailsId of open) document.getElementById(detailsId)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  return adopted;
}

function parse(text) {
  const trusted = policy ? policy.createHTML(text) : text;
  return new DOMParser().parseFromString(trusted, "text/html");
}
