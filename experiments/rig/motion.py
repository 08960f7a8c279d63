"""Speaking faces: whether the lips do what the track says, and how fast frames come."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from eadnet.faces.landmarker import FaceLandmarker
from eadnet.rig.emotions import emotion_parameters
from eadnet.rig.expression import INDEX
from eadnet.rig.rig import Rig
from eadnet.rig.track import Track
from experiments.rig.stills import Still

_UPPER, _LOWER = [81, 13, 311], [178, 14, 402]


def speech() -> Track:
    """Four seconds like speech: syllables of many sizes, with the lips shut between some of them."""
    t = torch.arange(100) / 25
    generator = torch.Generator().manual_seed(7)
    sizes = torch.rand(20, generator=generator) * 0.55 + 0.1
    beat = (t * 5).long().clamp(max=19)
    jaw = sizes[beat] * torch.sin(torch.pi * ((t * 5) % 1)) ** 2
    shut = ((t * 5) % 1 < 0.22) & (beat % 3 == 0)
    return Track.of(
        {
            "jaw_open": jaw + 0.12 * shut,
            "lip_close": shut.float(),
            "lip_funnel": 0.3 * (beat % 4 == 1).float() * (jaw > 0.1),
            "lip_stretch": 0.2 * (beat % 4 == 2).float(),
        }
    )


def lips(faces: Sequence[Still], landmarker: FaceLandmarker) -> list[str]:
    """Correlation of the opening found with the rig's own and the track's; how shut a shut mouth is."""
    track = speech()
    openings, shut = [], track["lip_close"] > 0.5
    for still in faces:
        rig = Rig.build(still.picture, still.points, shapes=still.shapes)
        gap, found = rig.gap(track.values).numpy(), []
        for piece in rig.render(track):
            for frame in piece:
                points = landmarker.detect(frame.numpy())[0].points
                width = np.linalg.norm(points[33, :2] - points[263, :2])
                found.append(np.linalg.norm(points[_UPPER, :2] - points[_LOWER, :2], axis=1).mean() / width)
        seen = np.array(found)
        asked = (track["jaw_open"] * (1 - track["lip_close"])).numpy()
        rest = np.quantile(seen[shut.numpy()], 0.5)
        level = rest + 0.15 * (np.quantile(seen, 0.95) - rest)
        openings.append(
            (
                np.corrcoef(seen, gap)[0, 1],
                np.corrcoef(seen, asked)[0, 1],
                (seen[shut.numpy()] < level).mean(),
            )
        )
    own, asked_, closed = np.mean(openings, 0)
    return [
        f"Lips of {len(faces)} people, {len(track)} frames each: opening found against the rig's r = "
        f"{own:.3f} (least {min(o[0] for o in openings):.3f}), against jaw_open (1 - lip_close) r = "
        f"{asked_:.3f}; {closed:.3f} of the frames with closed lips are closed."
    ]


def speed(still: Still) -> list[str]:
    """Frames a second by the clock, processor time of one, and memory over a long track.

    The clock says something on an idle machine, processor time with one thread: of several it also counts how
    long they wait for each other.
    """
    lines = [
        f"| pixels, {torch.get_num_threads()} threads | build, s | frames a second by the clock "
        "| processor time, ms |",
        "|---|---|---|---|",
    ]
    for side in (256, 512, 1080):
        factor = side / still.picture.shape[0]
        planes = F.interpolate(still.picture.permute(2, 0, 1)[None].float(), (side, side), mode="bicubic")
        picture = planes[0].permute(1, 2, 0).clamp(0, 255).to(torch.uint8)
        start = time.process_time()
        rig = Rig.build(picture, still.points * factor)
        build = time.process_time() - start
        rows = emotion_parameters("happy").repeat(24, 1)
        rows[:, INDEX["jaw_open"]] = torch.linspace(0, 0.6, 24)
        rows[:, INDEX["head_yaw"]] = torch.linspace(-0.5, 0.5, 24)
        rows[:, INDEX["gaze_x"]] = 0.2
        list(rig.render(rows[:4]))
        clock, start = time.perf_counter(), time.process_time()
        for _ in rig.render(rows):
            pass
        clock, spent = (time.perf_counter() - clock) / len(rows), (time.process_time() - start) / len(rows)
        lines.append(f"| {side}² | {build:.2f} | {1 / clock:.1f} | {1000 * spent:.1f} |")
    rig = Rig.build(still.picture, still.points)
    peaks = []
    for frames in (16, 160):
        for _ in rig.render(speech().fitted(frames)):
            pass
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return [
        *lines,
        "",
        f"Memory: {peaks[0]:.0f} MB at the most after 16 frames, {peaks[1]:.0f} after 160 more.",
    ]
