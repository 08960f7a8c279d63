"""Teeth that nobody has seen: two rows on an arch with depth, lit like the face, rendered once per picture.

A row stands on half an ellipse, x = A sin φ, z = B (1 - cos φ), and is seen from where the face is seen from.
Each tooth is a rounded box whose surface bulges both ways; shading is Lambert's with a small highlight, and
falls off with depth, because light does not reach far in. Lengths in eye distances (one is about 62 mm).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .blur import blurred
from .canonical import Canonical
from .colours import Colours
from .curves import covered
from .patch import Box


@dataclass(frozen=True)
class Row:
    """Measures of half a row from the middle outwards: widths along the arch and heights of the crowns."""

    widths: tuple[float, ...]
    heights: tuple[float, ...]
    edges: tuple[float, ...]  # how much higher each tooth's edge stands than the first one's
    arch: tuple[float, float]  # A and B
    corner: float  # radius of the corners of the biting edge
    down: bool  # the biting edge is the lower one
    lit: float  # how much of the light reaches it
    soft: float  # eye distances that it is blurred by: what stands further in is less sharp


UPPER = Row(
    widths=(0.138, 0.108, 0.122, 0.112, 0.108, 0.155, 0.15),
    heights=(0.186, 0.174, 0.184, 0.168, 0.160, 0.150, 0.14),
    edges=(0.0, 0.011, 0.004, 0.014, 0.018, 0.024, 0.03),
    arch=(0.47, 0.72),
    corner=0.022,
    down=True,
    lit=1.0,
    soft=0.0060,
)
LOWER = Row(
    widths=(0.086, 0.094, 0.108, 0.112, 0.112, 0.165, 0.16),
    heights=(0.172, 0.172, 0.176, 0.160, 0.150, 0.14, 0.14),
    edges=(0.0, 0.002, -0.004, 0.010, 0.014, 0.02, 0.02),
    arch=(0.42, 0.66),
    corner=0.014,
    down=False,
    lit=0.76,
    soft=0.0105,
)
FINEST = 420.0  # pixels of a drawn row to an eye distance
_FADED = 0.09  # eye distances
_GUM = (158.0, 86.0, 84.0)


@dataclass(frozen=True, eq=False)
class RowPicture:
    """A rendered row: colour [3, h, w], how much it covers [1, h, w], and where it lies with the face at
    rest."""

    colour: Tensor
    alpha: Tensor
    box: Box

    def to(self, device: torch.device) -> RowPicture:
        return RowPicture(self.colour.to(device), self.alpha.to(device), self.box)


def _arch(row: Row, samples: int = 400) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(length along the arch, x, z, slope dx/ds) of one half, [samples] each."""
    phi = torch.linspace(0, 1.35, samples)
    a, b = row.arch
    x, z = a * torch.sin(phi), b * (1 - torch.cos(phi))
    step = torch.hypot(x.diff(), z.diff())
    length = torch.cat([torch.zeros(1), step.cumsum(0)])
    return length, x, z, (a * torch.cos(phi)) / torch.hypot(a * torch.cos(phi), b * torch.sin(phi))


