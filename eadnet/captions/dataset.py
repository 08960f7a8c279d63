"""Captions for a folder of clips, one JSON line each: resumes, works in shards, and passes over broken
clips.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, InputError
from ..printable import get_logger
from .base import Captioned, Captioner
from .frames import from_video
from .schema import Description

logger = get_logger(__name__)

# Names of files are bytes; those that are no UTF-8 come back as they are.
_NAMES = ("utf-8", "surrogateescape")

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".m4v")


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 1) of `count` parts of a data set."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From "2/8". Raises InputError for anything else."""
        first, _, second = text.partition("/")
        if not (first.isdecimal() and second.isdecimal()) or not 1 <= int(first) <= int(second) <= 100_000:
            raise InputError(f"The shard is '{text[:30]}': write it like 2/8, the second part of eight.")
        return cls(int(first), int(second))

    def holds(self, name: str) -> bool:
        """By the file's name alone, so that a clip stays in its shard when others are added."""
        return zlib.crc32(name.encode(*_NAMES)) % self.count == self.index - 1


def clips(folder: Path) -> list[str]:
    """Videos below a folder as relative paths with forward slashes, sorted; InputError without any."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: check the path.")
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise InputError(f"{folder} contains no videos ({', '.join(SUFFIXES)}): choose another folder.")
    return found


def skip_list(out: Path) -> Path:
    """Where the clips that could not be described are listed: beside ``out``."""
    return out.with_suffix(".skipped.jsonl")


def caption_folder(
    folder: Path,
    out: Path,
    captioner: Captioner,
    *,
    shard: Shard | None = None,
    frames: int = 8,
    seed: int = 0,
    on_clip: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Describe every clip of a shard that ``out`` does not have yet; returns (described, skipped) of this
    run.

    Clips on the skip list are tried again. Each line is written as soon as it is known, so that an
    interrupted run goes on where it stopped. ``on_clip`` gets (done, total). Raises InputError when nothing
    at all can be described.
    """
    shard = shard or Shard()
    wanted = [name for name in clips(folder) if shard.holds(name)]
    _drop_torn_line(out)
    have = {entry["file"] for entry in _lines(out)}
    left = [name for name in wanted if name not in have]
    out.parent.mkdir(parents=True, exist_ok=True)
    done, skipped = 0, []
    with out.open("a", encoding=_NAMES[0], errors=_NAMES[1]) as file:
        for number, name in enumerate(left, 1):
            try:
                captioned = captioner.describe(from_video(folder / name, frames), seed)
            except (InputError, CheckpointError) as error:
                skipped.append({"file": name, "why": str(error)})
                logger.warning("%s is skipped: %s", name, error)
            else:
                file.write(json.dumps(_entry(name, captioned, seed, frames), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                done += 1
            if on_clip:
                on_clip(number, len(left))
    listed = skip_list(out)
    if skipped:
        listed.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in skipped), *_NAMES)
    else:
        listed.unlink(missing_ok=True)
    if left and not done:
        raise InputError(
            f"None of {len(left)} clips could be described ({skipped[0]['why']}): see {listed.name}."
        )
    return done, len(skipped)


def _entry(name: str, captioned: Captioned, seed: int, frames: int) -> dict[str, object]:
    return {
        "file": name,
        "text": captioned.description.caption,
        "description": json.loads(captioned.description.to_json()),
        "source": captioned.source,
        "prompt": captioned.prompt,
        "seed": seed,
        "frames": frames,
        "notes": list(captioned.notes),
        "raw": captioned.raw,
    }


def _drop_torn_line(out: Path) -> None:
    """Cut off a last line without its end: the run that wrote it was killed."""
    if not out.exists():
        return
    data = out.read_bytes()
    if data and not data.endswith(b"\n"):
        out.write_bytes(data[: data.rfind(b"\n") + 1])


def _lines(out: Path) -> Iterator[dict]:
    if not out.exists():
        return
    for number, line in enumerate(out.read_text(*_NAMES).splitlines(), 1):
        try:
            entry = json.loads(line)
            entry["file"], entry["description"]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"Line {number} of {out.name} is not a caption: correct or delete it."
            ) from error
        yield entry


def load_captions(*paths: Path) -> dict[str, Description]:
    """Descriptions by clip from one or several files (shards), for training.

    Raises InputError for missing files, lines that are no caption, and clips that are described twice.
    """
    found: dict[str, Description] = {}
    for path in paths:
        if not path.is_file():
            raise InputError(f"There is no file {path}: run `eadnet caption` first.")
        for entry in _lines(path):
            if entry["file"] in found:
                raise InputError(f"{entry['file']} has two captions: keep those of one run.")
            found[entry["file"]] = Description.from_json(json.dumps(entry["description"]))
    return found
