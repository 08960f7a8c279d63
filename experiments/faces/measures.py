"""Jitter, lag and errors of tracks and crops, from numbers alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eadnet.faces.affine import invert
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.face import Face
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.framing import frame_face
from eadnet.faces.points import alignment_points
from eadnet.faces.resample import sample
from eadnet.faces.tracking import FaceDetections, track_face

CROP = 256
STRETCH = 50  # frames of the stillest part of a clip
KINDS = ("in use", "estimate", "mesh", "eyes")


def corners(track: FaceTrack) -> np.ndarray:
    """The crop's corners in the frame, [T, 4, 2], in units of crop pixels."""
    back = invert(track.matrices.double())
    edge = track.resolution - 0.5
    square = torch.tensor([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]], dtype=torch.float64)
    placed = square @ back[:, :, :2].transpose(1, 2) + back[:, None, :, 2]
    scale = torch.linalg.det(track.matrices[:, :, :2].double()).abs().sqrt().mean()
    result: np.ndarray = (placed * scale).numpy()
    return result


def jitter(places: np.ndarray) -> float:
    """Root mean square of the second difference along time."""
    return float(np.sqrt(np.mean(np.sum(np.diff(places, 2, axis=0) ** 2, axis=-1))))


def still_jitter(detections: FaceDetections) -> tuple[float, float]:
    """Jitter on the stillest stretch, (as detected, smoothed), in pixels of the crop."""
    smooth, raw = (corners(track_face(detections, "latentsync", CROP, smoothing=s)) for s in (1.0, 0.0))
    length = min(STRETCH, len(smooth))
    moved = [np.ptp(smooth[i : i + length], axis=0).max() for i in range(len(smooth) - length + 1)]
    start = int(np.argmin(moved))
    part = slice(start, start + length)
    return jitter(raw[part]), jitter(smooth[part])


def corner_errors(seen: list[tuple[Face, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """How far the corners of crops from five points are from those of a mesh's crop, in shares of its side.

    "in use": five points of the track, smoothed. "estimate": those of a single detection. "mesh": the mesh's
    own five, so that only the estimate of brows and nose differs. "eyes": the detector's eyes stand in for
    the brows, as a control.

    ``seen``: a detection, the smoothed points [5, 2] and the mesh of the same face in the same frame.
    """
    errors: dict[str, list[float]] = {name: [] for name in KINDS}
    for face, smooth, mesh in seen:
        dense = face_from_mesh(mesh)
        assert dense.brows is not None
        truth = frame_face("latentsync", dense.points[None], dense.brows[None], CROP)
        three = {
            "in use": alignment_points(smooth),
            "estimate": alignment_points(face.points),
            "mesh": alignment_points(dense.points),
            "eyes": face.points[:3],
        }
        for name, points in three.items():
            ours = frame_face("latentsync", face.points[None], points[None], CROP)
            edge = CROP - 0.5
            square = torch.tensor([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]])
            back = invert(ours.double())
            placed = square.double() @ back[0, :, :2].T + back[0, :, 2]
            again = placed @ truth[0, :, :2].double().T + truth[0, :, 2]
            errors[name].append(float((again - square).norm(dim=-1).mean()) / CROP)
    return {name: np.array(values) for name, values in errors.items()}


def mesh_of(face: Face, meshes: list[np.ndarray]) -> np.ndarray | None:
    """The mesh that belongs to a face."""
    near = [
        m
        for m in meshes
        if np.linalg.norm(face_from_mesh(m).points.mean(0) - face.points.mean(0)) < face.side / 3
    ]
    return near[0] if near else None


def moving_portrait(
    picture: Tensor, hertz: float, amplitude: float, count: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """A still [3, H, W] carried along a known path, and the path [T] in pixels."""
    path = amplitude * np.sin(2 * np.pi * hertz * np.arange(count) / 25)
    height, width = picture.shape[1:]
    frames = []
    for x in path:
        matrix = torch.tensor([[[1.0, 0.0, -float(x)], [0.0, 1.0, 0.0]]])
        moved = sample(picture[None], matrix, (width, height)).clamp(0, 1)[0]
        frames.append((moved.permute(1, 2, 0) * 255).round().byte().numpy())
    return frames, path


def lag(track: np.ndarray, path: np.ndarray) -> float:
    """Frames by which ``track`` [T] comes after ``path`` [T], to a twentieth."""
    at = np.arange(len(path))
    inner = slice(10, -10)

    def error(shift: float) -> float:
        late = np.interp(at - shift, at, path)
        difference = (track - late)[inner]
        return float(np.var(difference))

    return float(min(np.arange(-4, 8.01, 0.05), key=error))


def causal(values: np.ndarray, share: float) -> np.ndarray:
    """The usual running average, as a control: smooth, but late."""
    out = values.copy()
    for i in range(1, len(out)):
        out[i] = share * values[i] + (1 - share) * out[i - 1]
    return out


def round_trip(frame: np.ndarray, track: FaceTrack, resolution: int) -> tuple[float, bool, float]:
    """(PSNR inside the mask in dB, whether the outside is bit-exact, width of the mask in pixels)."""
    pixels = torch.from_numpy(frame)[None]
    crop = track.crop(pixels, [0], resolution)
    back = track.paste(pixels, crop, [0], "face", feather=0)
    black = track.paste(torch.zeros_like(pixels), torch.ones_like(crop), [0], "face", feather=0)
    inside = black[0].amax(-1) > 0
    error = (back[0].float() - pixels[0].float())[inside]
    psnr = 10 * np.log10(255**2 / max(float(error.square().mean()), 1e-12))
    width = float(inside.any(0).sum())
    return psnr, torch.equal(back[0][~inside], pixels[0][~inside]), width
