"""One node of each kind, as the search adds it: drawn whole, in both renderers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.window import Window
from tests.in_comfy import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
NAMES = sorted(json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8")))
SCALE, PLANE = 0.6, (2150.0, 1150.0)  # what a window of 1400 x 840 shows at that scale
GAP = 40.0
Place = tuple[str, float, float]  # class, left, top


def sheets(sizes: dict[str, tuple[float, float]]) -> list[list[Place]]:
    """Places of nodes of these sizes, column by column, on as many sheets as they need."""
    made: list[list[Place]] = [[]]
    left, top, widest = 0.0, 0.0, 0.0
    for name, (width, height) in sizes.items():
        if top and top + height > PLANE[1]:
            left, top, widest = left + widest + GAP, 0.0, 0.0
        if left and left + width > PLANE[0]:
            made.append([])
            left, top, widest = 0.0, 0.0, 0.0
        made[-1].append((name, left, top))
        top, widest = top + height + GAP, max(widest, width)
    return made


def drawn(shown: Window, places: list[Place]) -> dict[str, tuple[float, float]]:
    """Open nodes at places; their sizes."""
    ids = shown.nodes(places, SCALE)
    boxes = shown.boxes().nodes
    assert sorted(boxes) == ids
    found = zip(places, (boxes[number] for number in ids), strict=True)
    return {name: (b[2] - b[0], b[3] - b[1]) for (name, _, _), b in found}


def test_a_node_of_each_kind_is_drawn(shown: Window, screenshots: Path, combination: str) -> None:
    sizes = drawn(shown, [(name, 2000.0 * index, 100.0) for index, name in enumerate(NAMES)])
    assert all(width >= 200 and height >= 50 for width, height in sizes.values())
    for sheet in sheets(sizes):  # nodes grow when they come into view
        sizes |= drawn(shown, sheet)
    for number, sheet in enumerate(sheets(sizes)):
        drawn(shown, sheet)
        shown.pictures(screenshots / f"{combination}-nodes-{number}.png")
        assert shown.boxes().overlapping() == []
    assert shown.complaints == []
