"""Downloads from a server of our own: whole, continued, refused; every failure is one sentence."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from eadnet import downloads
from eadnet.cli import main
from eadnet.downloads import FACE_LANDMARKER, SETS, Download, fetch, models_folder
from eadnet.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = Download("a.task", "faces", "", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "CC0")


@dataclass
class Server:
    """What the server does, and the ranges that it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    status: int = 200
    breaks_after: int | None = None  # bytes of a body
    knows_ranges: bool = True
    wrong_range: bool = False
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            start = 0
            if state.status != 200:
                self.send_error(state.status)
                return
            if wanted and int(wanted.removeprefix("bytes=").rstrip("-")) >= len(state.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.content)}")
                self.end_headers()
                return
            if wanted and state.knows_ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-")) + state.wrong_range
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/*")
            else:
                self.send_response(200)
            body = state.content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.breaks_after])

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        state.url = f"http://127.0.0.1:{running.server_port}/a.task"
        yield state
        running.shutdown()
        thread.join()


def test_a_file_comes_whole_with_progress_and_only_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    file = replace(FILE, url=server.url)
    path = fetch(file, tmp_path / "new" / "faces", on_progress=lambda *at: seen.append(at))
    assert path == tmp_path / "new" / "faces" / "a.task" and path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and [done for done, _ in seen] == sorted(
        done for done, _ in seen
    )
    assert fetch(file, path.parent) == path and len(server.asked) == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.task"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path, knows_ranges: bool) -> None:
    server.breaks_after, server.knows_ranges = 100_000, knows_ranges
    with pytest.raises(InputError, match=r"could not be downloaded.*fetch again, which continues it"):
        fetch(FILE, tmp_path, server.url)
    part = tmp_path / "a.task.part"
    kept = part.stat().st_size
    assert 0 < kept <= 100_000 and not (tmp_path / "a.task").exists()
    server.breaks_after = None
    assert fetch(FILE, tmp_path, server.url).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={kept}-"] and not part.exists()


def test_a_whole_part_needs_no_server_and_too_long_a_part_is_begun_anew(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.task.part").write_bytes(CONTENT)
    assert fetch(FILE, tmp_path, server.url).read_bytes() == CONTENT and not server.asked
    (tmp_path / "a.task").rename(tmp_path / "a.task.part")
    (tmp_path / "a.task.part").write_bytes(CONTENT + b"more")
    assert fetch(FILE, tmp_path, server.url).read_bytes() == CONTENT and server.asked == [None]


def test_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    for content in (CONTENT[::-1], CONTENT + b"more", CONTENT * 20):
        server.content = content
        with pytest.raises(InputError, match="is not the published a.task .*--url"):
            fetch(FILE, tmp_path, server.url)
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_thrown_away_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.task.part").write_bytes(b"\0" * 1000)
    with pytest.raises(InputError, match="is not the published"):
        fetch(FILE, tmp_path, server.url)
    assert fetch(FILE, tmp_path, server.url).read_bytes() == CONTENT


def test_a_file_of_the_user_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.task").write_bytes(b"mine")
    with pytest.raises(InputError, match="another file .*a.task already: move or delete it"):
        fetch(FILE, tmp_path, server.url)
    assert (tmp_path / "a.task").read_bytes() == b"mine" and not server.asked


def test_what_the_server_refuses_is_said(server: Server, tmp_path: Path) -> None:
    for status in (403, 404, 500):
        server.status = status
        with pytest.raises(InputError, match=rf"answers {status} .*by hand into"):
            fetch(FILE, tmp_path, server.url)
    server.status, server.wrong_range = 200, True
    (tmp_path / "a.task.part").write_bytes(CONTENT[:50])
    with pytest.raises(InputError, match="another part"):
        fetch(FILE, tmp_path, server.url)
    assert (tmp_path / "a.task.part").read_bytes() == CONTENT[:50]


def test_no_network_no_address_and_no_folder_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases = (
        ("http://127.0.0.1:9/a.task", tmp_path, "check the network"),
        ("a.task", tmp_path, "no web address"),
        ("http://127.0.0.1:9/a.task", tmp_path / "file" / "faces", "cannot be written.*--into"),
    )
    for url, folder, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            fetch(FILE, folder, url)
        assert "\n" not in str(caught.value)


def test_only_web_addresses_are_asked(tmp_path: Path) -> None:
    (tmp_path / "a.task").write_bytes(CONTENT)
    with pytest.raises(InputError, match="no web address"):
        fetch(FILE, tmp_path / "faces", (tmp_path / "a.task").as_uri())


def test_the_command_downloads_into_the_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SETS, "faces", (replace(FILE, url=server.url),))
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", "faces"]) == 0
    assert (tmp_path / "models" / "eadnet" / "faces" / "a.task").read_bytes() == CONTENT
    assert main(["fetch", "faces", "--into", "here", "--url", server.url + "x"]) == 0
    said = capsys.readouterr()
    assert str(Path("here", "a.task")) in said.out and "download" in said.err
    server.status = 404
    assert main(["fetch", "faces", "--into", "there"]) == 2
    assert "answers 404" in capsys.readouterr().err


UNKNOWN = replace(FILE, size=None, sha256=None)


def test_a_file_without_a_stated_digest_is_continued_too(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 100_000
    with pytest.raises(InputError, match="ended after 100000 of 300000 bytes.*continues it"):
        fetch(UNKNOWN, tmp_path, server.url)
    server.breaks_after = None
    assert fetch(UNKNOWN, tmp_path, server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]
    assert fetch(UNKNOWN, tmp_path, server.url).read_bytes() == CONTENT and len(server.asked) == 2


def test_the_whole_of_an_unknown_file_as_a_part_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.task.part").write_bytes(CONTENT)
    assert fetch(UNKNOWN, tmp_path, server.url).read_bytes() == CONTENT
    (tmp_path / "a.task").rename(tmp_path / "a.task.part")
    with (tmp_path / "a.task.part").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="answers 416"):
        fetch(UNKNOWN, tmp_path, server.url)


def test_the_command_prints_a_digest_that_nobody_states(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SETS, "vae", (replace(UNKNOWN, url=server.url, folder="../vae"),))
    monkeypatch.chdir(tmp_path)
    assert main(["fetch", "vae"]) == 0
    assert (tmp_path / "models" / "vae" / "a.task").read_bytes() == CONTENT
    assert f"SHA-256 {hashlib.sha256(CONTENT).hexdigest()}" in capsys.readouterr().out


def test_inside_comfyui_files_go_to_its_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "ComfyUI" / "custom_nodes" / "pack" / "eadnet"
    monkeypatch.setattr(downloads, "__file__", str(package / "downloads.py"))
    assert models_folder() == tmp_path / "ComfyUI" / "models" / "eadnet"


def test_every_file_has_an_official_address_and_a_digest() -> None:
    for download in (file for files in SETS.values() for file in files):
        assert download.url.startswith("https://") and download.url.endswith(download.file)
        assert download.sha256 is None or len(download.sha256) == 64
        assert download.size is None or download.size > 0
        assert download.licence
    assert FACE_LANDMARKER.url.startswith("https://storage.googleapis.com/mediapipe-models/")


def test_the_pinned_file_is_the_one_we_measure_with() -> None:
    from tests.faces.test_landmarker import TASK

    if not TASK.is_file():
        pytest.skip(f"no {TASK}: set EADNET_MODELS to its folder")
    content = TASK.read_bytes()
    assert len(content) == FACE_LANDMARKER.size
    assert hashlib.sha256(content).hexdigest() == FACE_LANDMARKER.sha256
