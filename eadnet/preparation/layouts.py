"""Data sets as they lie on disk after their download: which files they are, who speaks, and who is left out.

MEAD, HDTF, or any folder. Everything is sorted by name, so that a set comes out the same on every machine.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import InputError, no_such
from ..evaluation.protocols import MEAD_ACTORS, listed_names
from ..printable import get_logger
from .clip import Rejection, Source

logger = get_logger(__name__)

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
SOUNDS = (".m4a", ".wav", ".mp3", ".flac", ".aac")
VAL_PERCENT = 5  # of the speakers that are not held out, by their names
_LONGEST_SLUG = 48
_LETTERS = re.compile(r"[^A-Za-z0-9_]+")

MEAD_TEST = MEAD_ACTORS
MEAD_EMOTIONS = {
    "angry": "angry",
    "contempt": "contemptuous",
    "disgusted": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprised",
}
MEAD_VIEWS = ("front", "left_30", "left_60", "right_30", "right_60", "down", "top")
_ACTOR = re.compile(r"[MW]\d{3}")
_EMOTION_LEVEL = re.compile(rf"({'|'.join(MEAD_EMOTIONS)})_level_([123])")

# The people of MuseTalk's validation list and of EDTalk's test list.
HDTF_TEST = frozenset(
    re.sub(r"_\d{3}$", "", video) for name in ("musetalk-20", "edtalk-77") for video in listed_names(name)
)
HDTF_SUBSETS = ("RD", "WDA", "WRA")
_HDTF_NAME = re.compile(rf"({'|'.join(HDTF_SUBSETS)})_(.+?)(?:_(\d{{1,3}}))?")
_SPAN = re.compile(r"((?:\d+:)?\d+:\d+(?:\.\d+)?)-((?:\d+:)?\d+:\d+(?:\.\d+)?)")

Found = Iterator[tuple[Source, Rejection | None]]


def find_sources(
    directory: Path, layout: str, views: tuple[str, ...] = ()
) -> list[tuple[Source, Rejection | None]]:
    """Every video of a data set, sorted by name; with a rejection where its name alone excludes it.

    Raises InputError where there is no such folder or view, it cannot be read, or it holds no video.
    """
    if not directory.is_dir():
        raise InputError(f"There is no folder {directory}: check the path.")
    if views and layout != "mead":
        raise InputError(f"Views are MEAD's, and the layout is {layout}: leave --views out.")
    for view in views:
        if view not in MEAD_VIEWS:
            raise InputError(no_such("view of MEAD", view, MEAD_VIEWS))
    files = sorted(_files(directory), key=lambda path: shown(path.relative_to(directory)))
    videos = [path for path in files if path.suffix.lower() in VIDEOS]
    if not videos:
        raise InputError(f"{directory} contains no videos ({', '.join(VIDEOS)}): choose another folder.")
    if layout == "mead":
        found = _mead(directory, videos, files, views)
    elif layout == "hdtf":
        found = _hdtf(directory, videos, files)
    else:
        found = _folder(directory, videos, files)
    return list(found)


def _files(directory: Path) -> Iterator[Path]:
    """Every file below, also behind links to folders that lie elsewhere; no folder is read twice."""
    top = os.path.realpath(directory)
    seen = {top}

    def refuse(error: OSError) -> None:
        if error.filename == str(directory):
            raise InputError(f"{directory} cannot be read ({error.strerror}): allow it.") from error
        logger.warning("%s cannot be read (%s): what is in it is left out.", error.filename, error.strerror)

    def is_new(path: str) -> bool:
        real = os.path.realpath(path)
        inside = real == top or real.startswith(os.path.join(top, ""))
        if real in seen or (os.path.islink(path) and inside):  # the folder itself comes, or came
            return False
        seen.add(real)
        return True

    for folder, folders, names in os.walk(directory, onerror=refuse, followlinks=True):
        folders[:] = [name for name in sorted(folders) if is_new(os.path.join(folder, name))]
        yield from (Path(folder) / name for name in names if not name.startswith("."))


def shown(path: Path) -> str:
    """A relative path as text that any file can hold; bytes that are no UTF-8 are written out."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode("utf-8")


def source_id(name: str) -> str:
    """A short name for files and keys, from the end of a relative path and a digest of all of it."""
    slug = _LETTERS.sub("-", name.rpartition(".")[0] or name).strip("-")[-_LONGEST_SLUG:].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{slug}-{digest}" if slug else digest


def split_of(speaker: str, test: Iterable[str] = ()) -> str:
    """Those named are for the test, one in twenty of all others, by name, for validation."""
    if speaker in test:
        return "test"
    return "val" if zlib.crc32(speaker.encode()) % 100 < VAL_PERCENT else "train"


def _source(directory: Path, path: Path, speaker: str, split: str, **more: object) -> Source:
    name = shown(path.relative_to(directory))
    return Source(source_id(name), path, name, speaker, split, **more)  # type: ignore[arg-type]


def _folder(directory: Path, videos: list[Path], files: list[Path]) -> Found:
    """Any folder: the first folder of a path is the speaker, or the file's own name where there is none."""
    beside = _recordings(files)
    for path in videos:
        parts = path.relative_to(directory).parts
        speaker = shown(Path(parts[0] if len(parts) > 1 else path.stem))
        sound = beside.get(path.with_suffix(""))
        yield _source(directory, path, speaker, split_of(speaker), sound=sound), None


