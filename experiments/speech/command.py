"""Does a mouth that is made from sound do what the speaker's own does?

    python -m experiments speech follow --media DIR --models DIR [--front FILE ...] [--motion] [--mini]
    python -m experiments speech living --media DIR --models DIR
    python -m experiments speech foreign --media DIR --models DIR
    python -m experiments speech fit --media DIR --models DIR --front FILE [FILE ...] --numbers OUT.json
    python -m experiments speech read TALK --front FILE [FILE ...] --numbers OUT.json --out FOLDER

`follow` compares drivers with people on recordings of people who talk, with controls; `living` blinks, gaze,
head and brows; `foreign` what `motion` makes of the sound files in the folder `speech`, in any language,
beside what is heard in them; `fit` measures how far people open the mouth for what a front end hears, and
says how well that does on speakers whose recordings were not measured; `read` writes what those numbers see
in synthetic talk, for front ends to learn from. DIR of --media holds films (folders `talking`, `virtual`,
`emotion`) and sounds (`speech`), that of --models the face landmarker; neither is part of the project.
Landmarks and curves are kept in --cache.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from eadnet.driving.idle import idle_motion
from eadnet.errors import InputError
from eadnet.rig.track import Track
from eadnet.synthetic.talk import read_shards
from eadnet.training.regressors.front_end import FrontEnd
from experiments.speech.clips import FPS, RATE, TalkingClip, recordings, talking_clips
from experiments.speech.drivers import front_driver, mini_driver, motion_drivers, portrait
from experiments.speech.ensemble import Ensemble, write_mouths
from experiments.speech.foreign import foreign, sounds
from experiments.speech.living import living, table, track_of
from experiments.speech.measures import (
    Curve,
    Driver,
    Followed,
    followed,
    interval,
    loudness,
    noisy,
    ridge_curves,
    telephone,
)
from experiments.speech.reading import by_others, fit, hear

FOLDERS = ("talking", "virtual", "emotion")
KNOWN_LATE = {"address_60s_sound_120ms_late": 0.12}
"""Recordings whose sound comes late by so many seconds, which is taken back."""
OUT_OF_SYNC = ("from_below", "M030_sad_with_sound")
"""Recordings whose sound is a quarter of a second off or more by every measure."""
SPEAKERS = {"address_10s": "address", "address_60s_sound_120ms_late": "address"}
CAUTION = 0.001
_CONDITIONS: dict[str, Callable[[Curve, int], Curve]] = {
    "as it is": lambda sound, seed: sound,
    "noise at 10 dB": lambda sound, seed: noisy(sound, 10.0, seed),
    "telephone": lambda sound, seed: telephone(sound),
}


def people(media: Path, landmarker: Path, cache: Path) -> list[TalkingClip]:
    """The recordings that are in sync. Raises InputError where there are none."""
    paths = [p for folder in FOLDERS if (media / folder).is_dir() for p in recordings(media / folder)]
    clips = []
    for clip in talking_clips(paths, landmarker, cache, SPEAKERS):
        if clip.name not in OUT_OF_SYNC:
            late = round(KNOWN_LATE.get(clip.name, 0.0) * RATE)
            clips.append(replace(clip, waveform=np.roll(clip.waveform, -late)))
    if not clips:
        raise InputError(f"Nobody talks in {media}: give a folder with films of people who talk.")
    return clips


def follow(clips: Sequence[TalkingClip], drivers: dict[str, Driver], cache: Path) -> list[str]:
    """A table for each condition, and one of the clips."""
    lines: list[str] = []
    plain: dict[str, list[Followed]] = {}
    for condition, change in _CONDITIONS.items():
        sounds = [change(clip.waveform, seed) for seed, clip in enumerate(clips)]
        curves = {
            name: _kept(cache, name, clips, sounds, driver)
            for name, driver in drivers.items()
            if name not in _SLOW or not plain
        }
        curves["ridge, other clips"] = ridge_curves(clips, sounds, lambda clip: clip.name)
        curves["ridge, other speakers"] = ridge_curves(clips, sounds, lambda clip: clip.speaker)
        results = {name: followed(clips, made) for name, made in curves.items()}
        ridge = results["ridge, other clips"]
        lines += [f"### {condition[0].upper()}{condition[1:]}", "", *_HEAD]
        lines += [_row(name, result, ridge) for name, result in results.items()]
        lines.append("")
        plain = plain or results
    lines += [f"| recording | {' | '.join(plain)} |", f"|---|{'---:|' * len(plain)}"]
    for k, clip in enumerate(clips):
        cells = [f"{result[k].r:.2f} ({result[k].lag:+d})" for result in plain.values()]
        lines.append(f"| {clip.name}, {len(clip) / FPS:.0f} s | {' | '.join(cells)} |")
    return lines


_HEAD = (
    "| driver | r, median (95 %) | r, mean | with another's sound | best lag within ±1 frame | "
    "r at it | ridge beaten |",
    "|---|---|---:|---:|---:|---:|---:|",
)


def _row(name: str, results: Sequence[Followed], ridge: Sequence[Followed]) -> str:
    middle, low, high = interval([one.r for one in results])
    near = sum(abs(one.lag) <= 1 for one in results)
    beaten = sum(a.r > b.r for a, b in zip(results, ridge, strict=True))
    return (
        f"| {name} | **{middle:.3f}** ({low:.2f} … {high:.2f}) | {np.mean([one.r for one in results]):.3f} | "
        f"{np.median([one.mismatched for one in results]):.2f} | {near} of {len(results)} | "
        f"{np.median([one.best for one in results]):.3f} | {beaten} of {len(results)} |"
    )


def _kept(
    cache: Path,
    name: str,
    clips: Sequence[TalkingClip],
    sounds: Sequence[Curve],
    driver: Driver,
) -> list[Curve]:
    """What a driver makes of the sounds; slow drivers are asked for the sound as it is alone, and once."""
    curves = []
    for clip, sound in zip(clips, sounds, strict=True):
        file = cache / f"{name}_{clip.name}.npy"
        if name in _SLOW and file.exists():
            curves.append(np.load(file))
            continue
        curves.append(driver(sound, len(clip)))
        if name in _SLOW:
            np.save(file, curves[-1])
    return curves


_SLOW = ("mini",)


def beside_the_mouth(clips: Sequence[TalkingClip], takes: int = 40) -> list[str]:
    """People's blinks, gaze, head and brows beside those that are drawn."""
    seen = []
    for clip in clips:
        track, shift = track_of(clip)
        seen.append(living(track, clip.waveform, shift))
    drawn = []
    for seed in range(takes):
        clip = clips[seed % len(clips)]
        level = np.clip((loudness(clip.waveform, len(clip)) + 50) / 40, 0, 1)
        curves = idle_motion(len(clip), FPS, seed, level=level)
        track = Track.of({name: torch.from_numpy(curve).float() for name, curve in curves.items()}, FPS)
        drawn.append(living(track, clip.waveform))
    return table(seen, {"drawn": drawn})


