"""Which window takes which step, and in which order.

Two plans cover a clip. In one, neighbouring windows overlap and are the same at every step. In the other they
do not overlap, so each frame is denoised once a step, and their borders move from step to step, so that no
place of the clip is always at one: what a border leaves behind, the windows of the next step see from within.
Where borders go, and what happens at the ends of a clip, is ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from torch import Tensor

from ..errors import InputError, no_such
from .windows import Window, blend_weights, windows

MODES = ("overlap", "moving")

WindowStep = tuple[int, int]  # (step, window)

_PLACES = (0.0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875)  # van der Corput: far from those just before


def moved(num_frames: int, window: int, turn: int, before: Sequence[Window] = ()) -> list[Window]:
    """Windows without overlap that cover 0..num_frames, whose borders differ from turn to turn.

    Each has ``window`` frames; those at the ends of the clip have half as many at least, since a frame alone
    has nothing to move with. Eight turns have places of their own, where the window has that many. A clip of
    up to ``window`` frames is one window. Windows away from the end do not depend on the clip's length.
    ``before`` are the windows of the turn before, whose borders are avoided at the ends, too.
    """
    if num_frames <= window:
        return [(0, num_frames)]
    least = (window + 1) // 2

    taken = {stop for _, stop in before} | set(_inner(num_frames, window, turn + 1))

    def split(begin: int, end: int) -> int:
        """Where a piece of more than a window is cut in two, each of ``least`` frames or more."""
        choices = range(begin + least, end - least + 1)
        wanted = choices[int(_place(turn) * len(choices))]
        free = [border for border in choices if border not in taken]
        return min(free, key=lambda border: abs(border - wanted)) if free else wanted

    if num_frames <= window + least:
        border = split(0, num_frames)
        return [(0, border), (border, num_frames)]
    inner = list(_inner(num_frames, window, turn))
    if inner[0] < least:  # a head too short: it joins what follows, or shares with it
        end = inner[1] if len(inner) > 1 else num_frames
        inner[:1] = [split(0, end)] if end > window else []
    if inner and num_frames - inner[-1] < least:
        begin = inner[-2] if len(inner) > 1 else 0
        inner[-1:] = [split(begin, num_frames)] if num_frames - begin > window else []
    borders = [0, *inner, num_frames]
    return list(zip(borders, borders[1:], strict=False))


def _place(turn: int) -> float:
    """Where the borders of a turn are in a window, as a share of it."""
    return _PLACES[turn % len(_PLACES)]


def _inner(num_frames: int, window: int, turn: int) -> range:
    """The borders of a turn, if the ends of a clip were no matter."""
    return range(int(_place(turn) * window) or window, num_frames, window)


class Plan:
    """The windows of every step of a clip.

    Args:
        mode: "overlap" or "moving".
        hold: how many steps windows stay where they are before they move.

    Raises InputError for windows that cannot work (see `windows`) and for an unknown mode.
    """

    def __init__(
        self, num_frames: int, steps: int, window: int, overlap: int, mode: str = "overlap", hold: int = 1
    ) -> None:
        if mode not in MODES:
            raise InputError(no_such("window mode", mode, MODES))
        still = windows(num_frames, window, overlap)
        self.steps, self._hold = steps, hold
        self._together = hold if mode == "moving" else 1
        if mode == "overlap":
            self._turns = [still]
            self._weights: list[Tensor] | None = blend_weights(still)
        else:
            self._turns = []
            for turn in range((steps - 1) // hold + 1):
                self._turns.append(moved(num_frames, window, turn, self._turns[-1] if turn else ()))
            self._weights = None
        self._stops = [stop for _, stop in still]
        self.borders = sorted({border for turn in self._turns for part in turn for border in part})

    def parts(self, step: int) -> list[Window]:
        """The windows of a step, half-open (start, stop) ranges of frames in order."""
        return self._turns[step // self._hold % len(self._turns)]

    @property
    def total(self) -> int:
        """Windows of all steps together."""
        return sum(len(self.parts(step)) for step in range(self.steps))

    def weight(self, window: int) -> Tensor | None:
        """How much each frame of an overlapping window counts [n]; None where it alone sees them."""
        return None if self._weights is None else self._weights[window]

    def users(self, frame: int) -> int:
        """How many windows of a step see a frame."""
        if self._weights is None:
            return 1
        return bisect_right(self._turns[0], (frame, float("inf"))) - bisect_right(self._stops, frame)

    def stepwise(self) -> Iterator[WindowStep]:
        """Every step of all windows before the next step; of windows that move, the steps for which they stay
        one after the other, so that what is kept from step to step is one window's.
        """
        for first in range(0, self.steps, self._together):
            for index in range(len(self.parts(first))):
                for step in range(first, min(first + self._together, self.steps)):
                    yield step, index

    def level(self, step: int, window: int) -> bool:
        """Whether all windows have taken ``step`` and no other one, in `stepwise`'s order."""
        ends = (step + 1) % self._together == 0 or step == self.steps - 1
        return ends and window == len(self.parts(step)) - 1

    def first_windows(self, frame: int = 0) -> list[int]:
        """For each step the first window that the last step of ``frame`` depends on."""
        needed: list[int] = []
        for step in reversed(range(self.steps)):
            parts = self.parts(step)
            index = bisect_right([stop for _, stop in parts], frame)
            needed.append(index)
            frame = parts[index][0]
        return needed[::-1]

    def wave(self, frame: int = 0) -> Iterator[WindowStep]:
        """An order in which frames finish one after the other, from ``frame`` on: before a window's step come
        the steps before of what it sees, and nothing else.
        """
        done = self.first_windows(frame)

        def is_behind(step: int, stop: int) -> bool:
            parts = self.parts(step)
            return done[step] < len(parts) and parts[done[step]][0] < stop

        wanted = [(self.steps - 1, self.borders[-1])]
        while wanted:
            step, stop = wanted[-1]
            if not is_behind(step, stop):
                wanted.pop()
                continue
            end = self.parts(step)[done[step]][1]
            if step > 0 and is_behind(step - 1, end):
                wanted.append((step - 1, end))
                continue
            yield step, done[step]
            done[step] += 1
