"""Windows over time: everything covered, nothing padded, weights that sum to one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.sampling.windows import blend_weights, windows


@st.composite
def cuts(draw: st.DrawFn, longest: int) -> tuple[int, int, int]:
    """The frames of a clip, of a window, and of an overlap that fits the window."""
    window = draw(st.integers(1, 24))
    return draw(st.integers(1, longest)), window, draw(st.integers(0, window - 1))


@given(cuts(1501))
@example((1, 16, 4))
@example((15, 16, 4))
@example((16, 16, 4))
@example((17, 16, 4))
@example((28, 16, 4))
@example((49, 16, 0))
@example((128, 24, 23))
@example((1501, 1, 0))
def test_every_frame_is_covered_and_every_window_is_full(cut: tuple[int, int, int]) -> None:
    num_frames, window, overlap = cut
    parts = windows(num_frames, window, overlap)
    assert {stop - start for start, stop in parts} == {min(window, num_frames)}
    assert parts[0][0] == 0 and parts[-1][1] == num_frames
    for (_, stop), (start, _) in zip(parts, parts[1:], strict=False):
        assert stop - start >= overlap
    assert len(set(parts)) == len(parts)


@given(cuts(100))
@example((1, 16, 4))
@example((17, 16, 0))
@example((17, 16, 12))
@example((49, 3, 1))
@example((333, 24, 23))
def test_weights_sum_to_one_at_every_frame(cut: tuple[int, int, int]) -> None:
    num_frames = cut[0]
    parts = windows(*cut)
    total = torch.zeros(num_frames)
    for (start, stop), weight in zip(parts, blend_weights(parts), strict=True):
        assert (weight > 0).all()
        total[start:stop] += weight
    torch.testing.assert_close(total, torch.ones(num_frames))


def test_the_overlap_is_a_cross_fade() -> None:
    first, second = blend_weights([(0, 16), (12, 28)])
    torch.testing.assert_close(first[12:], torch.tensor([0.8, 0.6, 0.4, 0.2]))
    torch.testing.assert_close(second[:4], torch.tensor([0.2, 0.4, 0.6, 0.8]))
    assert (first[:12] == 1).all() and (second[4:] == 1).all()


def test_early_windows_do_not_depend_on_the_length_of_the_clip() -> None:
    assert windows(100, 16, 4)[:7] == windows(1000, 16, 4)[:7]


@pytest.mark.parametrize(
    ("num_frames", "window", "overlap", "message"),
    [
        (0, 16, 4, "no frames"),
        (5, 0, 0, "window .context_length. is 0"),
        (5, 16, 16, "use 0 to 15"),
        (5, 16, -1, "overlap .context_overlap. is -1"),
    ],
)
def test_senseless_numbers_are_named(num_frames: int, window: int, overlap: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        windows(num_frames, window, overlap)
