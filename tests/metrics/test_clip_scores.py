from __future__ import annotations

import pytest
import torch

from eadnet.metrics.clip_scores import clip_picture, clip_scores


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return torch.rand(5, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def test_lengths_that_differ_are_said(clip):
    scores = clip_scores(clip, clip[:3])
    assert len(scores.psnr) == 3 and "the first 3 were compared" in scores.report()


def test_large_pictures_say_at_what_size_motion_was_measured():
    large = torch.rand(2, 3, 8, 512, generator=torch.Generator().manual_seed(1))
    assert "256 x 4 pixels" in clip_scores(large, large).report()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_pictures_of_anything_are_pictures(clip, theme):
    for pair in (
        (clip, clip.flip(0)),
        (clip[:1], clip[:1]),
        (torch.zeros_like(clip), torch.zeros_like(clip)),
    ):
        picture = clip_picture(clip_scores(*pair), theme=theme)
        assert picture.shape == (640, 960, 3) and 0 <= picture.min() < picture.max() <= 1
