// Which hops of a path are drawn: the nearest to what was asked for; what is folded can be opened in place.

const STEP = 200;
const MOST_LEAVES = 8;
const CALM = new Set(["ok", "passed", "received"]);

/**
 * Children by cause, and the hops to draw. `opened`: keys of folds that were opened.
 * Returns {drawn: Set, children: Map, folds: [{key, at, side, count, title}], leaves: Map}.
 */
export function choose(hops, start, opened) {
  const known = new Map(hops.map((hop) => [hop.id, hop]));
  const children = new Map();
  for (const hop of hops) if (known.has(hop.cause) && hop.cause !== hop.id) add(children, hop.cause, hop.id);
  const drawn = new Set();
  grow(drawn, start.filter((id) => known.has(id)), { known, children, budget: STEP });
  if (!drawn.size && hops.length) grow(drawn, [hops[0].id], { known, children, budget: STEP });
  const leaves = foldLeaves({ drawn, children, known, start, opened });
  let folds = openEnds({ drawn, children, known, leaves });
  for (const key of opened) {
    const fold = folds.find((each) => each.key === key);
    if (!fold) continue;
    grow(drawn, fold.next, { known, children, budget: STEP });
    folds = openEnds({ drawn, children, known, leaves });
  }
  return { drawn, children, known, folds, leaves };
}

function grow(drawn, from, { known, children, budget }) {
  const waiting = [...from];
  for (let index = 0; index < waiting.length && budget > 0; index += 1) {
    const id = waiting[index];
    if (drawn.has(id)) continue;
    drawn.add(id);
    budget -= 1;
    const cause = known.get(id).cause;
    if (known.has(cause) && !drawn.has(cause)) waiting.push(cause);
    for (const child of children.get(id) ?? []) if (!drawn.has(child)) waiting.push(child);
  }
}

/** Many calm readers of one event, from which nothing came, are one box. */
function foldLeaves({ drawn, children, known, start, opened }) {
  const leaves = new Map();
  const kept = new Set(start.length > MOST_LEAVES ? [] : start);
  for (const id of drawn) {
    const calm = (children.get(id) ?? []).filter((child) => {
      const hop = known.get(child);
      return drawn.has(child) && hop.kind === "consume" && CALM.has(hop.result) && !children.has(child) && !kept.has(child);
    });
    if (calm.length <= MOST_LEAVES || opened.has(`leaves:${id}`)) continue;
    leaves.set(id, calm.slice(MOST_LEAVES - 2));
  }
  for (const hidden of leaves.values()) for (const id of hidden) drawn.delete(id);
  return leaves;
}

function openEnds({ drawn, children, known, leaves }) {
  const folds = [];
  const hidden = new Set([...leaves.values()].flat());
  for (const id of drawn) {
    const hop = known.get(id);
    const next = (children.get(id) ?? []).filter((child) => !drawn.has(child) && !hidden.has(child));
    if (next.length) folds.push({ key: `after:${id}`, at: id, side: "after", next, count: under(next, children), title: hop.service ?? hop.group ?? hop.topic });
    if (known.has(hop.cause) && !drawn.has(hop.cause)) {
      folds.push({ key: `before:${id}`, at: id, side: "before", next: [hop.cause], count: above(hop.cause, known), title: "" });
    }
  }
  return folds;
}

function under(from, children) {
  const seen = new Set(from);
  const waiting = [...from];
  while (waiting.length) {
    for (const child of children.get(waiting.pop()) ?? []) {
      if (!seen.has(child)) {
        seen.add(child);
        waiting.push(child);
      }
    }
  }
  return seen.size;
}

function above(id, known) {
  const seen = new Set();
  for (let at = id; known.has(at) && !seen.has(at); at = known.get(at).cause) seen.add(at);
  return seen.size;
}

function add(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}
