"""Where a shot ends, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.faces.cuts import CutFinder

SIZE = (90, 160)


def scene(seed: int, level: float = 0.5) -> np.ndarray:
    """A wide picture of soft patches, float [90, 320, 3] in 0 to 1 around ``level``."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(-0.3, 0.3, (9, 32, 3)) + level
    return np.kron(patches, np.ones((10, 10, 1)))


def shown(picture: np.ndarray, left: int = 0) -> np.ndarray:
    """What a camera at ``left`` sees of a scene, uint8 [90, 160, 3]."""
    return (picture[:, left : left + SIZE[1]].clip(0, 1) * 255).astype(np.uint8)


def cuts(frames: list[np.ndarray]) -> list[int]:
    finder = CutFinder()
    return [index for index, frame in enumerate(frames) if finder.is_cut(frame)]


DAY, NIGHT = scene(0, 0.65), scene(1, 0.3)


def test_another_scene_is_a_cut_and_the_first_frame_is_none() -> None:
    assert cuts([shown(DAY)] * 10 + [shown(NIGHT)] * 10 + [shown(DAY)] * 5) == [10, 20]


def test_a_camera_that_moves_does_not_cut() -> None:
    assert cuts([shown(DAY, 3 * t) for t in range(50)]) == []


def test_a_cut_is_found_while_the_camera_moves() -> None:
    moving = [shown(DAY, 3 * t) for t in range(20)] + [shown(NIGHT, 3 * t) for t in range(20)]
    assert cuts(moving) == [20]


def test_a_light_that_goes_on_and_a_flash_are_no_cuts() -> None:
    dark = 0.5 * DAY
    assert cuts([shown(dark)] * 10 + [shown(DAY)] * 10) == []
    assert cuts([shown(dark)] * 10 + [shown(dark + 0.4)] + [shown(dark)] * 10) == []


def test_a_slow_fade_is_no_cut_but_a_dip_to_black_is() -> None:
    fade = [shown(DAY * (1 - t / 50) + NIGHT * t / 50) for t in range(51)]
    assert cuts(fade) == []
    black = np.zeros((*SIZE, 3), np.uint8)
    assert cuts([shown(DAY)] * 5 + [black] * 5) == [5]


@pytest.mark.parametrize("strength", [0, 20, 60])
def test_noise_is_no_cut(strength: int) -> None:
    rng = np.random.default_rng(2)
    noisy = [
        (shown(DAY) + rng.normal(0, strength, (*SIZE, 3))).clip(0, 255).astype(np.uint8) for _ in range(20)
    ]
    assert cuts(noisy) == []


def test_frames_of_another_size_are_another_shot() -> None:
    assert cuts([shown(DAY), np.zeros((90, 160, 3), np.uint8)[:, :, :3], shown(DAY)[:, :, :1]]) == [1, 2]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (5, 3, 3)])
def test_tiny_frames_are_taken(shape: tuple[int, int, int]) -> None:
    assert cuts([np.full(shape, level, np.uint8) for level in (10, 10, 10, 10)]) == []
