"""Numbers for each clip from its takes and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eadnet.dataset_format import FPS, SAMPLE_RATE
from eadnet.metrics.mouth import correlation, lag_curve, speech_envelope
from eadnet.metrics.temporal import jitter
from eadnet.training.data.clips import labels_of
from eadnet.training.regressors.pictures import true_values
from experiments.emotion_classifier import EmotionClassifier
from experiments.readings import NAMES, OPENING
from experiments.world.identity import factors, identity_error, landmarks
from experiments.world.lips import CLOSED, closures, mouth_width, open_vowels, share_closed
from experiments.world.plan import SHORT, TAKES, level_of
from experiments.world.takes import Take, TakeStore

MAX_LAG = 5
_OPENING = NAMES.index(OPENING)


@dataclass
class Measured:
    """Everything that was measured, clip by clip.

    `rows`: numbers by name, NaN where a clip cannot tell (no p, b or m; a truth that does not move).
    `lags` [clips, 2 MAX_LAG + 1]: r with the truth at each lag, own and another clip's.
    `means` [clips, readings]: the mean of each reading, generated, through the VAE, true.
    `curves`: of each clip the opening of the mouth, generated and true.
    """

    clips: list[int] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    swapped_levels: list[str] = field(default_factory=list)
    lags: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"own": [], "mismatched": []})
    means: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {"generated": [], "ceiling": [], "truth": []}
    )
    curves: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def column(self, name: str) -> list[float]:
        return [row[name] for row in self.rows]


def measure(store: TakeStore, done: Sequence[int], classifier: EmotionClassifier, spread: Tensor) -> Measured:
    """Measure clips `done`, all of whose takes are on the disk; `spread` [F] is that of people's factors."""
    truths = true_values(store.clips)
    measured = Measured()
    openings = {i: truths[i][:, _OPENING] for i in done}
    for place, index in enumerate(done):
        takes = {name: store.take(name, index) for name in TAKES}
        other = done[(place + 1) % len(done)]
        row = _mouth(store, index, takes, openings[index], openings[other])
        row |= _lips(store, index, other, takes)
        row |= _emotion(store, index, takes, classifier)
        row |= _picture(store, index, takes, spread)
        measured.clips.append(index)
        measured.rows.append(row)
        measured.levels.append(level_of(store.clips.texts[index]["intensity"]))
        measured.swapped_levels.append(store.swapped_text(index).level)
        own = _opening(takes["text"])
        measured.lags["own"].append(lag_curve(own, openings[index], MAX_LAG).correlations.numpy())
        measured.lags["mismatched"].append(lag_curve(own, openings[other], MAX_LAG).correlations.numpy())
        measured.means["generated"].append(takes["text"]["readings"].mean(0))
        measured.means["ceiling"].append(takes["truth"]["readings"].mean(0))
        measured.means["truth"].append(truths[index].mean(0).numpy())
        measured.curves.append((own.numpy(), openings[index].numpy()))
    return measured


def _opening(take: Take) -> Tensor:
    return torch.from_numpy(take["readings"][:, _OPENING])


def _mouth(
    store: TakeStore, index: int, takes: dict[str, Take], truth: Tensor, other: Tensor
) -> dict[str, float]:
    own = _opening(takes["text"])
    return {
        "mouth": correlation(own, truth),
        "mouth, ceiling": correlation(_opening(takes["truth"]), truth),
        "mouth, mismatched": correlation(own, other),
        "mouth, loudness alone": correlation(
            speech_envelope(store.clips.waveform(index), SAMPLE_RATE, len(truth), FPS), truth
        ),
        "mouth, no text": correlation(_opening(takes["no_text"]), truth),
        "mouth, video input": correlation(_opening(takes["video_input"]), truth),
        "lag": float(lag_curve(own, truth, MAX_LAG).best_lag),
    }


