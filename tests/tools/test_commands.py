"""The command line of run.py, with a stand-in for ComfyUI where it starts a server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tools import commands
from tools.server import free_port

ROOT = Path(__file__).parents[2]

STAND_IN = """
import json, pathlib, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pids").write_text(json.dumps([__import__("os").getpid(), helper.pid]))
if pathlib.Path("broken").exists():
    sys.exit("no such option: --frobnicate")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that looks and answers like ComfyUI, with a child process and a quick torch of its own."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch" / "version.py").write_text("cuda = hip = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for folder in ("comfy", "comfy_api/latest", "custom_nodes"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "main.py").write_text(STAND_IN)
    yield tmp_path
    for process in alive(tmp_path):
        process.kill()


def alive(stand_in: Path) -> list[psutil.Process]:
    """The processes of the stand-in that still run."""
    found = []
    for pid in (stand_in / "pids").read_text().strip("[]").split(",") if (stand_in / "pids").exists() else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(pid))
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def start_comfy(stand_in: Path) -> subprocess.Popen[str]:
    """`run.py comfy` on the stand-in, up and running."""
    command: list[str | Path] = [sys.executable, ROOT / "run.py", "comfy", "--comfyui", stand_in]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ComfyUI with EAD-Net: http://127.0.0.1:"):
            return process
    raise AssertionError("the server was never ready")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_process_is_left_behind(stand_in: Path, ctrl_c: None, number: int, status: int) -> None:
    process = start_comfy(stand_in)
    assert len(alive(stand_in)) == 2
    process.send_signal(number)
    assert process.wait(30) == status
    deadline = time.monotonic() + 10
    while alive(stand_in) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(stand_in)


@pytest.mark.slow
def test_a_server_that_cannot_start_is_an_error_in_its_own_words(
    stand_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stand_in / "broken").touch()
    assert commands.main(["comfy", "--comfyui", str(stand_in)]) == 1
    assert "no such option: --frobnicate" in capsys.readouterr().err
    assert not alive(stand_in)


@pytest.fixture
def nothing_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    def heavy(*_: object) -> None:
        raise AssertionError("something heavy was started")

    monkeypatch.setattr(commands, "_installation", heavy)
    monkeypatch.setattr(commands, "_environment", heavy)


@pytest.mark.parametrize("flag", ["--portrait", "--audio"])
def test_a_missing_file_is_named_before_anything_heavy(
    flag: str, nothing_heavy: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.png"
    there.touch()
    other = "--audio" if flag == "--portrait" else "--portrait"
    assert commands.main(["demo", other, str(there), flag, str(tmp_path / "gone")]) == 1
    assert f"gone is not a file. Check {flag}." in capsys.readouterr().err


def test_steps_are_for_the_method_that_has_some_and_that_is_said_before_anything_heavy(
    nothing_heavy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["demo", "--steps", "3"]) == 1
    assert "--steps is for --method pixels" in capsys.readouterr().err


def test_torch_is_not_for_an_installation_of_ones_own(
    stand_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["comfy", "--comfyui", str(stand_in), "--torch", "torch==9"]) == 1
    assert "--torch is for run.py's own ComfyUI" in capsys.readouterr().err


def test_demo_takes_nothing_after_the_dashes(nothing_heavy: None) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["demo", "--", "--steps", "1"])
    assert ended.value.code == 2


@pytest.mark.parametrize(("name", "module"), [("bench", "benchmarks"), ("experiments", "experiments")])
def test_measurements_run_in_the_projects_own_environment(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list] = []

    class Ready:
        python = Path("python")

    def run(command: list, cwd: Path) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(commands, "_environment", lambda options, *extras: Ready())
    monkeypatch.setattr(commands, "run_in_foreground", run)
    assert commands.main([name, "--", "world", "--count", "2"]) == 0
    assert ran == [[Path("python"), "-m", module, "world", "--count", "2"]]


def test_a_taken_port_is_named(nothing_heavy: None, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
        assert commands.main(["comfy", "--port", str(port)]) == 1
    assert f"Port {port} is taken" in capsys.readouterr().err


def test_videos_never_overwrite_one_another(tmp_path: Path) -> None:
    first = commands._unused(tmp_path, "face-voice")
    first.touch()
    second = commands._unused(tmp_path, "face-voice")
    assert (first.name, second.name) == ("face-voice.mp4", "face-voice-2.mp4")


def test_test_runs_every_check_and_passes_arguments_on_to_pytest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list] = []

    class Ready:
        python = Path("python")

    def run(command: list, cwd: Path, env: dict) -> int:
        ran.append(command[2:])
        return int("mypy" in command)

    monkeypatch.setattr(commands, "_environment", lambda options, *extras: Ready())
    monkeypatch.setattr(commands.comfyui, "own", lambda environment, cli: None)
    monkeypatch.setattr(commands.ComfyCli, "prepare", lambda cli: None)
    prepared: list[bool] = []
    monkeypatch.setattr(commands.browser, "prepare", lambda environment: prepared.append(True))
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    (tmp_path / ".comfyui").mkdir()
    monkeypatch.setattr(commands, "run_in_foreground", run)
    assert commands.main(["test", "--", "-k", "stda"]) == 1, "mypy failed"
    assert [command[0] for command in ran] == ["ruff", "ruff", "mypy", "mypy", "pytest"], (
        "and the rest ran all the same"
    )
    assert ran[-1][-4:] == ["-m", "not browser", "-k", "stda"] and not prepared
    assert commands.main(["test", "--", "-m", "browser"]) == 1
    assert ran[-1][-2:] == ["-m", "browser"] and prepared


def test_bytecode_is_kept_in_a_folder_of_ours_where_it_may_not_lie_beside_the_sources(tmp_path: Path) -> None:
    assert commands.with_bytecode({"A": "b"}) == {"A": "b"}
    kept = commands.with_bytecode({"A": "b", "PYTHONDONTWRITEBYTECODE": "1"})
    assert kept == {"A": "b", "PYTHONPYCACHEPREFIX": str(ROOT / ".comfyui" / "__pycache__")}
    own = commands.with_bytecode({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path)})
    assert own == {"PYTHONPYCACHEPREFIX": str(tmp_path)}
