"""Words that the mini text encoder never read, put into words that it did.

Its n-grams find relatives of known words ("furiously"), but nothing in the letters of "lugubrious" says that
it means mournful. `thesaurus.tsv` says so: plain text, made by `python -m experiments thesaurus` from
WordNet 3.1 and word vectors. No word that the encoder was trained on is in it, so texts of known words are
read as they always were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

Words = tuple[str, ...]

_FILE = "thesaurus.tsv"
_OWNERS = frozenset(("my", "your", "his", "her", "its", "our", "their", "one's", "someone's", "somebody's"))
_SELVES = frozenset(
    ("myself", "yourself", "himself", "herself", "itself", "ourselves", "oneself", "themselves")
)


@dataclass(frozen=True)
class Thesaurus:
    """`entries`: words or set phrases, in lower case and split as the encoder splits them, and the known
    texts, nearest first, whose mean is their meaning. "their" and "themselves" stand for every owner.
    """

    entries: Mapping[Words, tuple[Words, ...]]

    @classmethod
    def from_lines(cls, lines: Sequence[str]) -> Thesaurus:
        """Each line: known texts, parted by bars, a tab, and the unknown ones that they stand for, parted by
        bars, too. `#` begins a remark.
        """
        entries: dict[Words, tuple[Words, ...]] = {}
        for line in lines:
            if line.strip() and not line.startswith("#"):
                known, _, unknown = line.rstrip("\n").partition("\t")
                readings = tuple(tuple(text.split()) for text in known.split("|"))
                entries |= {tuple(text.split()): readings for text in unknown.split("|")}
        return cls(entries)

    @cached_property
    def longest(self) -> int:
        """Words of the longest phrase."""
        return max(map(len, self.entries), default=0)

    def read(self, words: Sequence[str]) -> tuple[list[list[str]], dict[str, list[str]]]:
        """Ways to say a text in known words, one where there is nothing to replace; and what was read as
        what. Of phrases that begin at the same word the longest counts.
        """
        parts: list[tuple[Words, ...]] = []
        notes: dict[str, list[str]] = {}
        plain = [_plain(word) for word in words]
        at = 0
        while at < len(words):
            for end in range(min(len(words), at + self.longest), at, -1):
                known = self.entries.get(tuple(plain[at:end]))
                if known is not None:
                    notes[" ".join(words[at:end])] = [" ".join(text) for text in known]
                    parts.append(known)
                    at = end
                    break
            else:
                parts.append(((words[at],),))
                at += 1
        ways = max((len(part) for part in parts), default=1)
        said = [[word for part in parts for word in part[way % len(part)]] for way in range(ways)]
        return said, notes


def _plain(word: str) -> str:
    return "their" if word in _OWNERS else "themselves" if word in _SELVES else word


@lru_cache(maxsize=1)
def bundled_thesaurus() -> Thesaurus:
    """The one that is installed with the pack."""
    text = resources.files(__package__).joinpath(_FILE).read_text("utf-8")
    return Thesaurus.from_lines(text.splitlines())
