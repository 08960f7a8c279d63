"""Who says whether sound and lips belong together, and by how much they are apart.

A SyncNet whose weights the user has, or our own: the bundled `motion` says how far a mouth would open at this
sound, the landmarks say how far it opens, and the lag with the highest correlation is the offset. SyncNet v2
stays the field's measure; what our own is worth on recordings of people is in docs/results/preparation.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..converted import SUFFIXES, converted
from ..driving.motion import MotionModel, motion_track
from ..errors import InputError
from ..faces.landmarker import LandmarkedFace
from ..media.clips import LazyFrames
from ..media.speech import SpeechInMemory
from ..metrics.mouth import lag_curve
from ..metrics.speech_fit import filled
from ..metrics.sync import MAX_SHIFT, SyncNetwork, measure_sync
from ..rendering import RenderSettings
from ..rig.expression import INDEX
from .clip import FPS, Clip
from .settings import NO_SYNC_MODEL, OWN_SYNC_MODEL, SYNCNET_CONFIDENCE

_INNER_LIPS = ((13, 14), (312, 317), (82, 87))
_EYE_CORNERS = (33, 263)
_SEED = 0
_MEAN = 13  # frames
_LONG_ENOUGH = 125


@dataclass(frozen=True)
class FoundSync:
    """``offset``: frames of 1/25 s by which the sound is early, negative where it is late. ``sure``: whether
    a low confidence means that sound and lips do not belong together; else only that nobody can tell.
    """

    offset: int
    confidence: float
    sure: bool = True


class SyncModel(Protocol):
    """``name``: in the manifest. ``framing``: how its crops are made, a SyncNet's name; None: it needs none.
    ``confident``: its own mark.
    """

    @property
    def name(self) -> str: ...

    @property
    def framing(self) -> str | None: ...

    @property
    def confident(self) -> float: ...

    def __call__(self, clip: Clip, waveform: Tensor) -> FoundSync | None:
        """From a clip and its own sound [S]; None where sync is not measured."""
        ...


class NoSyncModel:
    """Sound is taken as it is."""

    name, framing, confident = NO_SYNC_MODEL, None, 0.0

    def __call__(self, clip: Clip, waveform: Tensor) -> FoundSync | None:
        return None


class SyncNetModel:
    """A SyncNet: v2, LatentSync's, or a `mini` checkpoint's own."""

    def __init__(self, network: SyncNetwork) -> None:
        self._network = network
        self.name = self.framing = network.name
        self.confident = network.confident or SYNCNET_CONFIDENCE

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> SyncNetModel:
        """From what `eadnet convert` made, or a published file, which is converted beside itself.

        Raises CheckpointError for a file without a SyncNet.
        """
        file = converted(path) if path.suffix in SUFFIXES else path
        network: Any = load_checkpoint(file, only={"syncnet"}).component("syncnet")
        return cls(network.to(device))

    def __call__(self, clip: Clip, waveform: Tensor) -> FoundSync | None:
        assert clip.sync_crops is not None
        frames = torch.from_numpy(clip.sync_crops).movedim(-1, 1)
        pictures = LazyFrames(tuple(frames.shape), lambda numbers: frames[numbers[0] : numbers[-1] + 1])
        try:
            score = measure_sync(self._network, pictures, waveform, FPS).score
        except InputError:  # too short for it
            return FoundSync(0, 0.0)
        return FoundSync(score.offset, round(score.confidence, 4))


class MotionModelSync:
    """`motion` and the landmarks; no weights beyond what the package brings and no frame is looked at again.

    Its confidence is Fisher's z of the highest correlation over all lags: see `sync_of`. Of clips shorter
    than 5 s it finds the offset more often than it can say so: what it is not confident of there is not sure.
    """

    name, framing = OWN_SYNC_MODEL, None
    confident = (
        4.5  # nine in ten mismatched clips of 10 s are below or too far off: docs/results/preparation.md
    )

    def __init__(self, model: MotionModel) -> None:
        self._model = model

    def __call__(self, clip: Clip, waveform: Tensor) -> FoundSync | None:
        # The mouth as it is sampled: the mark was measured with that.
        track = motion_track(
            SpeechInMemory(waveform),
            "",
            clip.frames,
            model=self._model,
            settings=RenderSettings(seed=_SEED),
            explained=False,
        )
        seen = filled(torch.from_numpy(openings(clip.faces)))
        return sync_of(seen, track.values[:, INDEX["jaw_open"]], clip.frames >= _LONG_ENOUGH)


def sync_of(opening: Tensor, expected: Tensor, sure: bool = True) -> FoundSync:
    """From how far a mouth opens [T] and how far it should, each in any unit.

    The confidence is atanh(r) sqrt(T) of the best lag's r, both series without what changes in more than half
    a second: of unrelated noise it would be normal, of unrelated speech the best of 31 lags has about 3.5.
    """
    curve = lag_curve(_quick(opening), _quick(expected), MAX_SHIFT)
    r = min(0.99, max(-0.99, curve.best))
    return FoundSync(-curve.best_lag, round(math.atanh(r) * len(opening) ** 0.5, 4), sure)


def _quick(series: Tensor) -> Tensor:
    """A series [T] without its mean over 13 frames around each."""
    around = torch.nn.functional.pad(series.double()[None, None], (_MEAN // 2, _MEAN // 2), mode="replicate")
    return series.double() - torch.nn.functional.avg_pool1d(around, _MEAN, 1)[0, 0]


def openings(faces: tuple[LandmarkedFace | None, ...]) -> np.ndarray:
    """[T]: how far the inner lips are apart, in distances of the outer corners of the eyes; NaN without."""
    found = np.full(len(faces), np.nan)
    for number, face in enumerate(faces):
        if face is not None:
            apart = [np.linalg.norm(face.points[b] - face.points[a]) for a, b in _INNER_LIPS]
            right, left = (face.points[corner] for corner in _EYE_CORNERS)
            found[number] = float(np.mean(apart)) / max(1e-6, float(np.linalg.norm(left - right)))
    return found


def make_sync_model(which: str | Path, device: str = "cpu") -> SyncModel:
    """Our own, nobody, or that of a file."""
    if which == NO_SYNC_MODEL:
        return NoSyncModel()
    if which == OWN_SYNC_MODEL:
        return MotionModelSync(MotionModel.load().to(device))
    return SyncNetModel.load(Path(which), device)
