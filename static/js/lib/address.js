// The address is the state: links and forms that were rendered before it changed must say what it says now.

const TIMES = ["from", "to"];
const SPOKEN_OF = [...TIMES, "vs", "cluster"];

/** Of which time and which clusters the present address speaks. */
export function timesOf() {
  const here = new URL(location.href).searchParams;
  return JSON.stringify(SPOKEN_OF.map((name) => here.getAll(name)));
}

/** Puts the present address into the time range control and the menu of clusters: each changes its own words alone. */
export function followAddress() {
  for (const link of document.querySelectorAll("#times a")) link.href = withThese(TIMES, new URL(link.href).searchParams);
  for (const link of document.querySelectorAll("#clusters a")) link.href = withThese(["cluster"], new URL(link.href).searchParams);
  const form = document.querySelector("#times form");
  if (!form) return;
  for (const field of form.querySelectorAll("input[type=hidden]")) field.remove();
  for (const [name, value] of new URL(location.href).searchParams) {
    if (!TIMES.includes(name)) form.prepend(hidden(name, value));
  }
}

/** Writes one word of the address, without a step back to what it was. */
export function keep(name, value) {
  const url = new URL(location.href);
  url.searchParams.set(name, value);
  history.replaceState(history.state, "", url);
  followAddress();
}

function withThese(names, wanted) {
  const url = new URL(location.href);
  for (const name of names) {
    url.searchParams.delete(name);
    for (const value of wanted.getAll(name)) url.searchParams.append(name, value);
  }
  return url.href;
}

function hidden(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}
