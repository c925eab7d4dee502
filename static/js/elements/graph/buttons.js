// The buttons on the graph, for who does not use wheel or keys.

import { sign } from "../../lib/svg.js";

/** A bar of buttons from [icon, title, action]; what a button without an action does, somebody else says. */
export function buttons(entries) {
  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [name, title, act] of entries) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "button small", title });
    button.setAttribute("aria-label", title);
    button.append(sign(name));
    if (act) button.addEventListener("click", act);
    bar.append(button);
  }
  return bar;
}
