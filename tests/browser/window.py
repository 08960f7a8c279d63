"""A window of a real browser on a running ComfyUI: opens templates, measures what it shows, presses Run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.browser import installed_browser
from tools.comfyui import LINK

RUN_SECONDS = 600.0
SECONDS = 240.0  # a page with a cold cache, on a busy machine
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
KNOWN_NODE = "EADNetRenderRig"
WHOLE, SMALL = (1400, 840), (1280, 720)  # the window's size in pixels, unless a test makes it smaller
NODES_2 = "Comfy.VueNodes.Enabled"
# As a newcomer's page is. The newest frontend opens this panel with an error and keeps it open from then on,
# over the right fifth of the window.
CLOSED_PANEL = "Comfy.RightSidePanel.IsOpen"

# Boxes in the graph's own units: [left, top, right, bottom], with titles. Nodes 2.0 draws nodes as elements.
BOXES = """() => {
  const { canvas, graph } = app;
  const view = canvas.canvas.getBoundingClientRect(), { scale, offset } = canvas.ds;
  const nodes = {};
  for (const node of graph.nodes) {
    const drawn = document.querySelector(`[data-node-id="${node.id}"]`);
    if (drawn) {
      const box = drawn.getBoundingClientRect();
      const x = v => (v - view.left) / scale - offset[0], y = v => (v - view.top) / scale - offset[1];
      nodes[node.id] = [x(box.left), y(box.top), x(box.right), y(box.bottom)];
    } else {
      const [left, top] = node.pos, [width, height] = node.size;
      nodes[node.id] = [left, top - 30, left + width, top + height];
    }
  }
  const groups = graph.groups.map(g => [g.pos[0], g.pos[1], g.pos[0] + g.size[0], g.pos[1] + g.size[1]]);
  return { nodes, groups };
}"""
# Where a node is on the screen: [left, top, right, bottom] in the window's pixels.
ON_SCREEN = """id => {
  const { canvas, graph } = app, node = graph.getNodeById(id), { scale, offset } = canvas.ds;
  const drawn = document.querySelector(`[data-node-id="${id}"]`);
  if (drawn) { const b = drawn.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }
  const view = canvas.canvas.getBoundingClientRect();
  const x = v => (v + offset[0]) * scale + view.left, y = v => (v + offset[1]) * scale + view.top;
  return [x(node.pos[0]), y(node.pos[1] - 30), x(node.pos[0] + node.size[0]), y(node.pos[1] + node.size[1])];
}"""
OPEN = """async ([graph, name]) => {
  await app.loadGraphData(graph, true, true, name, { openSource: "template" });
}"""
DIALOG = "[role=dialog][aria-modal=true]"
# Queue the graph, as Run does, and wait for its end: "" or what went wrong.
RUN = """() => new Promise(done => {
  const api = app.api ?? window.comfyAPI.api.api;
  api.addEventListener("execution_success", () => done(""), { once: true });
  api.addEventListener("execution_error", e => done(e.detail.exception_message), { once: true });
  app.queuePrompt(0, 1);
})"""
# Players whose middle lies in a box of the window, and that have a picture.
PLAYERS = """([left, top, right, bottom]) => [...document.querySelectorAll("video")].filter(video => {
  const box = video.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
  return video.readyState >= 2 && box.width > 0 && x > left && x < right && y > top && y < bottom;
}).length"""
# How much of the film in a box of the window nothing else of the page lies on, by points of its picture.
UNCOVERED = """([left, top, right, bottom]) => {
  const film = [...document.querySelectorAll("video")].find(video => {
    const box = video.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    return video.readyState >= 2 && box.width > 0 && x > left && x < right && y > top && y < bottom;
  });
  const node = film.closest("[data-node-id], .dom-widget") ?? film.parentElement;
  const box = film.getBoundingClientRect(), steps = 12;
  let seen = 0;
  for (let row = 0; row < steps; row++) for (let column = 0; column < steps; column++) {
    const x = box.left + (column + 0.5) / steps * box.width, y = box.top + (row + 0.5) / steps * box.height;
    const first = document.elementFromPoint(x, y);
    seen += Boolean(first && (first === app.canvas.canvas || first.contains(film) || node.contains(first)));
  }
  return seen / steps ** 2;
}"""
# Nodes [class, left, top] with ids of their own: Nodes 2.0 of the oldest frontend moves no node from outside,
# and knows how high an earlier one of the same id was. Looked at beside and below the page's own bars.
NODES = """([nodes, scale, first]) => {
  app.graph.clear();
  nodes.forEach(([name, left, top], index) => {
    const node = LiteGraph.createNode(name);
    node.id = first + index;
    node.pos = [left, top + 30];
    app.graph.add(node);
  });
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [70 / scale, 135 / scale];
  app.canvas.setDirty(true, true);
}"""
MISSING = "() => app.graph.nodes.filter(n => !LiteGraph.registered_node_types[n.type]).map(n => n.type)"


@dataclass(frozen=True)
class Boxes:
    """Where nodes (by id) and groups lie, in the graph's units."""

    nodes: dict[int, tuple[float, ...]]
    groups: list[tuple[float, ...]]

    def overlapping(self, slack: float = 1.0) -> list[tuple[int, int]]:
        """Pairs of nodes that lie on each other."""
        items = sorted(self.nodes.items())
        return [
            (first, second)
            for index, (second, b) in enumerate(items)
            for first, a in items[:index]
            if min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack
        ]

    def outside(self, slack: float = 1.0) -> list[int]:
        """Nodes that are in no group with their whole area."""
        return [
            number
            for number, n in self.nodes.items()
            if not any(
                g[0] - slack <= n[0]
                and g[1] - slack <= n[1]
                and n[2] <= g[2] + slack
                and n[3] <= g[3] + slack
                for g in self.groups
            )
        ]


