"""Each loss of the denoiser: least at the truth, a pull towards it, and frozen networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.modules.tfrm import TFRM
from eadnet.modules.video_mae import VideoEncoder
from eadnet.training.losses.emotion import EmotionLoss
from eadnet.training.losses.pictures import PerceptualLoss, PixelLoss
from eadnet.training.losses.smoothing import TfrmLoss
from eadnet.training.losses.snr import min_snr_weight
from eadnet.training.losses.step import Step, Weighted, by_signal, total
from eadnet.training.losses.sync import SyncLoss
from eadnet.training.losses.trepa import TrepaLoss
from eadnet.training.losses.weights import FrozenNetworks, Weights, build_losses
from eadnet.training.regressors.targets import ParameterTargets
from tests.training.tiny_world import CROP, latent_set, tiny_task, write_clips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory):
    return latent_set(write_clips(tmp_path_factory.mktemp("clips"), 4))


@pytest.fixture(scope="module")
def networks() -> FrozenNetworks:
    torch.manual_seed(0)
    vae = MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1))
    syncnet = MiniSyncNet(widths=(8, 8, 8, 8), hidden=16, dim=8)
    videomae, tfrm = VideoEncoder(width=16, layers=1), TFRM(hidden=8, top_k=3)
    return FrozenNetworks(lambda: vae, lambda: syncnet, lambda: videomae, lambda: tfrm)


def a_step(data, window: int = 16, error: float = 0.0, alpha: float = 0.5, whole: bool = False) -> Step:
    generator = torch.Generator().manual_seed(3)
    batch = data.draw(2, window, generator)
    if not whole:
        from dataclasses import replace

        crop = CROP.crop
        batch = replace(
            batch, target=crop(batch.target), masked=crop(batch.masked), reference=crop(batch.reference)
        )
    estimate = batch.target + error * torch.randn(batch.target.shape, generator=generator)
    generator = torch.Generator().manual_seed(4)
    waveforms = data.waveforms(batch.clips)
    return Step(batch, estimate.requires_grad_(True), torch.full((2,), alpha), waveforms, generator)


def losses(networks: FrozenNetworks) -> dict[str, object]:
    vae = networks.vae()
    return {
        "pixel": PixelLoss(vae),
        "perceptual": PerceptualLoss(vae),
        "trepa": TrepaLoss(vae, networks.videomae(), CROP),
        "tfrm": TfrmLoss(networks.tfrm()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["pixel", "perceptual", "trepa", "tfrm"])
def test_the_truth_costs_nothing_and_errors_cost_more_the_larger_they_are(data, networks, name, whole):
    loss = losses(networks)[name]
    values = [float(loss(a_step(data, error=error, whole=whole))) for error in (0.0, 0.1, 0.5)]  # type: ignore[operator]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert 0 < values[1] < values[2]


@pytest.mark.parametrize("name", ["pixel", "perceptual", "trepa", "tfrm"])
def test_a_small_step_down_its_gradient_makes_it_smaller_and_the_networks_stay(data, networks, name):
    loss = losses(networks)[name]
    step = a_step(data, error=0.3)
    value = loss(step)  # type: ignore[operator]
    value.backward()
    gradient = step.estimate.grad
    assert gradient is not None and float(gradient.norm()) > 0
    moved = (step.estimate - 1e-3 * gradient / gradient.norm()).detach().requires_grad_(True)
    again = Step(step.batch, moved, step.alpha, step.sound, torch.Generator().manual_seed(4))
    assert float(loss(again)) < float(value)  # type: ignore[operator]
    frozen = [networks.vae(), networks.videomae(), networks.tfrm()]
    assert all(p.grad is None for network in frozen for p in network.parameters())


def test_windows_that_a_network_cannot_take_give_none(data, networks):
    short = a_step(data, window=4)
    assert TrepaLoss(networks.vae(), networks.videomae(), CROP)(short) is None
    assert SyncLoss(networks.vae(), networks.syncnet(), CROP)(short) is None
    assert TfrmLoss(networks.tfrm())(a_step(data, window=1)) is None


def test_the_mouth_is_the_same_out_of_whole_latents_and_out_of_the_crop(data, networks):
    loss = SyncLoss(networks.vae(), networks.syncnet(), CROP)
    whole = a_step(data, window=5, whole=True).batch.target
    assert torch.equal(loss.mouths(whole), loss.mouths(CROP.crop(whole)))
    assert loss.mouths(whole).shape == (2, 5, 3, 40, 48)


def test_the_sync_loss_is_chance_for_an_untrained_syncnet_and_pulls_on_the_mouth_alone(data, networks):
    step = a_step(data, whole=True)
    loss = SyncLoss(networks.vae(), networks.syncnet(), CROP)
    value = loss(step)
    assert value is not None
    value.backward()
    gradient = step.estimate.grad
    assert gradient is not None and float(gradient.norm()) > 0
    assert float(gradient[..., : loss.rows.start, :].abs().max()) == 0, "nothing above the mouth"


class FirstNumbers(nn.Module):
    """A regressor that reads what the test wrote into the latents."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, latents: Tensor, reference: Tensor) -> Tensor:
        return latents.flatten(2)[..., : self.count]


