"""The shapes of the hair styles: control points of their pieces and the lines along which the hair flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .curves import closed_curve, mirrored, open_curve, resample
from .geometry import Geometry

# Control points read best in rows, which the formatter would break into one point a line.
# fmt: off

Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Piece:
    """One lock or cap of hair."""

    outline: np.ndarray  # [N, 2]
    guides: tuple[
        np.ndarray, ...
    ]  # neighbouring flow lines [M, 2] from root to tip; strands lie between them
    dark: float = 0.0  # how much deeper in shadow than the rest
    soft: float = 0.0  # blur of the outline
    shine: float = 0.35  # where along the strands the highlight sits; negative for none


@dataclass(frozen=True)
class HairStyle:
    """Pieces of one person's hair in drawing order."""

    back: tuple[Piece, ...]
    front: tuple[Piece, ...]
    opacity: float = 1.0
    curls: bool = False


class _Frame:
    """Coordinates relative to the head: x in half head widths from the middle, y in the picture."""

    def __init__(self, geometry: Geometry) -> None:
        self._half = geometry.half_width
        self.volume = geometry.identity.hair_volume

    def points(self, pairs: Pairs) -> np.ndarray:
        values = np.asarray(pairs, dtype=float)
        return np.stack([0.5 + values[:, 0] * self._half, values[:, 1]], axis=1)

    def closed(self, pairs: Pairs, samples: int = 120) -> np.ndarray:
        return closed_curve(self.points(pairs), samples)

    def guide(self, pairs: Pairs) -> np.ndarray:
        return resample(open_curve(self.points(pairs)), 16)


def _flip(piece: Piece) -> Piece:
    return Piece(
        mirrored(piece.outline),
        tuple(mirrored(guide) for guide in piece.guides),
        piece.dark,
        piece.soft,
        piece.shine,
    )


def _both(piece: Piece) -> tuple[Piece, Piece]:
    return piece, _flip(piece)


def _cap(f: _Frame, hairline: Pairs, lift: float, sides: float = 0.46) -> np.ndarray:
    """Outline of hair on the skull: over the top with `lift`, back along the hairline (left to right)."""
    v = lift * f.volume
    outer = [
        (1.03, sides - 0.05), (1.04 + v, 0.33), (0.93 + 1.4 * v, 0.205), (0.67 + v, 0.117 - 0.4 * v),
        (0.35, 0.073 - 0.8 * v),
    ]
    outer += [(0.0, 0.062 - v)] + [(-x, y) for x, y in outer[::-1]]
    return f.closed(list(hairline) + outer, 160)


def _swept(f: _Frame, starts: Pairs, ends: Pairs, bulge: float) -> tuple[np.ndarray, ...]:
    """Flow lines from each start to each end, arched upwards by `bulge`."""
    guides = []
    for (x0, y0), (x1, y1) in zip(starts, ends, strict=True):
        guides.append(f.guide([(x0, y0), (0.5 * (x0 + x1), 0.5 * (y0 + y1) - bulge), (x1, y1)]))
    return tuple(guides)


_LINE_HIGH = ((-0.99, 0.47), (-0.94, 0.39), (-0.87, 0.295), (-0.70, 0.222), (-0.38, 0.187), (0.0, 0.178),
    (0.38, 0.187), (0.70, 0.222), (0.87, 0.295), (0.94, 0.39), (0.99, 0.47))


def _fan(f: _Frame, lift: float) -> tuple[np.ndarray, ...]:
    """Flow from the hairline back over the top, as in hair that is combed back."""
    v = lift * f.volume
    starts = [
        (-1.02, 0.44), (-0.90, 0.33), (-0.64, 0.21), (-0.28, 0.182), (0.0, 0.178), (0.28, 0.182),
        (0.64, 0.21), (0.90, 0.33), (1.02, 0.44),
    ]
    ends = [
        (-0.98, 0.20), (-0.62, 0.09 - v), (-0.34, 0.06 - v), (-0.14, 0.055 - v), (0.0, 0.05 - v),
        (0.14, 0.055 - v), (0.34, 0.06 - v), (0.62, 0.09 - v), (0.98, 0.20),
    ]
    return _swept(f, starts, ends, 0.012)


