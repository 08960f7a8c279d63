"""Faces that fill a good part of the picture, found with BlazeFace as MediaPipe's face landmarker does."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..modules.blazeface import SIDE, BlazeFace
from .face import unturned

# Upright faces have scores over this; upside down ones are seen better by so much when they are turned.
_SURE, _BETTER = 0.89, 0.05
_CLOSER = (2, 4)  # parts of the picture's longer side that are looked at for themselves
_LEAST = 96  # pixels of such a part
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
    scores, faces = scores.cpu().double().numpy(), faces.cpu().double().numpy()
    side = max(height, width)
    corner = np.array([width - side, height - side]) / 2
    return [
        merged(_in_pixels(row[sure], side, corner, score[sure]))
        for score, row in zip(scores, faces, strict=True)
        for sure in [score >= min_score]
    ]


def right_way_up(network: BlazeFace, picture: Tensor, min_score: float, seen: np.ndarray) -> np.ndarray:
    """Faces [k, 17] that were ``seen`` in a picture uint8 [H, W, 3], or those of the picture on its head,
    where these are surer: of a head that hangs down, mirrored or not, chin and mouth pass for brows and eyes.

    Of 17 portraits the scores are .89 to .95, of the same on their heads .54 to .85, and where those are
    turned back .90 to .96.
    """
    if len(seen) and seen[0, 16] < _SURE:
        (found,) = find_faces(network, torch.rot90(picture, 2)[None], min_score)
        if len(found) and found[0, 16] > seen[0, 16] + _BETTER:
            return _turned_back(found, 2, (picture.shape[0], picture.shape[1]))
    return seen


def search_faces(network: BlazeFace, picture: Tensor, min_score: float, seen: np.ndarray) -> np.ndarray:
    """Faces [k, 17] of a picture uint8 [H, W, 3] in which `find_faces` has ``seen`` none or no sure one.

    Faces that it is not sure of may stand on their heads: the network then takes mouths for eyes. Where it
    saw none, the picture is looked at in quarter turns, then in squares of a half and of a quarter of its
    longer side that overlap by half. Rows are as in `find_faces`.
    """
    height, width = picture.shape[:2]
    if len(seen):
        return right_way_up(network, picture, min_score, seen)
    for turns in (1, 3, 2):
        (found,) = find_faces(network, torch.rot90(picture, turns)[None], min_score)
        if len(found):
            return _turned_back(found, turns, (height, width))
    for share in _CLOSER:
        side = max(height, width) // share
        if side < _LEAST:
            break
        tall, wide = min(side, height), min(side, width)
        corners = [(x, y) for y in _starts(height, tall) for x in _starts(width, wide)]
        squares = torch.stack([picture[y : y + tall, x : x + wide] for x, y in corners])
        every = [
            row + np.append(np.tile(corner, 8), 0)
            for corner, rows in zip(corners, find_faces(network, squares, min_score), strict=True)
            for row in rows
        ]
        if every:
            return merged(np.stack(every))
    return np.zeros((0, 17))


def _starts(count: int, side: int) -> list[int]:
    """Where parts of ``side`` begin that cover ``count`` pixels and overlap by half or more."""
    parts = 1 + -(-2 * (count - side) // side)
    return np.linspace(0, count - side, parts).round().astype(int).tolist()


def _turned_back(faces: np.ndarray, turns: int, size: tuple[int, int]) -> np.ndarray:
    """Rows [k, 17] of the picture of ``size`` after ``turns`` quarter turns -> of the picture itself."""
    places = faces[:, :16].reshape(-1, 2) - 0.5
    places = unturned(places, turns, size).reshape(len(faces), 8, 2) + 0.5
    low, high = places[:, :2].min(axis=1), places[:, :2].max(axis=1)
    return np.concatenate([low, high, places[:, 2:].reshape(len(faces), 12), faces[:, 16:]], axis=1)


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
