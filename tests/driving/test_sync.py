"""The SyncNet for real faces: the mouth that a sound lets expect beside the one that is seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.driving.motion import MotionModel
from eadnet.driving.sync import MotionSyncNet, embedding, mouths
from eadnet.errors import InputError
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.media.clips import Frames
from eadnet.metrics.sync import measure_sync, sweep
from tests.tiny_motion import write_tiny_motion


def mouth(frames: int, seed: int) -> Tensor:
    """Something that moves about as often as a mouth that speaks, [frames, 3]."""
    noise = torch.randn(3, frames + 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(noise, 5, 1)[:, :frames].relu().T


def no_file() -> Path:
    raise InputError("There is no landmarker.")


def face(apart: float, wide: float, low: float, size: float = 1.0) -> LandmarkedFace:
    points = np.zeros((478, 3), np.float32)
    points[263], points[291], points[152] = (1, 0, 0), (wide, 0, 0), (0, low, 0)
    for lower in (14, 317, 87):
        points[lower] = (0, apart, 0)
    return LandmarkedFace(size * points)


class Seen(MotionSyncNet):
    """Looks at a face whose lips are as far apart, as wide and as low as a frame is red, green and blue; a
    black frame shows none.
    """

    def _faces(self, frames: Frames, count: int) -> Iterator[LandmarkedFace | None]:
        for red, green, blue in frames[:count].float().mean((2, 3)).tolist():
            yield face(red, green, blue) if red else None


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MotionModel:
    return MotionModel.load(write_tiny_motion(tmp_path_factory.mktemp("sync") / "motion.safetensors"))


@pytest.fixture(scope="module")
def network(model: MotionModel) -> Seen:
    return Seen(model, no_file)


def pictures(mouth: Tensor) -> Tensor:
    return mouth[:, :, None, None].expand(-1, -1, 4, 4).contiguous()


@pytest.mark.parametrize("offset", [-12, -3, 0, 1, 6])
def test_the_offset_is_found(offset: int) -> None:
    """Positive: the sound comes early, so what is heard at a frame is seen ``offset`` frames later."""
    heard = mouth(320, 1)
    found = sweep(
        embedding(heard[40 - offset : 165 - offset] + 0.2 * mouth(125, 2)),
        embedding(heard[40:165]),
        silence_beyond_ends=False,
    )
    assert found.offset == offset and found.confidence > 0.2


def test_how_a_mouth_is_held_does_not_matter() -> None:
    curve = mouth(100, 3)
    assert torch.allclose(embedding(curve), embedding(3 * curve + torch.tensor([0.7, -1, 2])), atol=1e-5)


def test_a_still_mouth_is_nowhere() -> None:
    assert not embedding(torch.full((60, 3), 0.4)).any()


@pytest.mark.slow
def test_what_is_expected_is_seen_in_sync_and_late_sound_is_late(network: Seen) -> None:
    waveform = 0.1 * torch.randn(16_000 * 3, generator=torch.Generator().manual_seed(1))
    expected = network.expected(waveform, 75)
    assert expected.shape == (75, 3) and (expected.std(0) > 0).all()
    moving = expected - expected.amin(0) + 0.1
    assert measure_sync(network, pictures(moving), waveform, 25).score.offset == 0
    assert measure_sync(network, pictures(moving.roll(-4, 0)), waveform, 25).score.offset == -4


def test_lost_faces_are_bridged_and_a_clip_without_any_is_refused(network: Seen) -> None:
    waveform = 0.1 * torch.randn(16_000 * 2, generator=torch.Generator().manual_seed(1))
    bright = mouth(50, 4) + 0.2
    bright[20:24] = 0
    video, audio = network.embed(pictures(bright), waveform)
    assert video.shape == audio.shape == (50, 75) and video.isfinite().all()
    with pytest.raises(InputError, match="A face is seen in 0 of the 50 frames"):
        network.embed(pictures(torch.zeros(50, 3)), waveform)
    with pytest.raises(InputError, match="less than a frame"):
        network.embed(pictures(bright), waveform[:100])


def test_without_the_landmarkers_file_it_says_so(model: MotionModel) -> None:
    with pytest.raises(InputError, match="There is no landmarker"):
        MotionSyncNet(model, no_file).embed(pictures(mouth(50, 4)), torch.ones(32_000))


def test_mouths_are_in_distances_of_the_eyes() -> None:
    one, none, large = mouths([face(0.2, 0.5, 0.9), None, face(0.2, 0.5, 0.9, size=50)])
    assert one == pytest.approx([0.2, 0.5, 0.9], abs=1e-6) and large == pytest.approx(one, abs=1e-6)
    assert np.isnan(none).all()
