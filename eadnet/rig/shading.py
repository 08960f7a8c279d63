"""Relighting: how bright each place of the skin becomes when its surface tilts.

The light is read off the picture (least squares of its brightness on the mesh's normals), the surface is the
mesh's own relief, and the change is a ratio, so the picture's own colours and texture stay:
out = in · (a + n₁·l) / (a + n₀·l) · e^hollow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .blur import blurred
from .canonical import Canonical
from .colours import luminance, sampled
from .relief import Relief, relief
from .topology import CHEEKBONE, EYES, FOREHEAD, SKIN

FINEST = 72.0  # pixels of the maps to an eye distance
AMBIENT = 0.55
_REACH = ((-1.35, -1.35), (1.35, 2.0))
_DEEPEST, _BRIGHTEST = -0.75, 0.30
_BROWS, _BEHIND = ("brow_", "inner_brow", "outer_brow"), 0.3  # what folds behind glasses, and how much
_SOCKET = 0.75  # of the brightness of the skin, what an open socket has
_WARM = 0.4  # of red, that blue lacks in skin
_PLAIN_LIGHT = (0.0, -0.45, -0.89)


def light_of(picture: Tensor, points: Tensor, face: Canonical) -> Tensor:
    """The direction to the light in the face's canonical axes, [3], unit length.

    Brightness at the mesh's points is taken for c + l·n; the answer is drawn towards a light from above and
    in front, by as much as the picture says little.
    """
    normals, _ = mesh_normals(face)
    bright = luminance(sampled(picture, points[:SKIN, :2]))
    facing = normals[:, 2] < -0.35
    value = bright / bright[facing].mean().clamp(min=1)
    # The middle half: brows, eyes, lips, highlights and hair say nothing of the light.
    low, high = value[facing].quantile(0.2), value[facing].quantile(0.95)
    use = facing & (value >= low) & (value <= high)
    basis = torch.cat([normals[use], torch.ones(int(use.sum()), 1)], 1)
    prior = torch.tensor([*_PLAIN_LIGHT, 0.0]) * 0.45
    weight = 0.10 * len(basis) * torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.01]))
    found = torch.linalg.solve(basis.T @ basis + weight, basis.T @ value[use] + weight @ prior)[:3]
    found[2] = found[2].clamp(max=-0.15)
    return found / found.norm().clamp(min=1e-6)


def tinted(maps: Tensor, skin: Tensor) -> Tensor:
    """log of a ratio of brightness [T, 1, h, w] -> factors [T, 3, h, w] for red, green and blue.

    Dark loses red last, as light does that has gone through skin; in a grey picture it has no colour.
    """
    warm = float(((skin[0] - skin[2]) / skin[0].clamp(min=1) / _WARM).clamp(0, 1))
    rates = maps.new_tensor([1 - 0.34 * warm, 1.0, 1 + 0.08 * warm])
    return torch.exp(maps * rates[:, None, None])


def mesh_normals(face: Canonical) -> tuple[Tensor, Tensor]:
    """(unit normals [468, 3], points [468, 3]) of the skin, from a plane through each point's neighbours."""
    points = face.points[:SKIN]
    near = torch.cdist(points, points).topk(9, largest=False).indices
    around = points[near] - points[near].mean(1, keepdim=True)
    _, vectors = torch.linalg.eigh(around.transpose(1, 2) @ around)
    normals = vectors[:, :, 0]
    away = points - torch.tensor([0.0, 0.6, 1.2])
    normals = normals * torch.sign((normals * away).sum(1, keepdim=True))
    return normals, points


@dataclass(frozen=True, eq=False)
class Shading:
    """Maps over a box of the picture, in the picture's own place (they are warped with the skin).

    names: of the actions. slopes: [K, 2, h, w], change of the surface's gradient. hollow: [K, h, w].
    gradient: [2, h, w], of the surface at rest. box: (x0, y0, x1, y1) pixels. light: [3].
    """

    names: tuple[str, ...]
    slopes: Tensor
    hollow: Tensor
    gradient: Tensor
    cover: Tensor
    box: tuple[float, float, float, float]
    light: Tensor

    def to(self, device: torch.device) -> Shading:
        moved = {
            name: getattr(self, name).to(device)
            for name in ("slopes", "hollow", "gradient", "cover", "light")
        }
        return replace(self, **moved)

    def maps(self, amounts: Tensor, slopes: Tensor | None = None) -> Tensor:
        """log of the brightness' ratio, [T, 1, h, w], for amounts [T, K] of the actions.

        slopes: [T, 2, h, w], further change of the gradient, from the mesh's own depth.
        """
        frames, (height, width) = len(amounts), self.gradient.shape[1:]
        change = (amounts @ self.slopes.flatten(1)).reshape(frames, 2, height, width)
        if slopes is not None:
            change = change + slopes
        hollow = (amounts @ self.hollow.flatten(1)).reshape(frames, height, width)
        ratio = torch.log(self._lit(self.gradient[None] + change) / self._lit(self.gradient[None]))
        result = (ratio + hollow).clamp(_DEEPEST, _BRIGHTEST) * self.cover
        return result[:, None]

    def _lit(self, gradient: Tensor) -> Tensor:
        """a + (1 - a) n·l of a surface with gradient [T, 2, h, w] of its height towards the viewer."""
        length = torch.sqrt(1 + gradient.square().sum(1))
        facing = (-gradient[:, 0] * self.light[0] - gradient[:, 1] * self.light[1] - self.light[2]) / length
        # Soft at the terminator: skin scatters light into its own shadow.
        return AMBIENT + (1 - AMBIENT) * F.softplus(facing, beta=6.0)


