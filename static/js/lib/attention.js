// The attention list follows the graph's stream: sentences change in place; another order comes when nobody points at it.

import { say } from "./say.js";
import { sign } from "./svg.js";
import { shown } from "./text.js";

let held = null;
const WORDS = { failing: "Failing", degraded: "Degraded", ok: "OK", idle: "Idle", unknown: "Unknown" };
const AT_FIRST = 5;

/** Writes the newest list: {items: [{id, level, title, sentence, url, sel}], n_more, fine, level}. */
export function renewAttention({ items, n_more: nMore, fine, level }, isAsked = false) {
  const list = document.querySelector("#attention ul");
  const line = document.querySelector("#attention [data-fine]");
  if (!list || !line) return;
  const order = (ids) => ids.join("\n");
  const links = [...list.querySelectorAll("a[data-id]")];
  const isSame = order(links.map((link) => link.dataset.id)) === order(items.map((item) => item.id));
  if (!isSame && !isAsked && wouldMove(list, nSeen(links) !== nSeen(items))) {
    for (const link of links) {
      const item = items.find(({ id }) => id === link.dataset.id);
      link.classList.toggle("gone", !item);
      if (item) fill(link, item);
    }
    offer(list, items.filter((item) => !links.some((link) => link.dataset.id === item.id)));
    held = { items, n_more: nMore, fine, level };
    return;
  }
  if (!isAsked) for (const item of items) if (!isOfGraph(item) && !links.some((link) => link.dataset.id === item.id)) tell(item);
  show({ list, line, links, items, isSame, nMore, fine, level });
}

const isOpen = () => "all" in document.getElementById("attention").dataset;
const nSeen = ({ length }) => (isOpen() ? length : Math.min(length, AT_FIRST));

/** Whether a node of the graph says it, too, with its health: groups that are late, edges that fail. */
const isOfGraph = ({ id }) => id.startsWith("late ") || id.startsWith("fails ");
const tell = (item) => say(`${shown(item.title)} ${shown(item.sentence)}`);

/** Another order moves the list's own lines; another length all of the page below it. */
function wouldMove(list, isOtherLength) {
  const region = isOtherLength ? document.getElementById("content") : list;
  return region.matches(":hover") || region.contains(document.activeElement);
}

function offer(list, news) {
  let pill = document.querySelector("#attention > .pill");
  if (!pill) {
    pill = document.createElement("button");
    Object.assign(pill, { type: "button", className: "pill" });
    pill.dataset.held = "";
    pill.addEventListener("click", () => {
      const latest = held;
      pill.remove();
      list.replaceChildren();
      renewAttention(latest, true);
    });
    list.parentElement.prepend(pill);
  }
  const text = news.length ? `${news.length} new · Show` : "Changed · Show";
  if (pill.textContent === text) return;
  pill.textContent = text;
  for (const item of news) tell(item);
}

function show({ list, line, links, items, isSame, nMore, fine, level }) {
  document.querySelector("#attention > .pill")?.remove();
  if (isSame) links.forEach((link, index) => fill(link, items[index]));
  else list.replaceChildren(...items.map(entry));
  list.hidden = items.length === 0;
  line.hidden = items.length > 0;
  write(line.querySelector("[data-text]"), fine);
  mark(line.querySelector(".status"), level);
  const rest = document.querySelector("#attention p.more");
  rest.hidden = nMore === 0;
  write(rest, `and ${nMore.toLocaleString("en-US")} more that are not listed`);
  const button = document.querySelector("#attention [data-more]");
  button.hidden = items.length <= AT_FIRST;
  button.dataset.unlisted = nMore;
  label(button, items.length);
}

function label(button, n) {
  write(button, isOpen() ? `The worst ${AT_FIRST} only` : `${(n - AT_FIRST + Number(button.dataset.unlisted)).toLocaleString("en-US")} more`);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#attention [data-more]");
  if (!button) return;
  const isShut = document.getElementById("attention").toggleAttribute("data-all") === false;
  button.setAttribute("aria-expanded", String(!isShut));
  const lines = document.querySelectorAll("#attention li");
  label(button, lines.length);
  if (!isShut) lines[AT_FIRST].querySelector("a").focus();
});

function entry(item) {
  const link = document.createElement("a");
  link.dataset.id = item.id;
  const status = document.createElement("span");
  const text = document.createElement("span");
  text.append(document.createElement("b"), document.createElement("span"));
  link.append(status, text, sign("right"));
  fill(link, item);
  const line = document.createElement("li");
  line.append(link);
  return line;
}

function fill(link, item) {
  const href = carried(item.url);
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
  if (item.sel) link.dataset.sel = item.sel;
  const [status, text] = link.querySelectorAll(":scope > span");
  mark(status, item.level);
  write(text.firstElementChild, shown(item.title));
  write(text.lastElementChild, ` ${shown(item.sentence)}`);
  text.title = text.textContent;
}

function mark(status, level) {
  if (status.classList.contains(level)) return;
  status.className = `status ${level}`;
  status.replaceChildren(sign(level), WORDS[level]);
}

/** A link carries the time range of the page. */
function carried(href) {
  const url = new URL(href, location.href);
  const here = new URL(location.href).searchParams;
  for (const name of ["from", "to", "cluster"]) if (!url.searchParams.has(name)) for (const value of here.getAll(name)) url.searchParams.append(name, value);
  return url.pathname + url.search;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
