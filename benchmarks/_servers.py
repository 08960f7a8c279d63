"""Real ComfyUI servers for benchmarks: the pack as it lies here, a tiny checkpoint, renders of a moment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.comfy.client import WORKFLOW, Client, write_portrait, write_speech
from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tests.tiny import write_tiny_checkpoint
from tools.comfyui import ComfyUI, link_pack, make_base
from tools.server import Server
from tools.workflow import load_workflow, with_inputs

RENDER = load_workflow(ROOT / "workflows" / "render_long_video_api.json")


class Bench:
    """A server and what it writes."""

    def __init__(self, server: Server, output: Path) -> None:
        self.server, self.output = server, output
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
            running.append(Bench(server, output))
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
