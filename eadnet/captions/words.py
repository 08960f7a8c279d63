"""From a description in data to a sentence, in the phrasing that `mini`'s text encoder was trained on.

The words are data (`words.json`), not the training grammar itself: what runs in ComfyUI does not depend on
what trains models. A test holds the two together.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from random import Random
from typing import Any

from .schema import Description

VISIBLE = 0.2
"""Action units weaker than this are not worth a word."""

_WEAK = 0.5
_WEAKER_SHARE = 0.6  # a phrase for two movements needs both: the weaker at least this share of the stronger
_LOW, _HIGH = 0.5, 0.85


def sentence(description: Description, seed: int = 0, features: int = 3) -> str:
    """A sentence that says the emotion, its strength and up to ``features`` things the face does.

    The same description and seed give the same sentence.
    """
    rng = Random(seed)
    parts = [_emotion(description, rng)]
    parts += [phrase for _, phrase in feature_phrases(description, rng)[:features]]
    gaze = _words()["gaze"].get(description.gaze)
    if gaze and features > 0:
        parts.append(rng.choice(gaze))
    return ", ".join(parts)


def _emotion(description: Description, rng: Random) -> str:
    words = _words()
    word = rng.choice(words["emotions"][description.emotion])
    if description.emotion != "neutral":
        level = (
            "low" if description.intensity < _LOW else "high" if description.intensity > _HIGH else "medium"
        )
        word = f"{rng.choice(words['levels'][level])} {word}".strip()
    return rng.choice(words["frames"]).format(e=word)


def feature_phrases(description: Description, rng: Random) -> list[tuple[float, str]]:
    """(strength, phrase) of what the face visibly does, strongest first; each movement is said once."""
    found = []
    said: set[tuple[int, str]] = set()
    for feature in _words()["features"]:
        sides = ("left", "right") if feature["side"] == "both" else (feature["side"],)
        places = {(number, side) for number in feature["units"] for side in sides}
        strengths = [description.strength(number, feature["side"]) for number in feature["units"]]
        strength = min(strengths)
        if strength < max(VISIBLE, _WEAKER_SHARE * max(strengths)) or places & said:
            continue
        said |= places
        phrase = rng.choice(feature["say"])
        found.append((strength, f"{phrase} {rng.choice(_words()['weak'])}" if strength < _WEAK else phrase))
    return sorted(found, key=lambda item: -item[0])


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    return json.loads(resources.files(__package__).joinpath("words.json").read_text("utf-8"))
