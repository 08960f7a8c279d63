"""What arrives at a widget through a link: ComfyUI checks only what is typed into the widget itself."""

from __future__ import annotations

import math
from typing import Any

from comfy_api.latest import io

from ..eadnet.errors import InputError, no_such


def check_widgets(node: type[io.ComfyNode], **values: Any) -> None:
    """Raise InputError, which names the input, unless choices are among their options and numbers finite.

    A number beyond a widget's limits is let through, as ComfyUI does: the limits are what makes sense, and
    workflows that go beyond them by a link have to go on working.
    """
    inputs: dict[str, Any] = {part.id: part for part in node.define_schema().inputs}
    for name, value in values.items():
        widget = inputs[name]
        if isinstance(widget, io.Combo.Input):
            if value not in widget.options:
                raise InputError(no_such(name, str(value), widget.options))
        elif not math.isfinite(value):
            raise InputError(f"{name} is {value}: use a number from {widget.min:g} to {widget.max:g}.")
