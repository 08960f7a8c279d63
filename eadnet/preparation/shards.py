"""A prepared set on disk, written shard by shard and streamed by as many readers as there are.

A shard is a plain tar in WebDataset's form: the members of a sample follow one another and have its id for
a stem, so that the webdataset package, Ray and `tar` itself read it. Tar, because it is written in one go, is
read front to back from any disk or store at its full speed, and has no library to keep up with; what Lance
would give beyond it, columns that are added later, the manifest gives, which is Parquet. Every shard holds
samples of one split.
"""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..media.audio import RATE
from ..media.colour import ToRgb, colour_of

FORMAT, VERSION = "eadnet-prepared-set", 1
SET_FILE, SHARDS = "set.json", "shards"
SPLITS = ("train", "val", "test")
SUFFIXES = ("json", "safetensors", "wav", "mp4")  # of the members, in this order
_NEAR = 64  # samples among which a shuffling reader chooses


@dataclass(frozen=True)
class Sample:
    """One segment of a speaking face.

    id       its key; unique in the set
    record   what is known of it: source, split, speaker, caption, emotion, level, fps, frames, resolution ...
    video    the aligned crop as an MP4 file, its bytes or its path
    sound    float32 [n] in -1..1, 16 kHz mono, in time with the lips
    tensors  "parameters" [T, P] float32, "landmarks" [T, 478, 3] float16 in crop pixels, and what was cached:
             "latents" [T, 4, h, w] float16, "whisper", "tokens"
    names    of the columns of "parameters"
    """

    id: str
    record: dict[str, Any]
    video: bytes | Path
    sound: np.ndarray
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @cached_property
    def count(self) -> int:
        """Its frames."""
        return int(self.record["frames"])

    def frames(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Some of its frames, uint8 [n, H, W, 3], decoded now from the key frame before them.

        Raises InputError for frames that it does not have, and a video that cannot be decoded.
        """
        last = self.count if count is None else start + count
        if not 0 <= start < last <= self.count:
            raise InputError(f"{self.id} has {self.count} frames, not {start} to {last}.")
        return _frames(self.video, start, last - start, self.id)


def _frames(video: bytes | Path, start: int, count: int, name: str) -> np.ndarray:
    import av

    taken: list[np.ndarray] = []
    to_rgb = ToRgb()
    source = io.BytesIO(video if isinstance(video, bytes) else video.read_bytes())
    try:
        with av.open(source, mode="r") as container:
            stream: Any = container.streams.video[0]
            stream.codec_context.thread_count = 1  # readers are many already
            rate, base = stream.average_rate, stream.time_base
            told: dict[str, int] = {}
            if start:
                container.seek(int(start / rate / base), stream=stream, backward=True)
            for frame in container.decode(stream):
                if round(frame.pts * base * rate) < start:
                    continue
                taken.append(to_rgb(frame, colour_of(frame, stream.codec_context, told))[0])
                if len(taken) == count:
                    break
    except (av.FFmpegError, ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"The video of {name} cannot be decoded ({error}): prepare the set again."
        ) from error
    if len(taken) < count:
        raise InputError(f"The video of {name} ends after {start + len(taken)} frames: prepare it again.")
    return np.stack(taken)


def members(sample: Sample) -> dict[str, bytes]:
    """The files of a sample by their suffix, always the same bytes for the same sample."""
    from safetensors.torch import save

    video = sample.video if isinstance(sample.video, bytes) else sample.video.read_bytes()
    tensors = {name: sample.tensors[name].contiguous() for name in sorted(sample.tensors)}
    names = {"parameters": json.dumps(sample.names)} if sample.names else None
    return {
        "json": json.dumps(sample.record, ensure_ascii=False, sort_keys=True).encode(),
        "safetensors": save(tensors, names),
        "wav": _wav(sample.sound),
        "mp4": video,
    }


def _wav(sound: np.ndarray) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.clip(sound, -1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()


def sample_of_members(key: str, files: Mapping[str, bytes]) -> Sample:
    """The inverse of `members`. Raises InputError for what is damaged."""
    from safetensors.torch import load

    try:
        record = json.loads(files["json"])
        with wave.open(io.BytesIO(files["wav"])) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32767
        packed = files["safetensors"]
        header = json.loads(packed[8 : 8 + int.from_bytes(packed[:8], "little")])
        names = tuple(json.loads(header.get("__metadata__", {}).get("parameters", "[]")))
        return Sample(key, record, files["mp4"], sound, load(packed), names)
    except Exception as error:  # whatever the members turn out to be
        raise InputError(f"The sample {key} is damaged ({error}): prepare the set again.") from error


def write_shard(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> int:
    """Write samples (id, members by suffix) as one tar, which appears whole or not at all; returns its bytes.

    The same samples give the same bytes: no times, no owners. Raises OSError as the disk does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for key, files in samples:
                    for suffix in SUFFIXES:
                        entry = tarfile.TarInfo(f"{key}.{suffix}")
                        entry.size, entry.mode = len(files[suffix]), 0o644
                        tar.addfile(entry, io.BytesIO(files[suffix]))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path.stat().st_size


def read_shard(path: Path, numbers: Iterable[int] | None = None) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(id, members by suffix) of the samples of a tar, or of those with these numbers, one after the other.

    Raises InputError for a file that is missing, no tar, or cut off.
    """
    wanted = None if numbers is None else set(numbers)
    try:
        with tarfile.open(path, "r:") as tar:
            key, number = "", -1
            files: dict[str, bytes] = {}
            while (entry := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep every header
                stem, _, suffix = entry.name.partition(".")
                if stem != key:
                    if files:
                        yield key, files
                    key, files, number = stem, {}, number + 1
                if wanted is None or number in wanted:
                    held = tar.extractfile(entry)
                    data = held.read() if held else b""
                    if len(data) != entry.size:
                        raise InputError(f"The shard {path.name} is cut off at {key}: prepare the set again.")
                    files[suffix] = data
            if files:
                yield key, files
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"The shard {path} cannot be read ({error}): prepare the set again.") from error


class ShardWriter:
    """Fills shards one after the other and names them in set.json; use it in a ``with`` statement.

    Args:
        directory: of the set; made if need be.
        samples_per_shard, bytes_per_shard: a shard is closed when either is reached, or the split changes.
        settings: what else set.json says, such as the resolution.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        samples_per_shard: int = 256,
        bytes_per_shard: int = 1 << 30,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.shards: list[dict[str, Any]] = []
        self._most, self._bytes = samples_per_shard, bytes_per_shard
        self._settings = dict(settings or {})
        self._held: list[tuple[str, dict[str, bytes]]] = []
        self._size, self._split = 0, ""

    def add(self, sample: Sample) -> None:
        """Samples of one split belong together; ids hold no dot."""
        split = sample.record["split"]
        if self._held and split != self._split:
            self._close_shard()
        self._split = split
        files = members(sample)
        self._held.append((sample.id, files))
        self._size += sum(map(len, files.values()))
        if len(self._held) >= self._most or self._size >= self._bytes:
            self._close_shard()

    def close(self) -> None:
        if self._held:
            self._close_shard()
        write_set(self.directory, self.shards, self._settings)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()

    def _close_shard(self) -> None:
        name = shard_name(len(self.shards))
        size = write_shard(self.directory / SHARDS / name, self._held)
        self.shards.append({"name": name, "split": self._split, "samples": len(self._held), "bytes": size})
        self._held, self._size = [], 0


def shard_name(number: int) -> str:
    return f"{number:06}.tar"


def write_set(directory: Path, shards: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """set.json: format, version, settings, and of every shard its name, split, samples and bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    told = {"format": FORMAT, "version": VERSION, **settings, "shards": list(shards)}
    write_text(directory / SET_FILE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """A text file that is there whole or not at all, whenever the process ends."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_set(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """What set.json says. Raises InputError where there is no finished set, or one of another version."""
    path = Path(directory) / SET_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.parent.is_file():
            raise InputError(
                f"{directory} is a file, not a folder of a prepared set: choose the folder `eadnet prepare` "
                "wrote."
            ) from error
        raise InputError(
            f"{directory} is no finished set: there is no {SET_FILE}; run `eadnet prepare` to its end."
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): prepare the set again.") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InputError(
            f"{path} does not describe a prepared set: choose the folder `eadnet prepare` wrote."
        )
    if told.get("version") != VERSION:
        raise InputError(
            f"{path} is of version {told.get('version')} and this program reads {VERSION}: prepare the set "
            "again into another folder."
        )
    return told


def sample_count(set_dir: str | os.PathLike[str], split: str) -> int:
    """How many samples a split has, from set.json alone."""
    return sum(shard["samples"] for shard in read_set(set_dir)["shards"] if shard["split"] == split)


def read_shards(
    set_dir: str | os.PathLike[str],
    *,
    split: str,
    process: int = 0,
    processes: int = 1,
    worker: int = 0,
    workers: int = 1,
    shuffle_seed: int | None = None,
) -> Iterator[Sample]:
    """The samples of a split once, or this reader's part of them; no two readers get the same one.

    Where there are fewer shards than readers every reader takes each n-th sample, otherwise each n-th shard.
    With ``shuffle_seed``, the same for all readers, shards come in another order and samples are chosen among
    the next 64; without, the order is that of the set. In memory are these samples as they are on disk.

    Raises InputError for no such split, and whatever `read_set` and `read_shard` refuse.
    """
    directory = Path(set_dir)
    shards = [shard for shard in read_set(directory)["shards"] if shard["split"] == split]
    if not shards:
        raise InputError(f"The set {directory} has no samples of the split '{split}': choose another one.")
    reader, readers = process * workers + worker, processes * workers
    if not (0 <= process < processes and 0 <= worker < workers):
        raise InputError(f"There is no reader {process}/{worker} of {processes} with {workers} workers each.")
    chance = None if shuffle_seed is None else random.Random(shuffle_seed)
    if chance is not None:
        chance.shuffle(shards)
    waiting: list[Sample] = []
    for sample in _own(directory, shards, reader, readers):
        if chance is None:
            yield sample
            continue
        waiting.append(sample)
        if len(waiting) >= _NEAR:
            yield waiting.pop(chance.randrange(len(waiting)))
    while waiting and chance is not None:
        yield waiting.pop(chance.randrange(len(waiting)))


def _own(directory: Path, shards: Sequence[Mapping[str, Any]], reader: int, readers: int) -> Iterator[Sample]:
    by_shard = len(shards) >= readers
    passed = 0
    for number, shard in enumerate(shards):
        count = shard["samples"]
        if by_shard:
            numbers = range(count) if number % readers == reader else range(0)
        else:
            numbers = range((reader - passed) % readers, count, readers)
        passed += count
        if len(numbers):
            for key, files in read_shard(directory / SHARDS / shard["name"], numbers):
                yield sample_of_members(key, files)


def tensor_of(values: np.ndarray, kind: torch.dtype = torch.float32) -> Tensor:
    """An array as a tensor of its own, as `Sample.tensors` holds them."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(kind)
