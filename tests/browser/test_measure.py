"""The command that measures in a browser: what it is given is looked at before anything is started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser.measure import main
from tools.browser import STATIC


def test_a_folder_without_a_frontend_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ComfyUI serves such a folder, and a browser then says "Download is starting"."""
    monkeypatch.setattr(sys, "argv", ["measure", "--frontend", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert STATIC in capsys.readouterr().err
