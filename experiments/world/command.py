"""`eadnet evaluate --world test`: render held-out clips, generate, measure, write a page and its pictures."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import bundled_mini
from eadnet.errors import InputError
from eadnet.media.images import write_png
from eadnet.pipeline import load_model
from eadnet.training.autoencoder import to_model_range
from eadnet.training.dataset import ClipSet, Shape, make_dataset
from eadnet.training.instrument import explained_variance, train_instrument
from experiments.clip_renderer import Talking, evaluate_recordings
from experiments.emotion_classifier import EmotionReader
from experiments.world.charts import charts, sheet
from experiments.world.likeness import FACTORS, Likeness, factors, landmarks, people, train_likeness
from experiments.world.measures import Measured, expression_r, measure
from experiments.world.plan import SHORT, TAKES
from experiments.world.summary import as_markdown, summarise
from experiments.world.takes import Stage

logger = logging.getLogger(__name__)

SPLITS = ("test", "validation")
INSTRUMENT_CLIPS = 400  # rendered to train the instruments where no training set is given


@dataclass(frozen=True)
class Settings:
    """What is evaluated and where things go.

    `work` keeps clips, instruments and takes: a killed evaluation goes on there. `train` is a rendered
    training set for the instruments; without one, some are rendered into `work`. `minutes` stops generating
    after that long and reports on the clips that are complete.
    """

    out: Path
    world: str = "test"
    checkpoint: str = "mini"
    work: Path = Path(".work/world")
    train: Path | None = None
    count: int = 64
    frames: int = 48
    instrument_steps: int = 1500
    workers: int = 1
    minutes: float | None = None
    recordings: tuple[Path, ...] = ()

    def check(self) -> None:
        """Raises InputError for numbers that make no sense and files that are not there."""
        if self.world not in SPLITS:
            raise InputError(f"The world's split is '{self.world}': choose {' or '.join(SPLITS)}.")
        for name, value, low in (
            ("number of clips", self.count, 2),
            ("number of frames", self.frames, SHORT),
            ("number of the instruments' steps", self.instrument_steps, 1),
            ("number of workers", self.workers, 1),
        ):
            if value < low:
                raise InputError(f"The {name} is {value}: give {low} or more.")
        if self.train is not None and not (self.train / "texts.json").is_file():
            raise InputError(f"{self.train} holds no rendered clips: make them with eadnet synth make.")
        for path in self.recordings:
            if not path.is_file():
                raise InputError(f"There is no recording {path}: check the path.")


def digest(path: Path, *settings: object) -> str:
    """A short name for a file's contents and settings: takes of another model are never mixed in."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else None
        if found is None:  # Python 3.10
            found = hashlib.sha256(file.read())
    found.update(repr(settings).encode())
    return found.hexdigest()[:12]


def instrument_clips(settings: Settings) -> ClipSet:
    """The training clips that the instruments learn from."""
    if settings.train is not None:
        return ClipSet(settings.train)
    folder = settings.work / "train"
    make_dataset(folder, "train", Shape(INSTRUMENT_CLIPS, 16), workers=settings.workers)
    return ClipSet(folder)


def prepare(settings: Settings) -> tuple[Stage, EmotionReader, Tensor]:
    """The stage with its clips and instruments ready, the reader of emotions, and the spread of factors."""
    path = bundled_mini() if settings.checkpoint == "mini" else Path(settings.checkpoint)
    model = load_model(settings.checkpoint)
    if model.checkpoint.resolution != 128 or model.text_encoder is None:
        raise InputError(
            f"{path.name} has a resolution of {model.checkpoint.resolution}: the synthetic world judges "
            "models of 128 pixels that read sentences, such as mini."
        )
    held_out = settings.work / f"{settings.world}-{settings.frames}-{settings.count}"
    make_dataset(held_out, settings.world, Shape(settings.count, settings.frames), workers=settings.workers)
    trained = instrument_clips(settings)
    learned = digest(trained.folder / "texts.json", settings.instrument_steps)
    tools = settings.work / f"instruments-{learned}"
    instrument = train_instrument(trained, tools / "face", steps=settings.instrument_steps)
    likeness = train_likeness(trained, "train", tools / "likeness", settings.instrument_steps)
    spread = torch.from_numpy(np.stack([factors(who) for who in people(trained, "train")])).std(0)
    defaults = model.checkpoint.defaults
    talk = Talking(model, defaults["steps"], defaults["audio_guidance"], defaults["emotion_guidance"])
    guided = (talk.steps, talk.audio_guidance, talk.emotion_guidance, tools.name, settings.frames)
    takes = settings.work / f"takes-{settings.world}-{digest(path, *guided)}"
    stage = Stage(talk, instrument, likeness, ClipSet(held_out), settings.world, takes)
    return stage, EmotionReader(trained), spread.clamp_min(1e-3)


def generate(
    stage: Stage, count: int, minutes: float | None, on_take: Callable[[int, int], None]
) -> list[int]:
    """Make every take of the first `count` clips, clip by clip; returns the clips that are complete."""
    started = time.monotonic()
    done: list[int] = []
    for index in range(count):
        for place, name in enumerate(TAKES):
            late = minutes is not None and time.monotonic() - started > 60 * minutes
            if late and not stage.has(name, index):
                return done
            stage.take(name, index)
            on_take(index * len(TAKES) + place + 1, count * len(TAKES))
        done.append(index)
    return done


