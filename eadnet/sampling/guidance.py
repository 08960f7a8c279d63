"""Guidance with two scales, one for the sound and one for the emotion.

Reconstruction (the EAD-Net paper's abstract does not say how its two conditions are guided), after the
two-scale form of InstructPix2Pix (arXiv 2211.09800, eq. 3):

    eps = eps(0, 0) + s_a (eps(a, 0) - eps(0, 0)) + s_e (eps(a, e) - eps(a, 0))

Null sound is zeros, as in LatentSync; null emotion is the embedding of the empty sentence. The rule is
linear with coefficients that sum to 1, so it holds for the noise, for v and for the clean latents alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..memory import free_cached, is_out_of_memory
from ..printable import get_logger

logger = get_logger(__name__)


class UNetCall(Protocol):
    """The network at one step. ``branches`` says which of `BRANCHES` the parts of the batch are, in order."""

    def __call__(
        self, sample: Tensor, audio: Tensor, emotion: Tensor | None, branches: Sequence[int], /
    ) -> Tensor: ...


BRANCHES = ("without conditions", "sound", "sound and emotion")


class Evaluation(NamedTuple):
    """A term of the guided output: its coefficient, its conditions, and which of `BRANCHES` it is."""

    coefficient: float
    audio: Tensor
    emotion: Tensor | None
    branch: int


def evaluations(
    audio: Tensor,
    emotion: Tensor | None,
    null_emotion: Tensor | None,
    audio_guidance: float,
    emotion_guidance: float,
) -> list[Evaluation]:
    """The terms whose sum is the guided output; those of coefficient zero are left out.

    Both scales 1 need one evaluation, equal scales or a scale of 0 or 1 need two, anything else three.
    Without an emotion its scale has no meaning and the rule is ordinary classifier-free guidance on the
    sound.
    """
    silence = torch.zeros_like(audio)
    if emotion is None:
        terms = [
            Evaluation(1 - audio_guidance, silence, null_emotion, 0),
            Evaluation(audio_guidance, audio, null_emotion, 1),
        ]
    else:
        terms = [
            Evaluation(1 - audio_guidance, silence, null_emotion, 0),
            Evaluation(audio_guidance - emotion_guidance, audio, null_emotion, 1),
            Evaluation(emotion_guidance, audio, emotion, 2),
        ]
    return [term for term in terms if term.coefficient != 0]


def _one_by_one(unet: UNetCall, sample: Tensor, terms: list[Evaluation]) -> tuple[Tensor, Tensor]:
    total = output = torch.zeros((), device=sample.device)
    for coefficient, audio, emotion, branch in terms:
        output = unet(sample, audio, emotion, (branch,)).float()
        total = total + coefficient * output
    return total, output


def _together(unet: UNetCall, sample: Tensor, terms: list[Evaluation]) -> tuple[Tensor, Tensor]:
    audio = torch.cat([term.audio for term in terms])
    emotions = [term.emotion for term in terms if term.emotion is not None]
    emotion = torch.cat(emotions) if emotions else None
    branches = [term.branch for term in terms]
    outputs = unet(torch.cat([sample] * len(terms)), audio, emotion, branches).float().chunk(len(terms))
    weighted = [term.coefficient * output for term, output in zip(terms, outputs, strict=True)]
    return torch.stack(weighted).sum(dim=0), outputs[-1]


def _batchable(terms: list[Evaluation]) -> bool:
    """A batch needs emotions of one shape, or none at all."""
    return len({None if term.emotion is None else tuple(term.emotion.shape) for term in terms}) == 1


class Guidance:
    """Evaluates the guided model output; all evaluations in one batch until memory once does not allow it."""

    def __init__(self, audio: float = 1.5, emotion: float = 1.0, batched: bool = True) -> None:
        """Raises InputError for a scale outside 0..100."""
        for name, scale in (("audio", audio), ("emotion", emotion)):
            if not 0 <= scale <= 100:
                raise InputError(f"The {name} guidance is {scale}: use 0 to 100 (1 is no guidance).")
        self.audio, self.emotion, self.batched = audio, emotion, batched

    def __call__(
        self,
        unet: UNetCall,
        sample: Tensor,
        audio: Tensor,
        emotion: Tensor | None = None,
        null_emotion: Tensor | None = None,
    ) -> Tensor:
        """Guided output [B,4,T,h,w] in float32 of ``unet(sample [B,13,T,h,w], audio [B,T,N,D], emotion)``.

        Emotions are [B, L, D] or [B, T, L, D]; ``null_emotion`` None means the model's path without emotion.
        """
        return self.parts(unet, sample, audio, emotion, null_emotion)[0]

    def parts(
        self,
        unet: UNetCall,
        sample: Tensor,
        audio: Tensor,
        emotion: Tensor | None = None,
        null_emotion: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(the guided output, that of its last branch alone: the one with the most conditions)."""
        terms = evaluations(audio, emotion, null_emotion, self.audio, self.emotion)
        if self.batched and len(terms) > 1 and _batchable(terms):
            try:
                return _together(unet, sample, terms)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler, where the failed attempt's tensors are no longer referenced.
            self.batched = False
            free_cached()
            logger.warning(
                "EAD-Net ran out of memory with %d evaluations at once and goes on with one by one.",
                len(terms),
            )
        return _one_by_one(unet, sample, terms)

    def unguided(
        self,
        unet: UNetCall,
        sample: Tensor,
        audio: Tensor,
        emotion: Tensor | None = None,
        null_emotion: Tensor | None = None,
    ) -> Tensor:
        """The output of the last branch alone, [B,4,T,h,w] in float32."""
        last = evaluations(audio, emotion, null_emotion, self.audio, self.emotion)[-1]
        return unet(sample, last.audio, last.emotion, (last.branch,)).float()
