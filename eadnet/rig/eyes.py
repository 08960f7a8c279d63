"""Eyes: the eyeball behind the lids, looked at through the opening that the lids leave."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .blur import blurred, diffused
from .colours import luminance
from .curves import Graphs, covered
from .patch import Box, Upright
from .topology import EYES, Eye

GAZE = (0.13, 0.075)  # eye distances that gaze_x and gaze_y of 1 shift the iris by
_SPREAD = (2.0, 6.0, 14.0, 30.0)  # pixels, on an eye distance of 130
_BINS = 14
_SMOOTH_AT = 160.0  # pixels to an eye distance that are enough for what is smooth
_LASHES = 0.045  # eye distances from the lids' margins that lashes reach
_DARK_IRIS, _DARK_WHITE = 0.60, 0.42  # of the usual brightness there: darker is no eye
_BALL, _BROW_SHADE = 0.21, 0.12  # radius of an eyeball in eye distances; how much darker its top is
_LIT = 0.75  # of the way from the shade of a lid to the white of the eye


@dataclass(frozen=True, eq=False)
class Eyeball:
    """One eye of the picture with its lids painted away.

    seen: [3, h, w], the picture's own pixels where they show, else `whole`. whole: the completed eyeball,
    for gaze.
    box: where both lie in the picture. centre: [2] pixels, radius: of the iris.
    """

    side: str
    seen: Tensor
    whole: Tensor
    box: Box
    centre: Tensor
    radius: float

    def to(self, device: torch.device) -> Eyeball:
        return Eyeball(
            self.side,
            self.seen.to(device),
            self.whole.to(device),
            self.box,
            self.centre.to(device),
            self.radius,
        )


def iris_of(points: Tensor, eye: Eye) -> tuple[Tensor, float]:
    """Centre [2] and radius in pixels of an iris; without iris points the middle of the eye stands in."""
    if len(points) > eye.iris[0]:
        centre = points[eye.iris[0], :2]
        return centre, float((points[list(eye.iris[1:]), :2] - centre).norm(dim=1).mean())
    corners = points[list(eye.corners), :2]
    middle = (points[eye.upper[4], :2] + points[eye.lower[4], :2]) / 2
    return middle, 0.21 * float((corners[1] - corners[0]).norm())


def lid_graphs(points: Tensor, eye: Eye, upright: Upright, graphs: Graphs) -> tuple[Tensor, Tensor]:
    """Margins of both lids of T frames: landmarks [T, 468, 2] -> tables [T, samples]; they never cross."""
    upper = graphs.table(upright.coordinates(points[:, list(eye.upper)]))
    lower = graphs.table(upright.coordinates(points[:, list(eye.lower)]))
    return upper, torch.maximum(lower, upper)


def eye_span(points: Tensor, eye: Eye, upright: Upright) -> Graphs:
    """A table over the width of an eye [468, 2] at rest."""
    a = upright.coordinates(points[list(eye.corners), :2])[:, 0]
    room = 0.25 * float((a[1] - a[0]).abs())
    return Graphs(float(a.min()) - room, float(a.max()) + room)


def sclera_pixels(picture: Tensor, points: Tensor, upright: Upright, box: Box, side: str) -> Tensor:
    """Pixels [n, 3] of the white of an eye, well inside the lids and outside the iris."""
    eye = EYES[side]
    inside, beyond = _zones(points, upright, box, eye, inset=1.5)
    x0, y0, x1, y1 = box
    return picture[:, y0:y1, x0:x1][:, (inside > 0.5) & (beyond > 1.12)].T


def _zones(points: Tensor, upright: Upright, box: Box, eye: Eye, inset: float) -> tuple[Tensor, Tensor]:
    """(inside the lids 0..1, distance from the iris' middle in its radii), each [h, w]."""
    a, b = upright.over(box)
    graphs = eye_span(points, eye, upright)
    upper, lower = lid_graphs(points[None, :, :2], eye, upright, graphs)
    places = graphs.places(a)
    top, bottom = graphs.read(upper, places)[0], graphs.read(lower, places)[0]
    inside = covered(b - top - inset) * covered(bottom - b - inset)
    centre, radius = iris_of(points, eye)
    middle = upright.coordinates(centre)
    return inside, torch.hypot(a - middle[0], b - middle[1]) / max(radius, 1.0)


def eyeball(
    picture: Tensor, points: Tensor, upright: Upright, box: Box, side: str, sclera: Tensor, scale: float
) -> Eyeball:
    """Complete an eyeball from a picture [3, H, W]: the white by diffusion, the iris by radius."""
    eye = EYES[side]
    x0, y0, x1, y1 = box
    tile = picture[:, y0:y1, x0:x1]
    inside, radii = _zones(points, upright, box, eye, inset=max(1.0, 0.012 * scale))
    inside = inside * _not_lashes(tile, inside, radii, _deep(points, upright, box, eye, scale), sclera)
    white = _white(tile, inside * (radii > 1.08), sclera, scale)
    # The rim of the opening is in the lids' shadow, so what diffuses from it is darker than the white that a
    # wide eye shows.
    light, wanted = luminance(white.movedim(0, -1)), luminance(sclera)
    white = white * (1 + _LIT * (wanted / light.clamp(min=1) - 1).clamp(0, 2))
    centre, radius = iris_of(points, eye)
    white = white * _round(upright, box, centre, scale)
    disc = _iris(tile, inside, radii, sclera)
    edge = ((1.06 - radii) * radius / max(1.0, 0.09 * radius) + 0.5).clamp(0, 1)
    whole = white * (1 - edge) + disc * edge
    keep = blurred(inside[None, None], max(0.6, 0.01 * scale))[0]
    return Eyeball(side, tile * keep + whole * (1 - keep), whole, box, centre, radius)


def _round(upright: Upright, box: Box, centre: Tensor, scale: float) -> Tensor:
    """How much light comes back from each place of a ball that lies below a brow, [h, w] in 0..1."""
    a, b = upright.over(box)
    middle = upright.coordinates(centre)
    dx, dy = (a - middle[0]) / (_BALL * scale), (b - middle[1]) / (_BALL * scale)
    facing = (1 - dx**2 - dy**2).clamp(min=0.04).sqrt()
    return (0.74 + 0.26 * facing) * (1 - _BROW_SHADE * (-dy).clamp(0, 1))


def _deep(points: Tensor, upright: Upright, box: Box, eye: Eye, scale: float) -> Tensor:
    """1 well between the lids, 0 at their margins, where lashes and their shadows are, [h, w]."""
    inside, _ = _zones(points, upright, box, eye, inset=_LASHES * scale)
    return inside


def _not_lashes(tile: Tensor, inside: Tensor, radii: Tensor, deep: Tensor, sclera: Tensor) -> Tensor:
    """0 where a pixel beside the lids is much darker than the eye itself is there: lashes and lines drawn on
    the margin, which stay with the lid; [h, w]."""
    light = luminance(tile.movedim(0, -1))
    iris = luminance(_iris(tile, inside * deep, radii, sclera).movedim(0, -1))
    # Between both, the iris' own dark rim.
    least = torch.where(
        radii < 0.85,
        _DARK_IRIS * iris,
        torch.where(radii > 1.35, _DARK_WHITE * luminance(sclera), iris * 0.4),
    )
    dark = ((light < least) & (deep < 0.5)).float()
    return 1 - (blurred(dark[None, None], 1.0)[0, 0] * 5).clamp(0, 1)


def _white(tile: Tensor, seen: Tensor, sclera: Tensor, scale: float) -> Tensor:
    """The white of an eye [3, h, w], carried on from where it is `seen` [h, w].

    It is smooth, so in a large picture it is found on a smaller one.
    """
    size = tile.shape[1:]
    smaller = max(1, round(scale / _SMOOTH_AT))
    if smaller > 1:
        weighted = F.avg_pool2d(torch.cat([tile * seen, seen[None]]), smaller, ceil_mode=True)
        seen = weighted[3]
        tile, scale = weighted[:3] / seen.clamp(min=1e-4), scale / smaller
    white, _ = diffused(tile, seen, tuple(max(0.5, s * scale / 130) for s in _SPREAD))
    share = blurred(seen[None, None], 30 * scale / 130)[0, 0]
    white = torch.where((share > 1e-3)[None], white, sclera[:, None, None])
    if smaller > 1:
        white = F.interpolate(white[None], size, mode="bilinear", align_corners=False)[0]
    return white


def _iris(tile: Tensor, inside: Tensor, radii: Tensor, sclera: Tensor) -> Tensor:
    """The iris where it is seen, and its median colour at each radius where it is not; [3, h, w]."""
    seen = (inside > 0.5) & (radii < 1.08)
    bins = (radii * (_BINS - 2)).long().clamp(0, _BINS - 1)
    last, profile = sclera * 0.3, []
    for ring in range(_BINS):
        chosen = seen & (bins == ring)
        if int(chosen.sum()) > 2:
            last = tile[:, chosen].median(1).values
        profile.append(last)
    radial = torch.stack(profile, 1)[:, bins]
    soft = blurred(seen[None, None].float(), 0.8)[0]
    return tile * soft + radial * (1 - soft)


def looking(ball: Eyeball, box: Box, shift: Tensor, gaze: Tensor) -> Tensor:
    """What an eye shows in the pixels of a box: [T, 3, h, w].

    shift: [T, 2] pixels that the head moves the eye by. gaze: [T, 2] pixels that the iris moves by; around
    it the eyeball follows, w = exp(-(dx / 2.3 r)⁴ - (dy / 2.2 r)⁴).
    """
    x0, y0, x1, y1 = box
    device = ball.seen.device
    x = torch.arange(x0, x1, dtype=torch.float32, device=device)[None, None] - shift[:, 0, None, None]
    y = torch.arange(y0, y1, dtype=torch.float32, device=device)[None, :, None] - shift[:, 1, None, None]
    away = gaze.norm(dim=1)
    still = (1 - away / (0.35 * ball.radius)).clamp(0, 1)[:, None, None, None]
    result = _read(ball.seen, ball.box, x, y)
    if bool((away > 0.05).any()):
        dx = (x - ball.centre[0] - gaze[:, 0, None, None]) / (2.3 * ball.radius)
        dy = (y - ball.centre[1] - gaze[:, 1, None, None]) / (2.2 * ball.radius)
        follow = torch.exp(-(dx**4) - dy**4)
        turned = _read(
            ball.whole, ball.box, x - gaze[:, 0, None, None] * follow, y - gaze[:, 1, None, None] * follow
        )
        result = result * still + turned * (1 - still)
    return result


def _read(tile: Tensor, box: Box, x: Tensor, y: Tensor) -> Tensor:
    """A tile [C, h, w] that lies at `box`, at positions x [T, 1 or h, w] and y of it: [T, C, h, w].

    The tile may be coarser than the picture.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = torch.broadcast_tensors(x, y)
    grid = torch.stack([(2 * (x - box[0]) + 1) / width - 1, (2 * (y - box[1]) + 1) / height - 1], -1)
    source = tile[None].expand(len(grid), -1, -1, -1)
    return F.grid_sample(source, grid.to(tile.dtype), "bilinear", "border", align_corners=False)


def read_tile(tile: Tensor, box: Box, x: Tensor, y: Tensor) -> Tensor:
    """See `_read`; for the mouth."""
    return _read(tile, box, x, y)
