"""A face's way through a video: crops out of its frames, and generated crops back into them.

The frames themselves are not kept, so a track is small however long the video is, and frames can be cropped
and pasted back in pieces of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..finite import all_finite
from .affine import invert
from .colour import ColourChange, colour_change, counted_step, ring
from .crops import without_alpha
from .framing import rescaled
from .masks import feathered, mask_image
from .resample import TAPS, sample

# Frames that are worked on together: enough to keep a device busy; few enough for memory and, on a processor,
# for its cache, which holds so many pixels of crops.
_BATCH, _IN_CACHE = 8, 1 << 19
# Beyond a frame's edge its pixels are repeated for so many pixels of the crop before grey begins, so that
# none of the grey comes back with the face.
_BLEED = 2.5
_INVISIBLE = 1e-3  # a pixel that counts less than this is outside
_MARGIN = 3  # pixels around a part of a frame, for interpolation at its edge


@dataclass(frozen=True)
class FaceTrack:
    """Where one face is in each of T frames.

    size: (height, width) of the frames in pixels.
    framing: the name of how the face lies in its crop (see `framing.py`).
    resolution: side of the square crop that ``matrices`` lead to.
    matrices: [T, 2, 3] float32 from frame to crop pixels, (0, 0) at the centre of the first pixel.
    valid: [T] bool; where False there is no face to generate, and the frame is to stay as it is. The
        matrices there are those of the nearest valid frame.
    found: [T] bool; where False and valid, the face was lost for a moment and its place is an estimate.
    points: [T, 5, 2] float32, smoothed, in the order of `face.POINTS`.
    boxes: [T, 4] float32, as detected.
    scores: [T] float32, how sure the detector was; 0 where it found nothing.
    shots: the first frame of every shot, 0 among them.
    """

    size: tuple[int, int]
    framing: str
    resolution: int
    matrices: Tensor
    valid: Tensor
    found: Tensor
    points: Tensor
    boxes: Tensor
    scores: Tensor
    shots: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return len(self.matrices)

    def missing(self) -> list[int]:
        """The frames without a face, from 0."""
        return torch.nonzero(~self.valid)[:, 0].tolist()

    def at(self, resolution: int) -> FaceTrack:
        """The same track for crops of another size."""
        if resolution == self.resolution:
            return self
        old, new = (self.resolution,) * 2, (resolution,) * 2
        return replace(self, resolution=resolution, matrices=rescaled(self.matrices, old, new))

    def crop(
        self, frames: Tensor | np.ndarray, indices: Sequence[int] | Tensor, resolution: int | None = None
    ) -> Tensor:
        """The face in some of the frames.

        Args:
            frames: [n, H, W, C], uint8 or floating point in [0, 1], on any device.
            indices: which frame of the track each of them is, n numbers.
            resolution: side of the crops; None is the track's own.

        Returns:
            [n, 3, R, R] float32 in [-1, 1] on the frames' device; mid grey beyond the frame.
        """
        track = self if resolution is None else self.at(resolution)
        pixels, matrices = track._checked(frames, indices)
        parts = []
        for part in torch.arange(len(pixels)).split(track._together(pixels.device)):
            parts.append(track._crop(pixels, part, matrices[part]))
        return (
            torch.cat(parts) if parts else pixels.new_zeros(0, 3, track.resolution, track.resolution).float()
        )

    def crop_mask(
        self, mask: Tensor, indices: Sequence[int] | Tensor, resolution: int | None = None
    ) -> Tensor:
        """A mask of the frames, [n or 1, H, W] in [0, 1], as regions [n, 1, R, R] of the crops; 0 beyond."""
        track = self if resolution is None else self.at(resolution)
        masks = mask.reshape(-1, *mask.shape[-2:]).expand(len(indices), -1, -1)
        masks, matrices = track._checked(masks[..., None], indices)
        back = invert(matrices.double())
        size = (track.resolution, track.resolution)
        return sample(masks.permute(0, 3, 1, 2).float(), back, size, "bilinear", "zeros").clamp(0, 1)

    def paste(
        self,
        frames: Tensor | np.ndarray,
        crops: Tensor,
        indices: Sequence[int] | Tensor,
        region: str | Tensor = "face",
        feather: int | None = None,
        colour_match: float = 0.0,
    ) -> Tensor:
        """Generated crops put back where they came from.

        Args:
            frames: [n, H, W, C], uint8 or floating point in [0, 1].
            crops: [n, 3, R, R] in [-1, 1]; R may differ from the track's own resolution.
            indices: which frame of the track each of them is, n numbers.
            region: what is replaced: a name of `masks.REGIONS` or [n or 1, 1, R, R] in [0, 1] in the crop.
            feather: soft edge in pixels of the crop, inwards; None is a thirty-second of its side.
            colour_match: 0 to 1, how far the crops take on the colours around the region.

        Returns:
            [n, H, W, C] of the frames' type and device. Pixels outside the region, channels beyond the third
            and frames that are not valid are bit-identical to the input.
        """
        track = self.at(crops.shape[-1])
        pixels, matrices = track._checked(frames, indices)
        if len(crops) != len(pixels):
            raise InputError(
                f"There are {len(crops)} faces and {len(pixels)} frames: use one face for each frame."
            )
        if not all_finite(crops):
            raise InputError(
                "The faces to put back contain values that are not finite: check the node that made them, for "
                "instance the VAE."
            )
        weight = track.weights(region, feather).to(pixels.device)
        result = pixels.clone()
        chosen = self.valid[torch.as_tensor(indices)].nonzero()[:, 0]
        for part in chosen.split(track._together(pixels.device)):
            own = weight if len(weight) == 1 else weight[part]
            faces = crops[part].to(pixels.device, torch.float32)
            change = None
            if colour_match > 0:
                change = track._change(pixels, faces, part, matrices[part], own, colour_match)
            track._paste(result, faces, part, matrices[part], own, change)
        return result

    def weights(self, region: str | Tensor, feather: int | None = None) -> Tensor:
        """How much of the generated image counts, [n or 1, 1, R, R] in [0, 1] in crop coordinates."""
        shape = mask_image(region, self.resolution) if isinstance(region, str) else region
        shape = shape.reshape(-1, 1, *shape.shape[-2:]).float()
        if shape.shape[-1] != self.resolution:
            raise InputError(
                f"The mask is {shape.shape[-1]} pixels wide and the faces are {self.resolution}: make them "
                "equal."
            )
        return feathered(shape, self.resolution // 32 if feather is None else feather)

    def _together(self, device: torch.device) -> int:
        """How many frames are worked on at once."""
        fitting = _IN_CACHE // self.resolution**2 if device.type == "cpu" else _BATCH
        return max(1, min(_BATCH, fitting))

    def _checked(self, frames: Any, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Frames as a tensor and their matrices; InputError unless they are frames of this track."""
        pixels = torch.as_tensor(frames)
        if pixels.ndim != 4 or tuple(pixels.shape[1:3]) != self.size:
            raise InputError(
                f"The face was tracked in frames of {self.size[1]} x {self.size[0]} pixels, and these have "
                f"the shape {list(pixels.shape)}: connect the frames that the face was tracked in."
            )
        at = torch.as_tensor(indices, dtype=torch.long)
        if len(at) != len(pixels):
            raise InputError(
                f"There are {len(pixels)} frames and {len(at)} indices: use one index for each frame."
            )
        if len(at) and not (0 <= int(at.min()) and int(at.max()) < len(self)):
            raise InputError(
                f"The face track has {len(self)} frames, and frame {int(at.max())} is needed: connect the "
                "track of these frames."
            )
        return pixels, self.matrices[at]

    def _change(
        self, frames: Tensor, faces: Tensor, at: Tensor, matrices: Tensor, weight: Tensor, strength: float
    ) -> ColourChange:
        """What gives faces [n, 3, R, R] the colours of the frames ``at`` around the weight's region."""
        step = counted_step(self.resolution)
        around = ring(weight[..., ::step, ::step])
        inside = self._inside(matrices, frames.device)
        if inside is not None:
            around = around * inside[..., ::step, ::step]
        originals = self._crop(frames, at, matrices, step)
        return colour_change(faces[..., ::step, ::step], originals, around, strength)

    def _crop(self, frames: Tensor, at: Tensor, matrices: Tensor, every: int = 1) -> Tensor:
        """Crops [n, 3, R, R] in [-1, 1] of the frames ``at``, n numbers; of them each ``every``-th pixel."""
        back = invert(matrices.double())
        edge = self.resolution - 0.5
        left, top, right, bottom = _extent(back, (-0.5, -0.5, edge, edge), self.size)
        if right <= left or bottom <= top:  # the face is beside the frame
            side = len(range(0, self.resolution, every))
            return torch.zeros(len(at), 3, side, side, device=frames.device)
        part = _unit(frames[:, top:bottom, left:right][at.to(frames.device)])
        part = without_alpha(part)[..., :3].permute(0, 3, 1, 2)
        back[..., 2] -= torch.tensor([left, top])
        pictures = sample(part, back, (self.resolution, self.resolution), every=every)
        pictures = pictures.clamp_(0, 1).mul_(2).sub_(1)
        inside = self._inside(matrices, frames.device)
        return pictures if inside is None else pictures * inside[..., ::every, ::every]

    def _inside(self, matrices: Tensor, device: torch.device) -> Tensor | None:
        """[n, 1, R, R]: share of each pixel that lies within the frame; None where all do."""
        edge = self.resolution - 0.5
        corners = _corners(invert(matrices.double()), (-0.5, -0.5, edge, edge))
        height, width = self.size
        limit = torch.tensor([width - 0.5, height - 0.5], dtype=torch.float64)
        if bool((corners >= -0.5).all()) and bool((corners <= limit).all()):
            return None
        side = torch.arange(self.resolution, dtype=torch.float64)
        y, x = torch.meshgrid(side, side, indexing="ij")
        back = invert(matrices.double())
        at = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ back[:, None].transpose(-1, -2)
        scale = back[..., :2].norm(dim=-2).mean(dim=-1).reshape(-1, 1, 1, 1)
        margin = torch.minimum(at + 0.5, limit - at) / scale + _BLEED
        return margin.clamp(0, 1).prod(dim=-1)[:, None].float().to(device)

    def _paste(
        self,
        result: Tensor,
        crops: Tensor,
        at: Tensor,
        matrices: Tensor,
        weight: Tensor,
        change: ColourChange | None,
    ) -> None:
        """Write crops [n, 3, R, R] into ``result`` at the frames ``at``, where the weight is above 0."""
        used = _used(weight)
        if used is None:
            return
        left, top, right, bottom = _extent(invert(matrices.double()), used, self.size)
        if right <= left or bottom <= top:
            return
        rows, columns = _window(used, self.resolution)
        onto = matrices.double().clone()
        onto[..., 2] += onto[..., :2] @ torch.tensor([left, top], dtype=torch.float64)
        onto[..., 2] -= torch.tensor([columns.start, rows.start], dtype=torch.float64)
        size = (right - left, bottom - top)
        crops, weight = crops[..., rows, columns], weight[..., rows, columns]
        faces = sample(crops, onto, size).mul_(0.5).add_(0.5).clamp_(0, 1)
        if change is not None:
            faces = change.apply(faces)
        share = sample(weight.expand(len(crops), -1, -1, -1), onto, size, "bilinear", "zeros")
        share = share.where(share > _INVISIBLE, torch.zeros_like(share))
        window = result[:, top:bottom, left:right]
        colours = min(window.shape[-1], 3)
        if colours < 3:
            colours, faces = 1, faces.mean(dim=1, keepdim=True)
        target = window[..., :colours]
        at = at.to(result.device)
        old = target[at].permute(0, 3, 1, 2)
        target[at] = _mixed(old, faces, share).permute(0, 2, 3, 1)


