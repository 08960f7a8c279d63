"""How well faces are found, followed, cropped and put back in real recordings.

    python -m benchmarks.faces --media DIR --models DIR            print the tables
    python -m benchmarks.faces --media DIR --models DIR --write    also record them in docs/results/faces.md

DIR of --media holds folders `talking`, `virtual` and `portraits`; that of --models holds YuNet's file and,
for the comparison with a dense mesh, MediaPipe's. Neither is part of the project: recordings of people are
not ours to give away. The environment variables EADNET_MEDIA and EADNET_MODELS stand in for the options.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.faces.affine import invert
from eadnet.faces.choice import Choice
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.detectors import mediapipe, yunet
from eadnet.faces.face import Face
from eadnet.faces.follow import Sighting, follow, watch
from eadnet.faces.framing import frame_face
from eadnet.faces.points import alignment_points
from eadnet.faces.resample import sample
from eadnet.faces.track import FaceTrack
from eadnet.media.images import read_image
from eadnet.media.video import read_frames

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "faces.md"
CROP = 256
STRETCH = 50  # frames of the stillest part of a clip
MESH_EVERY = 10
KINDS = ("in use", "estimate", "mesh", "eyes")
HARD = ("interview_turned.mp4", "from_below.mp4")
VIDEO = {".mp4", ".mpg"}


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


def found_and_jitter(report: Report, media: Path, models: Path, limit: int) -> None:
    report.say("", "## Found, still, and in line with a mesh", "")
    meshes = mediapipe.MediaPipe(models / mediapipe.FILE) if importlib.util.find_spec("mediapipe") else None
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
                    seen[index] = meshes.meshes(frame)
                yield frame

        sighting = watch(frames(), yunet.YuNet(models / yunet.FILE))
        row(report, clip.name, sighting, seen, everything)
    for name, values in everything.items():
        if values:
            joined = np.concatenate(values) * 100
            report.say(
                f"- {name}: median {np.median(joined):.2f} %, "
                f"95th percentile {np.percentile(joined, 95):.2f} %"
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
    height, width = sighting.size
    report.say(
        f"| {name} | {width} x {height} | {sighting.count} | {100 * track.found.float().mean():.1f} % "
        f"| {raw:.2f} | {smooth:.3f} | {raw / max(smooth, 1e-9):.1f} x "
        f"| {' | '.join(off.get(kind, '') for kind in KINDS)} |"
    )


def portraits(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Portraits", "")
    found, not_found, trips = [], [], []
    for path in sorted((media / "portraits").iterdir()):
        frame = (read_image(path)[..., :3] * 255).round().byte().numpy()
        try:
            track = follow(watch([frame], yunet.YuNet(models / yunet.FILE)), "latentsync", 512)
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
        sighting = watch(iter(frames), yunet.YuNet(models / yunet.FILE))
        raw, smooth = (follow(sighting, "portrait", CROP, smoothing=s) for s in (0.0, 1.0))
        x, y = (track.points[:, :3].mean(1)[:, 0].double().numpy() for track in (raw, smooth))
        late = causal(x, 0.25)
        report.say(
            f"| {hertz} Hz | {lag(x, path):+.2f} | {lag(y, path):+.2f} | {lag(late, path):+.2f} frames |"
        )


def two_people(report: Report, media: Path, models: Path) -> None:
    report.say("", "## Two people side by side", "")
    a, b = media / "talking" / "stock_2.mp4", media / "virtual" / "person_3.mp4"
    frames = list(side_by_side(a, b, 60))
    middle = next(read_frames(a)).shape[1]
    for index in range(25, 45):  # the one on the right leaves for 20 frames
        frames[index] = frames[index].copy()
        frames[index][:, middle:] = 127
    sighting = watch(iter(frames), yunet.YuNet(models / yunet.FILE))
    lengths = [len(track.frames) for track in sighting.tracks]
    report.say(f"60 frames, the right one gone in 25-44: tracks of {lengths} frames.", "")
    wanted = {"left-right": "LR", "right-left": "RL"}
    sizes = [np.median([f.side for f in t.faces]) for t in sighting.tracks]
    tops = [np.median([f.centre[1] for f in t.faces]) for t in sighting.tracks]
    sides = ["L" if t.faces[0].centre[0] < middle else "R" for t in sighting.tracks]
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
        track = follow(sighting, "latentsync", CROP, choice)
        on = (track.boxes[:, [0, 2]].mean(1) < middle) == (side == "L")
        valid = track.valid
        report.say(f"| {name} | {int((on & valid).sum())} of {int(valid.sum())} |")


def speed(report: Report, media: Path, models: Path) -> None:
    """Everything but decoding, by the clock and in processor time, with as many threads as `main` set."""
    report.say("", "## Speed, 1080 x 1920", "")
    clip = media / "talking" / "hd_portrait_1.mp4"
    frames = list(itertools.islice(read_frames(clip), 24))
    busy, *_ = os.getloadavg()
    report.say(
        f"{torch.get_num_threads()} threads on {len(os.sched_getaffinity(0))} processors, load {busy:.1f}. "
        "Milliseconds for a frame by the clock (and of processor time).",
        "",
        "| crop | detect and track | crop | composite | colour match too | frames per second |",
        "|---|---|---|---|---|---|",
    )
    steps(frames[:8], models, 128)  # networks are loaded, memory is touched
    for resolution in (128, 256, 512):
        rows = steps(frames, models, resolution)
        cells = [f"{clock:.1f} ({work:.1f})" for clock, work in rows]
        rates = []
        for which in (0, 1):
            each = [row[which] for row in rows]
            plain, matched = (1000 / (each[0] + each[1] + each[k]) for k in (2, 3))
            rates.append(f"{plain:.1f}, with colour match {matched:.1f}")
        report.say(f"| {resolution} | {' | '.join(cells)} | {rates[0]} ({rates[1]}) |")


def steps(frames: list[np.ndarray], models: Path, resolution: int) -> list[tuple[float, float]]:
    """Milliseconds a frame, (by the clock, of processor time), of each column of the table of `speed`."""
    times = []

    def timed(work: Callable[[], Any]) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = work()
        spent = (time.perf_counter() - clock, time.process_time() - processor)
        times.append((1000 * spent[0] / len(frames), 1000 * spent[1] / len(frames)))
        return result

    detector, every = yunet.YuNet(models / yunet.FILE), range(len(frames))
    batch = torch.from_numpy(np.stack(frames))
    track = timed(lambda: follow(watch(iter(frames), detector), "latentsync", resolution))
    crops = timed(lambda: track.crop(batch, every))
    timed(lambda: track.paste(batch, crops, every, "face"))
    timed(lambda: track.paste(batch, crops, every, "face", colour_match=1.0))
    return times


REPEATS = (1, 8, 32)  # of 16 frames


def memory(report: Report, media: Path, models: Path) -> None:
    """Everything from detection to the finished frames, in pieces of eight; longer and longer clips.

    To be run before all else: what another part once took hides what this one takes.
    """
    report.say("", "## Memory, 1080 x 1920", "")
    frames = list(itertools.islice(read_frames(media / "talking" / "hd_portrait_1.mp4"), 16))
    peaks = []
    for repeats in REPEATS:

        def clip(repeats: int = repeats) -> Iterator[np.ndarray]:
            return itertools.chain.from_iterable(iter(frames) for _ in range(repeats))

        track = follow(watch(clip(), yunet.YuNet(models / yunet.FILE)), "latentsync", CROP)
        shown = clip()
        for start in range(0, len(track), 8):
            piece = torch.from_numpy(np.stack(list(itertools.islice(shown, 8))))
            numbers = range(start, start + len(piece))
            track.paste(piece, track.crop(piece, numbers), numbers, "face", colour_match=0.5)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    height, width = frames[0].shape[:2]
    found = ", ".join(
        f"{peak:.0f} MiB after {n * len(frames)}" for n, peak in zip(REPEATS, peaks, strict=True)
    )
    report.say(
        f"Peak memory from detection to the finished frames, of {width} x {height}: {found} frames.",
    )


PARTS = {
    "memory": memory,
    "speed": speed,
    "people": two_people,
    "lag": lags,
    "portraits": portraits,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=os.environ.get("EADNET_MEDIA"))
    parser.add_argument("--models", type=Path, default=os.environ.get("EADNET_MODELS"))
    parser.add_argument("--frames", type=int, default=100_000, help="at most so many of each clip")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "clips"], default=[*PARTS, "clips"])
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.media is None or options.models is None:
        print("needs recordings and detectors: give --media and --models")
        return
    torch.set_num_threads(options.threads)
    with suppress(ImportError):
        importlib.import_module("cv2").setNumThreads(options.threads)
    report = Report()
    media, models = Path(options.media), Path(options.models)
    for name, part in PARTS.items():
        if name in options.parts:
            part(report, media, models)
    if "clips" in options.parts:
        found_and_jitter(report, media, models, options.frames)
    if options.write:
        RESULTS.write_text("# Faces in real recordings\n" + "\n".join(report.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
