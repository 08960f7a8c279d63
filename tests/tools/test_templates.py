"""Templates can be read when they open: sizes alone, without a browser (`tests/browser` has one)."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eadnet.downloads import SD_VAE
from eadnet.faces.detectors.manual import parse_face
from eadnet.faces.framing import PORTRAIT_TEMPLATE
from tools.templates.__main__ import written
from tools.templates.kinds import ROOT, kinds
from tools.templates.layout import TITLE, Column, Group, arranged
from tools.templates.pages import PAGES, Page

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# What frontend 1.58 makes of a template in a window of 1400 x 840: three quarters of what would fill it.
CANVAS, SHARE = (1400 - 55, 840 - 38), 0.75
LEAST_ZOOM = 0.6


def load(page: Page) -> Any:
    return json.loads((ROOT / "workflows" / f"{page.name}.json").read_text(encoding="utf-8"))


def box(node: Any) -> tuple[float, float, float, float]:
    """Left, top, right, bottom with the title."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def around(boxes: list[tuple[float, float, float, float]]) -> tuple[float, float]:
    """Width and height of them all."""
    return (
        max(b[2] for b in boxes) - min(b[0] for b in boxes),
        max(b[3] for b in boxes) - min(b[1] for b in boxes),
    )


def test_the_files_are_as_they_would_be_written() -> None:
    """Otherwise: python -m tools.templates"""
    stale = [path.name for path, text in written() if path.read_text(encoding="utf-8") != text]
    assert stale == []


@every_page
def test_it_opens_large_enough_to_be_read(page: Page) -> None:
    width, height = around([box(node) for node in load(page)["nodes"]])
    assert min(CANVAS[0] / width, CANVAS[1] / height) * SHARE >= LEAST_ZOOM


@every_page
def test_nothing_lies_on_anything_and_everything_is_in_a_group(page: Page) -> None:
    graph = load(page)
    boxes = {node["id"]: box(node) for node in graph["nodes"]}
    for a, b in combinations(boxes.values(), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    groups = [(x, y, x + w, y + h) for x, y, w, h in (group["bounding"] for group in graph["groups"])]
    for a in boxes.values():
        inside = [g for g in groups if g[0] <= a[0] and g[1] <= a[1] and g[2] >= a[2] and g[3] >= a[3]]
        assert len(inside) == 1


@every_page
def test_the_result_is_at_the_top_beside_the_work(page: Page) -> None:
    graph = load(page)
    shown = next(
        node for kind in ("SaveVideo", "EADNetRenderVideo") for node in graph["nodes"] if node["type"] == kind
    )
    assert shown["pos"][1] == 0 and shown["size"][1] >= 400
    if shown["type"] == "SaveVideo" and page.workflow != "ablation_side_by_side":
        # Nodes 2.0 of 1.32 draws a square film as wide as the node; below lies the next node.
        assert shown["size"][1] >= shown["size"][0] + 190


@every_page
def test_its_notes_are_few_and_short(page: Page) -> None:
    assert 2 <= len(page.notes) <= 4
    assert all(len(note.text) <= 260 and len(note.title) <= 30 for note in page.notes.values())


@every_page
def test_what_a_person_changes_is_green(page: Page) -> None:
    nodes = {node["id"]: node for node in load(page)["nodes"]}
    assert page.yours and all(nodes[number]["color"] == "#2a4d33" for number in page.yours)


@every_page
def test_a_face_entered_by_hand_lies_where_the_examples_face_is(page: Page) -> None:
    """The example is drawn as its model was trained on heads: a box elsewhere ruins the mouth."""
    path = ROOT / "workflows" / "api" / f"{page.workflow}.json"
    boxes = [node["inputs"].get("manual") for node in json.loads(path.read_text(encoding="utf-8")).values()]
    for box in filter(None, boxes):
        away = parse_face(box).points - 128 * np.array(PORTRAIT_TEMPLATE)
        assert np.linalg.norm(away, axis=1).max() < 3  # pixels


def test_names_sort_as_a_person_learns() -> None:
    names = [page.name for page in PAGES]
    assert names == sorted(names)
    assert all(name[:2].isdigit() and name[2] == " " and "_" not in name for name in names)


def test_an_app_names_widgets_and_a_result_that_exist() -> None:
    for page in PAGES:
        graph = load(page)
        if page.result is None:
            assert "linearData" not in graph["extra"]
            continue
        nodes = {node["id"]: node["type"] for node in graph["nodes"]}
        for node, widget in graph["extra"]["linearData"]["inputs"]:
            assert widget in [part.name for part in kinds()[nodes[node]].widgets]
        assert graph["extra"]["linearData"]["outputs"] == [page.result]
        assert graph["extra"]["linearMode"] == page.name.endswith("(app)")


def test_columns_end_at_one_height_where_a_part_may_grow() -> None:
    left, right = Column(100, (1, 2), 2), Column(200, (3,))
    made = arranged((Group("a", (left, right)),), {1: 50, 2: 60, 3: 300})
    assert made.parts[1].height == 50
    assert made.parts[2].top + made.parts[2].height == made.parts[3].height == 300
    assert made.parts[3].left > made.parts[1].left + 100


def blueprints() -> list[Path]:
    return sorted((ROOT / "subgraphs").glob("*.json"))


@pytest.mark.parametrize("path", blueprints(), ids=lambda path: path.stem)
def test_a_blueprint_is_one_node_whose_links_are_consistent(path: Path) -> None:
    graph = json.loads(path.read_text(encoding="utf-8"))
    (node,), (inside,) = graph["nodes"], graph["definitions"]["subgraphs"]
    assert node["type"] == inside["id"] and node["title"] == inside["name"] == path.stem
    assert [part["name"] for part in node["inputs"]] == [part["name"] for part in inside["inputs"]]
    nodes = {part["id"]: part for part in inside["nodes"]}
    for link in inside["links"]:
        if link["origin_id"] == inside["inputNode"]["id"]:
            assert link["id"] in inside["inputs"][link["origin_slot"]]["linkIds"]
        else:
            assert link["id"] in nodes[link["origin_id"]]["outputs"][link["origin_slot"]]["links"]
        if link["target_id"] == inside["outputNode"]["id"]:
            assert link["id"] in inside["outputs"][link["target_slot"]]["linkIds"]
        else:
            assert nodes[link["target_id"]]["inputs"][link["target_slot"]]["link"] == link["id"]
    assert all(part["linkIds"] for part in (*inside["inputs"], *inside["outputs"]))


def test_what_a_browser_can_download_it_offers() -> None:
    """The frontend looks for `properties.models` of nodes whose file is missing."""
    loads = [node for page in PAGES for node in load(page)["nodes"] if node["type"] == "VAELoader"]
    assert len(loads) >= 2
    for node in loads:
        (model,) = node["properties"]["models"]
        assert model == {"name": SD_VAE.file, "url": SD_VAE.url, "directory": "vae"}
        assert node["widgets_values"] == [SD_VAE.file]
