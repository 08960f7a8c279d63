// How an emotion timeline looks: grid, waveform, the curve of strength with its cross-fades, points, words.

export const EDGE = { left: 8, right: 8, top: 18, bottom: 18 };
const COLOURS = ["#6cc5f0", "#f0a35e", "#9fd36b", "#e87fb0", "#c7a6ff", "#f2d35c", "#7fd6c2", "#f08a80"];

const MANY = 150; // points, beyond which they are drawn as plain squares

/** The colours of sentences, in their order: the same words have the same one. */
export function coloursOf(keys) {
  const found = new Map();
  for (const { text } of keys) if (!found.has(text)) found.set(text, COLOURS[found.size % COLOURS.length]);
  return found;
}

/** Places on the canvas: seconds to x, strength to y, and back. */
export function scale(view, width, height) {
  const wide = width - EDGE.left - EDGE.right;
  const high = height - EDGE.top - EDGE.bottom;
  return {
    x: (time) => EDGE.left + ((time - view.start) / view.seconds) * wide,
    y: (strength) => EDGE.top + (1 - strength) * high,
    time: (x) => view.start + ((x - EDGE.left) / wide) * view.seconds,
    strength: (y) => Math.min(1, Math.max(0, 1 - (y - EDGE.top) / high)),
  };
}

function ticks(seconds, width) {
  const least = (seconds / width) * 70;
  return [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800].find((step) => step >= least) ?? 3600;
}

function clock(time) {
  if (time < 60) return `${Number(time.toFixed(2))} s`;
  return `${Math.floor(time / 60)}:${String(Number((time % 60).toFixed(1))).padStart(2, "0")}`;
}

function paintWave(paint, to, view, wave, width, height) {
  if (!wave?.peaks.length) return;
  const middle = EDGE.top + (height - EDGE.top - EDGE.bottom) / 2;
  const high = (height - EDGE.top - EDGE.bottom) / 2;
  const each = wave.seconds / wave.peaks.length;
  paint.fillStyle = "rgba(255,255,255,0.16)";
  for (let x = EDGE.left; x < width - EDGE.right; x++) {
    const from = Math.floor(to.time(x) / each);
    const until = Math.max(from + 1, Math.floor(to.time(x + 1) / each));
    let peak = 0;
    for (let i = Math.max(0, from); i < Math.min(until, wave.peaks.length); i++) peak = Math.max(peak, wave.peaks[i]);
    if (peak > 0) paint.fillRect(x, middle - peak * high, 1, Math.max(1, 2 * peak * high));
  }
}

function paintCurve(paint, to, view, keys, colours, fade, height) {
  const end = view.start + view.seconds;
  const floor = height - EDGE.bottom;
  paint.beginPath();
  paint.moveTo(to.x(view.start), to.y(0));
  keys.forEach((key, i) => {
    const before = i ? key.time - keys[i - 1].time : 2 * key.time;
    const after = i + 1 < keys.length ? keys[i + 1].time - key.time : Infinity;
    const half = Math.min(fade, before, after) / 2;
    paint.lineTo(to.x(key.time - half), to.y(i ? keys[i - 1].strength : 0));
    paint.lineTo(to.x(key.time + half), to.y(key.strength));
  });
  const last = keys.at(-1);
  paint.lineTo(to.x(Math.max(end, last?.time ?? 0)), to.y(last?.strength ?? 0));
  paint.strokeStyle = "rgba(255,255,255,0.85)";
  paint.lineWidth = 1.5;
  paint.stroke();
  keys.forEach((key, i) => {
    const until = keys[i + 1]?.time ?? end;
    if (until < view.start || key.time > end || !key.text) return;
    paint.fillStyle = colours.get(key.text) + "38";
    paint.fillRect(to.x(key.time), to.y(key.strength), to.x(until) - to.x(key.time), floor - to.y(key.strength));
  });
}

function paintPoints(paint, to, view, keys, colours, chosen, width) {
  const shown = keys.filter((key) => key.time >= view.start && key.time <= view.start + view.seconds);
  let free = -Infinity; // words are left out where the ones before them reach
  paint.font = "11px sans-serif";
  paint.textBaseline = "bottom";
  for (const key of shown) {
    const x = to.x(key.time);
    const y = to.y(key.strength);
    paint.fillStyle = colours.get(key.text);
    if (shown.length > MANY && key.line !== chosen) paint.fillRect(x - 2, y - 2, 4, 4);
    else {
      paint.beginPath();
      paint.arc(x, y, key.line === chosen ? 7 : 5, 0, 2 * Math.PI);
      paint.fill();
      paint.strokeStyle = key.line === chosen ? "#fff" : "#222";
      paint.lineWidth = key.line === chosen ? 2 : 1;
      paint.stroke();
    }
    if (x < free) continue;
    const next = shown.find((other) => other.time > key.time);
    const room = Math.max(40, (next ? to.x(next.time) : width) - x - 10);
    const words = fitted(paint, key.text || "no emotion", room);
    paint.fillStyle = "#fff";
    paint.fillText(words, Math.min(x + 9, width - paint.measureText(words).width - 2), Math.max(14, y - 3));
    free = x + Math.min(room, paint.measureText(words).width) + 12;
  }
}

function fitted(paint, words, room) {
  if (paint.measureText(words).width <= room) return words;
  let length = words.length;
  while (length > 1 && paint.measureText(words.slice(0, length) + "…").width > room) length = Math.floor(length * 0.8);
  return words.slice(0, length) + "…";
}

/** Draw everything. `state` has keys, view {start, seconds}, wave, fade, chosen (a line) and end (of the clip). */
export function paintTimeline(canvas, state) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const paint = canvas.getContext("2d");
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.fillStyle = "#1b1d21";
  paint.fillRect(0, 0, width, height);
  const { view, keys } = state;
  const to = scale(view, width, height);
  const step = ticks(view.seconds, width);
  paint.font = "10px sans-serif";
  paint.textBaseline = "bottom";
  for (let time = Math.ceil(view.start / step) * step; time <= view.start + view.seconds; time += step) {
    paint.fillStyle = "rgba(255,255,255,0.08)";
    paint.fillRect(to.x(time), EDGE.top, 1, height - EDGE.top - EDGE.bottom);
    paint.fillStyle = "#9aa0a8";
    paint.fillText(clock(time), Math.min(to.x(time) + 2, width - 30), height - 3);
  }
  paintWave(paint, to, view, state.wave, width, height);
  const colours = coloursOf(keys);
  paintCurve(paint, to, view, keys, colours, state.fade, height);
  if (state.end) {
    paint.fillStyle = "rgba(0,0,0,0.45)";
    paint.fillRect(to.x(state.end), 0, width, height);
  }
  paintPoints(paint, to, view, keys, colours, state.chosen, width);
}
