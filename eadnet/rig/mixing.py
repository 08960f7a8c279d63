"""From parameters to amplitudes of the units: how actions work together, and where a face must stop.

Units add up; faces do not. Lips that close take the jaw's gap back, a blink outweighs every other lid, a
smile narrows the eyes and lifts the lip off the teeth, and a mouth that is wide open cannot grin as wide as
a closed one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .expression import INDEX, RANGES
from .units.mouth import FUNNEL_DOWN, FUNNEL_UP, JAW_GAP, LOWER_DEPRESS, UPPER_RAISE, by_jaw

PRESS = 1.12  # lips that meet are pressed together a little, so that none of the gap is left at their sides

JAW_FALLS = 0.14  # how much further a jaw drops in a start, with both ends of the brows up
USED_UP = 1.25  # lips that are apart stay so, and an opening jaw makes use of it within so many times the gap
RESPONSE = 0.90
# What shows a feeling; what speaks follows its parameters as they are.
_FELT = (
    *("inner_brow", "outer_brow", "brow_lower", "upper_lid", "lid_tighten", "cheek_raise", "nose_wrinkle"),
    *("smile", "dimple", "upper_lip_raise", "lip_stretch", "lip_press", "chin_raise"),
)
# What pulls skin sideways, out of the side of a turned head that nobody sees.
_WIDE = (
    "smile",
    "dimple",
    "frown",
    "lip_stretch",
    "brow_lower",
    "nose_wrinkle",
    "upper_lip_raise",
    "head_yaw",
)


@dataclass(frozen=True)
class Rest:
    """What the picture's own face does already.

    gap: how far its lips are apart, in eye distances. taken: what is taken back of which parameter where the
    face is calmed, by name. closes: how much of the gap is closed at rest. held: how much strong expressions
    are held back, 0 to 1, because the head is turned. still: units that do not move, of what is hidden.
    """

    gap: float = 0.0
    taken: dict[str, float] = field(default_factory=dict)
    closes: float = 0.0
    held: float = 0.0
    still: tuple[str, ...] = ()


def mix(parameters: Tensor, rest: Rest, names: tuple[str, ...]) -> Tensor:
    """Parameters [T, P] -> amplitudes [T, K] of the units called `names`.

    Parameters beyond their range count as its end.
    """
    low, high = torch.from_numpy(RANGES).to(parameters).unbind(1)
    rows = torch.minimum(torch.maximum(parameters.float(), low.float()), high.float())
    v = {name: rows[:, column] for name, column in INDEX.items()}
    for name, amount in rest.taken.items():
        v[name] = v[name] - amount * (1 - v[name].clamp(0, 1))
    for side in "lr":  # corners that a smile has to come down from have no further to go
        v[f"frown_{side}"] = v[f"frown_{side}"] * (1 - 0.5 * rest.taken.get(f"smile_{side}", 0.0))
    for name in v:
        if name.startswith(_FELT):
            # Steep where an expression begins, level where it would become a grimace; 0 and 1 stay.
            v[name] = v[name] * (1 + RESPONSE * (1 - v[name].clamp(0, 1)))
    if rest.held:
        for name in v:
            if name.startswith(_WIDE):
                v[name] = v[name] * (1 - rest.held)
    _together(v)
    _lids(v)
    _mouth(v, rest)
    return torch.stack(
        [v[name] if name not in rest.still else torch.zeros_like(v[name]) for name in names], dim=1
    )


def _together(v: dict[str, Tensor]) -> None:
    """What comes along when an action is strong, as muscles that lie together pull together."""
    # Read before anything is added, so that the order below does not matter to it.
    start = v["inner_brow_up_l"] * v["outer_brow_up_l"] + v["inner_brow_up_r"] * v["outer_brow_up_r"]
    v["jaw_open"] = v["jaw_open"] * (1 + JAW_FALLS * (0.5 * start).clamp(0, 1))
    scowl = 0.5 * (v["brow_lower_l"].clamp(0, 1) ** 2 + v["brow_lower_r"].clamp(0, 1) ** 2)
    # Disgust squeezes: the nose drags the brows' middle, the lids and the mouth's corners along, and its own
    # lip less.
    wrinkle = v["nose_wrinkle"].clamp(0, 1) ** 2 * (1 - scowl.clamp(max=1))
    v["upper_lip_raise"] = v["upper_lip_raise"] * (1 - 1.25 * wrinkle).clamp(min=0.28)
    # Brows that are pressed down drag on the root of the nose (procerus), and clench the mouth's corners.
    v["nose_wrinkle"] = (v["nose_wrinkle"] * (1 + 0.35 * wrinkle) + 0.30 * scowl).clamp(max=1.35)
    stretch = v["lip_stretch"].clamp(0, 1) ** 2
    # A mouth stretched by fear bares the teeth (platysma): a square, not a slit.
    v["upper_lip_raise"] = v["upper_lip_raise"] + 0.40 * stretch
    v["lower_lip_depress"] = v["lower_lip_depress"] + 0.32 * stretch
    for side in "lr":
        v[f"frown_{side}"] = v[f"frown_{side}"] + 0.20 * scowl + 0.30 * stretch + 0.62 * wrinkle
        # Grief: corners that go down below brows that are drawn up make the lids heavy and knit the brows.
        grief = v[f"inner_brow_up_{side}"].clamp(0, 1) * v[f"frown_{side}"].clamp(0, 1)
        grief = grief * (1 - v[f"upper_lid_raise_{side}"].clamp(0, 1)) * (1 - stretch)
        v[f"blink_{side}"] = v[f"blink_{side}"] + 0.22 * grief * (1 - v[f"blink_{side}"])
        # Disgust bunches the brows, inner ends up, rather than pressing them down as anger does.
        v[f"inner_brow_up_{side}"] = v[f"inner_brow_up_{side}"] + 0.22 * wrinkle
        knit = 0.30 * grief + 0.15 * scowl + 0.20 * wrinkle
        v[f"brow_lower_{side}"] = v[f"brow_lower_{side}"] * (1 + knit)
        # Brows drawn together and up at once, as in fear, rise at their inner ends above all.
        worry = v[f"inner_brow_up_{side}"].clamp(min=0) * v[f"brow_lower_{side}"].clamp(min=0)
        v[f"inner_brow_up_{side}"] = v[f"inner_brow_up_{side}"] + 0.95 * worry
        v[f"outer_brow_up_{side}"] = v[f"outer_brow_up_{side}"] * (1 - 0.5 * worry.clamp(max=1))
        # Fright opens eyes wider than anything, and a start, with both ends of the brow up, somewhat.
        start = (v[f"inner_brow_up_{side}"] * v[f"outer_brow_up_{side}"]).clamp(0, 1)
        wide = torch.maximum(0.25 * v["lip_stretch"].clamp(0, 1), 0.12 * start)
        v[f"upper_lid_raise_{side}"] = v[f"upper_lid_raise_{side}"] * (1 + wide)
        # Both ends of a brow together lift its middle by little more than one of them.
        inner, outer = v[f"inner_brow_up_{side}"].clamp(min=0), v[f"outer_brow_up_{side}"].clamp(min=0)
        v[f"inner_brow_up_{side}"] = v[f"inner_brow_up_{side}"] * (1 - 0.18 * outer)
        v[f"outer_brow_up_{side}"] = v[f"outer_brow_up_{side}"] * (1 - 0.18 * inner)


def _lids(v: dict[str, Tensor]) -> None:
    for side in "lr":
        smile, cheek = v[f"smile_{side}"].clamp(min=0), v[f"cheek_raise_{side}"]
        wrinkle = v["nose_wrinkle"].clamp(0, 1) ** 2
        narrow = v[f"lid_tighten_{side}"] + 0.22 * smile + 0.56 * smile * cheek + 0.60 * wrinkle
        frown = v[f"brow_lower_{side}"]
        # A lid that is raised against a brow that comes down glares.
        widen = v[f"upper_lid_raise_{side}"] * (1 + 0.26 * frown.clamp(0, 1))
        open_ = 1 - v[f"blink_{side}"]
        v[f"lid_tighten_{side}"] = narrow.clamp(max=1.30) * open_
        v[f"upper_lid_raise_{side}"] = widen * open_


def _mouth(v: dict[str, Tensor], rest: Rest) -> None:
    jaw, close = v["jaw_open"], v["lip_close"]
    smile = 0.5 * (v["smile_l"] + v["smile_r"]).clamp(min=0)
    wide = jaw.clamp(max=0.8)
    for name in ("smile_l", "smile_r"):
        v[name] = v[name] * (1 - 0.30 * wide)
    v["lip_stretch"] = v["lip_stretch"] * (1 - 0.35 * wide)
    pressed = v["lip_press"] * (1 - (2 * jaw).clamp(max=1))
    apart = (1 - close) * (1 - 0.85 * pressed)  # share of the gap that stays
    lift = 0.55 * smile * (4 * jaw).clamp(max=1)
    v["upper_lip_raise"] = v["upper_lip_raise"] + lift * apart
    own = rest.gap * (1 - rest.closes)
    funnel = (FUNNEL_UP + FUNNEL_DOWN) * v["lip_funnel"]
    drop = JAW_GAP * jaw * (1 - 0.25 * close)  # a closing jaw keeps part of its drop
    # What parts the lips does not add up, so that they open as far as the jaw is asked to: lips that are
    # apart already need less of it, and a funnel rounds what the jaw has opened.
    if own > 0:
        drop = drop - own * (1 - torch.exp(-drop / (USED_UP * own)))
    drop = drop - torch.minimum(funnel, drop)
    lowered = LOWER_DEPRESS * v["lower_lip_depress"]
    gap = drop + lowered + UPPER_RAISE * v["upper_lip_raise"] + funnel
    # In disgust the lower lip follows the upper one: little shows between them.
    follows = 0.75 * v["nose_wrinkle"].clamp(0, 1) * UPPER_RAISE * v["upper_lip_raise"] * apart
    # A mouth that is open in the picture is closed by its jaw, and the rest by its lips.
    v["shut"] = torch.full_like(jaw, float(rest.closes > 0))
    v["close"] = PRESS * (1 - apart) * (gap + own) + follows + 0.55 * v["lip_bite"] * gap
    v["jaw_open"] = (drop - by_jaw(rest.gap * rest.closes)) / JAW_GAP
