"""Measured captions against the labels of acted clips, and the calibration of the blend shapes.

    python -m eadnet.training.evaluate_captions calibrate TASK CLIPS...   # clips without labels
    python -m eadnet.training.evaluate_captions table TASK CLIPS... --out docs/results/measured.md

A clip's label is the emotion that its file name contains. Calibration and table must not share clips.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..captions.dataset import SUFFIXES
from ..captions.frames import from_video
from ..captions.measured import describe_shapes, mean_shapes
from ..captions.mediapipe_faces import blendshapes
from ..captions.parse import find_emotion
from ..captions.schema import EMOTIONS
from ..media.images import read_image

FRAMES = 24


def shapes_of(path: Path, task: Path) -> list[dict[str, float] | None]:
    """Blend shapes of frames spread over a clip, or of a picture."""
    if path.suffix.lower() in SUFFIXES:
        frames = from_video(path, FRAMES)
    else:
        frames = [(read_image(path)[..., :3].numpy() * 255).round().astype(np.uint8)]
    return blendshapes(frames, task)


def calibration(clips: Sequence[Sequence[Mapping[str, float] | None]]) -> dict[str, list[float]]:
    """[rest, full] of every shape: the median of the clips' means, and the most that is seen.

    "The most" is the 99th percentile over frames or the largest mean of a clip, whichever is more, and at
    least 0.15 above rest, so that a shape that never shows is not blown up. Left and right are one shape
    seen twice.
    """
    frames = [frame for clip in clips for frame in clip if frame]
    means = [mean_shapes(clip) for clip in clips if any(clip)]
    pooled: dict[str, list[str]] = {}
    for name in means[0]:
        pooled.setdefault(name.removesuffix("Left").removesuffix("Right"), []).append(name)
    result = {}
    for names in pooled.values():
        rest = float(np.median([mean[name] for mean in means for name in names]))
        peak = float(np.percentile([frame[name] for frame in frames for name in names], 99))
        most = max(peak, *(mean[name] for mean in means for name in names), rest + 0.15)
        result.update({name: [round(rest, 3), round(most, 3)] for name in names})
    return result


def label_of(path: Path) -> str:
    """The emotion in a file's name, "unknown" without one."""
    return find_emotion(path.stem.replace("_", " ")) or "unknown"


def table(paths: Sequence[Path], shapes: Sequence[Sequence[Mapping[str, float] | None]]) -> str:
    """A Markdown table: every clip's label, what was measured, and the same with the person's calm clip as
    rest.
    """
    rests = {
        path.stem.split("_")[0]: mean_shapes(clip)
        for path, clip in zip(paths, shapes, strict=True)
        if label_of(path) == "neutral" and any(clip) and path.suffix.lower() in SUFFIXES
    }
    lines = ["| clip | label | measured | with the person's calm clip | caption |", "|---|---|---|---|---|"]
    hits, own_hits, labels = [], [], []
    for path, clip in zip(paths, shapes, strict=True):
        label = label_of(path)
        if not any(clip):
            lines.append(f"| {path.stem} | {label} | no face | | |")
            hits.append(False)
            continue
        means = mean_shapes(clip)
        plain, rest = describe_shapes(means), rests.get(path.stem.split("_")[0])
        hits.append(plain.emotion == label)
        labels.append(label)
        own = ""
        if rest is not None and label != "neutral":
            own = describe_shapes(means, rest).emotion
            own_hits.append(own == label)
        lines.append(f"| {path.stem} | {label} | {plain.emotion} | {own} | {plain.caption} |")
    share = max(labels.count(name) for name in EMOTIONS) / max(len(hits), 1)
    lines += ["", f"Agreement: {sum(hits)} of {len(hits)}; always guessing the commonest label: {share:.0%}."]
    if own_hits:
        lines.append(
            f"With the person's calm clip as rest: {sum(own_hits)} of {len(own_hits)} (calm clips left out)."
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training.evaluate_captions", description=__doc__)
    parser.add_argument("what", choices=("calibrate", "table"))
    parser.add_argument("task", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    shapes = [shapes_of(path, options.task) for path in options.clips]
    if options.what == "calibrate":
        text = json.dumps(calibration(shapes), indent=1)
    else:
        text = table(options.clips, shapes)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
