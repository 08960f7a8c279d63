"""Guidance with two scales, one for the sound and one for the emotion.

Reconstruction (the EAD-Net paper's abstract does not say how its two conditions are guided), after the
two-scale form of InstructPix2Pix (arXiv 2211.09800, eq. 3):

    eps = eps(0, 0) + s_a (eps(a, 0) - eps(0, 0)) + s_e (eps(a, e) - eps(a, 0))

Null sound is zeros, as in LatentSync; null emotion is the embedding of the empty sentence. The rule is
linear with coefficients that sum to 1, so it holds for the noise, for v and for the clean latents alike.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..memory import free_cached, is_out_of_memory
from ..printable import get_logger

logger = get_logger(__name__)

UNetCall = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]
Evaluation = tuple[float, Tensor, "Tensor | None"]


def evaluations(
    audio: Tensor,
    emotion: Tensor | None,
    null_emotion: Tensor | None,
    audio_guidance: float,
    emotion_guidance: float,
) -> list[Evaluation]:
    """The (coefficient, audio, emotion) triples whose weighted sum is the guided output; zero ones are
    left out.

    Both scales 1 need one evaluation, equal scales or a scale of 0 or 1 need two, anything else three.
    Without an emotion its scale has no meaning and the rule is ordinary classifier-free guidance on the
    sound.
    """
    silence = torch.zeros_like(audio)
    if emotion is None:
        triples: list[Evaluation] = [
            (1 - audio_guidance, silence, null_emotion),
            (audio_guidance, audio, null_emotion),
        ]
    else:
        triples = [
            (1 - audio_guidance, silence, null_emotion),
            (audio_guidance - emotion_guidance, audio, null_emotion),
            (emotion_guidance, audio, emotion),
        ]
    return [triple for triple in triples if triple[0] != 0]


def _one_by_one(unet: UNetCall, sample: Tensor, triples: list[Evaluation]) -> Tensor:
    total = torch.zeros((), device=sample.device)
    for coefficient, audio, emotion in triples:
        total = total + coefficient * unet(sample, audio, emotion).float()
    return total


def _together(unet: UNetCall, sample: Tensor, triples: list[Evaluation]) -> Tensor:
    audio = torch.cat([audio for _, audio, _ in triples])
    emotions = [emotion for _, _, emotion in triples if emotion is not None]
    emotion = torch.cat(emotions) if emotions else None
    outputs = unet(torch.cat([sample] * len(triples)), audio, emotion).float().chunk(len(triples))
    weighted = [triple[0] * output for triple, output in zip(triples, outputs, strict=True)]
    return torch.stack(weighted).sum(dim=0)


def _batchable(triples: list[Evaluation]) -> bool:
    """A batch needs emotions of one shape, or none at all."""
    return len({None if emotion is None else tuple(emotion.shape) for _, _, emotion in triples}) == 1


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
        triples = evaluations(audio, emotion, null_emotion, self.audio, self.emotion)
        if self.batched and len(triples) > 1 and _batchable(triples):
            try:
                return _together(unet, sample, triples)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler, where the failed attempt's tensors are no longer referenced.
            self.batched = False
            free_cached()
            logger.warning(
                "EAD-Net ran out of memory with %d evaluations at once and goes on with one by one.",
                len(triples),
            )
        return _one_by_one(unet, sample, triples)
