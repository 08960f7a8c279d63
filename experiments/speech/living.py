"""What a face does beside speaking: blinks, glances, a moving head, brows; measured on people and on
tracks alike.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from eadnet.modules.blendshape_mixer import BLENDSHAPES
from eadnet.rig.canonical import canonical_face
from eadnet.rig.expression import INDEX
from eadnet.rig.track import Track
from experiments.speech.clips import FPS, TalkingClip
from experiments.speech.measures import Curve, correlation, loudness

_DEGREES_PER_UNIT = 6.5  # of head_yaw and head_pitch (see `eadnet.rig.units.head`)
_SHUT, _OPEN = 0.4, 0.2  # of blink: a blink rises above the first and has fallen below the second
_JUMP = 0.06  # of gaze, within two frames: a saccade
_SLOW = 2.0  # seconds: slower motion of the head is posture
_QUICK = 0.08  # seconds: quicker motion is the landmarks' noise
_RAISED = 0.08  # of brows above their middle: a raise


@dataclass(frozen=True)
class Living:
    """Of one clip.

    blinks: per minute; shut: seconds that a blink keeps the lids below half.
    gaze_x, gaze_y: spreads; saccades: per minute.
    yaw, pitch, roll: spreads in degrees; sway: share of the head's variance slower than two seconds; speed:
        mean of the head's turning, degrees a second.
    shift: spread of the head's place, in distances of the outer eye corners.
    brows: spread; raises: per minute.
    moves_when_loud: r of the head's speed and the loudness; nods: of pitch (down is positive) and loudness,
        both without what is slower than a second; brows_when_loud: the same of the brows.
    """

    blinks: float
    shut: float
    gaze_x: float
    gaze_y: float
    saccades: float
    yaw: float
    pitch: float
    roll: float
    sway: float
    speed: float
    shift: float
    brows: float
    raises: float
    moves_when_loud: float
    nods: float
    brows_when_loud: float


NAMES = tuple(field.name for field in fields(Living))


def track_of(clip: TalkingClip) -> tuple[Track, Curve]:
    """The clip's facial parameters, the head's turns and shifts among them, and its shift in eye distances
    [T, 2].
    """
    rows = [dict(zip(BLENDSHAPES, map(float, row), strict=True)) for row in clip.shapes]
    track = Track.from_arkit(rows, FPS)
    faces = [canonical_face(torch.from_numpy(points)) for points in clip.points]
    turns = torch.tensor([(face.yaw, face.pitch, face.roll) for face in faces]).float()
    turns = turns - turns.median(0).values
    turns[:, :2] /= _DEGREES_PER_UNIT
    values = track.values.clone()
    for column, name in enumerate(("head_yaw", "head_pitch", "head_roll")):
        values[:, INDEX[name]] = turns[:, column]
    eyes = clip.points[:, (33, 263), :2]
    width = np.median(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1))
    return Track(values, float(FPS)), eyes.mean(1) / width


def living(track: Track, waveform: Curve, shift: Curve | None = None) -> Living:
    """What a track at 25 frames a second does while the sound is heard; ``shift`` as `track_of` gives it."""
    minutes = len(track) / FPS / 60
    shut = (track["blink_l"] + track["blink_r"]).numpy() / 2
    blinks = _events(shut)
    gaze = [track[name].numpy() for name in ("gaze_x", "gaze_y")]
    open_eyed = gaussian_filter1d((shut > _OPEN).astype(float), 2) < 0.05
    jumps = np.hypot(*(np.abs(axis[2:] - axis[:-2]) for axis in gaze)) > _JUMP
    jumps &= open_eyed[1:-1]
    yaw, pitch = (_DEGREES_PER_UNIT * track[f"head_{name}"].numpy() for name in ("yaw", "pitch"))
    roll = track["head_roll"].numpy()
    head = np.stack([_smooth(turn, _QUICK) for turn in (yaw, pitch, roll)])
    slow = np.stack([_smooth(turn, _SLOW / 2) for turn in head])
    speed = np.linalg.norm(np.gradient(head, 1 / FPS, axis=1), axis=0)
    brows = (track["inner_brow_up"] + track["outer_brow_up"]).numpy() / 2
    raised = _events(_smooth(brows, _QUICK) - np.median(brows), _RAISED, _RAISED / 2)
    level = _smooth(loudness(waveform, len(track)), _QUICK)
    place = np.zeros((len(track), 2)) if shift is None else shift
    return Living(
        blinks=len(blinks) / minutes,
        shut=float(
            np.median([np.sum(shut[a:b] > 0.5 * shut[a:b].max()) / FPS for a, b in blinks] or [np.nan])
        ),
        gaze_x=_spread(gaze[0][open_eyed]),
        gaze_y=_spread(gaze[1][open_eyed]),
        saccades=float(np.sum(np.diff(jumps.astype(int), prepend=0) > 0) / minutes),
        yaw=_spread(head[0]),
        pitch=_spread(head[1]),
        roll=_spread(head[2]),
        sway=float(slow.var(1).sum() / max(head.var(1).sum(), 1e-9)),
        speed=float(speed.mean()),
        shift=float(np.sqrt(place.var(0).sum())),
        brows=_spread(brows[open_eyed]),
        raises=len(raised) / minutes,
        moves_when_loud=correlation(_smooth(speed, 0.2), _smooth(level, 0.2)),
        nods=correlation(_quick(head[1]), _quick(level)),
        brows_when_loud=correlation(_quick(brows), _quick(level)),
    )


def table(people: list[Living], made: dict[str, list[Living]]) -> list[str]:
    """Medians with the 10th and 90th percentile, people and generators beside each other, in Markdown."""
    lines = [f"| | {len(people)} people | {' | '.join(f'{name} ({len(v)})' for name, v in made.items())} |"]
    lines.append(f"|---|---|{'---|' * len(made)}")
    for index, name in enumerate(NAMES):
        cells = [_cell([astuple(one)[index] for one in group]) for group in (people, *made.values())]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cell(values: list[float]) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return "none"
    low, middle, high = np.percentile(known, (10, 50, 90))
    return f"{middle:.3g} ({low:.3g} … {high:.3g})"


def _events(curve: Curve, up: float = _SHUT, down: float = _OPEN) -> list[tuple[int, int]]:
    """Where a curve rises above ``up`` and until it falls below ``down``."""
    found, start = [], None
    for index, value in enumerate(curve):
        if start is None and value > up:
            start = index
        elif start is not None and value < down:
            found.append((max(0, start - 2), index))
            start = None
    return found


def _smooth(curve: Curve, seconds: float) -> Curve:
    return gaussian_filter1d(np.asarray(curve, float), seconds * FPS, mode="nearest")


def _quick(curve: Curve) -> Curve:
    """Without what is slower than a second."""
    return _smooth(curve, _QUICK) - _smooth(curve, 0.5)


def _spread(values: Curve) -> float:
    return float(np.std(values)) if len(values) else 0.0
