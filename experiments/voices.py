"""How people's speech differs from the synthetic voices that the models learn from: pitch, level and pauses.

    python -m experiments voices RECORDINGS... [--synthetic 48]

`RECORDINGS` are sound files or videos of one speaker each. The measurements are librosa's
(`eadnet/training/data/prosody.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.dataset_format import FPS, SAMPLE_RATE
from eadnet.errors import InputError
from eadnet.media.audio import load_audio
from eadnet.synthetic.clips import described
from eadnet.synthetic.recordings import record
from eadnet.training.data.prosody import energy, pitch, resampled, spoken_parts, trimmed
from experiments.paths import RESULTS

_FEWEST_VOICED = 5  # frames, below which a recording has no pitch to speak of


@dataclass(frozen=True)
class Voice:
    """What is measured of a recording, without the silence at its ends.

    pitch     median of the fundamental frequency, Hz
    melody    its 10th to 90th percentile, semitones
    level     10th to 90th percentile of the level while somebody speaks, dB
    pauses    share of the time without speech
    stretch   mean length of the speech between two pauses, s
    """

    pitch: float
    melody: float
    level: float
    pauses: float
    stretch: float


def measure(waveform: Tensor) -> Voice:
    """The voice of a recording [S] at 16 kHz. Raises InputError where nobody speaks."""
    speech, _ = trimmed(waveform)
    if not len(speech):
        raise InputError("Nobody speaks in this recording: there is nothing to measure.")
    parts = spoken_parts(speech)
    frames = max(1, int(len(speech) / SAMPLE_RATE * FPS))
    spoken = np.zeros(frames, bool)
    for part in parts:
        spoken[part.start * FPS // SAMPLE_RATE : -(-part.stop * FPS // SAMPLE_RATE)] = True
    hertz = pitch(speech, FPS, frames)
    voiced = hertz[np.isfinite(hertz)]
    low, middle, high = np.percentile(voiced, (10, 50, 90)) if len(voiced) >= _FEWEST_VOICED else [np.nan] * 3
    quiet, loud = np.percentile(energy(speech, FPS, frames)[spoken], (10, 90))
    seconds = [(part.stop - part.start) / SAMPLE_RATE for part in parts]
    return Voice(
        pitch=float(middle),
        melody=float(12 * np.log2(high / low)),
        level=float(loud - quiet),
        pauses=1 - sum(seconds) * SAMPLE_RATE / len(speech),
        stretch=float(np.mean(seconds)),
    )


def synthetic(count: int, split: str = "train", frames: int = 150) -> Iterator[Voice]:
    """The voices of ``count`` recordings that a model is trained on, each ``frames`` long."""
    for seed in range(count):
        recording = record(seed, split, described(seed, split), frames)
        yield measure(torch.from_numpy(recording.clean))


def page(people: dict[str, Voice], made: Sequence[Voice]) -> str:
    """The page in Markdown."""
    lines = [
        "# Voices: people and the synthetic speech",
        "",
        "`python -m experiments voices RECORDINGS...`. Pitch by pYIN, pauses 40 dB below the loudest part, "
        "both librosa's; silence at the ends is trimmed. Rows of several recordings give the median and, in "
        "brackets, the 10th and 90th percentile.",
        "",
        "| recording | pitch, Hz | melody, semitones | level range, dB | pauses | speech between pauses, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(name, [voice]) for name, voice in people.items()]
    lines.append(_row(f"**{len(people)} people**", list(people.values())))
    lines.append(_row(f"**{len(made)} synthetic recordings**", made))
    return "\n".join(lines) + "\n"


def _row(name: str, voices: Sequence[Voice]) -> str:
    def cell(values: list[float], form: str) -> str:
        known = [value for value in values if np.isfinite(value)]
        if not known:
            return "none"
        low, middle, high = np.percentile(known, (10, 50, 90))
        spread = f" ({low:{form}} … {high:{form}})" if len(voices) > 1 else ""
        return f"{middle:{form}}{spread}"

    columns = [
        cell([v.pitch for v in voices], ".0f"),
        cell([v.melody for v in voices], ".1f"),
        cell([v.level for v in voices], ".0f"),
        cell([v.pauses for v in voices], ".0%"),
        cell([v.stretch for v in voices], ".1f"),
    ]
    return f"| {name} | {' | '.join(columns)} |"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments voices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recordings", type=Path, nargs="+", help="sound files or videos of one speaker each")
    parser.add_argument("--synthetic", type=int, default=48, help="recordings of the synthetic world")
    parser.add_argument("--out", type=Path, default=RESULTS / "voices.md")
    options = parser.parse_args(argv)
    people = {path.stem: measure(resampled(*load_audio(path))) for path in options.recordings}
    options.out.write_text(page(people, list(synthetic(options.synthetic))), encoding="utf-8")
