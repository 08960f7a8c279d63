"""Seams, drift and the silence gate of long clips, on stretches of them that are rendered alone, to the bit.

    python -m benchmarks.seams --steps 4 --write

Seams: the frame-to-frame change where a window begins or ends, and at 30 s and 60 s, against that elsewhere.
Drift: how mouth and sound agree in the first and the last 10 s of 10 minutes of bundled speech, repeated.
Gate: how far the mouth stands open in pauses, with and without; the control is the same mouth while speaking.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from eadnet.media.audio import load_audio, to_mono_16k  # noqa: E402
from eadnet.metrics.mouth import correlation, lag_curve, mouth_opening_from_pixels, speech_envelope  # noqa: E402
from eadnet.pipeline import Job, Settings, job, load_model  # noqa: E402
from eadnet.render import TOGETHER, render  # noqa: E402
from eadnet.sampling.windows import windows  # noqa: E402

ASSETS = ROOT / "eadnet" / "assets"
FPS = 25


def speech(seconds: float) -> tuple[Tensor, int]:
    waveform, rate = load_audio(ASSETS / "speech.wav")
    count = round(seconds * rate)
    return waveform[0].repeat(-(-count // waveform.shape[1]))[:count], rate


@contextmanager
def opened(waveform: Tensor, rate: int, model: object, **settings: object) -> Iterator[Job]:
    from scipy.io import wavfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        wavfile.write(path, rate, waveform.numpy())
        given = {"portrait": ASSETS / "portrait.png", "model": model}
        with job(path, "happy", settings=Settings(**settings), **given) as todo:  # type: ignore[arg-type]
            yield todo


def stretch(todo: Job, start: int, count: int) -> np.ndarray:
    """Frames ``start`` to ``start + count`` of the clip, nothing else rendered."""
    first = start // TOGETHER * TOGETHER
    frames = islice(render(todo.networks, todo.scene, todo.how, first_frame=first), start - first + count)
    return np.stack(list(frames)[start - first :])


def change(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of neighbouring frames, in grey levels."""
    return np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))


def agreement(frames: np.ndarray, waveform: Tensor, rate: int, start: int) -> tuple[float, int, float]:
    """(correlation of mouth and sound at lag 0, best lag within 5 frames, correlation there)."""
    mouth = mouth_opening_from_pixels(torch.from_numpy(frames).float() / 255)
    speech_16k = to_mono_16k(waveform, rate)
    sound = speech_envelope(speech_16k, 16000, start + len(frames), FPS)[start:]
    curve = lag_curve(sound, mouth, 5)
    best = int(curve.correlations.argmax())
    return correlation(sound, mouth), int(curve.lags[best]), float(curve.correlations[best])


def seams(model: object, steps: int, say: list[str]) -> np.ndarray:
    waveform, rate = speech(65)
    with opened(waveform, rate, model, steps=steps) as todo:
        parts = windows(todo.scene.length.frames, todo.how.window, todo.how.overlap)
        borders = {border for part in parts for border in part}
        pieces = {start: stretch(todo, start, count) for start, count in ((0, 250), (725, 50), (1475, 50))}
    at_border, elsewhere = [], []
    changed: dict[int, float] = {}
    for start, frames in pieces.items():
        for place, value in enumerate(change(frames), start + 1):
            (at_border if place in borders else elsewhere).append(value)
            changed[place] = float(value)
    median = float(np.median(elsewhere))
    say += [
        f"Speech of 65 s, {len(at_border)} changes at window borders, {len(elsewhere)} elsewhere.",
        "",
        "| where | median change (grey levels) | ratio to elsewhere |",
        "|---|---|---|",
        f"| elsewhere | {median:.3f} | 1 |",
        f"| at window borders | {np.median(at_border):.3f} | {np.median(at_border) / median:.2f} |",
        *(
            f"| into frame {k} ({k / FPS:g} s) | {changed[k]:.3f} | {changed[k] / median:.2f} |"
            for k in (750, 1500)
        ),
        *(
            f"| control: the same moment of the repeated speech, frame {k} | {changed[k]:.3f} "
            f"| {changed[k] / median:.2f} |"
            for k in (50, 150, 100, 200)
        ),
        "",
        f"95th percentile of single changes: {np.percentile(elsewhere, 95) / median:.2f} times the median "
        f"elsewhere, at borders {np.percentile(at_border, 95) / median:.2f} times.",
        "",
    ]
    return pieces[0]


def drift(model: object, steps: int, first: np.ndarray, say: list[str]) -> None:
    waveform, rate = speech(600)
    with opened(waveform, rate, model, steps=steps) as todo:
        last = stretch(todo, 14750, 250)
    rows = {
        "first 10 s": agreement(first, waveform, rate, 0),
        "last 10 s": agreement(last, waveform, rate, 14750),
    }
    control = agreement(last, waveform, rate, 14750 - 37)
    say += [
        "| of 10 minutes | correlation of mouth and sound | best lag (frames) | correlation there |",
        "|---|---|---|---|",
        *(f"| {name} | {r[0]:.3f} | {r[1]} | {r[2]:.3f} |" for name, r in rows.items()),
        f"| control: sound 37 frames earlier | {control[0]:.3f} | {control[1]} | {control[2]:.3f} |",
        "",
    ]


def gate(model: object, steps: int, say: list[str]) -> None:
    """Two seconds of speech, two of a pause, two of speech; the pause digital or with room noise."""
    spoken, rate = speech(2.0)
    say += ["| pause | gate | mouth open in the pause | while speaking |", "|---|---|---|---|"]
    noise = torch.randn(2 * rate, generator=torch.Generator().manual_seed(0))
    for name, level in (("digital silence", 0.0), ("noise at -60 dBFS", 1e-3), ("noise at -46 dBFS", 5e-3)):
        waveform = torch.cat([spoken, level * noise, spoken])
        for on in (True, False):
            with opened(waveform, rate, model, steps=steps, silence_gate=on) as todo:
                frames = torch.from_numpy(stretch(todo, 0, 150)).float() / 255
            mouth = mouth_opening_from_pixels(frames)
            pause, speaking = mouth[60:94], torch.cat([mouth[:45], mouth[105:]])
            say.append(
                f"| {name} | {'on' if on else 'off'} | {pause.mean():.4f} (most {pause.max():.4f}) "
                f"| {speaking.mean():.4f} |"
            )
    say.append("")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seams", description=__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--only", choices=("seams", "gate"))
    parser.add_argument("--write", action="store_true", help="record the tables in benchmarks/results")
    options = parser.parse_args()
    model, say = load_model(), [f"mini, {options.steps} steps, one portrait, seed 0.", ""]
    if options.only != "gate":
        first = seams(model, options.steps, say)
        print("\n".join(say), flush=True)
        drift(model, options.steps, first, say)
    if options.only != "seams":
        gate(model, options.steps, say)
    print("\n".join(say), flush=True)
    if options.write:
        target = Path(__file__).parent / "results" / "seams.md"
        target.write_text("# Seams, drift and pauses\n\n" + "\n".join(say), encoding="utf-8")


if __name__ == "__main__":
    main()
