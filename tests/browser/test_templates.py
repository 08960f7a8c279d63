"""Templates in a real browser: nothing missing, large enough to be read, the result in view."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.window import RUN_SECONDS, SECONDS, SMALL, WHOLE, Window
from tests.comfy.test_templates import LANDMARKER, NEEDS_LANDMARKER
from tests.in_comfy import ROOT
from tests.nodes.test_saved_workflows import is_api, workflows
from tools.templates.pages import PAGES, Page

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
GRAPHS = [page for page in PAGES if not page.opens_as_app]
LEAST_ZOOM = 0.6
LEAST_ZOOM_IN_SMALL = 0.5
LEAST_UNCOVERED = 0.9  # of a film: the page's own map may lie on a corner of it
SOCKETS = "EADNET_RIG"
# Whether a node says what it is making, and whether a film of the graph's nodes can be played.
MAKING = """() => {
  return [...document.querySelectorAll(".eadnet-live")].some(view => view.innerText.includes(" left"));
}"""
# Run with a seed of its own: what the server has made before is not made again.
ANEW = """seed => {
  const node = app.graph.nodes.find(node => node.type === "EADNetRenderVideo");
  node.widgets.find(widget => widget.name === "seed").value = seed;
  app.queuePrompt(0, 1);
}"""
FILMS = """() => [...document.querySelectorAll("video")].some(film => film.readyState >= 2)"""


__all__ = ["workflows"]  # a fixture


def path_of(page: Page) -> Path:
    return ROOT / "workflows" / f"{page.name}.json"


def result_of(page: Page) -> int:
    """The node that shows the finished film."""
    nodes = json.loads(path_of(page).read_text(encoding="utf-8"))["nodes"]
    kinds = {node["type"]: node["id"] for node in nodes}
    return int(kinds.get("SaveVideo") or kinds["EADNetRenderVideo"])


@pytest.fixture
def small(shown: Window) -> Iterator[Window]:
    """The window, smaller for one test."""
    shown.resize(SMALL)
    yield shown
    shown.resize(WHOLE)


def name_of(request: pytest.FixtureRequest) -> str:
    """The test's own name, as that of a file."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)


@pytest.mark.parametrize("page", GRAPHS, ids=lambda page: page.name)
def test_it_opens_whole_and_readable(
    shown: Window, page: Page, screenshots: Path, request: pytest.FixtureRequest
) -> None:
    shown.open(path_of(page))
    shown.picture(screenshots / f"{name_of(request)}.png")
    boxes = shown.boxes()
    assert shown.missing() == []
    assert shown.zoom() >= LEAST_ZOOM
    assert boxes.overlapping() == []
    assert boxes.outside() == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.opens_as_app], ids=lambda page: page.name)
def test_an_app_opens(shown: Window, page: Page) -> None:
    """As a graph where the frontend has no apps."""
    shown.open(path_of(page))
    assert shown.missing() == []


@pytest.mark.parametrize("page", GRAPHS, ids=lambda page: page.name)
def test_in_a_small_window_the_result_is_in_view(
    small: Window, page: Page, screenshots: Path, request: pytest.FixtureRequest
) -> None:
    small.open(path_of(page))
    small.picture(screenshots / f"{name_of(request)}.png")
    left, top, right, _ = small.on_screen(result_of(page))
    assert left >= 0 and top >= 0 and right <= SMALL[0]
    assert small.zoom() >= LEAST_ZOOM_IN_SMALL


