// The only place where markup becomes elements: fragments of our own pages, fetched from our own origin.

import { live } from "./live.js";
import { begun, isMarked, morph, refill } from "./morph.js";
import { areCountsLive } from "./navigation.js";
import { say } from "./say.js";
import { setClock } from "./times.js";

const ANSWER_MS = 60000; // a server that is gone without a word never answers
const policy = window.trustedTypes?.createPolicy("weir", { createHTML: (text) => text });

/** Fetches a page (or one part of it) and returns it as a document. Null when the session is over or it failed. */
export async function fetchPage(url, { part = "", signal } = {}) {
  const answer = await ask(url, part, signal);
  const answeredAt = Date.now();
  const type = answer.headers.get("content-type") ?? "";
  if (!answer.ok || !type.startsWith("text/html") || new URL(answer.url).origin !== location.origin) return null;
  const page = parse(await read(answer, "text"));
  setClock(page.documentElement.dataset.now, answeredAt);
  renewCounts(page);
  return page;
}

/** Fetches JSON that the page itself answers for one of its parts. Null when it failed. */
export async function fetchData(url, part) {
  const answer = await ask(url, part);
  return answer.ok && (answer.headers.get("content-type") ?? "").includes("json") ? read(answer, "json") : null;
}

/** Who is asked to sign in has no session any more. Where nobody answers, the chip must know. */
async function ask(url, part, signal) {
  try {
    const late = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(url, { headers: part ? { "X-Weir-Part": part } : {}, signal: signal ? AbortSignal.any([signal, late]) : late, credentials: "same-origin" });
    if (answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === loginPath())) {
      live.end();
      return new Response(null, { status: 401 });
    }
    live.answered(answer.ok);
    return answer;
  } catch (error) {
    const known = unanswered(error);
    if (known instanceof TypeError) live.answered(false); // the server cannot be reached
    throw known;
  }
}

/** The body of an answer, as text or JSON. */
async function read(answer, kind) {
  try {
    return await answer[kind]();
  } catch (error) {
    throw unanswered(error);
  }
}

/** No answer in time is what a server is that cannot be reached: a TypeError, as of fetch. */
const unanswered = (error) => (error.name === "TimeoutError" ? new TypeError("no answer in time") : error);

const loginPath = () => document.querySelector("#ended [data-login]")?.dataset.login;

/** The counts in the navigation follow every whole page that is fetched, where no stream tells them. */
function renewCounts(page) {
  if (areCountsLive()) return;
  for (const link of page.querySelectorAll("#navigation a[data-key]")) {
    const ours = document.querySelector(`#navigation a[data-key="${CSS.escape(link.dataset.key)}"]`);
    const [before, after] = [ours, link].map((each) => each?.querySelector(".count"));
    if (before && after && !before.isEqualNode(after)) before.replaceWith(document.importNode(after, true));
    else if (before && !after) before.remove();
    else if (ours && !before && after) ours.append(document.importNode(after, true));
  }
}

/** Puts the element with this id from `fresh` in the place of ours; focus, scroll positions, open folds and what is typed stay. */
export function replace(fresh, id) {
  const old = document.getElementById(id);
  const next = fresh.getElementById(id);
  if (!old || !next) return null;
  held.delete(id);
  const focused = successor(old, next);
  const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
  const typed = begun(old).filter((field) => field.id);
  const scrolled = regions(old).map((region) => [region.scrollLeft, region.scrollTop]);
  const adopted = document.adoptNode(next);
  old.replaceWith(adopted);
  for (const detailsId of open) document.getElementById(detailsId)?.setAttribute("open", "");
  for (const { id, value } of typed) Object.assign(document.getElementById(id) ?? {}, { value });
  regions(adopted).forEach((region, index) => ([region.scrollLeft, region.scrollTop] = scrolled[index] ?? [0, 0]));
  focused?.focus({ preventScroll: true });
  adopted.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
  return adopted;
}

const held = new Map();

/**
 * The same of its own accord: where what is under the pointer or has the focus would change its place, a button waits
 * instead, and so it does while text in it is marked. Numbers of rows change in place at any time.
 */
export function renew(fresh, id) {
  const [old, next] = [document, fresh].map((each) => each.getElementById(id));
  if (!old || !next) return;
  const isRead = isMarked(old);
  if (!isRead && staysPut(old, next)) {
    held.delete(id);
    morph(old, next);
    old.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
    return;
  }
  if (!isRead) refill(old, next);
  if (!held.has(id)) offer(old, id);
  held.set(id, fresh);
}

function offer(old, id) {
  const pill = document.createElement("button");
  Object.assign(pill, { type: "button", className: "pill", textContent: "Changed · Show" });
  pill.dataset.held = "";
  pill.addEventListener("click", () => replace(held.get(id), id));
  old.prepend(pill);
  say("Changed, not shown yet");
}

const PLACED = "a[href], button:not(.pill), summary, tr, li, .notice";
const name = (element) => element.id || element.dataset.key || element.dataset.change || element.getAttribute("href") || element.tagName;

/** Whether all that stands up to what is pointed at, or focused, is the same in both; of a table, up to its end. */
function staysPut(old, next) {
  const [before, after] = [old, next].map((root) => [...root.querySelectorAll(PLACED)]);
  const isUsed = (each) => each.matches(":hover") || each.contains(document.activeElement) || each.closest("table")?.matches(":hover, :focus-within");
  const last = before.findLastIndex(isUsed);
  return before.slice(0, last + 1).every((each, index) => after[index] && name(each) === name(after[index]));
}

const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
const regions = (root) => [root, ...root.querySelectorAll("[tabindex='0']")];

/** The element of `next` that takes over the focus from `old`: by id, by address, else the one in its place. */
function successor(old, next) {
  const focused = document.activeElement;
  if (!old.contains(focused)) return null;
  if (focused === old) return next;
  const [before, after] = [old, next].map((root) => [...root.querySelectorAll(FOCUSABLE)]);
  const alike = (element) => element.tagName === focused.tagName && element.getAttribute("href") === focused.getAttribute("href") && element.id === focused.id;
  const named = focused.id || focused.hasAttribute("href");
  const same = named ? after.filter(alike)[before.filter(alike).indexOf(focused)] ?? after.find(alike) : null;
  return same ?? after[Math.min(before.indexOf(focused), after.length - 1)] ?? null;
}

function parse(text) {
  const trusted = policy ? policy.createHTML(text) : text;
  return new DOMParser().parseFromString(trusted, "text/html");
}
