"""What the quick suite takes of much: some cases of many, fewer examples of a property."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

EXAMPLES = 40
"""Examples of a property in the whole suite, where it does not say how many it wants."""


def some(count: int, cases: Iterable[Any]) -> list[Any]:
    """Cases for `pytest.mark.parametrize`, a tuple being one for several names. All but ``count`` of them,
    evenly spread, get the mark `slow`.
    """
    whole = list(cases)
    taken = {number * len(whole) // count for number in range(count)}
    return [_case(case, () if number in taken else pytest.mark.slow) for number, case in enumerate(whole)]


def examples(count: int) -> settings:
    """So many examples of a property in the whole suite, and as much fewer or more as the profile says."""
    return settings(max_examples=max(1, count * settings().max_examples // EXAMPLES), deadline=None)


def _case(case: Any, marks: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=marks)
