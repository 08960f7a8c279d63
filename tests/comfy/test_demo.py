"""The main job from the outside: `run.py demo`, with the bundled model, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from eadnet.media.audio import load_audio
from eadnet.media.video import read_video
from tests.comfy.client import write_speech
from tests.in_comfy import MISSING, ROOT
from tools.environment import Environment

READY = Environment(ROOT).is_ready() and (ROOT / ".comfyui" / "ComfyUI" / ".source-sha256").exists()


@pytest.mark.slow
@pytest.mark.comfy
@pytest.mark.skipif(not READY, reason=f"not set up by run.py: {MISSING}")
def test_demo_makes_a_talking_portrait_with_the_bundled_model(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "two words.wav", 0.4, rate=44100, channels=2)
    command = [sys.executable, str(ROOT / "run.py"), "demo", "--audio", str(speech), "--steps", "4"]
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
