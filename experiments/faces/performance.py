"""Time and memory of detecting, tracking, cropping and pasting large pictures."""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.faces.detectors import yunet
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.media.video import read_frames
from experiments.faces.measures import CROP
from experiments.faces.tables import Report


def speed(report: Report, media: Path, models: Path) -> None:
    """Everything but decoding, by the clock and in processor time, with as many threads as `main` set."""
    report.say("", "## Speed, 1080 x 1920", "")
    clip = media / "talking" / "hd_portrait_1.mp4"
    frames = list(itertools.islice(read_frames(clip), 24))
    busy, *_ = os.getloadavg()
    report.say(
        f"{torch.get_num_threads()} threads on {len(os.sched_getaffinity(0))} processors, load {busy:.1f}. "
        "Milliseconds for a frame by the clock (and of processor time).",
        "",
        "| crop | detect and track | crop | composite | colour match too | frames per second |",
        "|---|---|---|---|---|---|",
    )
    steps(frames[:8], models, 128)  # networks are loaded, memory is touched
    for resolution in (128, 256, 512):
        rows = steps(frames, models, resolution)
        cells = [f"{clock:.1f} ({work:.1f})" for clock, work in rows]
        rates = []
        for which in (0, 1):
            each = [row[which] for row in rows]
            plain, matched = (1000 / (each[0] + each[1] + each[k]) for k in (2, 3))
            rates.append(f"{plain:.1f}, with colour match {matched:.1f}")
        report.say(f"| {resolution} | {' | '.join(cells)} | {rates[0]} ({rates[1]}) |")


def steps(frames: list[np.ndarray], models: Path, resolution: int) -> list[tuple[float, float]]:
    """Milliseconds a frame, (by the clock, of processor time), of each column of the table of `speed`."""
    times = []

    def timed(work: Callable[[], Any]) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = work()
        spent = (time.perf_counter() - clock, time.process_time() - processor)
        times.append((1000 * spent[0] / len(frames), 1000 * spent[1] / len(frames)))
        return result

    detector, every = yunet.YuNet(models / yunet.FILE), range(len(frames))
    batch = torch.from_numpy(np.stack(frames))
    track = timed(lambda: track_face(detect_faces(iter(frames), detector), "latentsync", resolution))
    crops = timed(lambda: track.crop(batch, every))
    timed(lambda: track.paste(batch, crops, every, "face"))
    timed(lambda: track.paste(batch, crops, every, "face", colour_match=1.0))
    return times


REPEATS = (1, 8, 32)  # of 16 frames


def memory(report: Report, media: Path, models: Path) -> None:
    """Everything from detection to the finished frames, in pieces of eight; longer and longer clips.

    To be run before all else: what another part once took hides what this one takes.
    """
    report.say("", "## Memory, 1080 x 1920", "")
    frames = list(itertools.islice(read_frames(media / "talking" / "hd_portrait_1.mp4"), 16))
    peaks = []
    for repeats in REPEATS:

        def clip(repeats: int = repeats) -> Iterator[np.ndarray]:
            return itertools.chain.from_iterable(iter(frames) for _ in range(repeats))

        track = track_face(detect_faces(clip(), yunet.YuNet(models / yunet.FILE)), "latentsync", CROP)
        shown = clip()
        for start in range(0, len(track), 8):
            piece = torch.from_numpy(np.stack(list(itertools.islice(shown, 8))))
            numbers = range(start, start + len(piece))
            track.paste(piece, track.crop(piece, numbers), numbers, "face", colour_match=0.5)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    height, width = frames[0].shape[:2]
    found = ", ".join(
        f"{peak:.0f} MiB after {n * len(frames)}" for n, peak in zip(REPEATS, peaks, strict=True)
    )
    report.say(
        f"Peak memory from detection to the finished frames, of {width} x {height}: {found} frames.",
    )
