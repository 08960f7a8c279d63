"""Who says whether sound and lips belong together, and by how much they are apart.

A SyncNet whose weights the user has, or our own: the bundled `motion` says how far a mouth would open at this
sound, the landmarks say how far it opens, and the lag with the highest correlation is the offset. SyncNet v2
stays the field's measure; what our own is worth on recordings of people is in docs/results/preparation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..converted import SUFFIXES, converted
from ..driving.motion import MotionModel, motion_track
from ..errors import CheckpointError, InputError
from ..faces.landmarker import LandmarkedFace
from ..media.clips import LazyFrames
from ..media.speech import SpeechInMemory
from ..metrics.mouth import lag_curve
from ..metrics.speech_fit import filled
from ..metrics.sync import MAX_SHIFT, SyncNetwork, measure_sync
from ..rendering import RenderSettings
from ..rig.expression import INDEX
from .clip import FPS, Clip
from .settings import NO_JUDGE, OWN_JUDGE, SYNCNET_CONFIDENCE

_INNER_LIPS = ((13, 14), (312, 317), (82, 87))
_EYE_CORNERS = (33, 263)
_SEED = 0


@dataclass(frozen=True)
class Judged:
    """``offset``: frames of 1/25 s by which the sound is early, negative where it is late."""

    offset: int
    confidence: float


class Judge(Protocol):
    """``name``: in the manifest. ``framing``: how its crops are made, a SyncNet's name; None: it needs none.
    ``confident``: its own mark.
    """

    @property
    def name(self) -> str: ...

    @property
    def framing(self) -> str | None: ...

    @property
    def confident(self) -> float: ...

    def __call__(self, clip: Clip, waveform: Tensor) -> Judged | None:
        """From a clip and its own sound [S]; None where nobody judges."""
        ...


class NoJudge:
    """Sound is taken as it is."""

    name, framing, confident = NO_JUDGE, None, 0.0

    def __call__(self, clip: Clip, waveform: Tensor) -> Judged | None:
        return None


class SyncNetJudge:
    """A SyncNet: v2, LatentSync's, or a `mini` checkpoint's own."""

    def __init__(self, network: SyncNetwork) -> None:
        self._network = network
        self.name = self.framing = network.name
        self.confident = network.confident or SYNCNET_CONFIDENCE

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> SyncNetJudge:
        """From what `eadnet convert` made, or a published file, which is converted beside itself.

        Raises CheckpointError for a file without a SyncNet.
        """
        file = converted(path) if path.suffix in SUFFIXES else path
        components = load_checkpoint(file, only={"syncnet"}).components
        network: Any = components.get("syncnet")
        if network is None:
            raise CheckpointError(f"{path.name} holds no SyncNet: choose syncnet_v2.safetensors.")
        return cls(network.to(device))

    def __call__(self, clip: Clip, waveform: Tensor) -> Judged | None:
        assert clip.judged is not None
        frames = torch.from_numpy(clip.judged).movedim(-1, 1)
        pictures = LazyFrames(tuple(frames.shape), lambda numbers: frames[numbers[0] : numbers[-1] + 1])
        try:
            score = measure_sync(self._network, pictures, waveform, FPS).score
        except InputError:  # too short for it
            return Judged(0, 0.0)
        return Judged(score.offset, round(score.confidence, 4))


class OwnJudge:
    """`motion` and the landmarks. Its confidence is the highest correlation over all lags, in hundredths of
    what lies between it and the other lags: see `confidence_of`.
    """

    name, framing = OWN_JUDGE, None
    confident = 3.0

    def __init__(self, model: MotionModel) -> None:
        self._model = model

    def __call__(self, clip: Clip, waveform: Tensor) -> Judged | None:
        track = motion_track(
            SpeechInMemory(waveform), "", clip.frames, model=self._model, settings=RenderSettings(seed=_SEED)
        )
        expected = track.values[:, INDEX["jaw_open"]] - track.values[:, INDEX["lip_close"]]
        return judged(filled(torch.from_numpy(openings(clip.faces))), expected)


def judged(opening: Tensor, expected: Tensor) -> Judged:
    """From how far a mouth opens [T] and how far it should, in any unit."""
    curve = lag_curve(_lively(opening), _lively(expected), MAX_SHIFT)
    others = curve.correlations[(curve.lags - curve.best_lag).abs() > 3]
    spread = float(others.std()) if len(others) > 1 else 0.0
    confidence = (curve.best - float(others.mean())) / max(spread, 1e-3) if len(others) else 0.0
    return Judged(-curve.best_lag, round(confidence, 4))


def _lively(series: Tensor) -> Tensor:
    return series.double()


def openings(faces: tuple[LandmarkedFace | None, ...]) -> np.ndarray:
    """[T]: how far the inner lips are apart, in distances of the outer corners of the eyes; NaN without."""
    found = np.full(len(faces), np.nan)
    for number, face in enumerate(faces):
        if face is not None:
            apart = [np.linalg.norm(face.points[b] - face.points[a]) for a, b in _INNER_LIPS]
            right, left = (face.points[corner] for corner in _EYE_CORNERS)
            found[number] = float(np.mean(apart)) / max(1e-6, float(np.linalg.norm(left - right)))
    return found


def make_judge(which: str | Path, device: str = "cpu") -> Judge:
    """Our own, nobody, or that of a file."""
    if which == NO_JUDGE:
        return NoJudge()
    if which == OWN_JUDGE:
        return OwnJudge(MotionModel.load().to(device))
    return SyncNetJudge.load(Path(which), device)
