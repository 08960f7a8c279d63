"""Does the mouth follow the sound? Held-out clips generated from one portrait, read by the instrument.

Every number stands beside its ceiling (the true renders through the same autoencoder) and its control (the
same measure against another clip's truth, and the loudness of the speech alone).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..checkpoints import Checkpoint
from ..faces.masks import latent_mask, mask_image, masked_picture
from ..metrics.mouth import correlation, speech_envelope
from ..sampling import Conditions, sample
from .autoencoder import psnr, to_model_range
from .dataset import FPS, RATE, ClipSet
from .instrument import Instrument, explained_variance

logger = logging.getLogger(__name__)


def mean_interval(values: Sequence[float]) -> dict[str, float]:
    """Mean over clips and half the width of its 95 % interval (normal approximation)."""
    array = np.asarray(values, float)
    return {"mean": float(array.mean()), "ci95": float(1.96 * array.std(ddof=1) / np.sqrt(len(array)))}


@dataclass(frozen=True)
class Generator:
    """The bundled model as it is used: one portrait, one recording, one sentence."""

    checkpoint: Checkpoint
    steps: int
    audio_guidance: float
    emotion_guidance: float

    @torch.no_grad()
    def __call__(self, portrait: Tensor, waveform: Tensor, text: str, frames: int, seed: int) -> Tensor:
        """Portrait [3, R, R] in [-1, 1] and speech [S] at 16 kHz to decoded frames [T, 3, R, R]."""
        parts = self.checkpoint
        region = mask_image(parts.mask_region, parts.resolution)
        vae, text_encoder = parts.component("vae"), parts.component("text_encoder")
        latents = vae.encode(torch.stack([portrait, masked_picture(portrait, region)]))
        emotion, null = text_encoder.encode([text, ""])
        conditions = Conditions(
            masked_latents=latents[1].expand(frames, -1, -1, -1),
            mask=latent_mask(region).expand(frames, -1, -1, -1),
            reference_latents=latents[0].expand(frames, -1, -1, -1),
            audio=parts.component("audio_encoder").encode_speech(waveform, FPS, frames),
            emotion=emotion,
            null_emotion=null,
        )
        result = sample(
            parts.component("unet"),
            conditions,
            scheduler_config=parts.scheduler_config,
            steps=self.steps,
            audio_guidance=self.audio_guidance,
            emotion_guidance=self.emotion_guidance,
            seed=seed,
            shared_noise=parts.defaults.get("shared_noise", 0.0),
        )
        return vae.decode(result)


def evaluate(
    generate: Generator,
    instrument: Instrument,
    clips: ClipSet,
    count: int,
    on_clip: Callable[[int, Tensor, Tensor, Tensor], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Scores of `count` held-out clips. `on_clip` receives (index, portrait, truth, generated) to draw them."""
    vae = generate.checkpoint.component("vae")
    region = mask_image(generate.checkpoint.mask_region, generate.checkpoint.resolution)
    scores: dict[str, list[float]] = {}
    openings, truths = [], []
    for i in range(count):
        truth = to_model_range(clips.frames[i])
        portrait = to_model_range(clips.references[i, 0])
        waveform = torch.from_numpy(clips.speech[i].astype(np.float32) / 32767)
        generated = generate(portrait, waveform, clips.texts[i]["text"], len(truth), seed=i)
        with torch.no_grad():
            ceiling = vae.decode(vae.encode(truth))
        read = instrument.read(generated.clamp(-1, 1))["mouth_opening"].numpy()
        openings.append(read)
        truths.append(clips.openings[i])
        row = {
            "mouth_r": correlation(read, clips.openings[i]),
            "mouth_r_ceiling": correlation(
                instrument.read(ceiling.clamp(-1, 1))["mouth_opening"].numpy(), clips.openings[i]
            ),
            "mouth_r_loudness_alone": correlation(
                np.asarray(speech_envelope(waveform, RATE, len(truth), FPS)), clips.openings[i]
            ),
            "psnr_codec": psnr(ceiling, truth, region),
        }
        for name, value in row.items():
            scores.setdefault(name, []).append(value)
        if on_clip:
            on_clip(i, portrait, truth, generated)
    for i, read in enumerate(openings):
        # The neighbour's truth: another person saying another sentence.
        scores.setdefault("mouth_r_mismatched", []).append(correlation(read, truths[(i + 1) % count]))
    return {name: mean_interval(values) for name, values in scores.items()}


def write_report(path: Path, scores: dict[str, dict[str, float]], instrument: Instrument, clips: ClipSet) -> None:
    """JSON with the scores and the instrument's own R² per reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"scores": scores, "instrument_r2": explained_variance(instrument, clips)}
    path.write_text(json.dumps(report, indent=1))
