// Boxes of the filter language: Tab completes the term that is being typed, Up and Down bring back the last twenty.

const KEPT = 20;
const STORE = "weir-filters";

/** Watches the boxes of the form with this id, however often it is drawn anew. `store`: where its last filters are kept. */
export function startCompleting(formId, store = STORE) {
  let at = -1;
  let typed = "";
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (target.form?.id !== formId || target.tagName !== "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Tab" && !event.shiftKey && complete(target)) event.preventDefault();
    if (key !== "ArrowUp" && key !== "ArrowDown") {
      at = -1;
      return;
    }
    const row = recalled(store);
    if (at < 0) typed = target.value;
    at = Math.max(-1, Math.min(row.length - 1, at + (key === "ArrowUp" ? 1 : -1)));
    target.value = at < 0 ? typed : row[at];
    event.preventDefault();
  });
}

/** Keeps a filter for later. */
export function remember(text, store = STORE) {
  if (!text) return;
  localStorage.setItem(store, JSON.stringify([text, ...recalled(store).filter((each) => each !== text)].slice(0, KEPT)));
}

function recalled(store) {
  try {
    const row = JSON.parse(localStorage.getItem(store) ?? "[]");
    return Array.isArray(row) ? row.filter((each) => typeof each === "string") : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** Writes what all words with this beginning share. True when that says more than was typed. */
function complete(input) {
  const end = input.selectionStart;
  const start = input.value.lastIndexOf(" ", end - 1) + 1;
  const term = input.value.slice(start, end);
  const sign = term.startsWith("-") ? "-" : "";
  const begun = term.slice(sign.length).toLowerCase();
  if (!begun) return false;
  const fitting = (input.form.dataset.words ?? "").split(" ").filter((word) => word.toLowerCase().startsWith(begun));
  const shared = fitting.reduce((a, b) => common(a, b), fitting[0] ?? "");
  if (shared.length <= begun.length) return false;
  input.setRangeText(sign + shared, start, end, "end");
  return true;
}

function common(a, b) {
  let n = 0;
  while (n < a.length && a[n].toLowerCase() === b[n]?.toLowerCase()) n += 1;
  return a.slice(0, n);
}
