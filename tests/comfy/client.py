"""What the tests do with a server: the published workflow, the tiny checkpoint, inputs made on the spot."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from tests.in_comfy import ROOT
from tools.server import Server
from tools.workflow import load_workflow, with_inputs

WORKFLOW = load_workflow(ROOT / "workflows" / "talking_portrait_api.json")


def write_portrait(path: Path, size: tuple[int, int] = (48, 40), mode: str = "RGB") -> Path:
    """A picture of coloured noise."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], len(mode)), dtype=np.uint8)
    Image.fromarray(noise if len(mode) > 1 else noise[..., 0], mode).save(path)
    return path


def write_speech(
    path: Path, seconds: float, rate: int = 16000, channels: int = 1, volume: float = 0.3
) -> Path:
    """A 16-bit recording of noise that swells and fades."""
    samples = round(seconds * rate)
    swell = np.abs(np.sin(np.linspace(0, 12, samples)))
    noise = np.random.default_rng(1).uniform(-1, 1, (samples, channels)) * swell[:, None] * volume
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((noise * 32767).astype("<i2").tobytes())
    return path


class Studio:
    """One test's view of the server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.client = server.client
        self.folder = folder
        self.events: list[tuple[str, dict]] = []

    def workflow(
        self, portrait: Path | None = None, speech: Path | None = None, **sampler: int | float | str
    ) -> dict:
        """The published workflow: tiny checkpoint, 2 steps, and the sampler's widgets as given."""
        portrait = portrait or write_portrait(self.folder / "portrait.png")
        speech = speech or write_speech(self.folder / "speech.wav", 0.2)
        inputs: dict[str, dict] = {
            "LoadImage": {"image": self.client.upload(portrait)},
            "LoadAudio": {"audio": self.client.upload(speech)},
            "EADNetCheckpointLoader": {"checkpoint": "tiny.safetensors"},
            "EADNetSampler": {"steps": 2, **sampler},
            "ImageScale": {"width": 64, "height": 64},
        }
        return with_inputs(WORKFLOW, inputs)

    def run(self, workflow: dict) -> Path:
        """Runs a workflow, keeping its messages in `events`, and returns the video it made."""
        prompt_id = self.client.run(workflow, lambda kind, data: self.events.append((kind, data)))
        made = [item for item in self.client.outputs(prompt_id) if item["filename"].endswith(".mp4")]
        target = self.folder / "video.mp4"
        self.client.download(made[-1], target)
        return target

    def data(self, kind: str, node: str | None = None) -> list[dict]:
        """The data of all messages of a kind, about a node (by id) if given."""
        return [data for k, data in self.events if k == kind and node in (None, data.get("node"))]


def node_id(workflow: dict, kind: str) -> str:
    """The id of the one node of a class."""
    (found,) = (key for key, node in workflow.items() if node["class_type"] == kind)
    return found