def _buzz(f: _Frame) -> HairStyle:
    outer = [(1.015, 0.41), (1.005, 0.34), (0.95, 0.258), (0.74, 0.152), (0.38, 0.090), (0.0, 0.077)]
    outer += [(-x, y) for x, y in outer[-2::-1]]
    cap = Piece(f.closed([*_LINE_HIGH, *outer], 160), _fan(f, 0.0), shine=-1, soft=0.005)
    return HairStyle((), (cap,), opacity=0.88)


def _side_part(f: _Frame) -> HairStyle:
    line = ((-1.0, 0.50), (-0.95, 0.42), (-0.90, 0.32), (-0.72, 0.225), (-0.50, 0.175), (-0.05, 0.215),
        (0.40, 0.255), (0.78, 0.275), (0.90, 0.34), (0.95, 0.42), (1.0, 0.50))
    v = 0.035 * f.volume
    flows = [
        [(-0.52, 0.165), (-0.10, 0.185), (0.35, 0.235), (0.78, 0.272), (0.97, 0.46)],
        [(-0.52, 0.155), (0.0, 0.145), (0.50, 0.195), (0.86, 0.265), (1.01, 0.46)],
        [(-0.52, 0.140), (0.05, 0.105), (0.58, 0.150), (0.94, 0.250), (1.04, 0.43)],
        [(-0.51, 0.115), (0.05, 0.075 - v / 2), (0.62, 0.105 - v / 2), (1.0, 0.22), (1.07, 0.40)],
        [(-0.49, 0.085), (0.05, 0.058 - v), (0.66, 0.088 - v), (1.04 + v, 0.22), (1.09 + v, 0.38)],
    ]
    top = Piece(_cap(f, line, 0.035), tuple(f.guide(flow) for flow in flows), shine=0.42)
    left = Piece(
        f.closed(
            [
                (-0.49, 0.165), (-0.72, 0.22), (-0.90, 0.32), (-0.95, 0.43), (-1.0, 0.51), (-1.06, 0.40),
                (-1.08, 0.28), (-0.94, 0.16), (-0.66, 0.09), (-0.48, 0.11),
            ]
        ),
        _swept(
            f,
            [(-0.50, 0.16), (-0.55, 0.13), (-0.60, 0.10)],
            [(-0.92, 0.40), (-1.0, 0.42), (-1.06, 0.38)],
            0.02,
        ),
        dark=0.10,
    )
    return HairStyle((), (top, left))


def _quiff(f: _Frame) -> HairStyle:
    line = ((-0.98, 0.48), (-0.94, 0.40), (-0.89, 0.31), (-0.78, 0.215), (-0.45, 0.185), (0.0, 0.180),
        (0.45, 0.180), (0.78, 0.215), (0.89, 0.31), (0.94, 0.40), (0.98, 0.48))
    sides = Piece(_cap(f, line, 0.004), _fan(f, 0.0), dark=0.22, shine=-1)
    v = 0.03 * f.volume
    top = f.closed([(-0.70, 0.215), (-0.40, 0.200), (0.0, 0.205), (0.45, 0.195), (0.76, 0.195),
        (0.90, 0.11), (0.72, 0.045 - v), (0.30, 0.018 - v), (-0.2, 0.030 - v), (-0.62, 0.07 - v),
        (-0.84, 0.15)])
    starts = [(-0.70, 0.21), (-0.35, 0.20), (0.0, 0.205), (0.40, 0.195), (0.74, 0.195)]
    ends = [(-0.66, 0.09), (-0.18, 0.045), (0.30, 0.03), (0.70, 0.05), (0.90, 0.10)]
    return HairStyle((), (sides, Piece(top, _swept(f, starts, ends, 0.012), shine=0.62)))


