"""A finished model as a function from pictures, speech and text to pictures, by the one render path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.faces.masks import mask_image
from eadnet.media.lengths import Length
from eadnet.media.reader import PicturesInMemory
from eadnet.media.speech import Speech, SpeechInMemory
from eadnet.pipeline import Model, Settings, encode_emotion
from eadnet.render import CentreSquare, Scene, render
from eadnet.training.autoencoder import to_model_range
from eadnet.training.dataset import FPS


class NoAudio:
    """An audio encoder that gives zeros, which the denoiser takes for "no audio"."""

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
    settings: Settings = Settings(silence_gate=False)

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
            pictures: a portrait uint8 [R, R, 3], or a video input uint8 [T, R, R, 3] whose face is generated
                anew while the rest stays.
            speech: [S] at 16 kHz.
            emotion: a text, or ready tokens, [L, D] or [frames, L, D].
            frames: to render, from the beginning.
            seed: of the noise.
            reference: what the person looks like, uint8 [R, R, 3]; None is the pictures themselves.
        """
        info = self.model.checkpoint
        region = mask_image(info.mask_region, info.resolution)
        shown = pictures[None] if pictures.ndim == 3 else pictures[:frames]
        tokens, null = encode_emotion(self.model.text_encoder, emotion if isinstance(emotion, str) else "")
        scene = Scene(
            pictures=PicturesInMemory(np.array(shown), FPS),
            face=CentreSquare(region),
            region=region,
            speech=SpeechInMemory(speech),
            fps=Fraction(FPS),
            length=Length(frames, len(shown), "bounce"),
            emotion=tokens if isinstance(emotion, str) else emotion,
            null_emotion=null,
            silence_gate=self.settings.silence_gate,
            reference=None if reference is None else to_model_range(reference.copy()),
        )
        how = replace(self.settings, seed=seed).sampling(info)
        made = render(self.model.networks(), scene, how, smoothing=self.settings.smoothing)
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
