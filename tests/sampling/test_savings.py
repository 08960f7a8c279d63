"""Evaluations that are left out: how many, and that nothing changes where none is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from eadnet.errors import InputError
from eadnet.modules.unet import DeepFeatures, EADUNet
from eadnet.sampling import Conditions, Sampling, SamplingProgress, sample, stream
from eadnet.sampling.savings import Reuse, Savings
from tests.sampling.test_wavefront import Mixer, conditions, in_pieces, settings
from tests.tiny import UNET, tiny_components


class Deep(Mixer):
    """A denoiser whose deep part is its answer without the time; counts both, in rows of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.shallow = 0, 0

    def forward(
        self,
        x: Tensor,
        timestep: Tensor,
        audio: Tensor,
        emotion: Tensor | None = None,
        deep: DeepFeatures | None = None,
    ) -> Tensor:
        if deep is not None and deep.features is not None:
            self.shallow += len(x)
            features = deep.features
        else:
            self.whole += len(x)
            features = super().forward(x, torch.zeros(()), audio, emotion)
            features = features.transpose(1, 2).flatten(0, 1)
        if deep is not None:
            deep.features = features
        frames = features.unflatten(0, (len(x), -1)).transpose(1, 2)
        return torch.tanh(frames + 0.3 * x[:, :4] + timestep / 1000)


def rows(how: Sampling, frames: int = 45) -> tuple[int, int]:
    """(whole, shallow) evaluations of windows and branches."""
    unet = Deep()
    sample(unet, conditions(frames), how)
    return unet.whole, unet.shallow


def test_deep_layers_run_at_every_nth_step() -> None:
    plain = dict(steps=6, window_mode="moving", audio_guidance=1.0, emotion_guidance=1.0)
    assert rows(settings(**plain), 16) == (6, 0)
    assert rows(settings(**plain, savings=Savings(cache_interval=3)), 16) == (2, 4)
    assert rows(settings(**plain, savings=Savings(cache_interval=100)), 16) == (1, 5)


def test_guidance_costs_where_it_acts() -> None:
    plain = dict(steps=6, audio_guidance=2.0, emotion_guidance=2.0)
    assert rows(settings(**plain), 16) == (12, 0)
    assert rows(settings(**plain, savings=Savings(guidance_end=0.5)), 16) == (9, 0)
    assert rows(settings(**plain, savings=Savings(guidance_start=0.5, guidance_end=0.5)), 16) == (6, 0)
    assert rows(settings(**plain, savings=Savings(guidance_every=3)), 16) == (8, 0)


def test_without_guidance_anywhere_it_is_that_of_scale_one() -> None:
    c = conditions(40)
    none = settings(audio_guidance=3.0, savings=Savings(guidance_end=0.0))
    one = settings(audio_guidance=1.0, emotion_guidance=1.0)
    assert torch.allclose(sample(Mixer(), c, none), sample(Mixer(), c, one), atol=1e-6)


def test_what_guidance_added_is_added_again() -> None:
    """Where it adds the same at every step, nothing is lost by asking once."""

    class Steady(Mixer):
        def forward(
            self, x: Tensor, timestep: Tensor, audio: Tensor, emotion: Tensor | None = None
        ) -> Tensor:
            heard = audio.mean(dim=(2, 3))[:, None, :, None, None]
            return 0.1 * x[:, :4] + heard + timestep / 1000

    c = conditions(40)
    every, once = settings(steps=5), settings(steps=5, savings=Savings(guidance_every=9))
    assert torch.allclose(sample(Steady(), c, every), sample(Steady(), c, once), atol=1e-5)


@st.composite
def saving_streams(draw: st.DrawFn) -> tuple[int, int, Sampling]:
    frames, window = draw(st.integers(1, 64)), draw(st.integers(1, 24))
    start = draw(st.sampled_from([0.0, 0.4]))
    how = settings(
        scheduler=draw(st.sampled_from(["ddim", "dpmpp_2m", "unipc", "dpmpp_2m_sde"])),
        steps=draw(st.integers(1, 6)),
        window=window,
        overlap=draw(st.integers(0, window - 1)),
        window_mode=draw(st.sampled_from(["overlap", "moving"])),
        savings=Savings(
            draw(st.integers(1, 4)), start, draw(st.sampled_from([start, 1.0])), draw(st.integers(1, 3))
        ),
    )
    return frames, draw(st.integers(0, frames - 1)), how


