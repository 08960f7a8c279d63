"""The test clips that papers report on, by name: who of MEAD, which videos of HDTF.

MEAD: four actors, M003, M030, W009 and W015, are EAT's and EDTalk's test set. HDTF: the twenty videos of
MuseTalk's published validation list. Other lists, such as EAT's of 100 and 985 clips of these actors or
EDTalk's 77 videos of HDTF, whose names are not known here, are given as a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, no_such

MEAD_ACTORS = ("M003", "M030", "W009", "W015")
MUSETALK_HDTF = (
    *("RD_Radio7", "RD_Radio8", "RD_Radio9"),
    *("WDA_TinaSmith", "WDA_TomCarper", "WDA_TomPerez", "WDA_TomUdall", "WDA_VeronicaEscobar0"),
    *("WDA_VeronicaEscobar1", "WDA_WhipJimClyburn", "WDA_XavierBecerra_000", "WDA_XavierBecerra_001"),
    *("WDA_XavierBecerra_002", "WDA_ZoeLofgren", "WRA_SteveScalise1", "WRA_TimScott", "WRA_ToddYoung"),
    *("WRA_TomCotton", "WRA_TomPrice", "WRA_VickyHartzler"),
)
MEAD_LABELS = {
    "angry": "angry",
    "disgusted": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprised",
}
"""MEAD's words for emotions, and the classifier's; it knows no contempt."""


@dataclass(frozen=True)
class Protocol:
    """Which clips count, and the expression that each shows ("" where none is labelled).

    name, clips: for the table. takes, label: by a file's name without its ending.
    """

    name: str
    clips: str
    takes: Callable[[str], bool]
    label: Callable[[str], str]


def _words(name: str) -> list[str]:
    return re.split(r"[#\-/ ]|_(?!\d)", name)


def _mead_actor(name: str) -> bool:
    return any(word in MEAD_ACTORS for word in re.findall(r"[MW]\d{3}", name))


def _mead_label(name: str) -> str:
    return next((MEAD_LABELS[word] for word in _words(name) if word in MEAD_LABELS), "")


def _hdtf_listed(name: str) -> bool:
    return any(re.search(rf"(?<![A-Za-z0-9]){one}(?![A-Za-z0-9])", name) for one in MUSETALK_HDTF)


PROTOCOLS: dict[str, Protocol] = {
    "mead": Protocol("mead", f"MEAD, actors {', '.join(MEAD_ACTORS)}", _mead_actor, _mead_label),
    "hdtf": Protocol("hdtf", "HDTF, MuseTalk's twenty videos", _hdtf_listed, lambda name: ""),
}


def find_protocol(name: str, listed: Path | None = None) -> Protocol:
    """A protocol by name; with a file, of the clips that it names, a line each, instead of its own.

    Raises InputError for another name, and a file that is missing or empty.
    """
    if name not in PROTOCOLS:
        raise InputError(no_such("protocol", name, PROTOCOLS))
    protocol = PROTOCOLS[name]
    if listed is None:
        return protocol
    try:
        lines = listed.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The list {listed} cannot be read ({error}): give a text file of names.") from error
    names = {Path(line.strip()).name.removesuffix(".mp4") for line in lines if line.strip()}
    if not names:
        raise InputError(f"The list {listed} names no clip: write one name in a line.")
    clips = f"{protocol.clips.partition(',')[0]}, {len(names)} clips of {listed.name}"
    return Protocol(name, clips, names.__contains__, protocol.label)
