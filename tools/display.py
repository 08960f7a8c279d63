"""The progress of a running graph as one line of text."""

from __future__ import annotations

import time
from collections.abc import Callable

from .client import title
from .console import bar, clock


class RunDisplay:
    """Turns a prompt's messages into the text of one progress line."""

    def __init__(self, workflow: dict, show: Callable[[str], None]) -> None:
        self._workflow, self._show = workflow, show
        self._started: set[str] = set()
        self._node = ""
        self._node_start = 0.0

    def __call__(self, kind: str, data: dict) -> None:
        """Takes one message as `Client.run` hands it on."""
        if kind == "execution_cached":
            self._started.update(data.get("nodes", []))
        elif kind == "executing" and data.get("node"):
            self._enter(str(data["node"]))
            self._show(self._head())
        elif kind == "progress" and data.get("node"):
            if str(data["node"]) != self._node:
                self._enter(str(data["node"]))
            self._show(f"{self._head()} {self._steps(data.get('value', 0), data.get('max', 0))}")

    def _enter(self, node: str) -> None:
        self._node, self._node_start = node, time.monotonic()
        self._started.add(node)

    def _head(self) -> str:
        return f"{len(self._started)}/{len(self._workflow)} {title(self._workflow, self._node)}"

    def _steps(self, value: float, maximum: float) -> str:
        elapsed = time.monotonic() - self._node_start
        left = f", {clock(elapsed / value * (maximum - value))} left" if value and elapsed > 2 else ""
        return f"{bar(value, maximum)} {value:g}/{maximum:g}{left}"
