"""`python -m experiments world`: render held-out clips, generate, measure, write a page and its pictures.

    python -m experiments world --world test --count 64 --train .work/mini/train

Clips, regressors and takes are kept in --work: what was stopped goes on there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import named_checkpoint
from eadnet.errors import InputError
from eadnet.media.images import write_png
from eadnet.rendering import load_model
from eadnet.synthetic.datasets import DatasetShape, make_dataset
from eadnet.training.data.clips import ClipSet
from eadnet.training.regressors.pictures import train_parameter_regressor
from experiments.clip_renderer import ClipRenderer
from experiments.emotion_classifier import EmotionClassifier
from experiments.paths import RESULTS
from experiments.world.charts import charts, sheet
from experiments.world.identity import factors, people, train_identity_regressor
from experiments.world.measures import measure
from experiments.world.page import page
from experiments.world.plan import SHORT, TAKES
from experiments.world.recordings import measure_recordings
from experiments.world.takes import TakeStore

logger = logging.getLogger(__name__)

SPLITS = ("test", "validation")
REGRESSOR_CLIPS = 400  # rendered to train the regressors where no training set is given


@dataclass(frozen=True)
class WorldSettings:
    """What is evaluated and where things go.

    `work` keeps clips, regressors and takes: a killed evaluation goes on there. `train` is a rendered
    training set for the regressors; without one, some are rendered into `work`. `minutes` stops generating
    after that long and reports on the clips that are complete.
    """

    out: Path = RESULTS / "world"
    world: str = "test"
    checkpoint: str = "mini"
    work: Path = Path(".work/world")
    train: Path | None = None
    count: int = 64
    frames: int = 48
    regressor_steps: int = 1500
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
            ("number of the regressors' steps", self.regressor_steps, 1),
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


def regressor_clips(settings: WorldSettings) -> ClipSet:
    """The training clips that the regressors learn from."""
    if settings.train is not None:
        return ClipSet(settings.train)
    folder = settings.work / "train"
    make_dataset(folder, "train", DatasetShape(REGRESSOR_CLIPS, 16), workers=settings.workers)
    return ClipSet(folder)


def prepare(settings: WorldSettings) -> tuple[TakeStore, EmotionClassifier, Tensor]:
    """The store with its clips and regressors ready, the classifier of emotions, and the spread of factors.

    Raises InputError for a model that the world cannot measure.
    """
    path = named_checkpoint(settings.checkpoint)
    model = load_model(settings.checkpoint)
    if model.checkpoint.resolution != 128 or model.text_encoder is None:
        raise InputError(
            f"{path.name} has a resolution of {model.checkpoint.resolution}: the synthetic world measures "
            "models of 128 pixels that read texts, such as mini."
        )
    held_out = settings.work / f"{settings.world}-{settings.frames}-{settings.count}"
    make_dataset(
        held_out, settings.world, DatasetShape(settings.count, settings.frames), workers=settings.workers
    )
    trained = regressor_clips(settings)
    learned = digest(trained.folder / "texts.json", settings.regressor_steps)
    tools = settings.work / f"regressors-{learned}"
    regressor = train_parameter_regressor(trained, tools / "face", steps=settings.regressor_steps)
    identity = train_identity_regressor(trained, "train", tools / "identity", settings.regressor_steps)
    spread = torch.from_numpy(np.stack([factors(who) for who in people(trained, "train")])).std(0)
    renderer = ClipRenderer(model)
    key = digest(path, renderer.settings, tools.name, settings.frames)
    takes = settings.work / f"takes-{settings.world}-{key}"
    store = TakeStore(renderer, regressor, identity, ClipSet(held_out), settings.world, takes)
    return store, EmotionClassifier(trained), spread.clamp_min(1e-3)


def generate(store: TakeStore, count: int, minutes: float | None) -> list[int]:
    """Make every take of the first `count` clips, clip by clip; returns the clips that are complete."""
    started = time.monotonic()
    done: list[int] = []
    for index in range(count):
        for name in TAKES:
            late = minutes is not None and time.monotonic() - started > 60 * minutes
            if late and not store.has(name, index):
                return done
            store.take(name, index)
        done.append(index)
        logger.info("takes of %d of %d clips", len(done), count)
    return done


def evaluate_world(settings: WorldSettings) -> Path:
    """Do all of it; returns the page `world.md`, which lies beside `world.png`, `clips.png`, `world.json`.

    Raises InputError for settings that make no sense, and where fewer than two clips are complete.
    """
    settings.check()
    store, classifier, spread = prepare(settings)
    done = generate(store, settings.count, settings.minutes)
    if len(done) < 2:
        raise InputError(f"Only {len(done)} clips are complete: give it more minutes, it goes on from there.")
    measured = measure(store, done, classifier, spread)
    lines = page(store, measured, settings.count, _recordings(settings, store))
    settings.out.mkdir(parents=True, exist_ok=True)
    write_png(settings.out / "world.png", charts(measured))
    write_png(settings.out / "clips.png", sheet(store, done))
    rows = [
        {"clip": clip, **{name: value if np.isfinite(value) else None for name, value in row.items()}}
        for clip, row in zip(measured.clips, measured.rows, strict=True)
    ]
    (settings.out / "world.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    written = settings.out / "world.md"
    written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return written


def _recordings(settings: WorldSettings, store: TakeStore) -> dict[str, dict[str, float]]:
    if len(settings.recordings) < 2:
        return {}
    names = hashlib.sha256(repr(settings.recordings).encode()).hexdigest()[:8]
    kept = store.folder / f"recordings-{names}.json"
    if not kept.exists():
        portrait = store.clips.references[0, 0]
        found = measure_recordings(store.renderer, store.regressor, portrait, settings.recordings)
        kept.write_text(json.dumps(found))
    result: dict[str, dict[str, float]] = json.loads(kept.read_text())
    return result


def _parser() -> argparse.ArgumentParser:
    default = WorldSettings()
    parser = argparse.ArgumentParser(
        prog="python -m experiments world",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--world", choices=SPLITS, default=default.world, help="whose clips")
    parser.add_argument("--out", type=Path, default=default.out, metavar="DIR", help="where the page goes")
    parser.add_argument("--checkpoint", default="mini", metavar="FILE", help="default: the bundled mini")
    parser.add_argument("--count", type=int, default=default.count, help="clips")
    parser.add_argument("--frames", type=int, default=default.frames, help=f"of each clip, {SHORT} or more")
    parser.add_argument("--work", type=Path, default=default.work, help="clips and takes, kept")
    parser.add_argument("--train", type=Path, metavar="DIR", help="rendered clips to train the regressors")
    parser.add_argument(
        "--regressor-steps",
        dest="regressor_steps",
        type=int,
        default=default.regressor_steps,
        metavar="N",
        help="to train each regressor for",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--minutes", type=float, help="report on what is complete after so long")
    parser.add_argument("--recordings", type=Path, nargs="*", default=(), help="real speech to try as well")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError for settings that make no sense and models that the world cannot measure."""
    options = vars(_parser().parse_args(argv))
    print(evaluate_world(WorldSettings(**options | {"recordings": tuple(options["recordings"])})))
