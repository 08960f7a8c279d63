"""From amplitudes to pixels: the upper sheet, the lower one below the slits, light, then the holes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .curves import Graphs, covered
from .eyes import GAZE, Eyeball, eye_span, lid_graphs, looking
from .folds import at_points, unfolded
from .mouth import Inside, edge_inset, lip_graphs, lip_opening, look_inside
from .patch import Box, Upright, box_around
from .reading import Source
from .shading import Shading, tinted
from .sheets import Sheets
from .topology import CORNER, EYES, LOWER_INNER, LOWER_LIP, LOWER_OUTER, SKIN, UPPER_INNER
from .units.ground import smooth
from .warp import enlarged, inverse, pixels

MOVED = (0.004, 0.022)  # eye distances that a slit must open by before, and until, its hole is painted


@dataclass(frozen=True, eq=False)
class Stage:
    """All that stays the same from frame to frame. Pictures are [C, H, W] float32 in 0..255.

    source: what is read. points: [468, 2] pixels. displaced: [K, 468, 2] pixels, of the units on the mesh.
    names: of the units. head: [K], 1 for the units that move the whole head. painted_over: whether the mouth,
    open in the picture, is not so in the source.
    """

    source: Source
    points: Tensor
    displaced: Tensor
    names: tuple[str, ...]
    head: Tensor
    sheets: Sheets
    upright: Upright
    eyeballs: tuple[Eyeball, ...]
    inside: Inside
    shading: Shading
    scale: float
    rest_gap: float
    painted_over: bool = False

    def to(self, device: torch.device) -> Stage:
        return replace(
            self,
            **{
                name: getattr(self, name).to(device)
                for name in (
                    "source",
                    "points",
                    "displaced",
                    "head",
                    "sheets",
                    "upright",
                    "inside",
                    "shading",
                )
            },
            eyeballs=tuple(ball.to(device) for ball in self.eyeballs),
        )

    @property
    def soft(self) -> float:
        """Over how many pixels the edges of the mouth's opening run: no sharper than the picture."""
        return max(1.0, 0.006 * self.scale, 2 * self.inside.softness)

    @cached_property
    def lips(self) -> Graphs:
        return lip_graphs(self.points, self.upright, self.scale)

    def moved(self, amounts: Tensor) -> Moved:
        """Both sheets and the mesh under amplitudes [T, K], with nothing folded over."""
        sheets = self.sheets
        placed = self.points + torch.einsum("tk,knc->tnc", amounts, self.displaced)
        fields = []
        for name, rows in (("upper", _ON_UPPER), ("lower", _ON_LOWER)):
            asked = torch.einsum("tk,khwc->thwc", amounts, getattr(sheets, name))
            given = unfolded(asked, sheets.steps)
            if given is not asked:  # the points go where their sheet goes
                points = self.points[rows]
                placed[:, rows] += at_points(given - asked, points, sheets.region)
            fields.append(given)
        return Moved(fields[0], fields[1], placed)


@dataclass(frozen=True, eq=False)
class Moved:
    """upper, lower: [T, gh, gw, 2] pixels, where the sheets' nodes go. placed: [T, 468, 2], the mesh."""

    upper: Tensor
    lower: Tensor
    placed: Tensor


_ON_LOWER = sorted({*LOWER_LIP, *(i for eye in EYES.values() for i in (*eye.lower[1:-1], *eye.below))})
_ON_UPPER = sorted({*range(SKIN)} - {*_ON_LOWER})


@dataclass(frozen=True, eq=False)
class Moment:
    """Frames on their way: what every part of the picture needs to know of them."""

    amounts: Tensor  # [T, K]
    values: dict[str, Tensor]  # parameters [T] by name, for what is no unit
    placed: Tensor  # [T, 468, 2]
    head: Tensor  # [T, 468, 2] pixels, of the head's motion alone
    lower: Tensor  # [T, gh, gw, 2], where the lower sheet comes from


class Step(Protocol):
    """What is done to the pixels of frames after they are read, and is known before."""

    def onto(self, frames: Tensor, which: slice) -> None:
        """Change frames [n, C, h, w] of the moving region in place, those `which` of the moment's."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Something laid over frames.

    box: where, in pixels of the region. over: [T or 1, c, h, w], of as many channels as it has from `channel`
    on. mask: [T, 1, h, w].
    """

    box: Box
    over: Tensor
    mask: Tensor
    channel: int = 0

    def onto(self, frames: Tensor, which: slice) -> None:
        over = self.over if len(self.over) == 1 else self.over[which]
        part = _cut(frames, self.box)[:, self.channel : self.channel + over.shape[1]]
        part.add_((over - part) * self.mask[which])


