"""Numbers for each clip from its takes and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eadnet.metrics.mouth import correlation, lag_curve, speech_envelope
from eadnet.metrics.temporal import jitter
from eadnet.training.dataset import FPS, RATE
from eadnet.training.instrument import NAMES, true_values
from experiments.emotion_classifier import EmotionReader
from experiments.world.likeness import factors, identity_error, landmarks
from experiments.world.lips import CLOSED, closures, mouth_width, open_vowels, share_closed
from experiments.world.plan import SHORT, TAKES, level_of
from experiments.world.takes import Stage, Take

MAX_LAG = 5
OPENING = NAMES.index("mouth_opening")


@dataclass
class Measured:
    """Everything that was measured, clip by clip.

    `rows`: numbers by name, NaN where a clip cannot tell (no p, b or m; a truth that does not move).
    `lags` [clips, 2 MAX_LAG + 1]: r with the truth at each lag, own and another clip's.
    `means` [clips, readings]: the mean of each reading, generated, through the autoencoder, true.
    `curves`: of each clip the opening of the mouth, generated and true.
    """

    clips: list[int] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    asked_levels: list[str] = field(default_factory=list)
    lags: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"own": [], "mismatched": []})
    means: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {"own": [], "ceiling": [], "truth": []}
    )
    curves: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def column(self, name: str) -> list[float]:
        return [row[name] for row in self.rows]


def measure(stage: Stage, done: Sequence[int], reader: EmotionReader, spread: Tensor) -> Measured:
    """Measure clips `done`, all of whose takes are on the disk; `spread` [F] is that of people's factors."""
    truths = true_values(stage.clips)
    measured = Measured()
    openings = {i: truths[i][:, OPENING] for i in done}
    for place, index in enumerate(done):
        takes = {name: stage.take(name, index) for name in TAKES}
        other = done[(place + 1) % len(done)]
        row = _mouth(stage, index, takes, openings[index], openings[other])
        row |= _lips(stage, index, other, takes)
        row |= _emotion(stage, index, takes, reader)
        row |= _picture(stage, index, takes, spread)
        measured.clips.append(index)
        measured.rows.append(row)
        measured.levels.append(level_of(stage.clips.texts[index]["intensity"]))
        measured.asked_levels.append(stage.request(index).level)
        own = _opening(takes["own"])
        measured.lags["own"].append(lag_curve(own, openings[index], MAX_LAG).correlations.numpy())
        measured.lags["mismatched"].append(lag_curve(own, openings[other], MAX_LAG).correlations.numpy())
        measured.means["own"].append(takes["own"]["readings"].mean(0))
        measured.means["ceiling"].append(takes["truth"]["readings"].mean(0))
        measured.means["truth"].append(truths[index].mean(0).numpy())
        measured.curves.append((own.numpy(), openings[index].numpy()))
    return measured


def _opening(take: Take) -> Tensor:
    return torch.from_numpy(take["readings"][:, OPENING])


def _mouth(
    stage: Stage, index: int, takes: dict[str, Take], truth: Tensor, other: Tensor
) -> dict[str, float]:
    own = _opening(takes["own"])
    speech = torch.from_numpy(stage.clips.speech[index].astype(np.float32) / 32767)
    return {
        "mouth": correlation(own, truth),
        "mouth, ceiling": correlation(_opening(takes["truth"]), truth),
        "mouth, mismatched": correlation(own, other),
        "mouth, loudness alone": correlation(speech_envelope(speech, RATE, len(truth), FPS), truth),
        "mouth, no sentence": correlation(_opening(takes["plain"]), truth),
        "mouth, re-voiced": correlation(_opening(takes["revoiced"]), truth),
        "lag": float(lag_curve(own, truth, MAX_LAG).best_lag),
    }


def _lips(stage: Stage, index: int, other: int, takes: dict[str, Take]) -> dict[str, float]:
    clip = stage.world_clip(index)
    frames = stage.clips.params.shape[1]
    shut, wide = (find(clip.phonemes, frames, FPS) for find in (closures, open_vowels))
    elsewhere = closures(stage.world_clip(other).phonemes, frames, FPS)
    true_points = torch.from_numpy(
        landmarks(clip.identity, stage.clips.params[index], stage.clips.frames.shape[2])
    )
    true_width = mouth_width(true_points)

    def width(name: str) -> float:
        return correlation(mouth_width(torch.from_numpy(takes[name]["landmarks"])), true_width)

    return {
        "closed": share_closed(_opening(takes["own"]), shut),
        "closed, ceiling": share_closed(_opening(takes["truth"]), shut),
        "closed, elsewhere": share_closed(_opening(takes["own"]), elsewhere),
        "closed, still portrait": float(takes["truth"]["still"][OPENING] <= CLOSED),
        "closed, vowels": share_closed(_opening(takes["own"]), wide),
        "closed, vowels, ceiling": share_closed(_opening(takes["truth"]), wide),
        "width": width("own"),
        "width, ceiling": width("truth"),
        "jitter of landmarks": jitter(torch.from_numpy(takes["revoiced"]["landmarks"])) / jitter(true_points),
        "jitter of landmarks, ceiling": jitter(torch.from_numpy(takes["truth"]["landmarks"]))
        / jitter(true_points),
    }


