"""What a description of a face says, as data: checked, immutable, to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ..errors import InputError
from ..printable import is_printable

SIDES = ("both", "left", "right")
"""The person's own left and right."""

UNITS: dict[int, str] = {
    1: "inner_brow_raise",
    2: "outer_brow_raise",
    4: "brow_lower",
    5: "upper_lid_raise",
    6: "cheek_raise",
    7: "lid_tighten",
    9: "nose_wrinkle",
    10: "upper_lip_raise",
    12: "lip_corner_pull",
    14: "dimple",
    15: "lip_corner_depress",
    16: "lower_lip_depress",
    17: "chin_raise",
    18: "lip_pucker",
    20: "lip_stretch",
    22: "lip_funnel",
    24: "lip_press",
    26: "jaw_drop",
    43: "eyes_close",
}
"""Action units by their number in the Facial Action Coding System (Ekman and Friesen 1978)."""

NUMBERS: dict[str, int] = {name: number for number, name in UNITS.items()}
GAZES = ("ahead", "left", "right", "up", "down")
"""Where the eyes look, left and right as the viewer sees it."""

HEADS = ("straight", "turned left", "turned right", "raised", "lowered", "tilted left", "tilted right")
"""How the head is held, left and right as the viewer sees it."""

LONGEST_CAPTION = 600


@dataclass(frozen=True)
class ActionUnit:
    """One movement of the face: its FACS number, on which side, and how strongly, 0..1."""

    number: int
    side: str = "both"
    strength: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or self.number not in UNITS:
            raise InputError(
                f"There is no action unit {_shown(self.number)}: use one of {', '.join(map(str, UNITS))}."
            )
        if self.side not in SIDES:
            raise InputError(f"The side of action unit {self.number} is '{self.side}': use {_either(SIDES)}.")
        _check_number(f"The strength of action unit {self.number}", self.strength, 0, 1)

    @property
    def name(self) -> str:
        return UNITS[self.number]


@dataclass(frozen=True)
class Description:
    """A face in data. `emotion` is one of `EMOTIONS`; `intensity` 0..1; valence and arousal (Russell 1980)
    -1..1; `caption` a sentence in anybody's words, or empty. Raises InputError for anything else."""

    emotion: str
    intensity: float = 0.7
    valence: float = 0.0
    arousal: float = 0.0
    action_units: tuple[ActionUnit, ...] = ()
    head: str = "straight"
    gaze: str = "ahead"
    caption: str = ""

    def __post_init__(self) -> None:
        for what, value, known in (
            ("emotion", self.emotion, EMOTIONS),
            ("head", self.head, HEADS),
            ("gaze", self.gaze, GAZES),
        ):
            if value not in known:
                raise InputError(f"The {what} '{value}' is not known: use {_either(known)}.")
        _check_number("The intensity", self.intensity, 0, 1)
        _check_number("The valence", self.valence, -1, 1)
        _check_number("The arousal", self.arousal, -1, 1)
        if not is_printable(self.caption):
            raise InputError(
                "The caption contains control characters or halves of characters: write it as one line of "
                "text."
            )
        if len(self.caption) > LONGEST_CAPTION:
            raise InputError(
                f"The caption has {len(self.caption)} characters: shorten it to {LONGEST_CAPTION} or fewer."
            )

    def strength(self, number: int, side: str = "both") -> float:
        """How strongly a unit shows on a side ("both": the weaker of the two), 0 when it does not."""
        sides = ("left", "right") if side == "both" else (side,)
        return min(
            max(
                (u.strength for u in self.action_units if u.number == number and u.side in (one, "both")),
                default=0.0,
            )
            for one in sides
        )

    def summary(self) -> str:
        """A line for a person to read: all but the caption."""
        units = [
            f"{u.name} {u.strength:.2g}" + ("" if u.side == "both" else f" ({u.side})")
            for u in self.action_units
        ]
        head = [] if self.head == "straight" else [f"head {self.head}"]
        gaze = [] if self.gaze == "ahead" else [f"gaze {self.gaze}"]
        mood = f"{self.emotion} {self.intensity:.2g}, valence {self.valence:.2g}, arousal {self.arousal:.2g}"
        return ", ".join([mood, *units, *head, *gaze])

    def to_json(self) -> str:
        """One line of JSON, action units with their names, numbers rounded to three places."""
        fields = asdict(self)
        fields["action_units"] = [
            {"number": u.number, "name": u.name, "side": u.side, "strength": round(u.strength, 3)}
            for u in self.action_units
        ]
        for name in ("intensity", "valence", "arousal"):
            fields[name] = round(fields[name], 3)
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Description:
        """The inverse of `to_json`; strict. For what a language model wrote use `parse.parse_reply`."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"The description is not JSON ({error}): use the description output of EAD-Net Caption "
                "Emotion."
            ) from error
        if not isinstance(fields, Mapping):
            raise InputError(
                "The description is not a JSON object: use the description output of EAD-Net Caption Emotion."
            )
        unknown = sorted(set(fields) - set(cls.__dataclass_fields__))
        if unknown or "emotion" not in fields:
            wrong = f"has the unknown field '{unknown[0]}'" if unknown else "names no emotion"
            raise InputError(
                f"The description {wrong}: its fields are {', '.join(cls.__dataclass_fields__)}."
            )
        for name in ("emotion", "head", "gaze", "caption"):
            if not isinstance(fields.get(name, ""), str):
                raise InputError(f"The {name} of the description is not a string: put it in quotes.")
        units = fields.get("action_units", [])
        if not isinstance(units, list):
            raise InputError("The action units of the description are not a list: write [...].")
        return cls(**{**fields, "action_units": tuple(_unit(unit) for unit in units)})


def _unit(fields: Any) -> ActionUnit:
    if not isinstance(fields, Mapping) or not isinstance(fields.get("number"), int):
        raise InputError(f"The action unit {_shown(fields)} has no number: write {{'number': 4, ...}}.")
    return ActionUnit(fields["number"], fields.get("side", "both"), fields.get("strength", 1.0))


def _check_number(what: str, value: Any, low: float, high: float) -> None:
    # Compared, not converted: hundreds of digits have no float, NaN is in no range.
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{what} is {_shown(value)}: give a number from {low} to {high}.")


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.40}"
    except (ValueError, RecursionError):  # thousands of digits, thousands of brackets
        return f"an absurd {type(value).__name__}"


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


@dataclass(frozen=True)
class Prototype:
    """An emotion at full intensity."""

    valence: float
    arousal: float
    action_units: tuple[ActionUnit, ...]


@lru_cache(maxsize=1)
def prototypes() -> dict[str, Prototype]:
    """The face of each emotion, after the prototypes of EMFACS (`emotions.json`); neutral has no units."""
    table = json.loads(resources.files(__package__).joinpath("emotions.json").read_text("utf-8"))
    return {
        name: Prototype(
            entry["valence"],
            entry["arousal"],
            tuple(ActionUnit(number, side, strength) for number, side, strength in entry["units"]),
        )
        for name, entry in table.items()
    }


EMOTIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised", "contemptuous")
"""The nearest of eight; what the face really does is in the action units and the caption."""
