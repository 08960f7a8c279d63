"""What all captioners have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..printable import printable
from .schema import Description

_LONGEST_REPLY = 20_000


@dataclass(frozen=True)
class Captioned:
    """A description and where it came from.

    `raw` is the reply as it came, whatever it was; `source` names the model or method; `prompt` is the
    version of the prompt file, empty where none was used; `notes` say what had to be put right.
    """

    description: Description
    source: str
    raw: str = ""
    prompt: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Replies are anybody's text: what is handed on can be shown, saved and written.
        object.__setattr__(self, "raw", printable(self.raw, _LONGEST_REPLY, lines=True))
        object.__setattr__(self, "notes", tuple(printable(note) for note in self.notes))

    def report(self) -> str:
        """All of it for a person to read."""
        lines = [f"source: {self.source}"]
        if self.prompt:
            lines.append(f"prompt: {self.prompt}")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"description: {self.description.summary()}")
        if self.raw:
            lines += ["reply as it came:", self.raw]
        return "\n".join(lines)


class Captioner(Protocol):
    """Describes the face in some frames of a clip."""

    def describe(self, frames: Sequence[np.ndarray], seed: int = 0) -> Captioned:
        """Frames uint8 [H, W, 3] in the order of time to one description of all of them.

        Raises InputError when no description can be had.
        """
        ...
