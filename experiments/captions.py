"""Measured captions against the labels of acted clips, and the calibration of the blend shapes.

    python -m experiments captions calibrate TASK CLIPS...   # clips without labels
    python -m experiments captions table TASK CLIPS... --out docs/results/measured.md

A clip's label is the emotion that its file name contains. Calibration and table must not share clips. The
rules that were settled on labelled clips are chosen again for every person from the others' clips, which
gives a number for people nobody tuned on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from eadnet.captions.dataset import SUFFIXES
from eadnet.captions.frames import from_video
from eadnet.captions.measured import Rules, describe_shapes, mean_shapes
from eadnet.captions.parse import find_emotion
from eadnet.captions.schema import EMOTIONS
from eadnet.faces.landmarker import blendshapes
from eadnet.media.images import read_image

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


def group_of(path: Path) -> str:
    """The person of an acted clip ("M030"); stills are a group of their own ("labelled")."""
    return path.stem.split("_")[0]


SETTINGS = tuple(
    Rules(calm, cheeks, speech)
    for calm, cheeks, speech in product((0.15, 0.25, 0.35, 0.45, 0.55), (False, True), (False, True))
)


def held_out(
    paths: Sequence[Path],
    shapes: Sequence[Sequence[Mapping[str, float] | None]],
    settings: Sequence[Rules] = SETTINGS,
) -> list[tuple[str, int, int, Rules]]:
    """For every group of clips: (group, hits, clips, rules), the rules being those that agree best with the
    labels of all other groups. Among equals the middle one counts, so that no end is favoured.
    """
    clips = [(path, mean_shapes(seen)) for path, seen in zip(paths, shapes, strict=True) if any(seen)]
    right = {
        rules: [describe_shapes(means, rules=rules).emotion == label_of(path) for path, means in clips]
        for rules in settings
    }
    result = []
    for group in dict.fromkeys(group_of(path) for path, _ in clips):
        inside = [group_of(path) == group for path, _ in clips]

        def hits(rules: Rules, where: bool, inside: list[bool] = inside) -> int:
            return sum(hit for hit, own in zip(right[rules], inside, strict=True) if own == where)

        most = max(hits(rules, False) for rules in settings)
        best = [rules for rules in settings if hits(rules, False) == most]
        chosen = best[len(best) // 2]
        result.append((group, hits(chosen, True), sum(inside), chosen))
    return result


def held_out_table(rows: Sequence[tuple[str, int, int, Rules]]) -> str:
    lines = ["| left out | agree | rules chosen on the others |", "|---|---:|---|"]
    for group, hits, count, rules in rows:
        chosen = f"calm {rules.calm:g}, cheeks {'on' if rules.cheeks else 'off'}"
        lines.append(
            f"| {group} | {hits} of {count} | {chosen}, speech left out {'yes' if rules.speech else 'no'} |"
        )
    hits, count = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return "\n".join([*lines, f"| all | {hits} of {count} | |"]) + "\n"


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


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments captions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("calibrate", "table"))
    parser.add_argument("task", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    shapes = [shapes_of(path, options.task) for path in options.clips]
    if options.what == "calibrate":
        text = json.dumps(calibration(shapes), indent=1)
    else:
        text = f"{held_out_table(held_out(options.clips, shapes))}\n{table(options.clips, shapes)}"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
