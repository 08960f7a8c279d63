"""`python -m experiments motion`: the rig's drivers on held-out voices, sentences and phrasings; with
`--film`, drift and seams of a minute; with `--sentences`, what is read of words; with `--languages`, the
mouth in nine languages.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech
from eadnet.media.speech import SpeechInMemory
from eadnet.metrics.intervals import mean_interval
from eadnet.rendering import RenderSettings, load_model
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import Track
from eadnet.synthetic.captions import Description, describe
from eadnet.synthetic.performances import perform
from eadnet.synthetic.speech_sets import make_speech
from eadnet.training.data.speech import SpeechSet
from eadnet.training.recipes.motion_data import levels_of, talk_pieces
from experiments.as_shipped import shipped_track
from experiments.motion import languages
from experiments.motion.film import borders_of, drift, film, seams, shown
from experiments.motion.measures import (
    Case,
    Drive,
    Living,
    best_lag,
    expression_r,
    followed,
    lips_shut,
    mouth_r,
)
from experiments.motion.sentences import page
from experiments.seams.bench import SECONDS
from experiments.speech.drivers import portrait

logger = logging.getLogger(__name__)

FRAMES = 96


def cases_of(folder: Path, count: int, split: str = "test", seed: int = 5) -> list[Case]:
    """Recordings of a split with sentences of that split; made in ``folder`` where they are missing."""
    if not (folder / "mouths.npy").exists():
        make_speech(folder, split, count, frames=FRAMES, first_seed=700_000)
    spoken = SpeechSet(folder)
    rng = np.random.default_rng(seed)
    found = []
    for row in range(min(count, len(spoken))):
        feeling = describe(rng, split)
        level = levels_of(spoken.speech[row], spoken.frames)
        take = perform(feeling, np.asarray(spoken.mouths[row], np.float32), level, rng)
        waveform = torch.from_numpy(spoken.speech[row].astype(np.float32) / 32767)
        found.append(Case(waveform, feeling.text, take.params, face_of(feeling), feeling.emotion))
    return found


def talk_cases(shards: Path, count: int, seed: int = 5) -> list[Case]:
    """Natural voices that training did not hear, or sentences, as clean as they are, with test sentences."""
    mouths = shards.parent / "mouths"
    pieces = list(talk_pieces(shards, ("speakers", "sentences"), FRAMES, mouths if mouths.is_dir() else None))
    rng = np.random.default_rng(seed)
    found = []
    for row in rng.permutation(len(pieces))[:count]:
        waveform, mouth = pieces[row]
        feeling = describe(rng, "test")
        take = perform(feeling, mouth, levels_of(np.round(waveform * 32767), FRAMES), rng)
        found.append(
            Case(torch.from_numpy(waveform), feeling.text, take.params, face_of(feeling), feeling.emotion)
        )
    return found


def face_of(feeling: Description) -> np.ndarray:
    """The parameters [P] that a sentence means."""
    face = np.zeros(len(PARAMETERS), np.float32)
    for name, value in feeling.parameters.items():
        face[INDEX[name]] = value
    return face


def motion_driver(path: Path | None, **settings: float | None) -> Drive:
    """The model `motion` with the listener, as it ships."""
    model = MotionModel.load(path)

    def drive(waveform: Tensor, text: str, frames: int, seed: int) -> Track:
        how = RenderSettings(seed=seed, **settings)  # type: ignore[arg-type]
        return shipped_track(SpeechInMemory(waveform), text, frames, model=model, settings=how)

    return drive


def mini_driver() -> Drive:
    """`mini`, whose latents a small network reads, with blinks, glances and head by rule."""
    model = load_model()

    def drive(waveform: Tensor, text: str, frames: int, seed: int) -> Track:
        return track_from_speech(
            waveform, text, model=model, settings=RenderSettings(seed=seed), frames=frames
        )

    return drive


def measured(name: str, drive: Drive, cases: Sequence[Case]) -> str:
    """A row of the table."""
    texts, faces = [c.text for c in cases], [c.face for c in cases]

    def made(texts: Sequence[str], shift: int = 0) -> list[np.ndarray]:
        sounds = [cases[(k + shift) % len(cases)].waveform for k in range(len(cases))]
        return [
            drive(sound, text, FRAMES, seed).values.numpy()
            for seed, (sound, text) in enumerate(zip(sounds, texts, strict=True))
        ]

    started = time.process_time()
    own = made(texts)
    speed = FRAMES * len(cases) / (time.process_time() - started)
    other = made(texts[1:] + texts[:1])
    calm = made([""] * len(cases))
    mismatched = mouth_r(own[1:] + own[:1], cases)
    shut, wrong = lips_shut(own, cases)
    swapped = followed(other, faces[1:] + faces[:1], faces)
    alive = Living.of(own)
    mouth = mean_interval(mouth_r(own, cases))
    numbers = [
        f"{mouth.mean:.3f} ({mouth.low:.2f} … {mouth.high:.2f})",
        f"{np.mean(mouth_r(calm, cases)):.3f}",
        f"{np.mean(mismatched):.2f}",
        f"{best_lag(own, cases)}",
        f"{shut:.3f} ({wrong:.3f})",
        f"{expression_r(own, faces):.3f}",
        f"{expression_r(calm, faces):.2f}",
        f"{swapped:.2f}",
        f"{alive.blinks:.0f} ({alive.depth:.2f})",
        f"{alive.gaze:.3f}",
        f"{alive.yaw:.3f}, {alive.pitch:.3f}",
        f"{speed:.0f}",
    ]
    return f"| {name} | " + " | ".join(numbers) + " |"


def truth_row(cases: Sequence[Case]) -> str:
    """What the drawn performers themselves show: the ceiling."""
    true, faces = [c.truth for c in cases], [c.face for c in cases]
    alive = Living.of(true)
    nearer = followed(true, faces, faces[1:] + faces[:1])
    return (
        f"| drawn performers | 1 | 1 | {np.mean(mouth_r(true[1:] + true[:1], cases)):.2f} | 0 | 1 (0) | "
        f"{expression_r(true, faces):.3f} | 0 | {nearer:.2f} | {alive.blinks:.0f} ({alive.depth:.2f}) | "
        f"{alive.gaze:.3f} | {alive.yaw:.3f}, {alive.pitch:.3f} | |"
    )


HEADER = (
    "| driver | mouth r | without a sentence | another's sound | lag | lips shut (wrongly) | expression r | "
    "without a sentence | swapped sentence followed | blinks a minute (depth) | gaze | head yaw, pitch | "
    "frames per CPU second |\n|---|" + "---:|" * 12
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments motion", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="a motion checkpoint; default: the bundled one")
    parser.add_argument("--speech", type=Path, default=Path(".work/motion/speech/test"))
    parser.add_argument("--talk", type=Path, metavar="DIR", help="shards of natural voices instead")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--split", default="test")
    parser.add_argument("--mini", action="store_true", help="also mini with its reader, which is slow")
    parser.add_argument("--film", action="store_true", help="drift and seams of a minute instead")
    parser.add_argument(
        "--sentences", action="store_true", help="words, single features and what they cost instead"
    )
    parser.add_argument("--languages", action="store_true", help="the mouth in nine languages instead")
    parser.add_argument("--steps", type=int, nargs="*", default=[0], help="0: the checkpoint's own")
    parser.add_argument("--smoothing", type=float, nargs="*", default=[1.0])
    parser.add_argument(
        "--guidance",
        type=float,
        nargs="*",
        default=[None],
        help="of the emotion; default: the checkpoint's own",
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.film:
        model = MotionModel.load(options.checkpoint)
        one, other = (film(model, SECONDS, seed) for seed in (0, 1))
        points = shown(portrait())(one)
        print("\n".join([*drift(one, other), "", *seams(points, borders_of(model, len(one)))]))
        return
    if options.languages:
        print("\n".join(languages.table(MotionModel.load(options.checkpoint), options.count, FRAMES)))
        return
    if options.talk:
        cases = talk_cases(options.talk, options.count)
    else:
        cases = cases_of(options.speech, options.count, options.split)
    if options.sentences:
        print(page(MotionModel.load(options.checkpoint), cases, options.guidance))
        return
    print(HEADER)
    print(truth_row(cases))
    for steps in options.steps:
        for smoothing in options.smoothing:
            for guidance in options.guidance:
                drive = motion_driver(
                    options.checkpoint, steps=steps, smoothing=smoothing, emotion_guidance=guidance
                )
                name = (
                    f"motion, {steps or 'default'} steps, smoothing {smoothing:g}, "
                    f"emotion {guidance or 'default'}"
                )
                print(measured(name, drive, cases), flush=True)
    if options.mini:
        print(measured("mini and its reader", mini_driver(), cases), flush=True)
