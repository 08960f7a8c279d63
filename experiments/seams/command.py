"""Seams, drift and the silence gate of long clips, on stretches of them that are rendered alone, to the bit.

    python -m benchmarks.seams --data MINI --write          everything; goes on where it was stopped
    python -m benchmarks.seams --data MINI --most 0         only tables of what has been rendered so far

Drift: how mouth and speech agree in the first and the last 10 s of 10 minutes of drawn people, whose true
opening is known; MINI holds the clips that an instrument is trained on (`train`) and judged on
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
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.media.audio import load_audio
from eadnet.pipeline import Job, Model, Settings, job, load_model
from eadnet.sampling.windows import windows
from eadnet.training.instrument import Instrument
from experiments.paths import ASSETS, RESULTS, ROOT
from experiments.seams import drift as ten_minutes
from experiments.seams.stretches import Takes, rendered

FPS = 25
# Frames after which the repeated speech begins again: 4 s and a frame of silence. It shares no divisor with
# the distance of window borders, 12, so borders meet every moment of the speech; with 100 they met a quarter
# of them, livelier ones than most.
PERIOD = 101
MARKS = (750, 1500)  # 30 s, where Whisper and others with it cut, and 60 s
SECONDS = 65
BOUND = 1.15


def speech(seconds: float) -> tuple[Tensor, int]:
    waveform, rate = load_audio(ASSETS / "speech.wav")
    count = round(seconds * rate)
    once = torch.zeros(PERIOD * rate // FPS)
    once[: waveform.shape[1]] = waveform[0, : len(once)]
    return once.repeat(-(-count // len(once)))[:count], rate


@contextmanager
def opened(
    waveform: Tensor,
    rate: int,
    model: Model,
    *,
    portrait: np.ndarray | None = None,
    text: str = "happy",
    **settings: object,
) -> Iterator[Job]:
    """A render of a waveform [S] by a portrait uint8 [S, S, 3], the bundled one if None."""
    from PIL import Image
    from scipy.io import wavfile

    with tempfile.TemporaryDirectory() as folder:
        path, picture = Path(folder) / "a.wav", ASSETS / "portrait.png"
        wavfile.write(path, rate, waveform.numpy())
        if portrait is not None:
            picture = Path(folder) / "portrait.png"
            Image.fromarray(portrait).save(picture)
        how = Settings(**settings)  # type: ignore[arg-type]
        with job(path, text, portrait=picture, model=model, settings=how) as todo:
            yield todo


def stretch(todo: Job, start: int, count: int) -> np.ndarray:
    """Frames ``start`` to ``start + count`` of the clip, nothing else rendered."""
    return np.stack(list(islice(rendered(todo, start), count)))


def change(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of neighbouring frames, in grey levels."""
    return np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))


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


def over_median(changes: dict[int, float], places: list[int], ordinary: list[int]) -> list[float]:
    """The changes into ``places`` over the median of the ordinary ones: what the requirement says."""
    middle = float(np.median([changes[place] for place in ordinary]))
    return [changes[place] / middle for place in places]


