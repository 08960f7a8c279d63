"""Pictures of the gallery: of every template, of what it made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.gallery import SIDE, WORDS, graphs_of_films, write
from tests.in_comfy import ROOT
from tools.templates.pages import PAGES, Page


def test_every_template_has_words() -> None:
    assert set(WORDS) == {page.workflow for page in PAGES}


def test_graphs_of_films_need_what_is_bundled_alone(tmp_path: Path) -> None:
    graphs_of_films(tmp_path)
    graphs = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.json")}
    assert set(graphs) == set(WORDS)
    for graph in graphs.values():
        kinds = {node["class_type"] for node in graph.values()}
        assert not kinds & {"EADNetLatentSyncLoader", "VAELoader"}
        for node in graph.values():
            assert all(value[0] in graph for value in node["inputs"].values() if isinstance(value, list))


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [None, np.full((3, 40, 60, 3), 255, np.uint8)], ids=["alone", "with its source"]
)
def test_a_picture_is_square_moves_and_is_small(tmp_path: Path, source: np.ndarray | None) -> None:
    frames = np.stack([np.full((32, 48, 3), 10 * number, np.uint8) for number in range(20)])
    write(frames, "words", tmp_path / "picture.jpg", source)
    with Image.open(tmp_path / "picture.jpg") as picture:
        assert picture.size == (SIDE, SIDE) and picture.n_frames == 5  # type: ignore[attr-defined]
        corner = picture.convert("RGB").getpixel((SIDE - 40, 40))
    assert (corner == (255, 255, 255)) == (source is not None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_gallery_has_a_moving_square_picture_of_every_template(page: Page) -> None:
    path = ROOT / "workflows" / f"{page.name}.jpg"
    with Image.open(path) as picture:
        assert picture.format == "WEBP" and picture.width == picture.height >= 400
        assert picture.n_frames > 5  # type: ignore[attr-defined]
    assert path.stat().st_size < 150_000
