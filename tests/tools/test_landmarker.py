"""Where the face landmarker's file comes from before a portrait of the user's is animated."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tools.comfyui import ComfyUI
from tools.errors import SetupError
from tools.landmarker import NAME, provide_landmarker


def installation(tree: Path) -> ComfyUI:
    return cast(ComfyUI, SimpleNamespace(tree=tree, base=None, python="python"))


def folder(tree: Path) -> Path:
    return tree / "models" / "eadnet" / "faces"


def test_a_file_by_path_is_put_where_comfyui_looks(tmp_path: Path) -> None:
    given = tmp_path / "elsewhere.task"
    given.write_bytes(b"a landmarker")
    provide_landmarker(installation(tmp_path / "ComfyUI"), given)
    assert (folder(tmp_path / "ComfyUI") / NAME).read_bytes() == b"a landmarker"
    assert given.is_file()


def test_the_very_file_that_is_there_may_be_given(tmp_path: Path) -> None:
    given = folder(tmp_path) / NAME
    given.parent.mkdir(parents=True)
    given.write_bytes(b"a landmarker")
    provide_landmarker(installation(tmp_path), given)
    assert given.read_bytes() == b"a landmarker"


def test_nothing_is_asked_where_one_is_installed(tmp_path: Path) -> None:
    folder(tmp_path).mkdir(parents=True)
    (folder(tmp_path) / "face_landmarker_v2_with_blendshapes.task").write_bytes(b"")
    provide_landmarker(installation(tmp_path), None)
    assert len(list(folder(tmp_path).iterdir())) == 1


def test_a_path_that_is_no_file_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="--landmarker"):
        provide_landmarker(installation(tmp_path), tmp_path / "none.task")


def test_without_anybody_to_ask_one_sentence_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(SetupError, match=r"--landmarker FILE.*eadnet fetch faces"):
        provide_landmarker(installation(tmp_path), None)
