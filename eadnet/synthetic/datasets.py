"""Rendered clips on disk, and what the networks read from them.

A data set is a folder of plain numpy arrays, one row per clip, so that it can be memory-mapped:

    frames.npy      uint8   [N, T, S, S, 3]   the clip
    references.npy  uint8   [N, 2, S, S, 3]   the same person at other moments: calm, and with another emotion
    params.npy      float32 [N, T, P]         facial parameters (`synthetic.expression.PARAMETERS`)
    openings.npy    float32 [N, T]            true opening of the mouth
    speech.npy      int16   [N, samples]      what the network hears, 16 kHz
    voices.npy      int16   [N, K, samples]   perhaps: the same said by other speakers (`spoken`)
    changes.npy     float32 [N, T]            perhaps: the share of the text `later` that a frame shows
    texts.json      N descriptions: text, emotion, intensity
    captions.jsonl  perhaps: what `eadnet caption` said of the clips; training then reads these words
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import math
import multiprocessing
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..captions.dataset import load_captions
from ..errors import InputError

logger = logging.getLogger(__name__)

FPS, RATE = 25, 16000
# Every split draws from its own range of seeds; the synthetic world keeps its people, voices and words apart.
HELD_HEAD_SHARE = 0.45
SETTINGS = "made_with.json"
OTHER_VOICES = "voices.npy"
CHANGES = "changes.npy"
HEAD = ("head_yaw", "head_pitch", "head_roll", "head_x", "head_y")


@dataclass(frozen=True)
class Shape:
    """Size of a data set: clips, frames per clip, picture side."""

    clips: int
    frames: int = 32
    size: int = 128


def _arrays(shape: Shape, parameters: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    picture = (shape.size, shape.size, 3)
    return {
        "frames": ("uint8", (shape.clips, shape.frames, *picture)),
        "references": ("uint8", (shape.clips, 2, *picture)),
        "params": ("float32", (shape.clips, shape.frames, parameters)),
        "openings": ("float32", (shape.clips, shape.frames)),
        "speech": ("int16", (shape.clips, round(shape.frames * RATE / FPS))),
    }


def _other_moments(rng: np.random.Generator) -> np.ndarray:
    """Parameters [2, P] of the references: a calm, closed face and another emotion in mid-speech."""
    from ..synthetic import expression as world

    calm = world.neutral()
    calm[world.INDEX["gaze_x"]] = rng.normal(0, 0.1)
    name = str(rng.choice(sorted(world.EMOTIONS)))
    other = world.emotion_expression(name, float(rng.uniform(0.3, 1.0)))
    other[world.INDEX["jaw_open"]] = max(other[world.INDEX["jaw_open"]], rng.uniform(0, 0.8))
    moments = np.stack([calm, other])
    for part in HEAD:
        low, high = world.RANGES[world.INDEX[part]]
        moments[:, world.INDEX[part]] = np.clip(rng.normal(0, 0.3, 2) * high, low, high)
    return moments.astype(np.float32)


def _hold_head(params: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A still head at one pose: what a single portrait, repeated, shows to the model outside the mask."""
    from ..synthetic import expression as world

    held = params.copy()
    for part in HEAD:
        column = world.INDEX[part]
        held[:, column] = params[rng.integers(len(params)), column]
    return held


def _render_one(job: tuple[int, int, str, Shape, Path, bool]) -> dict[str, Any]:
    """Render clip `seed` into row `row` of the arrays in `folder`; returns its entry of `texts.json`."""
    import cv2

    from ..synthetic.clips import make_changing_clip, make_clip
    from ..synthetic.renderer import Renderer, mouth_opening

    cv2.setNumThreads(1)
    row, seed, split, shape, folder, changes = job
    clip = (make_changing_clip if changes else make_clip)(seed, split, shape.frames)
    rng = np.random.default_rng([seed, 77])
    params = _hold_head(clip.params, rng) if rng.random() < HELD_HEAD_SHARE else clip.params
    renderer = Renderer(clip.identity, size=shape.size)
    rendered = [renderer.render(moment) for moment in params]
    samples = round(shape.frames * RATE / FPS)
    speech = np.zeros(samples, np.float32)
    speech[: min(samples, len(clip.waveform))] = clip.waveform[:samples]
    values = {
        "frames": np.stack([frame.image for frame in rendered]),
        "references": np.stack([renderer.render(p).image for p in _other_moments(rng)]),
        "params": params.astype(np.float32),
        "openings": np.array([mouth_opening(frame.landmarks) for frame in rendered], np.float32),
        "speech": np.round(np.clip(speech, -1, 1) * 32767).astype(np.int16),
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
    shape: Shape,
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
    from ..synthetic.expression import PARAMETERS

    folder.mkdir(parents=True, exist_ok=True)
    chosen = {name: value for name, value in (("kind", kind), ("apart", apart)) if value}
    settings = _settings(split, first_seed, shape) | chosen
    (folder / SETTINGS).write_text(json.dumps(settings))
    seeds = seeds_of(settings)
    arrays = _arrays(shape, len(PARAMETERS))
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
    from ..synthetic.captions import KINDS, shows_one
    from ..synthetic.clips import described

    kind, apart = settings.get("kind"), settings.get("apart")
    if kind is not None and kind not in KINDS:
        raise InputError(f"Unknown kind of description '{kind}': choose one of {', '.join(KINDS)}.")

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


def make_dataset(folder: Path, split: str, shape: Shape, *, first_seed: int = 0, workers: int = 1) -> None:
    """`render_dataset` with everything checked first.

    Raises InputError for an unknown split, numbers that make no sense, a folder that holds another data set,
    and a disk without room for this one.
    """
    from ..synthetic.expression import PARAMETERS
    from ..synthetic.renderer import MAX_SIZE
    from ..synthetic.sentences import SPLITS

    if split not in SPLITS:
        raise InputError(f"Unknown split '{split}': choose one of {', '.join(SPLITS)}.")
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
    arrays = _arrays(shape, len(PARAMETERS))
    needed = sum(np.dtype(kind).itemsize * math.prod(size) for kind, size in arrays.values())
    check_room(folder, needed - _size_of(folder, list(arrays)))
    render_dataset(folder, split, shape, first_seed=first_seed, workers=workers)


def _settings(split: str, first_seed: int, shape: Shape) -> dict[str, Any]:
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


CAPTIONS = "captions.jsonl"


def clip_name(row: int) -> str:
    """The file that a row becomes as a video (see `videos`), and by which captioners know it."""
    return f"{row:06d}.mp4"


def read_texts(folder: Path) -> list[dict[str, Any]]:
    """Descriptions of all rows. With a file of captions the words are its own, but emotion and intensity stay
    the truth.

    Raises InputError when a row has no caption in it.
    """
    rows: list[dict[str, Any]] = json.loads((folder / "texts.json").read_text())
    if not (folder / CAPTIONS).exists():
        return rows
    captions = load_captions(folder / CAPTIONS)
    missing = [name for entry in rows if (name := clip_name(entry["row"])) not in captions]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(rows)} clips have no caption in {CAPTIONS} (such as {missing[0]}): "
            "let `eadnet caption` finish, or take the file away."
        )
    return [{**entry, "text": captions[clip_name(entry["row"])].caption} for entry in rows]


