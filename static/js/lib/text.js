// Foreign text as the pages show it: the same rules as dashboard/templatetags/foreign.py.

const HIDING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u2800\u034f]/gu;
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

function escape(char) {
  const number = char.codePointAt(0);
  const digits = number.toString(16);
  return number > 0xffff ? `\\U${digits.padStart(8, "0")}` : `\\u${digits.padStart(4, "0")}`;
}
