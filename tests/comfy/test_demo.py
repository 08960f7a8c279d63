"""The main job from the outside: `run.py demo`, with the bundled model, as a newcomer runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from eadnet.media.audio import load_audio
from eadnet.media.video import read_video
from tests.comfy.client import write_speech
from tests.in_comfy import MISSING, ROOT
from tools.comfy_cli import ComfyCli
from tools.comfyui import is_installed
from tools.environment import Environment

READY = (
    Environment(ROOT).is_ready() and is_installed(ROOT / ".comfyui" / "ComfyUI") and ComfyCli(ROOT).is_ready()
)
pytestmark = [
    pytest.mark.comfy,
    pytest.mark.slow,
    pytest.mark.skipif(not READY, reason=f"not set up by run.py: {MISSING}"),
]


def test_demo_makes_a_talking_portrait_with_the_bundled_model(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "two words.wav", 0.4, rate=44100, channels=2)
    command = [sys.executable, str(ROOT / "run.py"), "demo", "--audio", str(speech)]
    command += ["--emotion", "calm, a faint smile", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installed" not in done.stdout, "a second run finds everything in place"

    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("video"))
    path = Path(said["video"])
    try:
        video = read_video(path)
        assert len(video.frames) == 10
        waveform, _ = load_audio(path)
        assert waveform.abs().max() > 0.05
        assert Image.open(path.with_suffix(".png")).width > video.frames.shape[2]
    finally:
        path.unlink()
        path.with_suffix(".png").unlink()


@pytest.fixture
def endless(tmp_path: Path, ctrl_c: None) -> Iterator[subprocess.Popen[str]]:
    """A demo that is generating and would do so for minutes."""
    speech = write_speech(tmp_path / "for ever.wav", 60.0)
    log = ROOT / ".comfyui" / "logs" / "demo.log"
    log.unlink(missing_ok=True)
    demo = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "demo", "--audio", str(speech)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        deadline = time.monotonic() + 300
        while "got prompt" not in (log.read_text(encoding="utf-8") if log.exists() else ""):
            assert demo.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        yield demo
    finally:
        demo.terminate()  # which ends its server, too
        demo.communicate(timeout=60)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_in_the_middle_of_the_graph_leaves_nothing(
    endless: subprocess.Popen[str], tmp_path: Path
) -> None:
    started = psutil.Process(endless.pid).children(recursive=True)
    assert len(started) >= 2, "the server and comfy-cli"
    endless.send_signal(signal.SIGINT)
    assert endless.wait(60) == 130
    assert endless.stdout is not None
    said = endless.stdout.read()
    assert said.rstrip().endswith("stopped") and "Traceback" not in said
    assert not [process for process in started if process.is_running()]
    assert not list((ROOT / "output").glob("portrait-for ever*"))
    assert not list(tmp_path.glob("ead-net-*")), "the folders of the server and of the demo"