class ClipSet:
    """A rendered data set, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames = np.load(folder / "frames.npy", mmap_mode="r")
        self.references = np.load(folder / "references.npy", mmap_mode="r")
        self.params = np.load(folder / "params.npy")
        self.openings = np.load(folder / "openings.npy")
        self.speech = np.load(folder / "speech.npy")
        self.texts = read_texts(folder)

    def __len__(self) -> int:
        return len(self.params)

    def clip_seconds(self) -> float:
        return self.params.shape[1] / FPS


MOMENTS_PER_STILL_PERSON = 6


class StillSet:
    """Rendered stills of any expression, memory-mapped.

    stills.npy    uint8   [N, S, S, 3]   `MOMENTS_PER_STILL_PERSON` of each person in a row
    params.npy    float32 [N, P]         facial parameters
    openings.npy  float32 [N]            true opening of the mouth
    calm.npy      uint8   [people, S, S, 3]  each person at rest
    """

    def __init__(self, folder: Path) -> None:
        self.stills = np.load(folder / "stills.npy", mmap_mode="r")
        self.params = np.load(folder / "params.npy")
        self.openings = np.load(folder / "openings.npy")
        self.calm = np.load(folder / "calm.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.stills)


def render_stills(
    folder: Path, people: int, *, size: int = 128, first_seed: int = 0, workers: int = 1
) -> None:
    """Write a `StillSet` of many people, seeds from `first_seed`."""
    folder.mkdir(parents=True, exist_ok=True)
    count = people * MOMENTS_PER_STILL_PERSON
    stills = np.lib.format.open_memmap(folder / "stills.npy.partial", "w+", "uint8", (count, size, size, 3))
    others: dict[str, list[np.ndarray]] = {"params": [], "openings": [], "calm": []}
    jobs = [(first_seed + i, size) for i in range(people)]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for i, made in enumerate(pool.map(_render_stills_of_one, jobs, chunksize=8)):
            stills[i * MOMENTS_PER_STILL_PERSON : (i + 1) * MOMENTS_PER_STILL_PERSON] = made.pop("stills")
            for name, values in made.items():
                others[name].append(values)
    stills.flush()
    for name, parts in others.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    # Last, as the sign that the set is whole.
    (folder / "stills.npy.partial").rename(folder / "stills.npy")


def _any_moment(rng: np.random.Generator) -> np.ndarray:
    """Mostly plausible mixtures, with single parameters pushed anywhere in their range."""
    from ..synthetic import expression as world

    params = world.emotion_expression(str(rng.choice(sorted(world.EMOTIONS))), float(rng.uniform(0, 1)))
    low, high = world.RANGES.T
    chosen = rng.random(len(params)) < 0.25
    return np.where(chosen, rng.uniform(low, high), params).astype(np.float32)


def _render_stills_of_one(job: tuple[int, int]) -> dict[str, np.ndarray]:
    """The rows of a `StillSet` that one person fills."""
    import cv2

    from ..synthetic.expression import neutral
    from ..synthetic.identity import sample_identity
    from ..synthetic.renderer import Renderer, mouth_opening

    cv2.setNumThreads(1)
    seed, size = job
    rng = np.random.default_rng([seed, 991])
    renderer = Renderer(sample_identity(rng), size=size)
    moments = np.stack([_any_moment(rng) for _ in range(MOMENTS_PER_STILL_PERSON)])
    rendered = [renderer.render(moment) for moment in moments]
    return {
        "stills": np.stack([frame.image for frame in rendered]),
        "params": moments,
        "openings": np.array([mouth_opening(frame.landmarks) for frame in rendered], np.float32),
        "calm": renderer.render(neutral()).image[None],
    }
