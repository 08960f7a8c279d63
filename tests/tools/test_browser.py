"""What browser tests need is brought where it can be had, and its lack is no failure."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools import browser
from tools.errors import SetupError


class Index:
    """An environment that downloads a frontend's wheel, or finds no index."""

    python, log = Path("python"), Path("log")

    def __init__(self, root: Path, reachable: bool = True) -> None:
        self.root, self.reachable, self.asked = root, reachable, 0

    def download(self, requirement: str, folder: Path) -> None:
        self.asked += 1
        if not self.reachable:
            raise SetupError("Downloading failed.\nthe log")
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "frontend.whl", "w") as wheel:
            wheel.writestr(f"{browser.STATIC}/index.html", "<html>")


def prepare(environment: Any) -> None:
    browser.prepare(environment)


def test_the_newest_frontend_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "installed_browser", lambda: "chromium")
    environment = Index(tmp_path)
    prepare(environment)
    prepare(environment)
    assert environment.asked == 1
    found = browser.frontend_in(tmp_path / ".comfyui" / "frontend")
    assert found and (found / "index.html").is_file()


def test_without_an_index_the_tests_will_be_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "installed_browser", lambda: "chromium")
    prepare(Index(tmp_path, reachable=False))
    assert "will be skipped: Downloading failed." in capsys.readouterr().out
    assert browser.frontend_in(tmp_path / ".comfyui" / "frontend") is None


def test_a_machine_without_a_browser_gets_playwrights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(browser, "installed_browser", lambda: None)
    monkeypatch.setattr(browser, "run_quietly", lambda command, **options: ran.append(command))
    prepare(Index(tmp_path))
    assert ran == [[Path("python"), "-m", "playwright", "install", "chromium"]]