def _pixie(f: _Frame) -> HairStyle:
    line = [(-1.0, 0.53), (-0.91, 0.45), (-0.91, 0.34), (-0.80, 0.29), (-0.66, 0.235)]
    for k, x in enumerate(np.linspace(-0.55, 0.72, 6)):
        line += [(x, 0.262 + 0.010 * k), (x + 0.13, 0.225 + 0.012 * k)]
    line += [(0.92, 0.36), (0.92, 0.46), (1.0, 0.53)]
    v = 0.04 * f.volume
    flows = [
        [(-0.40, 0.085), (-0.50, 0.13), (-0.62, 0.20), (-0.70, 0.27)],
        [(-0.39, 0.080), (-0.30, 0.12), (-0.15, 0.19), (-0.08, 0.27)],
        [(-0.38, 0.075), (0.0, 0.11), (0.30, 0.18), (0.48, 0.29)],
        [(-0.37, 0.070), (0.15, 0.085), (0.62, 0.17), (0.92, 0.36)],
        [(-0.36, 0.065), (0.25, 0.060 - v / 2), (0.82, 0.14), (1.04, 0.44)],
        [(-0.35, 0.060), (0.30, 0.050 - v), (0.92 + v, 0.13), (1.09 + v, 0.42)],
    ]
    top = Piece(_cap(f, line, 0.040), tuple(f.guide(flow) for flow in flows), shine=0.5)
    left = Piece(
        f.closed(
            [
                (-0.40, 0.095), (-0.62, 0.24), (-0.86, 0.31), (-0.93, 0.42), (-1.02, 0.54), (-1.09, 0.42),
                (-1.10, 0.27), (-0.92, 0.14), (-0.62, 0.07),
            ]
        ),
        _swept(
            f,
            [(-0.44, 0.10), (-0.48, 0.095), (-0.52, 0.09)],
            [(-0.86, 0.34), (-0.98, 0.46), (-1.08, 0.42)],
            0.02,
        ),
        dark=0.06,
    )
    return HairStyle(
        (Piece(_cap(f, _LINE_HIGH, 0.04, 0.62), _fan(f, 0.04), dark=0.3, shine=-1),), (top, left)
    )


def _curly(f: _Frame, rng: np.random.Generator) -> HairStyle:
    size = 0.10 + 0.05 * f.volume

    def bumpy(pairs: Pairs, amount: float, count: int) -> np.ndarray:
        line = f.closed(pairs, count * 6)
        middle = line.mean(0)
        wave = (
            1
            + amount * (np.abs(np.sin(np.arange(len(line)) * np.pi / 6)) - 0.5)
            + rng.uniform(-0.2, 0.2, len(line)) * amount
        )
        bumped: np.ndarray = middle + (line - middle) * wave[:, None]
        return bumped

    w = 1.02 + size
    cloud = bumpy([(0.0, 0.03 - 0.25 * size), (0.60 * w, 0.045), (0.98 * w, 0.16), (1.10 * w, 0.34),
        (1.06 * w, 0.52), (0.85 * w, 0.64), (0.0, 0.66), (-0.85 * w, 0.64), (-1.06 * w, 0.52),
        (-1.10 * w, 0.34), (-0.98 * w, 0.16), (-0.60 * w, 0.045)], 0.05, 26)
    line = [
        (-1.02, 0.46), (-0.92, 0.38), (-0.86, 0.29), (-0.62, 0.235), (-0.3, 0.215), (0.0, 0.21),
        (0.3, 0.215), (0.62, 0.235), (0.86, 0.29), (0.92, 0.38), (1.02, 0.46),
    ]
    front = bumpy([*line, (1.12 * w, 0.42), (1.08 * w, 0.26), (0.90 * w, 0.12), (0.5 * w, 0.03),
        (0.0, 0.015 - 0.2 * size), (-0.5 * w, 0.03), (-0.90 * w, 0.12), (-1.08 * w, 0.26),
        (-1.12 * w, 0.42)], 0.045, 30)
    return HairStyle((Piece(cloud, (), dark=0.16),), (Piece(front, ()),), curls=True)


