"""SyncNet supervision with the SyncNet that ships: it knows whose mouth it is; its gradient mends a mouth."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")
pytest.importorskip("espeakng_loader", reason="speech needs the 'synthetic' extra (espeakng-loader)")

from eadnet.checkpoints import bundled_mini, load_checkpoint  # noqa: E402
from eadnet.synthetic.clips import make_clip  # noqa: E402
from eadnet.synthetic.renderer import Renderer  # noqa: E402
from eadnet.training.data.images import to_model_range  # noqa: E402
from eadnet.training.data.latents import Batch  # noqa: E402
from eadnet.training.losses.step import Step  # noqa: E402
from eadnet.training.losses.sync import SyncLoss  # noqa: E402
from tests.training.tiny_world import CROP  # noqa: E402

FRAMES, LATE = 12, 4


@pytest.fixture(scope="module")
def scene() -> tuple[SyncLoss, torch.Tensor, torch.Tensor]:
    """The loss; latents of two held-out clips that are longer than a window; what they say."""
    parts = load_checkpoint(bundled_mini(), only=["vae", "syncnet"])
    loss = SyncLoss(parts.component("vae"), parts.component("syncnet"), CROP)
    clips = [make_clip(seed, "validation", FRAMES + LATE) for seed in (1, 2)]
    pictures = [to_model_range(Renderer(c.identity, 128).render_clip(c.params)) for c in clips]
    with torch.no_grad():
        latents = torch.stack([CROP.crop(loss.vae.encode(clip)) for clip in pictures])
    return loss, latents, torch.stack([torch.from_numpy(c.clean) for c in clips])


def step_of(estimate: torch.Tensor, waveforms: torch.Tensor) -> Step:
    none = torch.zeros(2, FRAMES, 1)
    starts = torch.zeros(2, dtype=torch.long)
    batch = Batch(estimate, estimate, estimate[:, 0], none, none[..., 0], torch.arange(2), starts)
    return Step(batch, estimate, torch.ones(2), waveforms, torch.Generator())


def value(loss: SyncLoss, latents: torch.Tensor, waveforms: torch.Tensor) -> torch.Tensor:
    found = loss(step_of(latents, waveforms))
    assert found is not None
    return found


def test_a_mouth_with_its_own_sound_costs_less_than_late_or_with_anothers(scene) -> None:
    loss, latents, waveforms = scene
    with torch.no_grad():
        own = float(value(loss, latents[:, :FRAMES], waveforms))
        late = float(value(loss, latents[:, LATE:], waveforms))
        swapped = float(value(loss, latents[:, :FRAMES], waveforms.flip(0)))
    assert own < late and own < swapped


@pytest.mark.slow
def test_its_gradient_brings_a_late_mouth_nearer_to_the_mouth_that_was_said(scene) -> None:
    loss, latents, waveforms = scene
    truth = loss.mouths(latents[:, :FRAMES])
    estimate = latents[:, LATE:].clone().requires_grad_(True)
    before = float(value(loss, estimate, waveforms).detach())
    optimizer = torch.optim.Adam([estimate], 0.02)
    for _ in range(6):
        optimizer.zero_grad()
        value(loss, estimate, waveforms).backward()
        optimizer.step()
    with torch.no_grad():
        after = float(value(loss, estimate, waveforms))
        assert after < 0.8 * before
        # Towards the truth, not only away from what it was: the change points along what was missing.
        change, missing = (
            loss.mouths(estimate) - loss.mouths(latents[:, LATE:]),
            truth - loss.mouths(latents[:, LATE:]),
        )
        assert float((change * missing).sum()) > 0
