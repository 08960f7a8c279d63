"""Does `motion` follow people it never saw better, once it was trained further on others?

    python -m experiments real_motion --set SET --out DIR [--steps 30] [--without NAME ...]

The people of a prepared set are dealt into two halves. The model is trained on one and measured on the other,
and the other way round, so that everybody is measured by a model that did not see them. Measured is how
closely the made mouth follows the person's own (Pearson's r of how far the lips are open), as `experiments
speech` does, with another person's sound as the control.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from eadnet.driving.motion import MotionModel, motion_track
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.blendshape_mixer import BLENDSHAPES
from eadnet.preparation.shards import read_set, read_shards
from eadnet.rendering import RenderSettings
from eadnet.training.recipes.real_motion import LEARN, finetune_motion
from experiments.speech.clips import TalkingClip
from experiments.speech.drivers import by_track, portrait
from experiments.speech.measures import Driver, Followed, driven, followed, interval

SEEDS = 3  # takes of every clip, whose curves are averaged


def splits_of(directory: Path) -> list[str]:
    """The splits that a set has."""
    return sorted({shard["split"] for shard in read_set(directory)["shards"]})


def clips_of(directory: Path) -> list[TalkingClip]:
    """Every segment of a set, of whatever split."""
    found = []
    for split in splits_of(directory):
        for sample in read_shards(directory, split=split):
            points = sample.tensors["landmarks"].float().numpy()
            shapes = np.zeros((len(points), len(BLENDSHAPES)), np.float32)
            found.append(TalkingClip(sample.id, sample.record["speaker"], points, shapes, sample.sound))
    return found


def driver(path: Path | None) -> Driver:
    """The mean mouth of some takes of the model."""
    model, rig = MotionModel.load(path), portrait()

    def take(seed: int) -> Driver:
        how = RenderSettings(seed=seed)
        return by_track(
            lambda sound, frames: motion_track(SpeechInMemory(sound), "", frames, model=model, settings=how),
            rig,
        )

    takes = [take(seed) for seed in range(SEEDS)]
    return lambda sound, frames: np.mean([one(sound, frames) for one in takes], axis=0)


def halves(clips: Sequence[TalkingClip]) -> tuple[set[str], set[str]]:
    """The people in two halves of about as many seconds, the longest first."""
    seconds: dict[str, int] = {}
    for clip in clips:
        seconds[clip.speaker] = seconds.get(clip.speaker, 0) + len(clip)
    sides: tuple[set[str], set[str]] = (set(), set())
    total = [0, 0]
    for speaker in sorted(seconds, key=lambda name: (-seconds[name], name)):
        side = int(total[1] < total[0])
        sides[side].add(speaker)
        total[side] += seconds[speaker]
    return sides


def row(name: str, results: Sequence[Followed]) -> str:
    middle, low, high = interval([one.r for one in results])
    return (
        f"| {name} | {middle:.3f} ({low:.2f} … {high:.2f}) | {np.mean([one.r for one in results]):.3f} | "
        f"{np.median([one.mismatched for one in results]):.2f} | "
        f"{sum(abs(one.lag) <= 1 for one in results)} of {len(results)} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments real_motion", description=__doc__)
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="of the recipe (its own number)")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--learn", choices=LEARN, default="mouth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--without", nargs="*", default=(), metavar="NAME", help="speakers whose names begin so are left out"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    clips = [one for one in clips_of(options.set) if not one.speaker.startswith(tuple(options.without))]
    sides = halves(clips)
    before = followed(clips, driven(clips, driver(None)))
    kept: dict[str, np.ndarray] = {}
    for number, learned in enumerate(sides):
        made = finetune_motion(
            options.set,
            options.out / f"half_{number}",
            steps=options.steps,
            frames=options.frames,
            rate=options.rate,
            learn=options.learn,
            seed=options.seed,
            splits=splits_of(options.set),
            held_out=splits_of(options.set),
            keep=lambda record, learned=learned: record["speaker"] in learned,  # type: ignore[misc]
        )
        others = [clip for clip in clips if clip.speaker not in learned]
        kept |= dict(zip((clip.name for clip in others), driven(others, driver(made)), strict=True))
    after = followed(clips, [kept[clip.name] for clip in clips])
    gains = [b.r - a.r for a, b in zip(before, after, strict=True)]
    middle, low, high = interval(gains)
    print(f"{len(clips)} segments of {len(sides[0])} + {len(sides[1])} people\n")
    print("| motion | mouth r, median (95 %) | mean | with another's sound | best lag within ±1 frame |")
    print("|---|---|---:|---:|---:|")
    print(row("as it ships", before))
    print(row("trained on the other half", after))
    print(f"\ngain for each segment: median {middle:+.3f} ({low:+.3f} … {high:+.3f}),")
    print(f"mean {np.mean(gains):+.3f},")
    print(f"better on {sum(gain > 0 for gain in gains)} of {len(gains)}")
    numbers = {clip.name: [a.r, b.r] for clip, a, b in zip(clips, before, after, strict=True)}
    (options.out / "numbers.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
