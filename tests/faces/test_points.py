"""Brows and nose from a detector's five points."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.faces.points import alignment_points

# Of the canonical face, in its own units: eyes, tip of the nose, ends of the mouth; and what is looked for.
FIVE = np.array(
    [[-3.16, 2.63, 3.65], [3.16, 2.63, 3.65], [0, -0.46, 7.59], [-2.46, -4.34, 4.28], [2.46, -4.34, 4.28]]
)
THREE = np.array([[-3.77, 4.86, 4.28], [3.77, 4.86, 4.28], [0, -0.51, 6.13]])


def seen(points: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Points [N, 3] of a turned head in a picture, [N, 2]; y goes down there."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (points @ (tilt @ nod @ turn).T)[:, :2] * [11.0, -11.0] + [200.0, 150.0]


@pytest.mark.parametrize(
    "pose", [(0, 0, 0), (40, 0, 0), (-60, 10, 0), (0, 30, 0), (20, -25, 90), (5, 5, 180)]
)
def test_however_the_canonical_face_is_turned_they_are_exact(pose: tuple[float, float, float]) -> None:
    error = alignment_points(seen(FIVE, *pose)) - seen(THREE, *pose)
    assert np.abs(error).max() < 0.15, "of a face 70 pixels from eye to eye"


def test_errors_of_the_five_are_hardly_amplified() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (2000, 5, 2))
    spread = alignment_points(noise).std(axis=(0, 2))
    assert spread[0] == pytest.approx(spread[1], rel=0.05) and spread[0] < 1.3 and spread[2] < 0.8


def test_a_mirrored_face_has_mirrored_points() -> None:
    points = np.random.default_rng(1).normal(0, 1, (5, 2))
    mirrored = alignment_points(points[[1, 0, 2, 4, 3]] * [-1, 1])
    np.testing.assert_allclose(mirrored, alignment_points(points)[[1, 0, 2]] * [-1, 1])


def test_a_mouth_that_smiles_or_sneers_neither_widens_nor_turns_the_brows() -> None:
    rest, face = alignment_points(seen(FIVE, 20, 5, 10)), seen(FIVE, 20, 5, 10)
    face[3] += [-6.0, -4.0]
    face[4] += [6.0, 4.0]
    moved = alignment_points(face)
    assert np.abs((moved[1] - moved[0]) - (rest[1] - rest[0])).max() < 0.05, "of a mouth 12 pixels wider"
    # What stays of it is height: a mouth that opens carries the brows' estimate along.
    np.testing.assert_allclose(moved[:2].mean(axis=0), rest[:2].mean(axis=0), atol=1e-6)


def test_any_number_of_faces_is_taken() -> None:
    assert alignment_points(np.zeros((7, 5, 2))).shape == (7, 3, 2)
