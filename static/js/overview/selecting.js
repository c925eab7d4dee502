// What is selected, as the address has it: one node, edge or group, or two nodes with the way between them.

export const selections = () => new URL(location.href).searchParams.getAll("sel").filter(Boolean).slice(0, 2);
export const graphId = (id) => id.replace(/^edge:/, "");

/** The address with this selected; `second`: beside the one node that is selected. */
export function selecting(id, { second = false } = {}) {
  const url = new URL(location.href);
  const [first, ...more] = selections();
  const isPair = second && first && !more.length && first !== id && !first.startsWith("edge:");
  url.searchParams.delete("sel");
  for (const each of isPair ? [first, id] : [id]) if (each) url.searchParams.append("sel", each);
  return url;
}

/** The address with a group open, or closed. */
export function opening(id, isOpen) {
  const url = new URL(location.href);
  const others = url.searchParams.getAll("open").filter((each) => each !== id);
  url.searchParams.delete("open");
  for (const each of isOpen ? [...others, id] : others) url.searchParams.append("open", each);
  url.searchParams.delete("sel");
  return url;
}
