"""The conditions of a scene's frames, computed as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..faces.masks import latent_mask, masked_picture
from ..media.silence import fade_to_silence, silence_tokens, speech_gate
from ..mixed_tokens import MixedTokens
from ..sampling import Conditions
from .memory import VAE_BATCH
from .networks import Networks
from .scene import Scene


class Pieces:
    """Tensors that come in pieces of any length, returned in pieces of the requested length."""

    def __init__(self, source: Iterable[Tensor]) -> None:
        self._source, self._held = iter(source), list[Tensor]()

    def take(self, count: int) -> Tensor:
        """The next ``count`` rows."""
        while sum(map(len, self._held)) < count:
            self._held.append(next(self._source))
        whole = self._held[0] if len(self._held) == 1 else torch.cat(self._held)
        self._held = [whole[count:]]
        # A view would keep the whole of it alive, ten seconds of sound, as long as the few frames are needed.
        return whole[:count].clone()


class SceneConditions:
    """The conditions and the pictures of a scene from any frame on."""

    def __init__(self, networks: Networks, scene: Scene) -> None:
        self.networks, self.scene = networks, scene

    def from_frame(self, first: int) -> Iterator[Conditions]:
        """Conditions from frame ``first`` on, in pieces that begin at multiples of `VAE_BATCH`."""
        scene, start = self.scene, first // VAE_BATCH * VAE_BATCH
        mask = latent_mask(scene.region)
        tokens = Pieces(self._tokens(start))
        while start < scene.length.frames:
            stop = min(start + VAE_BATCH, scene.length.frames)
            masked, whole = self._latents(start, stop)
            piece = Conditions(
                masked_latents=masked,
                mask=mask.expand(stop - start, -1, -1, -1),
                reference_latents=whole,
                audio=tokens.take(stop - start),
                emotion=_moving(scene.emotion, start, stop),
                null_emotion=scene.null_emotion,
            )
            yield piece[max(0, first - start) :]
            start = stop

    def frames(self, start: int, stop: int) -> tuple[np.ndarray, list[int]]:
        """The pictures [n, H, W, 3] behind some frames, and their numbers in the source."""
        numbers = [self.scene.length.at(i) for i in range(start, stop)]
        return np.stack([self.scene.pictures.picture(number) for number in numbers]), numbers

    def _latents(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """(masked latents, reference latents), [stop - start, 4, h, w]."""
        still = self.scene.length.available == 1
        masked, whole = self._still if still else self._encoded(*self.frames(start, stop))
        shape = (stop - start, -1, -1, -1)
        return masked.expand(shape), whole.expand(shape)

    @cached_property
    def _still(self) -> tuple[Tensor, Tensor]:
        """The latents of a portrait, for all frames."""
        return self._encoded(*self.frames(0, 1))

    @cached_property
    def _reference(self) -> Tensor | None:
        """The latents [1, 4, h, w] of the picture that shows the person in all frames; None: each frame
        does.
        """
        crop = self.scene.reference
        return None if crop is None else self.networks.encode(crop[None])

    @torch.no_grad()
    def _encoded(self, frames: np.ndarray, numbers: list[int]) -> tuple[Tensor, Tensor]:
        crops = self.scene.cropper.crop(frames, numbers)
        whole = self.networks.encode(crops) if self._reference is None else self._reference
        return self.networks.encode(masked_picture(crops, self.scene.region)), whole

    def _tokens(self, first: int) -> Iterator[Tensor]:
        scene, encoder = self.scene, self.networks.audio_encoder
        blocks = encoder.stream_speech(scene.speech, scene.fps, scene.length.frames, first)
        if not scene.silence_gate:
            yield from blocks
            return
        gate = speech_gate(scene.speech, scene.fps, scene.length.frames)
        quiet = silence_tokens(encoder)
        for block in blocks:
            yield fade_to_silence(block, gate[first : first + len(block)], quiet)
            first += len(block)


def _moving(emotion: Tensor | MixedTokens | None, start: int, stop: int) -> Tensor | MixedTokens | None:
    return emotion[start:stop] if emotion is not None and emotion.ndim == 3 else emotion
