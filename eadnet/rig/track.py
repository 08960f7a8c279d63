"""A track: facial parameters over time, whatever made them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import InputError, no_such
from .arkit import ARKIT, from_facs, to_facs
from .expression import HEAD_POSE, INDEX, PARAMETERS, RANGES

MOST_FPS = 1000.0
_FORMAT = 1
_DAMAGED = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_LARGEST_FILE = 200_000_000  # bytes of a JSON track: an hour is about 30 MB


def _sides(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{side}" for name in names for side in "lr")


_LIPS = (
    *("lip_close", "lip_pucker", "lip_funnel", "lip_stretch", "upper_lip_raise", "lower_lip_depress"),
    *("lip_bite", "lip_press", "tongue_up"),
)
_SMILE, _BROWS = _sides("smile", "dimple", "frown"), _sides("inner_brow_up", "outer_brow_up", "brow_lower")
_LIDS, _CHEEKS = _sides("upper_lid_raise", "lid_tighten"), _sides("cheek_raise")

GROUPS: dict[str, tuple[str, ...]] = {
    "mouth": ("jaw_open", *_LIPS),
    "jaw": ("jaw_open",),
    "lips": _LIPS,
    "mouth_corners": _SMILE,
    "brows": _BROWS,
    "lids": _LIDS,
    "blink": _sides("blink"),
    "cheeks": _CHEEKS,
    "nose": ("nose_wrinkle",),
    "chin": ("chin_raise",),
    "gaze": ("gaze_x", "gaze_y"),
    "head": HEAD_POSE,
    "emotion": (*_SMILE, *_BROWS, *_LIDS, *_CHEEKS, "nose_wrinkle", "chin_raise"),
}
"""Parameters that belong together. "mouth" is what speech moves, "emotion" what it leaves alone."""


@dataclass(frozen=True, eq=False)
class Track:
    """Facial parameters, float32 [T, P] in the order of `PARAMETERS`, at ``fps`` rows per second.

    Raises InputError for another shape, values that are not finite, and a rate out of range.
    """

    values: Tensor
    fps: float = 25.0

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(PARAMETERS):
            raise InputError(
                f"A track has {len(PARAMETERS)} parameters in every row, not the shape "
                f"{list(self.values.shape)}."
            )
        if not 0 < self.fps <= MOST_FPS:
            raise InputError(f"The track's rate is {self.fps} fps: use more than 0, up to {MOST_FPS:g}.")
        if not bool(torch.isfinite(self.values).all()):
            raise InputError("The track has values that are not finite: make it again.")
        object.__setattr__(self, "values", self.values.detach().float().cpu())

    @classmethod
    def still(cls, parameters: Tensor, frames: int, fps: float = 25.0) -> Track:
        """A face that holds parameters [P]."""
        return cls(parameters.detach().float().cpu()[None].expand(frames, -1).clone(), fps)

    @classmethod
    def of(cls, curves: Mapping[str, Tensor | Sequence[float]], fps: float = 25.0) -> Track:
        """From curves [T] by name; a name without a side means both. What is not named is 0.

        Raises InputError for unknown names, and curves of different lengths.
        """
        rows = {name: torch.as_tensor(curve, dtype=torch.float32) for name, curve in curves.items()}
        lengths = {len(row) for row in rows.values()}
        if len(lengths) > 1:
            raise InputError(f"The curves have {sorted(lengths)} frames: give all the same number.")
        values = torch.zeros(max(lengths, default=0), len(PARAMETERS))
        for name, row in rows.items():
            for column in columns(name):
                values[:, column] = row
        return cls(values, fps)

    @classmethod
    def from_arkit(
        cls,
        shapes: Sequence[Mapping[str, float] | None],
        fps: float,
        rest: Mapping[str, float] | None = None,
    ) -> Track:
        """From ARKit's 52 blend shapes by name, 0..1, a row each; None (no face) is bridged from its
        neighbours. ``rest`` is the person's calm face, which counts as none.

        Raises InputError where no frame has a face.
        """
        known = [i for i, row in enumerate(shapes) if row]
        if not known:
            raise InputError("None of the frames has a face.")
        base = rest or {}
        table = torch.tensor(
            [
                [
                    max(0.0, float((shapes[i] or {}).get(name, 0.0)) - float(base.get(name, 0.0)))
                    for name in ARKIT
                ]
                for i in known
            ]
        )
        values = torch.zeros(len(shapes), len(PARAMETERS))
        values[known] = to_facs(table)
        return cls(_bridged(values, known), fps)

    def to_arkit(self) -> list[dict[str, float]]:
        """ARKit's 52 by name, a dictionary for each row; head pose and tongue have no shape there."""
        return [dict(zip(ARKIT, row, strict=True)) for row in from_facs(self.values).tolist()]

    @property
    def names(self) -> tuple[str, ...]:
        return PARAMETERS

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Tensor:
        """One parameter [T]; without a side, or for a group, the mean of those it means."""
        return self.values[:, columns(name)].mean(1)

    def resampled(self, fps: float) -> Track:
        """The same at another rate, as long to half a frame; in between, along straight lines."""
        if fps == self.fps:
            return self
        if not 0 < fps <= MOST_FPS:
            raise InputError(f"The rate is {fps} fps: use more than 0, up to {MOST_FPS:g}.")
        count = max(1, round(self.seconds * fps)) if len(self) else 0
        if not count:
            return Track(self.values, fps)
        # The middle of a frame is the moment that it shows.
        at = ((torch.arange(count, dtype=torch.float64) + 0.5) / fps * self.fps - 0.5).clamp(0, len(self) - 1)
        low = at.floor().long().clamp(max=max(len(self) - 2, 0))
        share = (at - low)[:, None].float()
        high = (low + 1).clamp(max=len(self) - 1)
        return Track(torch.lerp(self.values[low], self.values[high], share), fps)

    def cut(self, first: int, last: int) -> Track:
        """Rows from ``first`` up to ``last``, which is not part of it."""
        return Track(self.values[first:last], self.fps)

    def fitted(self, frames: int) -> Track:
        """The same with another number of rows: cut off, or the last one held."""
        if frames <= len(self) or not len(self):
            return self.cut(0, frames)
        held = self.values[-1:].expand(frames - len(self), -1)
        return Track(torch.cat([self.values, held]), self.fps)

    def joined(self, other: Track) -> Track:
        """This one, then the other, at this one's rate."""
        return Track(torch.cat([self.values, other.resampled(self.fps).values]), self.fps)

    def edited(
        self, multiply: Mapping[str, float] | None = None, add: Mapping[str, float] | None = None
    ) -> Track:
        """Parameters, or groups of them, multiplied and then shifted; clipped to their ranges.

        Where several names mean the same parameter, all of them apply. Raises InputError for unknown names.
        """
        values = self.values.clone()
        for name, factor in (multiply or {}).items():
            values[:, columns(name)] *= factor
        for name, amount in (add or {}).items():
            values[:, columns(name)] += amount
        low, high = torch.from_numpy(RANGES).unbind(1)
        return Track(torch.minimum(torch.maximum(values, low), high), self.fps)

    def added(self, other: Track, groups: Sequence[str] = ("emotion",)) -> Track:
        """The other's expression on top of this one, in some groups; as long as this one, at its rate."""
        return self._with(other, groups, keep=True)

    def replaced(self, other: Track, groups: Sequence[str] = ("mouth",)) -> Track:
        """Some groups of the other instead of this one's; as long as this one, at its rate."""
        return self._with(other, groups, keep=False)

    def _with(self, other: Track, groups: Sequence[str], keep: bool) -> Track:
        theirs = other.resampled(self.fps).fitted(len(self)).values
        if len(theirs) != len(self):
            raise InputError("The other track has no frames: connect one that has.")
        chosen = sorted({column for name in groups for column in columns(name)})
        values = self.values.clone()
        values[:, chosen] = theirs[:, chosen] + (values[:, chosen] if keep else 0)
        low, high = torch.from_numpy(RANGES).unbind(1)
        return Track(torch.minimum(torch.maximum(values, low), high), self.fps)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .json (names, fps, rows: plain to read and to write) or a .safetensors file."""
        path = Path(path)
        if path.suffix not in (".json", ".safetensors"):
            raise InputError(f"A track is written as .json or .safetensors, not as '{path.suffix}'.")
        try:
            self._write(path)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"The track {path} cannot be written ({error}): choose another place."
            ) from error

    def _write(self, path: Path) -> None:
        if path.suffix == ".safetensors":
            header = {"track": json.dumps({"format": _FORMAT, "fps": self.fps, "names": PARAMETERS})}
            save_file({"values": self.values.contiguous()}, path, header)
            return
        rows = [[round(value, 5) for value in row] for row in self.values.tolist()]
        text = json.dumps({"format": _FORMAT, "fps": self.fps, "names": PARAMETERS, "rows": rows})
        path.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Track:
        """Read what `save` wrote; columns of a file may stand in any order, and may be fewer.

        Raises InputError, one sentence, for anything else.
        """
        path = Path(path)
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as file:
                    header = json.loads((file.metadata() or {})["track"])
                    rows = file.get_tensor("values")
            else:
                if path.stat().st_size > _LARGEST_FILE:
                    raise InputError(f"{path.name} is larger than a track can be: choose another file.")
                header = json.loads(path.read_text("utf-8-sig"))
                rows = torch.tensor(header["rows"], dtype=torch.float32)
            return cls._of_file(header, rows)
        except FileNotFoundError as error:
            raise InputError(f"There is no track {path.name}: check the name.") from error
        except InputError:
            raise
        except (*_DAMAGED, SafetensorError) as error:
            raise InputError(f"{path.name} is no track of facial parameters, or it is damaged.") from error

    @classmethod
    def _of_file(cls, header: Mapping[str, Any], rows: Tensor) -> Track:
        names, fps = list(header["names"]), float(header["fps"])
        if not math.isfinite(fps) or rows.is_complex():
            raise ValueError
        if len(rows) and (rows.ndim != 2 or rows.shape[1] != len(names)):
            raise ValueError
        values = torch.zeros(len(rows), len(PARAMETERS))
        for position, name in enumerate(names):
            if name not in INDEX:
                raise InputError(no_such("facial parameter", str(name), PARAMETERS))
            if len(rows):
                values[:, INDEX[name]] = rows[:, position].float()
        return cls(values, fps)


def columns(name: str) -> list[int]:
    """The columns that a name means: a parameter, both sides of one, or a group."""
    if name in INDEX:
        return [INDEX[name]]
    if name in GROUPS:
        return [INDEX[part] for part in GROUPS[name]]
    if f"{name}_l" in INDEX:
        return [INDEX[f"{name}_l"], INDEX[f"{name}_r"]]
    raise InputError(no_such("facial parameter", name, [*GROUPS, *PARAMETERS]))


def _bridged(values: Tensor, known: Sequence[int]) -> Tensor:
    """Rows in between those that are known, along straight lines; beyond, held."""
    places = torch.tensor(known)
    rows = torch.arange(len(values))
    after = torch.searchsorted(places, rows).clamp(max=len(places) - 1)
    before = (torch.searchsorted(places, rows, right=True) - 1).clamp(min=0)
    low, high = places[before], places[after]
    share = ((rows - low) / (high - low).clamp(min=1)).clamp(0, 1)[:, None]
    return torch.lerp(values[low], values[high], share.to(values))
