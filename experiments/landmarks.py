"""The face landmarker against MediaPipe itself, and the mean face.

    python -m experiments landmarks compare TASK FOLDER --out docs/results/landmarks.md
    python -m experiments landmarks mean TASK --out eadnet/faces/mean_face.json

``compare`` needs the package mediapipe. Of each clip some frames are compared, of each folder below FOLDER
one line is written. The control is MediaPipe against itself on the same picture moved by one pixel.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from eadnet.captions.dataset import SUFFIXES
from eadnet.captions.frames import spread
from eadnet.errors import InputError
from eadnet.faces.landmarker import FaceLandmarker
from eadnet.faces.mean_face import NAMED
from eadnet.media.images import read_image
from eadnet.media.video import read_frames
from eadnet.modules.blendshape_mixer import BLENDSHAPES

MOST = 8
FRAMES = 6  # of each clip
HEADS = 60
PICTURES = {".png", ".jpg", ".jpeg"}

PAGE = """# Landmarks: ours against MediaPipe itself

MediaPipe {version}, mode IMAGE, up to {most} faces, against `eadnet/faces/landmarker.py` in float32 on the
processor; stills and {frames} frames of each clip. Distances are in pixels of a face crop of 256, the mean
over the 478 points. The control is MediaPipe against itself with the picture moved by one pixel and the
points moved back.

    python -m experiments landmarks compare face_landmarker.task FOLDER --out docs/results/landmarks.md

| folder | pictures | faces, ours and theirs | mean distance | worst picture | worst point | worst blend \
shape | control: mean, worst picture | control: worst blend shape |
|---|---|---|---|---|---|---|---|---|
{lines}

Processor time for a picture of these sizes: ours {ours:.0f} ms (one thread), MediaPipe {theirs:.0f} ms.
"""

Seen = list[tuple[np.ndarray, np.ndarray]]  # points [478, 3] in pixels and blend shapes [52] of each face


def pictures(folder: Path) -> Iterator[tuple[Path, np.ndarray]]:
    """Stills, and frames spread over the clips, uint8 [H, W, 3]."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURES:
            yield path, (read_image(path)[..., :3].numpy() * 255).round().astype(np.uint8)
        elif path.suffix.lower() in SUFFIXES:
            chosen = set(spread(sum(1 for _ in read_frames(path)), FRAMES))
            yield from ((path, frame) for number, frame in enumerate(read_frames(path)) if number in chosen)


class Oracle:
    """MediaPipe's own landmarker."""

    def __init__(self, task: Path) -> None:
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise InputError(
                "The comparison needs MediaPipe, which is not installed: run 'pip install mediapipe'."
            ) from error
        self.version, self._image = mediapipe.__version__, mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=task.read_bytes()),
            num_faces=MOST,
            output_face_blendshapes=True,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def __call__(self, picture: np.ndarray) -> Seen:
        image = self._image(image_format=self._format, data=np.ascontiguousarray(picture))
        seen = self._landmarker.detect(image)
        size = np.array([picture.shape[1], picture.shape[0], picture.shape[1]])
        points = [np.array([[p.x, p.y, p.z] for p in face]) * size for face in seen.face_landmarks]
        shapes = [np.array([shape.score for shape in face]) for face in seen.face_blendshapes]
        return [(face - [0.5, 0.5, 0.0], shape) for face, shape in zip(points, shapes, strict=True)]


def differences(ours: Seen, theirs: Seen) -> list[tuple[float, float, float]]:
    """Of each face: mean and largest distance in pixels of a crop of 256, most change of a blend shape."""
    found = []
    for points, shapes in theirs:
        if not ours:
            break
        off = [np.linalg.norm(face[:, :2] - points[:, :2], axis=1) for face, _ in ours]
        nearest = min(range(len(off)), key=lambda n: off[n].mean())
        scale = 256 / (1.5 * float(np.ptp(points[:, :2], axis=0).max()))
        change = np.abs(ours[nearest][1] - shapes).max()
        found.append((off[nearest].mean() * scale, off[nearest].max() * scale, float(change)))
    return found