def measure(clips: Sequence[TalkingClip], fronts: Sequence[FrontEnd], numbers: Path) -> list[str]:
    """Fit a table for each front end, write them, and say how well they do on other speakers."""
    tables, others = [], []
    for front in fronts:
        heard = [hear(front, clip.waveform, clip.opening) for clip in clips]
        others.append(by_others(clips, heard, CAUTION))
        tables.append(fit(heard, CAUTION))
    ensemble = Ensemble(fronts, tables).calibrated(clips)
    numbers.write_text(json.dumps(ensemble.numbers()), encoding="utf-8")
    joint = [sum(made / made.std() for made in column) for column in zip(*others, strict=True)]
    own = [ensemble(clip.waveform, len(clip)) for clip in clips]
    ridge = followed(clips, ridge_curves(clips, [c.waveform for c in clips], lambda clip: clip.speaker))
    lines = list(_HEAD)
    for k, made in enumerate(others):
        lines.append(_row(f"table {k + 1}, other speakers", followed(clips, made), ridge))
    lines.append(_row("together, other speakers", followed(clips, joint), ridge))
    lines.append(_row("together, all (what is trained)", followed(clips, own), ridge))
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError without recordings or models."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments speech",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=("follow", "living", "foreign", "fit", "read"))
    parser.add_argument("talk", type=Path, nargs="?", help="shards of synthetic talk, for read")
    parser.add_argument("--media", type=Path, default=os.environ.get("EADNET_MEDIA"))
    parser.add_argument("--models", type=Path, default=os.environ.get("EADNET_MODELS"))
    parser.add_argument("--cache", type=Path, default=Path(".work/speech"))
    parser.add_argument("--front", type=Path, nargs="+", default=[])
    parser.add_argument("--motion", action="store_true", help="the bundled motion as a driver")
    parser.add_argument("--mini", action="store_true", help="the bundled mini as a driver, which takes long")
    parser.add_argument("--numbers", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    fronts = [FrontEnd.load(path) for path in options.front]
    if options.part == "read":
        if not (options.talk and options.numbers and options.out and fronts):
            raise InputError("To read talk, give its folder, --front, --numbers and --out.")
        ensemble = Ensemble.of_numbers(fronts, json.loads(options.numbers.read_text(encoding="utf-8")))
        write_mouths(ensemble, options.talk, options.out, read_shards)
        return
    if options.media is None or options.models is None:
        raise InputError("Recordings and models are missing: give --media and --models.")
    tasks = sorted(Path(options.models).glob("face_landmarker*"))
    if not tasks:
        raise InputError(f"There is no face landmarker in {options.models}: run 'eadnet fetch faces'.")
    clips = people(Path(options.media), tasks[0], options.cache)
    if options.part == "living":
        lines = beside_the_mouth(clips)
    elif options.part == "foreign":
        driver = next(iter(motion_drivers(portrait()).values()))
        lines = foreign(clips, sounds(Path(options.media) / "speech"), driver)
    elif options.part == "fit":
        if not (fronts and options.numbers):
            raise InputError("To measure people, give --front and --numbers.")
        lines = measure(clips, fronts, options.numbers)
    else:
        drivers: dict[str, Driver] = {"loudness": loudness}
        if options.motion:
            drivers |= motion_drivers(portrait())
        if options.mini:
            drivers["mini"] = mini_driver(portrait())
        for path, front in zip(options.front, fronts, strict=True):
            drivers[f"front end {path.stem}"] = front_driver(front)
        lines = follow(clips, drivers, options.cache)
    print("\n".join(lines))
