"""Real recordings, without a ground truth for the mouth: does the mouth follow the loudness?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eadnet.dataset_format import FPS, SAMPLE_RATE
from eadnet.media.audio import load_audio, num_frames, to_mono_16k
from eadnet.metrics.mouth import correlation, lag_curve, speech_envelope
from eadnet.modules.parameter_regressors import ParameterRegressor
from experiments.clip_renderer import ClipRenderer
from experiments.readings import OPENING


def measure_recordings(
    renderer: ClipRenderer,
    regressor: ParameterRegressor,
    portrait: np.ndarray,
    paths: Sequence[Path],
    seconds: float = 6.0,
) -> dict[str, dict[str, float]]:
    """By file name: r of the mouth's opening with the recording's envelope ("own"), the mean r with the
    others' as control ("mismatched"), and the best lag in frames.
    """
    openings, envelopes = [], []
    for path in paths:
        waveform, rate = load_audio(path)
        mono = to_mono_16k(waveform, rate)[: round(seconds * SAMPLE_RATE)]
        frames = num_frames(len(mono) / SAMPLE_RATE, FPS)
        openings.append(regressor.read(renderer(portrait, mono, "", frames, seed=0))[OPENING])
        envelopes.append(speech_envelope(mono, SAMPLE_RATE, frames, FPS))
    result = {}
    for i, path in enumerate(paths):
        others = [
            correlation(openings[i][: len(other)], other[: len(openings[i])])
            for other in envelopes[:i] + envelopes[i + 1 :]
        ]
        result[path.name] = {
            "own": correlation(openings[i], envelopes[i]),
            "mismatched": float(np.mean(others)),
            "best lag": lag_curve(openings[i], envelopes[i], 5).best_lag,
        }
    return result
