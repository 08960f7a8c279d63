"""Guidance with two scales: the rule, and no evaluation that it does not need."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.sampling.guidance import Guidance

SAMPLE = torch.randn(1, 13, 3, 2, 2, generator=torch.Generator().manual_seed(0))
AUDIO = torch.full((1, 3, 10, 6), 2.0)
EMOTION, NULL = torch.full((1, 5, 8), 3.0), torch.full((1, 5, 8), 0.5)


class Toy:
    """Depends on sound and emotion in a way that shows which were given; counts rows and calls."""

    def __init__(self, memory: int = 99, error: Exception | None = None) -> None:
        self.rows, self.calls, self.memory = 0, 0, memory
        self.error = error or torch.OutOfMemoryError("too much")

    def __call__(
        self, sample: Tensor, audio: Tensor, emotion: Tensor | None, branches: Sequence[int] = ()
    ) -> Tensor:
        if len(sample) > self.memory:
            raise self.error
        self.calls += 1
        self.rows += len(sample)
        heard = audio.mean(dim=(1, 2, 3))
        felt = (
            torch.full_like(heard, -1.0)
            if emotion is None
            else emotion.mean(dim=tuple(range(1, emotion.ndim)))
        )
        return sample[:, :4] + (heard + heard * felt + 10 * felt)[:, None, None, None, None]


def plain(audio: float, emotion: float) -> Tensor:
    return Toy()(SAMPLE, torch.full_like(AUDIO, audio), torch.full_like(EMOTION, emotion))


@pytest.mark.parametrize(
    ("audio", "emotion", "evaluations"),
    [(1.0, 1.0, 1), (1.5, 1.5, 2), (1.0, 2.0, 2), (1.5, 0.0, 2), (0.0, 0.0, 1), (1.0, 0.0, 1), (1.5, 2.0, 3)],
)
@pytest.mark.parametrize("batched", [True, False])
def test_the_rule_holds_with_only_the_evaluations_it_needs(
    audio: float, emotion: float, evaluations: int, batched: bool
) -> None:
    unet = Toy()
    nothing, sound, both = plain(0, 0.5), plain(2, 0.5), plain(2, 3)
    expected = nothing + audio * (sound - nothing) + emotion * (both - sound)
    got = Guidance(audio, emotion, batched)(unet, SAMPLE, AUDIO, EMOTION, NULL)
    torch.testing.assert_close(got, expected)
    assert unet.rows == evaluations
    assert unet.calls == (1 if batched else evaluations)


def test_without_an_emotion_it_is_ordinary_guidance_on_the_sound() -> None:
    unet = Toy()
    got = Guidance(1.5, 7.0)(unet, SAMPLE, AUDIO, None, NULL)
    torch.testing.assert_close(got, plain(0, 0.5) + 1.5 * (plain(2, 0.5) - plain(0, 0.5)))
    assert unet.rows == 2


def test_a_model_without_emotion_gets_none() -> None:
    torch.testing.assert_close(Guidance(1.0, 1.0)(Toy(), SAMPLE, AUDIO), Toy()(SAMPLE, AUDIO, None))


def test_no_null_emotion_means_the_path_without_emotion() -> None:
    unet = Toy()
    none, both = Toy()(SAMPLE, AUDIO, None), plain(2, 3)
    torch.testing.assert_close(
        Guidance(1.0, 2.0)(unet, SAMPLE, AUDIO, EMOTION, None), none + 2 * (both - none)
    )
    assert unet.calls == 2, "a batch cannot hold both an emotion and none"


@pytest.mark.parametrize(
    "error", [None, RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), MemoryError()], ids=repr
)
def test_out_of_memory_is_survived_one_by_one_and_remembered(error: Exception | None) -> None:
    unet, guidance = Toy(memory=1, error=error), Guidance(1.5, 2.0)
    expected = Guidance(1.5, 2.0)(Toy(), SAMPLE, AUDIO, EMOTION, NULL)
    torch.testing.assert_close(guidance(unet, SAMPLE, AUDIO, EMOTION, NULL), expected)
    assert guidance.batched is False


def test_another_error_is_not_tried_again() -> None:
    unet, guidance = Toy(memory=1, error=RuntimeError("shapes differ")), Guidance(1.5, 2.0)
    with pytest.raises(RuntimeError, match="shapes differ"):
        guidance(unet, SAMPLE, AUDIO, EMOTION, NULL)
    assert guidance.batched and unet.calls == 0


def test_out_of_memory_with_a_single_evaluation_is_the_callers_business() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Guidance(1.0, 1.0)(Toy(memory=0), SAMPLE, AUDIO, EMOTION, NULL)


@pytest.mark.parametrize(
    ("audio", "emotion", "name"), [(-1, 1, "audio"), (1, 101, "emotion"), (float("nan"), 1, "audio")]
)
def test_senseless_scales_are_named(audio: float, emotion: float, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} guidance"):
        Guidance(audio, emotion)
