"""The inside of the mouth: dark, with a tongue, gums and two rows of teeth, or the picture's own teeth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .blur import blurred
from .canonical import Canonical
from .colours import Colours, luminance, sampled
from .curves import Graphs, covered
from .eyes import read_tile
from .patch import Box, Upright
from .softness import softness_of
from .teeth import LOWER, UPPER, RowPicture, render_row
from .topology import LIP_RINGS, LOWER_INNER, UPPER_INNER, UPPER_OUTER
from .units.ground import smooth
from .units.mouth import DROP

SHARP = 1.8  # pixels: edges of the opening that are softer lie further in
_FURTHER_IN = 0.5  # of how much softer they are
OPEN_AT_REST = 0.035  # eye distances between the lips from which a picture shows its own teeth
_OUTLINE, _LIP = UPPER_OUTER[2:-2], tuple(row for _, _, lower, _ in LIP_RINGS[1:3] for row in lower)
_CAVITY, _TONGUE = (54.0, 21.0, 20.0), (172.0, 92.0, 88.0)
# Eye distances that the upper teeth reach below the line of the lips at rest, and the lower ones begin below
# it: without a moustache over the lip, and with one, which hides them.
_EDGES, _EDGES_BEHIND_HAIR = (0.030, -0.020), (0.015, 0.030)
_HAIR = (0.5, 0.7)  # brightness of the upper lip's outline in that of the lower lip: all hair, and none


@dataclass(frozen=True, eq=False)
class Own:
    """What the picture itself shows between the lips.

    tile: [3, h, w] at `box`. opening: [1, h, w], between the lips at rest. teeth: [1, h, w], the upper row
    alone.
    """

    tile: Tensor
    opening: Tensor
    teeth: Tensor
    box: Box

    def to(self, device: torch.device) -> Own:
        return replace(
            self,
            tile=self.tile.to(device),
            opening=self.opening.to(device),
            teeth=self.teeth.to(device),
        )


@dataclass(frozen=True, eq=False)
class Inside:
    """All that one mouth needs to be looked into.

    middle: [2] pixels, of the line of the lips. across, down: [2] pixels to an eye distance along the face's
    x and y. softness: of the picture, in pixels (see `softness_of`). hanging: how far the jaw of the picture
    hangs, in amplitudes of `jaw_open`, where it is closed at rest: the lower teeth hang with it.
    """

    upper: RowPicture
    lower: RowPicture
    own: Own | None
    colours: Colours
    middle: Tensor
    across: Tensor
    down: Tensor
    softness: float = 0.0
    hanging: float = 0.0

    def to(self, device: torch.device) -> Inside:
        palette = replace(
            self.colours,
            **{
                name: getattr(self.colours, name).to(device)
                for name in ("skin", "lip", "sclera", "tint", "tooth")
            },
        )
        return replace(
            self,
            upper=self.upper.to(device),
            lower=self.lower.to(device),
            own=self.own and self.own.to(device),
            colours=palette,
            middle=self.middle.to(device),
            across=self.across.to(device),
            down=self.down.to(device),
        )


def inside_of(
    picture: Tensor,
    points: Tensor,
    face: Canonical,
    upright: Upright,
    box: Box,
    palette: Colours,
    light: Tensor,
    gap: float,
) -> Inside:
    """Render what is in the mouth of a picture [3, H, W] with mesh [468, 2]."""
    own = own_teeth(picture, points, upright, box, palette, face.scale) if gap > OPEN_AT_REST else None
    if own is not None:
        found = own.tile[:, own.teeth[0] > 0.6]
        if found.shape[1] > 8:
            palette = replace(palette, tooth=found.median(1).values)
    corners = face.points[[78, 308]].mean(0)
    line = face.points[[13, 14], 1].mean() if gap <= OPEN_AT_REST else face.points[13, 1]
    front = float(face.points[[13, 14], 2].mean()) + 0.05
    x = float(0.7 * corners[0] + 0.3 * face.points[13, 0])
    upper_edge, lower_edge = _edges(picture, points)
    teeth = torch.tensor([x, float(line) + upper_edge, front])
    soft = softness_of(picture, points, face.scale)
    upper = render_row(UPPER, face, teeth, palette, light, 3, soft)
    behind = torch.tensor([x, float(line) + lower_edge, front + 0.030])
    lower = render_row(LOWER, face, behind, palette, light, 5, soft)
    axes = [face.project(torch.tensor(axis)) for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))]
    middle = face.place(torch.tensor([x, float(line), front]))
    return Inside(upper, lower, own, palette, middle, axes[0], axes[1], soft)


def _edges(picture: Tensor, points: Tensor) -> tuple[float, float]:
    """Where both rows of teeth end; people's upper ones show 2 to 3 mm below a lip that just parts, .03 to
    .05 eye distances, fewer below a moustache.
    """
    outline, lip = (luminance(sampled(picture, points[list(rows), :2])).median() for rows in (_OUTLINE, _LIP))
    bare = float(smooth(*_HAIR, outline / lip.clamp(min=1)))
    upper, lower = (
        hairy + bare * (plain - hairy) for plain, hairy in zip(_EDGES, _EDGES_BEHIND_HAIR, strict=True)
    )
    return upper, lower


def own_teeth(
    picture: Tensor, points: Tensor, upright: Upright, box: Box, palette: Colours, scale: float
) -> Own | None:
    """The opening of a mouth that is open in the picture, and the upper row of teeth in it; None without
    teeth.

    Teeth are the bright, pale pixels of the opening; the upper row is their first run below the upper lip in
    each column.
    """
    x0, y0, x1, y1 = box
    tile = picture[:, y0:y1, x0:x1]
    a, b = upright.over(box)
    graphs = lip_graphs(points[:, :2], upright, scale)
    top, bottom, open_ = (found[0] for found in lip_opening(points[None, :, :2], upright, graphs, a, b))
    opening = open_ * (bottom - top > 1)
    light = luminance(tile.permute(1, 2, 0))
    if float(opening.sum()) < 12:
        return None
    colour = (tile.amax(0) - tile.amin(0)) / tile.amax(0).clamp(min=1)
    reference = light[opening > 0.5].quantile(0.92)
    skin_colour = (palette.skin.max() - palette.skin.min()) / palette.skin.max().clamp(min=1)
    none = torch.zeros_like(opening)
    teeth = none
    if float(reference) > 0.8 * float(luminance(palette.skin)):
        bright = ((light / reference - 0.48) / 0.24).clamp(0, 1)
        pale = ((0.55 * skin_colour + 0.17 - colour) / 0.13).clamp(0, 1)
        turns = _quarter_turns(upright.down)
        seen, below, gap = (
            torch.rot90(part, turns) for part in (bright * pale * opening > 0.3, b - top, opening)
        )
        run = _first_run(seen, below, 0.09 * scale).float()
        covered_columns = (run.sum(0) > 0).sum() / max(1.0, float((gap.sum(0) > 0.5).sum()))
        teeth = torch.rot90(run, -turns)
        teeth = blurred(teeth[None, None], max(0.6, 0.010 * scale))[0, 0] if covered_columns > 0.35 else none
    return Own(tile, opening[None], teeth[None], box)


def _quarter_turns(down: Tensor) -> int:
    """By how many (counterclockwise) a picture is to be turned so that a face's `down` [2] goes down its
    columns."""
    x, y = down.tolist()
    if abs(y) >= abs(x):
        return 0 if y > 0 else 2
    return -1 if x > 0 else 1


def _first_run(bright: Tensor, below_lip: Tensor, slack: float) -> Tensor:
    """Of each column, the first unbroken run of bright pixels that starts near the lip, and above it."""
    seen = bright.float()
    started = seen.cumsum(0) > 0
    ended = ((seen == 0) & started).float().cumsum(0) > 0
    run = started & ~ended
    first = torch.where(bright, below_lip, below_lip.new_tensor(1e9)).amin(0)
    above = (below_lip > -0.03 * slack / 0.09) & ~started
    return (run | above) & (first < slack)


def lip_graphs(points: Tensor, upright: Upright, scale: float) -> Graphs:
    """A table wide enough for the mouth of a mesh at rest [468, 2], wherever its head sways."""
    middle = float(upright.coordinates(points[list(UPPER_INNER)])[:, 0].mean())
    return Graphs(middle - 1.5 * scale, middle + 1.5 * scale, 576)


def edge_inset(soft: float) -> float:
    """How many pixels within the lips an opening begins whose edges are so soft."""
    return _FURTHER_IN * max(0.0, soft - SHARP)


def lip_opening(
    points: Tensor, upright: Upright, graphs: Graphs, a: Tensor, b: Tensor, soft: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """What is open between the lips of T frames [T, 468, 2], over pixels with these a and b [h, w].

    Returns (inner edge of the upper lip [T, h, w], of the lower one, share of each pixel that is open, soft
    over so many pixels across the edges, however steep those are, and where that is much rather within them
    than over the lips); the lower edge is never above the upper one, and both meet at the corners.
    """
    top = graphs.table(upright.coordinates(points[:, list(UPPER_INNER)]))
    bottom = torch.maximum(graphs.table(upright.coordinates(points[:, list(LOWER_INNER)])), top)
    places = graphs.places(a)
    upper, lower = graphs.read(top, places), graphs.read(bottom, places)
    inset = edge_inset(soft)
    below = (b - upper) / graphs.read(graphs.steepness(top), places) - inset
    above = (lower - b) / graphs.read(graphs.steepness(bottom), places) - inset
    return upper, lower, covered(below, soft) * covered(above, soft)


def look_inside(
    inside: Inside,
    box: Box,
    top: Tensor,
    bottom: Tensor,
    b: Tensor,
    shift: Tensor,
    jaw: Tensor,
    tongue: Tensor,
    opened: Tensor,
    scale: float,
) -> Tensor:
    """What shows between the lips in the pixels of a box, [T, 3, h, w].

    top, bottom: [T, h, w], the lips' edges; b: [h, w] of the pixels. shift: [T, 2] pixels, of the head. jaw,
    tongue: [T], parameters. opened: [T], by how many eye distances the lips have parted from where they are
    in the picture.
    """
    x0, y0, x1, y1 = box
    device = b.device
    palette = inside.colours
    x = torch.arange(x0, x1, dtype=torch.float32, device=device)[None, None] - shift[:, 0, None, None]
    y = torch.arange(y0, y1, dtype=torch.float32, device=device)[None, :, None] - shift[:, 1, None, None]
    jaw = jaw + inside.hanging
    drop = (jaw * DROP * 0.96)[:, None, None]
    # Along the face's own axes, from the middle of the mouth, in eye distances.
    size = scale * scale
    dx, dy = x - inside.middle[0], y - inside.middle[1]
    u = (dx * inside.across[0] + dy * inside.across[1]) / size
    v = (dx * inside.down[0] + dy * inside.down[1]) / size
    tone = (palette.tint * palette.level)[None, :, None, None]
    cavity = b.new_tensor(_CAVITY)[None, :, None, None] * tone
    deep = (1 - 0.35 * torch.exp(-((u / 0.30) ** 2) - ((v - 0.10) / 0.16) ** 2))[:, None]
    picture = cavity * deep
    # Tongue: a flattened dome that moves with the jaw, and whose tip rises behind the upper teeth.
    rise = (0.15 * tongue * (jaw * DROP / 0.1).clamp(max=1))[:, None, None]
    tu, tv = u / 0.25, (v - (0.070 + 0.90 * drop - rise)) / 0.125
    radius = tu * tu + tv * tv
    dome = ((1 - radius) * 3.0).clamp(0, 1)
    groove = 1 - 0.16 * torch.exp(-((tu / 0.12) ** 2)) * (tv > -0.7)
    gloss = 0.16 * torch.exp(-(((tu.abs() - 0.28) / 0.16) ** 2) - ((tv + 0.55) / 0.22) ** 2)
    lit = (0.60 + 0.40 * (1 - radius).clamp(0, 1)) * groove * (0.80 + 0.20 * (-tv).clamp(-1, 1))
    tongue_colour = (
        b.new_tensor(_TONGUE)[None, :, None, None] * tone * lit[:, None]
        + 255 * gloss[:, None] * palette.level
    )
    picture = torch.lerp(picture, tongue_colour, dome[:, None])
    # Teeth: the lower row goes with the jaw, the upper one is fixed to the skull.
    move = drop * inside.down[:, None, None, None]  # [2, T, 1, 1]
    for row, dx_, dy_ in ((inside.lower, move[0], move[1]), (inside.upper, 0.0, 0.0)):
        layers = torch.cat([row.colour * row.alpha, row.alpha])
        seen = read_zero(layers, row.box, x - dx_, y - dy_)
        picture = picture * (1 - seen[:, 3:]) + seen[:, :3]
    if inside.own is not None:
        own = inside.own
        seen = read_zero(torch.cat([own.tile, own.opening, own.teeth]), own.box, x, y)
        fresh = (1 - (opened.abs() / 0.05)).clamp(0, 1)[:, None, None, None]
        alpha = torch.maximum(seen[:, 4:5], seen[:, 3:4] * fresh)
        picture = picture * (1 - alpha) + seen[:, :3] * alpha
    else:
        fresh = torch.zeros_like(opened)[:, None, None, None]
    # Light falls off towards the lips, above all under the upper one.
    height = (bottom - top).clamp(min=1e-3)
    below, over = (b - top).clamp(min=0), (bottom - b).clamp(min=0)
    under = torch.exp(-below / (0.035 * scale))
    near = torch.exp(-over / (0.03 * scale))
    narrow = (height / (0.10 * scale)).clamp(max=1)
    shade = (1 - 0.50 * under) * (1 - 0.22 * near) * (0.74 + 0.26 * narrow)
    shade = torch.lerp(shade[:, None], torch.ones_like(shade[:, None]), fresh)
    return picture * shade


def read_zero(tile: Tensor, box: Box, x: Tensor, y: Tensor) -> Tensor:
    """As `read_tile`, but nothing outside of the tile, which may be coarser than the picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = torch.broadcast_tensors(x, y)
    grid = torch.stack([(2 * (x - box[0]) + 1) / width - 1, (2 * (y - box[1]) + 1) / height - 1], -1)
    source = tile[None].expand(len(grid), -1, -1, -1)
    return F.grid_sample(source, grid.to(tile.dtype), "bilinear", "zeros", align_corners=False)


__all__ = ["Inside", "Own", "edge_inset", "inside_of", "lip_opening", "look_inside", "read_tile"]