def _fringe_bob(f: _Frame) -> HairStyle:
    v = 0.03 * f.volume
    back = Piece(
        f.closed(
            [
                (0.0, 0.05 - v), (0.62, 0.07 - v), (1.03 + v, 0.22), (1.14 + v, 0.45), (1.20 + v, 0.66),
                (1.16, 0.785), (0.8, 0.80), (0.0, 0.79), (-0.8, 0.80), (-1.16, 0.785), (-1.20 - v, 0.66),
                (-1.14 - v, 0.45), (-1.03 - v, 0.22), (-0.62, 0.07 - v),
            ]
        ),
        tuple(f.guide([(0.3 * x, 0.1), (x, 0.35), (1.02 * x, 0.79)]) for x in (-1.16, -0.6, 0.0, 0.6, 1.16)),
        dark=0.34,
        shine=-1,
    )
    panel = Piece(
        f.closed(
            [
                (0.60, 0.16), (0.84, 0.30), (0.895, 0.42), (0.92, 0.56), (0.90, 0.68), (0.82, 0.765),
                (1.0, 0.795), (1.16, 0.785), (1.21 + v, 0.66), (1.15 + v, 0.45), (1.05 + v, 0.24),
                (0.80, 0.12),
            ]
        ),
        (
            f.guide([(0.66, 0.14), (0.90, 0.36), (0.93, 0.60), (0.84, 0.77)]),
            f.guide([(0.74, 0.13), (1.02, 0.36), (1.06, 0.6), (1.0, 0.79)]),
            f.guide([(0.8, 0.12), (1.12, 0.36), (1.18, 0.62), (1.14, 0.78)]),
        ),
    )
    fringe = Piece(
        f.closed(
            [
                (-0.92, 0.345), (-0.60, 0.318), (-0.2, 0.308), (0.2, 0.308), (0.60, 0.318), (0.92, 0.345),
                (1.06 + v, 0.26), (0.92 + v, 0.135), (0.5, 0.058 - v), (0.0, 0.045 - v), (-0.5, 0.058 - v),
                (-0.92 - v, 0.135), (-1.06 - v, 0.26),
            ]
        ),
        tuple(
            f.guide([(0.25 * x, 0.055 - v), (0.85 * x, 0.17), (x, 0.33)])
            for x in (-1.02, -0.66, -0.33, 0.0, 0.33, 0.66, 1.02)
        ),
        shine=0.55,
    )
    return HairStyle((back,), (*_both(panel), fringe))


def _long(f: _Frame, wavy: bool) -> HairStyle:
    v = 0.035 * f.volume
    part = -0.28 if wavy else 0.0
    swing = 0.07 if wavy else 0.0

    def wave(pairs: Pairs) -> list[tuple[float, float]]:
        return [(x + swing * np.sign(x) * np.sin((y - 0.35) * 15) * (y > 0.35), y) for x, y in pairs]

    def curtain(side: int) -> Piece:
        root = part * side
        inner = wave(
            [
                (root, 0.115), (root + 0.30, 0.165), (0.68, 0.245), (0.86, 0.345), (0.91, 0.47),
                (0.97, 0.60), (1.0, 0.72), (0.99, 0.85), (1.04, 1.04),
            ]
        )
        outer = wave(
            [
                (1.42 + v, 1.06), (1.39 + v, 0.88), (1.33 + v, 0.70), (1.22 + v, 0.48), (1.10 + v, 0.28),
                (0.92 + v, 0.14), (0.55, 0.06 - v), (root, 0.042 - v),
            ]
        )
        middle = [
            (0.5 * (a + c), 0.5 * (b + d))
            for (a, b), (c, d) in zip(inner, outer[::-1] + [outer[0]], strict=False)
        ]
        piece = Piece(
            f.closed([*inner, *outer], 200), (f.guide(inner), f.guide(middle), f.guide(outer[::-1]))
        )
        return piece if side > 0 else _flip(piece)

    back = Piece(
        f.closed(
            [
                (0.0, 0.06), (0.9, 0.2), (1.12, 0.5), (1.25, 0.8), (1.3, 1.06), (-1.3, 1.06), (-1.25, 0.8),
                (-1.12, 0.5), (-0.9, 0.2),
            ]
        ),
        tuple(f.guide([(0.6 * x, 0.3), (x, 0.7), (1.05 * x, 1.05)]) for x in (-1.2, -0.6, 0, 0.6, 1.2)),
        dark=0.40,
        shine=-1,
    )
    return HairStyle((back,), (curtain(-1), curtain(1)))


