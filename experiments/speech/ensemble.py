"""Several front ends with their tables, read together: what synthetic talk's mouths are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.synthetic.talk import Talk
from eadnet.synthetic.visemes import mouth_track
from eadnet.training.regressors.front_end import FrontEnd
from experiments.speech.clips import FPS, STEP, TalkingClip
from experiments.speech.measures import Curve
from experiments.speech.reading import Reading, hear

_OUTER_EYES = 1.44  # distances of the outer eye corners are so many of the eyes' centres, on every face alike
_UTTERANCES = 40  # of a file


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Each table's curve is brought to mean 0 and spread 1 over people, the mean of the curves to people's
    own ``middle`` and ``spread``, in distances of the eyes' centres.
    """

    fronts: Sequence[FrontEnd]
    tables: Sequence[Reading]
    scales: Sequence[tuple[float, float]] = ()
    joint: float = 1.0
    middle: float = 0.115
    spread: float = 0.081

    def calibrated(self, clips: Sequence[TalkingClip]) -> Ensemble:
        """With scales measured on people."""
        raw = [self._raw(clip.waveform, len(clip)) for clip in clips]
        scales = []
        for one in zip(*raw, strict=True):
            middle, spread = ([f(curve) for curve in one] for f in (np.mean, np.std))
            scales.append((float(np.median(middle)), float(np.median(spread))))
        own = [_OUTER_EYES * clip.opening for clip in clips]
        scaled = replace(self, scales=scales)
        return replace(
            scaled,
            joint=float(np.median([scaled._together(curves).std() for curves in raw])),
            middle=float(np.median([curve.mean() for curve in own])),
            spread=float(np.median([curve.std() for curve in own])),
        )

    def __call__(self, waveform: Curve, frames: int) -> Curve:
        """How far the lips are apart, [T]; below 0 where they are pressed."""
        together = self._together(self._raw(waveform, frames))
        return self.middle + self.spread / self.joint * together

    def numbers(self) -> dict[str, Any]:
        """All that was measured, for a .json."""
        tables = [{name: value.tolist() for name, value in table.named_parameters()} for table in self.tables]
        names = ("scales", "joint", "middle", "spread")
        return {"tables": tables} | {name: getattr(self, name) for name in names}

    @classmethod
    def of_numbers(cls, fronts: Sequence[FrontEnd], numbers: dict[str, Any]) -> Ensemble:
        tables = []
        for row in numbers["tables"]:
            table = Reading()
            table.load_state_dict({name: torch.tensor(value) for name, value in row.items()}, strict=False)
            tables.append(table.eval())
        return cls(fronts, tables, **{name: value for name, value in numbers.items() if name != "tables"})

    @torch.no_grad()
    def _raw(self, waveform: Curve, frames: int) -> list[Curve]:
        nothing = np.zeros(frames)
        return [
            table(hear(front, waveform, nothing)).numpy()
            for front, table in zip(self.fronts, self.tables, strict=True)
        ]

    def _together(self, curves: Sequence[Curve]) -> Curve:
        return np.mean([(curve - m) / s for curve, (m, s) in zip(curves, self.scales, strict=True)], axis=0)


def write_mouths(
    read: Callable[[Curve, int], Curve],
    talk: Path,
    out: Path,
    shards: Callable[[Path], Iterator[Talk]],
) -> None:
    """Write the mouths of all talk in a folder: `mouth` [sum T, 9], `apart` [sum T], and where each utterance
    `ends`; files that sort in the order of the talk.
    """
    out.mkdir(parents=True, exist_ok=True)
    mouths, aparts, count = [], [], 0
    for utterance in shards(talk):
        frames = len(utterance.waveform) // STEP
        apart = read(utterance.waveform, frames)
        mouths.append(mouth_track(utterance.phonemes, frames, FPS, apart=apart))
        aparts.append(apart)
        if len(mouths) == _UTTERANCES:
            _write(out / f"mouths_{count:06d}.npz", mouths, aparts)
            mouths, aparts, count = [], [], count + 1
    if mouths:
        _write(out / f"mouths_{count:06d}.npz", mouths, aparts)


def _write(path: Path, mouths: list[Curve], aparts: list[Curve]) -> None:
    np.savez(
        path,
        mouth=np.concatenate(mouths).astype(np.float16),
        apart=np.concatenate(aparts).astype(np.float16),
        ends=np.cumsum([len(mouth) for mouth in mouths]),
    )
