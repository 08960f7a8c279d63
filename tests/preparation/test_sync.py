"""How far sound and lips are apart, and how sure that is, from two curves; which model measures it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.errors import CheckpointError
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.preparation.clip import Clip
from eadnet.preparation.sync import NoSyncModel, make_sync_model, openings, sync_of


def mouth(frames: int, seed: int) -> Tensor:
    """Something that opens and closes about as often as a mouth that speaks."""
    noise = torch.randn(frames + 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(noise[None], 5, 1)[0][:frames].relu()


@pytest.mark.parametrize("offset", [-12, -3, 0, 1, 6])
def test_the_offset_is_found(offset: int) -> None:
    """Positive: the sound comes early, so what is heard at a frame is seen ``offset`` frames later."""
    heard = mouth(320, 1)
    seen = heard[40 - offset : 290 - offset] + 0.2 * mouth(250, 2)
    found = sync_of(seen, heard[40:290])
    assert found.offset == offset
    assert found.confidence > 10


def test_others_are_not_believed() -> None:
    confidences = [sync_of(mouth(250, 2 * n), mouth(250, 2 * n + 1)).confidence for n in range(40)]
    assert np.mean([c < 4.5 for c in confidences]) > 0.9


def test_a_slow_drift_of_both_is_no_sync() -> None:
    drift = torch.linspace(0, 30, 250)
    assert sync_of(mouth(250, 1) + drift, mouth(250, 2) + drift).confidence < 4.5


def test_a_still_mouth_gives_no_confidence() -> None:
    assert sync_of(torch.zeros(250), mouth(250, 1)).confidence == 0


def test_openings_are_in_distances_of_the_eyes() -> None:
    points = np.zeros((478, 3), np.float32)
    points[263] = (50, 0, 0)
    for lower in (14, 317, 87):
        points[lower] = (0, 10, 0)
    one, none, large = openings((LandmarkedFace(points), None, LandmarkedFace(3 * points)))
    assert (one, large) == (pytest.approx(0.2), pytest.approx(0.2)) and np.isnan(none)


@pytest.mark.slow
def test_a_syncnet_v2_judges_from_its_own_crops_by_the_fields_mark(tmp_path: Path) -> None:
    """Random weights: what it says means nothing, but it is asked as it should be."""
    from eadnet.checkpoints import save_checkpoint
    from eadnet.modules.syncnet_v2 import SyncNetV2

    torch.manual_seed(0)
    file = tmp_path / "syncnet_v2.safetensors"
    save_checkpoint(file, {"syncnet": SyncNetV2(8)}, {})
    sync_model = make_sync_model(file)
    assert (sync_model.name, sync_model.framing, sync_model.confident) == ("syncnet_v2", "syncnet_v2", 3.0)
    pictures = np.random.default_rng(0).integers(0, 255, (12, 224, 224, 3)).astype(np.uint8)
    nothing: Any = None
    clip = Clip("a", nothing, 0, 12, nothing, nothing, sync_crops=pictures)
    found = sync_model(clip, torch.randn(12 * 640))
    assert found is not None and found.sure and np.isfinite(found.confidence)
    short = sync_model(replace(clip, sync_crops=pictures[:4]), torch.randn(4 * 640))
    assert short is not None and short.confidence == 0, "too short for it"


def test_nobody_judges_where_nobody_is_asked() -> None:
    assert isinstance(make_sync_model("none"), NoSyncModel)


def test_a_file_without_a_syncnet_is_refused(tmp_path: Path) -> None:
    from eadnet.checkpoints import named_checkpoint

    with pytest.raises(CheckpointError, match="no syncnet"):
        make_sync_model(named_checkpoint("motion"))