def shading(face: Canonical, picture: Tensor, points: Tensor, glasses: bool = False) -> Shading:
    """The maps of a face in a picture [3, H, W] with mesh [468, 2 or 3]; brows behind glasses fold little."""
    (left, top), (right, bottom) = _REACH
    per = min(FINEST, face.scale)
    # Boxes in the picture's plane: the face is turned in it, so take what its corners reach.
    corners = torch.tensor([(x, y, 0.0) for x in (left, right) for y in (top, bottom)])
    placed = face.project(corners) / face.scale
    low, high = placed.amin(0), placed.amax(0)
    width, height = (
        max(8, int((end - start) * per)) for start, end in zip(low.tolist(), high.tolist(), strict=True)
    )
    xs = low[0] + (torch.arange(width) + 0.5) * (high[0] - low[0]) / width
    ys = low[1] + (torch.arange(height) + 0.5) * (high[1] - low[1]) / height
    places = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)
    drawn: Relief = relief(face, places)
    step = (float((high[0] - low[0]) / width), float((high[1] - low[1]) / height))
    slopes = torch.stack([_gradient(h, step) for h in drawn.height])
    rest = _rest_height(face, places)
    gradient = _gradient(rest, step)
    steep = gradient.square().sum(0).sqrt()
    cover = (1.6 - steep).clamp(0, 1)  # near the outline the surface is seen edge-on, and maps end
    edge = torch.minimum(
        torch.minimum(xs - low[0], high[0] - xs)[None], torch.minimum(ys - low[1], high[1] - ys)[:, None]
    )
    cover = cover * (edge / 0.15).clamp(0, 1)
    still = torch.tensor([_BEHIND if glasses and name.startswith(_BROWS) else 1.0 for name in drawn.names])
    slopes = slopes * still[:, None, None, None]
    hollow = still[:, None, None] * _opened_sockets(drawn, face, picture, places)
    centre = face.centre[:2]
    box = (
        float(centre[0] + face.scale * low[0]),
        float(centre[1] + face.scale * low[1]),
        float(centre[0] + face.scale * high[0]),
        float(centre[1] + face.scale * high[1]),
    )
    light = face.axes @ light_of(picture, points, face)  # in the picture's axes, like the maps
    return Shading(drawn.names, slopes, hollow, gradient, cover, box, light)


def _opened_sockets(drawn: Relief, face: Canonical, picture: Tensor, places: Tensor) -> Tensor:
    """The hollows, with the shade between lid and brow taken back as the brow rises: [K, h, w].

    A raised brow lets light into the socket; its dark pixels, pulled out over more skin, would be a smear.
    """
    hollow = drawn.hollow.clone()
    pixels = face.centre[:2] + face.scale * places.reshape(-1, 2)
    light = luminance(sampled(picture, pixels)).reshape(1, 1, *places.shape[:2])
    light = blurred(light, 0.10 * FINEST)[0, 0]  # soft, or hair of the brow would be lit as well
    for side, eye in EYES.items():
        rows = [*eye.upper, *eye.crease, *eye.above]
        skin = face.points[rows]
        middle = face.project(skin).mean(0) / face.scale
        reach = skin.amax(0) - skin.amin(0)
        away = (places - middle) @ _upright_axes(face)
        band = torch.exp(-((away[..., 0] / (0.55 * reach[0])) ** 4) - (away[..., 1] / (0.60 * reach[1])) ** 4)
        lit = luminance(sampled(picture, face.place(face.points[[FOREHEAD, *CHEEKBONE.values()]]))).median()
        shade = torch.log((_SOCKET * lit).clamp(min=1) / light.clamp(min=1)).clamp(0, 0.4)
        for name in (f"inner_brow_up_{side}", f"outer_brow_up_{side}"):
            hollow[drawn.names.index(name)] += 0.5 * shade * band
    return hollow


def _upright_axes(face: Canonical) -> Tensor:
    """Across and down the face in the picture's plane, the columns of [2, 2]."""
    x = face.axes[:2, 0] / face.axes[:2, 0].norm()
    return torch.stack([x, torch.stack([-x[1], x[0]])], 1)


def _rest_height(face: Canonical, places: Tensor) -> Tensor:
    """Height of the face towards the viewer, over places in eye distances, [h, w]."""
    from .spline import thin_plate

    placed = face.points[:SKIN] @ face.axes.T
    height = -placed[:, 2:]
    return thin_plate(placed[:, :2], height, places.reshape(-1, 2), 5e-3).reshape(places.shape[:2])


def _gradient(height: Tensor, step: tuple[float, float]) -> Tensor:
    """[2, h, w], along x and y."""
    dy, dx = torch.gradient(height)
    return torch.stack([dx / step[0], dy / step[1]])
