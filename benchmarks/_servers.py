"""Real ComfyUI servers for benchmarks: the pack as it lies here, a tiny checkpoint, renders of a moment."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from eadnet.media.images import read_image
from eadnet.media.video import write_video
from tests.comfy.client import WORKFLOW, Client, write_portrait, write_speech
from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tests.landmarker_files import random_networks, write_task
from tests.tiny import write_tiny_checkpoint
from tools.comfyui import ComfyUI, link_pack, make_base
from tools.server import Server
from tools.workflow import load_workflow, with_inputs, without

RENDER = without(load_workflow(ROOT / "workflows" / "api" / "talking_portrait.json"), "SaveVideo")
RIG = load_workflow(ROOT / "workflows" / "api" / "photo_with_emotion.json")
ASSETS = ROOT / "eadnet" / "assets"
LARGE = (1920, 1080)
FACE = "800, 300, 1120, 700"  # in it


class Bench:
    """A server and what it writes."""

    def __init__(self, server: Server, base: Path, output: Path) -> None:
        self.server, self.base, self.output = server, base, output
        self.client = Client(server.port)

    def handles(self) -> int:
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def megabytes(self) -> float:
        """Memory that is the server's own (resident, and not shared with files)."""
        for line in Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("this system does not say how much memory a process has")

    def files(self) -> set[Path]:
        """What lies in the output folder."""
        return {path for path in self.output.rglob("*") if path.is_file()}


@contextmanager
def servers(folder: Path, count: int = 1) -> Iterator[list[Bench]]:
    """So many servers, with a base folder each and one output folder, in which they find the inputs of
    `render` and `graph`.
    """
    if not has_comfy():
        raise SystemExit(MISSING)
    output = folder / "output"
    output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        running = []
        for number in range(count):
            base = folder / f"base{number}"
            make_base(base)
            write_tiny_checkpoint(base / "models" / "eadnet" / "tiny.safetensors")
            write_portrait(base / "input" / "portrait.png", (64, 64))
            for seconds in (0.2, 0.4, 4.0, 40.0):
                write_speech(base / "input" / f"{seconds:g}.wav", seconds)
            comfy = ComfyUI(TREE, Path(sys.executable), base)
            link_pack(ROOT, comfy.custom_nodes, ours=True)
            arguments = ["--output-directory", str(output)]
            server = stack.enter_context(Server(comfy, folder / f"server{number}.log", arguments=arguments))
            running.append(Bench(server, base, output))
        yield running


def render(
    seconds: float, seed: int = 1, prefix: str = "video/bench", text: str = "happy", **more: Any
) -> dict:
    """The workflow of one node that makes a whole video."""
    return with_inputs(
        RENDER,
        {
            "LoadImage": {"image": "portrait.png"},
            "LoadAudio": {"audio": f"{seconds:g}.wav"},
            "EADNetCheckpointLoader": {"checkpoint": "tiny.safetensors"},
            "EADNetEmotionEncode": {"text": text},
            "EADNetRenderVideo": {
                **{"steps": 2, "window": 8, "overlap": 2, "seed": seed, "filename_prefix": prefix},
                **more,
            },
        },
    )


def graph(seconds: float, seed: int = 1, prefix: str = "video/graph", text: str = "happy") -> dict:
    """The workflow of single nodes."""
    return with_inputs(
        WORKFLOW,
        {
            "LoadImage": {"image": "portrait.png"},
            "LoadAudio": {"audio": f"{seconds:g}.wav"},
            "EADNetCheckpointLoader": {"checkpoint": "tiny.safetensors"},
            "EADNetEmotionEncode": {"text": text},
            "EADNetSampler": {"steps": 2, "window": 8, "overlap": 2, "seed": seed},
            "ImageScale": {"width": 64, "height": 64},
            "SaveVideo": {"filename_prefix": prefix},
        },
    )


def _node(kind: str, **inputs: Any) -> dict:
    return {"class_type": kind, "inputs": inputs}


LARGE_VIDEO = _node("LoadVideo", file="large.mp4")


def _track(by_hand: str, **more: Any) -> dict:
    """Track Face of the revoicing workflow, on the large video."""
    workflow = load_workflow(ROOT / "workflows" / "api" / "revoice_video.json")
    (node,) = (node for node in workflow.values() if node["class_type"] == "EADNetFaceTrack")
    inputs = {name: value for name, value in node["inputs"].items() if name != "model"}
    return _node("EADNetFaceTrack", **{**inputs, "images": ["large", 0], "manual": by_hand, **more})


