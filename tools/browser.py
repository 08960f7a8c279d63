"""What the tests in a browser need beside the environment: the newest frontend, and a Chromium."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from .console import say
from .environment import Environment
from .errors import SetupError
from .process import run_quietly

PACKAGE = "comfyui-frontend-package"
STATIC = "comfyui_frontend_package/static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def frontend_in(folder: Path) -> Path | None:
    """The files of the frontend that was unpacked into a folder; None where there is none."""
    static = folder / STATIC
    return static if (static / "index.html").is_file() else None


def installed_browser() -> str | None:
    """A Chromium of this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def prepare(environment: Environment) -> None:
    """Bring the newest frontend and, where the machine has none, Playwright's Chromium. What cannot be had is
    said; the tests that need it are skipped.
    """
    folder = environment.root / ".comfyui" / "frontend"
    for get in (_frontend, _chromium):
        try:
            get(environment, folder)
        except SetupError as error:
            say(f"tests in a browser will be skipped: {str(error).splitlines()[0]}")


def _frontend(environment: Environment, folder: Path) -> None:
    if frontend_in(folder) is None:
        environment.download(PACKAGE, folder)
        with zipfile.ZipFile(max(folder.glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)) as wheel:
            wheel.extractall(folder)


def _chromium(environment: Environment, folder: Path) -> None:
    if installed_browser() is None:
        command: list[str | Path] = [environment.python, "-m", "playwright", "install", "chromium"]
        run_quietly(command, log=environment.log, what="Installing Chromium")
