"""What all nodes have in common: the border between the library's errors and ComfyUI."""

from __future__ import annotations

from functools import wraps
from typing import Any

from comfy_api.latest import io

from ..eadnet.printable import make_printable


class Node(io.ComfyNode):
    """A node whose errors can be logged whatever they quote.

    ComfyUI logs an error with all that it came from, and a line that UTF-8 cannot hold ends its worker: the
    server would answer and never run a prompt again.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "execute" not in vars(cls):
            return
        execute = vars(cls)["execute"].__func__
        if hasattr(execute, "guards"):  # a clone of ComfyUI's, whose attributes cannot be set
            return

        @wraps(execute)
        def guarded(node: type[Node], *args: Any, **inputs: Any) -> Any:
            try:
                return execute(node, *args, **inputs)
            except Exception as error:
                raise make_printable(error)  # noqa: B904 (the same error, or what stands in for it)

        guarded.guards = execute  # type: ignore[attr-defined]
        cls.execute = classmethod(guarded)
