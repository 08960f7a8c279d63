"""`python -m experiments emotion`: does the face follow the text? Measured on any checkpoint, with people,
voices and phrasings of the test split.

    python -m experiments emotion --checkpoint mini --train .work/mini/train --folder .work/mini

`--folder` holds, or gets, the test clips, the regressor and the stills that it learns from.

Every reading is a difference: the face with the text minus the same portrait, sound and noise with the empty
text, or with "calm" for single features. Controls: other texts than those given (shuffled), and the same
measure on true renders (the ceiling).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from eadnet.modules.parameter_regressors import PairedParameterRegressor
from eadnet.rendering import load_model
from eadnet.synthetic import lexicon
from eadnet.synthetic.captions import Description, describe, describe_word
from eadnet.synthetic.datasets import DatasetShape, render_dataset
from eadnet.synthetic.stills import render_stills
from eadnet.training.data.clips import ClipSet, StillSet
from eadnet.training.data.images import to_model_range
from eadnet.training.regressors.paired import train_paired_parameter_regressor
from eadnet.training.regressors.pictures import r_squared, true_values
from experiments.clip_renderer import ClipRenderer
from experiments.emotion.control import lip_sync, strengths, timeline
from experiments.emotion.evaluator import READ, Evaluator, Section
from experiments.emotion.following import following, single_features
from experiments.paths import RESULTS

logger = logging.getLogger(__name__)

_SPOKEN_FRAMES = 48
_TIMELINE_FRAMES = 40  # windows of 16 frames share 4: this length wastes none
_STILL_PEOPLE, _FIRST_STILL_SEED = 4000, 100_000  # who never appears in the VAE's stills


def descriptions(count: int) -> dict[str, list[Description]]:
    """By title: of the test split (unknown words, phrasings and combinations), and words that no training
    text uses.
    """
    rng = np.random.default_rng(5)
    unseen = lexicon.unseen()
    chosen = rng.permutation(len(unseen))[:count]
    return {
        "Words and phrasings that no training clip used": [describe(rng, "test") for _ in range(count)],
        "Words that no training text uses": [describe_word(unseen[i], rng, "test") for i in chosen],
    }


def criteria_table(criteria: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Rows of (criterion, measured, met)."""
    lines = ["## Acceptance criteria", "", "| criterion | measured | met |", "|---|---|---|"]
    return [
        *lines,
        *(f"| {text} | {seen} | {'yes' if met else 'no'} |" for text, seen, met in criteria),
        "",
    ]


def measure(evaluator: Evaluator, clips: int, frames: int, head: str, out: Path) -> None:
    """Write the page, part by part, so that an interrupted run leaves what it has measured."""
    people = list(range(min(clips, len(evaluator.clips))))
    few = people[: max(2, clips // 6)]
    parts: list[Callable[[], Section]] = [
        *(
            partial(following, evaluator, title, texts, frames)
            for title, texts in descriptions(2 * clips).items()
        ),
        partial(single_features, evaluator, people, frames),
        partial(strengths, evaluator, few, frames),
        partial(timeline, evaluator, few, _TIMELINE_FRAMES),
        partial(lip_sync, evaluator, people),
    ]
    body: list[str] = []
    criteria: list[tuple[str, str, bool]] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        section = part()
        body += section.lines
        criteria += section.criteria
        page = ["# Does the face follow the text?", "", head, "", *criteria_table(criteria), *body]
        out.write_text("\n".join(page), encoding="utf-8")


def explained_variance(regressor: PairedParameterRegressor, clips: ClipSet) -> dict[str, float]:
    """R² per reading on true renders: how far a score on that reading can be trusted."""
    read = [
        torch.stack(list(regressor.read(to_model_range(clip), to_model_range(references[0])).values()), 1)
        for clip, references in zip(clips.frames, clips.references, strict=True)
    ]
    return r_squared(torch.cat(read), true_values(clips).flatten(0, 1), regressor.names)


def _stills(folder: Path) -> StillSet:
    if not (folder / "stills.npy").exists():
        render_stills(folder, _STILL_PEOPLE, first_seed=_FIRST_STILL_SEED)
    return StillSet(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments emotion",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", default="mini", help="a file, or mini for the bundled one")
    parser.add_argument("--train", type=Path, required=True, help="rendered clips that train the regressor")
    parser.add_argument("--folder", type=Path, default=Path(".work/emotion"), help="test clips, regressor")
    parser.add_argument("--out", type=Path, default=RESULTS / "emotion.md")
    parser.add_argument("--clips", type=int, default=10, help="held-out people; time grows with it")
    parser.add_argument("--frames", type=int, default=4, help="frames of one measurement")
    parser.add_argument(
        "--regressor-steps", dest="steps", type=int, default=1500, help="to train the regressor for"
    )
    parser.add_argument("--threads", type=int, default=1)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    started = time.monotonic()
    render_dataset(options.folder / "test", "test", DatasetShape(options.clips, _SPOKEN_FRAMES))
    trained, stills = ClipSet(options.train), _stills(options.folder / "stills")
    regressor = train_paired_parameter_regressor(
        trained, stills, options.folder / "paired_regressor", steps=options.steps
    )
    clips = ClipSet(options.folder / "test")
    trust = explained_variance(regressor, clips)
    renderer = ClipRenderer(load_model(options.checkpoint))
    head = (
        f"{options.clips} held-out people and voices, {renderer.described()}, read by the regressor of pairs "
        f"({options.steps} steps on {len(trained)} clips and {len(stills)} stills; mean R² on true renders "
        f"of these people: {np.nanmean([trust[name] for name in READ]):.2f}). Repeat with\n"
        f"`python -m experiments emotion --checkpoint mini --train .work/mini/train "
        f"--folder .work/mini --clips {options.clips} --regressor-steps {options.steps}`."
    )
    measure(Evaluator(renderer, regressor, clips), options.clips, options.frames, head, options.out)
    logger.info("%s after %.1f min", options.out, (time.monotonic() - started) / 60)
