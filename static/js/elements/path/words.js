// Durations on a path.

import { duration } from "../../lib/format.js";

/** A wait as a label; a negative one says that two clocks differ. */
export function waitLabel(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return seconds < 0 ? "≈0 s" : duration(seconds);
}
