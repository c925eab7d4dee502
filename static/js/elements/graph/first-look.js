// Where somebody looks first, where not all of the drawing can be read.

const BAD = ["failing", "degraded"];

/** A place of the drawing: what is selected, the newest open group, what differs in a comparison, trouble, the beginning.
 *  `at`: where a node stands. */
export function firstLook({ nodes, edges, chosen, frame, stretch, at }) {
  if (chosen) return at(chosen);
  if (frame) return { x: (frame.x + frame.width / 2) * stretch.x, y: (frame.y + frame.height / 2) * stretch.y };
  const all = [...nodes.values()];
  const differing = all.find((node) => node.diff) ?? nodes.get([...edges.values()].find((edge) => edge.diff)?.source);
  const first = differing ?? BAD.map((level) => all.find((node) => node.health === level)).find(Boolean);
  return first ? at(first) : all.map(at).reduce((a, b) => (a.x + a.y < b.x + b.y ? a : b));
}