@dataclass(frozen=True, eq=False)
class Light:
    """Change of brightness: box as a layer's, factor [T, 3, h, w] of any size, over the same area."""

    box: Box
    factor: Tensor

    def onto(self, frames: Tensor, which: slice) -> None:
        size = (self.box[3] - self.box[1], self.box[2] - self.box[0])
        _cut(frames, self.box)[:, :3].mul_(enlarged(self.factor[which], size))


def compose(stage: Stage, amounts: Tensor, values: dict[str, Tensor]) -> Iterator[Tensor]:
    """Amplitudes [T, K] -> the moving region of T frames in 0..255, float32, [n, C, h, w] at a time.

    What is small is computed for all of them at once; large frames are finished one by one (see `together`).
    """
    return compose_moved(stage, amounts, values, stage.moved(amounts), _light)


def compose_moved(
    stage: Stage,
    amounts: Tensor,
    values: dict[str, Tensor],
    moved: Moved,
    light: Callable[[Stage, Moment, Tensor], Iterator[Step]],
) -> Iterator[Tensor]:
    """As `compose`, with sheets and mesh as they have moved.

    ``light`` gets the stage, the moment, and where the upper sheet comes from.
    """
    sheets = stage.sheets
    upper, lower = (inverse(field, sheets.steps) for field in (moved.upper, moved.lower))
    moment = Moment(
        amounts,
        values,
        moved.placed,
        torch.einsum("tk,knc->tnc", amounts * stage.head, stage.displaced),
        lower,
    )
    steps: list[Step] = [*_lower_lip(stage, moment)]
    for ball in stage.eyeballs:
        steps += _lower_lid(stage, moment, ball)
    steps += light(stage, moment, upper)
    steps += _mouth(stage, moment)
    for ball in stage.eyeballs:
        steps += _eye(stage, moment, ball)
    done = 0
    for frames in stage.source.over(upper, sheets.region):
        for step in steps:
            step.onto(frames, slice(done, done + len(frames)))
        done += len(frames)
        yield frames


def _within(stage: Stage, field: Tensor, box: Box) -> Tensor:
    """A field [T, gh, gw, 2] of the region's grid at the pixels of a box: [T, 2, h, w]."""
    x0, y0, x1, y1 = stage.sheets.region
    x, y = pixels(box, field.device)
    height, width = box[3] - box[1], box[2] - box[0]
    grid = torch.stack(
        [
            ((x - x0) * (2 / (x1 - 1 - x0)) - 1).expand(height, width),
            ((y - y0) * (2 / (y1 - 1 - y0)) - 1).expand(height, width),
        ],
        -1,
    )
    return F.grid_sample(
        field.permute(0, 3, 1, 2),
        grid[None].expand(len(field), -1, -1, -1),
        "bilinear",
        "border",
        align_corners=True,
    )


def _cut(frames: Tensor, box: Box) -> Tensor:
    """The part of frames that a box covers; writing to it writes to the frames."""
    return frames[:, :, box[1] : box[3], box[0] : box[2]]


def _in_region(stage: Stage, box: Box) -> Box:
    """A box of the picture in pixels of the moving region."""
    x0, y0 = stage.sheets.region[:2]
    return box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0


def _lower_lip(stage: Stage, moment: Moment) -> Iterator[Step]:
    """Below the inner edge of the lower lip the lower sheet shows, and blends into the upper one."""
    scale, rows = stage.scale, [*LOWER_INNER, *LOWER_OUTER]
    box = box_around(moment.placed[:, rows], 0.30 * scale, stage.sheets.region)
    if box is None or not _opens(stage, moment).any():
        return
    a, b = stage.upright.over(box)
    graphs, places = stage.lips, stage.lips.places(a)
    table = graphs.table(stage.upright.coordinates(moment.placed[:, list(LOWER_INNER)]))
    beyond = (b - graphs.read(table, places)) / graphs.read(graphs.steepness(table), places)
    outer = graphs.read(graphs.table(stage.upright.coordinates(moment.placed[:, list(LOWER_OUTER)])), places)
    corners = stage.upright.coordinates(moment.placed[:, list(CORNER.values())])[..., 0]  # left, right
    middle, half = corners.mean(1)[:, None, None], (corners[:, 0] - corners[:, 1]).abs()[:, None, None] / 2
    aside = 1 - smooth(0.90, 1.30, (a - middle).abs() / half)
    below = 1 - smooth(0.04 * scale, 0.26 * scale, b - outer)
    yield from _lower_sheet(stage, moment, box, covered(beyond + edge_inset(stage.soft)) * aside * below)


def _lower_sheet(stage: Stage, moment: Moment, box: Box, mask: Tensor) -> Iterator[Step]:
    """The lower sheet under a mask [T, h, w] over a box; it is read only where that is not nothing."""
    used = mask.amax(0) > 0
    rows, columns = (used.any(dim).nonzero()[:, 0].tolist() for dim in (1, 0))
    if rows:
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        part = (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom)
        lower = stage.source.in_box(_within(stage, moment.lower, part), part)
        yield Layer(_in_region(stage, part), lower, mask[:, None, top:bottom, left:right])


