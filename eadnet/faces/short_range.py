"""Faces that fill a good part of the picture, found with BlazeFace as MediaPipe's face landmarker does."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..modules.blazeface import SIDE, BlazeFace

_SAME = 0.5  # boxes that share more than this (intersection over union) are one face
_STEPS = 32  # as in `windows.py`


@torch.inference_mode()
def find_faces(network: BlazeFace, pictures: Tensor, min_score: float) -> list[np.ndarray]:
    """Pictures uint8 [n, H, W, 3] -> for each its faces [k, 17] float64, the surest first.

    A row is left, top, right and bottom of the box and x, y of the network's six points in pixels, counted
    from the picture's corner, and the score.
    """
    height, width = pictures.shape[1:3]
    weight = network.first.weight
    seen = letterboxed(pictures).to(weight.device, weight.dtype)
    scores, faces = network(seen)
    scores, faces = scores.double().cpu().numpy(), faces.double().cpu().numpy()
    side = max(height, width)
    corner = np.array([width - side, height - side]) / 2
    return [
        merged(_in_pixels(row[sure], side, corner, score[sure]))
        for score, row in zip(scores, faces, strict=True)
        for sure in [score >= min_score]
    ]


def letterboxed(pictures: Tensor) -> Tensor:
    """Pictures uint8 [n, H, W, 3] in a square of 128 pixels [n, 3, 128, 128], -1 to 1; black bars.

    Nothing is averaged where they shrink: the network is used to that.
    """
    height, width = pictures.shape[1:3]
    side = max(height, width)
    seen = torch.zeros(len(pictures), SIDE, SIDE, 3, device=pictures.device)
    for row, down in _taps(height, side, pictures.device):
        rows = pictures.index_select(1, row)
        for column, across in _taps(width, side, pictures.device):
            seen.addcmul_(rows.index_select(2, column), (down[:, None] * across)[None, :, :, None])
    return seen.add_(0.5).floor_().sub_(127.5).div_(127.5).permute(0, 3, 1, 2)


def _taps(count: int, side: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The two pixels of ``count`` between which each of the 128 lies, with their shares; beyond them 0.

    Only one where each lies on a pixel.
    """
    place = (count - side) / 2 + torch.arange(SIDE, dtype=torch.float64) * (side / SIDE)
    place = (place * _STEPS).round() / _STEPS
    first = place.floor().long()
    taps = []
    for tap in (first, first + 1):
        share = 1 - (place - tap).abs()
        inside = (tap >= 0) & (tap < count)
        share = (share * inside).float()
        if share.any():
            taps.append((tap.clamp(0, count - 1).to(device), share.to(device)))
    return taps


def _in_pixels(faces: np.ndarray, side: int, corner: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The network's rows [k, 16] of shares of the letterboxed square -> rows [k, 17] in pixels."""
    half = faces[:, 2:4] / 2
    places = np.concatenate([faces[:, :2] - half, faces[:, :2] + half, faces[:, 4:]], axis=1)
    return np.concatenate([places * side + np.tile(corner, places.shape[1] // 2), scores[:, None]], axis=1)


def merged(faces: np.ndarray) -> np.ndarray:
    """Rows [k, 17] of which several may mean one face -> one row each, their mean weighted by the scores."""
    rest = faces[np.argsort(-faces[:, 16], kind="stable")]
    found = []
    while len(rest):
        same = _overlaps(rest, rest[0]) > _SAME
        same[0] = True
        group = rest[same]
        mean = (group[:, :16] * group[:, 16:]).sum(axis=0) / group[:, 16].sum()
        found.append(np.append(mean, group[0, 16]))
        rest = rest[~same]
    return np.stack(found) if found else np.zeros((0, 17))


def _overlaps(faces: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Intersection over union of each row's box with one face's."""
    sides = np.minimum(faces[:, 2:4], face[2:4]) - np.maximum(faces[:, :2], face[:2])
    both = sides.clip(0).prod(axis=1)
    areas = (faces[:, 2:4] - faces[:, :2]).clip(0).prod(axis=1)
    shares: np.ndarray = both / np.maximum(areas + (face[2:4] - face[:2]).clip(0).prod() - both, 1e-12)
    return shares
