"""The sampling loop: any length, one noise per seed, progress and cancel, and clear refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from eadnet.errors import InputError
from eadnet.sampling import LATENTSYNC_DDIM, Conditions, Sampling, SamplingProgress, make_scheduler, sample
from eadnet.sampling.sampler import clip_noise

EXACT = {**LATENTSYNC_DDIM, "set_alpha_to_one": True, "timestep_spacing": "trailing"}


class Oracle(nn.Module):
    """A denoiser that knows the clean latents: the reference, shifted by the sound of each frame.

    It answers with the exact noise, so the result must be those latents for any length and any window.
    """

    frame_limit = 24
    emotion_dim: int | None = 3

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.alphas = make_scheduler("ddim", EXACT).alphas_cumprod
        self.shapes: list[tuple[int, ...]] = []
        self.emotions: list[Tensor | None] = []

    def forward(self, x: Tensor, timestep: Tensor, audio: Tensor, emotion: Tensor | None = None) -> Tensor:
        self.shapes.append(tuple(x.shape))
        self.emotions.append(emotion)
        noisy, mask, masked, reference = x.split([4, 1, 4, 4], dim=1)
        assert (mask == 0.25).all() and (masked == -0.5).all()
        clean = reference + audio.mean(dim=(2, 3))[:, None, :, None, None]
        signal = self.alphas[int(timestep)]
        return self.scale * (noisy - signal.sqrt() * clean) / (1 - signal).sqrt()


def conditions(frames: int, emotion: Tensor | None = None) -> Conditions:
    generator = torch.Generator().manual_seed(frames)
    return Conditions(
        masked_latents=torch.full((frames, 4, 4, 4), -0.5),
        mask=torch.full((frames, 1, 4, 4), 0.25),
        reference_latents=torch.randn(frames, 4, 4, 4, generator=generator),
        audio=torch.randn(frames, 10, 6, generator=generator),
        emotion=emotion,
    )


def clean(c: Conditions) -> Tensor:
    return c.reference_latents + c.audio.mean(dim=(1, 2))[:, None, None, None]


@pytest.mark.slow
@given(frames=st.integers(1, 64))
@example(1)
@example(2)
@example(15)
@example(16)
@example(17)
@example(28)
@example(29)
@example(61)
def test_any_number_of_frames_comes_out_whole_and_in_its_own_time(frames: int) -> None:
    c = conditions(frames)
    latents = sample(Oracle(), c, Sampling(scheduler_config=EXACT, steps=3, audio_guidance=1.0))
    torch.testing.assert_close(latents, clean(c), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("window", "overlap"), [(24, 0), (16, 15), (7, 3), (1, 0)])
def test_any_window_gives_the_same_clip(window: int, overlap: int) -> None:
    c = conditions(25)
    unet = Oracle()
    latents = sample(
        unet, c, Sampling(scheduler_config=EXACT, steps=2, audio_guidance=1, window=window, overlap=overlap)
    )
    torch.testing.assert_close(latents, clean(c), atol=1e-3, rtol=0)
    assert {shape[2] for shape in unet.shapes} == {window}


@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler", "lcm"])
def test_every_sampler_works_in_the_loop(scheduler: str) -> None:
    c = conditions(17)
    latents = sample(
        Oracle(), c, Sampling(scheduler=scheduler, scheduler_config=EXACT, steps=4, audio_guidance=1.0)
    )
    torch.testing.assert_close(latents, clean(c), atol=1e-3, rtol=0)


class Undecided(nn.Module):
    """Returns its noisy input, so that the noise can be seen in the result."""

    def forward(self, x: Tensor, timestep: Tensor, audio: Tensor, emotion: Tensor | None = None) -> Tensor:
        return x[:, :4]


def test_a_seed_is_a_clip() -> None:
    c = conditions(20)
    first, again, other = (
        sample(Undecided(), c, Sampling(scheduler_config=LATENTSYNC_DDIM, steps=2, seed=seed))
        for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_a_longer_clip_begins_with_the_same_noise() -> None:
    short, long = (clip_noise((frames, 4, 3, 3), torch.Generator().manual_seed(5)) for frames in (9, 40))
    assert torch.equal(short, long[:9])


@pytest.mark.parametrize(("shared", "correlation"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_frames_share_as_much_of_the_noise_as_asked(shared: float, correlation: float) -> None:
    noise = clip_noise((6, 4, 64, 64), torch.Generator().manual_seed(0), shared).flatten(1)
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    off_diagonal = torch.corrcoef(noise)[~torch.eye(6, dtype=torch.bool)]
    assert off_diagonal.mean().item() == pytest.approx(correlation, abs=0.02)


def test_progress_counts_every_window_and_ends_with_the_result() -> None:
    seen: list[SamplingProgress] = []
    c = conditions(40)
    latents = sample(
        Oracle(), c, Sampling(scheduler_config=EXACT, steps=3, audio_guidance=1), callback=seen.append
    )
    assert [p.done for p in seen] == list(range(1, 10)) and seen[0].total == 9
    assert [(p.step, p.window) for p in seen] == [(s, w) for s in range(3) for w in range(3)]
    assert [p.denoised is not None for p in seen] == [False, False, True] * 3
    assert torch.equal(seen[-1].latents, latents)
    for p in seen[2::3]:
        assert p.denoised is not None
        torch.testing.assert_close(p.denoised, clean(c), atol=1e-3, rtol=0)


def test_raising_in_the_callback_cancels_at_once() -> None:
    class Cancelled(Exception):
        pass

    unet = Oracle()

    def cancel(progress: SamplingProgress) -> None:
        if progress.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(
            unet, conditions(40), Sampling(scheduler_config=EXACT, steps=9, audio_guidance=1), callback=cancel
        )
    assert len(unet.shapes) == 2


def test_an_emotion_over_time_is_cut_with_its_window() -> None:
    unet = Oracle()
    feeling = torch.arange(20.0)[:, None, None].expand(20, 2, 3)
    c = replace(conditions(20, feeling), null_emotion=torch.zeros(2, 3))
    sample(unet, c, Sampling(scheduler_config=EXACT, steps=1, audio_guidance=1.0, emotion_guidance=2.0))
    for emotion, (start, stop) in zip(unet.emotions, [(0, 16), (4, 20)], strict=True):
        assert emotion is not None and emotion.shape == (2, 16, 2, 3)
        assert torch.equal(emotion[0], torch.zeros(16, 2, 3)), "the null emotion comes first"
        assert torch.equal(emotion[1], feeling[start:stop])


def test_a_model_that_takes_no_emotion_is_not_given_one() -> None:
    unet = Oracle()
    unet.emotion_dim = None
    sample(
        unet, conditions(3, torch.ones(2, 3)), Sampling(scheduler_config=EXACT, steps=1, emotion_guidance=3.0)
    )
    assert unet.emotions == [None] and unet.shapes[0][0] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"window": 25}, "position table of 24"),
        ({"overlap": 16}, "overlap .context_overlap. is 16"),
        ({"scheduler": "heun"}, "'heun'"),
        ({"audio_guidance": -1.0}, "audio guidance is -1"),
        ({"shared_noise": 2.0}, "noise is 2"),
        ({"seed": 2**64}, "64 bits"),
    ],
)
def test_senseless_settings_are_refused_before_any_work(settings: dict, message: str) -> None:
    unet = Oracle()
    with pytest.raises(InputError, match=message):
        sample(unet, conditions(3), Sampling(**{"scheduler_config": EXACT, "steps": 2, **settings}))
    assert unet.shapes == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.zeros(5, 1, 4, 4)}, r"mask has the shape \[5, 1, 4, 4\]"),
        ({"reference_latents": torch.zeros(6, 4, 8, 8)}, "same resolution"),
        ({"audio": torch.zeros(5, 10, 6)}, "covers 5 frames and the latents 6"),
        ({"emotion": torch.zeros(5, 2, 3)}, "emotion covers 5 frames"),
        ({"audio": torch.full((6, 10, 6), torch.nan)}, "audio contains values that are not finite"),
    ],
)
def test_conditions_that_do_not_belong_together_are_named(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sample(Oracle(), replace(conditions(6), **change), Sampling(scheduler_config=EXACT))


def test_a_result_that_is_not_finite_is_an_error_with_advice() -> None:
    unet = Oracle()
    nn.init.constant_(unet.scale, torch.inf)
    with pytest.raises(InputError, match="not finite at step 1 of 4: load the model in float32"):
        sample(unet, conditions(3), Sampling(scheduler_config=EXACT, steps=4))


def test_half_precision_models_get_half_precision_and_the_result_is_float32() -> None:
    unet = Undecided()
    unet.register_parameter("weight", nn.Parameter(torch.zeros(1, dtype=torch.bfloat16)))
    latents = sample(unet, conditions(3), Sampling(scheduler_config=LATENTSYNC_DDIM, steps=1))
    assert latents.dtype == torch.float32