@pytest.mark.slow
@torch.no_grad()
@given(saving_streams())
@example((61, 40, settings(steps=5, window_mode="moving", savings=Savings(2, 0.4, 1.0, 2))))
@example((40, 22, settings(steps=4, window=8, overlap=7, savings=Savings(3))))
def test_from_any_frame_on_a_stream_is_the_same_clip(drawn: tuple[int, int, Sampling]) -> None:
    frames, first, how = drawn
    unet, c = Deep(), conditions(frames)
    tail = torch.cat(list(stream(unet, in_pieces(c), frames, how, first_frame=first)))
    assert torch.equal(tail, sample(unet, c, how)[first:])


@pytest.mark.parametrize("streamed", [True, False])
def test_one_windows_deep_features_are_held_where_windows_move(
    monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    from eadnet.sampling.savings import DeepStore

    most, call = 0, DeepStore.call

    def counted(self: DeepStore, *given: Any) -> Tensor:
        nonlocal most
        result = call(self, *given)
        most = max(most, len(self._held))
        return result

    monkeypatch.setattr(DeepStore, "call", counted)
    how = settings(steps=6, window=6, window_mode="moving", savings=Savings(cache_interval=3))
    seen: list[SamplingProgress] = []
    if streamed:
        list(stream(Deep(), in_pieces(conditions(90)), 90, how))
    else:
        result = sample(Deep(), conditions(90), how, callback=seen.append)
        assert [p.step for p in seen if p.denoised is not None] == [2, 5]
        assert torch.equal(seen[-1].latents, result) and [p.done for p in seen] == [*range(1, len(seen) + 1)]
    assert most == 1


@torch.no_grad()
def test_the_networks_deep_features_stand_for_its_deep_layers() -> None:
    unet = tiny_components()["unet"].eval()
    assert isinstance(unet, EADUNet)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 13, 3, 4, 4, generator=generator)
    audio, emotion = torch.randn(2, 3, 5, 8, generator=generator), torch.randn(2, 6, 12, generator=generator)
    deep = DeepFeatures()
    whole = unet(x, 500, audio, emotion)
    assert torch.equal(unet(x, 500, audio, emotion, deep), whole)
    assert deep.features is not None and deep.features.shape[0] == 2 * 3
    assert torch.allclose(unet(x, 500, audio, emotion, deep), whole, atol=1e-6)  # the same input again
    other = unet(x + 0.1, 400, audio, emotion, deep)
    assert not torch.allclose(other, whole, atol=1e-3)
    assert not torch.equal(other, unet(x + 0.1, 400, audio, emotion))


@torch.no_grad()
def test_a_cached_clip_of_a_network_comes_out_whole() -> None:
    unet = EADUNet.from_config(UNET).eval()
    c = Conditions(
        masked_latents=torch.zeros(21, 4, 4, 4),
        mask=torch.ones(21, 1, 4, 4),
        reference_latents=torch.zeros(21, 4, 4, 4),
        audio=torch.zeros(21, 5, 8),
    )
    how = settings(steps=4, window_mode="moving", savings=Savings(cache_interval=2))
    assert sample(unet, c, how).shape == (21, 4, 4, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cache_interval": 0}, "cache_interval is 0 steps"),
        ({"guidance_every": 0}, "guidance_every is 0 steps"),
        ({"guidance_start": 0.6, "guidance_end": 0.5}, "from 0.6 to 0.5 of the steps"),
        ({"guidance_end": 1.5}, "from 0.0 to 1.5"),
    ],
)
def test_senseless_savings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Savings(**changes)


def test_steps_of_guidance() -> None:
    savings = Savings(guidance_start=0.25, guidance_end=0.75, guidance_every=2)
    kinds = [savings.reuse(step, 8) for step in range(8)]
    assert kinds == [Reuse.NONE] * 2 + [Reuse.NOTHING, Reuse.EARLIER] * 2 + [Reuse.NONE] * 2


@torch.no_grad()
def test_when_memory_runs_out_in_the_middle_branches_go_on_one_by_one_with_their_features() -> None:
    class Small(Deep):
        def forward(self, x: Tensor, *rest: Any, **more: Any) -> Tensor:
            if len(x) > 1 and self.calls >= 3:
                raise torch.OutOfMemoryError("too much")
            return super().forward(x, *rest, **more)

    c = replace(conditions(45), emotion=None, null_emotion=None)  # it mixes a batch's emotions
    for mode in ("moving", "overlap"):
        savings = Savings(cache_interval=2, guidance_every=2)
        how = settings(steps=6, window_mode=mode, savings=savings)
        assert torch.allclose(sample(Small(), c, how), sample(Deep(), c, how), atol=1e-5)


def test_windows_that_move_are_held_to_the_position_table_too() -> None:
    how = settings(window=25, window_mode="moving")
    with pytest.raises(InputError, match="longer than this model's position table of 24"):
        sample(Mixer(), conditions(40), how)
