"""Seams, drift and the silence gate of long clips, on stretches of them that are rendered alone, to the bit.

    python -m benchmarks.seams --steps 8 --write

Seams: the frame-to-frame change where a window begins or ends, and at 30 s and 60 s, against that at the same
moments of the speech elsewhere.
Drift: how mouth and sound agree in the first and the last 10 s of 10 minutes of bundled speech, repeated.
Gate: how far the mouth stands open in pauses, with and without; the control is the same mouth while speaking.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
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
PERIOD = 100  # frames after which the repeated speech begins again
MARKS = (750, 1500)  # 30 s, where Whisper and others with it cut, and 60 s


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


Stretch = tuple[int, int]


def ratios(changes: dict[int, float], places: Iterable[int], elsewhere: Iterable[int]) -> dict[int, float]:
    """The change into each of ``places`` over the median of the changes at the same moment of the repeated
    speech, among ``elsewhere`` and other than itself; places without such a change are left out.
    """
    moments: dict[int, list[int]] = {}
    for place in elsewhere:
        moments.setdefault(place % PERIOD, []).append(place)
    found = {}
    for place in places:
        same = [changes[other] for other in moments.get(place % PERIOD, []) if other != place]
        if same:
            found[place] = changes[place] / float(np.median(same))
    return found


def interval(values: Iterable[float]) -> tuple[float, float, float]:
    """(median, and the 95 % interval of it by resampling)."""
    array = np.array(list(values))
    draws = np.random.default_rng(0).choice(array, (4000, len(array)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(np.median(array)), float(low), float(high)


def seam_table(pieces: dict[int, np.ndarray], borders: Collection[int]) -> list[str]:
    """What changes at borders, against the same moments of the speech where no border is.

    The speech repeats every 100 frames and the borders every 12, so each moment falls on a border in some
    repeats and between borders in others. A blink or a plosive is in all of them; a seam is not.
    """
    changes: dict[int, float] = {}
    for start, frames in pieces.items():
        changes |= {place: float(value) for place, value in enumerate(change(frames), start + 1)}
    ordinary = [place for place in changes if place not in borders and place not in MARKS]
    at_borders = [place for place in changes if place in borders]
    moments = {place % PERIOD for place in at_borders}
    control = ratios(changes, [place for place in ordinary if place % PERIOD in moments], ordinary)
    rows = {
        "at window borders": ratios(changes, at_borders, ordinary),
        "control: the same moments between borders": control,
    }
    usual = float(np.median(list(changes.values())))
    lines = [
        f"{len(changes)} changes from frame to frame; their median is {usual:.3f} grey levels.",
        "",
        "| where | changes | ratio to the same moments elsewhere, median (95 % interval) | 95th percentile |",
        "|---|---|---|---|",
    ]
    for name, found in rows.items():
        middle, low, high = interval(found.values())
        lines.append(
            f"| {name} | {len(found)} | {middle:.3f} ({low:.3f} to {high:.3f}) "
            f"| {np.percentile(list(found.values()), 95):.2f} |"
        )
    everywhere = np.array(list(ratios(changes, ordinary, ordinary).values()))
    for place, ratio in ratios(changes, [mark for mark in MARKS if mark in changes], ordinary).items():
        more = f"{float((everywhere >= ratio).mean()):.0%} of all frames have more"
        lines.append(f"| into frame {place} ({place / FPS:g} s) | 1 | {ratio:.3f}; {more} | |")
    return [*lines, ""]


def seams(model: object, steps: int, stretches: list[Stretch], say: list[str]) -> None:
    waveform, rate = speech(65)
    with opened(waveform, rate, model, steps=steps) as todo:
        parts = windows(todo.scene.length.frames, todo.how.window, todo.how.overlap)
        borders = {border for part in parts for border in part}
        pieces = {first: stretch(todo, first, last - first) for first, last in stretches}
    named = ", ".join(f"{first} to {last}" for first, last in stretches)
    say += [f"Speech of 65 s, frames {named}.", "", *seam_table(pieces, borders)]


def drift(model: object, steps: int, say: list[str]) -> None:
    waveform, rate = speech(600)
    with opened(waveform, rate, model, steps=steps) as todo:
        first, last = stretch(todo, 0, 250), stretch(todo, 14750, 250)
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


def between(text: str) -> Stretch:
    first, last = map(int, text.split(":"))
    return first, last


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seams", description=__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--only", choices=("seams", "drift", "gate"), nargs="+")
    parser.add_argument(
        "--stretch",
        type=between,
        nargs="+",
        default=[(0, 1625)],
        metavar="FIRST:LAST",
        help="frames of the 65 s to render for the seams; each costs `steps` windows more to each side",
    )
    parser.add_argument("--write", action="store_true", help="record the tables in benchmarks/results")
    options = parser.parse_args()
    model, say = load_model(), [f"mini, {options.steps} steps, one portrait, seed 0.", ""]
    parts: dict[str, Callable[[], None]] = {
        "seams": lambda: seams(model, options.steps, options.stretch, say),
        "drift": lambda: drift(model, options.steps, say),
        "gate": lambda: gate(model, options.steps, say),
    }
    for name in options.only or parts:
        parts[name]()
        print("\n".join(say), flush=True)
    if options.write:
        target = Path(__file__).parent / "results" / "seams.md"
        target.write_text("# Seams, drift and pauses\n\n" + "\n".join(say), encoding="utf-8")


if __name__ == "__main__":
    main()
