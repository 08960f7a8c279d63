"""What the live view and the timeline cost, in a real browser on a real server.

    python -m tests.browser.measure [--pairs 3] [--first 5] [--template "01 Talking portrait"]

Times of processes are their processor seconds (/proc, so Linux alone), which a busy machine changes little.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.browser.window import SECONDS, Window, window
from tests.comfy.conftest import make_comfy
from tests.in_comfy import ROOT
from tools.browser import STATIC, frontend_in
from tools.comfyui import link_pack
from tools.server import Server

RENDERERS = {False: "classic", True: "Nodes 2.0"}
JS = "/extensions/comfyui-ead-net/js"
LANDMARKER = ROOT.parent / "shared" / "models" / "face_landmarker_v2_with_blendshapes.task"
LOOKS = """looks => {
  const api = app.api ?? window.comfyAPI.api.api;
  const body = JSON.stringify({ client: api.clientId, looks });
  const headers = { "Content-Type": "application/json" };
  return api.fetchApi("/eadnet/looking", { method: "POST", body, headers }).then(answer => answer.status);
}"""
SEED = """seed => {
  for (const node of app.graph.nodes) {
    const widget = node.type.startsWith("EADNet") && node.widgets?.find(widget => widget.name === "seed");
    if (widget) widget.value = seed;
  }
}"""
# How many clips come, from now on.
COUNT = """() => {
  const api = app.api ?? window.comfyAPI.api.api;
  window.clips = 0;
  api.addEventListener("eadnet.live", ({ detail }) => { if (detail.clip) window.clips += 1; });
}"""
# From the node's creation to its first picture of a text of 500 lines: the canvas is not empty any more.
FIRST_PAINT = """async lines => {
  app.graph.clear();
  const line = i => `${(i * 7.1).toFixed(1)} happy ${i % 9}, ${i % 100 / 100}`;
  const text = Array.from({ length: lines }, (_, i) => line(i));
  const began = performance.now();
  const node = LiteGraph.createNode("EADNetEmotionTimeline");
  node.pos = [100, 100];
  app.graph.add(node);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  node.widgets.find(widget => widget.name === "timeline").value = text.join("\\n");
  app.canvas.draw(true, true);
  for (;;) {
    const canvas = document.querySelector(".eadnet-timeline canvas");
    if (canvas?.width > 300) {
      const middle = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      if (middle.some(value => value)) return performance.now() - began;
    }
    if (performance.now() - began > 60000) return -1;
    await new Promise(done => requestAnimationFrame(done));
  }
}"""
# The same node with a plain element of the same size in place of the timeline's, in one colour: what
# the frontend itself takes for a node of this kind. In a page that has made none yet.
PLAIN = """() => {
  app.extensions.find(({ name }) => name === "eadnet.Timeline").nodeCreated = node => {
    if (node.comfyClass !== "EADNetEmotionTimeline") return;
    const element = document.createElement("div"), canvas = document.createElement("canvas");
    element.className = "eadnet-timeline";
    element.style.cssText = "position:relative;width:100%;height:150px;min-height:150px";
    canvas.style.cssText = "display:block;width:100%;height:100%";
    element.append(canvas);
    const high = () => 170;
    const options = { serialize: false, hideOnZoom: false, getMinHeight: high, getMaxHeight: high };
    node.addDOMWidget("plain", "PLAIN", element, { ...options, getValue: () => "" });
    new ResizeObserver(() => {
      if (!canvas.clientWidth) return;
      canvas.width = canvas.clientWidth;
      canvas.height = canvas.clientHeight;
      const paint = canvas.getContext("2d");
      paint.fillStyle = "#1b1d21";
      paint.fillRect(0, 0, canvas.width, canvas.height);
    }).observe(canvas);
    node.setSize([Math.max(node.size[0], 380), Math.max(node.size[1], node.computeSize()[1])]);
  };
}"""
# Takes the graph away that the page began with, whose nodes Nodes 2.0 else takes down in the measured time.
EMPTY = "() => app.graph.clear()"
# An hour's waveform: asked for, and then painted with 500 points.
HOUR = """async ([js, file]) => {
  const { waveOf } = await import(js + "/timeline_sound.js");
  const { paintTimeline } = await import(js + "/timeline_paint.js");
  const { readKeys } = await import(js + "/timeline_text.js");
  const began = performance.now(), wave = await waveOf(file), fetched = performance.now() - began;
  const line = i => `${(i * 7.1).toFixed(1)} happy ${i % 9}, ${i % 100 / 100}`;
  const text = Array.from({ length: 500 }, (_, i) => line(i));
  const canvas = document.createElement("canvas");
  canvas.style.cssText = "width:600px;height:150px";
  document.body.append(canvas);
  const paint = (start, seconds) => {
    const before = performance.now(), keys = readKeys(text.join("\\n"));
    paintTimeline(canvas, { keys, view: { start, seconds }, wave, fade: 0.4, chosen: null, end: 3600 });
    return performance.now() - before;
  };
  const times = [paint(0, 3600), paint(0, 3600), paint(1200, 60)];
  canvas.remove();
  return { seconds: wave.seconds, points: wave.peaks.length, fetched, times };
}"""


def processor_seconds(pid: int) -> float:
    """Of a process and its threads, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def page_seconds(shown: Window) -> float:
    """Processor seconds of the browser's processes for pages, to 0.01 s."""
    session = shown.page.context.browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return float(sum(process["cpuTime"] for process in processes if process["type"] == "renderer"))


