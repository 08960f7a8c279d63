"""Strange values in every widget of every node, sent to a real server as a script would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eadnet.media.video import read_video
from tests.comfy.client import Studio
from tests.comfy.conftest import make_comfy
from tests.fuzz.harness import COUNT
from tests.fuzz.widgets import run_widgets, watched_server
from tests.in_comfy import ROOT
from tools.comfyui import link_pack

pytestmark = [
    pytest.mark.comfy,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the server is watched through POSIX paths"),
]


def test_strange_widgets_are_used_or_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    comfy = make_comfy(tmp_path / "comfy")
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    with watched_server(comfy) as (server, escapes):
        report = run_widgets(server, escapes, COUNT)
        assert report.faults == []
        assert len(report.outcomes) == COUNT
        assert {outcome.kind for outcome in report.outcomes} == {"accepted", "refused"}
        studio = Studio(server, tmp_path / "after")
        studio.folder.mkdir()
        assert len(read_video(studio.run(studio.workflow())).frames) == 5
