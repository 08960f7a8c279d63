"""Windows and letterboxes: where their pixels come from, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eadnet.faces.short_range import letterboxed, merged
from eadnet.faces.windows import cut, in_picture, is_usable, window_around, window_of_points
from tests.quick import examples


def slope(height: int, width: int) -> torch.Tensor:
    """A picture whose red is x and whose green is y."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)], dim=-1).to(torch.uint8)


@examples(60)
@given(
    st.floats(40, 160), st.floats(40, 110), st.floats(8, 70), st.floats(8, 70), st.floats(-3.1, 3.1)
)  # fmt: skip
def test_a_windows_pixels_come_from_where_its_points_go(
    x: float, y: float, width: float, height: float, angle: float
) -> None:
    window = np.array([x, y, width, height, angle])
    seen = cut(slope(150, 200), window, 64)
    places = np.random.default_rng(0).integers(0, 64, (20, 2))
    shares = np.concatenate([places / 64, np.zeros((20, 1))], axis=1)
    expected = in_picture(shares, window)[:, :2]
    rows, columns = places[:, 1], places[:, 0]
    found = np.stack([seen[0, rows, columns].numpy(), seen[1, rows, columns].numpy()], axis=1)
    inside = (expected >= 0).all(axis=1) & (expected <= [199, 149]).all(axis=1)
    assert np.abs(found - expected)[inside].max(initial=0) <= 0.52


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    picture = torch.full((10, 10, 3), 50, dtype=torch.uint8)
    picture[:, -1] = 200
    seen = cut(picture, np.array([40.0, 5.0, 20.0, 20.0, 0.0]), 16)
    assert (seen == 200).all()


def test_the_window_shows_the_eyes_level_and_has_room() -> None:
    window = window_around(np.array([10.0, 20, 50, 80]), np.array([20.0, 40]), np.array([40.0, 60]))
    np.testing.assert_allclose(window, [30, 50, 60, 90, np.pi / 4])
    mesh = np.zeros((478, 3))
    mesh[263], mesh[10], mesh[152] = [30, 0, 0], [15, -20, 0], [15, 40, 0]
    np.testing.assert_allclose(window_of_points(mesh), [15, 10, 90, 90, 0])
    assert is_usable(window) and not is_usable(window * np.nan) and not is_usable(window * 0)


@pytest.mark.parametrize("size", [(128, 128), (64, 200), (333, 70), (1, 1), (1, 500)])
def test_a_letterboxed_picture_is_whole_centred_and_black_beside_it(size: tuple[int, int]) -> None:
    height, width = size
    seen = letterboxed(torch.full((2, *size, 3), 255, dtype=torch.uint8))
    assert seen.shape == (2, 3, 128, 128)
    lit = (seen[0, 0] > 0).float()
    side = max(size)
    assert seen.min() >= -1 and seen.max() <= 1
    if min(size) > 1:  # a line of one pixel lies between two of the result
        np.testing.assert_allclose(lit.mean() * side**2, height * width, rtol=0.1, atol=side**2 / 100)
        assert (seen[:, :, 64, 64] == 1).all()


def test_letterboxed_places_follow_the_picture() -> None:
    seen = letterboxed(slope(100, 200)[None])[0] * 127.5 + 127.5
    across = torch.arange(128) * 200 / 128
    np.testing.assert_allclose(seen[0, 64], across.numpy(), atol=0.52)
    assert abs(float(seen[1, 64, 10]) - 50) < 1  # the middle row is the picture's
    assert (seen[:2, 5] == 0).all() and (seen[:2, 120] == 0).all()


def rows(*faces: tuple[float, float, float, float]) -> np.ndarray:
    """Detections (left, top, side, score) with all their points at the box's corner."""
    return np.array([[x, y, x + side, y + side, *[x, y] * 6, score] for x, y, side, score in faces])


def test_detections_of_one_face_become_their_mean_weighted_by_the_scores() -> None:
    found = merged(rows((0, 0, 10, 0.5), (1, 1, 10, 0.9), (100, 0, 10, 0.7)))
    assert [row[16] for row in found] == [0.9, 0.7]
    np.testing.assert_allclose(found[0, :2], 0.9 / 1.4)
    np.testing.assert_allclose(found[1, :4], [100, 0, 110, 10])


@examples(50)
@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 40), st.floats(0.5, 1)), max_size=12)
)
def test_merging_keeps_to_the_boxes_and_gives_the_surest_first(
    faces: list[tuple[float, float, float, float]],
) -> None:
    found = merged(rows(*faces)) if faces else merged(np.zeros((0, 17)))
    assert len(found) <= len(faces) and bool(len(found)) == bool(faces)
    assert (np.diff(found[:, 16]) <= 0).all()
    assert found.size == 0 or (found[:, :4].min() >= 0 and found[:, :4].max() <= 90)


def test_boxes_without_area_are_faces_of_their_own() -> None:
    assert len(merged(rows((5, 5, 0, 0.9), (5, 5, 0, 0.8)))) == 2