def _recordings(files: list[Path]) -> dict[Path, Path]:
    """Sound files by their path without the ending."""
    return {path.with_suffix(""): path for path in files if path.suffix.lower() in SOUNDS}


def _mead(directory: Path, videos: list[Path], files: list[Path], views: tuple[str, ...]) -> Found:
    """MEAD: ACTOR/video/VIEW/EMOTION/level_N/NNN.mp4 with ACTOR/audio/EMOTION/level_N/NNN.m4a, the variant
    VIEW/EMOTION_level_N/NNN.mp4, and both in one name, ACTOR#EMOTION#level_N#NNN.mp4.
    """
    recordings: dict[tuple[str, ...], Path] = {}
    for path in files:
        if path.suffix.lower() in SOUNDS and (told := _mead_name(directory, path)) is not None:
            recordings[told[0], told[1], str(told[2]), path.stem.rpartition("#")[2]] = path
    for path in videos:
        told = _mead_name(directory, path)
        if told is None:
            yield (
                _source(directory, path, "", "train"),
                Rejection("layout", "its path names no actor, emotion and level of MEAD"),
            )
            continue
        actor, emotion, level, view = told
        sound = recordings.get((actor, emotion, str(level), path.stem.rpartition("#")[2]))
        source = _source(
            directory,
            path,
            actor,
            split_of(actor, MEAD_TEST),
            emotion=MEAD_EMOTIONS[emotion],
            level=level,
            view=view,
            sound=sound,
        )
        wrong = view not in views if views else False
        yield source, Rejection("layout", f"the view {view} was not asked for") if wrong else None


def _mead_name(directory: Path, path: Path) -> tuple[str, str, int, str] | None:
    """(actor, emotion, level, view) of a file of MEAD."""
    words = [word for part in path.relative_to(directory).with_suffix("").parts for word in part.split("#")]
    # The folder that was asked for may be an actor's own.
    actor = next((word for word in [*words, directory.name] if _ACTOR.fullmatch(word)), None)
    view = next((word for word in words if word in MEAD_VIEWS), "front")
    both = next((match for word in words if (match := _EMOTION_LEVEL.fullmatch(word))), None)
    if both:
        emotion, level = both.group(1), int(both.group(2))
    else:
        emotion = next((word for word in words if word in MEAD_EMOTIONS), "")
        level = next((int(word[-1]) for word in words if re.fullmatch(r"level_[123]", word)), 0)
    return (actor, emotion, level, view) if actor and emotion and level else None


def _hdtf(directory: Path, videos: list[Path], files: list[Path]) -> Found:
    """HDTF: whole videos SUBSET_NAME.mp4, or in folders SUBSET/NAME.mp4, cut by SUBSET_annotion_time.txt;
    or clips that a downloader has cut already, SUBSET_NAME_000.mp4.
    """
    spans = _annotations(files)
    beside = _recordings(files)
    for path in videos:
        told = _hdtf_name(path, spans)
        if told is None:
            yield (
                _source(directory, path, "", "train"),
                Rejection("layout", f"its name begins with none of {', '.join(HDTF_SUBSETS)}, as HDTF's do"),
            )
            continue
        speaker, cut_already = told
        source = _source(
            directory,
            path,
            speaker,
            split_of(speaker, HDTF_TEST),
            sound=beside.get(path.with_suffix("")),
            spans=() if cut_already else tuple(spans.get(speaker, ())),
        )
        missing = bool(spans) and not cut_already and speaker not in spans
        yield source, Rejection("layout", "HDTF's annotations name no time of it") if missing else None


def _hdtf_name(path: Path, spans: dict[str, list[tuple[float, float]]]) -> tuple[str, bool] | None:
    """("SUBSET_NAME", whether it is a clip that was cut already)."""
    name = path.stem
    if not name.startswith(tuple(f"{subset}_" for subset in HDTF_SUBSETS)):
        subset = next((part for part in reversed(path.parent.parts) if part in HDTF_SUBSETS), None)
        if subset is None:
            return None
        name = f"{subset}_{name}"
    match = _HDTF_NAME.fullmatch(name)
    if match is None:
        return None
    if name in spans or match.group(3) is None:
        return name, False
    return f"{match.group(1)}_{match.group(2)}", True


def _annotations(files: list[Path]) -> dict[str, list[tuple[float, float]]]:
    """ "SUBSET_NAME" -> its times, from lines such as "Radio1.mp4 00:20-01:35 01:50-02:10"."""
    found: dict[str, list[tuple[float, float]]] = {}
    for path in files:
        subset = path.name.partition("_")[0]
        if path.suffix != ".txt" or "annot" not in path.name or subset not in HDTF_SUBSETS:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}): download HDTF's lists again.") from error
        for line in lines:
            name, *times = line.split() or [""]
            spans = [match for time in times if (match := _SPAN.fullmatch(time))]
            if spans:
                key = f"{subset}_{name.removesuffix('.mp4')}"
                found[key] = [(_seconds(span.group(1)), _seconds(span.group(2))) for span in spans]
    return found


def _seconds(time: str) -> float:
    total = 0.0
    for part in time.split(":"):
        total = 60 * total + float(part)
    return total