def seam_table(pieces: dict[int, np.ndarray], borders: Collection[int]) -> list[str]:
    """What changes at borders, against the same moments of the speech where no border is.

    The speech repeats every 101 frames and the borders every 12, so each moment falls on a border in some
    repeats and between borders in others. A blink or a plosive is in all of them; a seam is not.
    """
    changes: dict[int, float] = {}
    for start, frames in pieces.items():
        changes |= {place: float(value) for place, value in enumerate(change(frames), start + 1)}
    ordinary = [place for place in changes if place not in borders and place not in MARKS]
    at_borders = [place for place in changes if place in borders and place not in MARKS]
    if not ordinary or not at_borders:
        return ["Too few frames so far.", ""]
    moments = {place % PERIOD for place in at_borders}
    control = ratios(changes, [place for place in ordinary if place % PERIOD in moments], ordinary)
    plain = set(ordinary)
    rows: dict[str, list[float]] = {
        "at window borders, over the median elsewhere": over_median(changes, at_borders, ordinary),
        "at window borders, over the same moments elsewhere": [
            *ratios(changes, at_borders, ordinary).values()
        ],
        "control: between borders, over the same moments": [*control.values()],
        "at window borders, over the frames around": [*ratios_around(changes, at_borders, plain).values()],
        "control: between borders, over the frames around": [
            *ratios_around(changes, ordinary, plain).values()
        ],
    }
    medians = [
        float(np.median([changes[place] for place in places])) for places in (changes, at_borders, ordinary)
    ]
    lines = [
        f"{len(changes)} changes from frame to frame. In grey levels, their median is {medians[0]:.3f}, at "
        f"window borders {medians[1]:.3f}, elsewhere {medians[2]:.3f}.",
        "",
        f"| where (asked: {BOUND} at most) | changes | ratio, median (95 % interval) | 95th percentile |",
        "|---|---|---|---|",
    ]
    for name, found in rows.items():
        if not found:
            continue
        middle, low, high = interval(found)
        lines.append(
            f"| {name} | {len(found)} | {middle:.3f} ({low:.3f} to {high:.3f}) "
            f"| {np.percentile(found, 95):.2f} |"
        )
    single = list(ratios(changes, ordinary, ordinary).values())
    if single:
        lines.append(
            f"| control: any moment over itself elsewhere, larger over smaller | {len(single)} "
            f"| {np.median([max(r, 1 / r) for r in single]):.2f} "
            f"| {np.percentile([max(r, 1 / r) for r in single], 95):.2f} |"
        )
    return [*lines, *mark_rows(changes, ordinary), ""]


def mark_rows(changes: dict[int, float], ordinary: list[int]) -> list[str]:
    """Rows for 30 s and 60 s: over the median elsewhere, and over the same moment of the repeated speech."""
    rows = []
    for place in (mark for mark in MARKS if mark in changes):
        where = f"frame {place} ({place / FPS:g} s)"
        ratio = over_median(changes, [place], ordinary)[0]
        rows.append(f"| the change into {where}, over the median elsewhere | 1 | {ratio:.3f} | |")
        same = [changes[other] for other in ordinary if other % PERIOD == place % PERIOD]
        rank = sum(value < changes[place] for value in same)
        for reach, what in ((0, "the change into"), (2, "all changes within two frames of")):
            spread = within(changes, reach)
            for ratio in ratios(spread, [place] if place in spread else [], ordinary).values():
                above = f", larger than {rank} of {len(same)}" if reach == 0 else ""
                rows.append(f"| {what} {where}, over the same moment elsewhere | 1 | {ratio:.3f}{above} | |")
    return rows


@dataclass
class Bench:
    """What the parts share.

    ``work`` holds everything that was made; ``most`` frames may still be rendered (None: all); ``data`` are
    the clips for the instrument, if any.
    """

    model: Model
    steps: int | None
    work: Path
    data: Path | None
    most: int | None = None
    stretches: tuple[Stretch, ...] = ((0, SECONDS * FPS),)
    turns: int = 12
    people: int = 2
    instrument_steps: int = 1500

    @property
    def size(self) -> int:
        return self.model.checkpoint.resolution

    def takes(self, **settings: object) -> Takes:
        """Kept frames of this model, these settings and the bundled portrait and speech."""
        m = self.model
        networks = (m.unet, m.vae, m.audio_encoder, m.text_encoder, m.tfrm)
        bundled = [(ASSETS / name).read_bytes() for name in ("portrait.png", "speech.wav")]
        given = [self.steps, settings, m.checkpoint.defaults, *bundled]
        return Takes(self.work / "takes", networks, given, self.size, self.most)

    def used(self, takes: Takes) -> None:
        """What ``takes`` rendered counts."""
        self.most = takes.left


