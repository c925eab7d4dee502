// Foreign text as the pages show it: the same rules as dashboard/templatetags/foreign.py.

const HIDING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u2800\u034f]/gu;
const LEAST_LETTERS = 4; // fewer say nothing
const MOST_BREADTHS = 4000; // numbers on edges are others with every tick
const JOINER = "\u200d";

/** Text with invisible and direction-turning characters spelled out as \u202e. */
export function shown(text) {
  return String(text).replace(HIDING, (char) => (char === JOINER ? char : escape(char)));
}

/** A long name cut in the middle. */
export function cut(text, length = 28) {
  if (text.length <= length) return text;
  const head = Math.floor((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(head + 1 - length)}`;
}

/** A name cut in the middle until it is no wider than `room`, in units of its bold letters' size. */
export function fitting(text, room) {
  for (let length = text.length; length >= LEAST_LETTERS || length === text.length; length -= 1) {
    const candidate = cut(text, length);
    if (breadth(candidate) <= room) return candidate;
  }
  return "";
}

/** Whether a text is no wider than `room`, in units of its bold letters' size. */
export function fits(text, room) {
  return breadth(text) <= room;
}

/** The same in one line, or in two broken after a sign between its words; the first of two has the room `above`. */
export function fittingTwo(text, room, above = room) {
  if (breadth(text) <= room) return [text, ""];
  const breaks = [...text.matchAll(/[.\-_/: ]+/g)].map((found) => found.index + found[0].length).filter((at) => at < text.length);
  const longer = (at) => Math.max(at, text.length - at);
  const at = breaks.sort((a, b) => longer(a) - longer(b))[0];
  return at === undefined ? [fitting(text, room), ""] : [fitting(text.slice(0, at), above), fitting(text.slice(at), room)];
}

const breadths = new Map();
let pen = null;

/** How broad a text is in bold letters of size 1. */
export function breadth(text) {
  if (!pen) {
    pen = document.createElement("canvas").getContext("2d");
    pen.font = `600 100px ${getComputedStyle(document.body).fontFamily}`;
  }
  if (breadths.size > MOST_BREADTHS) breadths.clear();
  if (!breadths.has(text)) breadths.set(text, pen.measureText(text).width / 100);
  return breadths.get(text);
}

function escape(char) {
  const number = char.codePointAt(0);
  const digits = number.toString(16);
  return number > 0xffff ? `\\U${digits.padStart(8, "0")}` : `\\u${digits.padStart(4, "0")}`;
}
