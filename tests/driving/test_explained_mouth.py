"""What a sound explains of the mouth stays, whatever else moved it goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from eadnet.driving.explained_mouth import with_explained_opening
from eadnet.rig.expression import INDEX, PARAMETERS

JAW, CLOSE = INDEX["jaw_open"], INDEX["lip_close"]
FRAMES, DIM = 300, 8


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def sound() -> Tensor:
    return drawn(0, FRAMES, DIM)


def in_blocks(features: Tensor, size: int = 64) -> Iterator[Tensor]:
    yield from features.split(size)


def track(opening: Tensor, close: float = 0.0) -> Tensor:
    values = 0.1 * drawn(5, len(opening), len(PARAMETERS)).abs()
    values[:, JAW], values[:, CLOSE] = opening, close
    return values


def r(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])


def said_by(sound: Tensor) -> Tensor:
    """An opening that the sound decides, .4 in the mean with a spread of .1."""
    curve = sound @ drawn(1, DIM)
    return 0.4 + 0.1 * (curve - curve.mean()) / curve.std()


def test_what_the_sound_does_not_explain_is_left_out_and_the_jaw_alone_is_moved(sound: Tensor) -> None:
    true = said_by(sound)
    values = track((true + 0.1 * drawn(2, FRAMES)).clamp(0, 1))
    made = with_explained_opening(values, lambda: in_blocks(sound))
    assert r(values[:, JAW], true) < 0.8 and r(made[:, JAW], true) > 0.97
    others = [k for k in range(len(PARAMETERS)) if k != JAW]
    assert torch.equal(made[:, others], values[:, others])
    assert float(made[:, JAW].mean()) == pytest.approx(float(values[:, JAW].mean()), abs=0.01)
    assert float(made[:, JAW].std()) == pytest.approx(float(values[:, JAW].std()), rel=0.05)


def test_another_recordings_sound_explains_nothing(sound: Tensor) -> None:
    true = said_by(sound)
    made = with_explained_opening(track(true), lambda: in_blocks(drawn(9, FRAMES, DIM)))
    assert abs(r(made[:, JAW], true)) < 0.5


def test_how_the_sound_is_read_makes_no_difference(sound: Tensor) -> None:
    values = track(said_by(sound))
    whole = with_explained_opening(values, lambda: in_blocks(sound, FRAMES))
    assert torch.allclose(whole, with_explained_opening(values, lambda: in_blocks(sound, 7)), atol=1e-5)
    # Nor does an offset or the unit of the features.
    other = with_explained_opening(values, lambda: in_blocks(100 + 3 * sound))
    assert torch.allclose(whole, other, atol=1e-4)


def test_closed_lips_stay_closed_and_the_gate_shuts_the_mouth(sound: Tensor) -> None:
    values = track(said_by(sound))
    values[100:110, CLOSE] = 1.0
    gate = torch.ones(FRAMES)
    gate[200:] = 0
    made = with_explained_opening(values, lambda: in_blocks(sound), gate=gate)
    assert torch.equal(made[:, CLOSE], values[:, CLOSE])
    assert not made[200:, JAW].any() and (made[:200, JAW] > 0.05).float().mean() > 0.9


def test_a_jaw_that_a_changing_sentence_drops_stays_down(sound: Tensor) -> None:
    said = torch.zeros(FRAMES, 4)
    said[150:] = drawn(7, 4)
    opening = said_by(sound)
    opening[150:] += 0.3
    values = track(opening)

    def rise(made: Tensor) -> float:
        return float(made[150:, JAW].mean() - made[:150, JAW].mean())

    without = with_explained_opening(values, lambda: in_blocks(sound))
    with_it = with_explained_opening(values, lambda: in_blocks(sound), lambda: in_blocks(said))
    assert rise(without) < 0.15 and rise(with_it) > 0.25


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_any_length_and_a_still_mouth(frames: int) -> None:
    sound = drawn(3, frames, DIM)
    made = with_explained_opening(track(torch.rand(frames)), lambda: in_blocks(sound))
    assert made.shape == (frames, len(PARAMETERS)) and made.isfinite().all()
    still = track(torch.full((frames,), 0.2))
    assert torch.equal(with_explained_opening(still, lambda: in_blocks(sound)), still)
    silence = torch.zeros(frames, DIM)
    assert with_explained_opening(track(torch.rand(frames)), lambda: in_blocks(silence)).isfinite().all()
