"""From a file to segments: can it be read, has it sound, where are its shots, and how are they parted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..faces.cuts import CutFinder
from ..media.reader import Pictures, VideoReader
from ..media.sound import SoundFile
from ..media.speech import SpeechFile, record_speech
from .clip import FPS, At25, Rejection, Source
from .settings import Settings

BLOCK = 10 * 60 * FPS  # frames
LEAST_FPS = 15  # pictures a second; of fewer, lips show half of what is said

Part = tuple[int, int]  # the first frame at 25 fps, and how many


def open_pictures(source: Source) -> VideoReader | Rejection:
    """The video of a source, whatever its codec and rate, or why it cannot be read. Close it."""
    if refused := _refused(source.path):
        return Rejection("readable", refused)
    try:
        video = VideoReader(source.path)
    except InputError as error:
        return Rejection("readable", str(error))
    if video.fps < LEAST_FPS:
        video.close()
        reason = f"it has {float(video.fps):.3g} pictures a second, and lips need {LEAST_FPS} or more"
        return Rejection("readable", reason)
    return video


def _refused(path: Path) -> str:
    if not path.is_file():
        return "the file is gone, or it is no file"
    if not os.access(path, os.R_OK):
        return "there is no permission to read the file"
    return "" if path.stat().st_size else "the file is empty"


def record_sound(source: Source, into: Path) -> SpeechFile | Rejection:
    """The sound of a source as 16 kHz mono in a file; sample 0 belongs to the first frame that is shown."""
    path = source.sound or source.path
    if refused := _refused(path):
        return Rejection("sound", refused)
    try:
        return record_speech(SoundFile(path), into)
    except InputError as error:
        if "cannot be saved" in str(error):  # the disk's fault, not the clip's
            raise OSError(str(error)) from error
        return Rejection("sound", str(error))


def spans_of(source: Source, count: int) -> list[Part]:
    """The parts of ``count`` frames that are annotated; all of them where nothing is."""
    if not source.spans:
        return [(0, count)]
    parts = []
    for start, end in sorted(source.spans):
        first, last = round(start * FPS), min(count, round(end * FPS))
        if last > first:
            parts.append((first, last - first))
    return parts


def blocks(part: Part) -> list[Part]:
    """A part in pieces of ten minutes, whose cuts are found, and kept, one after the other."""
    first, count = part
    return [(start, min(BLOCK, first + count - start)) for start in range(first, first + count, BLOCK)]


def find_cuts(pictures: Pictures, block: Part, begins: bool) -> list[int]:
    """The frames of a block at which a shot begins: its first where it ``begins`` a part, else where that is
    unlike the frame before.
    """
    cuts, (first, count) = CutFinder(), block
    if not begins:
        cuts.is_cut(pictures.picture(first - 1))
    found = [first] if begins else []
    return found + [n for n in range(first, first + count) if cuts.is_cut(pictures.picture(n))]


Cuts = Callable[[Pictures, Part, bool], list[int]]


def find_shots(pictures: Pictures, part: Part, cuts: Cuts = find_cuts) -> list[Part]:
    """The shots within a part; ``cuts`` may remember what it found in a block."""
    starts = [cut for block in blocks(part) for cut in cuts(pictures, block, block[0] == part[0])]
    ends = [*starts[1:], part[0] + part[1]]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def segments(shot: Part, longest: float) -> list[Part]:
    """A shot in as few equal parts as are not longer than ``longest`` seconds."""
    first, count = shot
    parts = max(1, -(-count // round(longest * FPS)))
    edges = [first + count * number // parts for number in range(parts + 1)]
    return [(a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def cut(
    source: Source, pictures: VideoReader, settings: Settings, cuts: Cuts = find_cuts
) -> list[tuple[Part, Rejection | None]]:
    """Every segment of a source, in order; those too short with the reason. ``cuts``: see `find_shots`."""
    shown = At25(pictures)
    found: list[tuple[Part, Rejection | None]] = []
    for span in spans_of(source, shown.count):
        for shot in find_shots(shown, span, cuts):
            if shot[1] < settings.shortest * FPS:
                reason = f"the shot lasts {shot[1] / FPS:.2f} s, less than {settings.shortest:g} s"
                found.append((shot, Rejection("length", reason)))
            else:
                found += [(part, None) for part in segments(shot, settings.longest)]
    return found


def grouped(numbers: Sequence[int], least: int = 16, most_groups: int = 16) -> list[tuple[int, ...]]:
    """Segments that one worker takes at a time: each group opens the file, and reads its index, once."""
    size = max(least, -(-len(numbers) // most_groups))
    return [tuple(numbers[start : start + size]) for start in range(0, len(numbers), size)]
