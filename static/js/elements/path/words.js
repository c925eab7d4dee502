// What the boxes and wires of a path say.

import { binned, duration } from "../../lib/format.js";

/** The wait on a wire; where two clocks differ it is not known. */
export function waitLabel(hop) {
  if (hop.skew_seconds !== null) return "clocks differ";
  if (hop.wait_seconds === null) return hop.result === "passed" ? "by offsets" : "";
  return `wait ${duration(hop.wait_seconds)}`;
}

export function event(hop, cause) {
  const title = hop.offset === null ? hop.topic ?? "?" : `${hop.topic}/${hop.partition}/${hop.offset}`;
  const by = cause && cause.kind === "consume" && hop.service && hop.service !== cause.service ? `written by ${hop.service}` : "";
  const more = hop.n_causes > 1 ? `1 of ${hop.n_causes} causes` : "";
  return { kind: "event", hop: hop.id, title, note: [hop.note, by, more].filter(Boolean).join(", "), result: hop.result, retryUrl: hop.retry_url };
}

export function reader(hop) {
  const title = hop.service ?? `? group ${hop.group ?? "unknown"}`;
  const group = hop.service && hop.group && hop.group !== hop.service ? `as ${hop.group}` : "";
  const work = hop.result === "passed" ? passed(hop) : hop.processing_seconds === null ? "" : `worked ${duration(hop.processing_seconds)}`;
  const tries = hop.n_attempts > 1 ? `${hop.n_attempts} tries` : "";
  const brief = [work, tries].filter(Boolean).join(", ");
  return { kind: "service", hop: hop.id, title, note: [group, brief].filter(Boolean).join(", "), brief, spare: group, result: hop.result, reason: hop.reason };
}

export function writer(hop) {
  if (hop.service) return { kind: "service", title: hop.service, note: hop.missing.includes("cause") ? "from: not stored" : "wrote it", hop: hop.id };
  const note = hop.missing.includes("writer") ? "its span is not stored" : hop.missing.includes("context") ? "no trace header" : "wrote it";
  return { kind: "gap", title: "? unknown", note, hop: hop.id };
}

/** Between two events, where nothing tells who read the one and wrote the other. */
export function gap(hop) {
  const handed = hop.known_by.includes("copied traceparent");
  return { kind: "gap", title: hop.service ?? "? without spans", note: handed ? "handed the trace on" : "by the id of its cause", hop: hop.id };
}

export function ghost(expected) {
  const within = expected.within_seconds === null ? "" : expected.is_set ? `limit ${duration(expected.within_seconds)}` : `p99 ${binned(expected.within_seconds)}`;
  const waited = expected.waited_seconds === null ? "" : ` ${duration(expected.waited_seconds)}`;
  const said = expected.kind === "topic" ? (expected.late ? "missing" : "not sent yet") : expected.late ? "late:" : "waiting";
  const brief = `${said}${waited}`;
  return { kind: "ghost", title: expected.name, note: [brief, within].filter(Boolean).join(", "), brief, spare: within, late: expected.late };
}

function passed(hop) {
  if (hop.at === null) return "passed this offset";
  return `passed ${new Date(hop.at * 1000).toISOString().slice(11, 19)}`;
}