def render_row(
    row: Row,
    face: Canonical,
    middle: Tensor,
    colours: Colours,
    light: Tensor,
    seed: int,
    softness: float = 0.0,
) -> RowPicture:
    """A row as the picture's camera sees it.

    middle: [3], the canonical place of the first teeth's biting edge. light: [3] towards the light, unit
    length, in canonical axes (z away from the viewer). seed: no two mouths are quite the same. softness: of
    the picture, in its pixels (see `softness_of`): teeth that are sharper than their face look drawn.
    """
    reach = 0.30
    device = face.points.device
    corners = middle + torch.tensor(
        [[x, y, z] for x in (-0.5, 0.5) for y in (-reach, reach) for z in (0.0, 0.25)], device=device
    )
    placed = face.place(corners)
    low, high = placed.amin(0).floor().long().tolist(), placed.amax(0).ceil().long().tolist()
    box = (low[0], low[1], max(high[0], low[0] + 2), max(high[1], low[1] + 2))
    # Which place of the arch each column shows: positions along the picture's x, from the face's turn.
    length, x, z, slope = _arch(row)
    length = torch.cat([-length.flip(0)[:-1], length])
    x = torch.cat([-x.flip(0)[:-1], x])
    z, slope = torch.cat([z.flip(0)[:-1], z]), torch.cat([slope.flip(0)[:-1], slope])
    turn = torch.sign(length) * torch.sqrt((1 - slope**2).clamp(min=0))  # the outward normal's x
    arch = torch.stack([x, torch.zeros_like(x), z], 1)
    along = face.project(arch)  # [n, 2] pixels from the middle
    # The projected y axis gives the heights; the rest of the way is along the arch.
    down = face.project(torch.tensor([0.0, 1.0, 0.0]))
    origin = face.place(middle)
    # Teeth are smooth: a large picture's are drawn coarser and read between their pixels.
    coarse = max(1.0, face.scale / FINEST)
    ys, xs = torch.meshgrid(_middles(box[1], box[3], coarse), _middles(box[0], box[2], coarse), indexing="ij")
    dx, dy = xs - origin[0], ys - origin[1]
    # Solve p = along(s) + h down for (s, h): remove the part along `down`, then read s from a monotone table.
    side = torch.stack([down[1], -down[0]]) / down.norm()
    reach_of = along @ side
    keep = torch.ones(len(reach_of), dtype=torch.bool)
    keep[1:] = reach_of[1:] > reach_of.cummax(0).values[:-1] + 1e-6
    table, of = reach_of[keep], torch.arange(len(reach_of))[keep]
    across = dx * side[0] + dy * side[1]
    place = torch.searchsorted(table.contiguous(), across.contiguous()).clamp(1, len(table) - 1)
    share = ((across - table[place - 1]) / (table[place] - table[place - 1])).clamp(0, 1)

    def read(values: Tensor) -> Tensor:
        return values[of[place - 1]] * (1 - share) + values[of[place]] * share

    # The last teeth fade into the dark of the cheek, where a row that ended there would show its edge.
    seen = _faded((across - table[0]) / face.scale) * _faded((table[-1] - across) / face.scale)
    s, depth, normal_x = read(length), read(z), read(turn)
    height = ((dx - read(along[:, 0])) * down[0] + (dy - read(along[:, 1])) * down[1]) / (down @ down)
    if row.down:
        height = -height  # up from the biting edge
    drawn = _paint(row, s, height, depth, normal_x, seen, box, colours, light, face.scale / coarse, seed)
    return _softened(drawn, max(softness, row.soft * face.scale) / coarse)


def _softened(row: RowPicture, sigma: float) -> RowPicture:
    """The row blurred by so many of its own pixels; what is outside of a tooth has no colour to mix in."""
    alpha = blurred(row.alpha[None], sigma)[0]
    colour = blurred((row.colour * row.alpha)[None], sigma)[0] / alpha.clamp(min=1e-3)
    return RowPicture(colour.clamp(0, 255), alpha, row.box)


def _faded(inside: Tensor) -> Tensor:
    """0 at an end of the arch, 1 from so many eye distances on."""
    share = (inside / _FADED).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _middles(low: int, high: int, step: float) -> Tensor:
    """Middles of pixels of about `step` that fill a span of the picture's pixels."""
    count = max(2, round((high - low) / step))
    return low - 0.5 + (torch.arange(count) + 0.5) * (high - low) / count


