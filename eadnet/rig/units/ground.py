"""The points that units displace, and the soft weights that units are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..topology import BROWS, CORNER, EYES, INNER_CORNERS, LIP_RINGS, LOWER_LIP, OVAL, SKIN, UPPER_LIP

# The oval of the face scaled about its middle: ears and hair, then what is around the head. The last one
# holds still.
RINGS = (1.22, 1.5, 1.85, 2.3)
BEYOND = RINGS[-1] - 0.05


def smooth(low: float, high: float, x: Tensor) -> Tensor:
    """0 below `low`, 1 above `high`, a cubic between: t²(3 - 2t)."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def along(x: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """Linear interpolation of `values` [K] given at ascending `at` [K]; constant beyond both ends."""
    place = torch.searchsorted(at.contiguous(), x.contiguous()).clamp(1, len(at) - 1)
    left, right = at[place - 1], at[place]
    share = ((x - left) / (right - left).clamp(min=1e-6)).clamp(0, 1)
    return values[place - 1] + share * (values[place] - values[place - 1])


@dataclass(frozen=True, eq=False)
class Ground:
    """Skin and surroundings in canonical units.

    skin: [468, 3]. points: [N, 3], the skin and then the rings around it. ring: [N], 1 on the skin, else how
    many times the face's oval is scaled. hair: how far the hair of each brow reaches below the mesh's lower
    edge of it.
    glasses: whether the eyes are behind glasses, which do not bend.
    """

    skin: Tensor
    points: Tensor
    ring: Tensor
    hair: Mapping[str, float]
    glasses: bool = False

    @classmethod
    def of(cls, skin: Tensor, hair: Mapping[str, float] | None = None, glasses: bool = False) -> Ground:
        """Skin points [468, 3] with the rings around them."""
        oval = skin[list(OVAL)]
        middle = torch.stack([torch.zeros(()), oval[:, 1].mean().cpu(), torch.zeros(())]).to(skin)
        points, rings = [skin], [torch.ones(len(skin), device=skin.device)]
        for scale in RINGS:
            ring = middle + (oval - middle) * scale
            ring[:, 2] = oval[:, 2] + min(0.5, 1.2 * (scale - 1))
            points.append(ring)
            rings.append(torch.full((len(ring),), scale, device=skin.device))
        return cls(skin, torch.cat(points), torch.cat(rings), hair or {}, glasses)

    @cached_property
    def bends(self) -> Tensor:
        """How freely a place can move apart from the head, [N]: 1, but little behind the frame of glasses.

        The lids themselves are behind the lenses and free.
        """
        free = torch.ones_like(self.x)
        if not self.glasses:
            return free
        for eye in EYES.values():
            centre = self.at(*eye.corners)
            dx, dy = (self.x - centre[0]) / 0.64, self.y - centre[1] - 0.04
            zone = torch.exp(-(dx**6) - (dy / torch.where(dy < 0, 0.46, 0.68)) ** 6)
            free = free * (1 - 0.96 * zone)
        free[[i for eye in EYES.values() for i in (*eye.upper, *eye.lower)]] = 1.0
        free[[i for eye in EYES.values() for i in (*eye.crease, *eye.below)]] = 0.3
        return free

    @property
    def x(self) -> Tensor:
        return self.points[:, 0]

    @property
    def y(self) -> Tensor:
        return self.points[:, 1]

    @cached_property
    def fade(self) -> Tensor:
        """1 on the face, 0 on what is around the head, [N]."""
        return 1 - smooth(1.5, 2.25, self.ring)

    def at(self, *indices: int) -> Tensor:
        """The mean of mesh points, [3]."""
        return self.skin[list(indices)].mean(0)

    def rows(self, indices: Sequence[int]) -> Tensor:
        """A mask [N] of mesh points."""
        mask = torch.zeros(len(self.points), dtype=torch.bool, device=self.points.device)
        mask[list(indices)] = True
        return mask

    def side(self, side: str) -> Tensor:
        """1 on one side of the face, 0 on the other, with a soft seam; [N]."""
        sign = 1.0 if side == "l" else -1.0
        return torch.sigmoid(sign * self.x / 0.07)

    def hill(
        self, centre: Tensor, across: float, above: float, below: float | None = None, power: int = 2
    ) -> Tensor:
        """exp(-|dx/across|^power - (dy/σ)²), σ = `above` or `below` the centre; [N]."""
        dx, dy = self.x - centre[0], self.y - centre[1]
        below = above if below is None else below
        sigma = torch.where(dy < 0, above, below)
        return torch.exp(-((dx / across).abs() ** power) - (dy / sigma) ** 2)

    def move(
        self, weight: Tensor, dx: Tensor | float, dy: Tensor | float, dz: Tensor | float = 0.0
    ) -> Tensor:
        """Displacements [N, 3] of weight × (dx, dy, dz), fading around the head."""
        weight = weight * self.fade
        return torch.stack([weight * dx, weight * dy, weight * dz], dim=1)

    # Where things are.

    @cached_property
    def upper_lip(self) -> Tensor:
        return self.rows(UPPER_LIP)

    @cached_property
    def lower_lip(self) -> Tensor:
        return self.rows(LOWER_LIP)

    @cached_property
    def mouth(self) -> Tensor:
        """The middle of the mouth, [3]."""
        return self.at(*INNER_CORNERS)

    @cached_property
    def mouth_half(self) -> float:
        """Half the width of the mouth."""
        return float((self.skin[CORNER["l"], 0] - self.skin[CORNER["r"], 0]).abs() / 2)

    @cached_property
    def lip_line(self) -> float:
        """How far down the lips meet."""
        return float(self.skin[[13, 14], 1].mean())

    @cached_property
    def across_mouth(self) -> Tensor:
        """-1 at the right corner of the mouth, 1 at the left one, [N]; on the lips by each ring's corners,
        so that every edge of them runs out where it ends.
        """
        across = (self.x - self.mouth[0]) / self.mouth_half
        for right, upper, lower, left in LIP_RINGS:
            start, end = self.skin[right, 0], self.skin[left, 0]
            rows = [*upper, *lower]
            across[rows] = (self.x[rows] - (start + end) / 2) / ((end - start) / 2).clamp(min=1e-3)
            across[[right, left]] = across.new_tensor([-1.0, 1.0])
        return across.clamp(-1.3, 1.3)

    @cached_property
    def lip_profile(self) -> Tensor:
        """How much of an opening falls to each place along the lips: 1 - |S|³, [N].

        Measured on the landmarks of 27 clips of people whose mouths are open: .38 of it at .86, .63 at .73,
        .85 at .54 and .97 at .3, whatever else the face does, and this formula to within .02.
        """
        return (1 - self.across_mouth.abs() ** 3).clamp(min=0)

    def brow_inner(self, side: str) -> Tensor:
        return self.at(*BROWS[side].inner)

    def brow_outer(self, side: str) -> Tensor:
        return self.at(*BROWS[side].outer)

    def lid_gap(self, side: str) -> float:
        """From the margin of the upper lid to the lower edge of the brow, in its middle."""
        eye, brow = EYES[side], BROWS[side]
        return float((self.at(*eye.upper[3:6])[1] - self.at(*brow.lower[1:4])[1]).clamp(min=0.05))

    def bare_lid(self, side: str) -> float:
        """The share of the space between lid and brow that shows skin: what can be pulled out smooth."""
        return 1 - min(1.0, self.hair.get(side, 0.0) / self.lid_gap(side))

    def brow_hold(self, side: str, lid: float, crease: float, even: bool = False) -> Tensor:
        """How far a point goes with its brow, by where it lies between lid and brow: [N].

        1 from a little below the brow upwards, so that its hair moves in one piece; `crease` at the crease
        of the upper lid, `lid` at the margin and below.
        """
        eye, brow = EYES[side], BROWS[side]

        def line(rows: Sequence[int]) -> Tensor:
            points = self.skin[list(rows)]
            points = points[points[:, 0].argsort()]
            return along(self.x, points[:, 0], points[:, 1])

        margin, fold, hair = line(eye.upper), line(eye.crease), line(brow.lower)
        fold = torch.minimum(fold, margin - 0.01)
        hair = torch.minimum(hair + 0.5 * self.hair.get(side, 0.0), fold - 0.02)
        up = ((fold - self.y) / (fold - hair)).clamp(0, 1)  # 0 at the crease, 1 at the brow
        low = ((margin - self.y) / (margin - fold)).clamp(0, 1)
        upper = crease + (1 - crease) * (up if even else smooth(0.0, 0.85, up))
        return torch.where(self.y < fold, upper, lid + (crease - lid) * low)


def skin_of(points: Tensor) -> Tensor:
    """The skin's points [468, 3] of a mesh with or without irises."""
    return points[:SKIN]
