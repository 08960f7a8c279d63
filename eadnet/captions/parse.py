"""From whatever a language model replied to a description.

Models wrap JSON in fences and chatter, break it, answer in other languages, or refuse. What can be
understood is used and every repair is noted; what cannot is an error that quotes the reply. Nothing in a
reply is ever run or followed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import Any

from ..errors import InputError
from ..printable import is_printable
from .schema import (
    EMOTIONS,
    GAZES,
    HEADS,
    LONGEST_CAPTION,
    NUMBERS,
    UNITS,
    ActionUnit,
    Description,
    prototypes,
)
from .tolerant_json import loaded, objects

_LONGEST_REPLY = 20_000
_MOST_UNITS = 24
_MOST_OBJECTS = 32

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'| a)m (?:sorry|unable|not able)|i (?:can(?:no|')t|won't|must decline)|as an ai\b|"
    r"unable to (?:assist|help|identify)|not (?:comfortable|appropriate)|je (?:suis désolé|ne peux pas)|"
    r"es tut mir leid|ich kann (?:nicht|leider)|lo siento|no puedo)|抱歉|对不起|無法|无法|申し訳|извините",
    re.IGNORECASE,
)
# Controls, invisible signs, and halves of characters that were cut in two.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]+"
)
_LEVELS = {
    "none": 0.0, "absent": 0.0, "very low": 0.2, "slight": 0.3, "weak": 0.3, "low": 0.35, "mild": 0.35,
    "moderate": 0.6, "medium": 0.6, "clear": 0.7, "strong": 0.9, "high": 0.9, "intense": 1.0, "very high":
    1.0, "extreme": 1.0, "negative": -0.6, "positive": 0.6, "neutral": 0.0,
}  # fmt: skip
_NEGATION = re.compile(
    r"(?:\bnot|\bno|\bnever|\bwithout|n't|不|没有|\bpas|\bnicht|\bkein\w*)\s*(?:\w+\s+)?$", re.IGNORECASE
)


def parse_reply(reply: str) -> tuple[Description, tuple[str, ...]]:
    """A description and notes on what had to be put right.

    Raises InputError when the reply is empty, refuses, or names no emotion.
    """
    notes: list[str] = []
    text = _THINKING.sub("", reply[:_LONGEST_REPLY]).strip()
    if len(reply) > _LONGEST_REPLY:
        notes.append(f"only the first {_LONGEST_REPLY} of {len(reply)} characters were read")
    if not text:
        raise InputError("The language model's reply is empty: try again or choose another model.")
    for candidate in islice(objects(text), _MOST_OBJECTS):
        fields = loaded(candidate, notes)
        if fields is not None and (description := _described(fields, notes)) is not None:
            return description, tuple(dict.fromkeys(notes))
    if _REFUSAL.search(text[:400]):
        raise InputError(
            f"The language model refused ('{excerpt(text)}'): try other frames or another model."
        )
    emotion = find_emotion(text)
    if emotion is None:
        raise InputError(
            f"The language model's reply names no emotion ('{excerpt(text)}'): try again or choose "
            "another model."
        )
    notes.append("the reply was no JSON: the emotion was taken from its words")
    full = prototypes()[emotion]
    caption = "" if text.startswith(("{", "[", "`")) else clean(text)
    return Description(emotion, 0.7, full.valence * 0.7, full.arousal * 0.7, caption=caption), tuple(notes)


def excerpt(text: str, length: int = 100) -> str:
    """The beginning of a text on one line, for messages."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= length else line[: length - 1] + "…"


def clean(text: str) -> str:
    """One line without control characters, not longer than a caption may be."""
    line = "".join(letter if is_printable(letter) else " " for letter in _CONTROL.sub(" ", text))
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= LONGEST_CAPTION else line[:LONGEST_CAPTION].rsplit(" ", 1)[0]


@lru_cache(maxsize=1)
def _synonyms() -> list[tuple[str, str]]:
    """(word, emotion), longest words first."""
    table = json.loads(resources.files(__package__).joinpath("synonyms.json").read_text("utf-8"))
    pairs = [(word.lower(), emotion) for emotion, words in table.items() for word in words]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def find_emotion(text: str) -> str | None:
    """The emotion that a text in one of several languages names first, unless negated; None without one."""
    text = text.lower()
    best: tuple[int, str] | None = None
    for word, emotion in _synonyms():
        if word not in text:
            continue
        edge = r"\b" if word.isascii() or word[0].isalpha() and ord(word[0]) < 0x2E80 else ""
        for match in re.finditer(f"{edge}{re.escape(word)}{edge}", text):
            negated = _NEGATION.search(text[max(0, match.start() - 20) : match.start()])
            if not negated and (best is None or match.start() < best[0]):
                best = match.start(), emotion
                break
    return best[1] if best else None


