// What somebody typed into a form with data-keep outlives the end of a session: it stays in this tab until it was sent.

import { note } from "./say.js";

const PREFIX = "weir-draft ";

export function keepDrafts() {
  const here = PREFIX + location.pathname;
  for (const key of Object.keys(sessionStorage)) {
    const isOver = key.startsWith(PREFIX) && key !== here && JSON.parse(sessionStorage.getItem(key)).sent;
    if (isOver && !document.querySelector("[data-login-page]")) sessionStorage.removeItem(key); // it arrived
  }
  const form = document.querySelector("form[data-keep]");
  if (!form) return;
  restore(form, JSON.parse(sessionStorage.getItem(here) ?? "null"));
  form.addEventListener("input", () => keep(form, here, false));
  form.addEventListener("submit", () => keep(form, here, true));
}

function fields(form) {
  return [...form.elements].filter((field) => field.name && field.matches("textarea, select, input:not([type=hidden], [type=password], [type=file])"));
}

function keep(form, key, sent) {
  const values = fields(form).map((field) => [field.name, field.matches("[type=checkbox], [type=radio]") ? field.checked : field.value]);
  sessionStorage.setItem(key, JSON.stringify({ sent, values }));
}

/** Only into a form that still has the same fields in the same order. */
function restore(form, draft) {
  const own = fields(form);
  if (!draft || draft.values.length !== own.length || draft.values.some(([name], index) => name !== own[index].name)) return;
  note("Your edit from before is back");
  draft.values.forEach(([, value], index) => {
    if (typeof value === "boolean") own[index].checked = value;
    else own[index].value = value;
  });
}
