"""What every evaluation of a finished checkpoint uses: the model as a function, and a few measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.faces.masks import composite, feathered, latent_mask, mask_image
from eadnet.media.audio import load_audio, num_frames, to_mono_16k
from eadnet.metrics.mouth import correlation, lag_curve, speech_envelope
from eadnet.pipeline import Model, encode_crops, encode_emotion, smooth
from eadnet.sampling import Conditions, sample
from eadnet.training.autoencoder import to_model_range
from eadnet.training.dataset import FPS, RATE
from eadnet.training.instrument import Instrument

OPENING = "mouth_opening"


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over clips and half the width of its 95 % interval (normal approximation)."""
    array = np.asarray(values, float)
    return float(array.mean()), float(1.96 * array.std(ddof=1) / np.sqrt(len(array)))


@dataclass(frozen=True)
class Talking:
    """The model with fixed settings, as a function of portrait, sound and sentence."""

    model: Model
    steps: int
    audio_guidance: float
    emotion_guidance: float

    @torch.no_grad()
    def __call__(
        self,
        portrait: np.ndarray,
        waveform: Tensor,
        text: str,
        frames: int,
        seed: int,
        video: np.ndarray | None = None,
    ) -> Tensor:
        """Portrait uint8 [R, R, 3] and speech [S] at 16 kHz to pictures [T, 3, R, R] in [-1, 1].

        With a `video` uint8 [T, R, R, 3] its face is generated anew and the rest is its own; the portrait
        then only says what the person looks like.
        """
        model, info = self.model, self.model.checkpoint
        region = mask_image(info.mask_region, info.resolution)
        source = torch.from_numpy(portrait.copy())[None]
        original = source if video is None else torch.from_numpy(video[:frames].copy())
        masked, _ = encode_crops(model.vae, original, region)
        _, whole = encode_crops(model.vae, source, region)
        emotion, null = encode_emotion(model.text_encoder, text)
        conditions = Conditions(
            masked_latents=masked.expand(frames, -1, -1, -1),
            mask=latent_mask(region)[None].expand(frames, -1, -1, -1),
            reference_latents=whole.expand(frames, -1, -1, -1),
            audio=model.audio_encoder.encode_speech(waveform, FPS, frames),
            emotion=emotion,
            null_emotion=null,
        )
        latents = sample(
            model.unet,
            conditions,
            scheduler_config=info.scheduler_config,
            steps=self.steps,
            audio_guidance=self.audio_guidance,
            emotion_guidance=self.emotion_guidance,
            seed=seed,
            shared_noise=info.defaults.get("shared_noise", 0.0),
        )
        generated = model.vae.decode(smooth(model.tfrm, latents, 1.0)).clamp(-1, 1)
        weight = feathered(region, info.resolution // 32)
        return composite(generated, to_model_range(original.numpy()), weight)


def acceleration(frames: Tensor, region: Tensor) -> float:
    """Mean absolute second difference over time within the region."""
    second = frames[2:] - 2 * frames[1:-1] + frames[:-2]
    return float((second.abs() * region).sum() / (region.sum() * 3 * len(second)))


def evaluate_recordings(
    talk: Talking, instrument: Instrument, portrait: np.ndarray, paths: Sequence[Path], seconds: float = 6.0
) -> dict[str, dict[str, float]]:
    """Mouth opening against the loudness of real recordings, and against the others' as control (mean)."""
    reads, envelopes = [], []
    for path in paths:
        waveform, rate = load_audio(path)
        mono = to_mono_16k(waveform, rate)[: round(seconds * RATE)]
        frames = num_frames(len(mono) / RATE, FPS)
        reads.append(instrument.read(talk(portrait, mono, "", frames, seed=0))[OPENING])
        envelopes.append(speech_envelope(mono, RATE, frames, FPS))
    result = {}
    for i, path in enumerate(paths):
        others = [
            correlation(reads[i][: len(other)], other[: len(reads[i])])
            for other in envelopes[:i] + envelopes[i + 1 :]
        ]
        result[path.name] = {
            "own": correlation(reads[i], envelopes[i]),
            "mismatched": float(np.mean(others)),
            "best lag": lag_curve(reads[i], envelopes[i], 5).best_lag,
        }
    return result
