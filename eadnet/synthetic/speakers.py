"""Random speakers: vocal tracts, pitches and glottal sources drawn from a seed.

espeak-ng describes a speaker in a small text file (a "variant"): percentages for the frequency, strength and
width of nine formants, a range of pitch, and how breathy, rough or pressed the voice is. The few dozen that
come with it are few for a network that is to work on new voices; a random one costs nothing.
Random speakers are for training alone: validation and test use variants that training does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NASAL, _HIGHEST = 0, 8
_SPEECH_FORMANTS = 3  # 1 to 3 make the vowels; 4 and above only colour the voice


@dataclass(frozen=True)
class DrawnSpeaker:
    """A speaker as espeak-ng reads it; `definition` is the text of its file."""

    definition: str


def draw_speaker(rng: np.random.Generator, manner: str | None = None) -> DrawnSpeaker:
    """From a child's vocal tract to a giant's, from a whisper to a buzz; a few like no human being.

    `manner` is how long and loud stressed syllables are, in espeak-ng's lines; by default it is drawn too.
    """
    tract = float(rng.uniform(84, 132))  # all formants in per cent: short tracts are high
    pitch = float(np.exp(rng.uniform(np.log(62), np.log(260))) * (0.8 if tract < 95 else 1.0))
    lines = [
        "language variant",
        "name drawn",
        f"pitch {pitch:.0f} {pitch * rng.uniform(1.05, 1.7):.0f}",
        f"flutter {rng.integers(0, 21)}",
        f"roughness {rng.integers(0, 6)}",
        f"voicing {np.exp(rng.uniform(np.log(30), np.log(160))):.0f}",
        f"consonants {_per_cent(rng, 40, 130)} {_per_cent(rng, 40, 130)}",
    ]
    lines += [_formant(n, tract, rng) for n in range(_NASAL, _HIGHEST + 1)]
    if rng.random() < 0.35:
        lines.append(f"breath {' '.join(str(rng.integers(0, 60)) for _ in range(8))}")
    if rng.random() < 0.25:
        lines.append(f"klatt {rng.choice([1, 2, 3, 4, 6])}")
    if rng.random() < 0.3:
        lines.append(
            "tone " + " ".join(f"{f} {_per_cent(rng, 5, 255)}" for f in (100, 600, 1200, 2000, 3000))
        )
    lines.append(_draw_manner(rng) if manner is None else manner)
    return DrawnSpeaker("\n".join(lines) + "\n")


def _draw_manner(rng: np.random.Generator) -> str:
    if rng.random() < 0.6:
        return ""
    lengths, strengths = 10 * rng.integers(-3, 9, 8), rng.integers(14, 24, 8)
    return f"stressAdd {' '.join(map(str, lengths))}\nstressAmp {' '.join(map(str, strengths))}"


def _per_cent(rng: np.random.Generator, low: float, high: float) -> str:
    return f"{rng.uniform(low, high):.0f}"


def _formant(number: int, tract: float, rng: np.random.Generator) -> str:
    """Frequency, strength and width of a formant in per cent of the standard voice."""
    if number > _SPEECH_FORMANTS and rng.random() < 0.15:
        return f"formant {number} 100 {rng.integers(0, 20)} 100"
    frequency = (100 if number == _NASAL else tract) * (1 + 0.05 * rng.standard_normal())
    strength, width = 100 * np.exp(0.3 * rng.standard_normal(2))
    return f"formant {number} {frequency:.0f} {np.clip(strength, 40, 200):.0f} {np.clip(width, 50, 220):.0f}"
