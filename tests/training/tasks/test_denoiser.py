"""The forward process, the noise and the weights that the denoiser is trained with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from eadnet.captions.timeline import blend
from eadnet.faces.masks import mask_image
from eadnet.modules.unet import EADUNet
from eadnet.presets import PRESETS
from eadnet.training.tasks.denoiser_task import loss_weight, switch_stda
from eadnet.training.tasks.diffusion import Diffusion, mixed_noise
from tests.training.tiny_world import FRAMES, latent_set, tiny_task, write_clips


@pytest.fixture(scope="module")
def diffusion() -> Diffusion:
    return Diffusion.of(PRESETS["mini"].scheduler_config)


def test_the_right_velocity_gives_back_the_clean_latents_at_every_noise_level(diffusion):
    clean = torch.randn(10, 4, 4, 8, 8)
    timesteps = torch.linspace(0, 999, 10).long()
    noisy, velocity, alpha = diffusion.noised(clean, torch.randn_like(clean), timesteps)
    torch.testing.assert_close(diffusion.clean_estimate(noisy, velocity, alpha), clean, atol=1e-4, rtol=1e-4)


def test_more_noise_at_later_timesteps(diffusion):
    clean = torch.zeros(2, 1, 4, 8, 8)
    noisy, _, _ = diffusion.noised(clean, torch.ones_like(clean), torch.tensor([10, 900]))
    assert noisy[0].abs().mean() < noisy[1].abs().mean()


def test_timesteps_favour_high_noise(diffusion):
    drawn = diffusion.draw_timesteps(4000, torch.Generator().manual_seed(0)).float()
    assert drawn.mean() == pytest.approx(2 / 3 * 999, rel=0.03)
    assert 0 <= drawn.min() and drawn.max() <= 999


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_frames_share_the_stated_part_of_unit_noise(shared):
    noise = mixed_noise(torch.Size((64, 2, 4, 16, 16)), shared, torch.Generator().manual_seed(0))
    assert float(noise.var()) == pytest.approx(1.0, abs=0.02)
    assert float((noise[:, 0] * noise[:, 1]).mean()) == pytest.approx(shared, abs=0.02)


def test_the_lower_face_weighs_most_and_the_background_least():
    weight = loss_weight(mask_image("face", 128), 16)[0]
    assert weight[12, 8] > weight[7, 8] > weight[0, 0]


def test_stda_switched_off_is_the_input_itself_and_back_on_it_is_not():
    config = {**PRESETS["mini"].unet_config, "block_out_channels": [16, 16, 16], "cross_attention_dim": 8}
    unet = EADUNet.from_config(config).eval()
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    sample, audio, emotion = torch.randn(1, 13, 2, 8, 8), torch.randn(1, 2, 10, 8), torch.randn(1, 4, 96)
    with torch.no_grad():
        on = unet(sample, 500, audio, emotion)
        switch_stda(unet, False)
        off = unet(sample, 500, audio, emotion)
        switch_stda(unet, True)
        again = unet(sample, 500, audio, emotion)
    assert not torch.allclose(on, off)
    assert torch.equal(on, again)


def test_a_heavier_mouth_counts_its_shapes_so_much_more_and_nothing_else(tmp_path):
    data = latent_set(write_clips(tmp_path))
    task = tiny_task(data)
    batch = task.cropped(task.draw(data, 2, 4, torch.Generator().manual_seed(0)))
    noise = torch.zeros_like(batch.target)
    alpha = torch.ones(2, 1, 1, 1, 1)

    def expression(mouth: float) -> float:
        task.mouth = mouth
        return float(task.losses(batch.target, noise, noise, alpha, batch)["expression"])

    even, without = expression(1.0), expression(0.0)
    assert 0 < without < even
    assert expression(3.0) == pytest.approx(without + 3 * (even - without), rel=1e-5)


def test_a_changing_clip_is_described_frame_by_frame_as_a_timeline_would(tmp_path):
    folder = write_clips(tmp_path)
    texts = json.loads((folder / "texts.json").read_text())
    texts[0]["later"] = "quite another face"
    (folder / "texts.json").write_text(json.dumps(texts))
    changes = np.zeros((8, FRAMES), np.float32)
    changes[0] = np.linspace(0, 1, FRAMES)
    np.save(folder / "changes.npy", changes)
    data = latent_set(folder)
    task = tiny_task(data)
    batch = replace(
        data.draw(2, 4, torch.Generator().manual_seed(0)),
        clips=torch.tensor([0, 1]),
        starts=torch.tensor([3, 0]),
    )
    audio, emotion = task.conditions(data, batch, None)
    encode = task.model.text_encoder.encode
    first, later, other = encode([texts[0]["text"], "quite another face", texts[1]["text"]])
    wanted = blend(torch.stack([later]), first, torch.from_numpy(changes[0, 3:7, None]))
    torch.testing.assert_close(emotion[0], wanted)
    torch.testing.assert_close(emotion[1], other.expand(4, -1, -1))
    velocity = task.velocity(batch.target, torch.tensor([5, 5]), batch, audio, emotion)
    assert velocity.shape == batch.target.shape
