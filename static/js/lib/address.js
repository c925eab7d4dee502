// The address is the state: links and forms that were rendered before it changed must say what it says now.

const TIMES = ["from", "to"];

/** Puts the present address into the time range control: its links and its form change `from` and `to` alone. */
export function followAddress() {
  for (const link of document.querySelectorAll("#times a")) link.href = withTimes(new URL(link.href).searchParams);
  const form = document.querySelector("#times form");
  if (!form) return;
  for (const field of form.querySelectorAll("input[type=hidden]")) field.remove();
  for (const [name, value] of new URL(location.href).searchParams) {
    if (!TIMES.includes(name)) form.prepend(hidden(name, value));
  }
}

function withTimes(wanted) {
  const url = new URL(location.href);
  for (const name of TIMES) {
    if (wanted.has(name)) url.searchParams.set(name, wanted.get(name));
    else url.searchParams.delete(name);
  }
  return url.href;
}

function hidden(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}
