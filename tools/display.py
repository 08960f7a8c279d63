"""The progress of a running graph as one line of text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .console import bar, clock


class RunDisplay:
    """Turns the events of `comfy run` into the text of one progress line."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._titles: dict[str, str] = {}
        self._started: set[str] = set()
        self._node = ""
        self._node_start = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        """Takes one event."""
        kind, node = event.get("type"), str(event.get("node") or "")
        if kind == "queued":
            self._titles = {entry["node_id"]: entry["title"] for entry in event["nodes"]}
        elif kind == "execution_cached":
            self._started.add(node)
        elif kind == "executing":
            self._enter(node)
            self._show(self._head())
        elif kind == "progress":
            if node != self._node:
                self._enter(node)
            self._show(f"{self._head()} {self._steps(event['completed'], event['total'])}")

    def _enter(self, node: str) -> None:
        self._node, self._node_start = node, time.monotonic()
        self._started.add(node)

    def _head(self) -> str:
        return f"{len(self._started)}/{len(self._titles)} {self._titles.get(self._node, self._node)}"

    def _steps(self, value: float, maximum: float) -> str:
        elapsed = time.monotonic() - self._node_start
        left = f", {clock(elapsed / value * (maximum - value))} left" if value and elapsed > 2 else ""
        return f"{bar(value, maximum)} {value:g}/{maximum:g}{left}"
