"""Forms in which people write a lemma: "hit the roof" as "hits", "hitting", "their"."""

from __future__ import annotations

import re

_PAST = {
    **{"be": "was", "become": "became", "bite": "bit", "blow": "blew", "break": "broke", "bring": "brought"},
    **{"burst": "burst", "catch": "caught", "come": "came", "cut": "cut", "do": "did", "draw": "drew"},
    **{"eat": "ate", "fall": "fell", "feel": "felt", "fly": "flew", "get": "got", "give": "gave"},
    **{"go": "went", "grow": "grew", "hang": "hung", "have": "had", "hit": "hit", "hold": "held"},
    **{"keep": "kept", "knock": "knocked", "let": "let", "lose": "lost", "make": "made", "put": "put"},
    **{"quake": "quaked", "rise": "rose", "see": "saw", "set": "set", "shake": "shook", "shed": "shed"},
    **{"shrink": "shrank", "shut": "shut", "sing": "sang", "sink": "sank", "speak": "spoke"},
    **{"split": "split", "spit": "spat", "stand": "stood", "stick": "stuck", "sting": "stung"},
    **{"strike": "struck", "sweep": "swept", "swell": "swelled", "take": "took", "tear": "tore"},
    **{"beat": "beat", "bear": "bore", "bend": "bent", "begin": "began", "bind": "bound", "breed": "bred"},
    **{"build": "built", "burn": "burned", "buy": "bought", "cast": "cast", "choose": "chose"},
    **{"cling": "clung", "creep": "crept", "deal": "dealt", "dig": "dug", "drink": "drank", "drive": "drove"},
    **{"feed": "fed", "fight": "fought", "find": "found", "flee": "fled", "forget": "forgot"},
    **{"forgive": "forgave", "freeze": "froze", "hear": "heard", "hide": "hid", "hurt": "hurt"},
    **{"know": "knew", "lay": "laid", "lead": "led", "leave": "left", "meet": "met", "pay": "paid"},
    **{"read": "read", "ride": "rode", "ring": "rang", "run": "ran", "say": "said", "seek": "sought"},
    **{"sell": "sold", "send": "sent", "shine": "shone", "shoot": "shot", "show": "showed", "sit": "sat"},
    **{"sleep": "slept", "slide": "slid", "slink": "slunk", "spend": "spent", "steal": "stole"},
    **{"swear": "swore", "swim": "swam", "swing": "swung", "teach": "taught", "tell": "told"},
    **{"think": "thought", "tread": "trod", "understand": "understood", "wake": "woke", "win": "won"},
    **{"throw": "threw", "turn": "turned", "weep": "wept", "wear": "wore", "wring": "wrung"},
}
DENIED = frozenset(("not", "never", "no"))
_VOWELS = "aeiou"
_OWNER = re.compile(r"\b(?:one's|someone's|somebody's)\b")
_SELF = re.compile(r"\boneself\b")


def verb_forms(lemma: str) -> list[str]:
    """The lemma of a verb, or of a phrase that begins with one: base, -s, -ing and past."""
    first, space, rest = lemma.partition(" ")
    if first in DENIED:
        return [lemma]
    if first == "be" and rest:  # whatever it is, it is that without it, too
        return [rest]
    return [form + space + rest for form in (first, _third(first), _doing(first), _past(first))]


def spelled(lemma: str) -> str:
    """With the owners that `eadnet.modules.thesaurus` looks up."""
    return _SELF.sub("themselves", _OWNER.sub("their", lemma))


def _third(verb: str) -> str:
    if verb in ("be", "have", "do", "go"):
        return {"be": "is", "have": "has", "do": "does", "go": "goes"}[verb]
    if verb.endswith(("s", "x", "z", "ch", "sh")):
        return verb + "es"
    return verb[:-1] + "ies" if _ends_in_y(verb) else verb + "s"


def _doing(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def _past(verb: str) -> str:
    if verb in _PAST:
        return _PAST[verb]
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if _ends_in_y(verb) else _doubled(verb) + "ed"


def _ends_in_y(verb: str) -> bool:
    return len(verb) > 2 and verb.endswith("y") and verb[-2] not in _VOWELS


def _doubled(verb: str) -> str:
    """With its last letter twice where a short word ends in one vowel and one consonant."""
    short = len(re.findall(f"[{_VOWELS}]+", verb)) == 1
    ends = len(verb) > 2 and verb[-1] not in _VOWELS + "wxy" and verb[-2] in _VOWELS
    return verb + verb[-1] if short and ends and verb[-3] not in _VOWELS else verb
