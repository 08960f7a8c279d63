"""What the tests do with a server: the published workflow, the tiny checkpoint, inputs made on the spot."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import websocket
from PIL import Image

from tests.in_comfy import ROOT
from tools.server import Server
from tools.workflow import load_workflow, with_inputs

DIRECT = build_opener(ProxyHandler({}))  # loopback needs no proxy
WORKFLOW = load_workflow(ROOT / "workflows" / "api" / "talking_portrait_in_parts.json")


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


TEXT = b"\0\0\0\x03"  # the kind of a binary message
ENDS = ("execution_success", "execution_error", "execution_interrupted")
Event = tuple[str, dict]


class Client:
    """One client of a server, as a browser is one: HTTP, and a WebSocket for what happens meanwhile."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.id = uuid.uuid4().hex

    def request(self, path: str, body: dict | None = None) -> bytes:
        """What the server answers at a path, to a POST where there is a body."""
        data = None if body is None else json.dumps(body).encode()
        with DIRECT.open(Request(f"http://{self.address}{path}", data), timeout=60) as answer:
            return answer.read()

    def get(self, path: str) -> dict:
        """The JSON at a path."""
        return json.loads(self.request(path))

    def queue(self, workflow: dict) -> str:
        """Queues a workflow in API format and returns its prompt id, or raises Refused."""
        try:
            answer = self.request("/prompt", {"prompt": workflow, "client_id": self.id})
        except HTTPError as error:
            raise Refused(error.read().decode("utf-8")) from error
        return json.loads(answer)["prompt_id"]

    def interrupt(self) -> None:
        """Cancels the running prompt, as the Cancel button does."""
        self.request("/interrupt", {})

    def run(self, workflow: dict, on_event: Callable[[Event], None] = lambda event: None) -> list[dict]:
        """Runs a workflow to its end and returns the files it wrote: `filename`, `subfolder` and `type`.

        Raises:
            Failed: a node failed or the prompt was cancelled; has the data of the server's last message.
        """
        socket = websocket.create_connection(f"ws://{self.address}/ws?clientId={self.id}", timeout=300)
        made: list[dict] = []
        with contextlib.closing(socket):
            prompt_id = self.queue(workflow)
            for kind, data in self._messages(socket, prompt_id):
                on_event((kind, data))
                if kind == "executed":
                    shown = [item for items in data["output"].values() for item in items]
                    made += [item for item in shown if isinstance(item, dict) and "filename" in item]
                elif kind in ENDS[1:]:
                    raise Failed(kind, data)
        return made

    def _messages(self, socket: websocket.WebSocket, prompt_id: str) -> Iterator[Event]:
        """The messages about one prompt up to the one that ends it; pictures come as `preview`."""
        kind = ""
        while kind not in ENDS:
            message = socket.recv()
            if isinstance(message, bytes) and message[:4] == TEXT:  # what a node has to say
                length = int.from_bytes(message[4:8], "big")
                yield (
                    "text",
                    {"node": message[8 : 8 + length].decode(), "text": message[8 + length :].decode()},
                )
                continue
            if isinstance(message, bytes):  # a picture after two words of 32 bits
                yield "preview", {"image": message[8:]}
                continue
            event = json.loads(message)
            if event["data"].get("prompt_id") == prompt_id:
                kind = event["type"]
                yield kind, event["data"]


TimedOut = websocket.WebSocketTimeoutException


class Refused(Exception):
    """The server's validation refused a workflow; the message is its own account, as JSON."""


class Failed(Exception):
    """A prompt ended without success: `kind` and `data` of the server's last message."""

    def __init__(self, kind: str, data: dict) -> None:
        super().__init__(f"{kind} in {data.get('node_type')}: {data.get('exception_message')}")
        self.kind, self.data = kind, data


class Studio:
    """One test's view of the server: its inputs and outputs are files of the server's base directory."""

    def __init__(self, server: Server, folder: Path) -> None:
        assert server.comfy.base is not None
        self.server, self.base = server, server.comfy.base
        self.client = Client(server.port)
        self.folder = folder
        self.events: list[Event] = []

    def input(self, path: Path) -> str:
        """Puts a file among the server's inputs; the name by which LoadImage and LoadAudio know it."""
        name = f"{self.folder.name}/{path.name}"
        target = self.base / "input" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        return name

    def workflow(
        self, portrait: Path | None = None, speech: Path | None = None, **sampler: int | float | str
    ) -> dict:
        """The published workflow: tiny checkpoint, 2 steps, and the sampler's widgets as given."""
        portrait = portrait or write_portrait(self.folder / "portrait.png")
        speech = speech or write_speech(self.folder / "speech.wav", 0.2)
        inputs: dict[str, dict] = {
            "LoadImage": {"image": self.input(portrait)},
            "LoadAudio": {"audio": self.input(speech)},
            "EADNetCheckpointLoader": {"checkpoint": "tiny.safetensors"},
            "EADNetSampler": {"steps": 2, **sampler},
            "ImageScale": {"width": 64, "height": 64},
        }
        return with_inputs(WORKFLOW, inputs)

    def run(self, workflow: dict) -> Path:
        """Runs a workflow, keeping its messages in `events`, and returns the video it made."""
        made = self.client.run(workflow, self.events.append)
        (video,) = (item for item in made if item["filename"].endswith(".mp4"))
        return self.base / "output" / video["subfolder"] / video["filename"]

    def data(self, kind: str, node: str | None = None) -> list[dict]:
        """The data of all messages of a kind, about a node (by id) if given."""
        return [data for k, data in self.events if k == kind and node in (None, data.get("node"))]


def node_id(workflow: dict, kind: str) -> str:
    """The id of the one node of a class."""
    (found,) = (key for key, node in workflow.items() if node["class_type"] == kind)
    return found
