"""Where the skin bulges and folds with each action: small changes of height, drawn on a map of the face.

Heights are in eye distances, towards the viewer. A fold is a groove with a bulge on the side that is pushed
over it, so under any light one flank is dark and the other bright; what lies deep is also darker by itself
(`hollow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .canonical import Canonical
from .curves import catmull_rom
from .topology import (
    BROWS,
    CHEEK,
    CHEEKBONE,
    CHIN,
    CORNER,
    EYES,
    NASOLABIAL,
    NOSE_ROOT,
    SIDES,
    SIGN,
    WING,
)

Window = tuple[slice, slice]
"""(rows, columns) of a map."""

_FAR = 4.5
"""Widths of a Gaussian beyond which it is nothing: 2e-9."""


@dataclass(frozen=True, eq=False)
class Relief:
    """names: of the actions. height: [K, h, w] in eye distances. hollow: [K, h, w], log-darkening, 0 or
    less."""

    names: tuple[str, ...]
    height: Tensor
    hollow: Tensor


class _Map:
    """Draws on maps over a grid of places [h, w, 2], in the picture's plane, in eye distances: x grows with
    the columns and y with the rows."""

    def __init__(self, face: Canonical, places: Tensor) -> None:
        self.face, self.places = face, places
        self.height: dict[str, Tensor] = {}
        self.hollow: dict[str, Tensor] = {}
        x = face.axes[:2, 0]
        self.across = x / x.norm()
        self.down = torch.stack([-self.across[1], self.across[0]])

    def put(
        self, name: str, height: Tensor | None = None, hollow: Tensor | None = None, share: float = 1.0
    ) -> None:
        for maps, value in ((self.height, height), (self.hollow, hollow)):
            if value is not None:
                maps[name] = maps[name] + share * value if name in maps else share * value

    def at(self, points: Sequence[Sequence[float]] | Tensor) -> Tensor:
        """Canonical points [n, 3] -> places in the picture's plane [n, 2], in eye distances."""
        return self.face.project(torch.as_tensor(points, dtype=torch.float32)) / self.face.scale

    def bump(self, centre: Sequence[float] | Tensor, across: float, down: float) -> Tensor:
        """A Gaussian hill of height 1 at a canonical point."""
        delta = self.places - self.at(torch.as_tensor(centre, dtype=torch.float32)[None])[0]
        a, b = delta @ self.across, delta @ self.down
        return torch.exp(-((a / across) ** 2) - (b / down) ** 2)

    def line(self, points: Tensor, reach: float) -> tuple[Window, Tensor, Tensor, Tensor]:
        """The part of the map within `reach` of a curve through canonical points, and there the distance to
        the curve, which side of it, and how far along (0..1).

        The side is positive on the right of the way from the first point to the last.
        """
        curve = catmull_rom(self.at(points), 40)
        window = self._around(curve, reach)
        places = self.places[window]
        tangent = torch.gradient(curve, dim=0)[0]
        normal = torch.stack([-tangent[:, 1], tangent[:, 0]], 1)
        normal = normal / normal.norm(dim=1, keepdim=True).clamp(min=1e-6)
        flat = places.reshape(-1, 2)
        best = torch.cdist(flat, curve).min(1)
        delta = flat - curve[best.indices]
        side = (delta * normal[best.indices]).sum(1)
        shape = places.shape[:2]
        return (
            window,
            best.values.reshape(shape),
            side.reshape(shape),
            (best.indices.float() / 39).reshape(shape),
        )

    def _around(self, curve: Tensor, reach: float) -> Window:
        low, high = curve.amin(0) - reach, curve.amax(0) + reach
        xs, ys = self.places[0, :, 0].contiguous(), self.places[:, 0, 1].contiguous()
        left, right = torch.searchsorted(xs, torch.stack([low[0], high[0]])).tolist()
        top, bottom = torch.searchsorted(ys, torch.stack([low[1], high[1]])).tolist()
        return slice(top, bottom), slice(left, right)

    def whole(self, window: Window, part: Tensor) -> Tensor:
        """A part of the map in the whole one, which is 0 elsewhere."""
        map_ = self.places.new_zeros(self.places.shape[:2])
        map_[window] = part
        return map_

    def fold(
        self,
        points: Tensor,
        width: float,
        depth: float,
        bulge: float = 0.0,
        side: float = 1.0,
        reach: float = 3.5,
        ends: float = 0.5,
    ) -> tuple[Tensor, Tensor]:
        """(height, hollow) of a fold along canonical points: a groove `width` wide and a bulge of so much
        beside it."""
        # Grooves are nothing beyond _FAR widths; bulges where both of their Gaussians are.
        far = _FAR * width + (_FAR * (2 + 0.55 * reach) + 0.45 * reach) * width * bool(bulge)
        window, distance, signed, share = self.line(points, far)
        # Ends run out softly; beyond them distance grows in every direction.
        taper = torch.sin(torch.pi * share.clamp(0.0, 1.0)).clamp(min=0) ** ends
        groove = torch.exp(-((distance / width) ** 2)) * taper
        s = side * signed
        beside = torch.exp(-(((s - 0.45 * reach * width) / (0.55 * reach * width)) ** 2)) * torch.exp(
            -(((distance - s.abs()).clamp(min=0) / (2 * width)) ** 2)
        )
        height = -depth * groove + bulge * beside * taper**2 * torch.sigmoid(s / (0.35 * width))
        return self.whole(window, height), self.whole(window, -groove)


