// The text of an emotion timeline as keys, and back: the rules of eadnet/captions/timeline.py.
// A line is a time in seconds (or minutes:seconds), a sentence and, after the last comma, a strength.

const TIME = /^(?:(\d{1,9}):)?(\d{1,9}(?:\.\d{0,30})?|\.\d{1,30})s?$/;
const MEANT = /^([+-]?[.\d]|(nan|[+-]?inf)\b)/i; // how a strength begins, be it one or not
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The key of a line: {time, text, strength}; null for empty lines, remarks and lines that are none. */
export function readLine(line) {
  const plain = line.trim();
  if (!plain || plain.startsWith("#")) return null;
  const gap = plain.search(/[ \t]/);
  const start = (gap < 0 ? plain : plain.slice(0, gap)).replace(/[:,;]+$/, "");
  const match = TIME.exec(start);
  if (!match) return null;
  const time = 60 * Number(match[1] ?? 0) + Number(match[2]);
  const rest = gap < 0 ? "" : plain.slice(gap + 1).trim();
  const comma = rest.lastIndexOf(",");
  const last = (comma < 0 ? rest : rest.slice(comma + 1)).trim();
  if (!(comma < 0 ? NUMBER : MEANT).test(last)) return { time, text: rest, strength: 1 };
  const strength = Number(last);
  if (!NUMBER.test(last) || strength < 0 || strength > 1) return null;
  return { time, text: comma < 0 ? "" : rest.slice(0, comma).trim(), strength };
}

/** All keys of a text, each with the number of its line, from 0. */
export function readKeys(text) {
  return text
    .split("\n")
    .map((line, number) => ({ ...readLine(line), line: number }))
    .filter((key) => key.time !== undefined);
}

/** A number with at most so many digits after the point. */
const rounded = (value, digits) => String(Number(value.toFixed(digits)));

/** The line of a key; `readLine` gives the same key again, its time to hundredths. */
export function writeLine({ time, text, strength }) {
  const words = text.replace(/\s+/g, " ").trim();
  const last = words.slice(words.lastIndexOf(",") + 1).trim();
  const needed = Number(strength.toFixed(2)) !== 1 || MEANT.test(last);
  const end = needed ? (words ? `, ${rounded(strength, 2)}` : rounded(strength, 2)) : "";
  return `${rounded(time, 2)} ${words}${end}`.trim();
}

/** The text with a key's line written anew, added (no line) or removed (no key); lines stay sorted by time. */
export function withKey(text, line, key) {
  const lines = text.split("\n");
  if (line !== undefined) lines.splice(line, 1);
  if (!key) return lines.join("\n");
  const written = writeLine(key);
  const at = lines.findIndex((other) => (readLine(other)?.time ?? -1) > readLine(written).time);
  if (at >= 0) lines.splice(at, 0, written);
  else {
    while (lines.length && !lines.at(-1).trim()) lines.pop();
    lines.push(written);
  }
  return lines.join("\n");
}
