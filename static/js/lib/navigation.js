// The counts in the navigation follow the live streams: a page that stands open is not fetched whole for hours.

import { count, exact } from "./format.js";
import { live } from "./live.js";

const COUNTS = [
  { name: "open", key: "d", kind: "count bad", title: (n) => `${exact(n)} open or unknown${navigation().dataset.of ?? ""}` },
  { name: "running", key: "r", kind: "count", title: () => null },
];

const navigation = () => document.getElementById("navigation");

let told = false;

/** Whether the stream tells them: a page that was read before says nothing newer. */
export const areCountsLive = () => told;

export function startNavigation() {
  live.addEventListener("message", ({ detail }) => {
    const counts = detail.about?.counts;
    if (counts?.of !== navigation()?.dataset.counted) return; // of other clusters than the page speaks of
    for (const each of COUNTS) write(each, counts[each.name]);
    told = true;
  });
  live.addEventListener("state", () => (told &&= live.state === "live"));
}

/** As templates/parts/navigation.html has it: none is no number. */
function write({ key, kind, title }, n) {
  const link = document.querySelector(`#navigation a[data-key="${key}"]`);
  if (!link) return;
  const old = link.querySelector(".count");
  if (!n) {
    old?.remove();
    return;
  }
  const span = old ?? document.createElement("span");
  span.className = kind;
  if (span.textContent !== count(n)) span.textContent = count(n);
  if (title(n)) span.title = title(n);
  if (!old) link.append(span);
}