def relief(face: Canonical, places: Tensor) -> Relief:
    """The map of every action over places [h, w, 2], in eye distances from between the eyes."""
    on = _Map(face, places)
    skin = face.points
    for side in SIDES:
        _cheek(on, skin, side)
        _eye(on, skin, side)
        _brow(on, skin, side)
    _nose(on, skin)
    _chin(on, skin)
    names = tuple(dict.fromkeys([*on.height, *on.hollow]))
    none = torch.zeros(places.shape[:2])
    depth = grown_up(face)
    return Relief(
        names,
        depth * torch.stack([on.height.get(name, none) for name in names]),
        depth * torch.stack([on.hollow.get(name, none).clamp(max=0) for name in names]),
    )


def grown_up(face: Canonical) -> float:
    """How deep this face folds, 0.4 to 1: short faces with wide eyes are children's and cartoons', whose
    skin is full.

    By how far below the eyes the chin is, in eye distances: grown-up people's is at 1.75 and more.
    """
    length = float(face.points[CHIN, 1])
    t = min(1.0, max(0.0, (length - 1.35) / 0.40))
    return 0.4 + 0.6 * t * t * (3 - 2 * t)


def _cheek(on: _Map, skin: Tensor, side: str) -> None:
    sign = SIGN[side]
    # From the wing of the nose outwards and down; the cheek is pushed over it from outside.
    wing, upper, lower, inner, lip = (skin[i] for i in NASOLABIAL[side])
    corner = skin[CORNER[side]]
    fold = torch.stack(
        [
            wing + torch.tensor([0.01 * sign, -0.03, 0.0]),
            0.5 * upper + 0.2 * lower + 0.3 * inner,
            0.5 * lip + 0.5 * (lower + torch.tensor([0.0, 0.13, 0.0])),
            corner + torch.tensor([0.11 * sign, -0.02, 0.0]),
        ]
    )
    # Wide and shallow: a cheek that lies over, not a stroke; its ends run out in the skin.
    height, hollow = on.fold(fold, 0.075, 0.006, bulge=0.020, side=-sign, reach=4.2, ends=1.1)
    for name, share in (
        (f"smile_{side}", 1.0),
        ("upper_lip_raise", 0.5),
        ("nose_wrinkle", 0.45),
        (f"frown_{side}", 0.2),
    ):
        on.put(name, height * share, hollow * 0.14 * share)
    apple = skin[CHEEK[side]] + torch.tensor([0.03 * sign, -0.12, 0.0])
    on.put(f"smile_{side}", 0.050 * on.bump(apple, 0.30, 0.24))
    bone = skin[CHEEKBONE[side]]
    on.put(f"cheek_raise_{side}", 0.034 * on.bump(bone + torch.tensor([-0.04 * sign, 0.02, 0.0]), 0.30, 0.16))
    pit = on.bump(corner + torch.tensor([0.035 * sign, 0.0, 0.0]), 0.05, 0.07)
    on.put(f"smile_{side}", hollow=-0.14 * pit)
    dent = on.bump(corner + torch.tensor([0.055 * sign, 0.0, 0.0]), 0.045, 0.09)
    on.put(f"dimple_{side}", -0.012 * dent, -0.20 * dent)
    marionette = torch.stack(
        [corner + torch.tensor([dx * sign, dy, 0.0]) for dx, dy in ((0.02, 0.03), (0.05, 0.12), (0.04, 0.24))]
    )
    height, hollow = on.fold(marionette, 0.030, 0.012, bulge=0.010, side=-sign)
    on.put(f"frown_{side}", height, 0.16 * hollow)
    on.put("lip_stretch", 0.6 * height, 0.10 * hollow)


def _eye(on: _Map, skin: Tensor, side: str) -> None:
    eye, sign = EYES[side], SIGN[side]
    below = skin[list(eye.below)] + torch.tensor([0.0, 0.020, 0.0])
    order = 1.0 if float(below[-1, 0] - below[0, 0]) > 0 else -1.0
    height, hollow = on.fold(below, 0.024, 0.010, bulge=0.010, side=-order)  # the lid swells above the furrow
    on.put(f"cheek_raise_{side}", height, 0.15 * hollow)
    on.put(f"lid_tighten_{side}", 0.9 * height, 0.13 * hollow)
    outer = skin[eye.outer]
    for dy, down in ((-0.05, -0.13), (0.0, 0.0), (0.06, 0.13)):
        line = torch.stack(
            [
                outer + torch.tensor([sign * dx, level, 0.0])
                for dx, level in ((0.10, dy), (0.18, (dy + down) / 2 + 0.01), (0.27, down))
            ]
        )
        height, hollow = on.fold(line, 0.014, 0.004)
        on.put(f"cheek_raise_{side}", height, 0.09 * hollow)