def evaluate_world(
    settings: Settings, on_take: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Do all of it; returns the page `world.md`, which lies beside `world.png`, `clips.png`, `world.json`.

    Raises InputError for settings that make no sense, and where fewer than two clips are complete.
    """
    settings.check()
    stage, reader, spread = prepare(settings)
    done = generate(stage, settings.count, settings.minutes, on_take)
    if len(done) < 2:
        raise InputError(f"Only {len(done)} clips are complete: give it more minutes, it goes on from there.")
    measured = measure(stage, done, reader, spread)
    spoken = _recordings(settings, stage)
    lines = _page(settings, stage, measured, spoken)
    settings.out.mkdir(parents=True, exist_ok=True)
    write_png(settings.out / "world.png", charts(measured))
    write_png(settings.out / "clips.png", sheet(stage, done))
    rows = [
        {"clip": clip, **{name: value if np.isfinite(value) else None for name, value in row.items()}}
        for clip, row in zip(measured.clips, measured.rows, strict=True)
    ]
    (settings.out / "world.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    page = settings.out / "world.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def _recordings(settings: Settings, stage: Stage) -> dict[str, dict[str, float]]:
    if len(settings.recordings) < 2:
        return {}
    names = hashlib.sha256(repr(settings.recordings).encode()).hexdigest()[:8]
    kept = stage.folder / f"recordings-{names}.json"
    if not kept.exists():
        portrait = stage.clips.references[0, 0]
        found = evaluate_recordings(stage.talk, stage.instrument, portrait, settings.recordings)
        kept.write_text(json.dumps(found))
    result: dict[str, dict[str, float]] = json.loads(kept.read_text())
    return result


def _page(
    settings: Settings, stage: Stage, measured: Measured, spoken: dict[str, dict[str, float]]
) -> list[str]:
    talk, count = stage.talk, len(measured.rows)
    short = "" if count == settings.count else f" ({settings.count} were asked for; the others are not done)"
    lines = [
        f"# On the {settings.world} world",
        "",
        f"{count} clips of {settings.frames} frames{short}: people, voices, sentences and phrasings that no "
        f"training clip used. From one calm portrait, {talk.steps} steps, guidance {talk.audio_guidance:g} "
        f"(sound) and {talk.emotion_guidance:g} (emotion), TFRM on. Repeat with "
        f"`python -m eadnet evaluate --world {settings.world} --count {settings.count}`.",
        "",
        "The ceiling is the same measure of the true renders through the same autoencoder. Emotions are read "
        "by one reader off all faces. Shares have Wilson's intervals, the mean r of the expression one from "
        "redrawing clips, all else Student's.",
        "",
        "![Mouth, lags, accuracies, readings](world.png)",
        "",
        "![True frames above, generated ones below, behind their portrait](clips.png)",
        "",
        *as_markdown(summarise(measured)),
        "",
    ]
    return lines + _spoken(spoken) + _instruments(stage, expression_r(measured))


def _spoken(spoken: dict[str, dict[str, float]]) -> list[str]:
    if not spoken:
        return []
    lines = ["## Real recordings", "", "r of the mouth's opening with the speech's envelope.", ""]
    lines += ["| recording | own | the others', mean | best lag, frames |", "|---|---:|---:|---:|"]
    for name, row in spoken.items():
        lines.append(f"| {name} | {row['own']:.2f} | {row['mismatched']:.2f} | {row['best lag']:.0f} |")
    return [*lines, ""]


def _instruments(stage: Stage, agreement: dict[str, tuple[float, float]]) -> list[str]:
    trust = explained_variance(stage.instrument, stage.clips)
    points, who = likeness_error(stage.likeness, stage.clips, stage.split)
    lines = [
        "## The instruments' own errors",
        "",
        "R² on these clips as rendered: a score on a reading is worth no more than this. Landmarks are "
        f"read {points:.2f} pixels off on average. Beside it, where the ceiling is above 0.5, r over clips "
        "of the reading's mean with the truth.",
        "",
        "| reading | R² | generated r | ceiling r |",
        "|---|---:|---:|---:|",
    ]
    for name, value in trust.items():
        own, best = (f"{r:.2f}" for r in agreement[name]) if name in agreement else ("", "")
        lines.append(f"| {name} | {_r2(value)} | {own} | {best} |")
    lines += ["", "| identity | R² |", "|---|---:|"]
    lines += [f"| {name} | {_r2(value)} |" for name, value in zip(FACTORS, who, strict=True)]
    return lines


def _r2(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "does not vary"


@torch.no_grad()
def likeness_error(likeness: Likeness, clips: ClipSet, split: str) -> tuple[float, list[float]]:
    """Mean distance of landmarks in pixels, and R² of every factor, on true renders, a few frames a clip."""
    moments = np.linspace(0, clips.params.shape[1] - 1, 4).round().astype(int)
    off, read, true = [], [], []
    for row, who in enumerate(people(clips, split)):
        points, factor = likeness.read(to_model_range(clips.frames[row][moments]))
        truth = torch.from_numpy(landmarks(who, clips.params[row][moments], clips.frames.shape[2]))
        off.append(float((points - truth).norm(dim=-1).mean()))
        read.append(factor.mean(0))
        true.append(torch.from_numpy(factors(who)))
    a, b = torch.stack(read), torch.stack(true)
    r2 = 1 - (a - b).square().mean(0) / b.var(0, unbiased=False).clamp_min(1e-9)
    return float(np.mean(off)), r2.tolist()
