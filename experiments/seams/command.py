"""Seams, drift and the silence gate of long clips, on stretches of them that are rendered alone, to the bit.

    python -m experiments seams --data MINI --write          everything; goes on where it was stopped
    python -m experiments seams --data MINI --most 0         only tables of what has been rendered so far

Drift: how mouth and speech agree in the first and the last 10 s of 10 minutes of drawn people, whose true
opening is known; MINI holds the clips that a parameter regressor is trained on (`train`) and tested on
(`validation`). Without it the opening is read from dark pixels alone.
Seams: the frame-to-frame change where a window begins or ends, and at 30 s and 60 s, against that at the same
moments of the speech elsewhere.
Moments: the changes into 30 s and 60 s alone, for speech that begins elsewhere each time.
Gate: how far the mouth stands open in pauses, with and without; the control is the same mouth while speaking.
Frames are kept in --work as they are rendered, apart for each model and setting, and the tables are written
after each part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from eadnet.rendering import RenderSettings, load_model
from experiments.paths import RESULTS, ROOT
from experiments.seams.bench import SECONDS, Bench, Stretch
from experiments.seams.changes import FPS
from experiments.seams.parts import drift, gate, moments, seams

PARTS: dict[str, Callable[[Bench], list[str]]] = {
    "drift": drift,
    "seams": seams,
    "gate": gate,
    "moments": moments,
}


def _between(text: str) -> Stretch:
    first, last = map(int, text.split(":"))
    return first, last


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments seams",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", help="the bundled one if not given")
    parser.add_argument("--steps", type=int, help="the checkpoint's own number if not given")
    parser.add_argument("--only", choices=PARTS, nargs="+", help=f"default: {', '.join(PARTS)}")
    parser.add_argument(
        "--stretch",
        type=_between,
        nargs="+",
        default=[(0, SECONDS * FPS)],
        metavar="FIRST:LAST",
        help="frames of the 65 s to render for the seams; each costs `steps` windows more to each side",
    )
    parser.add_argument("--turns", type=int, default=36, help="starts of the speech, for the moments")
    parser.add_argument("--people", type=int, default=2, help="for the drift")
    parser.add_argument("--data", type=Path, help="folder with the clips `train` and `validation`")
    parser.add_argument(
        "--regressor-steps",
        dest="regressor_steps",
        type=int,
        default=1500,
        help="to train the regressor for",
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "seams", help="where frames are kept")
    parser.add_argument("--most", type=int, help="frames to render, then only tables; 0: nothing is rendered")
    parser.add_argument("--write", action="store_true", help="record the tables in docs/results/seams.md")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(argv)
    model = load_model(given.checkpoint)
    bench = Bench(
        model=model,
        steps=given.steps,
        work=given.work,
        data=given.data,
        most=given.most,
        stretches=tuple(given.stretch),
        turns=given.turns,
        people=given.people,
        regressor_steps=given.regressor_steps,
    )
    how = RenderSettings(steps=given.steps).sampling(model.checkpoint)
    say = [
        f"mini, {how.steps} steps, guidance of the sound {how.audio_guidance:g} and of the emotion "
        f"{how.emotion_guidance:g}, seed 0.",
        "",
    ]
    target = RESULTS / "seams.md"
    for name in given.only or PARTS:
        part = [f"## {name.capitalize()}", "", *PARTS[name](bench)]
        print("\n".join(part), flush=True)
        say += part
        if given.write:
            target.write_text("# Seams, drift and pauses\n\n" + "\n".join(say), encoding="utf-8")