def test_emotion_counts_by_the_windows_mean_and_without_what_speech_moves(data):
    targets = ParameterTargets.of(data)
    step = a_step(data)
    loss = EmotionLoss(FirstNumbers(len(targets)), targets, CROP)  # type: ignore[arg-type]
    wanted = targets(step.batch.params, step.batch.openings)
    written = torch.zeros_like(step.estimate).flatten(2)
    written[..., : len(targets)] = wanted + torch.tensor([1.0, -1.0]).repeat(8)[None, :, None]

    def cost(change: str | None) -> float:
        from eadnet.synthetic.expression import INDEX

        numbers = written.clone()
        if change:
            numbers[..., targets.columns.tolist().index(INDEX[change])] += 1
        estimate = numbers.view_as(step.estimate)
        value = loss(Step(step.batch, estimate, step.alpha, step.sound, step.generator))
        assert value is not None
        return float(value)

    assert cost(None) == pytest.approx(0, abs=1e-9), "what comes and goes within the window is no matter"
    assert cost("jaw_open") == cost("blink_l") == pytest.approx(0, abs=1e-9)
    assert cost("smile_l") == pytest.approx(1 / len(loss.columns), rel=1e-4)


def test_min_snr_weighs_the_clean_estimate_by_its_signal_up_to_gamma():
    alpha = torch.tensor([0.1, 0.5, 0.9, 0.999])
    snr = alpha / (1 - alpha)
    torch.testing.assert_close(
        min_snr_weight(alpha, 5.0), snr.clamp(max=5.0) / (snr + 1), rtol=1e-4, atol=1e-6
    )
    assert float(min_snr_weight(torch.ones(1), 5.0)) == 0


def test_clips_count_by_their_share_of_signal():
    errors = torch.tensor([[1.0, 1.0], [5.0, 5.0]])
    assert float(by_signal(errors, torch.tensor([0.75, 0.25]))) == pytest.approx(2.0)
    assert float(by_signal(errors, torch.zeros(2))) == 0


def test_the_sum_holds_what_applies_and_names_it(data, networks):
    weights = Weights(pixel=2.0, trepa=1.0, tfrm=0.5, emotion=0.0)
    called = []
    from dataclasses import replace

    counted = replace(networks, syncnet=lambda: called.append(1) or networks.syncnet())  # type: ignore[func-returns-value]
    built = build_losses(weights, tiny_task(data), counted)
    assert [one.loss.name for one in built] == ["pixel", "trepa", "tfrm"] and not called
    value, found = total(built, a_step(data, window=4, error=0.2))
    assert set(found) == {"pixel", "tfrm"}
    assert value is not None
    assert float(value.detach()) == pytest.approx(2 * found["pixel"] + 0.5 * found["tfrm"], rel=1e-5)
    assert total([Weighted(TrepaLoss(networks.vae(), networks.videomae(), CROP), 1.0)], a_step(data, 4)) == (
        None,
        {},
    )
    assert build_losses(Weights(), tiny_task(data), networks) == [], "all are off by default"


def test_the_video_encoder_learns_to_paint_what_was_hidden(tmp_path: Path):
    torch.manual_seed(0)
    model = VideoEncoder(width=16, layers=1)
    pictures = torch.rand(1, 16, 3, 96, 96) * 2 - 1
    loss = model.loss(pictures, torch.Generator().manual_seed(0))
    loss.backward()
    assert float(loss.detach()) > 0
    assert any(float(p.grad.norm()) > 0 for p in model.parameters() if p.grad is not None)
    features = model.features(pictures)
    assert features.shape == (1, 512, 16)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(1, 512))