def _lower_lid(stage: Stage, moment: Moment, ball: Eyeball) -> Iterator[Step]:
    scale, eye = stage.scale, EYES[ball.side]
    box = box_around(moment.placed[:, [*eye.lower, *eye.below]], 0.16 * scale, stage.sheets.region)
    if box is None or not _lids_move(stage, moment, ball).any():
        return
    a, b = stage.upright.over(box)
    graphs = eye_span(stage.points, eye, stage.upright)
    moved = _shifted(moment, ball)
    table = graphs.table(stage.upright.coordinates(moment.placed[:, list(eye.lower)] - moved[:, None]))
    shift = torch.stack([moved @ stage.upright.across, moved @ stage.upright.down], -1)
    edge = _moved_read(graphs, table, a, shift)
    ends = stage.upright.coordinates(moment.placed[:, list(eye.corners)])[..., 0]
    middle, half = ends.mean(1)[:, None, None], (ends[:, 0] - ends[:, 1]).abs()[:, None, None] / 2
    aside = 1 - smooth(1.00, 1.22, (a - middle).abs() / half)
    # As far as the bags: up to there the upper sheet holds what the closing lid squeezes, the eye itself.
    below = 1 - smooth(0.10 * scale, 0.24 * scale, b - edge)
    yield from _lower_sheet(stage, moment, box, covered(b - edge) * aside * below)


def _moved_read(graphs: Graphs, table: Tensor, a: Tensor, shift: Tensor) -> Tensor:
    """A table of T frames at pixels with these a [h, w], of a face shifted by (a, b) [T, 2]: [T, h, w]."""
    at = ((a - shift[:, :1, None] - graphs.low) / (graphs.high - graphs.low) * (graphs.samples - 1)).clamp(
        0, graphs.samples - 1 - 1e-3
    )
    index = at.long()
    share = at - index
    flat = index.flatten(1)
    low, high = table.gather(1, flat), table.gather(1, flat + 1)
    return torch.lerp(low, high, share.flatten(1)).reshape(at.shape) + shift[:, 1:, None]


def _shifted(moment: Moment, ball: Eyeball) -> Tensor:
    """How far the head moves an eye, [T, 2] pixels."""
    return moment.head[:, list(EYES[ball.side].corners)].mean(1)


def _light(stage: Stage, moment: Moment, upper: Tensor) -> Iterator[Step]:
    """Multiply by the change of light, looked up where each pixel comes from."""
    shading = stage.shading
    columns = [stage.names.index(name) for name in shading.names if name in stage.names]
    amounts = moment.amounts[:, columns].clamp(0, 1.2)
    if not bool((amounts > 1e-3).any()):
        return
    maps = shading.maps(amounts)
    left, top, right, bottom = shading.box
    reach = 0.20 * stage.scale
    corners = torch.tensor([[left, top], [right, bottom]])
    box = box_around(corners, reach, stage.sheets.region)
    if box is None:
        return
    height, width = maps.shape[2:]
    rows = max(2, round((box[3] - box[1]) * height / (bottom - top)))
    columns_ = max(2, round((box[2] - box[0]) * width / (right - left)))
    rows, columns_ = min(rows, box[3] - box[1]), min(columns_, box[2] - box[0])
    device = maps.device
    x = box[0] + (torch.arange(columns_, device=device) + 0.5) * (box[2] - box[0]) / columns_ - 0.5
    y = box[1] + (torch.arange(rows, device=device) + 0.5) * (box[3] - box[1]) / rows - 0.5
    x0, y0, x1, y1 = stage.sheets.region
    at = torch.stack(
        torch.meshgrid((x - x0) * (2 / (x1 - 1 - x0)) - 1, (y - y0) * (2 / (y1 - 1 - y0)) - 1, indexing="xy"),
        -1,
    )
    moves = F.grid_sample(
        upper.permute(0, 3, 1, 2),
        at[None].expand(len(maps), -1, -1, -1),
        "bilinear",
        "border",
        align_corners=True,
    )
    grid = torch.stack(
        [
            2 * (x[None, None] + moves[:, 0] + 0.5 - left) / (right - left) - 1,
            2 * (y[None, :, None] + moves[:, 1] + 0.5 - top) / (bottom - top) - 1,
        ],
        -1,
    )
    small = F.grid_sample(maps, grid, "bilinear", "zeros", align_corners=False)
    yield Light(_in_region(stage, box), tinted(small, stage.inside.colours.skin))


