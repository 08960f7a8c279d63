"""TREPA and SyncNet's supervision where pixels mean something: both see the picture, and both pull to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.stable_syncnet import StableSyncNet
from eadnet.modules.video_features import VideoMAEFeatures
from eadnet.training.data.prepared import PreparedClip, held_out
from eadnet.training.losses.supervision import Supervision, SupervisionWeights
from tests.training.prepared_world import write_prepared
from tests.training.talking_world import syncnet_config, talking_crops, trained_vae, write_videomae

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedClip]:
    return held_out(write_prepared(tmp_path_factory.mktemp("set"), talking_crops(4)), "val", 2, 16)


def real_pictures(clips: list[PreparedClip]) -> torch.Tensor:
    """[B, T, 3, H, W] in 0..1."""
    shown = [torch.from_numpy(clip.pictures) for clip in clips if clip.pictures is not None]
    return torch.stack(shown).movedim(-1, 2).float() / 255


def new_syncnet() -> StableSyncNet:
    torch.manual_seed(3)
    return StableSyncNet.from_config(syncnet_config()).eval()


def test_a_decoder_that_knows_the_faces_shows_what_the_judges_look_at(clips: list[PreparedClip]) -> None:
    """Of a random one's pictures, next to grey, no judge can tell anything."""
    real, random = real_pictures(clips).flatten(0, 1), MiniAutoencoder(32, 1, (32, 16, 8), (1, 1, 1))
    spreads = []
    for vae in (trained_vae(talking_crops(4), 150), random):
        with torch.no_grad():
            spreads.append(float(vae.decode(vae.encode(2 * real - 1)).std() / 2 / real.std()))
    assert spreads[0] > 0.7 > 0.3 > spreads[1]


def test_both_fall_as_latents_follow_their_slope(clips: list[PreparedClip], tmp_path: Path) -> None:
    vae = trained_vae(talking_crops(4), 150)
    videomae = VideoMAEFeatures.load(write_videomae(tmp_path / "videomae"))
    weights = SupervisionWeights(sync=1.0, trepa=3000.0, pixel=0.0)
    supervision = Supervision(vae, new_syncnet(), videomae, weights, 16).to(torch.device("cpu"))
    with torch.no_grad():
        target = vae.encode(real_pictures(clips).flatten(0, 1) * 2 - 1).unflatten(0, (2, 16))
    generator = torch.Generator().manual_seed(0)
    estimate = (target + torch.randn(target.shape, generator=generator)).requires_grad_()
    optimizer = torch.optim.Adam([estimate], 0.1)
    found = []
    for _ in range(8):
        optimizer.zero_grad()
        supervision(estimate, target, clips).backward()
        found.append(supervision.parts)
        optimizer.step()
    assert found[-1]["trepa"] < 0.7 * found[0]["trepa"]
    assert found[-1]["sync"] < 0.98 * found[0]["sync"]
