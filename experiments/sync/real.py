"""`motion`'s SyncNet on recordings of people: true against shifted and foreign sound, by length.

What it sees are landmarks, which take minutes to find, so they are kept (`experiments.speech.clips`); what it
expects is made from the sound of each part alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from eadnet.driving.motion import MotionModel
from eadnet.driving.sync import MotionSyncNet, embedding, mouths
from eadnet.faces.landmarker import FaceLandmarker, LandmarkedFace
from eadnet.media.video import read_frames, video_fps
from eadnet.metrics.intervals import separation
from eadnet.metrics.speech_fit import filled
from eadnet.metrics.sync import MAX_SHIFT, SyncScore, sweep
from experiments.speech.clips import FPS, STEP, TalkingClip
from experiments.speech.command import people
from experiments.sync.clips import Bench

LENGTHS = (2, 3, 5, 10)
_FAR = 3  # frames: a shift that people see
_POOR = 5  # seconds of what is compressed again
_OTHERS = 8  # foreign sounds for each part


@dataclass(frozen=True)
class Part:
    """A piece of a recording: who speaks, and the embeddings of what is seen and what is expected."""

    speaker: str
    video: Tensor
    audio: Tensor

    def score(self, audio: Tensor) -> SyncScore:
        return sweep(self.video, audio, silence_beyond_ends=False)


def parts(network: Any, clips: Sequence[TalkingClip], seconds: float) -> list[Part]:
    """The recordings cut into pieces of so many seconds; shorter ones have none."""
    frames, found = round(seconds * FPS), []
    for clip in clips:
        for first in range(0, len(clip) - frames + 1, frames):
            points = clip.points[first : first + frames]
            seen = torch.from_numpy(mouths([LandmarkedFace(mesh) for mesh in points]))
            sound = torch.from_numpy(clip.waveform[first * STEP : (first + frames) * STEP])
            found.append(Part(clip.speaker, embedding(seen), embedding(network.expected(sound, frames))))
    return found


def recompressed(film: Path, frames: int) -> Iterator[np.ndarray]:
    """The first frames of a film, uint8, at most 256 pixels high and through H.264 at its quality 36."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "poor.mp4"
        with av.open(str(place), "w") as container:
            stream: Any = container.add_stream("libx264", rate=FPS, options={"crf": "36"})
            for number, picture in enumerate(islice(read_frames(film), frames)):
                scale = min(1.0, 256 / picture.shape[0])
                height, width = (2 * round(side * scale / 2) for side in picture.shape[:2])
                if number == 0:
                    stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
                container.mux(stream.encode(frame.reformat(width, height, "yuv420p")))
            container.mux(stream.encode())
        yield from read_frames(place)


def poor_parts(
    network: Any, clips: Sequence[TalkingClip], media: Path, task: Path, seconds: float
) -> list[Part]:
    """The first part of every recording of 25 frames a second, its landmarks found again in poor pictures."""
    frames, found = round(seconds * FPS), []
    films = {film.stem: film for film in media.rglob("*") if film.suffix in (".mp4", ".mpg", ".mov")}
    for clip in clips:
        film = films[clip.name]
        if len(clip) < frames or float(video_fps(film)) != FPS:
            continue
        faces = list(FaceLandmarker(task).follow(recompressed(film, frames)))
        seen = torch.stack([filled(column) for column in torch.from_numpy(mouths(faces)).unbind(1)], 1)
        expected = network.expected(torch.from_numpy(clip.waveform[: frames * STEP]), frames)
        found.append(Part(clip.speaker, embedding(seen), embedding(expected)))
    return found


def row(name: str, found: Sequence[Part]) -> str:
    """Of all parts: AUC of the distance at the true place against places three frames away and more, offsets
    within a frame, AUC of the confidence against others' sound, and the marks.
    """
    own = [part.score(part.audio) for part in found]
    middle = MAX_SHIFT
    true, shifted = [], []
    for score in own:
        means = score.mean_distances.numpy()
        true.append(-float(means[middle]))
        shifted += [-float(m) for k, m in enumerate(means) if abs(k - middle) >= _FAR and np.isfinite(m)]
    rng = np.random.default_rng(0)
    foreign = []
    for part in found:
        others = [other for other in found if other.speaker != part.speaker]
        for index in rng.permutation(len(others))[:_OTHERS]:
            foreign.append(part.score(others[index].audio).confidence)
    exact = np.mean([score.offset == 0 for score in own])
    near = np.mean([abs(score.offset) <= 1 for score in own])
    sure = [score.confidence for score in own]
    mark = float(np.quantile(foreign, 0.99))
    reached = np.mean([c > mark for c in sure])
    return (
        f"| {name} | {len(found)} | **{separation(true, shifted):.3f}** | {near:.0%} ({exact:.0%}) | "
        f"{separation(sure, foreign):.3f} | {np.median(sure):.2f} | {np.median(foreign):.2f} | {mark:.2f} | "
        f"{reached:.0%} |"
    )


HEADER = (
    "| seconds | parts | AUC, true against shifted by 3 frames or more | offset within a frame (exact) | AUC "
    "of the confidence, own against foreign sound | own | foreign | reached by 1 % of foreign | by own |",
    "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def real_faces(bench: Bench) -> list[str]:
    """A table: a row for each length, and one for films that were made smaller and compressed hard."""
    network = MotionSyncNet(MotionModel.load(), _no_landmarker)
    options = bench.options
    task = next(iter(sorted(Path(options.models).glob("face_landmarker*"))), Path("none"))
    clips = people(options.recordings, task, options.data / "landmarks")
    lines = [*HEADER]
    for seconds in LENGTHS:
        lines.append(row(f"{seconds:g}", parts(network, clips, seconds)))
    poor = poor_parts(network, clips, options.recordings, task, _POOR)
    return [*lines, row(f"{_POOR:g}, recompressed", poor)]


def _no_landmarker() -> Path:
    raise AssertionError("landmarks are given")
