"""Recordings of people in other languages, whose mouths nobody filmed: does the mouth go with the sound?

Two things that follow from a sound alone stand in for the mouth: how loud it is, and what the linear ridge of
`measures` reads, which is fitted on the mouths of the people that were filmed, who speak English. Beside
English recordings both say whether a mouth moves when it should and about as far; neither says whether its
shapes are those of the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eadnet.errors import InputError
from eadnet.media.audio import load_audio, to_mono_16k
from experiments.speech.clips import STEP, TalkingClip
from experiments.speech.measures import Curve, Driver, correlation, loudness, ridge_driver


def sounds(folder: Path) -> dict[str, Curve]:
    """The .wav files of a folder, mono at 16 kHz [S], by name. Raises InputError where there are fewer than
    two.
    """
    found = {path.stem: to_mono_16k(*load_audio(path)).numpy() for path in sorted(folder.glob("*.wav"))}
    if len(found) < 2:
        raise InputError(
            f"{folder} has fewer than two .wav files: a recording and another one as its control."
        )
    return found


def foreign(clips: Sequence[TalkingClip], recordings: dict[str, Curve], driver: Driver) -> list[str]:
    """A row for each recording: r of the made opening with the loudness and with the ridge fitted on
    ``clips``, of its own sound and, in brackets, on the mean over the other sounds.
    """
    frames = {name: len(wave) // STEP for name, wave in recordings.items()}
    made = {name: driver(wave, frames[name]) for name, wave in recordings.items()}
    lines = [
        "| recording | r with its loudness | with the ridge | mean opening | 90 % |",
        "|---|---:|---:|---:|---:|",
    ]
    heard: list[dict[str, Curve]] = []
    for by in (loudness, ridge_driver(clips)):
        heard.append({name: by(wave, frames[name]) for name, wave in recordings.items()})
    for name, opening in made.items():
        cells = []
        for curves in heard:
            others = [correlation(opening, curve) for other, curve in curves.items() if other != name]
            cells.append(f"{correlation(opening, curves[name]):.2f} ({np.mean(others):.2f})")
        seconds = frames[name] * STEP / 16_000
        lines.append(
            f"| {name}, {seconds:.0f} s | {cells[0]} | {cells[1]} | {opening.mean():.2f} | "
            f"{np.percentile(opening, 90):.2f} |"
        )
    return lines