def seams(bench: Bench) -> list[str]:
    waveform, rate = speech(SECONDS)
    opens = partial(opened, waveform, rate, bench.model, steps=bench.steps)
    takes = bench.takes()
    pieces = {
        first: frames
        for first, last in bench.stretches
        if len(frames := takes.frames("speech_65s", opens, first, last - first)) > 1
    }
    bench.used(takes)
    how = Settings()
    parts = windows(SECONDS * FPS, how.window, how.overlap)
    borders = {border for part in parts for border in part}
    named = ", ".join(f"{first} to {first + len(frames)}" for first, frames in pieces.items())
    return [f"Speech of {SECONDS} s, frames {named or 'none'}.", "", *seam_table(pieces, borders)]


def moments(bench: Bench) -> list[str]:
    """The change into 30 s and 60 s over that at the same moment of the speech 4 s before and after.

    One change between two frames says little, so the speech begins elsewhere in each turn, with another seed:
    other moments of it fall on the marks. Without TFRM, so that few frames are rendered for each.
    """
    rows = ["| change, over others | turns | ratio, median (95 % interval) |", "|---|---|---|"]
    waveform, rate = speech(SECONDS)
    places = sorted({mark + shift for mark in MARKS for shift in (-PERIOD, 0, PERIOD)})
    found: dict[int, list[float]] = {place: [] for place in places}
    for turn in range(bench.turns):
        begun = round(turn * PERIOD / bench.turns) * rate // FPS
        takes = bench.takes(turn=turn, begun=begun, tfrm=False)
        opens = partial(opened, waveform.roll(-begun), rate, bench.model, steps=bench.steps, seed=turn)
        for place in places:
            pair = takes.frames(f"into_{place}", partial(unsmoothed, opens), place - 1, 2)
            if len(pair) == 2:
                found[place].append(float(change(pair)[0]))
        bench.used(takes)
    done = min(map(len, found.values()))
    if done < 2:
        return ["Too few frames so far.", ""]
    values = {place: np.array(changes[:done]) for place, changes in found.items()}
    for mark in MARKS:
        before, at, after = (values[mark + shift] for shift in (-PERIOD, 0, PERIOD))
        for name, ratio in (
            (
                f"into {mark / FPS:g} s, over the same moment 4 s before and after",
                at / ((before + after) / 2),
            ),
            (f"control: 4 s after {mark / FPS:g} s, over 4 s before", after / before),
        ):
            middle, low, high = interval(ratio)
            rows.append(f"| {name} | {done} | {middle:.3f} ({low:.3f} to {high:.3f}) |")
    elsewhere = np.concatenate([values[place] for place in places if place not in MARKS])
    for mark in MARKS:
        ratio = float(np.median(values[mark]) / np.median(elsewhere))
        rows.append(f"| into {mark / FPS:g} s, median over the median elsewhere | {done} | {ratio:.3f} |")
    return [*rows, ""]


@contextmanager
def unsmoothed(opens: Callable[[], AbstractContextManager[Job]]) -> Iterator[Job]:
    """A render without TFRM."""
    with opens() as todo:
        yield replace(todo, networks=replace(todo.networks, tfrm=None))


def drift(bench: Bench) -> list[str]:
    people = [ten_minutes.person(number, bench.size) for number in range(bench.people)]
    count, last = ten_minutes.FRAMES, ten_minutes.FRAMES * (ten_minutes.TURNS - 1)
    ends: list[list[np.ndarray]] = []
    for seed, start in ((0, 0), (0, last), (1, 0)):
        takes = bench.takes(seed=seed)
        ends.append([])
        for number, someone in enumerate(people):
            spoken = torch.from_numpy(someone.waveform).repeat(ten_minutes.TURNS)
            how = {"steps": bench.steps, "seed": seed}
            opens = partial(
                opened, spoken, 16000, bench.model, portrait=someone.portrait, text=someone.text, **how
            )
            ends[-1].append(takes.frames(f"person_{number}", opens, start, count))
        bench.used(takes)
    # Only whole stretches are compared, and a control only where everybody has one.
    whole = [[len(frames) == count for frames in part] for part in ends]
    there = [n for n in range(len(people)) if whole[0][n] and whole[1][n]]
    if not there:
        return ["Nobody's first and last 10 s are rendered yet.", ""]
    first, final = ([part[n] for n in there] for part in ends[:2])
    again = [ends[2][n] for n in there] if all(whole[2][n] for n in there) else []
    shown = [people[n] for n in there]
    say = [f"Speech of 10 s, 60 times; {len(there)} people, {count} frames at each end of 15000.", ""]
    if bench.data is not None:
        reader, trust = reader_of(bench, bench.data)
        say += [f"Opening read by an instrument; its own R² on true pictures is {trust:.3f}.", ""]
        say += ten_minutes.table(first, final, again, shown, ten_minutes.by_instrument(reader))
    say += ["Opening read from dark pixels of the mouth's box:", ""]
    return say + ten_minutes.table(first, final, again, shown, ten_minutes.by_darkness)


