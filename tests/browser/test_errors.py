"""What is wrong is said in the page, in whole sentences: before a run where it can be, else by the node."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.window import SECONDS, Window
from tests.comfy.client import write_speech
from tests.in_comfy import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.comfy, pytest.mark.slow]
Opened = Callable[..., None]
SAYS = "words => words.every(word => document.body.innerText.includes(word))"
SAYS_NOT = "words => !document.body.innerText.includes(words)"
# Ends the run, once it has begun, and waits for its end.
STOP = """() => new Promise(done => {
  const api = app.api ?? window.comfyAPI.api.api;
  const asked = setInterval(() => api.interrupt(null), 1000);
  for (const end of ["execution_interrupted", "execution_success"])
    api.addEventListener(end, () => { clearInterval(asked); done(); }, { once: true });
})"""
RUN = '[data-testid="queue-button"]'
# What core's own check says in the newest frontend, which has other words for it than the server.
MISSING = "Load Image is missing a required media file"


@pytest.fixture
def opened(shown: Window, tmp_path: Path) -> Opened:
    """Opens a template with the first widget of one kind of node set to something else."""

    def opens(template: str, kind: str | None = None, value: Any = None) -> None:
        graph = json.loads((ROOT / "workflows" / f"{template}.json").read_text(encoding="utf-8"))
        for node in graph["nodes"]:
            if node["type"] == kind:
                node["widgets_values"][0] = value
        path = tmp_path / f"{template}.json"
        path.write_text(json.dumps(graph), encoding="utf-8")
        shown.open(path)
        shown.close_dialogs()  # of missing models, which lies over Run

    return opens


def says(shown: Window, *words: str) -> None:
    """Press Run, and wait until the page has these words."""
    shown.page.locator(RUN).last.click(timeout=SECONDS * 1000)
    shown.page.wait_for_function(SAYS, arg=list(words), timeout=60000)


def test_all_bad_lines_of_a_timeline_are_said_before_the_run(
    shown: Window, opened: Opened, screenshots: Path, combination: str
) -> None:
    opened("05 Emotion timeline", "EADNetEmotionTimeline", "0 calm\n1.5 happy, 7\nlater sad, 0.5")
    says(shown, "Line 2: the strength is 7", "Line 3")
    shown.pictures(screenshots / f"{combination}-error-lines.png")


def test_missing_weights_are_said_with_their_address_and_folder(
    shown: Window, opened: Opened, screenshots: Path, combination: str
) -> None:
    opened("09 LatentSync weights")
    says(
        shown,
        "latentsync-1.6.safetensors",
        "https://huggingface.co/ByteDance/LatentSync-1.6",
        "models/eadnet",
    )
    shown.pictures(screenshots / f"{combination}-error-weights.png")


def test_a_missing_input_file_is_named(
    shown: Window, opened: Opened, screenshots: Path, combination: str
) -> None:
    opened("01 Talking portrait", "LoadImage", "nobody.png")
    says(shown, MISSING if "newest" in combination else "Invalid image file: nobody.png")
    shown.pictures(screenshots / f"{combination}-error-file.png")


def test_a_node_that_fails_says_why(
    shown: Window, opened: Opened, screenshots: Path, combination: str, tmp_path: Path
) -> None:
    short = write_speech(tmp_path / "short.wav", 0.01)
    files = {"name": "short.wav", "mimeType": "audio/wav", "buffer": short.read_bytes()}
    shown.page.request.post(f"{shown.url}/api/upload/image", multipart={"image": files})
    opened("10 The parts one by one", "LoadAudio", "short.wav")
    says(shown, "The audio lasts 0.010 s")
    shown.pictures(screenshots / f"{combination}-error-run.png")


def test_what_was_said_goes_with_the_next_run(shown: Window, opened: Opened, combination: str) -> None:
    """Of the run that failed above, of two refused graphs, and at last of one that is taken."""
    said = "The audio lasts 0.010 s"
    # 1.32 does not say that Run was pressed: what a node said of a run stays for its 30 s there.
    seconds = 10 if "newest" in combination else 40
    for strength in (8, 9, 0.9):
        opened("05 Emotion timeline", "EADNetEmotionTimeline", f"0 calm\n1.5 happy, {strength}")
        if strength > 1:
            says(shown, f"the strength is {strength}")
        else:
            shown.page.locator(RUN).last.click(timeout=SECONDS * 1000)
        shown.page.wait_for_function(SAYS_NOT, arg=said, timeout=1000 * seconds)
        said = f"the strength is {strength}"
    shown.page.evaluate(STOP)
