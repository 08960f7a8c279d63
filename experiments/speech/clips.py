"""Recordings of people who talk: what is heard, and what the landmarks see of the face, 25 times a second.

Finding landmarks takes minutes, so they are kept in a folder of the user's; nothing of a recording is part of
the project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from eadnet.errors import InputError
from eadnet.faces.landmarker import FaceLandmarker
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.video import read_frames, video_fps
from eadnet.modules.blendshape_mixer import BLENDSHAPES

FPS = 25
RATE = 16_000
STEP = RATE // FPS

_UPPER, _LOWER = [81, 13, 311], [178, 14, 402]  # inner edges of the lips
_EYES = (33, 263)  # outer corners
_SUFFIXES = (".mp4", ".mpg", ".mov", ".mkv", ".webm")
_LONGEST_GAP = 5  # frames without a face that are bridged; a clip with more is left out
_LEAST_SOUND = 1e-4  # a sound track quieter than this is none


@dataclass(frozen=True, eq=False)
class TalkingClip:
    """`points` float32 [T, 478, 3] in pixels, `shapes` float32 [T, 52] in the order of `BLENDSHAPES`, and
    `waveform` float32 [T * 640] at 16 kHz. Clips of one `speaker` are never split between training and
    testing.
    """

    name: str
    speaker: str
    points: np.ndarray
    shapes: np.ndarray
    waveform: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    @property
    def opening(self) -> np.ndarray:
        """Distance of the inner lips over that of the outer eye corners, [T]."""
        return opening_of(self.points)

    def shape(self, name: str) -> np.ndarray:
        """One blend shape, [T]."""
        return self.shapes[:, BLENDSHAPES.index(name)]


def opening_of(points: np.ndarray) -> np.ndarray:
    """How far the inner lips are apart, in distances of the outer eye corners: meshes [T, 478, 3] -> [T]."""
    width = np.linalg.norm(points[:, _EYES[0], :2] - points[:, _EYES[1], :2], axis=-1)
    apart = np.linalg.norm(points[:, _UPPER, :2] - points[:, _LOWER, :2], axis=-1).mean(-1)
    return apart / np.maximum(width, 1e-6)


def recordings(folder: Path) -> list[Path]:
    """The films of a folder and of the folders in it, in order. Raises InputError where there are none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise InputError(f"There are no films in {folder}: give a folder of recordings of people who talk.")
    return found


def talking_clips(
    paths: Sequence[Path], landmarker: Path, cache: Path, speakers: dict[str, str] | None = None
) -> Iterator[TalkingClip]:
    """The clips of films that have both sound and a face all along; others are passed over.

    ``speakers`` names who talks in which film (by its stem); the stem stands for those it does not name.
    A .wav of the same name beside a film is its sound.
    """
    cache.mkdir(parents=True, exist_ok=True)
    network: FaceLandmarker | None = None
    for path in paths:
        kept = cache / f"{path.parent.name}_{path.stem}.npz"
        if not kept.exists():
            network = network or FaceLandmarker(landmarker, blendshapes=True)
            _read(path, network, kept)
        with np.load(kept) as arrays:
            points, shapes, waveform = arrays["points"], arrays["shapes"], arrays["waveform"]
        if len(points) == 0 or len(waveform) == 0:
            continue
        speaker = (speakers or {}).get(path.stem, path.stem)
        yield TalkingClip(path.stem, speaker, points, shapes, waveform)


def _read(path: Path, network: FaceLandmarker, kept: Path) -> None:
    rate = float(video_fps(path))
    waveform = _sound(path)
    faces = list(network.follow(read_frames(path))) if len(waveform) else []  # slow: not for silent films
    points, shapes = np.zeros((0, 478, 3), np.float32), np.zeros((0, len(BLENDSHAPES)), np.float32)
    seen = [index for index, face in enumerate(faces) if face is not None]
    if len(waveform) and len(seen) > 1 and max(np.diff([-1, *seen, len(faces)])) <= _LONGEST_GAP:
        times = (np.array(seen) + 0.5) / rate
        wanted = (np.arange(int(len(faces) / rate * FPS)) + 0.5) / FPS
        known = [face for face in faces if face is not None]
        points = _at(wanted, times, np.stack([face.points for face in known]))
        shapes = _at(wanted, times, np.array([list(face.blendshapes.values()) for face in known]))
        waveform = np.pad(waveform, (0, max(0, len(points) * STEP - len(waveform))))[: len(points) * STEP]
    np.savez(kept, points=points, shapes=shapes, waveform=waveform)


def _sound(path: Path) -> np.ndarray:
    """Mono at 16 kHz, [S]; empty where there is none to speak of."""
    beside = path.with_suffix(".wav")
    try:
        waveform = to_mono_16k(*load_audio(beside if beside.exists() else path))
    except InputError:
        return np.zeros(0, np.float32)
    samples = torch.as_tensor(waveform).numpy().astype(np.float32)
    return samples if np.sqrt(np.mean(np.square(samples))) > _LEAST_SOUND else np.zeros(0, np.float32)


def _at(wanted: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values [N, ...] known at ``times``, at the times ``wanted``, along straight lines."""
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    share = np.clip((wanted - times[after - 1]) / (times[after] - times[after - 1]), 0, 1)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return (values[after - 1] * (1 - share) + values[after] * share).astype(np.float32)