def _opens(stage: Stage, moment: Moment) -> Tensor:
    """By how many eye distances the lips have parted from where they are in the picture, [T]."""
    gap = moment.placed[:, [13, 312, 82]] - moment.placed[:, [14, 317, 87]]
    rest = stage.points[[13, 312, 82]] - stage.points[[14, 317, 87]]
    down = stage.upright.down
    return ((rest - gap) @ down).mean(1) / stage.scale


def _lids_move(stage: Stage, moment: Moment, ball: Eyeball) -> Tensor:
    """By how many eye distances the lids of an eye have moved, [T]."""
    eye = EYES[ball.side]
    rows = [*eye.upper, *eye.lower]
    moved = moment.placed[:, rows] - stage.points[rows] - _shifted(moment, ball)[:, None]
    return moved.norm(dim=-1).amax(1) / stage.scale


def _mouth(stage: Stage, moment: Moment) -> Iterator[Step]:
    scale = stage.scale
    opened = _opens(stage, moment)
    shown = torch.ones_like(opened) if stage.painted_over else smooth(*MOVED, opened.abs())
    box = box_around(moment.placed[:, [*UPPER_INNER, *LOWER_INNER]], 0.02 * scale + 2, stage.sheets.region)
    if box is None or not bool((shown > 0).any()):
        return
    a, b = stage.upright.over(box)
    top, bottom, open_ = lip_opening(moment.placed, stage.upright, stage.lips, a, b, stage.soft)
    hole = open_ * ((bottom - top) / (0.008 * scale)).clamp(0, 1)
    shift = moment.head[:, [13, 14]].mean(1)
    jaw = moment.amounts[:, stage.names.index("jaw_open")]
    seen = look_inside(
        stage.inside, box, top, bottom, b, shift, jaw, moment.values["tongue_up"], opened, scale
    )
    mask = (hole * shown[:, None, None])[:, None]
    yield Layer(_in_region(stage, box), seen, mask)
    if stage.source.channels == 4:
        yield Layer(_in_region(stage, box), mask.new_full((1, 1, *mask.shape[2:]), 255.0), mask, channel=3)


def _eye(stage: Stage, moment: Moment, ball: Eyeball) -> Iterator[Step]:
    scale, eye = stage.scale, EYES[ball.side]
    shift = _shifted(moment, ball)
    gaze = torch.stack([moment.values["gaze_x"] * GAZE[0], moment.values["gaze_y"] * GAZE[1]], 1) * scale
    # Gaze is along the face's axes.
    gaze = gaze[:, :1] * stage.upright.across + gaze[:, 1:] * stage.upright.down
    moved = _lids_move(stage, moment, ball)
    shown = smooth(*MOVED, moved + gaze.norm(dim=1) / scale)
    rows = [*eye.upper, *eye.lower]
    box = box_around(moment.placed[:, rows], 0.03 * scale + 2, stage.sheets.region)
    if box is None or not bool((shown > 0).any()):
        return
    a, b = stage.upright.over(box)
    graphs = eye_span(stage.points, eye, stage.upright)
    upper, lower = lid_graphs(moment.placed - shift[:, None], eye, stage.upright, graphs)
    turn = torch.stack([shift @ stage.upright.across, shift @ stage.upright.down], -1)
    top, bottom = (_moved_read(graphs, table, a, turn) for table in (upper, lower))
    soft = max(1.0, 0.010 * scale)
    # Beyond the corners both margins go on as one line, which is no opening.
    opening = covered(b - top, soft) * covered(bottom - b, soft) * ((bottom - top) / soft).clamp(0, 1)
    seen = looking(ball, box, shift, gaze)
    lowered = smooth(0.01, 0.06, moved)[:, None, None]
    # The lid's shadow: a dark line beneath its edge, and a soft one over much of the eye.
    beneath = (b - top).clamp(min=0) / scale
    shade = 1 - lowered * (0.30 * torch.exp(-beneath / 0.020) + 0.17 * torch.exp(-beneath / 0.070))
    place = _in_region(stage, box)
    yield Layer(place, seen * shade[:, None], (opening * shown[:, None, None])[:, None])
    # Where the lids meet there is a line of lashes.
    meets = (1 - (bottom - top) / (0.05 * scale)).clamp(0, 1)
    rest_upper = stage.upright.coordinates(stage.points[list(eye.corners)])[:, 0]
    middle, half = rest_upper.mean(), (rest_upper[1] - rest_upper[0]).abs() / 2
    inside = 1 - smooth(0.80, 1.02, ((a - turn[:, :1, None]) - middle).abs() / half)
    line = torch.exp(-(((b - bottom) / (0.014 * scale)) ** 2)) * meets * inside * lowered * 0.70
    yield Layer(place, (stage.inside.colours.skin * 0.25)[None, :, None, None], line[:, None])
