"""Write data sets of synthetic clips, in the form that `eadnet.training.data.clips` reads.

Every split draws from its own range of seeds; the synthetic world keeps its people, voices and words apart.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import multiprocessing
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset_format import FPS, SAMPLE_RATE, SETTINGS, ParameterLayout
from ..errors import InputError, no_such
from . import expression
from .captions import KINDS, shows_one
from .clips import described, make_changing_clip, make_clip
from .expression import HEAD_POSE, PARAMETERS
from .renderer import MAX_SIZE, Renderer, mouth_opening
from .sentences import SPLITS
from .visemes import MOUTH

HELD_HEAD_SHARE = 0.45

LAYOUT = ParameterLayout(PARAMETERS, pose=HEAD_POSE, speech=MOUTH, transient=("blink_l", "blink_r"))
"""The facial parameters of the synthetic world, as its data sets store them."""


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1], louder ones clipped, as data sets store them."""
    return np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)


@dataclass(frozen=True)
class DatasetShape:
    """Size of a data set: clips, frames per clip, picture side."""

    clips: int
    frames: int = 32
    size: int = 128


def arrays_of(shape: DatasetShape) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every array of a data set, by name."""
    picture = (shape.size, shape.size, 3)
    return {
        "frames": ("uint8", (shape.clips, shape.frames, *picture)),
        "references": ("uint8", (shape.clips, 2, *picture)),
        "params": ("float32", (shape.clips, shape.frames, len(PARAMETERS))),
        "openings": ("float32", (shape.clips, shape.frames)),
        "speech": ("int16", (shape.clips, round(shape.frames * SAMPLE_RATE / FPS))),
    }


def _other_moments(rng: np.random.Generator) -> np.ndarray:
    """Parameters [2, P] of the references: a calm, closed face and another emotion in mid-speech."""
    calm = expression.neutral()
    calm[expression.INDEX["gaze_x"]] = rng.normal(0, 0.1)
    name = str(rng.choice(sorted(expression.EMOTIONS)))
    other = expression.emotion_expression(name, float(rng.uniform(0.3, 1.0)))
    other[expression.INDEX["jaw_open"]] = max(other[expression.INDEX["jaw_open"]], rng.uniform(0, 0.8))
    moments = np.stack([calm, other])
    for part in HEAD_POSE:
        low, high = expression.RANGES[expression.INDEX[part]]
        moments[:, expression.INDEX[part]] = np.clip(rng.normal(0, 0.3, 2) * high, low, high)
    return moments.astype(np.float32)


def _held_head(params: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A still head at one pose: what a single portrait, repeated, shows to the model outside the mask."""
    held = params.copy()
    for part in HEAD_POSE:
        column = expression.INDEX[part]
        held[:, column] = params[rng.integers(len(params)), column]
    return held


def _render_one(job: tuple[int, int, str, DatasetShape, Path, bool]) -> dict[str, Any]:
    """Render clip `seed` into row `row` of the arrays in `folder`; returns its entry of `texts.json`."""
    import cv2

    cv2.setNumThreads(1)
    row, seed, split, shape, folder, changes = job
    clip = (make_changing_clip if changes else make_clip)(seed, split, shape.frames)
    rng = np.random.default_rng([seed, 77])
    params = _held_head(clip.params, rng) if rng.random() < HELD_HEAD_SHARE else clip.params
    renderer = Renderer(clip.identity, size=shape.size)
    rendered = [renderer.render(moment) for moment in params]
    samples = round(shape.frames * SAMPLE_RATE / FPS)
    speech = np.zeros(samples, np.float32)
    speech[: min(samples, len(clip.waveform))] = clip.waveform[:samples]
    values = {
        "frames": np.stack([frame.image for frame in rendered]),
        "references": np.stack([renderer.render(p).image for p in _other_moments(rng)]),
        "params": params.astype(np.float32),
        "openings": np.array([mouth_opening(frame.landmarks) for frame in rendered], np.float32),
        "speech": to_int16(speech),
    }
    later = {}
    if clip.later is not None and clip.change is not None:
        values["changes"] = clip.change
        later = {"later": clip.later.text}
    for name, value in values.items():
        np.load(folder / f"{name}.npy", mmap_mode="r+")[row] = value
    words = clip.description
    said = {"text": words.text, "emotion": words.emotion, "intensity": float(words.intensity)}
    return {"row": row, **said, **later}