def _mixed(old: Tensor, faces: Tensor, share: Tensor) -> Tensor:
    """Images ``old`` of any type with faces in [0, 1] mixed in; bit-identical where the share is 0."""
    if old.dtype == torch.uint8:
        before = old.contiguous().float()
        return before.add_((faces * 255 - before).mul_(share)).round_().clamp_(0, 255).to(torch.uint8)
    return torch.where(share > 0, (old + (faces - old) * share).to(old.dtype), old)


def _unit(pixels: Tensor) -> Tensor:
    """Pixels as float32 in [0, 1]."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float().clamp(0, 1)


def _corners(matrices: Tensor, box: tuple[float, float, float, float]) -> Tensor:
    """The corners [n, 4, 2] of a box (left, top, right, bottom) after matrices [n, 2, 3]."""
    left, top, right, bottom = box
    points = torch.tensor([[left, top], [right, top], [left, bottom], [right, bottom]], dtype=torch.float64)
    return points @ matrices[..., :2].transpose(-1, -2) + matrices[..., None, :, 2]


def _extent(
    matrices: Tensor, box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of a frame of ``size`` that the box covers in any of them: left, top, right, bottom (past)."""
    corners = _corners(matrices, box).reshape(-1, 2)
    low = (corners.amin(dim=0).floor().long() - _MARGIN).tolist()
    high = (corners.amax(dim=0).ceil().long() + _MARGIN + 1).tolist()
    height, width = size
    return max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])


def _window(box: tuple[float, float, float, float], resolution: int) -> tuple[slice, slice]:
    """Rows and columns of a crop that a box and the interpolation at its edge need."""
    left, top, right, bottom = (int(value) for value in box)
    room = _MARGIN + TAPS
    rows = slice(max(0, top - room), min(resolution, bottom + room + 1))
    return rows, slice(max(0, left - room), min(resolution, right + room + 1))


def _used(weight: Tensor) -> tuple[float, float, float, float] | None:
    """The box in the crop outside of which all weights [n, 1, R, R] are 0; None where all are."""
    marked = (weight > 0).any(dim=0)[0]
    rows, columns = marked.any(dim=1).nonzero()[:, 0], marked.any(dim=0).nonzero()[:, 0]
    if len(rows) == 0:
        return None
    return float(columns[0]) - 1, float(rows[0]) - 1, float(columns[-1]) + 1, float(rows[-1]) + 1
