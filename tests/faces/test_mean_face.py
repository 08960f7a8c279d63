"""A whole mesh from few points, and from a mesh without depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from eadnet.errors import InputError
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.mean_face import FIVE, NAMED, mean_face, mesh_at, whole_mesh
from tests.golden_landmarks import GOLDEN
from tests.quick import examples


def turned(yaw: float, pitch: float, roll: float, scale: float = 100.0) -> np.ndarray:
    """The mean face [478, 3] in pixels, turned by angles in degrees, at (300, 200)."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    result: np.ndarray = mean_face() @ (about_z @ about_x @ about_y).T * scale + [300, 200, 0]
    return result


def named(mesh: np.ndarray, *names: str) -> dict[str, np.ndarray]:
    return {name: mesh[list(NAMED[name]), :2].mean(axis=0) for name in names}


def test_the_mean_face_is_a_face() -> None:
    face = mean_face()
    assert face.shape == (478, 3) and np.isfinite(face).all()
    right, left = (face[list(NAMED[f"{side} eye"])].mean(axis=0) for side in ("right", "left"))
    np.testing.assert_allclose([*right, *left], [-0.5, 0, 0, 0.5, 0, 0], atol=0.02)
    assert face[4, 2] < face[152, 2] < face[[234, 454], 2].min(), "the nose is nearest, the ears farthest"
    assert face[10, 1] < 0 < face[4, 1] < face[0, 1] < face[17, 1] < face[152, 1]
    np.testing.assert_allclose(face[33] * [-1, 1, 1], face[263], atol=1e-3)


@examples(40)
@given(st.floats(-30, 30), st.floats(-20, 20), st.floats(-180, 180), st.floats(20, 900))
def test_five_points_of_a_turned_mean_face_give_it_back(
    yaw: float, pitch: float, roll: float, scale: float
) -> None:
    mesh = turned(yaw, pitch, roll, scale)
    found = mesh_at(named(mesh, *FIVE))
    assert found.shape == (478, 3) and found.dtype == np.float32
    assert np.linalg.norm(found[:, :2] - mesh[:, :2], axis=1).mean() < 0.03 * scale


def test_the_mesh_passes_through_every_point_that_is_given() -> None:
    mesh = turned(15, 5, 20)
    points = named(mesh, *NAMED)
    for number, point in enumerate(points.values()):
        point += np.array([np.sin(number), np.cos(number)]) * 6
    found = mesh_at(points)
    face = face_from_mesh(found[:, :2])
    np.testing.assert_allclose(face.points, [points[name] for name in FIVE], atol=0.2)
    for name in list(NAMED)[5:]:
        np.testing.assert_allclose(found[list(NAMED[name]), :2].mean(axis=0), points[name], atol=0.2)


def test_a_drawn_head_by_five_points_is_near_to_what_the_landmarker_sees() -> None:
    mesh = load_file(GOLDEN)["portrait.points"]
    found = mesh_at(named(mesh, *FIVE))
    eyes = float(np.linalg.norm(np.subtract(*named(mesh, "right eye", "left eye").values())))
    assert np.linalg.norm(found[:, :2] - mesh[:, :2], axis=1).mean() < 0.1 * eyes
    more = mesh_at(named(mesh, *NAMED))
    assert np.linalg.norm(more[:, :2] - mesh[:, :2], axis=1).mean() < 0.05 * eyes


@pytest.mark.parametrize("count", [468, 478])
def test_a_mesh_gets_irises_and_depth(count: int) -> None:
    mesh = turned(20, -10, 30)
    found = whole_mesh(mesh[:count, :2])
    np.testing.assert_allclose(found[:count, :2], mesh[:count, :2], atol=1e-3)
    assert np.linalg.norm(found[468:, :2] - mesh[468:, :2], axis=1).max() < 1.5
    depth = mesh[:, 2] - mesh[:, 2].mean()
    assert np.abs(found[:, 2] - found[:, 2].mean() - depth).max() < 3
    np.testing.assert_allclose(whole_mesh(mesh[:count])[:count], mesh[:count], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nose": (1, 1)}, "'nose' is none of them"),
        ({"nose tip": None}, "'nose tip' is missing"),
        ({"nose tip": (np.nan, 1)}, "not finite"),
        (dict.fromkeys(FIVE, (5, 5)), "coincide"),
        ({name: (10 * n, 20 * n) for n, name in enumerate(FIVE)}, "lie on one line"),
    ],
)
def test_points_that_are_no_face_are_refused(change: dict[str, object], words: str) -> None:
    points: dict[str, object] = {**named(turned(0, 0, 0), *FIVE), **change}
    points = {name: point for name, point in points.items() if point is not None}
    with pytest.raises(InputError, match=words):
        mesh_at(points)  # type: ignore[arg-type]


def test_another_mesh_is_refused() -> None:
    with pytest.raises(InputError, match="use 468 or 478 points"):
        whole_mesh(np.zeros((68, 2)))