class Window:
    """A page of ComfyUI in a browser."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self._ids = 1000
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("response", self._answered)

    def _heard(self, message: Any) -> None:
        where = message.location.get("url", "")
        ours = LINK in where or "EADNet" in message.text
        if (
            message.type == "error" and ours and "api.comfy.org" not in message.text
        ):  # the page asks there itself
            self.complaints.append(f"console: {message.text} ({where})")

    def _answered(self, response: Any) -> None:
        if response.status >= 400 and (LINK in response.url or "ead-net" in response.url):
            self.complaints.append(f"{response.status}: {response.url}")

    def load(self, nodes_2: bool) -> None:
        """Load the page with the renderer of this choice."""
        settings = {NODES_2: nodes_2, CLOSED_PANEL: False}
        settings |= {"Comfy.TutorialCompleted": True, "Comfy.Graph.CanvasInfo": False}
        self.page.request.post(f"{self.url}/api/settings", data=settings)
        self.page.goto(self.url, timeout=SECONDS * 1000)
        self.wait()

    def wait(self) -> None:
        """Until the page knows our nodes."""
        known = f"window.LiteGraph?.registered_node_types['{KNOWN_NODE}'] && window.app?.graph"
        self.page.wait_for_function(known, timeout=SECONDS * 1000)
        self.page.wait_for_timeout(2000)

    def open(self, path: Path) -> None:
        """Open a workflow as the gallery does, without the dialogs of the one before."""
        self.close_dialogs()
        graph = json.loads(path.read_text(encoding="utf-8"))
        self.page.evaluate(OPEN, [graph, path.stem])
        self.page.wait_for_timeout(1500)

    def close_dialogs(self) -> None:
        """What the page says of a workflow's missing models, for one."""
        for _ in range(3):
            if self.page.locator(DIALOG).count():
                self.page.keyboard.press("Escape")
                self.page.wait_for_timeout(300)

    def resize(self, size: tuple[int, int]) -> None:
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.wait_for_timeout(500)

    def nodes(self, places: Sequence[tuple[str, float, float]], scale: float) -> list[int]:
        """Open a node of each class, its box's top left corner at a place; their ids."""
        self._ids += 1000
        self.page.evaluate(NODES, [[list(place) for place in places], scale, self._ids])
        self.page.wait_for_timeout(2500)
        return [self._ids + index for index in range(len(places))]

    def zoom(self) -> float:
        return float(self.page.evaluate("() => app.canvas.ds.scale"))

    def boxes(self) -> Boxes:
        found = self.page.evaluate(BOXES)
        return Boxes(
            {int(k): tuple(v) for k, v in found["nodes"].items()}, [tuple(g) for g in found["groups"]]
        )

    def on_screen(self, node: int) -> tuple[float, ...]:
        return tuple(self.page.evaluate(ON_SCREEN, node))

    def missing(self) -> list[str]:
        return list(self.page.evaluate(MISSING))

    def run(self) -> None:
        """Press Run and wait for the end. RuntimeError with what the server said when it failed."""
        self.page.set_default_timeout(RUN_SECONDS * 1000)
        if problem := self.page.evaluate(RUN):
            raise RuntimeError(problem)
        self.page.wait_for_timeout(2000)

    def players(self, node: int) -> int:
        """How many films can be seen in a node."""
        return int(self.page.evaluate(PLAYERS, list(self.on_screen(node))))

    def uncovered(self, node: int) -> float:
        """The share of the film in a node on which nothing else of the page lies, 0 to 1."""
        return float(self.page.evaluate(UNCOVERED, list(self.on_screen(node))))

    def wait_for_film(self, node: int) -> None:
        """Until a film can be seen in a node, which a busy page shows some time after the run."""
        seen = f"box => ({PLAYERS})(box) > 0"
        self.page.wait_for_function(seen, arg=list(self.on_screen(node)), timeout=SECONDS * 1000)

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))

    def pictures(self, path: Path) -> None:
        """The same view in the large and in the small window."""
        self.picture(path)
        self.resize(SMALL)
        self.picture(path.with_name(f"{path.stem}-small{path.suffix}"))
        self.resize(WHOLE)


@contextmanager
def window(url: str, size: tuple[int, int] = WHOLE) -> Iterator[Window]:
    """A browser with one page, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed_browser(), args=list(SWITCHES))
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            yield Window(page, url)
        finally:
            browser.close()
