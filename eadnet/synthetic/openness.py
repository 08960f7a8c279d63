"""How far people open the mouth for each sound: numbers measured on people who talk.

Measured on 23 recordings by `python -m experiments speech fit`, see docs/results/speech.md: a phoneme
recogniser of ours, trained on synthetic voices alone, says which sound is heard when; the landmarker says
how far the inner lips are apart; and the numbers below are those with which the dominance model
(`visemes.openness`) follows people best, held back towards the textbook's values (vowel height, place of
articulation), which sounds that the recordings hardly contain keep. They are statistics of how people speak.
The spread of the result over synthetic speech, .09, is people's .08.
"""

from __future__ import annotations

from typing import NamedTuple


class Openness(NamedTuple):
    """Of a sound: how far it brings the inner lips ``apart``, in distances of the eyes' centres, and its
    ``weight`` against its neighbours'.
    """

    apart: float
    weight: float


LEAD, BEFORE, AFTER = 0.012, 0.055, 0.043
"""Seconds by which the mouth runs ahead of the sound, over which it makes for a sound, and leaves it."""

_MEASURED = {
    "_": Openness(0.05, 0.6),
    "i": Openness(0.15, 1.0),
    "ɪɨ": Openness(0.25, 1.3),
    "yʏ": Openness(0.05, 1.0),
    "uʉ": Openness(0.08, 1.0),
    "ʊɯ": Openness(0.00, 1.4),
    "e": Openness(0.28, 1.4),
    "øɵ": Openness(0.21, 1.0),
    "oɤ": Openness(0.14, 0.9),
    "əɘɚ": Openness(0.16, 0.7),
    "ɜɝɞ": Openness(0.23, 1.0),
    "ɛ": Openness(0.37, 1.2),
    "œ": Openness(0.34, 1.0),
    "ɔɒ": Openness(0.40, 0.6),
    "ʌɐ": Openness(0.34, 0.9),
    "æ": Openness(0.47, 0.9),
    "aäɑ": Openness(0.54, 0.8),
    "pbm": Openness(0.00, 3.5),
    "βɸ": Openness(0.00, 2.4),
    "fvɱ": Openness(0.00, 2.9),
    "ʋ": Openness(0.00, 2.0),
    "wʍɥ": Openness(0.00, 2.2),
    "ʃʒɕʑʂʐ": Openness(0.15, 2.0),
    "ɹɻ": Openness(0.00, 2.4),
    "sz": Openness(0.10, 2.3),
    "td": Openness(0.09, 1.3),
    "nlɫɾɺʎɲ": Openness(0.01, 0.9),
    "θð": Openness(0.12, 1.5),
    "jçʝ": Openness(0.06, 1.2),
    "rʀ": Openness(0.09, 0.7),
    "kgɡŋxɣqɢχʁcɟɴ": Openness(0.11, 0.7),
    "hɦħʕʔ": Openness(0.12, 0.2),
}

OPENNESS: dict[str, Openness] = {
    letter: measured for letters, measured in _MEASURED.items() for letter in letters
} | {"rest": Openness(0.0, 3.0)}
"""By IPA letter, `_` for a pause within speech, and "rest" for the closed mouth of a long silence."""

SOUNDS: tuple[str, ...] = tuple(_MEASURED)
"""The classes of sounds that were told apart, the pause first."""

CLASS: dict[str, int] = {letter: place for place, letters in enumerate(SOUNDS) for letter in letters}
"""The class of each IPA letter."""
