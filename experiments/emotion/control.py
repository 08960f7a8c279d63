"""Does the face follow strength and time, and what does the emotion cost in lip-sync?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eadnet.captions.timeline import blend, key_weights, parse_timeline, timeline_tokens
from eadnet.dataset_format import FPS
from eadnet.metrics.intervals import mean_interval
from eadnet.metrics.mouth import correlation
from eadnet.synthetic import expression as world
from eadnet.training.data.clips import labels_of
from experiments.emotion.evaluator import READ, Evaluator, Section, parameters_of, vector
from experiments.readings import OPENING

logger = logging.getLogger(__name__)

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TIMELINE = "0.0 calm\n1.0 furious, brows pulled down, lips pressed"
_CHANGE = 25  # frame of the timeline's second line
# Criteria: frames that a change may be late, ratio of steps, share of the lip-sync.
_LATE, _ROUGH, _COST = 3, 1.5, 0.05
_LIP_FRAMES = 28  # windows of 16 frames share 4: this length wastes none


def _projection(moved: np.ndarray, target: np.ndarray) -> float:
    """How much of a target face shows: 0 none, 1 all."""
    return float(moved @ target / (target @ target))


def strengths(evaluator: Evaluator, people: Sequence[int], frames: int) -> Section:
    """Strength 0 to 1: how much of the emotion's face shows."""
    lines = [
        "## Strength",
        "",
        "How much of the described face shows (1: all of it).",
        "",
        f"| text | {' | '.join(f'{s:g}' for s in STRENGTHS)} | monotone |",
        f"|---|{'---:|' * len(STRENGTHS)}---|",
    ]
    null = evaluator.tokens("")
    criteria = []
    for emotion in ("happy", "angry"):
        tokens, target = evaluator.tokens(f"very {emotion}"), vector(world.EMOTIONS[emotion])
        shown = [np.mean([evaluator.without_text(p, frames) for p in people], axis=0)]
        for share in STRENGTHS[1:]:
            mixed = blend(tokens[None], null, torch.tensor([[share]]))[0]
            shown.append(np.mean([evaluator.face(p, mixed, frames) for p in people], axis=0))
        values = [_projection(face - shown[0], target) for face in shown]
        steady = all(b > a for a, b in zip(values, values[1:], strict=False))
        criteria.append(
            (f"'very {emotion}' grows with the strength", f"{values[0]:.2f} to {values[-1]:.2f}", steady)
        )
        numbers = " | ".join(f"{v:.2f}" for v in values)
        lines.append(f"| very {emotion} | {numbers} | {'yes' if steady else 'no'} |")
    logger.info("strengths are measured")
    return Section([*lines, ""], criteria)


@dataclass(frozen=True)
class Change:
    """A measured change: its levels before and after, the frame where it is half way, its largest step."""

    before: float
    after: float
    frame: int
    step: float

    @classmethod
    def of(cls, values: np.ndarray, at: int, margin: int = 7) -> Change:
        """From a curve [T] that should change at frame `at`; a mean of three frames finds the half way."""
        before, after = values[: at - margin].mean(), values[at + margin :].mean()
        share = (values - before) / (after - before if abs(after - before) > 1e-6 else 1e-6)
        smooth = np.convolve(np.pad(share, 1, mode="edge"), [1 / 3] * 3, "valid")
        frame = int(np.argmax(smooth >= 0.5)) if (smooth >= 0.5).any() else len(values)
        return cls(float(before), float(after), frame, float(np.abs(np.diff(values)).max()))

    def __str__(self) -> str:
        return (
            f"from {self.before:.2f} to {self.after:.2f} of the angry face; half way at frame {self.frame} "
            f"(target {_CHANGE}); largest step between frames {self.step:.3f}"
        )


def timeline(evaluator: Evaluator, people: Sequence[int], frames: int) -> Section:
    """A change at 1 s: when does it happen, and is it smooth? Control: the true renders of the same curve."""
    keys = parse_timeline(TIMELINE, frames / FPS)
    weights = key_weights(keys, frames, FPS, 0.4)
    null = evaluator.tokens("")
    tokens = torch.stack([evaluator.tokens(key.text) for key in keys])
    target = vector(world.EMOTIONS["angry"])

    def shown(reading: dict[str, Tensor]) -> np.ndarray:
        return np.stack([reading[name].numpy() for name in READ], 1) @ target / (target @ target)

    lines = ["## A timeline", "", f"`{TIMELINE.replace(chr(10), ' / ')}`, cross-fade 0.4 s.", ""]
    late, ratios = [], []
    for person in people:
        mixed = timeline_tokens(keys, weights, list(tokens), null).mixed()
        changing = shown(evaluator.read(person, mixed, frames))
        steady = shown(evaluator.read(person, tokens[0], frames))
        faces = [parameters_of(world.EMOTIONS["angry"], share) for share in weights.dense()[:, 1]]
        # Speech and blinks are the same in both clips, and fall out of their difference.
        made, true = (
            Change.of(v, _CHANGE) for v in (changing - steady, shown(evaluator.truth(person, faces)))
        )
        late.append(abs(made.frame - _CHANGE))
        ratios.append(made.step / true.step)
        lines += [f"- person {person}, generated: {made}.", f"- person {person}, true render: {true}."]
    lines += [f"- largest step, generated to true: {', '.join(f'{ratio:.2f}' for ratio in ratios)}.", ""]
    logger.info("the timeline is measured")
    worst, rough = max(late), max(ratios)
    return Section(
        lines,
        [
            (f"A change happens within {_LATE} frames of its time", f"{worst} at most", worst <= _LATE),
            (
                f"No frame jumps more than {_ROUGH:g} x the true render",
                f"{rough:.2f} at most",
                rough <= _ROUGH,
            ),
        ],
    )


def lip_sync(evaluator: Evaluator, people: Sequence[int]) -> Section:
    """Does the emotion cost lip-sync? r of the mouth's opening with the clip's true opening."""
    names = ("empty text", "own text", "own text, another clip's truth")
    scores: dict[str, list[float]] = {name: [] for name in names}
    null = evaluator.tokens("")
    for person in people:
        openings = labels_of(evaluator.clips).openings
        truth = torch.from_numpy(openings[person][:_LIP_FRAMES])
        other = torch.from_numpy(openings[(person + 1) % len(openings)][:_LIP_FRAMES])
        empty = evaluator.read(person, null, len(truth))[OPENING]
        own = evaluator.read(person, evaluator.tokens(evaluator.clips.texts[person]["text"]), len(truth))[
            OPENING
        ]
        scores["empty text"].append(correlation(empty, truth))
        scores["own text"].append(correlation(own, truth))
        scores["own text, another clip's truth"].append(correlation(own, other))
    lines = [f"## Lip-sync ({len(people)} clips)", "", "| | r with the true opening | 95 % |"]
    lines.append("|---|---:|---:|")
    for name, values in scores.items():
        found = mean_interval(values)
        lines.append(f"| {name} | {found.mean:.3f} | ± {found.half_width:.3f} |")
    without, with_text = scores["empty text"], scores["own text"]
    loss = mean_interval([a - b for a, b in zip(without, with_text, strict=True)])
    share = 1 - np.mean(with_text) / np.mean(without)
    lines += [
        "",
        f"Loss with the emotion on: {share:.1%} (paired difference {loss.mean:.3f} ± {loss.half_width:.3f}).",
        "",
    ]
    logger.info("lip-sync is measured")
    criterion = f"Emotion costs at most {_COST:.0%} of the lip-sync"
    return Section(lines, [(criterion, f"{share:.1%}", bool(share <= _COST))])