def _emotion(stage: Stage, index: int, takes: dict[str, Take], reader: EmotionReader) -> dict[str, float]:
    own, asked = stage.clips.texts[index]["emotion"], stage.request(index).emotion

    def shows(name: str, emotion: str, frames: int | None = None) -> float:
        readings = torch.from_numpy(takes[name]["readings"][:frames])
        return float(reader(dict(zip(NAMES, readings.T, strict=True))) == emotion)

    portrait = torch.from_numpy(takes["truth"]["still"])[:, None]
    return {
        "emotion": shows("own", own),
        "emotion, ceiling": shows("truth", own),
        "emotion, no sentence": shows("plain", own),
        "emotion, still portrait": float(reader(dict(zip(NAMES, portrait, strict=True))) == own),
        "asked": shows("asked", asked),
        "asked, ceiling": shows("meant", asked),
        "asked: the voice's emotion after all": shows("asked", own),
        "asked, seen phrasing": shows("seen", asked),
        "asked, no sound": shows("deaf", asked),
        "asked, no sentence": shows("plain", asked, SHORT),
    }


def _picture(stage: Stage, index: int, takes: dict[str, Take], spread: Tensor) -> dict[str, float]:
    clip = stage.world_clip(index)
    who = torch.from_numpy(factors(clip.identity))
    stranger = torch.from_numpy(factors(stage.world_clip((index + 1) % len(stage.clips)).identity))

    def unlike(name: str, person: Tensor) -> float:
        return identity_error(torch.from_numpy(takes[name]["identity"]), person, spread)

    truth, revoiced = takes["truth"], takes["revoiced"]
    return {
        "psnr": float(revoiced["psnr"]),
        "psnr, ceiling": float(truth["psnr"]),
        "psnr, copied portrait": float(truth["psnr_copy"]),
        "identity": unlike("own", who),
        "identity, ceiling": unlike("truth", who),
        "identity, a stranger": unlike("own", stranger),
        "acceleration": float(revoiced["acceleration"]),
        "acceleration, ceiling": float(truth["acceleration"]),
        "flicker": float(revoiced["flicker"] / max(float(truth["flicker_truth"]), 1e-6)),
        "flicker, ceiling": float(truth["flicker"] / max(float(truth["flicker_truth"]), 1e-6)),
        "kept outside": float(revoiced["kept_outside"]),
        "processor seconds": float(takes["own"]["processor_seconds"]),
        "seconds": float(takes["own"]["seconds"]),
    }


def expression_r(measured: Measured, trusted: float = 0.5) -> dict[str, tuple[float, float]]:
    """Of every reading whose ceiling is above `trusted`: r over clips of its mean, generated and ceiling."""
    own, ceiling, truth = (
        torch.from_numpy(np.stack(measured.means[name])) for name in ("own", "ceiling", "truth")
    )
    found = {}
    for k, name in enumerate(NAMES):
        best = correlation(ceiling[:, k], truth[:, k])
        if best > trusted:
            found[name] = (correlation(own[:, k], truth[:, k]), best)
    return found


def expression_interval(measured: Measured, draws: int = 400) -> tuple[float, float, float, float]:
    """Mean over the readings of r: generated, its 95 % interval by redrawing clips, and the ceiling's."""
    rng = np.random.default_rng(0)
    table = expression_r(measured)
    if not table:
        return (np.nan, np.nan, np.nan, np.nan)
    columns = [NAMES.index(name) for name in table]
    own, truth = (np.stack(measured.means[name])[:, columns] for name in ("own", "truth"))
    means = []
    for _ in range(draws):
        rows = rng.integers(len(own), size=len(own))
        a, b = (x[rows] - x[rows].mean(0) for x in (own, truth))
        r = (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0)).clip(1e-12)
        means.append(r.mean())
    low, high = np.percentile(means, [2.5, 97.5])
    generated, ceiling = (np.mean([pair[k] for pair in table.values()]) for k in (0, 1))
    return float(generated), float(low), float(high), float(ceiling)
