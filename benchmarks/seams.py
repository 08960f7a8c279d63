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
from dataclasses import replace
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
        others = [other for other in moments.get(place % PERIOD, []) if other != place and other in changes]
        same = [changes[other] for other in others]
        if same:
            found[place] = changes[place] / float(np.median(same))
    return found


def ratios_around(changes: dict[int, float], places: Iterable[int], ordinary: set[int]) -> dict[int, float]:
    """The change into each of ``places`` over the median of those up to two frames away that are ordinary."""
    found = {}
    for place in places:
        near = [changes[place + d] for d in (-2, -1, 1, 2) if place + d in ordinary]
        if near:
            found[place] = changes[place] / float(np.median(near))
    return found


def within(changes: dict[int, float], reach: int) -> dict[int, float]:
    """For every frame the sum of the changes up to ``reach`` frames away, where all of them are known."""
    sums = {}
    for place in changes:
        near = [changes.get(place + d) for d in range(-reach, reach + 1)]
        if None not in near:
            sums[place] = sum(value for value in near if value is not None)
    return sums


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
    plain = set(ordinary)
    rows = {
        "at window borders, over the same moments elsewhere": ratios(changes, at_borders, ordinary),
        "control: between borders, over the same moments": control,
        "at window borders, over the frames around": ratios_around(changes, at_borders, plain),
        "control: between borders, over the frames around": ratios_around(changes, ordinary, plain),
    }
    medians = [
        float(np.median([changes[place] for place in places])) for places in (changes, at_borders, ordinary)
    ]
    lines = [
        f"{len(changes)} changes from frame to frame. In grey levels, their median is {medians[0]:.3f}, at "
        f"window borders {medians[1]:.3f}, elsewhere {medians[2]:.3f}.",
        "",
        "| where | changes | ratio, median (95 % interval) | 95th percentile |",
        "|---|---|---|---|",
    ]
    for name, found in rows.items():
        if not found:
            continue
        middle, low, high = interval(found.values())
        lines.append(
            f"| {name} | {len(found)} | {middle:.3f} ({low:.3f} to {high:.3f}) "
            f"| {np.percentile(list(found.values()), 95):.2f} |"
        )
    single = list(ratios(changes, ordinary, ordinary).values())
    lines.append(
        f"| control: any moment over itself elsewhere, larger over smaller | {len(single)} "
        f"| {np.median([max(r, 1 / r) for r in single]):.2f} "
        f"| {np.percentile([max(r, 1 / r) for r in single], 95):.2f} |"
    )
    for reach, what in ((0, "the change"), (2, "all changes within two frames")):
        spread = within(changes, reach)
        for place, ratio in ratios(spread, [mark for mark in MARKS if mark in spread], ordinary).items():
            lines.append(
                f"| {what} of frame {place} ({place / FPS:g} s), over the same moment elsewhere | 1 "
                f"| {ratio:.3f} | |"
            )
    return [*lines, ""]


def seams(model: object, steps: int, stretches: list[Stretch], say: list[str]) -> None:
    waveform, rate = speech(65)
    with opened(waveform, rate, model, steps=steps) as todo:
        parts = windows(todo.scene.length.frames, todo.how.window, todo.how.overlap)
        borders = {border for part in parts for border in part}
        pieces = {first: stretch(todo, first, last - first) for first, last in stretches}
    named = ", ".join(f"{first} to {last}" for first, last in stretches)
    say += [f"Speech of 65 s, frames {named}.", "", *seam_table(pieces, borders)]


def moments(model: object, steps: int, seeds: int, say: list[str]) -> None:
    """The change into 30 s and 60 s, and at the same moments of the speech elsewhere, for several seeds.

    Without TFRM, so that few frames are rendered for each.
    """
    waveform, rate = speech(65)
    say += ["| into frame | change in grey levels, by seed | median |", "|---|---|---|"]
    with opened(waveform, rate, model, steps=steps) as todo:
        for place in (750, 850, 950, 1500, 1400, 1300):
            first = place // TOGETHER * TOGETHER - TOGETHER
            found = []
            for seed in range(seeds):
                how = replace(todo.how, seed=seed)
                film = render(todo.networks, todo.scene, how, smoothing=0, first_frame=first)
                pair = np.stack(list(islice(film, place - first + 1))[-2:])
                found.append(float(change(pair)[0]))
            shown = ", ".join(f"{value:.2f}" for value in found)
            say.append(f"| {place} ({place / FPS:g} s) | {shown} | {np.median(found):.3f} |")
    say.append("")


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
    parser.add_argument("--only", choices=("seams", "moments", "drift", "gate"), nargs="+")
    parser.add_argument(
        "--stretch",
        type=between,
        nargs="+",
        default=[(0, 1625)],
        metavar="FIRST:LAST",
        help="frames of the 65 s to render for the seams; each costs `steps` windows more to each side",
    )
    parser.add_argument("--seeds", type=int, default=5, help="for the moments")
    parser.add_argument("--write", action="store_true", help="record the tables in benchmarks/results")
    options = parser.parse_args()
    model, say = load_model(), [f"mini, {options.steps} steps, one portrait, seed 0.", ""]
    parts: dict[str, Callable[[], None]] = {
        "seams": lambda: seams(model, options.steps, options.stretch, say),
        "moments": lambda: moments(model, options.steps, options.seeds, say),
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
