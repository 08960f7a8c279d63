"""Example inputs: there when the pack has loaded, never in the place of somebody's own file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def examples(submodule: Callable[[str], Any]) -> Any:
    return submodule("nodes.host.examples")


@pytest.fixture
def inputs(examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ComfyUI's input folder, which is not there yet."""
    folder = tmp_path / "input"
    monkeypatch.setattr(examples.folder_paths, "get_input_directory", lambda: str(folder))
    return folder


def test_every_example_is_put_there_and_nothing_else(examples: Any, inputs: Path) -> None:
    examples.offer_examples()
    examples.offer_examples()
    assert {path.name for path in inputs.iterdir()} == set(examples.EXAMPLES)
    for name, asset in examples.EXAMPLES.items():
        assert (inputs / name).read_bytes() == (examples._ASSETS / asset).read_bytes()


def test_they_are_tiny(examples: Any, inputs: Path) -> None:
    examples.offer_examples()
    assert sum(path.stat().st_size for path in inputs.iterdir()) < 400_000


def test_a_file_of_the_same_name_stays_as_it_is(examples: Any, inputs: Path) -> None:
    inputs.mkdir()
    (inputs / "ead-net-portrait.png").write_bytes(b"somebody's own")
    examples.offer_examples()
    assert (inputs / "ead-net-portrait.png").read_bytes() == b"somebody's own"
    assert (inputs / "ead-net-speech.wav").is_file()


def test_a_folder_that_cannot_be_written_costs_one_line(
    examples: Any, inputs: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*paths: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examples.shutil, "copyfile", refuse)
    with caplog.at_level(logging.WARNING):
        examples.offer_examples()
    (record,) = caplog.records
    assert "Permission denied" in record.getMessage() and str(inputs) in record.getMessage()
    assert not list(inputs.iterdir())


def test_a_file_where_the_folder_should_be_costs_one_line(
    examples: Any, inputs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs.write_text("no folder", encoding="utf-8")
    examples.offer_examples()
    assert len(caplog.records) == 1