def _brow(on: _Map, skin: Tensor, side: str) -> None:
    brow, sign = BROWS[side], SIGN[side]
    inner = skin[list(brow.inner)].mean(0)
    # Between the brows, where the skin is squeezed together: a line beside the brow's end, and a bulge
    # inside it.
    x, y, z = inner.tolist()
    line = torch.tensor([[x * 0.56, y - 0.15, z], [x * 0.46, y - 0.03, z], [x * 0.52, y + 0.11, z]])
    height, hollow = on.fold(line, 0.032, 0.005, bulge=0.006, side=sign, reach=5.0)
    on.put(f"brow_lower_{side}", height, 0.22 * hollow)
    middle = skin[list(brow.upper)].mean(0)
    ridge = on.bump([float(middle[0]) * 0.80, float(middle[1]) + 0.02, z], 0.26, 0.07)
    on.put(f"brow_lower_{side}", 0.018 * ridge)
    shadow = on.bump([float(inner[0]) * 1.05, float(inner[1]) + 0.15, z], 0.17, 0.06)
    on.put(f"brow_lower_{side}", hollow=-0.30 * shadow)
    generator = torch.Generator().manual_seed(11 if side == "l" else 12)
    depth = float(skin[9, 2])
    for number, (rise, strength) in enumerate(((0.20, 1.0), (0.33, 0.85), (0.45, 0.55))):
        level = y - rise
        xs = torch.linspace(0.02, 0.78 - 0.07 * number, 7) * sign
        wave = 0.010 * torch.randn(7, generator=generator)
        wave[:2] = 0.0
        ys = level - 0.035 * torch.sin(torch.pi * xs / 1.15) ** 2 + wave
        line = torch.stack([xs, ys, depth + 0.25 * xs**2], 1)
        window, distance, signed, share = on.line(line, 0.15)
        broken = 1 - 0.35 * torch.sin(share * (6.0 + 2 * number) + number) ** 2
        ends = torch.exp(-(((share - 0.35) / 0.55) ** 4))
        groove = torch.exp(-((distance / 0.018) ** 2)) * broken * ends
        swell = torch.exp(-(((signed.abs() - 0.05) / 0.035) ** 2)) * (distance < 0.15) * ends
        height, hollow = 0.007 * strength * (0.6 * swell - groove), -0.15 * strength * groove
        near = torch.exp(-((share / 0.55) ** 2))
        for name, weight in ((f"inner_brow_up_{side}", 0.8 * near), (f"outer_brow_up_{side}", 0.7)):
            on.put(name, on.whole(window, weight * height), on.whole(window, weight * hollow))


def _nose(on: _Map, skin: Tensor) -> None:
    root = float(skin[NOSE_ROOT, 2])
    for sign in (1.0, -1.0):
        for y, strength in ((0.11, 1.0), (0.19, 0.85)):
            line = torch.tensor(
                [[sign * x, y + dy, root] for x, dy in ((0.07, 0.0), (0.12, 0.07), (0.18, 0.11))]
            )
            height, hollow = on.fold(line, 0.018, 0.009 * strength, bulge=0.006, side=sign)
            on.put("nose_wrinkle", height, 0.22 * strength * hollow)
    for y in (0.0, 0.07):
        line = torch.tensor([[x, y + 0.02 * abs(x) / 0.1, root] for x in (-0.12, -0.04, 0.04, 0.12)])
        height, hollow = on.fold(line, 0.018, 0.008)
        on.put("nose_wrinkle", height, 0.16 * hollow)
    for side in SIDES:
        on.put("nose_wrinkle", 0.020 * on.bump(skin[WING[side]], 0.09, 0.09))


def _chin(on: _Map, skin: Tensor) -> None:
    lip = skin[17]
    x, y, z = lip.tolist()
    crease = torch.tensor([[x - 0.24, y + 0.14, z], [x, y + 0.075, z], [x + 0.24, y + 0.14, z]])
    height, hollow = on.fold(crease, 0.036, 0.016, bulge=0.020, side=1.0)
    on.put("chin_raise", height, 0.16 * hollow)
    on.put("chin_raise", 0.024 * on.bump([x, y + 0.22, z], 0.16, 0.10))
    on.put("lip_press", hollow=-0.11 * on.bump([x, y + 0.05, z], 0.22, 0.05))
