"""What arrives at a node's widgets, checked at its border against the node's own schema.

ComfyUI checks only what is typed into a widget: what comes by a link is passed on as it is, and of typed
values JSON's NaN passes every limit, and versions differ in whether they compare choices with their options.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError, UserError, no_such
from .types import FileChoice

# How far links may go beyond what a widget offers: frame rates come from videos, seeds from one generator of
# seeds for the whole workflow.
_BY_LINK = {"fps": (1.0, 1000.0), "seed": (-(2**63), 2**64 - 1)}
LONGEST_LINE, LONGEST_TEXT = 2000, 100_000  # characters
# Halves of surrogate pairs, and control characters but for those that break lines and tabs.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")

Execute = TypeVar("Execute", bound=Callable[..., Any])


def checked(execute: Execute) -> Execute:
    """Makes a node's `execute` see nothing but widgets' values that its schema allows, as plain numbers,
    strings and truth values; InputError, which names the input, for anything else.
    """

    @functools.wraps(execute)
    def run(cls: type[io.ComfyNode], **inputs: Any) -> Any:
        return execute(cls, **checked_widgets(cls, inputs))

    run.checks_widgets = True  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def checked_widgets(node: type[io.ComfyNode], inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a node, with its widgets' values checked and made plain."""
    widgets = {part.id: part for part in node.define_schema().inputs}
    return {
        name: _value(widgets[name], value) if name in widgets else value for name, value in inputs.items()
    }


def widgets_problem(node: type[io.ComfyNode], **values: Any) -> str | None:
    """What is wrong with the values of some widgets of a node, all of it, for its `validate_inputs`: of the
    inputs that this asks for ComfyUI checks nothing. None when nothing is; what comes by a link is None and
    not known yet.
    """
    widgets = {part.id: part for part in node.define_schema().inputs}
    return problems(
        functools.partial(_value, widgets[name], value) for name, value in values.items() if value is not None
    )


def problems(tries: Iterable[Callable[[], Any]]) -> str | None:
    """The errors of ours that come of some calls, one after the other; None where there are none."""
    said = []
    for attempt in tries:
        try:
            attempt()
        except UserError as error:
            said.append(str(error))
    return " ".join(said) or None


def _value(widget: Any, value: Any) -> Any:
    if value is None and widget.optional:
        return None
    name = widget.id if widget.display_name in (None, widget.id) else f"{widget.id} ({widget.display_name})"
    if isinstance(widget, (io.Int.Input, io.Float.Input)):
        low, high = widget.min, widget.max
        if (number := _number(value)) is not None and widget.id in _BY_LINK:
            farthest = _BY_LINK[widget.id]
            low, high = farthest if farthest[0] <= number <= farthest[1] else (low, high)
        check = whole if isinstance(widget, io.Int.Input) else finite
        return check(name, value, low, high)
    if isinstance(widget, io.Boolean.Input):
        return truth(name, value)
    if isinstance(widget, io.String.Input):
        return text_of(
            name, value, LONGEST_TEXT if widget.multiline else LONGEST_LINE, bool(widget.multiline)
        )
    if isinstance(widget, io.Combo.Input):
        # Of files the node itself says best what is missing, and where to put it.
        return text_of(name, value) if isinstance(widget, FileChoice) else one_of(name, value, widget.options)
    return value


def finite(name: str, value: Any, low: float, high: float) -> float:
    """A number from ``low`` to ``high``, whatever kind of number it comes as."""
    number = _number(value)
    if number is None or not low <= number <= high:  # NaN is in no range
        raise InputError(f"{name} is {shown(value)}: use a number from {low:g} to {high:g}.")
    return float(number) + 0.0  # of the two zeros the usual one


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``; 25.0 is one."""
    number = _number(value)
    if number is None or not low <= number <= high or number != int(number):
        raise InputError(f"{name} is {shown(value)}: use a whole number from {low} to {high}.")
    return int(number)


def truth(name: str, value: Any) -> bool:
    """True or false, as such, as 1 or 0, or in words."""
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    plain = _plain(value)
    number = int(plain) if isinstance(plain, bool) else _number(plain)
    if number not in (0, 1):
        raise InputError(f"{name} is {shown(value)}: use true or false.")
    return bool(number)


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """One of the options, of which there is at least one."""
    text = text_of(name, value)
    if text not in options:
        raise InputError(no_such(name, shown(text)[1:-1], options))
    return text


def text_of(name: str, value: Any, most: int = LONGEST_LINE, lines: bool = False) -> str:
    """Text of at most so many characters that can be written and shown. Unless there may be ``lines``, breaks
    become spaces.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} is {shown(value)}: use text.")
    if len(value) > most:
        raise InputError(f"{name} has {len(value)} characters: use at most {most}.")
    if wrong := _UNPRINTABLE.search(value):
        raise InputError(
            f"{name} has a character that cannot be shown, {wrong[0]!a}, as number {wrong.start() + 1}: "
            "remove it."
        )
    return value if lines else " ".join(value.splitlines())


def shown(value: Any) -> str:
    """A value in a message: short, and printable whatever it is."""
    if isinstance(value, Tensor):
        return f"a tensor of the shape {list(value.shape)}" if value.ndim else f"{value.item():g}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"
    try:
        text = ascii(value) if not isinstance(value, str) else repr(value)
        text = text.encode("ascii" if not text.isprintable() else "utf-8", "backslashreplace").decode()
    except Exception:  # other people's classes
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:40]}... ({type(value).__name__})"


def _number(value: Any) -> int | float | None:
    """The number that a value is; None where it is none."""
    value = _plain(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    try:
        if isinstance(value, str):
            value = value.strip()[:100]
            return int(value) if value.lstrip("+-").isdigit() else float(value)
        return float(value)
    except Exception:  # other people's classes
        return None


def _plain(value: Any) -> Any:
    """The one element of a tensor or an array, and NumPy's numbers, as Python's."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return value.item()
    if isinstance(value, (np.ndarray, np.generic)) and value.size == 1:
        return value.item()
    return value
