"""Keeps pytest from importing the root's `__init__.py`, which is ComfyUI's way in and needs ComfyUI."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


class RootIsNoPackage:
    """A plugin of its own, because a conftest is not asked about the directories above it."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RootIsNoPackage())
