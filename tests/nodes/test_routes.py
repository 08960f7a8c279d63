"""What our pages ask the server for: any question has an answer, and two copies of the pack answer once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

web = pytest.importorskip("aiohttp.web")


@pytest.fixture
def routes(pack: Any, submodule: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server's table of routes, and a way to enter ours."""
    table = web.RouteTableDef()
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=SimpleNamespace(routes=table)))
    monkeypatch.setitem(sys.modules, "server", server)
    return SimpleNamespace(table=table, register=submodule("nodes.host.routes").register_routes)


def answer(routes: Any, path: str, **asked: Any) -> Any:
    (handler,) = (route.handler for route in routes.table if route.path == path)
    return asyncio.run(handler(SimpleNamespace(**asked)))


def test_a_second_copy_of_the_pack_does_not_keep_the_server_from_starting(routes: Any) -> None:
    """As of a clone beside what ComfyUI-Manager installed: aiohttp takes no address twice."""
    routes.register()
    once = len(routes.table)
    routes.register()
    assert len(routes.table) == once == 2
    web.Application().add_routes(routes.table)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b"\xff", b"5", b"null", b"[]", b"{}", b'{"client": 5}', b'{"client": null}'],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_message_of_a_page_is_a_bad_request(routes: Any, body: bytes) -> None:
    async def said() -> Any:
        return json.loads(body)

    routes.register()
    assert answer(routes, "/eadnet/looking", json=said).status == 400


def test_pages_that_are_made_up_fill_no_memory(routes: Any, submodule: Callable[[str], Any]) -> None:
    pages = submodule("nodes.host.live").Pages()
    for number in range(5000):
        pages.note(f"page {number}", True)
    pages.note("x" * 10**6, True)
    assert len(pages._looking) <= 1000
    assert not pages.look("me", {"me": 1})
    pages.note("me", True)
    assert pages.look("me", {"me": 1}), "those that are gone make room"


@pytest.mark.parametrize(
    "name",
    ["", "nowhere.wav", "x" * 5000, "a\0b", "../../../etc/passwd", "/etc/passwd", "\udcff.wav", ".", "a/..",
     "x [output]", "../x [temp]", "C:\\x.wav", "\u202egpj.exe"],
    ids=ascii,
)  # fmt: skip
def test_a_waveform_of_what_is_no_input_is_not_found(routes: Any, name: str) -> None:
    routes.register()
    assert answer(routes, "/eadnet/peaks", query={"file": name}).status == 404


def test_a_waveform_of_a_file_without_sound_is_none(routes: Any) -> None:
    import folder_paths

    folder = Path(folder_paths.get_input_directory())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "no sound.wav").write_bytes(b"x" * 100)
    routes.register()
    assert answer(routes, "/eadnet/peaks", query={"file": "no sound.wav"}).status == 415