def _lips(store: TakeStore, index: int, other: int, takes: dict[str, Take]) -> dict[str, float]:
    clip = store.world_clip(index)
    frames = store.clips.frames.shape[1]
    shut, wide = (find(clip.phonemes, frames, FPS) for find in (closures, open_vowels))
    elsewhere = closures(store.world_clip(other).phonemes, frames, FPS)
    true_points = torch.from_numpy(
        landmarks(clip.identity, labels_of(store.clips).params[index], store.clips.frames.shape[2])
    )
    true_width = mouth_width(true_points)

    def width(name: str) -> float:
        return correlation(mouth_width(torch.from_numpy(takes[name]["landmarks"])), true_width)

    return {
        "closed": share_closed(_opening(takes["text"]), shut),
        "closed, ceiling": share_closed(_opening(takes["truth"]), shut),
        "closed, elsewhere": share_closed(_opening(takes["text"]), elsewhere),
        "closed, still portrait": float(takes["truth"]["still"][_OPENING] <= CLOSED),
        "closed, vowels": share_closed(_opening(takes["text"]), wide),
        "closed, vowels, ceiling": share_closed(_opening(takes["truth"]), wide),
        "width": width("text"),
        "width, ceiling": width("truth"),
        "jitter of landmarks": jitter(torch.from_numpy(takes["video_input"]["landmarks"]))
        / jitter(true_points),
        "jitter of landmarks, ceiling": jitter(torch.from_numpy(takes["truth"]["landmarks"]))
        / jitter(true_points),
    }


def _emotion(
    store: TakeStore, index: int, takes: dict[str, Take], classifier: EmotionClassifier
) -> dict[str, float]:
    own, target = store.clips.texts[index]["emotion"], store.swapped_text(index).emotion

    def shows(name: str, emotion: str, frames: int | None = None) -> float:
        readings = torch.from_numpy(takes[name]["readings"][:frames])
        return float(classifier(dict(zip(NAMES, readings.T, strict=True))) == emotion)

    portrait = torch.from_numpy(takes["truth"]["still"])[:, None]
    return {
        "emotion": shows("text", own),
        "emotion, ceiling": shows("truth", own),
        "emotion, no text": shows("no_text", own),
        "emotion, still portrait": float(classifier(dict(zip(NAMES, portrait, strict=True))) == own),
        "swapped text": shows("swapped_text", target),
        "swapped text, ceiling": shows("target", target),
        "swapped text: own emotion": shows("swapped_text", own),
        "swapped text, seen phrasing": shows("swapped_text_seen", target),
        "swapped text, no audio": shows("no_audio", target),
        "swapped text, no text": shows("no_text", target, SHORT),
    }


def _picture(store: TakeStore, index: int, takes: dict[str, Take], spread: Tensor) -> dict[str, float]:
    clip = store.world_clip(index)
    who = torch.from_numpy(factors(clip.identity))
    stranger = torch.from_numpy(factors(store.world_clip((index + 1) % len(store.clips)).identity))

    def unlike(name: str, person: Tensor) -> float:
        return identity_error(torch.from_numpy(takes[name]["identity"]), person, spread)

    truth, video_input = takes["truth"], takes["video_input"]
    return {
        "psnr": float(video_input["psnr"]),
        "psnr, ceiling": float(truth["psnr"]),
        "psnr, copied portrait": float(truth["psnr_copy"]),
        "identity": unlike("text", who),
        "identity, ceiling": unlike("truth", who),
        "identity, a stranger": unlike("text", stranger),
        "acceleration": float(video_input["acceleration"]),
        "acceleration, ceiling": float(truth["acceleration"]),
        "flicker": float(video_input["flicker"] / max(float(truth["flicker_truth"]), 1e-6)),
        "flicker, ceiling": float(truth["flicker"] / max(float(truth["flicker_truth"]), 1e-6)),
        "kept outside": float(video_input["kept_outside"]),
        "processor seconds": float(takes["text"]["processor_seconds"]),
        "seconds": float(takes["text"]["seconds"]),
    }


def expression_r(measured: Measured, trusted: float = 0.5) -> dict[str, tuple[float, float]]:
    """Of every reading whose ceiling is above `trusted`: r over clips of its mean, generated and ceiling."""
    own, ceiling, truth = (
        torch.from_numpy(np.stack(measured.means[name])) for name in ("generated", "ceiling", "truth")
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
    own, truth = (np.stack(measured.means[name])[:, columns] for name in ("generated", "truth"))
    means = []
    for _ in range(draws):
        rows = rng.integers(len(own), size=len(own))
        a, b = (x[rows] - x[rows].mean(0) for x in (own, truth))
        r = (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0)).clip(1e-12)
        means.append(r.mean())
    low, high = np.percentile(means, [2.5, 97.5])
    generated, ceiling = (np.mean([pair[k] for pair in table.values()]) for k in (0, 1))
    return float(generated), float(low), float(high), float(ceiling)
