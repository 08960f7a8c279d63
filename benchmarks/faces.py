"""How well faces are found, followed, cropped and put back in real recordings.

    python -m benchmarks.faces --media DIR --models DIR            print the tables
    python -m benchmarks.faces --media DIR --models DIR --write    also record them in docs/results/faces.md

DIR of --media holds folders `talking`, `virtual` and `portraits`; that of --models holds YuNet's file and,
for the comparison with a dense mesh, MediaPipe's. Neither is part of the project: recordings of people are
not ours to give away. The environment variables EADNET_MEDIA and EADNET_MODELS stand in for the options.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.faces import mediapipe, yunet
from eadnet.faces.affine import invert
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.detectors import Face
from eadnet.faces.follow import Sighting, follow, watch
from eadnet.faces.framing import frame_face
from eadnet.faces.points import alignment_points
from eadnet.faces.resample import sample
from eadnet.faces.track import FaceTrack
from eadnet.media.video import read_frames

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "faces.md"
CROP = 256
STRETCH = 50  # frames of the stillest part of a clip
MESH_EVERY = 5
HARD = ("interview_turned.mp4", "from_below.mp4")
VIDEO = {".mp4", ".mpg"}
WHEN_LOST = ("nothing",)


def clips(media: Path) -> list[Path]:
    return [
        p for name in ("talking", "virtual") for p in sorted((media / name).iterdir()) if p.suffix in VIDEO
    ]


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


def still_jitter(sighting: Sighting) -> tuple[float, float]:
    """Jitter on the stillest stretch, (as detected, smoothed), in pixels of the crop."""
    smooth, raw = (corners(follow(sighting, "latentsync", CROP, smoothing=s)) for s in (1.0, 0.0))
    length = min(STRETCH, len(smooth))
    moved = [np.ptp(smooth[i : i + length], axis=0).max() for i in range(len(smooth) - length + 1)]
    start = int(np.argmin(moved))
    part = slice(start, start + length)
    return jitter(raw[part]), jitter(smooth[part])


def corner_errors(seen: list[tuple[Face, np.ndarray]]) -> dict[str, np.ndarray]:
    """How far the corners of crops from five points are from those of a mesh's crop, in shares of its side.

    "eyes": the eyes stand in for the brows, as a control.
    """
    errors: dict[str, list[float]] = {"estimate": [], "eyes": []}
    for face, mesh in seen:
        truth = frame_face("latentsync", mesh[None, :5], np.stack([face_from_mesh(mesh).brows]), CROP)
        for name in errors:
            three = alignment_points(face.points) if name == "estimate" else face.points[:3]
            ours = frame_face("latentsync", face.points[None], three[None], CROP)
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


def side_by_side(a: Path, b: Path, count: int) -> Iterator[np.ndarray]:
    for one, two in itertools.islice(zip(read_frames(a), read_frames(b), strict=False), count):
        height = min(len(one), len(two))
        yield np.concatenate([one[:height], two[:height]], axis=1)


class Report:
    """Lines of markdown, printed as they come."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)


def found_and_jitter(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Found, still, and in line with a mesh", "")
    meshes = mediapipe.MediaPipe(models / mediapipe.FILE) if importlib.util.find_spec("mediapipe") else None
    report.say(
        "| clip | size | frames | tracked | jitter detected | smoothed | ratio | corners off (median) | eyes for brows |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    everything: dict[str, list[np.ndarray]] = {"estimate": [], "eyes": []}
    for clip in clips(media):
        seen: dict[int, list[np.ndarray]] = {}

        def frames(clip: Path = clip, seen: dict[int, list[np.ndarray]] = seen) -> Iterator[np.ndarray]:
            for index, frame in enumerate(read_frames(clip)):
                if meshes is not None and index % MESH_EVERY == 0:
                    seen[index] = meshes.meshes(frame)
                yield frame

        sighting = watch(frames(), yunet.YuNet(models / yunet.FILE))
        row(report, clip.name, sighting, seen, everything)
    for name, values in everything.items():
        if values:
            joined = np.concatenate(values) * 100
            report.say(
                f"- {name}: median {np.median(joined):.2f} %, 95th percentile {np.percentile(joined, 95):.2f} %"
            )


def row(
    report: Report,
    name: str,
    sighting: Sighting,
    meshes: dict[int, list[np.ndarray]],
    everything: dict[str, list[np.ndarray]],
) -> None:
    """One clip's line of the table."""
    track = follow(sighting, "latentsync", CROP)
    raw, smooth = still_jitter(sighting)
    main = max(sighting.tracks, key=lambda t: len(t.frames))
    by_frame = dict(zip(main.frames, main.faces, strict=True))
    pairs = [(by_frame[i], mesh_of(by_frame[i], m)) for i, m in meshes.items() if i in by_frame]
    errors = corner_errors([(face, mesh) for face, mesh in pairs if mesh is not None])
    off = {}
    for kind, values in errors.items():
        if len(values):
            everything[kind].append(values)
            off[kind] = f"{100 * np.median(values):.2f} %"
    height, width = sighting.size
    report.say(
        f"| {name} | {width} x {height} | {sighting.count} | {100 * track.found.float().mean():.1f} % "
        f"| {raw:.2f} | {smooth:.3f} | {raw / max(smooth, 1e-9):.1f} x | {off.get('estimate', '')} "
        f"| {off.get('eyes', '')} |"
    )
