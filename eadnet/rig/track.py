"""A track: facial parameters over time, whatever made them. Rigs play it, drivers write it, people edit
it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError, no_such
from .arkit import ARKIT, from_facs, to_facs
from .expression import HEAD_POSE, INDEX, PARAMETERS, RANGES

_FORMAT = "eadnet facial parameters, version 1"


def _both(*stems: str) -> tuple[str, ...]:
    return tuple(f"{stem}_{side}" for stem in stems for side in "lr")


_SPEECH = ("jaw_open", "lip_close", "lip_bite", "tongue_up", "lip_pucker", "lip_funnel")
_LIPS = ("upper_lip_raise", "lower_lip_depress", "chin_raise", "lip_stretch", "lip_press")

GROUPS: dict[str, tuple[str, ...]] = {
    "jaw": ("jaw_open",),
    "speech": _SPEECH,
    "lips": (*_SPEECH[1:], *_LIPS),
    "smile": _both("smile"),
    "frown": _both("frown"),
    "mouth": (*_SPEECH, *_LIPS, *_both("smile", "dimple", "frown")),
    "brows": _both("inner_brow_up", "outer_brow_up", "brow_lower"),
    "lids": _both("upper_lid_raise", "lid_tighten"),
    "blink": _both("blink"),
    "cheeks": _both("cheek_raise"),
    "nose": ("nose_wrinkle",),
    "gaze": ("gaze_x", "gaze_y"),
    "head": HEAD_POSE,
    "emotion": (
        *_both(
            "inner_brow_up", "outer_brow_up", "brow_lower", "upper_lid_raise", "lid_tighten", "cheek_raise"
        ),
        *("nose_wrinkle", *_LIPS),
        *_both("smile", "dimple", "frown"),
    ),
}
"""Names for several parameters at once. `speech` and `emotion` have nothing in common."""


def columns(name: str) -> list[int]:
    """The columns that a name means: a parameter, a parameter without its side, or a group.

    Raises InputError for any other name.
    """
    if name in INDEX:
        return [INDEX[name]]
    if f"{name}_l" in INDEX:
        return [INDEX[f"{name}_l"], INDEX[f"{name}_r"]]
    if name in GROUPS:
        return [INDEX[parameter] for parameter in GROUPS[name]]
    stems = {parameter.removesuffix("_l").removesuffix("_r"): None for parameter in PARAMETERS}
    raise InputError(no_such("facial parameter", name, [*stems, *GROUPS]))


def _clipped(values: Tensor) -> Tensor:
    low, high = torch.from_numpy(RANGES).to(values).unbind(1)
    return torch.minimum(torch.maximum(values, low), high)


@dataclass(frozen=True, eq=False)
class Track:
    """Parameters [T, P] float32, columns as `PARAMETERS`, at a rate.

    Raises InputError for another shape, values that are not finite, no frames, or a rate that is none.
    """

    values: Tensor
    fps: float = 25.0

    def __post_init__(self) -> None:
        values = torch.as_tensor(self.values)
        if values.ndim != 2 or values.shape[1] != len(PARAMETERS) or not len(values):
            raise InputError(
                f"A track's values have shape {list(values.shape)}: give [frames, {len(PARAMETERS)}] with at "
                "least one frame."
            )
        if not bool(torch.isfinite(values).all()):
            raise InputError("A track's values contain NaN or infinity: give finite values.")
        if not 0 < self.fps < 1000:
            raise InputError(f"A track's rate is {self.fps}: give frames per second above 0.")
        object.__setattr__(self, "values", values.detach().float().cpu())

    # Made from ...

    @classmethod
    def still(cls, parameters: Tensor | np.ndarray, frames: int, fps: float = 25.0) -> Track:
        """One face [P], held."""
        return cls(torch.as_tensor(parameters).float().expand(frames, -1).clone(), fps)

    @classmethod
    def of(cls, curves: Mapping[str, Tensor | Sequence[float]], fps: float = 25.0) -> Track:
        """Curves [T] of equal length by name; everything else is 0."""
        given = {name: torch.as_tensor(curve).float() for name, curve in curves.items()}
        lengths = {len(curve) for curve in given.values()}
        if len(lengths) != 1:
            raise InputError(
                f"The curves of a track have {sorted(lengths)} frames: give all the same number."
            )
        values = torch.zeros(lengths.pop(), len(PARAMETERS))
        for name, curve in given.items():
            values[:, columns(name)] = curve[:, None]
        return cls(_clipped(values), fps)

    @classmethod
    def from_arkit(
        cls,
        shapes: Sequence[Mapping[str, float] | None],
        fps: float = 25.0,
        rest: Mapping[str, float] | None = None,
    ) -> Track:
        """ARKit's 52 blend shapes of each frame; None where no face was seen: the gap is bridged.

        rest: the same person's calm face. What it shows counts as nothing. Raises InputError when no frame
        has any.
        """
        seen = [number for number, frame in enumerate(shapes) if frame]
        if not seen:
            raise InputError("No frame has blend shapes: use frames with one clearly visible face.")
        rows = np.zeros((len(seen), len(ARKIT)), np.float32)
        for row, number in enumerate(seen):
            frame = shapes[number] or {}
            rows[row] = [float(frame.get(name, 0.0)) for name in ARKIT]
        calm = np.array([float((rest or {}).get(name, 0.0)) for name in ARKIT], np.float32)
        rows = np.clip((rows - calm) / np.maximum(1 - calm, 0.2), 0, 1)
        at = np.arange(len(shapes))
        whole = np.stack([np.interp(at, seen, column) for column in rows.T], axis=1)
        return cls(to_facs(torch.from_numpy(whole.astype(np.float32))), fps)

    # Read ...

    def __len__(self) -> int:
        return len(self.values)

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    @property
    def names(self) -> tuple[str, ...]:
        return PARAMETERS

    def __getitem__(self, name: str) -> Tensor:
        """The curve [T] of a name; the mean where it means several."""
        return self.values[:, columns(name)].mean(1)

    def to_arkit(self) -> list[dict[str, float]]:
        """ARKit's 52 of every frame; turns of the head are not among them."""
        return [dict(zip(ARKIT, row, strict=True)) for row in from_facs(self.values).tolist()]

    # Made into others ...

    def resampled(self, fps: float) -> Track:
        """The same seconds at another rate, linear between frames."""
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        # As pictures do, frames lie in the middle of their time.
        curves = F.interpolate(self.values.T[None], frames, mode="linear", align_corners=False)
        return Track(curves[0].T.contiguous(), fps)

    def fitted(self, frames: int) -> Track:
        """So many frames: cut, or the last face held."""
        if frames <= len(self):
            return Track(self.values[:frames], self.fps)
        held = self.values[-1:].expand(frames - len(self), -1)
        return Track(torch.cat([self.values, held]), self.fps)

    def cut(self, first: int, last: int) -> Track:
        """Frames `first` to `last`, without the latter."""
        return Track(self.values[first:last], self.fps)

    def joined(self, other: Track) -> Track:
        """The other one after this one, at this rate."""
        return Track(torch.cat([self.values, other.resampled(self.fps).values]), self.fps)

    def edited(
        self, multiply: Mapping[str, float] | None = None, add: Mapping[str, float] | None = None
    ) -> Track:
        """Each named parameter, or those of a group, times a number and plus a number, within its range."""
        values = self.values.clone()
        for name, factor in (multiply or {}).items():
            values[:, columns(name)] *= factor
        for name, amount in (add or {}).items():
            values[:, columns(name)] += amount
        return Track(_clipped(values), self.fps)

    def added(self, other: Track, groups: Iterable[str] = ("emotion",)) -> Track:
        """The other's expression on top of this one, in these groups; as long as this one."""
        values, more = self.values.clone(), other.resampled(self.fps).fitted(len(self)).values
        for column in _chosen(groups):
            values[:, column] += more[:, column]
        return Track(_clipped(values), self.fps)

    def replaced(self, other: Track, groups: Iterable[str] = ("speech",)) -> Track:
        """These groups are the other's; as long as this one."""
        values, more = self.values.clone(), other.resampled(self.fps).fitted(len(self)).values
        for column in _chosen(groups):
            values[:, column] = more[:, column]
        return Track(values, self.fps)

    def smoothed(self, seconds: float) -> Track:
        """Under a Gaussian of this standard deviation."""
        sigma = seconds * self.fps
        if sigma < 0.05:
            return self
        reach = max(1, round(3 * sigma))
        at = torch.arange(-reach, reach + 1).float()
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        kernel = (kernel / kernel.sum())[None, None]
        curves = F.pad(self.values.T[:, None], (reach, reach), mode="replicate")
        return Track(F.conv1d(curves, kernel)[:, 0].T.contiguous(), self.fps)

    # Files.

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .json file that people can read, or .safetensors. Raises InputError for another ending."""
        path = Path(path)
        if path.suffix == ".json":
            used = [name for name in PARAMETERS if bool(self.values[:, INDEX[name]].any())]
            rows = self.values[:, [INDEX[name] for name in used]].double().round(decimals=5).tolist()
            content = {"format": _FORMAT, "fps": self.fps, "frames": len(self), "names": used, "values": rows}
            path.write_text(json.dumps(content), encoding="utf-8")
        elif path.suffix == ".safetensors":
            from safetensors.torch import save_file

            header = {"format": _FORMAT, "fps": repr(self.fps), "names": json.dumps(PARAMETERS)}
            save_file({"values": self.values.contiguous()}, str(path), header)
        else:
            raise InputError(f"A track is a .json or a .safetensors file: {path.name} ends otherwise.")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Track:
        """Read what `save` wrote. Raises InputError for a missing or foreign file, and for unknown names."""
        path = Path(path)
        try:
            if path.suffix == ".safetensors":
                from safetensors import safe_open

                with safe_open(str(path), "pt") as file:
                    header, values = file.metadata() or {}, file.get_tensor("values")
                names, fps, frames = json.loads(header["names"]), float(header["fps"]), len(values)
            else:
                content = json.loads(path.read_text(encoding="utf-8"))
                names, fps, frames = content["names"], float(content["fps"]), int(content["frames"])
                values = torch.tensor(content["values"], dtype=torch.float32).reshape(frames, len(names))
        except FileNotFoundError as error:
            raise InputError(f"There is no track {path.name}: choose an existing file.") from error
        except Exception as error:
            raise InputError(
                f"{path.name} is no track of facial parameters: choose a file that was saved as one."
            ) from error
        whole = torch.zeros(frames, len(PARAMETERS))
        for place, name in enumerate(names):
            if name not in INDEX:
                raise InputError(no_such("facial parameter", str(name), PARAMETERS))
            whole[:, INDEX[name]] = values[:, place]
        return cls(_clipped(whole), fps)


def _chosen(groups: Iterable[str]) -> list[int]:
    return sorted({column for group in groups for column in columns(group)})
