"""The mouth of `motion` in nine languages: held-out espeak-ng speakers and sentences, with known sounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from eadnet.driving.motion import MotionModel
from eadnet.media.speech import SpeechInMemory
from eadnet.metrics.intervals import mean_interval
from eadnet.rendering import RenderSettings
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.synthetic.sentences import languages, sentence
from eadnet.synthetic.speech import FOREIGN_VOICES, SAMPLE_RATE, VOICES_BY_SPLIT, speak
from eadnet.synthetic.visemes import MOUTH, mouth_track
from experiments.as_shipped import shipped_track
from experiments.motion.measures import Array, Case, best_lag, lips_shut, mouth_r

FPS = 25
_SHORT = 40  # letters, below which a second sentence is said


def language_cases(language: str, count: int, frames: int) -> list[Case]:
    """Test sentences by test speakers, with the mouths of their phonemes and no feeling; silence fills them
    up to ``frames``.
    """
    voices = VOICES_BY_SPLIT["test"] if language == "en" else FOREIGN_VOICES["test"][language]
    found = []
    for seed in range(count):
        rng = np.random.default_rng([languages().index(language), seed])
        words = sentence(rng, "test", language)
        if len(words) <= _SHORT:
            words = f"{words} {sentence(rng, 'test', language)}"
        said = speak(
            words, voices[seed % len(voices)], int(rng.integers(130, 200)), int(rng.integers(10, 90))
        )
        wave = np.zeros(frames * SAMPLE_RATE // FPS, np.float32)
        wave[: len(said.waveform)] = said.waveform[: len(wave)]
        truth = np.zeros((frames, len(PARAMETERS)), np.float32)
        truth[:, [INDEX[name] for name in MOUTH]] = mouth_track(said.phonemes, frames, FPS)
        found.append(Case(torch.from_numpy(wave), "", truth, np.zeros(len(PARAMETERS), np.float32)))
    return found


def row(language: str, cases: Sequence[Case], made: Sequence[Array]) -> str:
    """A language's row of the table; the control is the next recording of the same language."""
    own = mean_interval(mouth_r(made, cases))
    other = np.mean(mouth_r([*made[1:], made[0]], cases))
    shut, wrong = lips_shut(made, cases)
    return (
        f"| {language} | {len(cases)} | {own.mean:.3f} ({own.low:.2f} … {own.high:.2f}) | {other:.2f} | "
        f"{best_lag(made, cases):+d} | {shut:.3f} ({wrong:.3f}) |"
    )


def table(model: MotionModel, count: int, frames: int) -> list[str]:
    """Every language with what ships."""
    lines = ["| language | recordings | mouth r (95 %) | another's sound | lag | lips shut (wrongly) |"]
    lines.append("|---|" + "---:|" * 5)
    for language in languages():
        cases = language_cases(language, count, frames)
        made = [
            shipped_track(
                SpeechInMemory(case.waveform),
                "",
                frames,
                model=model,
                settings=RenderSettings(seed=seed),
            ).values.numpy()
            for seed, case in enumerate(cases)
        ]
        lines.append(row(language, cases, made))
    return lines