def add_large(bench: Bench) -> None:
    """What `render_large` and `long_nodes` load, which costs some seconds to make."""
    shutil.copyfile(ASSETS / "portrait.png", bench.base / "input" / "drawn.png")
    _write_large(bench.base / "input" / "large.mp4")
    faces = bench.base / "models" / "eadnet" / "faces"
    faces.mkdir(exist_ok=True)
    write_task(faces / "face_landmarker.task", random_networks())  # which finds nothing, and takes its time


def _write_large(path: Path, count: int = 100) -> None:
    """A video of the bundled portrait, which drifts over a plain ground."""
    head = (read_image(ASSETS / "portrait.png")[..., :3] * 255).round().byte().numpy()

    def frames() -> Iterator[np.ndarray]:
        for number in range(count):
            frame = np.full((LARGE[1], LARGE[0], 3), 90, np.uint8)
            left = 600 + 2 * number
            frame[200 : 200 + head.shape[0], left : left + head.shape[1]] = head
            yield frame

    write_video(path, frames(), 25)


def render_large(seed: int, prefix: str) -> dict:
    """The workflow of one node on a video of large frames, with a face entered by hand."""
    workflow = render(4.0, seed, prefix)
    ids = {node["class_type"]: key for key, node in workflow.items()}
    model = [ids["EADNetCheckpointLoader"], 0]
    workflow[ids["EADNetRenderVideo"]]["inputs"] |= {"source": ["large", 0], "track": ["face", 0]}
    del workflow[ids["LoadImage"]]
    return {**workflow, "large": LARGE_VIDEO, "face": _track(FACE, model=model)}


LONG_NODES = {  # and the output of each that is a picture
    "EADNetFaceTrack": 1,
    "EADNetFaceComposite": 0,
    "EADNetFaceTrackPreview": 0,
    "EADNetExpressionFromVideo": 1,
    "EADNetSyncScore": 3,
    "EADNetVideoMetrics": 1,
}


def long_node(kind: str, rng: random.Random) -> dict:
    """A workflow in which one of `LONG_NODES` works for long, and which no cache holds."""
    large, face, many = ["large", 0], ["face", 0], ["many", 0]
    inputs: dict[str, Any] = {
        "EADNetFaceTrack": {**_track("", smoothing=1 + rng.random())["inputs"]},
        "EADNetFaceComposite": {
            **{"images": large, "faces": ["face", 1], "track": face, "mask_region": "face"},
            **{"feather": 0.05, "colour_match": rng.random()},
        },
        "EADNetFaceTrackPreview": {"images": large, "track": face, "every": 1},
        "EADNetExpressionFromVideo": {"images": large, "fps": 25.0, "head_motion": rng.random()},
        "EADNetSyncScore": {
            **{"syncnet": ["loader", 5], "images": many, "audio": ["audio", 0]},
            **{"fps": 25 + rng.random() / 100, "min_confidence": 0.0, "theme": "dark"},
        },
        "EADNetVideoMetrics": {
            **{"generated": many, "reference": many, "fps": 25 + rng.random(), "theme": "dark"},
        },
    }[kind]
    smoothing = rng.random() if kind == "EADNetFaceTrackPreview" else 1.0
    return {
        "large": LARGE_VIDEO,
        "face": _track(FACE, smoothing=smoothing),
        "drawn": _node("LoadImage", image="drawn.png"),
        "many": _node("RepeatImageBatch", image=["drawn", 0], amount=150),
        "audio": _node("LoadAudio", audio="4.wav"),
        "loader": _node("EADNetCheckpointLoader", checkpoint="mini.safetensors"),
        "node": _node(kind, **inputs),
        "shown": _node("PreviewImage", images=["node", LONG_NODES[kind]]),
    }


def rig(seconds: float, seed: int, fps: float) -> dict:
    """The workflow of a portrait that is moved by its rig."""
    return with_inputs(
        RIG,
        {
            "LoadImage": {"image": "drawn.png"},
            "LoadAudio": {"audio": f"{seconds:g}.wav"},
            "EADNetExpressionFromSpeech": {"seed": seed},
            "EADNetRenderRig": {"fps": fps},
        },
    )