def _pulled_back(f: _Frame, bun: bool) -> HairStyle:
    cap = Piece(_cap(f, _LINE_HIGH, 0.014), _fan(f, 0.014), shine=0.6)
    if bun:
        knot = f.closed(
            [
                (0.0, -0.06), (0.28, -0.045), (0.40, 0.015), (0.30, 0.085), (0.0, 0.105), (-0.30, 0.085),
                (-0.40, 0.015), (-0.28, -0.045),
            ]
        )
        swirl = tuple(
            f.guide(
                [
                    (-0.34 + 0.08 * k, 0.07), (-0.1 + 0.1 * k, -0.05 + 0.03 * k),
                    (0.36 - 0.04 * k, 0.04 + 0.01 * k),
                ]
            )
            for k in range(5)
        )
        return HairStyle((Piece(knot, swirl, shine=0.4),), (cap,))
    tail = f.closed(
        [
            (0.95, 0.36), (1.24, 0.44), (1.34, 0.60), (1.30, 0.78), (1.40, 0.98), (1.30, 1.06),
            (1.02, 1.06), (0.98, 0.86), (0.98, 0.66), (0.86, 0.50),
        ]
    )
    flow = (
        f.guide([(0.90, 0.42), (1.0, 0.62), (1.02, 0.84), (1.08, 1.04)]),
        f.guide([(0.95, 0.39), (1.15, 0.60), (1.15, 0.84), (1.2, 1.04)]),
        f.guide([(1.0, 0.37), (1.28, 0.58), (1.26, 0.82), (1.34, 1.02)]),
    )
    return HairStyle((Piece(tail, flow, shine=0.3),), (cap,))


def _headscarf(f: _Frame) -> HairStyle:
    back = Piece(f.closed([(0.0, 0.05), (0.85, 0.14), (1.14, 0.42), (1.12, 0.70), (1.30, 0.92),
        (1.55, 1.08), (-1.55, 1.08), (-1.30, 0.92), (-1.12, 0.70), (-1.14, 0.42), (-0.85, 0.14)]), (),
        dark=0.22, shine=-1)
    inner = [(-0.90, 0.33), (-0.945, 0.45), (-0.90, 0.62), (-0.80, 0.76), (-1.02, 0.88), (-1.28, 1.05)]
    outer_left = [(-1.42, 1.08), (-1.24, 0.88), (-1.13, 0.66), (-1.13, 0.42), (-1.02, 0.22), (-0.66, 0.085)]
    top = [
        (-0.9, 0.33), (-0.62, 0.245), (-0.3, 0.215), (0.0, 0.205), (0.3, 0.215), (0.62, 0.245),
        (0.9, 0.33),
    ]
    dome = Piece(
        f.closed(
            [
                *top,
                (1.12, 0.40), (1.0, 0.20), (0.62, 0.075), (0.0, 0.030), (-0.62, 0.075), (-1.0, 0.20),
                (-1.12, 0.40),
            ]
        ),
        tuple(
            f.guide(
                [
                    (-1.1 + 0.05 * k, 0.38 - 0.01 * k), (-0.5 + 0.03 * k, 0.235 - 0.035 * k),
                    (0.4, 0.21 - 0.036 * k), (1.08, 0.36 - 0.03 * k),
                ]
            )
            for k in range(5)
        ),
        shine=0.5,
    )
    side = Piece(
        f.closed([*inner, *outer_left], 140),
        (
            f.guide(inner),
            f.guide([(-0.85, 0.2), (-1.03, 0.42), (-1.0, 0.66), (-1.10, 0.86), (-1.34, 1.06)]),
            f.guide(outer_left[::-1]),
        ),
        shine=-1,
    )
    return HairStyle((back,), (*_both(side), dome))


def hair_style(geometry: Geometry) -> HairStyle:
    """The pieces of this person's hair."""
    identity = geometry.identity
    f = _Frame(geometry)
    name = identity.hair_style
    if name == "bald":
        return HairStyle((), ())
    if name == "curly":
        style = _curly(f, np.random.default_rng(identity.texture_seed))
    elif name in ("long", "wavy"):
        style = _long(f, name == "wavy")
    elif name in ("bun", "ponytail"):
        style = _pulled_back(f, name == "bun")
    else:
        simple = {
            "buzz": _buzz,
            "side_part": _side_part,
            "quiff": _quiff,
            "pixie": _pixie,
            "bob": _fringe_bob,
            "headscarf": _headscarf,
        }
        style = simple[name](f)
    if not identity.hair_flip:
        return style
    back, front = (tuple(_flip(piece) for piece in pieces) for pieces in (style.back, style.front))
    return HairStyle(back, front, style.opacity, style.curls)
