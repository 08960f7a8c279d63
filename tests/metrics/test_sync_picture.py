from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.metrics.sync import SyncReport, sweep
from eadnet.metrics.sync_picture import sync_picture


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 2, 60])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_any_clip_makes_a_picture(frames: int, theme: str) -> None:
    video = torch.randn(frames, 8, generator=torch.Generator().manual_seed(0))
    for audio in (video, torch.zeros_like(video)):
        for silence in (True, False):
            score = sweep(video, audio, silence_beyond_ends=silence)
            picture = sync_picture(SyncReport(score, "mini", 0.0, ()), theme)
            assert picture.shape == (640, 960, 3) and np.isfinite(picture).all()


def test_light_is_lighter() -> None:
    video = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    measured = SyncReport(sweep(video, video), "mini", 0.0, ())
    assert sync_picture(measured, "light").mean() > 0.8 > 0.3 > sync_picture(measured, "dark").mean()
