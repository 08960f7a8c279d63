"""Where the face landmarker's file comes from before a portrait of the user's is animated."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.faces.test_landmarker import TASK
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
    provide_landmarker(installation(tmp_path / "ComfyUI"), str(given))
    assert (folder(tmp_path / "ComfyUI") / NAME).read_bytes() == b"a landmarker"
    assert given.is_file()


def test_the_very_file_that_is_there_may_be_given(tmp_path: Path) -> None:
    given = folder(tmp_path) / NAME
    given.parent.mkdir(parents=True)
    given.write_bytes(b"a landmarker")
    provide_landmarker(installation(tmp_path), str(given))
    assert given.read_bytes() == b"a landmarker"


def test_nothing_is_asked_where_one_is_installed(tmp_path: Path) -> None:
    folder(tmp_path).mkdir(parents=True)
    (folder(tmp_path) / "face_landmarker_v2_with_blendshapes.task").write_bytes(b"")
    provide_landmarker(installation(tmp_path), None)
    assert len(list(folder(tmp_path).iterdir())) == 1


def test_a_path_that_is_no_file_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="--landmarker"):
        provide_landmarker(installation(tmp_path), str(tmp_path / "none.task"))


def test_without_anybody_to_ask_one_sentence_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(SetupError, match=r"--landmarker FILE.*eadnet fetch faces"):
        provide_landmarker(installation(tmp_path), None)


@pytest.mark.slow
def test_a_file_from_an_address_of_ones_own_is_fetched_without_asking(tmp_path: Path) -> None:
    if not TASK.is_file():
        pytest.skip(f"no {TASK}: set EADNET_MODELS to its folder")
    with serving(TASK.parent) as address:
        provide_landmarker(running(tmp_path), f"{address}/{TASK.name}")
    assert (folder(tmp_path) / NAME).read_bytes() == TASK.read_bytes()


@pytest.mark.slow
def test_what_is_not_the_published_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "other.task").write_bytes(b"another file")
    with serving(tmp_path / "served") as address, pytest.raises(SetupError, match="--landmarker"):
        provide_landmarker(running(tmp_path), f"{address}/other.task")
    assert not (folder(tmp_path) / NAME).exists()


def running(tree: Path) -> ComfyUI:
    """An installation whose Python runs."""
    return cast(ComfyUI, SimpleNamespace(tree=tree, base=None, python=sys.executable))


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The address of a server of the files in a folder."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
