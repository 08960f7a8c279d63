"""Does the face show what the text describes, as a whole and feature by feature?"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from eadnet.synthetic.captions import Description
from experiments.emotion.evaluator import CALM, READ, REGIONS, Evaluator, Section, parameters_of, vector

logger = logging.getLogger(__name__)

FEATURES: dict[str, tuple[str, ...]] = {
    "left eyebrow raised": ("outer_brow_up_l",),
    "right eyebrow raised": ("outer_brow_up_r",),
    "brows pulled down": ("brow_lower_l", "brow_lower_r"),
    "eyes wide open": ("upper_lid_raise_l", "upper_lid_raise_r"),
    "eyes narrowed": ("lid_tighten_l", "lid_tighten_r"),
    "smiling": ("smile_l", "smile_r"),
    "mouth corners down": ("frown_l", "frown_r"),
    "nose wrinkled": ("nose_wrinkle",),
}
"""Texts of single features, and the readings that should move."""


def _agreement(moved: np.ndarray, target: np.ndarray, starts: Sequence[str]) -> float:
    """r over clips and the readings of a region, each centred over the clips, [N, R] both.

    Centred, so that a face which always does the average of all descriptions scores 0.
    """
    varies = target.std(axis=0) > 1e-3
    columns = [i for i, name in enumerate(READ) if name.startswith(tuple(starts)) and varies[i]]
    if not columns:
        return float("nan")
    a, b = (x[:, columns] - x[:, columns].mean(0) for x in (moved, target))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12))


def following(evaluator: Evaluator, title: str, texts: Sequence[Description], frames: int) -> Section:
    """Does the face show what the descriptions mean?"""
    people = [i % len(evaluator.clips) for i in range(len(texts))]
    rows, ceilings = [], []
    for person, text in zip(people, texts, strict=True):
        rows.append(
            evaluator.face(person, evaluator.tokens(text.text), frames)
            - evaluator.without_text(person, frames)
        )
        true = evaluator.truth(person, [parameters_of({}), parameters_of(text.parameters)])
        ceilings.append(np.array([float(true[name][1] - true[name][0]) for name in READ]))
    moved, ceiling = np.stack(rows), np.stack(ceilings)
    target = np.stack([vector(text.parameters) for text in texts])
    lines = [
        f"## {title} ({len(texts)} descriptions, {frames} frames each)",
        "",
        "r between target and change, over descriptions and the readings of a region.",
        "",
        "| region | own text | shuffled text | true renders |",
        "|---|---:|---:|---:|",
    ]
    everything = tuple(start for starts in REGIONS.values() for start in starts)
    own, others = 0.0, [0.0]
    for name, starts in {**REGIONS, "all": everything}.items():
        own = _agreement(moved, target, starts)
        others = [_agreement(moved, np.roll(target, k, 0), starts) for k in range(1, len(texts))]
        best = _agreement(ceiling, target, starts)
        lines.append(f"| {name} | {own:.2f} | {np.mean(others):.2f} ± {np.std(others):.2f} | {best:.2f} |")
    sizes = np.linalg.norm(moved, axis=1) / np.linalg.norm(ceiling, axis=1).clip(1e-3)
    lines += ["", f"Size of the change relative to the true render's: median {np.median(sizes):.2f}.", ""]
    # The last region is all of them. Three standard deviations above chance count as following.
    follows = bool(own > np.mean(others) + 3 * np.std(others))
    logger.info("%s: measured", title)
    return Section(
        lines, [(f"{title}: the face follows", f"r {own:.2f}, {np.mean(others):.2f} shuffled", follows)]
    )


def single_features(evaluator: Evaluator, people: Sequence[int], frames: int) -> Section:
    """Single features: does that one move, and do the others stay, in the face that `CALM` gives?

    So does the true render: it differs from the calm face in that feature alone. The empty text is no calm
    face, it leaves the face open; the page says what it shows.
    """
    faces = {
        text: np.stack([evaluator.with_text(p, text, frames) for p in people])
        for text in (*FEATURES, CALM, "")
    }
    shown = {text: _shown(evaluator, people, targets) for text, targets in FEATURES.items()}
    lines = [
        f"## One feature at a time ({len(people)} people)",
        "",
        f'Mean change of the target readings from the face that "{CALM}" gives, and the largest mean change '
        "of a reading in another region, in the parameters' own units (a full movement is 0.8 to 0.95).",
        "",
        "| text | target | other regions, most | which | true render: target | other regions, most |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for text in FEATURES:
        (moved, other, which), (best, strayed, _) = (
            _target_and_other(text, change) for change in ((faces[text] - faces[CALM]).mean(0), shown[text])
        )
        lines.append(f"| {text} | {moved:+.2f} | {other:+.2f} | {which} | {best:+.2f} | {strayed:+.2f} |")
    moves, stays = _counts(faces, shown, CALM)
    open_moves, open_stays = _counts(faces, shown, "")
    left_open = (faces[""] - faces[CALM]).mean(0)
    most = sorted(range(len(READ)), key=lambda i: -abs(left_open[i]))[:4]
    listed = ", ".join(f"{READ[i]} {left_open[i]:+.2f}" for i in most)
    total = len(FEATURES)
    lines += [
        "",
        f'The empty text, which leaves the face open, differs from "{CALM}" most in {listed}. Counted from '
        f"there, {open_moves} of {total} features move and {open_stays} of {total} leave the others alone.",
    ]
    logger.info("single features are measured")
    return Section(
        [*lines, ""],
        [
            (
                "Target features move at least half as far as in true renders",
                f"{moves} of {total}",
                moves == total,
            ),
            ("No other region moves half as far as the target one", f"{stays} of {total}", stays == total),
        ],
    )


def _shown(evaluator: Evaluator, people: Sequence[int], targets: Sequence[str]) -> np.ndarray:
    """Mean change of `READ` when true renders go from a calm face to one with `targets` alone."""
    changes = []
    for person in people:
        true = evaluator.truth(
            person, [parameters_of({}), parameters_of({target: 0.9 for target in targets})]
        )
        changes.append([float(true[name][1] - true[name][0]) for name in READ])
    return np.mean(changes, axis=0)


def _target_and_other(text: str, change: np.ndarray) -> tuple[float, float, str]:
    """Of a change of `READ`: the mean of the target readings, the largest in another region, its name."""
    targets, moved = FEATURES[text], dict(zip(READ, change, strict=True))
    region = next(s for s in REGIONS.values() if targets[0].startswith(s))
    other = max((n for n in READ if not n.startswith(region)), key=lambda n: abs(moved[n]))
    return float(np.mean([moved[target] for target in targets])), float(moved[other]), other


def _counts(faces: dict[str, np.ndarray], shown: dict[str, np.ndarray], base: str) -> tuple[int, int]:
    """How many texts move their target, and how many leave the rest alone, from the face of `base`."""
    moves, stays = 0, 0
    for text in FEATURES:
        moved, other, _ = _target_and_other(text, (faces[text] - faces[base]).mean(0))
        best, _, _ = _target_and_other(text, shown[text])
        moves += moved > best / 2
        stays += moved > 2 * abs(other)
    return moves, stays
