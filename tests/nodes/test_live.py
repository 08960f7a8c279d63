"""The live view: what is sent to whom, and what it may cost."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

FRAMES = torch.linspace(-1, 1, 20).reshape(-1, 1, 1, 1).expand(-1, 3, 320, 240)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, submodule: Callable[[str], Any]) -> Any:
    """A page that looks; what it was sent is in ``sent``."""
    sent: list[dict[str, Any]] = []
    server = SimpleNamespace(
        client_id="me", sockets={"me": 1}, send_sync=lambda event, data, sid: sent.append({**data, "to": sid})
    )
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=server)))
    pages = submodule("nodes.host.live").PAGES
    pages.note("me", True)
    yield SimpleNamespace(sent=sent, server=server, pages=pages)
    pages.note("me", False)


@pytest.fixture
def live(submodule: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with a clock that the test sets."""
    module = submodule("nodes.live")
    clock = SimpleNamespace(now=100.0, waited=0.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(module.time, "process_time", lambda: clock.now - clock.waited)
    return SimpleNamespace(module=module, clock=clock, view=module.LiveView)


def pictures(url: str) -> Image.Image:
    kind, _, data = url.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_finished_frames_come_as_a_small_moving_picture(page: Any, live: Any) -> None:
    assert live.view("7", 20).pictures(FRAMES)
    (message,) = page.sent
    shown: Any = pictures(message["clip"])
    assert shown.size == (120, 160) and shown.n_frames == 16
    assert message["node"] == "7" and message["to"] == "me"


def test_frames_of_a_rig_are_bytes(page: Any, live: Any) -> None:
    live.view("7", 2).pictures(torch.zeros(2, 64, 48, 4, dtype=torch.uint8))
    assert pictures(page.sent[0]["clip"]).size == (48, 64)


def test_how_far_it_is_is_said_in_frames_and_time(page: Any, live: Any) -> None:
    view = live.view("7", 100)
    live.clock.now += 12
    view.progress(1, 2)
    view.progress(1, 4, 3723)
    view.progress(4, 4)
    assert [m["text"] for m in page.sent] == [
        "50 of 100 frames, 12 s left",
        "25 of 100 frames, 1 h 2 min left",
        "100 frames",
    ]


@pytest.mark.parametrize("looks", ["tab hidden", "gone", "another page", "no id"])
def test_nothing_is_made_while_nobody_looks(page: Any, live: Any, looks: str) -> None:
    if looks == "tab hidden":
        page.pages.note("me", False)
    elif looks == "gone":
        page.server.sockets.clear()
    elif looks == "another page":
        page.server.client_id = "other"
    view = live.view(None if looks == "no id" else "7", 20, decode=lambda latents: pytest.fail("decoded"))
    live.clock.now += 60
    assert not view.pictures(FRAMES)
    view.latents(torch.zeros(16, 4, 4, 4))
    view.progress(1, 2)
    assert not page.sent


def test_where_others_use_the_machine_it_keeps_within_its_share_of_the_processor(
    page: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clip(*_: Any) -> str:
        live.clock.now += 0.1
        return "data:"

    monkeypatch.setattr(live.module, "clip", clip)
    view = live.view("7", 100)
    for _ in range(600):
        live.clock.now += 1
        live.clock.waited += 0.9
        assert view.pictures(FRAMES)
    assert 10 <= len(page.sent) <= 1 + 0.03 * (60 + 0.1 * len(page.sent)) / 0.1


def test_decoding_keeps_within_its_share_of_the_time(page: Any, live: Any) -> None:
    decoded = []

    def decode(latents: torch.Tensor) -> torch.Tensor:
        decoded.append(len(latents))
        live.clock.now += 0.1 * len(latents)
        return torch.zeros(len(latents), 3, 32, 32)

    view = live.view("7", 160, decode=decode)
    began = live.clock.now
    for _ in range(20):
        live.clock.now += 5
        view.latents(torch.zeros(16, 4, 4, 4))
    spent = 0.1 * sum(decoded)
    assert 2 <= len(page.sent) < 20
    assert spent <= 0.03 * (live.clock.now - began) + 0.2


def test_the_server_forgets_pages_that_are_gone(page: Any) -> None:
    assert (
        page.pages.look("me", ["me"]) and not page.pages.look("me", []) and not page.pages.look("me", ["me"])
    )


@pytest.mark.parametrize("name", ["", "../secret.wav", "/etc/passwd", "a\0b", "../../x [temp]", "none.wav"])
def test_only_files_of_comfyuis_folders_are_drawn(submodule: Callable[[str], Any], name: str) -> None:
    assert submodule("nodes.host.routes").input_file(name) is None
