"""What holds for every test: how properties are searched, which marks follow from what a test uses.

`-m "not slow"` is the suite for the time between two edits; the whole one is for the end of a piece of work.
Marks are listed in pyproject.toml. `slow` is written at the test; `comfy` follows from the fixtures it uses.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.quick import EXAMPLES

ROOT = Path(__file__).parents[1]

# The same examples in every run: a red test is red again on another machine. `thorough` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=EXAMPLES)
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=EXAMPLES // 5)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)

# Seconds of processor time, which a busy machine changes little: what takes longer belongs to the slow tests.
LONGEST = 2.0

# Of a ComfyUI, `pack` needs the modules and `server` starts one.
MARKS_OF_FIXTURES = {"pack": [pytest.mark.comfy], "server": [pytest.mark.comfy, pytest.mark.slow]}


class RootIsNoPackage:
    """A plugin of its own, because a conftest is not asked about the directories above it."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RootIsNoPackage())
    usual = "quick" if "not slow" in config.option.markexpr else "repeatable"
    settings.load_profile(os.environ.get("EADNET_HYPOTHESIS", usual))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of a file stay in one process, and so do those of all nodes: the first of them imports ComfyUI,
    which takes seconds.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "tests/nodes" if file.startswith("tests/nodes/") else file

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Modules and their tests stay: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Commands that train or measure set torch's number of threads: with several processes of tests, all that
    follow would wait for each other.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    torch = sys.modules.get("torch")
    if torch and before and torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts: what a shell starts in the background ignores it, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    before, modules = time.process_time(), len(sys.modules)
    try:
        return (yield)
    finally:
        if len(sys.modules) < modules + 100:  # or it was the first to import a large library
            item.user_properties.append(("processor time", time.process_time() - before))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Names quick tests that are none."""
    for report in terminalreporter.getreports("passed"):
        took = dict(report.user_properties).get("processor time", 0.0)
        if took > LONGEST and "slow" not in report.keywords:
            terminalreporter.write_line(f"{report.nodeid} took {took:.1f} s of processor time: mark it slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for mark in MARKS_OF_FIXTURES.get(fixture, []):
                item.add_marker(mark)
