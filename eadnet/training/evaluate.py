"""Does the mouth follow the sound? The finished checkpoint on held-out people, voices and sentences.

Every number stands beside its ceiling (the true renders through the same autoencoder) and its controls (the
same measure against another clip's truth, and the loudness of the speech alone).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..faces.masks import composite, feathered, latent_mask, mask_image
from ..media.audio import load_audio, num_frames, to_mono_16k
from ..metrics.mouth import correlation, lag_curve, speech_envelope
from ..pipeline import Model, encode_crops, encode_emotion, smooth
from ..sampling import Conditions, sample
from .autoencoder import psnr, to_model_range
from .dataset import FPS, RATE, ClipSet
from .emotions import EmotionReader
from .instrument import Instrument, explained_variance

OPENING = "mouth_opening"
EMOTION_FRAMES = 16


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


@dataclass(frozen=True)
class Scored:
    """Scores by name, one value per clip; and for each reading r between generated and true clips."""

    clips: dict[str, list[float]]
    expression: dict[str, tuple[float, float]]


def _expression_agreement(
    generated: list[dict[str, Tensor]], ceiling: list[dict[str, Tensor]], truth: list[dict[str, Tensor]]
) -> dict[str, tuple[float, float]]:
    """For every reading, r over clips of its mean on the generated clip (and the codec's) with the truth."""

    def means(clips: list[dict[str, Tensor]], name: str) -> Tensor:
        return torch.stack([clip[name].mean() for clip in clips])

    return {
        name: (
            correlation(means(generated, name), means(truth, name)),
            correlation(means(ceiling, name), means(truth, name)),
        )
        for name in truth[0]
    }


def _other_emotion(clips: ClipSet, index: int) -> int:
    """The next clip of another emotion."""
    order = [(index + step) % len(clips) for step in range(1, len(clips))]
    return next(i for i in order if clips.texts[i]["emotion"] != clips.texts[index]["emotion"])


def score_emotions(
    talk: Talking, instrument: Instrument, reader: EmotionReader, clips: ClipSet, count: int
) -> dict[str, list[float]]:
    """Is the sentence's emotion on the face? Right (1) or wrong (0) per clip, from the calm portrait.

    Ceiling: the true renders. Controls: another clip's sentence (the face should follow that one), and none.
    """
    scores: dict[str, list[float]] = {}
    for i in range(count):
        asked, other = clips.texts[i], clips.texts[_other_emotion(clips, i)]
        waveform = torch.from_numpy(clips.speech[i].astype(np.float32) / 32767)

        def shown(text: str, clip: int = i, waveform: Tensor = waveform) -> str:
            frames = talk(clips.references[clip, 0], waveform, text, EMOTION_FRAMES, seed=clip)
            return reader(instrument.read(frames))

        swapped = shown(other["text"])
        row = {
            "emotion": shown(asked["text"]) == asked["emotion"],
            "emotion ceiling": reader(instrument.read(to_model_range(clips.frames[i]))) == asked["emotion"],
            "emotion, another's sentence: follows it": swapped == other["emotion"],
            "emotion, another's sentence: own after all": swapped == asked["emotion"],
            "emotion, no sentence": shown("") == asked["emotion"],
        }
        for name, value in row.items():
            scores.setdefault(name, []).append(float(value))
    return scores


def score_pictures(
    talk: Talking, instrument: Instrument, clips: ClipSet, count: int
) -> dict[str, list[float]]:
    """How like the true clip is the clip with its face generated anew?

    Ceiling: the true clip through the autoencoder. Control: the portrait's face copied into every frame.
    """
    region = mask_image(talk.model.checkpoint.mask_region, talk.model.checkpoint.resolution)
    scores: dict[str, list[float]] = {}
    for i in range(count):
        truth = to_model_range(clips.frames[i])
        waveform = torch.from_numpy(clips.speech[i].astype(np.float32) / 32767)
        portrait = clips.references[i, 0]
        frames = talk(portrait, waveform, clips.texts[i]["text"], len(truth), seed=i, video=clips.frames[i])
        with torch.no_grad():
            codec = talk.model.vae.decode(talk.model.vae.encode(truth)).clamp(-1, 1)
        opening = torch.from_numpy(clips.openings[i])
        row = {
            "PSNR in the mask, dB": psnr(frames, truth, region),
            "PSNR ceiling (autoencoder), dB": psnr(codec, truth, region),
            "PSNR of the copied portrait, dB": psnr(to_model_range(portrait).expand_as(truth), truth, region),
            "jitter against the truth's": acceleration(frames, region) / acceleration(truth, region),
            "mouth, re-voiced": correlation(instrument.read(frames)[OPENING], opening),
        }
        for name, value in row.items():
            scores.setdefault(name, []).append(value)
    return scores


def acceleration(frames: Tensor, region: Tensor) -> float:
    """Mean absolute second difference over time within the region."""
    second = frames[2:] - 2 * frames[1:-1] + frames[:-2]
    return float((second.abs() * region).sum() / (region.sum() * 3 * len(second)))


def evaluate_clips(
    talk: Talking,
    instrument: Instrument,
    clips: ClipSet,
    count: int,
    on_clip: Callable[[int, np.ndarray, Tensor], None] | None = None,
) -> Scored:
    """Score `count` held-out clips, each from its calm portrait; `on_clip` gets (index, portrait, frames)."""
    from .instrument import NAMES, true_values

    values = true_values(clips)
    scores: dict[str, list[float]] = {}
    reads, ceilings, truths = [], [], []
    for i in range(count):
        true_frames = to_model_range(clips.frames[i])
        waveform = torch.from_numpy(clips.speech[i].astype(np.float32) / 32767)
        frames = talk(clips.references[i, 0], waveform, clips.texts[i]["text"], len(true_frames), seed=i)
        with torch.no_grad():
            codec = talk.model.vae.decode(talk.model.vae.encode(true_frames)).clamp(-1, 1)
        opening = torch.from_numpy(clips.openings[i])
        reads.append(instrument.read(frames))
        ceilings.append(instrument.read(codec))
        truths.append(dict(zip(NAMES, values[i].T, strict=True)))
        row = {
            "mouth": correlation(reads[i][OPENING], opening),
            "mouth ceiling": correlation(ceilings[i][OPENING], opening),
            "loudness alone": correlation(speech_envelope(waveform, RATE, len(opening), FPS), opening),
            "best lag": lag_curve(reads[i][OPENING], opening, 5).best_lag,
        }
        for name, value in row.items():
            scores.setdefault(name, []).append(value)
        if on_clip:
            on_clip(i, clips.references[i, 0], frames)
    # Against the next clip's truth: another person saying another sentence.
    scores["mouth mismatched"] = [
        correlation(reads[i][OPENING], truths[(i + 1) % count][OPENING]) for i in range(count)
    ]
    return Scored(scores, _expression_agreement(reads, ceilings, truths))


def evaluate_recordings(
    talk: Talking, instrument: Instrument, portrait: np.ndarray, paths: Sequence[Path], seconds: float = 6.0
) -> dict[str, dict[str, float]]:
    """Mouth opening against the loudness of real recordings, and against another recording's as control."""
    reads, envelopes = [], []
    for path in paths:
        waveform, rate = load_audio(path)
        mono = to_mono_16k(waveform, rate)[: round(seconds * RATE)]
        frames = num_frames(len(mono) / RATE, FPS)
        reads.append(instrument.read(talk(portrait, mono, "", frames, seed=0))[OPENING])
        envelopes.append(speech_envelope(mono, RATE, frames, FPS))
    result = {}
    for i, path in enumerate(paths):
        other = envelopes[(i + 1) % len(paths)]
        shared = min(len(reads[i]), len(other))
        result[path.name] = {
            "own": correlation(reads[i], envelopes[i]),
            "mismatched": correlation(reads[i][:shared], other[:shared]),
            "best lag": lag_curve(reads[i], envelopes[i], 5).best_lag,
        }
    return result


def report(
    scored: Scored,
    instrument: Instrument,
    clips: ClipSet,
    recordings: dict[str, dict[str, float]],
    setting: str,
) -> str:
    """A Markdown page of all of it."""
    lines = ["# `mini`: does the mouth follow the sound?", "", setting, ""]
    lines += ["| held-out synthetic clips | mean | 95 % |", "|---|---:|---:|"]
    for name, values in scored.clips.items():
        mean, interval = mean_interval(values)
        lines.append(f"| {name} | {mean:.3f} | ± {interval:.3f} |")
    trust = explained_variance(instrument, clips)
    lines += ["", "Expression: r over clips of each reading's mean, generated against truth.", ""]
    lines += ["| reading | generated | ceiling | the instrument's own R² |", "|---|---:|---:|---:|"]
    for name, (own, ceiling) in scored.expression.items():
        if ceiling > 0.5:
            lines.append(f"| {name} | {own:.2f} | {ceiling:.2f} | {trust[name]:.2f} |")
    if recordings:
        lines += [
            "",
            "Real recordings on the bundled portrait: r of mouth opening with the speech's envelope.",
            "",
        ]
        lines += ["| recording | own | another recording's | best lag, frames |", "|---|---:|---:|---:|"]
        for name, row in recordings.items():
            lines.append(f"| {name} | {row['own']:.2f} | {row['mismatched']:.2f} | {row['best lag']:.0f} |")
    return "\n".join(lines) + "\n"
