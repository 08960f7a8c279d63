"""Frames and sound that somebody watches being read, to end it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from .reader import Pictures
from .sound import Sound

Check = Callable[[], None]


class WatchedPictures:
    """The same frames; ``check`` is called before each is read, and raises to end the reading."""

    def __init__(self, pictures: Pictures, check: Check) -> None:
        self._pictures, self._check = pictures, check
        self.fps, self.count, self.size = pictures.fps, pictures.count, pictures.size
        self.notes = pictures.notes  # one list: it grows

    def picture(self, number: int) -> np.ndarray:
        self._check()
        return self._pictures.picture(number)


class WatchedSound:
    """The same recording; ``check`` is called before each of its pieces is read."""

    def __init__(self, sound: Sound, check: Check) -> None:
        self._sound, self._check = sound, check
        self.rate, self.channels, self.notes = sound.rate, sound.channels, sound.notes

    def pieces(self) -> Iterator[Tensor]:
        pieces = self._sound.pieces()
        while True:
            self._check()
            piece = next(pieces, None)
            if piece is None:
                return
            yield piece
