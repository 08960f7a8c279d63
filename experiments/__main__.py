"""`python -m experiments NAME [options]`; without a name, a line for each experiment."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

from eadnet.errors import CheckpointError, InputError, no_such

EXPERIMENTS: dict[str, tuple[str, str]] = {
    "world": ("experiments.world.command", "a model on held-out clips whose truth is known"),
    "ablation": ("experiments.ablation.command", "the same training with and without each part of the model"),
    "emotion": ("experiments.emotion.command", "whether the face follows the text"),
    "words": ("experiments.words", "a hundred words that no training text uses, and their faces"),
    "thesaurus": (
        "experiments.thesaurus.command",
        "which known words stand for those that no training text uses",
    ),
    "captions": ("experiments.captions", "measured captions against the labels of acted clips"),
    "photographs": ("experiments.photographs", "how well photographs are distinguished from drawings"),
    "faces": ("experiments.faces.command", "finding, tracking, cropping and pasting faces in recordings"),
    "landmarks": ("experiments.landmarks", "our face landmarker against MediaPipe itself; the mean face"),
    "rig": ("experiments.rig.command", "emotions, lips and speed of rigged pictures"),
    "motion_ablation": (
        "experiments.motion.ablation",
        "motion trained with and without each part of the objective",
    ),
    "motion": ("experiments.motion.command", "the drivers of the rig: mouth, expression, blinks, head"),
    "real_motion": ("experiments.real_motion", "motion trained further on half of the real people of a set"),
    "training_cost": (
        "experiments.training_cost",
        "memory and operations of a full-size training step, counted",
    ),
    "sync": ("experiments.sync.command", "sync scores against known offsets"),
    "speech": ("experiments.speech.command", "mouths made from sound, idle motion: against people's own"),
    "voices": ("experiments.voices", "people's speech against the synthetic voices: pitch, level, pauses"),
    "seams": ("experiments.seams.command", "seams, drift and the silence gate in long clips"),
    "pictures": ("experiments.pictures", "the pictures of the README and of the templates"),
}
"""By name, the module whose `main(argv)` runs the experiment, and what it measures."""


def listing() -> str:
    """A line for each experiment."""
    width = max(map(len, EXPERIMENTS))
    return "\n".join(f"{name:{width}}  {words}" for name, (_, words) in EXPERIMENTS.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one experiment; the exit status is 0, 2 for what the user can put right, 130 for Ctrl-C."""
    name, *options = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(f"python -m experiments NAME [options]; --help after a name lists its options.\n\n{listing()}")
        return 0
    if name not in EXPERIMENTS:
        print(f"experiments: {no_such('experiment', name, EXPERIMENTS)}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        importlib.import_module(EXPERIMENTS[name][0]).main(options)
    except (InputError, CheckpointError, FloatingPointError) as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("experiments: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