@pytest.mark.parametrize("page", GRAPHS, ids=lambda page: page.name)
def test_after_run_the_film_is_in_view_and_nothing_lies_on_anything(
    shown: Window, page: Page, screenshots: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if page.workflow in NEEDS_LANDMARKER and not LANDMARKER.is_file():
        pytest.skip("needs MediaPipe's face landmarker in ../shared/models")
    result = result_of(page)
    path = tmp_path / f"{page.name}.json"
    graph = json.loads(path_of(page).read_text(encoding="utf-8"))
    path.write_text(json.dumps(with_mini(graph)), encoding="utf-8")
    shown.open(path)
    shown.run()
    shown.wait_for_film(result)
    shown.pictures(screenshots / f"{name_of(request)}.png")
    assert shown.players(result) == 1
    left, top, right, _ = shown.on_screen(result)
    assert left >= 0 and top >= 0 and right <= shown.page.viewport_size["width"]
    assert shown.uncovered(result) >= LEAST_UNCOVERED
    boxes = shown.boxes()
    assert boxes.overlapping() == []
    assert boxes.outside() == []


def with_mini(graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with the bundled `mini` in the place of LatentSync's weights, whose loader becomes `mini`'s
    where it lies; Stable Diffusion's autoencoder stays where it is and feeds nothing.
    """
    loader = next((node for node in graph["nodes"] if node["type"] == "EADNetLatentSyncLoader"), None)
    if loader is None:
        return graph
    autoencoders = {node["id"] for node in graph["nodes"] if node["type"] == "VAELoader"}
    decoded = [link for link in graph["links"] if link[1] in autoencoders]
    for link in decoded:
        link[1:3] = [loader["id"], 3]
    for node in graph["nodes"]:
        if node["id"] in autoencoders:
            node["outputs"][0]["links"] = None
            node["properties"].pop("models", None)  # what the page asks for in a dialog
        elif node["type"] in ("EADNetSampler", "EADNetRenderVideo"):
            node["widgets_values"][2] = 2  # steps
    names = ("text_encoder:EADNET_TEXT_ENCODER", "vae:VAE", "tfrm:EADNET_TFRM", "syncnet:EADNET_SYNCNET")
    more = [dict(zip(("name", "type"), name.split(":"), strict=True), links=None) for name in names]
    loader["outputs"] += more
    loader["outputs"][3]["links"] = [link[0] for link in decoded]
    loader |= {"type": "EADNetCheckpointLoader", "widgets_values": ["mini.safetensors", "default"]}
    loader |= {"inputs": [], "properties": {"Node name for S&R": "EADNetCheckpointLoader"}}
    return graph


def test_a_page_that_is_loaded_anew_in_mid_run_shows_the_film(
    shown: Window, screenshots: Path, request: pytest.FixtureRequest
) -> None:
    shown.open(path_of(GRAPHS[0]))
    shown.page.evaluate(ANEW, time.time_ns() % 2**31)
    shown.page.wait_for_function(MAKING, timeout=RUN_SECONDS * 1000)
    shown.pictures(screenshots / f"{name_of(request)}-working.png")
    shown.page.reload(timeout=SECONDS * 1000)
    shown.wait()
    shown.picture(screenshots / f"{name_of(request)}.png")
    shown.page.wait_for_function(FILMS, timeout=RUN_SECONDS * 1000)
    assert shown.complaints == []


def test_our_sockets_have_colours_of_their_own(shown: Window) -> None:
    shown.open(path_of(GRAPHS[1]))
    colours = shown.page.evaluate("() => app.canvas.default_connection_color_byType")
    ours = [colour for kind, colour in colours.items() if kind.startswith("EADNET_") and "," not in kind]
    assert len(set(filter(None, ours))) >= 10
    style = f"getComputedStyle(document.body).getPropertyValue('--color-datatype-{SOCKETS}')"
    assert shown.page.evaluate(style).strip() == colours[SOCKETS]


def test_workflows_of_earlier_versions_load(
    shown: Window, workflows: list[tuple[str, Any]], tmp_path: Path
) -> None:
    newest: dict[str, Any] = {}
    for name, graph in workflows:
        newest.setdefault(name.split(".json")[0], graph)
    for name, graph in newest.items():
        if "/" not in name and not is_api(f"{name}.json"):
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(graph), encoding="utf-8")
            shown.open(path)
            assert shown.missing() == [], name


def test_a_node_that_no_longer_exists_costs_itself_alone(shown: Window, tmp_path: Path) -> None:
    graph = json.loads(path_of(GRAPHS[1]).read_text(encoding="utf-8"))
    (gone,) = (node for node in graph["nodes"] if node["type"] == "EADNetExpressionFromSpeech")
    gone["type"] = gone["properties"]["Node name for S&R"] = "EADNetGone"
    path = tmp_path / "gone.json"
    path.write_text(json.dumps(graph), encoding="utf-8")
    shown.open(path)
    assert shown.missing() == ["EADNetGone"]
    assert len(shown.boxes().nodes) == len(graph["nodes"])
    shown.close_dialogs()


def test_nothing_of_ours_was_complained_about(shown: Window) -> None:
    """By the end of all that: errors in the console, and files that were asked for and are not there."""
    assert shown.complaints == []
