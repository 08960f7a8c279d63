"""A finished model as a function from pictures, speech and text to pictures, by the one render path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.media.speech import Speech
from eadnet.rendering import Model, RenderSettings, render_frames, scene_in_memory
from eadnet.training.data.images import to_model_range


class NoAudio:
    """An audio encoder that gives zeros, which the U-Net takes for "no audio"."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def stream_speech(
        self, speech: Speech, fps: float | Fraction, num_frames: int, first_frame: int = 0
    ) -> Iterator[Tensor]:
        """Zeros [n, N, D] in the pieces of the encoder itself."""
        for tokens in self.encoder.stream_speech(speech, fps, num_frames, first_frame):
            yield torch.zeros_like(tokens)


@dataclass(frozen=True)
class ClipRenderer:
    """A model with fixed settings, whose clips are short enough to lie in memory.

    The silence gate is off: what is measured is how the networks themselves answer the sound.
    """

    model: Model
    settings: RenderSettings = RenderSettings(silence_gate=False)

    def __call__(
        self,
        pictures: np.ndarray,
        speech: Tensor,
        emotion: str | Tensor,
        frames: int,
        seed: int,
        reference: np.ndarray | None = None,
    ) -> Tensor:
        """The finished pictures [frames, 3, R, R] in [-1, 1], in the 256 levels of a video.

        Args:
            pictures: a portrait uint8 [R, R, 3], or a video input uint8 [T, R, R, 3] whose face is
                regenerated while the rest stays.
            speech: [S] at 16 kHz.
            emotion: a text, or ready tokens, [L, D] or [frames, L, D].
            frames: to render, from the beginning.
            seed: of the noise.
            reference: what the person looks like, uint8 [R, R, 3]; None is the pictures themselves.
        """
        settings = replace(self.settings, seed=seed)
        scene = scene_in_memory(
            self.model,
            pictures if pictures.ndim == 3 else pictures[:frames],
            speech,
            emotion,
            frames=frames,
            reference=None if reference is None else np.array(reference),  # data sets are read-only
            settings=settings,
        )
        sampling = settings.sampling(self.model.checkpoint)
        made = render_frames(self.model.networks(), scene, sampling, smoothing=settings.smoothing)
        return to_model_range(np.stack(list(made)))

    def without_audio(self) -> ClipRenderer:
        """The same model without the sound, and without its guidance."""
        model = replace(self.model, audio_encoder=NoAudio(self.model.audio_encoder))
        return replace(self, model=model, settings=replace(self.settings, audio_guidance=1.0))

    def described(self) -> str:
        """The settings in words."""
        how = self.settings.sampling(self.model.checkpoint)
        guidance = f"{how.audio_guidance:g} (sound) and {how.emotion_guidance:g} (emotion)"
        return f"{how.steps} steps, guidance {guidance}"
