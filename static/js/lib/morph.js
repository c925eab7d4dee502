// Elements that take over what newer ones say and stay who they are: with focus, marked text, scroll and open folds.

/** Makes `old` say what `next` says. What has a key or an id in both stays the same element, wherever it stands then. */
export function morph(old, next) {
  if (old.isEqualNode(next)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = next.data;
    return;
  }
  if (old.nodeName === "SCRIPT") {
    old.replaceWith(next); // the policy lets nobody change its text
    return;
  }
  takeAttributes(old, next);
  let place = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = counterpart(place, child);
    if (same === null) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    morph(same, child);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

/** Rows in both change in place, in the order that is seen; those that went are greyed. Returns how many are new. */
export function refill(old, next) {
  const rows = new Map([...next.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row]));
  for (const row of old.querySelectorAll("[data-key]")) {
    const update = rows.get(row.dataset.key);
    rows.delete(row.dataset.key);
    if (update) morph(row, update);
    else row.classList.add("gone");
  }
  return rows.size;
}

/** Whether somebody marks text in here, to copy it. */
export function isMarked(element) {
  const marked = getSelection();
  return marked !== null && !marked.isCollapsed && element.contains(marked.anchorNode);
}

/** Fields in here that say something else than the page did. */
export function begun(element) {
  const fields = [...element.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio]), textarea")];
  return fields.filter((field) => field.value !== field.defaultValue);
}

/** Whether somebody has begun to write in here, where it can be seen. */
export const isBegun = (element) => begun(element).some((field) => !field.closest("details:not([open])"));

function takeAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    const isTheirs = name === "data-chosen" || (name === "open" && old.matches("details")); // what a person did stays
    if (!next.hasAttribute(name) && !isTheirs) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

/** The first of these siblings that is the same thing as `next`, by kind and name; null where none is. */
function counterpart(first, next) {
  for (let each = first; each; each = each.nextSibling) {
    if (each.nodeName === next.nodeName && nameOf(each) === nameOf(next)) return each;
  }
  return null;
}

const nameOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");