def compare(task: Path, folder: Path) -> str:
    oracle, landmarker = Oracle(task), FaceLandmarker(task, most=MOST, blendshapes=True)
    torch.set_num_threads(1)
    lines = []
    seconds = {"ours": 0.0, "theirs": 0.0}
    looked = 0
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        rows: list[tuple[float, float, float]] = []
        control: list[tuple[float, float, float]] = []
        faces = [0, 0]
        count = 0
        for _, picture in pictures(part):
            start = time.process_time()
            theirs = oracle(picture)
            between = time.process_time()
            ours = [(f.points, np.array([f.blendshapes[n] for n in BLENDSHAPES]))
                    for f in landmarker.detect(picture)]  # fmt: skip
            seconds["ours"] += time.process_time() - between
            seconds["theirs"] += between - start
            faces[0] += len(ours)
            faces[1] += len(theirs)
            rows += differences(ours, theirs)
            moved = [(points - [1, 0, 0], shapes) for points, shapes in oracle(np.roll(picture, 1, axis=1))]
            control += differences(moved, theirs)
            count += 1
        looked += count
        if rows:
            lines.append(_line(part.name, count, faces, rows, control))
    each = {name: value / max(1, looked) * 1000 for name, value in seconds.items()}
    return PAGE.format(version=oracle.version, most=MOST, frames=FRAMES, lines="\n".join(lines), **each)


def _line(
    name: str,
    count: int,
    faces: list[int],
    rows: list[tuple[float, float, float]],
    control: list[tuple[float, float, float]],
) -> str:
    mean, worst, shapes = np.array(rows).T
    moved, _, moved_shapes = np.array(control).T
    return (
        f"| {name} | {count} | {faces[0]}, {faces[1]} | {mean.mean():.3f} | {mean.max():.3f} "
        f"| {worst.max():.2f} | {shapes.max():.4f} | {moved.mean():.2f}, {moved.max():.2f} "
        f"| {moved_shapes.max():.3f} |"
    )


def canonical(points: np.ndarray) -> np.ndarray:
    """A mesh [478, 3] in distances of the eyes, between them, level and facing us."""
    right, left = (points[list(NAMED[f"{side} eye"])].mean(axis=0) for side in ("right", "left"))
    distance = np.linalg.norm(left - right)
    x = (left - right) / distance
    down = points[[2, 164]].mean(axis=0) - points[[10, 151]].mean(axis=0)
    down = down - x * (x @ down)
    y = down / np.linalg.norm(down)
    turned: np.ndarray = (points - (left + right) / 2) @ np.stack([x, y, np.cross(x, y)], axis=1) / distance
    return turned


def mean_of_drawn_heads(task: Path) -> np.ndarray:
    """[478, 3]: the mean of drawn, neutral heads, made symmetric."""
    from eadnet.synthetic.expression import neutral
    from eadnet.synthetic.identity import sample_identity
    from eadnet.synthetic.renderer import Renderer

    landmarker = FaceLandmarker(task)
    found = []
    for seed in range(HEADS):
        head = Renderer(sample_identity(np.random.default_rng(seed)), 256).render(neutral()).image
        found += [canonical(face.points.astype(np.float64)) for face in landmarker.detect(head)]
    return symmetric(np.mean(found, axis=0))


def symmetric(face: np.ndarray) -> np.ndarray:
    """The mean of a face [N, 3] and its mirror image, whose points are matched to it one to one."""
    mirrored = face * [-1, 1, 1]
    apart = np.linalg.norm(face[:, None] - mirrored[None], axis=2)
    _, partner = linear_sum_assignment(apart**2)
    result: np.ndarray = (face + mirrored[partner]) / 2
    return result


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments landmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("compare", "mean"))
    parser.add_argument("task", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    if options.what == "mean":
        if options.out is None:
            raise InputError("No file for the mean face: set it with --out.")
        rows = [[round(float(value), 4) for value in point] for point in mean_of_drawn_heads(options.task)]
        options.out.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
        return
    if options.folder is None:
        raise InputError("No pictures to compare: give a folder of folders with stills and clips.")
    text = compare(options.task, options.folder)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
