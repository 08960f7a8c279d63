// The Emotion Timeline's picture of its own text: sentences as points over the waveform, strength as height.
// It reads and writes the text of the node, which alone is saved: without a browser nothing is missing.

import { app } from "../../../scripts/app.js";
import { paintTimeline, scale } from "./timeline_paint.js";
import { recordingOf, waveOf } from "./timeline_sound.js";
import { readKeys, withKey } from "./timeline_text.js";

const NODE = "EADNetEmotionTimeline";
const HEIGHT = 150;
const MARGIN = 20; // what the classic canvas leaves free above and below such a widget, together
const NEAR = 9; // pixels around a point that are it
const SHORTEST = 0.5; // seconds that fill the picture at most
const HELP =
  "Drag a point: time and strength. Double-click: new point, or its words. Delete: remove it. " +
  "Wheel: zoom. Drag beside the points: move along.";

class Timeline {
  constructor(node, text) {
    this.node = node;
    this.text = text;
    this.state = { keys: [], view: { start: 0, seconds: 5 }, wave: null, fade: 0.4, chosen: null, end: null };
    this.fitted = true; // whether the picture shows the whole clip
    this.element = document.createElement("div");
    this.element.className = "eadnet-timeline";
    this.element.style.cssText = `position:relative;width:100%;height:${HEIGHT}px;min-height:${HEIGHT}px`;
    this.canvas = document.createElement("canvas");
    this.canvas.style.cssText = "display:block;width:100%;height:100%;border-radius:4px;outline-offset:-1px";
    this.canvas.tabIndex = 0;
    this.canvas.title = HELP;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `Emotion timeline. ${HELP} Arrow keys move the chosen point.`);
    this.element.append(this.canvas);
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("dblclick", (event) => this.open(event));
    this.canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    this.follow();
  }

  /** Look for changes from now on, as long as the node is in a graph. */
  start() {
    this.stop();
    this.timer = setInterval(() => this.follow(), 250);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** Take over what was changed elsewhere: the text, the cross-fade, the recording. */
  follow() {
    const fade = this.node.widgets.find((widget) => widget.name === "cross_fade")?.value ?? 0.4;
    const file = recordingOf(this.node);
    if (file !== this.file) {
      this.file = file;
      this.state.wave = null;
      if (file) waveOf(file).then((wave) => file === this.file && this.heard(wave));
      this.stale = true;
    }
    const text = String(this.text.value ?? "");
    if (text === this.last && fade === this.state.fade && !this.stale) return;
    this.last = text;
    this.stale = false;
    this.state.fade = Number(fade);
    this.state.keys = readKeys(text).sort((a, b) => a.time - b.time);
    if (this.fitted && !this.drag) this.fit();
    this.paint();
  }

  heard(wave) {
    this.state.wave = wave;
    if (this.fitted) this.fit();
    this.paint();
  }

  /** The clip's end in seconds, and the whole of it in the picture. */
  fit() {
    const last = this.state.keys.at(-1)?.time ?? 0;
    this.state.end = this.state.wave?.seconds ?? null;
    this.state.view = { start: 0, seconds: Math.max(this.state.end ?? last + Math.max(2, last / 4), SHORTEST) };
  }

  paint() {
    paintTimeline(this.canvas, this.state);
  }

  write(text) {
    this.text.value = text;
    this.text.callback?.(text);
    this.follow();
    app.graph.setDirtyCanvas(true, true);
  }

  /** Where the pointer is, in the picture's own pixels, whatever the zoom of the graph. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) * this.canvas.clientWidth) / box.width,
      y: ((event.clientY - box.top) * this.canvas.clientHeight) / box.height,
    };
  }

  to() {
    return scale(this.state.view, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  at({ x, y }) {
    const to = this.to();
    const far = (key) => Math.hypot(to.x(key.time) - x, to.y(key.strength) - y);
    const nearest = this.state.keys.reduce((best, key) => (!best || far(key) < far(best) ? key : best), null);
    return nearest && far(nearest) <= NEAR ? nearest : null;
  }

  press(event) {
    if (event.button !== 0) return;
    event.stopPropagation();
    this.close();
    this.canvas.focus();
    const from = this.place(event);
    const key = this.at(from);
    this.state.chosen = key?.line ?? null;
    this.drag = key ? { ...key } : { view: { ...this.state.view }, from };
    this.canvas.setPointerCapture(event.pointerId);
    const move = (moved) => this.move(this.place(moved));
    const end = () => {
      this.drag = null;
      this.canvas.removeEventListener("pointermove", move);
      this.follow();
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", end, { once: true });
    this.canvas.addEventListener("pointercancel", end, { once: true });
    this.paint();
  }

  move(place) {
    const to = this.to();
    if (this.drag.view) {
      const moved = to.time(this.drag.from.x) - to.time(place.x);
      this.state.view.start = Math.max(0, this.drag.view.start + moved);
      this.fitted = false;
      this.paint();
      return;
    }
    this.put(this.state.chosen, { ...this.drag, time: to.time(place.x), strength: to.strength(place.y) });
  }

  /** Write a key in place of a line, at a time that no other key has; it stays the chosen one. */
  put(line, key) {
    const others = this.state.keys.filter((other) => other.line !== line).map((other) => other.time);
    const most = this.state.end ? Math.max(0, this.state.end - 0.01) : Infinity;
    let time = Number(Math.min(most, Math.max(0, key.time)).toFixed(2));
    while (others.includes(time) && time > 0) time = Number((time - 0.01).toFixed(2));
    while (others.includes(time)) time = Number((time + 0.01).toFixed(2));
    const strength = Number(key.strength.toFixed(2));
    this.write(withKey(this.last, line, { ...key, time, strength }));
    this.state.chosen = this.state.keys.find((other) => other.time === time)?.line ?? null;
    this.paint();
  }

  open(event) {
    event.stopPropagation();
    const place = this.place(event);
    let key = this.at(place);
    if (!key) {
      const to = this.to();
      this.put(undefined, { time: to.time(place.x), strength: to.strength(place.y), text: "happy" });
      key = this.state.keys.find((other) => other.line === this.state.chosen);
    }
    if (key) this.type(key);
  }

  /** The words of a key, to be typed where they stand. */
  type(key) {
    this.close();
    const to = this.to();
    const field = document.createElement("input");
    field.value = key.text;
    field.setAttribute("aria-label", "Emotion at this point");
    const left = Math.min(Math.max(2, to.x(key.time) - 20), Math.max(2, this.canvas.clientWidth - 222));
    const top = Math.min(Math.max(2, to.y(key.strength) - 28), HEIGHT - 28);
    field.style.cssText =
      `position:absolute;left:${left}px;top:${top}px;width:220px;height:24px;box-sizing:border-box;` +
      "font:12px sans-serif;color:#fff;background:#2b2e34;border:1px solid #6cc5f0;border-radius:4px;padding:0 6px";
    const done = (keep) => {
      if (this.field !== field) return;
      this.field = null;
      field.remove();
      if (keep && field.value.trim() !== key.text) this.put(key.line, { ...key, text: field.value });
      this.canvas.focus();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
    field.addEventListener("pointerdown", (event) => event.stopPropagation());
    field.addEventListener("blur", () => done(true));
    this.field = field;
    this.element.append(field);
    field.focus();
    field.select();
  }

  close() {
    this.field?.blur();
  }

  key(event) {
    const key = this.state.keys.find((other) => other.line === this.state.chosen);
    const steps = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] };
    if (!key) return;
    if (event.key in steps) {
      const [time, strength] = steps[event.key];
      const stronger = Math.min(1, Math.max(0, key.strength + strength));
      this.put(key.line, { ...key, time: key.time + time, strength: stronger });
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.state.chosen = null;
      this.write(withKey(this.last, key.line, null));
    } else if (event.key === "Enter") this.type(key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  zoom(event) {
    event.preventDefault();
    event.stopPropagation();
    const { view } = this.state;
    const time = this.to().time(this.place(event).x);
    const whole = Math.max(this.state.end ?? 0, (this.state.keys.at(-1)?.time ?? 0) + 2, SHORTEST);
    const seconds = Math.min(whole, Math.max(SHORTEST, view.seconds * Math.exp(event.deltaY * 0.002)));
    const start = time - ((time - view.start) / view.seconds) * seconds;
    this.state.view = { start: Math.max(0, Math.min(start, whole - seconds)), seconds };
    this.fitted = seconds >= whole - 1e-6;
    this.paint();
  }
}

app.registerExtension({
  name: "eadnet.Timeline",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const text = node.widgets?.find((widget) => widget.name === "timeline");
    if (!text) return;
    const timeline = new Timeline(node, text);
    const widget = node.addDOMWidget("timeline_picture", "EADNET_TIMELINE_PICTURE", timeline.element, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => HEIGHT + MARGIN,
      getMaxHeight: () => HEIGHT + MARGIN,
      getValue: () => "",
    });
    widget.serialize = false; // the text has it all
    const { onAdded, onRemoved } = node;
    node.onAdded = function (...values) {
      timeline.start();
      return onAdded?.apply(this, values);
    };
    node.onRemoved = function (...values) {
      timeline.stop();
      return onRemoved?.apply(this, values);
    };
    const [width, height] = node.size;
    node.setSize([Math.max(width, 380), Math.max(height, node.computeSize()[1])]);
  },
});
