"""What a node has to say is in the node, in the history and in the log."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The texts that a page would show, with the ids of their nodes; there is no server in these tests."""
    shown: list[tuple[str, str]] = []
    instance = SimpleNamespace(
        client_id="page", send_progress_text=lambda text, node, _: shown.append((text, node))
    )
    monkeypatch.setitem(
        sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=instance))
    )
    return shown


@pytest.fixture
def node(nodes: Any) -> Any:
    from comfy_api.internal import lock_class
    from comfy_api.latest import io

    hidden = {io.Hidden.unique_id: "7"}  # newer versions expect them under a name
    # As it is while it runs: nothing of it can be changed.
    return lock_class(nodes.EADNetRenderVideo.PREPARE_CLASS_CLONE({"hidden_inputs": hidden, **hidden}))


def test_notes_are_shown_in_the_node_and_logged(
    submodule: Any, node: Any, page: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    output = submodule("nodes.notes").with_notes(node, 1, 2, notes=["Too dark.", "Too loud.", "Too dark."])
    assert output.args == (1, 2)
    assert output.ui == {"text": ("Too dark.\nToo loud.",)}
    assert page == [("Too dark.\nToo loud.", "7")]
    assert caplog.text.count("Too dark.") == 1 and "EAD-Net Render Video" in caplog.text


def test_a_preview_stays_beside_them(submodule: Any, node: Any) -> None:
    from comfy_api.latest import ui

    film = ui.PreviewVideo([{"filename": "a.mp4"}])
    output = submodule("nodes.notes").with_notes(node, notes=["Too dark."], shown=film)
    assert output.ui["images"] == [{"filename": "a.mp4"}] and output.ui["text"] == ("Too dark.",)


def test_what_the_library_has_logged_is_not_logged_again(
    submodule: Any, node: Any, page: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    notes: list[str] = []
    submodule("eadnet.media.notes").add_note(notes, "Too dark.")
    submodule("nodes.notes").with_notes(node, notes=[*notes, "Too loud."])
    assert page == [("Too dark.\nToo loud.", "7")]
    assert caplog.text.count("Too dark.") == caplog.text.count("Too loud.") == 1


def test_a_note_goes_with_the_run_that_has_none(
    submodule: Any, node: Any, page: list[tuple[str, str]]
) -> None:
    with_notes = submodule("nodes.notes").with_notes
    with_notes(node, notes=["Too dark."])
    with_notes(node)
    with_notes(node)
    assert page == [("Too dark.", "7"), (" ", "7")], "blanked once: the page takes no notice of empty texts"


def test_without_notes_nothing_is_shown(submodule: Any, node: Any, page: list[tuple[str, str]]) -> None:
    output = submodule("nodes.notes").with_notes(node, 1)
    assert output.ui is None and page == []


@pytest.mark.parametrize(("height", "width", "wide"), [(30, 30, 40), (30, 20, 40), (30, 50, 50)])
def test_a_picture_is_no_higher_than_three_quarters_of_its_width(
    submodule: Any, node: Any, height: int, width: int, wide: int
) -> None:
    import folder_paths

    (shown,) = submodule("nodes.notes").picture(torch.ones(1, height, width, 3), node).as_dict()["images"]
    with Image.open(Path(folder_paths.get_temp_directory()) / shown["filename"]) as seen:
        assert seen.size == (wide, height)
        visible = np.asarray(seen.convert("RGBA"))[..., 3] > 0
    left = (wide - width) // 2
    assert visible[:, left : left + width].all() and visible.sum() == height * width