def _paint(
    row: Row,
    s: Tensor,
    height: Tensor,
    depth: Tensor,
    normal_x: Tensor,
    seen: Tensor,
    box: Box,
    colours: Colours,
    light: Tensor,
    scale: float,
    seed: int,
) -> RowPicture:
    generator = torch.Generator().manual_seed(seed)
    count = len(row.widths)
    ends = torch.tensor((0.0, *row.widths)).cumsum(0)
    which = (torch.searchsorted(ends, s.abs().contiguous()) - 1).clamp(0, count - 1)
    left = (s < 0).long()

    def per_tooth(values: Tensor) -> Tensor:  # [2, count]
        return values[left, which]

    def varied(amount: float) -> Tensor:
        return amount * (torch.rand(2, count, generator=generator) * 2 - 1)

    width = per_tooth(torch.tensor(row.widths).expand(2, -1))
    middle = per_tooth(((ends[1:] + ends[:-1]) / 2).expand(2, -1))
    u = (s.abs() - middle) / (width / 2)  # -1..1 across the tooth
    edge = per_tooth(torch.tensor(row.edges) + varied(0.005)) + 0.008 * u * per_tooth(varied(0.8))
    crown = per_tooth(torch.tensor(row.heights).expand(2, -1))
    v = (height - edge) / crown  # 0 at the biting edge, 1 at the gum
    pixel = 1.0 / scale
    # Rounded corners of the biting edge: distance to a box with radius `corner`.
    inner = width / 2 - row.corner
    qx, qy = (u.abs() * width / 2 - inner).clamp(min=0), (row.corner - (height - edge)).clamp(min=0)
    outside = torch.hypot(qx, qy) - row.corner + 0.0025
    body = covered(-outside / pixel, 1.3)
    scallop = 1.0 - 0.16 * u**2
    at_gum = covered((v - scallop) * crown / pixel, 2.0)
    bulge = 0.62 * u * u * u + 0.18 * u
    nx = normal_x + torch.where(s < 0, -1.0, 1.0) * bulge * 0.24
    ny = (0.10 + 0.55 * (v.clamp(0, 1) - 0.45)) * (-1.0 if row.down else 1.0)
    nz = -torch.sqrt((1 - (nx * 0.8) ** 2 - ny**2).clamp(min=0.05))
    norm = torch.sqrt((nx * nx) + ny * ny + nz * nz)
    lambert = ((nx * light[0] + ny * light[1] + nz * light[2]) / norm).clamp(min=0)
    half = light + torch.tensor([0.0, 0.0, -1.0])
    half = half / half.norm()
    shine = ((nx * half[0] + ny * half[1] + nz * half[2]) / norm).clamp(min=0) ** 60
    fall = torch.exp(-2.9 * depth) * (1 - 0.30 * (s.abs() / 0.6).clamp(max=1) ** 2)
    gap = 1 - 0.17 * torch.exp(-((((1 - u.abs()) * width / 2) / 0.0080) ** 2)) * (
        0.55 + 0.45 * (1 - v.clamp(0, 1))
    )
    lum = (0.74 + 0.26 * lambert) * fall * gap * (1 + per_tooth(varied(0.03))) * row.lit
    tip = torch.exp(-((v / 0.16) ** 2))  # thin enamel, a little translucent
    root = (v - 0.45).clamp(0, 1)  # warmer towards the gum
    colour = colours.tooth[:, None, None] * lum
    colour = colour * torch.stack([1 - 0.02 * tip, 1 - 0.01 * tip - 0.03 * root, 1 - 0.10 * root])
    colour = colour + 20 * shine * fall * row.lit
    gum = torch.tensor(_GUM)[:, None, None] * colours.tint[:, None, None] * colours.level
    wet = 1 + 0.25 * torch.exp(-(((v - 1.12) / 0.08) ** 2))
    colour = colour * (1 - at_gum) + gum * (fall * (0.62 + 0.25 * lambert) * wet * row.lit) * at_gum
    reach = covered((0.26 - (height - edge)) / pixel, 0.05 / pixel)
    between = covered((height - edge - row.corner * 0.8) / pixel, 2.0) * 0.85  # dark, but no hole behind
    colour = colour * (1 - 0.14 * (between - body).clamp(min=0))
    alpha = torch.maximum(body, torch.maximum(at_gum, between)) * reach * seen
    alpha = alpha * covered((height - edge) / pixel, 1.3)
    return RowPicture(colour.clamp(0, 255), alpha[None], box)