def _described(fields: Mapping[str, Any], notes: list[str]) -> Description | None:
    """A description from the fields of a reply; None when they name no emotion at all."""
    fields = {str(key).strip().lower().replace(" ", "_"): value for key, value in fields.items()}
    caption = clean(
        str(fields.get("caption") or fields.get("description") or fields.get("free_caption") or "")
    )
    named = fields.get("emotion", fields.get("emotions", fields.get("expression")))
    if isinstance(named, (list, tuple)):
        named = named[0] if named else ""
    emotion = str(named).strip().lower() if named is not None else ""
    if emotion not in EMOTIONS:
        understood = find_emotion(emotion) or find_emotion(caption)
        if understood is None:
            return None
        notes.append(f"the emotion '{excerpt(emotion, 40)}' was taken as {understood}")
        emotion = understood
    full = prototypes()[emotion]
    intensity = _number(fields.get("intensity", fields.get("strength")), 0.0, "intensity", notes)
    intensity = 0.7 if intensity is None else intensity
    valence = _number(fields.get("valence"), -1.0, "valence", notes)
    arousal = _number(fields.get("arousal"), -1.0, "arousal", notes)
    return Description(
        emotion,
        intensity,
        full.valence * intensity if valence is None else valence,
        full.arousal * intensity if arousal is None else arousal,
        _units(fields.get("action_units", fields.get("aus", fields.get("au"))), notes),
        _choice(fields.get("head"), HEADS, "head", notes),
        _choice(fields.get("gaze"), GAZES, "gaze", notes),
        caption,
    )


def _number(value: Any, low: float, what: str, notes: list[str]) -> float | None:
    """A number in low..1 from a number, "80%", "4/5" or a word; None when it is none of these."""
    if isinstance(value, bool) or value is None:
        return None
    number: float | None = None
    if isinstance(value, (int, float)):
        number = float(value) if -1e300 < value < 1e300 else None
    elif isinstance(value, str):
        text = value.strip().lower().replace(",", ".")
        if text in _LEVELS:
            return max(low, _LEVELS[text])
        match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*(%|/\s*\d+)?", text)
        if match:
            number = float(match[1])
            whole = 100.0 if match[2] == "%" else float(match[2].lstrip("/ ") or 1) if match[2] else 1.0
            number = number / whole if whole else None
    if number is None or not math.isfinite(number):
        notes.append(f"the {what} {excerpt(repr(value), 40)} is no number and was left out")
        return None
    if abs(number) > 1:
        scale = 5 if abs(number) <= 5 else 10 if abs(number) <= 10 else 100
        notes.append(f"the {what} {number:g} was read on a scale to {scale}")
        number /= scale
    return min(1.0, max(low, number))


def _choice(value: Any, known: tuple[str, ...], what: str, notes: list[str]) -> str:
    """One of the known words, by itself or inside a phrase; the first of them otherwise."""
    text = str(value or "").strip().lower()
    for word in sorted(known, key=len, reverse=True):
        if all(re.search(rf"\b{part}", text) for part in word.split()):
            return word
    if text and not re.search(
        r"camera|viewer|forward|straight|ahead|front|center|centre|neutral|none|level", text
    ):
        notes.append(f"the {what} '{excerpt(text, 40)}' was not understood")
    return known[0]


def _units(value: Any, notes: list[str]) -> tuple[ActionUnit, ...]:
    """Action units from a list of objects, numbers or texts such as "AU4", or from a mapping."""
    if value is None:
        return ()
    if isinstance(value, Mapping):
        value = [
            {"number": key, **(v if isinstance(v, Mapping) else {"strength": v})} for key, v in value.items()
        ]
    if isinstance(value, str):
        value = re.split(r"[,;]", value)
    if not isinstance(value, (list, tuple)):
        notes.append("the action units were not a list and were left out")
        return ()
    found: dict[tuple[int, str], ActionUnit] = {}
    for entry in value[:_MOST_UNITS]:
        unit = _unit(entry, notes)
        if unit is None:
            notes.append(f"the action unit {excerpt(repr(entry), 40)} is not known and was left out")
        elif unit.strength > 0:
            found[unit.number, unit.side] = unit
    return tuple(found.values())


def _unit(entry: Any, notes: list[str]) -> ActionUnit | None:
    fields: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {"number": entry}
    name = str(fields.get("number", fields.get("au", fields.get("id", fields.get("name", "")))))
    number = _unit_number(name)
    if number is None and "name" in fields:
        number = _unit_number(str(fields["name"]))
    if number is None:
        return None
    said = f"{fields.get('side', '')} {name}".lower()
    sides = [side for side in ("left", "right") if re.search(rf"\b{side}\b|^{side[0]}\b", said)]
    given = fields.get("strength", fields.get("intensity"))
    strength = _number(given, 0.0, f"strength of action unit {number}", notes)
    return ActionUnit(number, sides[0] if len(sides) == 1 else "both", 0.7 if strength is None else strength)


def _unit_number(text: str) -> int | None:
    text = text.strip().lower()
    if match := re.search(r"(?:^|\bau\s*_?-?\s*)0*(\d{1,2})\b", text):
        number = {25: 26, 27: 26, 45: 43, 23: 24, 11: 10, 13: 12}.get(int(match[1]), int(match[1]))
        return number if number in UNITS else None
    return NUMBERS.get(text.replace(" ", "_"))
