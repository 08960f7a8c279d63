"""Data sets that look like MEAD and HDTF, made of recordings of people that stay where they are.

Every clip has the fault its name says, or none. The recordings and the landmarker's weights lie beside the
repository (or where EADNET_MEDIA and EADNET_MODELS say); tests that need them are skipped without.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.media.audio import RATE, moved, to_mono_16k
from eadnet.media.opening import media_name
from eadnet.media.reader import VideoReader
from eadnet.media.sound import SoundFile
from eadnet.media.video import write_video
from tests.in_comfy import ROOT

MEDIA = Path(os.environ.get("EADNET_MEDIA") or ROOT.parent / "shared" / "media")
LANDMARKER = (
    Path(os.environ.get("EADNET_MODELS") or ROOT.parent / "shared" / "models")
    / "face_landmarker_v2_with_blendshapes.task"
)
needs_recordings = pytest.mark.skipif(
    not (MEDIA.is_dir() and LANDMARKER.is_file()), reason="the test recordings are not here"
)


@dataclass(frozen=True)
class Take:
    """A part of a recording: its frames and its sound, 16 kHz mono."""

    frames: list[np.ndarray]
    fps: Fraction
    sound: Tensor

    @classmethod
    def of(cls, name: str, start: float = 0.0, seconds: float = 3.0, sound: str | None = None) -> Take:
        with VideoReader(MEDIA / name, start, seconds) as reader:
            frames = [reader.picture(number) for number in range(reader.count)]
            fps = reader.fps
        samples = round(len(frames) / fps * RATE)
        try:
            file = SoundFile(MEDIA / (sound or name))
            whole = to_mono_16k(torch.cat(list(file.pieces()), 1), file.rate)
        except ValueError:
            whole = torch.zeros(0)
        begin = round(start * RATE)
        part = whole[begin : begin + samples]
        return cls(frames, fps, torch.nn.functional.pad(part, (0, samples - len(part))))

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Take:
        return Take([change(frame) for frame in self.frames], self.fps, self.sound)

    def saying(self, other: Take) -> Take:
        count = len(self.sound)
        return Take(self.frames, self.fps, torch.nn.functional.pad(other.sound, (0, count))[:count])

    def late(self, frames: int) -> Take:
        return Take(self.frames, self.fps, moved(self.sound, RATE, frames / 25))

    def then(self, other: Take) -> Take:
        """A cut to another take."""
        height, width = self.frames[0].shape[:2]
        rows = np.arange(height) * other.frames[0].shape[0] // height
        columns = np.arange(width) * other.frames[0].shape[1] // width
        more = [frame[rows][:, columns] for frame in other.frames]
        return Take(self.frames + more, self.fps, torch.cat([self.sound, other.sound]))

    def beside(self, other: Take) -> Take:
        """Two people in one picture."""
        height = min(self.frames[0].shape[0], other.frames[0].shape[0])
        pairs = zip(self.frames, other.frames, strict=False)
        frames = [np.concatenate([a[:height], b[:height]], axis=1) for a, b in pairs]
        return Take(frames, self.fps, self.sound[: round(len(frames) / self.fps * RATE)])

    def write(self, path: Path, sound: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        waveform = self.sound[None] if sound else None
        write_video(path, self.frames, self.fps, waveform, RATE if sound else None, quality=14)

    def write_sound(self, path: Path) -> None:
        """As .m4a, the way MEAD comes."""
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(media_name(path), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=RATE, layout="mono")
            for start in range(0, len(self.sound), 1024):
                piece = self.sound[None, start : start + 1024].numpy()
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def blurred(frame: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    soft: np.ndarray = gaussian_filter(frame, (5, 5, 0))
    return soft


def smaller(frame: np.ndarray) -> np.ndarray:
    """Half as large, in the middle of grey."""
    whole = np.full_like(frame, 128)
    half = frame[::2, ::2]
    top, left = (frame.shape[0] - half.shape[0]) // 2, (frame.shape[1] - half.shape[1]) // 2
    whole[top : top + half.shape[0], left : left + half.shape[1]] = half
    return whole


def damaged(video: bytes) -> bytes:
    """The last third of an MP4 file is lost; its index, in front, is whole."""
    lost = len(video) // 3
    assert video.index(b"moov") < video.index(b"mdat")
    return video[:-lost] + np.random.default_rng(0).integers(0, 256, lost, dtype=np.uint8).tobytes()


Expected = dict[str, list[str]]
"""Source -> what becomes of its segments: "accepted", or the stage that rejects them."""


def make_mead(folder: Path) -> Expected:
    """MEAD with both ways of naming folders, sound beside the videos or in them, and all faults."""
    good, other = Take.of("talking/grid_1.mpg"), Take.of("talking/grid_5.mpg")
    long = Take.of("talking/address_60s_sound_120ms_late.mp4", 4.0, 6.0)
    stock = Take.of("talking/stock_2.mp4")
    photo = good.changed(lambda frame: good.frames[0])
    takes: list[tuple[str, Take, str, list[str]]] = [
        # path, take, where its sound is, expected
        ("M003/video/front/angry/level_1/001.mp4", good, "beside", ["accepted"]),
        ("M003/video/front/happy/level_2/002.mp4", other, "beside", ["accepted"]),
        ("W015/video/front/sad_level_3/003.mp4", Take.of("talking/grid_2.mpg"), "inside", ["accepted"]),
        ("M007/video/front/fear/level_3/late.mp4", long, "inside", ["accepted"]),
        ("M007/video/front/fear/level_3/too late.mp4", long.late(10), "inside", ["sync"]),
        ("M007/video/front/fear/level_3/others sound.mp4", long.saying(other), "inside", ["sync"]),
        ("M009/video/front/neutral/level_1/silent.mp4", good.late(1000), "inside", ["sound"]),
        ("M009/video/front/neutral/level_1/mute.mp4", good, "none", ["sound"]),
        ("M009/video/front/neutral/level_1/two.mp4", good.beside(other), "inside", ["face"]),
        (
            "M009/video/left_30/neutral/level_1/turned ü.mp4",
            Take.of("talking/interview_turned.mp4"),
            "inside",
            ["turned"],
        ),
        ("M009/video/front/contempt/level_1/cut.mp4", good.then(stock), "inside", ["accepted", "accepted"]),
        ("M009/video/front/contempt/level_1/jump cut.mp4", good.then(other), "inside", ["face"]),
        (
            "M009/video/front/contempt/level_1/flash.mp4",
            good.then(Take.of("talking/stock_2.mp4", 0, 0.6)),
            "inside",
            ["accepted", "length"],
        ),
        ("M009/video/front/contempt/level_1/photo.mp4", photo, "inside", ["face"]),
        ("M009/video/front/disgusted/level_1/blurred.mp4", good.changed(blurred), "inside", ["sharpness"]),
        ("M009/video/front/disgusted/level_1/small.mp4", good.changed(smaller), "inside", ["size"]),
    ]
    expected: Expected = {}
    for name, take, where, what in takes:
        take.write(folder / name, where == "inside")
        if where == "beside":
            actor, _, _, emotion, level, stem = Path(name).with_suffix("").parts
            take.write_sound(folder / actor / "audio" / emotion / level / f"{stem}.m4a")
        expected[name] = what
    whole = (folder / "M003/video/front/angry/level_1/001.mp4").read_bytes()
    heard = (folder / "W015/video/front/sad_level_3/003.mp4").read_bytes()
    for name, data, stage in (
        ("M003/video/front/angry/level_1/broken.mp4", whole[:20_000], "readable"),
        ("M003/video/front/angry/level_1/lost.mp4", damaged(heard), "face"),
        ("M003/video/front/angry/level_1/empty.mp4", b"", "readable"),
        ("M003/video/front/angry/level_1/text.mp4", b"not found" * 100, "readable"),
        ("extras/interview.mp4", whole, "layout"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        expected[name] = [stage]
    return expected


def make_hdtf(folder: Path) -> Expected:
    """HDTF: whole videos with annotated times and without, clips that were cut before, one of them without
    sound, and a file that is none of HDTF's.
    """
    address = Take.of("talking/address_60s_sound_120ms_late.mp4", 0.0, 24.0)
    address.write(folder / "RD_Radio2.mp4")
    stock = Take.of("talking/stock_1.mp4", 0.0, 4.5)
    stock.write(folder / "clips" / "WDA_TomCarper_000.mp4")
    stock.write(folder / "clips" / "WDA_TomCarper_001.mp4", sound=False)
    Take.of("virtual/person_5.mp4", 0.0, 5.0).write(folder / "WRA" / "AdamKinzinger0.mp4")
    stock.write(folder / "WRA_Nobody.mp4")
    stock.write(folder / "holiday.mp4")
    lists = folder / "HDTF_dataset"
    lists.mkdir()
    (lists / "RD_annotion_time.txt").write_text("Radio2.mp4 00:02-00:16 00:18-00:19\n", encoding="utf-8")
    (lists / "WRA_annotion_time.txt").write_text("AdamKinzinger0.mp4 00:00-00:05 \n", encoding="utf-8")
    (lists / "WDA_annotion_time.txt").write_text("TomCarper.mp4 00:05-01:00\n", encoding="utf-8")
    return {
        "RD_Radio2.mp4": ["accepted", "accepted", "length"],
        "WRA/AdamKinzinger0.mp4": ["accepted"],
        "WRA_Nobody.mp4": ["layout"],
        "clips/WDA_TomCarper_000.mp4": ["accepted"],
        "clips/WDA_TomCarper_001.mp4": ["sound"],
        "holiday.mp4": ["layout"],
    }


def became(rows: Iterable[dict[str, object]]) -> Expected:
    """What became of every source."""
    found: Expected = {}
    for row in rows:
        what = row["status"] if row["status"] == "accepted" else row["stage"]
        found.setdefault(str(row["source"]), []).append(str(what))
    return found


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a finished set but the times it took, by its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("times.json", ".lock"):
            yield path.relative_to(folder).as_posix(), path.read_bytes()
