// Which recording a timeline is about, found along the links, and its waveform from the server.

import { api } from "../../../scripts/api.js";

function linked(node, name) {
  if (!node.graph) return null; // while it is being made
  const slot = node.inputs?.findIndex((input) => input.name === name) ?? -1;
  return slot < 0 ? null : (node.getInputNode(slot) ?? null);
}

/** The file of the recording, as core's Load Audio names it; null where none is found. */
export function recordingOf(node) {
  const seen = new Set();
  const search = (from, names) => {
    for (const name of names) {
      const found = linked(from, name);
      if (!found || seen.has(found)) continue;
      seen.add(found);
      const file = found.widgets?.find((widget) => widget.name === "audio" && typeof widget.value === "string");
      if (file?.value) return file.value;
      const next = search(found, ["audio", "frame_count", ...(found.inputs ?? []).map((input) => input.name)]);
      if (next) return next;
    }
    return null;
  };
  return search(node, ["audio", "frame_count"]);
}

const known = new Map();

/** {seconds, peaks: 0..1, evenly spaced} of a recording in the input folder; null where it cannot be read. */
export function waveOf(file) {
  if (!known.has(file)) {
    const asked = api
      .fetchApi(`/eadnet/peaks?file=${encodeURIComponent(file)}`)
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((wave) => wave && { seconds: wave.seconds, peaks: wave.peaks.map((peak) => peak / 255) })
      .catch(() => null);
    known.set(file, asked);
  }
  return known.get(file);
}
