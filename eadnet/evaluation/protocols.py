"""The test clips that papers report on, by name: who of MEAD, which videos of HDTF.

MEAD: four actors, M003, M030, W009 and W015, are EAT's and EDTalk's test set; EAT reports on all 985 of their
clips of level 3 and of neutral that it could use, and on a sample of 100 by name. HDTF: the twenty videos of
MuseTalk's published validation list, or EDTalk's 77. The names, and where they are published, are in
`test_clips.json`. Any other choice is given as a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import InputError, no_such

MEAD_ACTORS = ("M003", "M030", "W009", "W015")
MEAD_LABELS = {
    "angry": "angry",
    "contempt": "",
    "disgusted": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprised",
}
"""MEAD's words for emotions, and the classifier's; it knows no contempt."""

LISTS = ("musetalk-20", "edtalk-77", "eat-100", "eat-985")
_SHORT = {word[:3]: word for word in MEAD_LABELS}  # as EAT names its files
_BETWEEN = r"[#\-_/ ]"
_MEAD = re.compile(
    rf"(?P<actor>[MW]\d{{3}}){_BETWEEN}(?:.*{_BETWEEN})?(?P<emotion>{'|'.join([*MEAD_LABELS, *_SHORT])})"
    rf"{_BETWEEN}(?:level_)?(?P<level>[123])(?:{_BETWEEN}(?P<number>\d{{3}}))?(?![0-9A-Za-z])"
)
_OTHER_VIEW = re.compile(rf"(?:^|{_BETWEEN})(?:(?:left|right)_(?:30|60)|down|top)(?:$|{_BETWEEN})")


@dataclass(frozen=True)
class Protocol:
    """Which clips count, and the expression that each shows ("" where none is labelled).

    name, clips: for the table. takes, label: by a file's name without its ending.
    """

    name: str
    clips: str
    takes: Callable[[str], bool]
    label: Callable[[str], str]


@dataclass(frozen=True)
class MeadClip:
    """What a name says of a clip of MEAD; emotion in MEAD's word, number "" where none is named."""

    actor: str
    emotion: str
    level: int
    number: str
    front: bool

    @property
    def key(self) -> str:
        """The clip's name as EDTalk writes it."""
        return f"{self.actor}#{self.emotion}#level_{self.level}#{self.number}"


def mead_clip(name: str) -> MeadClip | None:
    """Of `M003#angry#level_1#001`, `M003_ang_1_001` as EAT writes it, or a path's words joined; else None."""
    found = _MEAD.search(name)
    if found is None:
        return None
    emotion = _SHORT.get(found["emotion"], found["emotion"])
    front = _OTHER_VIEW.search(name) is None
    return MeadClip(found["actor"], emotion, int(found["level"]), found["number"] or "", front)


@cache
def listed_names(name: str) -> tuple[str, ...]:
    """The names of a published list that is known by name: all of `LISTS` but "eat-985", which is a rule."""
    told = json.loads(Path(__file__).with_name("test_clips.json").read_text(encoding="utf-8"))
    return tuple(told[name]["names"])


def _mead_actor(name: str) -> bool:
    return any(word in MEAD_ACTORS for word in re.findall(r"[MW]\d{3}", name))


def _mead_label(name: str) -> str:
    clip = mead_clip(name)
    if clip:
        return MEAD_LABELS[clip.emotion]
    words = re.split(r"[#\-/ ]|_(?!\d)", name)  # of names without a level
    return next((MEAD_LABELS[word] for word in words if word in MEAD_LABELS), "")


def _eat_100(name: str) -> bool:
    clip = mead_clip(name)
    return clip is not None and clip.front and clip.key in listed_names("eat-100")


def _eat_985(name: str) -> bool:
    """Reconstruction: EAT publishes their number, not their names; all 100 of its sample are of this rule."""
    clip = mead_clip(name)
    if clip is None or clip.actor not in MEAD_ACTORS or not clip.front:
        return False
    return clip.level == 3 or clip.emotion == "neutral"


def _hdtf_of(names: str) -> Callable[[str], bool]:
    def takes(name: str) -> bool:
        return any(re.search(rf"(?<![A-Za-z0-9]){one}(?![A-Za-z0-9])", name) for one in listed_names(names))

    return takes


def _no_label(name: str) -> str:
    return ""


_ACTORS = ", ".join(MEAD_ACTORS)
PROTOCOLS: dict[str, Protocol] = {
    "mead": Protocol("mead", f"MEAD, actors {_ACTORS}", _mead_actor, _mead_label),
    "hdtf": Protocol("hdtf", "HDTF, MuseTalk's twenty videos", _hdtf_of("musetalk-20"), _no_label),
}
_KNOWN: dict[tuple[str, str], Protocol] = {
    ("hdtf", "musetalk-20"): PROTOCOLS["hdtf"],
    ("hdtf", "edtalk-77"): Protocol("hdtf", "HDTF, EDTalk's 77 videos", _hdtf_of("edtalk-77"), _no_label),
    ("mead", "eat-100"): Protocol("mead", "MEAD, EAT's sample of 100 clips", _eat_100, _mead_label),
    ("mead", "eat-985"): Protocol(
        "mead", f"MEAD, level 3 and neutral of {_ACTORS} (EAT's 985, by rule)", _eat_985, _mead_label
    ),
}


def find_protocol(name: str, listed: str | Path | None = None) -> Protocol:
    """A protocol by name; with one of `LISTS`, of that list's clips; with a file, of those that it names, a
    line each.

    Raises InputError for another name, a list of the other data set, and a file that is missing or empty.
    """
    if name not in PROTOCOLS:
        raise InputError(no_such("protocol", name, PROTOCOLS))
    protocol = PROTOCOLS[name]
    if listed is None:
        return protocol
    if str(listed) in LISTS:
        if (name, str(listed)) not in _KNOWN:
            own = " or ".join(known for data, known in _KNOWN if data == name)
            raise InputError(f"The list {listed} is not of {name}: use {own}, or a file of names.")
        return _KNOWN[name, str(listed)]
    listed = Path(listed)
    try:
        lines = listed.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The list {listed} cannot be read ({error}): give a text file of names, or one of "
            f"{', '.join(known for data, known in _KNOWN if data == name)}."
        ) from error
    names = {Path(line.strip()).name.removesuffix(".mp4") for line in lines if line.strip()}
    if not names:
        raise InputError(f"The list {listed} names no clip: write one name in a line.")
    clips = f"{protocol.clips.partition(',')[0]}, {len(names)} clips of {listed.name}"
    return Protocol(name, clips, names.__contains__, protocol.label)
