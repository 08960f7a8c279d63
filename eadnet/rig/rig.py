"""The rig: a picture and its mesh in, frames with any expression out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from .borders import towards_borders
from .canonical import Canonical, canonical_face
from .colours import colours
from .compose import Stage, compose
from .covers import hidden
from .expression import INDEX, PARAMETERS
from .eyes import eyeball, sclera_pixels
from .glasses import wears_glasses
from .hair import hair_below
from .mixing import Rest, mix
from .mouth import inside_of
from .patch import Box, Upright, box_around
from .reading import Source
from .rest import rest_of
from .shading import light_of, shading
from .sheets import sheets
from .shut import painted_over, shutting
from .topology import EYES, LOWER_INNER, SKIN, UPPER_INNER
from .track import Track
from .units import HEAD_POSE, Ground, units
from .units.mouth import JAW_GAP, by_jaw

VERSION = 7
MOST_TURNED = 35.0  # degrees of yaw
WARNED_TURNED = 18.0
PIECE = 4
SMALL_EYES = 24.0  # pixels between the eyes below which a picture is enlarged
_MOST_TIMES, _LONGEST = 4, 4096  # how far, and to how many pixels of the longer side


@dataclass(frozen=True, eq=False)
class Rig:
    """A face that is ready to move. Make one with `Rig.build`."""

    face: Canonical
    rest: Rest
    stage: Stage
    picture: Tensor  # uint8 [H, W, C], as it was given
    notes: tuple[str, ...]

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        picture: Tensor,
        points: Tensor,
        *,
        shapes: Mapping[str, float] | None = None,
        calm: float | None = None,
        device: torch.device | str | None = None,
    ) -> Rig:
        """Prepare a picture; one whose face is small is enlarged, which `notes` say.

        Args:
            picture: [H, W, 1, 3 or 4], uint8 or float 0..1.
            points: [478 or 468, 3] in pixels, (0, 0) at the middle of the first one; z as MediaPipe's, in
            pixels.
            shapes: the picture's own 52 blend shapes by ARKit's names, where they are known.
            calm: how much of the picture's own expression is taken back, 0 to 1. None: all of a strong one,
            and none
                of a face at rest, so that zero parameters give the picture itself.
            device: where frames are computed; None: where the picture is.

        Raises:
            InputError: no picture, no mesh, a face that is too small or turned by more than 35 degrees.
        """
        given, points = _as_bytes(picture), points.detach().cpu()
        face = canonical_face(points)
        notes = _turned(face)
        _inside(points, (given.shape[0], given.shape[1]))
        times = _times(face, given)
        if times > 1:
            given, points = _enlarged(given, times), points.float() * times
            points[:, :2] += 0.5 * (times - 1)
            notes = (
                *notes,
                f"The face is small, its eyes are {face.scale:.0f} pixels apart: the picture is enlarged "
                f"{times} times, to {given.shape[1]} x {given.shape[0]} pixels.",
            )
            face = canonical_face(points)
        height, width = given.shape[:2]
        planes = given.cpu().permute(2, 0, 1).float()
        planes = planes.expand(3, -1, -1).contiguous() if len(planes) == 1 else planes.contiguous()
        mesh = points.float()[:SKIN, :2]
        glasses = wears_glasses(planes[:3], face, shapes)
        if glasses:
            notes = (*notes, "The face wears glasses: brows and cheeks move little behind the frame.")
        held, covered, more = hidden(planes[:3], mesh, face)
        notes = (*notes, *more)
        ground = Ground.of(face.points[:SKIN], hair_below(planes[:3], mesh, face.scale), glasses)
        rest, more = rest_of(face, shapes, calm)
        rest = replace(rest, still=held)
        moves = units(ground)
        if rest.closes > 0:
            moves["shut"] = shutting(ground, moves, rest)
        fields = sheets(face, ground, moves, (height, width))
        hanging = by_jaw(rest.gap * rest.closes) / JAW_GAP
        stage = _stage(
            planes, points.float(), face, fields, moves, glasses, covered, rest.closes > 0, hanging
        )
        target = torch.device(device) if device is not None else picture.device
        return cls(face, rest, stage.to(target), given, (*notes, *more))

    # What it knows of the picture.

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.picture.shape[0], self.picture.shape[1]

    @property
    def region(self) -> Box:
        """(x0, y0, x1, y1): no pixel outside ever changes."""
        return self.stage.sheets.region

    @property
    def yaw(self) -> float:
        return self.face.yaw

    @property
    def pitch(self) -> float:
        return self.face.pitch

    @property
    def roll(self) -> float:
        return self.face.roll

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that decides its pixels."""
        digest = hashlib.sha256(f"rig {VERSION} {self.rest}".encode())
        digest.update(self.picture.cpu().contiguous().numpy().tobytes())
        digest.update(self.face.points.numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> Rig:
        """The same rig, computing elsewhere."""
        return replace(self, stage=self.stage.to(torch.device(device)))

    # What it does.

    def amplitudes(self, parameters: Tensor) -> Tensor:
        """Parameters [T, P] -> amplitudes of the units [T, K]."""
        rows = _rows(parameters).to(self.stage.points.device)
        return mix(rows, self.rest, self.stage.names)

    @torch.no_grad()
    def landmarks(self, parameters: Tensor) -> Tensor:
        """Where the rig puts the mesh: parameters [T, P] -> [T, 468, 2] pixels."""
        return self.stage.moved(self.amplitudes(parameters)).placed.cpu()

    @torch.no_grad()
    def gap(self, parameters: Tensor) -> Tensor:
        """How far the inner lips are apart, in eye distances: parameters [T, P] -> [T]."""
        placed = self.stage.moved(self.amplitudes(parameters)).placed
        opening = (placed[:, [14, 317, 87]] - placed[:, [13, 312, 82]]) @ self.stage.upright.down
        return opening.mean(1).clamp(min=0).cpu() / self.face.scale

    def render(self, parameters: Tensor | Track, piece: int = PIECE) -> Iterator[Tensor]:
        """Frames of parameters [T, P], `piece` at a time: uint8 [t, H, W, C] on the processor.

        Raises InputError for parameters of another shape or that are not finite.
        """
        rows = _rows(parameters.values if isinstance(parameters, Track) else parameters)
        return (self._piece(part) for part in rows.split(max(1, piece)))

    def frames(self, parameters: Tensor | Track) -> Tensor:
        """All frames at once, uint8 [T, H, W, C]."""
        return torch.cat(list(self.render(parameters)))

    @torch.no_grad()
    def _piece(self, rows: Tensor) -> Tensor:
        rows = rows.to(self.stage.points.device)
        values = {name: rows[:, INDEX[name]].clamp(-1, 1) for name in ("gaze_x", "gaze_y", "tongue_up")}
        frames = self.picture.expand(len(rows), -1, -1, -1).clone()
        x0, y0, x1, y1 = self.region
        done = 0
        for moved in compose(self.stage, self.amplitudes(rows), values):
            if self.picture.shape[2] == 1:
                moved = (moved * moved.new_tensor([0.30, 0.59, 0.11])[:, None, None]).sum(1, keepdim=True)
            drawn = moved.add_(0.5).clamp_(0, 255.4).to(torch.uint8).to(frames.device)
            for channel in range(drawn.shape[1]):  # one at a time is quicker than all in one go
                frames[done : done + len(drawn), y0:y1, x0:x1, channel] = drawn[:, channel]
            done += len(drawn)
        return frames


def _as_bytes(picture: Tensor) -> Tensor:
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or 0 in picture.shape:
        raise InputError(
            f"The picture has shape {list(picture.shape)}: the rig needs [height, width, 1, 3 or 4 channels]."
        )
    if picture.dtype == torch.uint8:
        return picture.cpu()
    if not bool(torch.isfinite(picture).all()):
        raise InputError("The picture has values that are not finite: load it again.")
    return (picture.detach().cpu().float().clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def _rows(parameters: Tensor) -> Tensor:
    if parameters.ndim != 2 or parameters.shape[1] != len(PARAMETERS):
        raise InputError(
            f"The facial parameters have shape {list(parameters.shape)}: give [frames, {len(PARAMETERS)}]."
        )
    if not bool(torch.isfinite(parameters).all()):
        raise InputError("The facial parameters contain NaN or infinity: give finite values.")
    return parameters.detach().float()


def _turned(face: Canonical) -> tuple[str, ...]:
    yaw = abs(face.yaw)
    if yaw > MOST_TURNED:
        raise InputError(
            f"The face is turned by {yaw:.0f} degrees, and the rig can move faces up to "
            f"{MOST_TURNED:.0f}: use a picture that looks more towards the camera."
        )
    if yaw > WARNED_TURNED:
        return (f"The face is turned by {yaw:.0f} degrees: strong expressions are held back.",)
    return ()


def _inside(points: Tensor, size: tuple[int, int]) -> None:
    eyes = torch.stack([points[list(eye.corners), :2].mean(0) for eye in EYES.values()]).cpu()
    if bool((eyes < -0.5).any()) or bool((eyes[:, 0] > size[1]).any()) or bool((eyes[:, 1] > size[0]).any()):
        raise InputError(
            "The face's points lie outside of the picture: give the points of this picture, in its pixels."
        )


def _times(face: Canonical, picture: Tensor) -> int:
    """How many times a picture is to be enlarged for a small face."""
    wanted = min(math.ceil(SMALL_EYES / face.scale), _MOST_TIMES)
    return max(1, min(wanted, _LONGEST // max(picture.shape[:2])))


def _enlarged(picture: Tensor, times: int) -> Tensor:
    """A picture uint8 [H, W, C] -> uint8 [times · H, times · W, C]."""
    planes = picture.permute(2, 0, 1)[None].float()
    size = (times * picture.shape[0], times * picture.shape[1])
    large = F.interpolate(planes, size=size, mode="bicubic", align_corners=False)
    return large[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def _stage(
    planes: Tensor,
    points: Tensor,
    face: Canonical,
    fields: object,
    moves: dict[str, Tensor],
    glasses: bool,
    covered: tuple[str, ...] = (),
    shut: bool = False,
    hanging: float = 0.0,
) -> Stage:
    from .sheets import Sheets

    assert isinstance(fields, Sheets)
    scale, upright, region = face.scale, Upright.of(face), fields.region
    colour, mesh = planes[:3], points[:SKIN, :2]
    boxes: dict[str, Box] = {}
    for side, eye in EYES.items():
        found = box_around(mesh[[*eye.upper, *eye.lower]], 0.16 * scale, region)
        if found is not None and side not in covered:
            boxes[side] = found
    white = [sclera_pixels(colour, points, upright, box, side) for side, box in boxes.items()]
    palette = colours(colour, mesh, torch.cat(white) if white else torch.zeros(0, 3))
    balls = tuple(
        eyeball(colour, points, upright, box, side, palette.sclera, scale) for side, box in boxes.items()
    )
    lips = mesh[[*UPPER_INNER, *LOWER_INNER]]
    mouth_box = box_around(lips, 0.10 * scale, region) or region
    gap = float((face.points[[14, 317, 87], 1] - face.points[[13, 312, 82], 1]).mean().clamp(min=0))
    light = light_of(colour, points, face)
    inside = inside_of(colour, points, face, upright, mouth_box, palette, light, gap)
    inside = replace(inside, hanging=hanging)
    names = tuple(moves)
    displaced = torch.stack([face.project(move[:SKIN]) for move in moves.values()])
    head = torch.tensor([float(name in HEAD_POSE) for name in names])
    displaced[head > 0] *= towards_borders(face, mesh, (planes.shape[1], planes.shape[2]))
    if shut:
        planes = painted_over(planes, mesh, upright, mouth_box, scale)
    return Stage(
        Source.of(planes, region, 0.3 * scale),
        mesh,
        displaced,
        names,
        head,
        fields,
        upright,
        balls,
        inside,
        shading(face, colour, points, glasses),
        scale,
        gap,
        shut,
    )
