"""The parts of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from eadnet.rendering import RenderSettings
from eadnet.sampling.windows import windows
from experiments.seams import speakers
from experiments.seams.bench import SECONDS, Bench, opened, repeated_speech
from experiments.seams.changes import FPS, MARKS, PERIOD, change, median_interval, seam_table
from experiments.seams.kept_frames import OpenRender


def seams(bench: Bench) -> list[str]:
    waveform, rate = repeated_speech(SECONDS)
    opens = partial(opened, waveform, rate, bench.model, steps=bench.steps)
    kept = bench.kept()
    pieces = {
        first: frames
        for first, last in bench.stretches
        if len(frames := kept.frames("speech_65s", opens, first, last - first)) > 1
    }
    bench.used(kept)
    how = RenderSettings()
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
    waveform, rate = repeated_speech(SECONDS)
    places = sorted({mark + shift for mark in MARKS for shift in (-PERIOD, 0, PERIOD)})
    found: dict[int, list[float]] = {place: [] for place in places}
    for turn in range(bench.turns):
        started = round(turn * PERIOD / bench.turns) * rate // FPS
        kept = bench.kept(turn=turn, started=started, tfrm=False)
        opens = partial(opened, waveform.roll(-started), rate, bench.model, steps=bench.steps, seed=turn)
        for place in places:
            pair = kept.frames(f"into_{place}", partial(unsmoothed, opens), place - 1, 2)
            if len(pair) == 2:
                found[place].append(float(change(pair)[0]))
        bench.used(kept)
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
            middle, low, high = median_interval(ratio)
            rows.append(f"| {name} | {done} | {middle:.3f} ({low:.3f} to {high:.3f}) |")
    elsewhere = np.concatenate([values[place] for place in places if place not in MARKS])
    for mark in MARKS:
        ratio = float(np.median(values[mark]) / np.median(elsewhere))
        rows.append(f"| into {mark / FPS:g} s, median over the median elsewhere | {done} | {ratio:.3f} |")
    return [*rows, ""]


@contextmanager
def unsmoothed(opens: Callable[[], AbstractContextManager[OpenRender]]) -> Iterator[OpenRender]:
    """A render without TFRM."""
    with opens() as render:
        yield replace(render, smoothing=0.0)


def drift(bench: Bench) -> list[str]:
    people = [speakers.person(number, bench.size) for number in range(bench.people)]
    count, last = speakers.FRAMES, speakers.FRAMES * (speakers.TURNS - 1)
    ends: list[list[np.ndarray]] = []
    for seed, start in ((0, 0), (0, last), (1, 0)):
        kept = bench.kept(seed=seed)
        ends.append([])
        for number, someone in enumerate(people):
            spoken = torch.from_numpy(someone.waveform).repeat(speakers.TURNS)
            how = {"steps": bench.steps, "seed": seed}
            opens = partial(
                opened, spoken, 16000, bench.model, portrait=someone.portrait, text=someone.text, **how
            )
            ends[-1].append(kept.frames(f"person_{number}", opens, start, count))
        bench.used(kept)
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
        regressor, trust = bench.regressor(bench.data)
        say += [f"Opening read by a parameter regressor; its own R² on true pictures is {trust:.3f}.", ""]
        say += speakers.table(first, final, again, shown, speakers.by_regressor(regressor))
    say += ["Opening read from dark pixels of the mouth's box:", ""]
    return say + speakers.table(first, final, again, shown, speakers.by_darkness)


def gate(bench: Bench) -> list[str]:
    """Two seconds of speech, two of a pause, two of speech; the pause digital or with room noise.

    Dark pixels tell little of a mouth that shows its teeth: with `--data`, the regressor reads it.
    """
    read: speakers.Read = speakers.by_darkness
    if bench.data is not None:
        read = speakers.by_regressor(bench.regressor(bench.data)[0])
    spoken, rate = repeated_speech(2.0)
    say = ["| pause | gate | mouth open in the pause | while speaking |", "|---|---|---|---|"]
    noise = torch.randn(2 * rate, generator=torch.Generator().manual_seed(0))
    for name, level in (("digital silence", 0.0), ("noise at -60 dBFS", 1e-3), ("noise at -46 dBFS", 5e-3)):
        waveform = torch.cat([spoken, level * noise, spoken])
        for on in (True, False):
            kept = bench.kept(silence_gate=on)
            opens = partial(opened, waveform, rate, bench.model, steps=bench.steps, silence_gate=on)
            frames = kept.frames(f"pause_{level:g}", opens, 0, 150)
            bench.used(kept)
            if len(frames) < 150:
                continue
            mouth = read(frames)
            pause, speaking = mouth[60:94], torch.cat([mouth[:45], mouth[105:]])
            say.append(
                f"| {name} | {'on' if on else 'off'} | {pause.mean():.4f} (most {pause.max():.4f}) "
                f"| {speaking.mean():.4f} |"
            )
    return [*say, ""]