def render_dataset(
    folder: Path,
    split: str,
    shape: DatasetShape,
    *,
    first_seed: int = 0,
    workers: int = 1,
    changing: float = 0.0,
    kind: str | None = None,
    apart: tuple[str, str] | None = None,
) -> None:
    """Render `shape.clips` clips of `split` (seeds from `first_seed`) into `folder`; in a share of `changing`
    the feeling becomes another one on the way. With a `kind`, only seeds whose description is of it; with two
    actions `apart`, only those whose face shows one of them and nothing of the other.

    Finished rows are noted in `rows.jsonl`, so an interrupted rendering goes on where it stopped, and what
    the rows are in `made_with.json`, from which others learn who is in them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {name: value for name, value in (("kind", kind), ("apart", apart)) if value}
    settings = _settings(split, first_seed, shape) | chosen
    (folder / SETTINGS).write_text(json.dumps(settings))
    LAYOUT.write(folder)
    seeds = seeds_of(settings)
    arrays = arrays_of(shape)
    if changing > 0:
        arrays["changes"] = ("float32", (shape.clips, shape.frames))
    for name, (dtype, size) in arrays.items():
        if not (folder / f"{name}.npy").exists():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, size)
    notes = folder / "rows.jsonl"
    rows = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    finished = {entry["row"] for entry in rows}
    jobs = [
        (i, seed, split, shape, folder, _changes(seed, changing))
        for i, seed in enumerate(seeds)
        if i not in finished
    ]
    with notes.open("a") as file:
        for entry in _rendered(jobs, workers):
            rows.append(entry)
            file.write(json.dumps(entry) + "\n")
            file.flush()
    rows.sort(key=lambda entry: entry["row"])
    (folder / "texts.json").write_text(json.dumps(rows))


def seeds_of(settings: Mapping[str, Any]) -> list[int]:
    """The seed of each row, from what a data set's `made_with.json` holds.

    Raises InputError for a kind of description or a facial action that there is not.
    """
    kind, apart = settings.get("kind"), settings.get("apart")
    if kind is not None and kind not in KINDS:
        raise InputError(no_such("kind of description", kind, KINDS))

    def wanted(seed: int) -> bool:
        if not kind and not apart:
            return True
        description = described(seed, settings["split"])
        return (not kind or description.kind == kind) and (not apart or shows_one(description, *apart))

    seeds = filter(wanted, itertools.count(settings["first_seed"]))
    return list(itertools.islice(seeds, settings["clips"]))


def _rendered(jobs: list[Any], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from map(_render_one, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_render_one, jobs, chunksize=4)


def _changes(seed: int, share: float) -> bool:
    return bool(np.random.default_rng([seed, 78]).random() < share)


def make_dataset(
    folder: Path, split: str, shape: DatasetShape, *, first_seed: int = 0, workers: int = 1
) -> None:
    """`render_dataset` with everything checked first.

    Raises InputError for an unknown split, numbers that make no sense, a folder that holds another data set,
    and a disk without room for this one.
    """
    if split not in SPLITS:
        raise InputError(no_such("split", split, SPLITS))
    for name, value, low in (
        ("number of clips", shape.clips, 1),
        ("number of frames", shape.frames, 1),
        ("first seed", first_seed, 0),
        ("number of workers", workers, 1),
    ):
        if value < low:
            raise InputError(f"The {name} is {value}: give {low} or more.")
    if not 1 <= shape.size <= MAX_SIZE:
        raise InputError(f"The picture size is {shape.size}: give a number of pixels from 1 to {MAX_SIZE}.")
    _check_folder(folder, _settings(split, first_seed, shape))
    arrays = arrays_of(shape)
    needed = sum(np.dtype(kind).itemsize * math.prod(size) for kind, size in arrays.values())
    check_room(folder, needed - _size_of(folder, list(arrays)))
    render_dataset(folder, split, shape, first_seed=first_seed, workers=workers)


def _settings(split: str, first_seed: int, shape: DatasetShape) -> dict[str, Any]:
    return {"split": split, "first_seed": first_seed, **dataclasses.asdict(shape)}


def _check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Raises InputError where `folder` is a file, or holds a data set made with other settings."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder.")
    notes = folder / SETTINGS
    if notes.exists() and (found := json.loads(notes.read_text())) != settings:
        other = ", ".join(f"{k} {found.get(k)}" for k in settings if found.get(k) != settings[k])
        raise InputError(f"{folder} holds another data set ({other}): choose a new folder.")


def _size_of(folder: Path, names: list[str]) -> int:
    """Bytes that the arrays take on the disk already; they are sparse until they are filled."""
    stats = [(folder / f"{name}.npy").stat() for name in names if (folder / f"{name}.npy").exists()]
    return sum(min(stat.st_size, getattr(stat, "st_blocks", 0) * 512) for stat in stats)


def check_room(folder: Path, needed: int) -> None:
    """Raises InputError when the disk of `folder` has less than `needed` bytes free.

    Arrays are mapped into memory, and a full disk would kill the process that writes to them.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise InputError(
            f"{folder} needs {needed / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB free: "
            "make room, or fewer or smaller clips."
        )