def reader_of(bench: Bench, data: Path) -> tuple[Instrument, float]:
    """The instrument, trained once, and its R² on other people's true pictures."""
    kept = bench.work / f"instrument_{bench.instrument_steps}"
    return ten_minutes.instrument(data / "train", data / "validation", kept, bench.instrument_steps)


def gate(bench: Bench) -> list[str]:
    """Two seconds of speech, two of a pause, two of speech; the pause digital or with room noise.

    Dark pixels tell little of a mouth that shows its teeth: with `--data`, the instrument reads it.
    """
    read: ten_minutes.Read = ten_minutes.by_darkness
    if bench.data is not None:
        read = ten_minutes.by_instrument(reader_of(bench, bench.data)[0])
    spoken, rate = speech(2.0)
    say = ["| pause | gate | mouth open in the pause | while speaking |", "|---|---|---|---|"]
    noise = torch.randn(2 * rate, generator=torch.Generator().manual_seed(0))
    for name, level in (("digital silence", 0.0), ("noise at -60 dBFS", 1e-3), ("noise at -46 dBFS", 5e-3)):
        waveform = torch.cat([spoken, level * noise, spoken])
        for on in (True, False):
            takes = bench.takes(silence_gate=on)
            opens = partial(opened, waveform, rate, bench.model, steps=bench.steps, silence_gate=on)
            frames = takes.frames(f"pause_{level:g}", opens, 0, 150)
            bench.used(takes)
            if len(frames) < 150:
                continue
            mouth = read(frames)
            pause, speaking = mouth[60:94], torch.cat([mouth[:45], mouth[105:]])
            say.append(
                f"| {name} | {'on' if on else 'off'} | {pause.mean():.4f} (most {pause.max():.4f}) "
                f"| {speaking.mean():.4f} |"
            )
    return [*say, ""]


PARTS: dict[str, Callable[[Bench], list[str]]] = {
    "drift": drift,
    "seams": seams,
    "gate": gate,
    "moments": moments,
}


def between(text: str) -> Stretch:
    first, last = map(int, text.split(":"))
    return first, last


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seams", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", help="the bundled one if not given")
    parser.add_argument("--steps", type=int, help="the checkpoint's own number if not given")
    parser.add_argument("--only", choices=PARTS, nargs="+", help=f"default: {', '.join(PARTS)}")
    parser.add_argument(
        "--stretch",
        type=between,
        nargs="+",
        default=[(0, SECONDS * FPS)],
        metavar="FIRST:LAST",
        help="frames of the 65 s to render for the seams; each costs `steps` windows more to each side",
    )
    parser.add_argument("--turns", type=int, default=36, help="starts of the speech, for the moments")
    parser.add_argument("--people", type=int, default=2, help="for the drift")
    parser.add_argument("--data", type=Path, help="folder with the clips `train` and `validation`")
    parser.add_argument("--instrument-steps", type=int, default=1500, help="to train the instrument for")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "seams", help="where frames are kept")
    parser.add_argument("--most", type=int, help="frames to render, then only tables; 0: nothing is rendered")
    parser.add_argument("--write", action="store_true", help="record the tables in benchmarks/results")
    return parser.parse_args()


def main() -> None:
    given = options()
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
        instrument_steps=given.instrument_steps,
    )
    how = Settings(steps=given.steps).sampling(model.checkpoint)
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


if __name__ == "__main__":
    main()
