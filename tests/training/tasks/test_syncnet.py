"""What mini's SyncNet is trained on: damage that leaves timing and mouth as they are."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from eadnet.modules.mini_syncnet import MOUTH, MiniSyncNet
from eadnet.synthetic.augment import augment
from eadnet.training.data.clips import ClipSet
from eadnet.training.tasks.syncnet import (
    MARGIN,
    Pair,
    compressed,
    contrast,
    contrast_weight,
    degraded,
    reframed,
    rerecorded,
    train_syncnet,
    wide_mouths,
)
from tests.training.tiny_world import write_clips


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_contrast_is_lowest_where_rows_agree_and_chance_where_they_tell_nothing(generator):
    video = F.normalize(torch.randn(3, 8, 16, generator=generator), dim=-1)
    assert float(contrast(video, video, 20.0)) < 0.1
    constant = video[:1, :1].expand(3, 8, -1)
    assert float(contrast(constant, constant, 20.0)) == pytest.approx(math.log(24), rel=1e-5)
    assert contrast(video, video.roll(1, 1), 20.0) > 5


def test_the_box_has_a_margin_on_every_side(generator):
    frames = torch.zeros(2, 3, 128, 128, 3, dtype=torch.uint8).numpy()
    assert wide_mouths(frames).shape == (2, 3, 3, MOUTH[2] + 2 * MARGIN, MOUTH[3] + 2 * MARGIN)


def test_clips_are_reframed_each_its_own_way_and_frames_alike(generator):
    wide = torch.zeros(8, 4, 3, 60, 68)
    wide[..., 28:32, 32:36] = 1.0  # a spot in the middle
    mouths = reframed(wide, generator)
    assert mouths.shape == (8, 4, 3, 40, 48)
    y = (mouths.mean((2, 4)) * torch.arange(40)).sum(-1) / mouths.mean((2, 4)).sum(-1)
    assert y.std(1).max() < 1.0 < y.mean(1).std()
    assert (y - 19.5).abs().max() < 6.5


def test_a_codec_leaves_smooth_parts_and_rounds_fine_ones(generator):
    smooth = torch.full((1, 3, 40, 48), 0.5)
    torch.testing.assert_close(compressed(smooth, 0.01), smooth, atol=0.01, rtol=0)
    fine = torch.rand(1, 3, 40, 48, generator=generator)
    errors = [float((compressed(fine, step) - fine).abs().mean()) for step in (0.01, 0.1, 0.5)]
    assert errors == sorted(errors) and errors[0] < 0.02


def test_degraded_pictures_are_pictures_and_no_two_clips_alike(generator):
    mouths = torch.rand(1, 3, 3, 40, 48, generator=generator).expand(6, -1, -1, -1, -1)
    rough = degraded(mouths, generator)
    assert rough.shape == mouths.shape and 0 <= rough.min() and rough.max() <= 1
    assert all((a - b).abs().mean() > 0.01 for a, b in zip(rough[:-1], rough[1:], strict=True))


def test_sound_keeps_its_time(generator):
    speech = torch.zeros(4, 16000, dtype=torch.int16)
    speech[:, 8000:8400] = (
        (12000 * torch.randn(400, generator=generator)).clamp(-30000, 30000).to(torch.int16)
    )
    heard = rerecorded(speech.numpy(), augment, generator)
    energy = heard.unfold(1, 400, 400).square().sum(-1)
    assert energy.argmax(1).tolist() == [20] * 4


def test_without_a_way_to_rerecord_sound_is_as_it_was(generator):
    speech = torch.arange(-400, 400, dtype=torch.int16).view(2, 400)
    assert torch.equal(rerecorded(speech.numpy(), None, generator), speech.float() / 32767)


@pytest.mark.slow
def test_clips_without_facial_parameters_train_it_by_contrast_alone(tmp_path):
    folder = write_clips(tmp_path / "clips", 16, pictures=True)
    for name in ("params.npy", "openings.npy", "parameters.json"):
        (folder / name).unlink()
    clips = ClipSet(folder)
    train_syncnet(clips, clips, tmp_path / "run", minutes=1e-6)
    header = (tmp_path / "run" / "log.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "held_out", "confidence"} <= set(header) and "shape" not in header


def test_shapes_come_before_timing():
    weights = [contrast_weight(p) for p in (0.0, 0.1, 0.25, 0.4, 1.0)]
    assert weights == sorted(weights) and weights[0] == pytest.approx(0.05) and weights[-1] == 1.0


def test_both_towers_learn_from_the_shapes_and_the_helper_stays_out_of_the_network(generator):
    pair = Pair(MiniSyncNet(), 3)
    video = torch.randn(2, 4, 128, generator=generator, requires_grad=True)
    audio = torch.randn(2, 4, 128, generator=generator, requires_grad=True)
    pair.shape_loss(video, audio, torch.randn(2, 8, 3, generator=generator)).backward()
    assert video.grad is not None and audio.grad is not None and video.grad.any() and audio.grad.any()
    assert not any("shape" in key for key in pair.network.state_dict())