def live_view(shown: Window, pid: int, template: str, pairs: int) -> None:
    """Runs of a template by turns with a page that looks and with one that does not."""
    shown.open(ROOT / "workflows" / f"{template}.json")
    shown.page.evaluate(COUNT)
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * pairs + 1):
        looks = (number + number // 2) % 2 == 0  # ABBA, so that a drift falls on both
        assert shown.page.evaluate(LOOKS, looks) == 204
        shown.page.evaluate(SEED, 1000 + number)
        clips, before, clock = (
            shown.page.evaluate("() => window.clips"),
            processor_seconds(pid),
            time.monotonic(),
        )
        shown.run()
        seconds = processor_seconds(pid) - before
        clips = shown.page.evaluate("() => window.clips") - clips
        what = "warm-up" if not number else "looks" if looks else "does not look"
        print(
            f"{template}: {what}: {seconds:.2f} s of processor, "
            f"{time.monotonic() - clock:.1f} s by the clock, {clips} clips",
            flush=True,
        )
        if number:
            spent[looks].append(seconds)
    with_it, without = (statistics.median(spent[looks]) for looks in (True, False))
    print(
        f"{template}: medians {with_it:.2f} and {without:.2f} s: {100 * (with_it / without - 1):+.1f} %",
        flush=True,
    )


def hour_of_sound(path: Path) -> None:
    """One hour, 16 kHz, mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        noise = np.random.default_rng(0).integers(-9000, 9000, 16000 * 60, dtype="<i2")
        for minute in range(60):
            file.writeframes((noise * (0.2 + 0.8 * (minute % 7) / 7)).astype("<i2").tobytes())


def timeline(shown: Window, inputs: Path) -> None:
    for lines in (3, 500):
        times = [shown.page.evaluate(FIRST_PAINT, lines) for _ in range(5)]
        print(
            f"timeline, {lines} lines: from node to picture, ms: {[round(t, 1) for t in times]}", flush=True
        )
    hour_of_sound(inputs / "hour.wav")
    found = shown.page.evaluate(HOUR, [JS, "hour.wav"])
    print(json.dumps({"hour of sound": found}), flush=True)


def first_timeline(url: str, nodes_2: bool, times: int) -> None:
    """The very first timeline of a page, each in a page of its own, by turns with a plain one in its place,
    and both in a page whose first graph is gone.
    """
    taken: dict[tuple[bool, bool], list[tuple[float, float]]] = {}
    kinds = [(plain, empty) for empty in (False, True) for plain in (False, True)]
    for number in range(times):
        for plain, empty in kinds if number % 2 == 0 else reversed(kinds):
            with window(url) as shown:
                shown.page.set_default_timeout(SECONDS * 1000)
                shown.load(nodes_2=nodes_2)
                if plain:
                    shown.page.evaluate(PLAIN)
                if empty:
                    shown.page.evaluate(EMPTY)
                shown.page.wait_for_timeout(1500)
                before = page_seconds(shown)
                painted = shown.page.evaluate(FIRST_PAINT, 3)
                spent = 1000 * (page_seconds(shown) - before)
                taken.setdefault((plain, empty), []).append((painted, spent))
    for (plain, empty), found in taken.items():
        what = ("a plain element" if plain else "ours") + (", in an emptied page" if empty else "")
        painted, spent = (statistics.median(column) for column in zip(*found, strict=True))
        least = min(time for time, _ in found)
        print(
            f"first of a page: {what}: median {painted:.0f}, least {least:.0f} ms by the clock, "
            f"median {spent:.0f} ms of processor, of {times}",
            flush=True,
        )


@contextmanager
def server_of(options: argparse.Namespace) -> Iterator[tuple[str, int, Path]]:
    """Address, process and input folder of a server with the pack: one that runs already, or a new one."""
    if options.server:
        port, pid, inputs = options.server
        yield f"http://127.0.0.1:{port}", int(pid), Path(inputs)
        return
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        comfy = make_comfy(base)
        link_pack(ROOT, comfy.custom_nodes, ours=True)
        if LANDMARKER.is_file():
            faces = base / "models" / "eadnet" / "faces"
            faces.mkdir(parents=True)
            shutil.copyfile(LANDMARKER, faces / "face_landmarker.task")
        arguments = ["--front-end-root", str(frontend_in(options.frontend))] if options.frontend else []
        with Server(comfy, base / "server.log", arguments=arguments) as server:
            yield server.url, server.pid, base / "input"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.measure", description=__doc__)
    parser.add_argument(
        "--pairs", type=int, default=3, help="runs with and without the live view; 0 for none"
    )
    parser.add_argument("--template", action="append", help="templates to run with and without the live view")
    parser.add_argument(
        "--first", type=int, default=0, help="pages in which a first timeline is made, each kind"
    )
    parser.add_argument("--frontend", type=Path, help="folder with another frontend, as EADNET_FRONTEND")
    parser.add_argument("--server", nargs=3, metavar=("PORT", "PID", "INPUT"), help="one that runs already")
    options = parser.parse_args()
    if options.frontend and frontend_in(options.frontend) is None:
        parser.error(f"no frontend in {options.frontend}: {STATIC}/index.html is not there")
    with server_of(options) as (url, pid, inputs):
        if options.first:
            for nodes_2, name in RENDERERS.items():
                print(name, flush=True)
                first_timeline(url, nodes_2, options.first)
        with window(url) as shown:
            shown.page.set_default_timeout(SECONDS * 1000)
            for nodes_2, name in RENDERERS.items():
                shown.load(nodes_2=nodes_2)
                print(name, flush=True)
                timeline(shown, inputs)
            if options.pairs:
                shown.load(nodes_2=False)
                for template in options.template or ("01 Talking portrait", "02 Photo with emotion"):
                    live_view(shown, pid, template, options.pairs)


if __name__ == "__main__":
    main()
