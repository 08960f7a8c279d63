"""An expression on the frames of a video: a rig whose units are those of one frame, and whose points move.

A rig for each frame would be slow, and would shake. So the units' displacements, the folds and the colours
are taken once, from a calm frame, and belong to the points of the mesh; each frame has only its own places
for them, from which two thin sheets are laid anew (see `sheets`). What the person does by themselves, head,
eyes and speech, is in the frame and stays there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import InputError
from .arkit import ARKIT, to_facs
from .canonical import Canonical, canonical_face
from .colours import Colours, colours
from .compose import Moved, Stage, compose_moved
from .expression import INDEX
from .eyes import eyeball, sclera_pixels
from .frame_sheets import Relight, lay_sheets, rows_used
from .glasses import wears_glasses
from .hair import hair_below
from .mixing import Rest, mix
from .mouth import Inside, inside_of
from .patch import Box, Upright, box_around
from .reading import Source
from .shading import Shading, light_of, shading
from .sheets import Sheets, moving_region
from .shut import shutting
from .topology import EYES, LOWER_INNER, SKIN, UPPER_INNER
from .track import columns
from .units import HEAD_POSE, Ground, units
from .units.ground import smooth

_MARGIN = 12  # pixels around the moving region that may be read
_TURNED = (25.0, 42.0)  # degrees of yaw from which an expression is held back, and beyond which none shows
_LIDS_MOVE = 0.02  # amplitude of a lid's unit from which an eye is looked at
_MOUTH, _EMOTION = sorted(columns("mouth")), sorted(columns("emotion"))
_CORNERS, _WIDE = columns("mouth_corners"), [*columns("smile"), *columns("dimple")]
_EARLIER = 1  # levels of 255 by which resampling and rounding may differ from the frame without meaning it


@dataclass(frozen=True, eq=False)
class VideoRig:
    """Puts an expression on any frame that shows the person of one. Make it with `VideoRig.build`.

    names: of the units. moves: [K, N, 3], what they displace on the canonical face, in eye distances. used:
    [M], the points that the sheets are laid through. placed: [N, 2] pixels of the frame it was built from.
    lips: [N], how far a point goes with the mouth where speech replaces the person's own.
    """

    face: Canonical
    ground: Ground
    names: tuple[str, ...]
    moves: Tensor
    used: Tensor
    placed: Tensor
    lips: Tensor
    palette: Colours
    light: Tensor
    shading: Shading

    @classmethod
    @torch.no_grad()
    def build(cls, frame: Tensor, points: Tensor, shapes: Mapping[str, float] | None = None) -> VideoRig:
        """From a frame uint8 [H, W, 3] in which the face is calm, its mouth closed and looking ahead.

        ``points``: [478, 3] as `Rig.build` takes them, ``shapes`` its blend shapes.
        Raises InputError for points that are no face.
        """
        points = points.detach().float().cpu()
        face = canonical_face(points)
        planes = frame.cpu().permute(2, 0, 1).float().contiguous()
        mesh = points[:SKIN, :2]
        ground = Ground.of(
            face.points[:SKIN],
            hair_below(planes, mesh, face.scale),
            wears_glasses(planes, face, shapes),
        )
        moves = units(ground)
        moves["shut"] = shutting(ground, moves, Rest(_gap_of(ground), closes=1.0))
        light = light_of(planes, points, face)
        size = (int(frame.shape[0]), int(frame.shape[1]))
        whole = moving_region(face, size)
        upright = Upright.of(face)
        white = [
            sclera_pixels(planes, points, upright, box, side)
            for side in EYES
            if (box := _eye_box(mesh, side, face.scale, whole)) is not None
        ]
        return cls(
            face,
            ground,
            tuple(moves),
            torch.stack(list(moves.values())),
            rows_used(ground),
            face.place(ground.points),
            _lips(ground),
            colours(planes, mesh, torch.cat(white) if white else torch.zeros(0, 3)),
            light,
            shading(face, planes, points),
        )

    @torch.no_grad()
    def apply(
        self,
        frame: Tensor,
        points: Tensor,
        parameters: Tensor,
        own: Mapping[str, float] | None = None,
        *,
        replace_lips: bool = False,
        share: float = 1.0,
    ) -> Tensor:
        """A frame uint8 [H, W, 3] with the emotion's part of ``parameters`` [P] added, uint8 [H, W, 3].

        What does not move stays bit for bit; so does the whole frame where there is nothing to add.

        Args:
            points: [478, 3], where the face is in this frame.
            own: its own blend shapes: what it shows already is not shown twice, and closed eyes stay closed.
            replace_lips: the mouth's parameters move the lips, instead of the person's own speech.
            share: how much of everything is done, 0 to 1: for frames next to those that have no face.
        """
        points = points.detach().float().cpu()
        try:
            face = canonical_face(points)
        except InputError:  # so small, or so distorted, that nothing can be drawn
            return frame
        share = share * float(1 - smooth(*_TURNED, torch.tensor(abs(face.yaw))))
        wanted = self._wanted(parameters, own, replace_lips)
        if share <= 0 or not (replace_lips or bool((wanted != 0).any())):
            return frame
        amounts = self._amplitudes(wanted, own, replace_lips) * share
        box, region = _boxes(face, (int(frame.shape[0]), int(frame.shape[1])))
        origin = points.new_tensor([box[0], box[1], 0.0])
        points, face = points - origin, replace(face, centre=face.centre - origin)
        planes = frame[box[1] : box[3], box[0] : box[2]].permute(2, 0, 1).float().contiguous()
        here = Ground.of(face.points[:SKIN])
        back = (share * self.lips)[:, None] * (self.ground.points - here.points) if replace_lips else None
        if not replace_lips:
            amounts = self._lips_left(amounts, face)
        moved = torch.einsum("k,knc->nc", amounts, self.moves) + (0 if back is None else back)
        values = torch.cat([face.project(moved), self.placed], 1)[self.used]
        laid = lay_sheets(face, here, values, self.used, region)
        kept = laid.unfolded
        amounts = amounts * kept
        if back is not None:
            resting = face.points.clone()
            resting[:SKIN] += kept * back[:SKIN]
            face = replace(face, points=resting)
            points = points.clone()
            points[:SKIN, :2] = face.place(face.points[:SKIN])
        stage = self._stage(planes, points, face, laid.sheets, amounts, replace_lips)
        none, tongue = amounts.new_zeros(1), parameters[None, INDEX["tongue_up"]].clamp(0, 1)
        more = {"gaze_x": none, "gaze_y": none, "tongue_up": tongue}
        placed = stage.points + torch.einsum("tk,knc->tnc", amounts[None], stage.displaced)
        where = Moved(kept * laid.sheets.upper, kept * laid.sheets.lower, placed)
        light = Relight(self.shading, laid.chart)
        ((drawn,),) = compose_moved(stage, amounts[None], more, where, light)
        drawn = drawn.add_(0.5).clamp_(0, 255.4).to(torch.uint8).permute(1, 2, 0)
        result = frame.clone()
        x0, x1, y0, y1 = region[0] + box[0], region[2] + box[0], region[1] + box[1], region[3] + box[1]
        before = frame[y0:y1, x0:x1]
        same = (drawn.short() - before.short()).abs().amax(2, keepdim=True) <= _EARLIER
        result[y0:y1, x0:x1] = torch.where(same, before, drawn)
        return result

    def _wanted(self, parameters: Tensor, own: Mapping[str, float] | None, lips: bool) -> Tensor:
        """What is to be added to what the face shows by itself, [P]."""
        wanted = torch.zeros_like(parameters)
        wanted[_EMOTION] = parameters[_EMOTION]
        if own:
            shown = to_facs(torch.tensor([[float(own.get(name, 0.0)) for name in ARKIT]]))[0].clamp(0, 1)
            if lips:  # what the person's own mouth shows is taken away
                shown[_CORNERS] = 0.0
            wanted[_EMOTION] *= 1 - shown[_EMOTION] * (wanted[_EMOTION] > 0)
            if not lips:  # lips that are rounded for a vowel are not pulled wide
                rounded = shown[[INDEX["lip_pucker"], INDEX["lip_funnel"]]].max()
                wanted[_WIDE] *= 1 - 0.6 * rounded
        if lips:
            wanted[_MOUTH] = parameters[_MOUTH]
        return wanted

    def _amplitudes(self, wanted: Tensor, own: Mapping[str, float] | None, lips: bool) -> Tensor:
        """[K]; eyes that are closed in the frame are not opened, nor are they closed twice."""
        rows = wanted.clone()
        for side, name in (("l", "eyeBlinkLeft"), ("r", "eyeBlinkRight")):
            rows[INDEX[f"blink_{side}"]] = min(1.0, 1.3 * float((own or {}).get(name, 0.0)))
        rest = Rest(_gap_of(self.ground), closes=1.0) if lips else Rest()
        amounts = mix(rows[None], rest, self.names)[0]
        for side in EYES:
            amounts[self.names.index(f"blink_{side}")] = 0.0
        return amounts

    def _lips_left(self, amounts: Tensor, face: Canonical) -> Tensor:
        """The same with lips that are as far apart as in the frame."""
        moved = face.project(torch.einsum("k,knc->nc", amounts, self.moves[:, :SKIN]))
        down = Upright.of(face).down
        opened = float(((moved[[14, 317, 87]] - moved[[13, 312, 82]]) @ down).mean())
        closing = face.project(self.moves[self.names.index("close"), :SKIN])
        closed = float(((closing[[13, 312, 82]] - closing[[14, 317, 87]]) @ down).mean())
        result = amounts.clone()
        if abs(closed) > 1e-6:
            result[self.names.index("close")] += opened / closed
        return result

    def _stage(
        self,
        planes: Tensor,
        points: Tensor,
        face: Canonical,
        sheets: Sheets,
        amounts: Tensor,
        lips: bool,
    ) -> Stage:
        mesh, upright, scale, region = points[:SKIN, :2], Upright.of(face), face.scale, sheets.region
        balls = []
        for side in EYES:
            box = _eye_box(mesh, side, scale, region)
            moves = [n for n, name in enumerate(self.names) if name.endswith(f"_{side}") and "lid" in name]
            if box is not None and float(amounts[moves].abs().max()) > _LIDS_MOVE:
                balls.append(eyeball(planes, points, upright, box, side, self.palette.sclera, scale))
        box = box_around(mesh[[*UPPER_INNER, *LOWER_INNER]], 0.10 * scale, region) or region
        inside = (
            inside_of(planes, points, face, upright, box, self.palette, self.light, 0.0)
            if lips
            else _nothing_inside(self.palette)
        )
        return Stage(
            Source.of(planes, region, _MARGIN, fine=False),  # of one frame: not worth a copy
            mesh,
            torch.stack([face.project(move) for move in self.moves[:, :SKIN]]),
            self.names,
            torch.tensor([float(name in HEAD_POSE) for name in self.names]),
            sheets,
            upright,
            tuple(balls),
            inside,
            self.shading,
            scale,
            0.0,
        )


def _boxes(face: Canonical, size: tuple[int, int]) -> tuple[Box, Box]:
    """(the part of a frame that is read, the moving region in it), of a frame of ``size`` (H, W)."""
    x0, y0, x1, y1 = moving_region(face, size)
    left, top = max(0, x0 - _MARGIN), max(0, y0 - _MARGIN)
    box = (left, top, min(size[1], x1 + _MARGIN), min(size[0], y1 + _MARGIN))
    return box, (x0 - left, y0 - top, x1 - left, y1 - top)


def _eye_box(mesh: Tensor, side: str, scale: float, within: Box) -> Box | None:
    eye = EYES[side]
    return box_around(mesh[[*eye.upper, *eye.lower]], 0.16 * scale, within)


def _gap_of(ground: Ground) -> float:
    """How far the lips are apart in the frame that a rig was built from, in eye distances."""
    skin = ground.points
    return float((skin[[14, 317, 87], 1] - skin[[13, 312, 82], 1]).mean().clamp(min=0))


def _lips(ground: Ground) -> Tensor:
    """How far points go with the mouth where speech replaces the person's own: 1 on lips, chin and the jaw's
    skin, 0 from the nose's base and the cheekbones up, [N]."""
    nose, mouth = float(ground.at(2)[1]), float(ground.mouth[1])
    below = smooth(nose - 0.05, nose + 0.35 * (mouth - nose), ground.y)
    aside = 1 - smooth(1.0, 1.6, ground.x.abs() / max(ground.mouth_half, 1e-3) / 2.2)
    return below * aside * (1 - smooth(1.0, 1.5, ground.ring))  # the neck stays where it is


def _nothing_inside(palette: Colours) -> Inside:
    """For lips that stay as they are: nothing is looked into, only the skin's colour is asked for."""
    from .teeth import RowPicture

    none = RowPicture(torch.zeros(3, 1, 1), torch.zeros(1, 1, 1), (0, 0, 1, 1))
    zero = torch.zeros(2)
    return Inside(none, none, None, palette, zero, zero, zero)
