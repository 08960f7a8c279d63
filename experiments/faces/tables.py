"""The tables of the page: what is found, how still it is, portraits, lag, and which of two people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from eadnet.errors import InputError
from eadnet.faces import landmarker
from eadnet.faces.choice import Choice
from eadnet.faces.detectors import DETECTORS, yunet
from eadnet.faces.tracking import FaceDetections, detect_faces, track_face
from eadnet.media.images import read_image
from eadnet.media.video import read_frames
from experiments.faces.measures import (
    CROP,
    KINDS,
    causal,
    corner_errors,
    lag,
    mesh_of,
    moving_portrait,
    round_trip,
    still_jitter,
)

MESH_EVERY = 10
VIDEO = {".mp4", ".mpg"}


class Report:
    """Lines of markdown, printed as they come."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)


def clips(media: Path) -> list[Path]:
    return [
        p for name in ("talking", "virtual") for p in sorted((media / name).iterdir()) if p.suffix in VIDEO
    ]


def found_and_jitter(report: Report, media: Path, models: Path, limit: int) -> None:
    report.say("", "## Found, still, and in line with a mesh", "")
    file = DETECTORS["landmarks"].find([models])
    meshes = landmarker.FaceLandmarker(file, most=8) if file else None
    report.say(
        "| clip | size | frames | tracked | jitter detected | smoothed | ratio | corners off (median) "
        "| single detections | mesh's five | eyes for brows |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    )
    everything: dict[str, list[np.ndarray]] = {name: [] for name in KINDS}
    for clip in clips(media):
        seen: dict[int, list[np.ndarray]] = {}

        def frames(clip: Path = clip, seen: dict[int, list[np.ndarray]] = seen) -> Iterator[np.ndarray]:
            for index, frame in enumerate(itertools.islice(read_frames(clip), limit)):
                if meshes is not None and index % MESH_EVERY == 0:
                    seen[index] = [face.mesh for face in meshes.detect(frame)]
                yield frame

        detections = detect_faces(frames(), yunet.YuNet(models / yunet.FILE))
        _row(report, clip.name, detections, seen, everything)
    for name, values in everything.items():
        if values:
            joined = np.concatenate(values) * 100
            report.say(
                f"- {name}: median {np.median(joined):.2f} %, "
                f"95th percentile {np.percentile(joined, 95):.2f} %"
            )


def _row(
    report: Report,
    name: str,
    detections: FaceDetections,
    meshes: dict[int, list[np.ndarray]],
    everything: dict[str, list[np.ndarray]],
) -> None:
    """One clip's line of the table."""
    track = track_face(detections, "latentsync", CROP)
    raw, smooth = still_jitter(detections)
    main = max(detections.tracks, key=lambda t: len(t.frames))
    by_frame = dict(zip(main.frames, main.faces, strict=True))
    smooth_points = track.points.numpy()
    seen = [
        (by_frame[i], smooth_points[i], mesh_of(by_frame[i], m)) for i, m in meshes.items() if i in by_frame
    ]
    errors = corner_errors([(face, points, mesh) for face, points, mesh in seen if mesh is not None])
    off = {}
    for kind, values in errors.items():
        if len(values):
            everything[kind].append(values)
            off[kind] = f"{100 * np.median(values):.2f} %"
    height, width = detections.size
    report.say(
        f"| {name} | {width} x {height} | {detections.count} | {100 * track.found.float().mean():.1f} % "
        f"| {raw:.2f} | {smooth:.3f} | {raw / max(smooth, 1e-9):.1f} x "
        f"| {' | '.join(off.get(kind, '') for kind in KINDS)} |"
    )


def portraits(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Portraits", "")
    found, not_found, trips = [], [], []
    for path in sorted((media / "portraits").iterdir()):
        frame = (read_image(path)[..., :3] * 255).round().byte().numpy()
        try:
            track = track_face(detect_faces([frame], yunet.YuNet(models / yunet.FILE)), "latentsync", 512)
        except InputError:
            not_found.append(path.name)
            continue
        found.append(path.name)
        trips.append((path.name, *round_trip(frame, track, 512)))
    report.say(
        f"Found in {len(found)} of {len(found) + len(not_found)}; not in: {', '.join(not_found) or 'none'}."
    )
    report.say("", "Round trip through a crop of 512 pixels, whole face:", "")
    report.say("| portrait | mask, pixels wide | PSNR inside | outside bit-exact |", "|---|---|---|---|")
    for name, psnr, exact, width in trips:
        report.say(f"| {name} | {width:.0f} | {psnr:.1f} dB | {'yes' if exact else 'NO'} |")


def lags(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Lag on a known motion", "")
    report.say("A still portrait carried 12 pixels to and fro; the crop's middle against the path.", "")
    report.say(
        "| motion | detected | smoothed | running average with the same jitter (control) |",
        "|---|---|---|---|",
    )
    picture = read_image(media / "portraits" / "hd_2.png")[..., :3].permute(2, 0, 1)
    picture = torch.nn.functional.interpolate(picture[None], size=(320, 320), mode="area")[0]
    for hertz in (0.5, 1.0, 2.0):
        frames, path = moving_portrait(picture, hertz, 12.0, 75)
        detections = detect_faces(iter(frames), yunet.YuNet(models / yunet.FILE))
        raw, smooth = (track_face(detections, "portrait", CROP, smoothing=s) for s in (0.0, 1.0))
        x, y = (track.points[:, :3].mean(1)[:, 0].double().numpy() for track in (raw, smooth))
        late = causal(x, 0.25)
        report.say(
            f"| {hertz} Hz | {lag(x, path):+.2f} | {lag(y, path):+.2f} | {lag(late, path):+.2f} frames |"
        )


def _side_by_side(a: Path, b: Path, count: int) -> Iterator[np.ndarray]:
    for one, two in itertools.islice(zip(read_frames(a), read_frames(b), strict=False), count):
        height = min(len(one), len(two))
        yield np.concatenate([one[:height], two[:height]], axis=1)


def two_people(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Two people side by side", "")
    a, b = media / "talking" / "stock_2.mp4", media / "virtual" / "person_3.mp4"
    frames = list(_side_by_side(a, b, 60))
    middle = next(read_frames(a)).shape[1]
    for index in range(25, 45):  # the one on the right leaves for 20 frames
        frames[index] = frames[index].copy()
        frames[index][:, middle:] = 127
    detections = detect_faces(iter(frames), yunet.YuNet(models / yunet.FILE))
    lengths = [len(track.frames) for track in detections.tracks]
    report.say(f"60 frames, the right one gone in 25-44: tracks of {lengths} frames.", "")
    wanted = {"left-right": "LR", "right-left": "RL"}
    sizes = [np.median([f.side for f in t.faces]) for t in detections.tracks]
    tops = [np.median([f.centre[1] for f in t.faces]) for t in detections.tracks]
    sides = ["L" if t.faces[0].centre[0] < middle else "R" for t in detections.tracks]
    wanted["large-small"] = "".join(sides[i] for i in np.argsort(sizes)[::-1])
    wanted["small-large"] = wanted["large-small"][::-1]
    wanted["top-bottom"] = "".join(sides[i] for i in np.argsort(tops))
    wanted["bottom-top"] = wanted["top-bottom"][::-1]
    report.say("| choice | frames on the right face |", "|---|---|")
    choices = [(f"{o} {i}", Choice("index", o, i), w[i]) for o, w in wanted.items() for i in (0, 1)]
    height = frames[0].shape[0] / 2
    for side, x in (("L", middle / 2), ("R", middle * 1.5)):
        choices.append((f"point {side}", Choice("point", point=(x, height)), side))
    for name, choice, side in choices:
        track = track_face(detections, "latentsync", CROP, choice)
        on = (track.boxes[:, [0, 2]].mean(1) < middle) == (side == "L")
        valid = track.valid
        report.say(f"| {name} | {int((on & valid).sum())} of {int(valid.sum())} |")
