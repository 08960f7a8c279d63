"""Border: every widget of every node, over HTTP, against a real server that runs what it is sent."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError

import numpy as np
import psutil
import websocket

from tests.comfy.client import Client, write_portrait, write_speech
from tests.fuzz.harness import BYTES, SECONDS, Outcome, Report, sentence_problem
from tests.fuzz.strange import number, text, value
from tests.in_comfy import ROOT
from tests.media_files import Track, write_media
from tests.tiny import RESOLUTION, write_tiny_checkpoint
from tools.comfyui import ComfyUI
from tools.server import Server

OWN = ("InputError", "CheckpointError")
_ENDS = ("execution_success", "execution_error", "execution_interrupted")
_LONGEST_CLIP = 2000  # frames: what is asked for is made, and a million frames are a million frames
_NOWHERE = "http://127.0.0.1:9/v1"  # nothing listens there, and it is this computer
# Nodes that need a file which is downloaded: they are refused for it, and for worse.
NEED_A_FILE = {"EADNetExpressionFromVideo", "EADNetReEmote"}
_PLAIN = {"INT", "FLOAT", "STRING", "BOOLEAN"}

# Read by Python when the server starts: notes what it writes elsewhere, what it starts, whom it calls.
WATCH = """
import os, sys
folders = tuple(os.environ["EADNET_FUZZ_FOLDERS"].split(os.pathsep))
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
changes = {"shutil.rmtree"} | {f"os.{x}" for x in "remove rename rmdir mkdir link symlink truncate".split()}
starts = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
def note(line):
    descriptor = os.open(os.environ["EADNET_FUZZ_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (ascii(line) + "\\n").encode())
    os.close(descriptor)
def hook(event, arguments):
    if event in starts or event == "socket.connect" and "127.0.0.1" not in str(arguments[1]):
        note(f"{event} {arguments!a:.300}")
    elif event in changes or event == "open" and (
        set(arguments[1] or "") & set("wax+") or not arguments[1] and (arguments[2] or 0) & writing
    ):
        if isinstance(arguments[0], int) or event in ("os.remove", "os.rmdir") and arguments[1] != -1:
            return  # within a folder that shutil.rmtree names
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.startswith((*folders, "/dev/", "/proc/")) and "__pycache__" not in path:
            note(f"{event} {path}")
if "EADNET_FUZZ_FOLDERS" in os.environ:
    sys.addaudithook(hook)
"""


@contextlib.contextmanager
def watched_server(comfy: ComfyUI) -> Iterator[tuple[Server, Path]]:
    """A server, and the file in which it notes whatever it does beyond ComfyUI's folders."""
    assert comfy.base is not None
    place = comfy.base.parent
    (place / "watch").mkdir()
    (place / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    log = place / "watch" / "escapes.txt"
    log.touch()
    temporary = place / "temporary"  # where the server's own temporary folder is made
    temporary.mkdir()
    variables = {
        "PYTHONPATH": os.pathsep.join((str(place / "watch"), os.environ.get("PYTHONPATH", ""))),
        "EADNET_FUZZ_FOLDERS": os.pathsep.join(
            (str(comfy.base.resolve()), str(temporary.resolve()), str(log))
        ),
        "EADNET_FUZZ_LOG": str(log),
    }
    before = {name: os.environ.get(name) for name in variables}
    usual = tempfile.tempdir
    os.environ.update(variables)
    tempfile.tempdir = str(temporary)
    try:
        with Server(comfy, comfy.base / "server.log", arguments=["--cpu"]) as server:
            log.write_text("", encoding="utf-8")  # what starting did is ComfyUI's own
            yield server, log
    finally:
        tempfile.tempdir = usual
        for name, old in before.items():
            os.environ.pop(name) if old is None else os.environ.update({name: old})


def stage(base: Path) -> dict[str, dict]:
    """A graph in which every node of the pack has what it needs, small; its files are put into ``base``."""
    write_tiny_checkpoint(base / "models" / "eadnet" / "tiny.safetensors")
    write_portrait(base / "input" / "portrait.png", (64, 64))
    write_speech(base / "input" / "speech.wav", 0.2)
    pictures = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8))
    sound = Track(np.random.default_rng(1).uniform(-0.3, 0.3, (1, 8820)), 44100, "aac")
    write_media(base / "input" / "video.mp4", pictures, [sound], codec="libx264")
    sampling = {
        "seed": 0,
        "steps": 1,
        "audio_guidance": 1.5,
        "emotion_guidance": 1.5,
        "scheduler": "ddim",
        "window": 8,
        "overlap": 2,
    }
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "picture": ("LoadImage", {"image": "portrait.png"}),
        "sound": ("LoadAudio", {"audio": "speech.wav"}),
        "film": ("LoadVideo", {"file": "video.mp4"}),
        "parts": ("GetVideoComponents", {"video": ["film", 0]}),
        "bundled": ("EADNetCheckpointLoader", {"checkpoint": "mini.safetensors"}),
        "load": ("EADNetCheckpointLoader", {"checkpoint": "tiny.safetensors"}),
        "latentsync": (
            "EADNetLatentSyncLoader",
            {"unet": "tiny.safetensors", "whisper": "tiny.safetensors", "adapter": "none"},
        ),
        "speech": (
            "EADNetAudioEncode",
            {"audio_encoder": ["load", 1], "audio": ["sound", 0], "fps": 25.0, "silence_gate": True},
        ),
        "emotion": ("EADNetEmotionEncode", {"text_encoder": ["load", 2], "text": "happy", "strength": 1.0}),
        "timeline": (
            "EADNetEmotionTimeline",
            {
                "text_encoder": ["load", 2],
                "timeline": "0 calm\n0.1 happy",
                "frame_count": ["speech", 1],
                "fps": 25.0,
                "cross_fade": 0.1,
                "ease": "smooth",
                "from_loudness": 0.5,
                "audio": ["sound", 0],
            },
        ),
        "caption": (
            "EADNetEmotionCaption",
            {
                "backend": "template",
                "emotion": "happy",
                "intensity": 0.7,
                "features": 3,
                "seed": 0,
                "phrasing": "written anew",
                "frame_count": 1,
                "model": "none",
                "url": "",
                "url_model": "",
                "timeout": 1.0,
                "images": ["picture", 0],
            },
        ),
        "prepare": (
            "EADNetPrepare",
            {
                "model": ["load", 0],
                "vae": ["load", 3],
                "images": ["picture", 0],
                "frame_count": ["speech", 1],
                "mask_region": "auto",
            },
        ),
        "sample": (
            "EADNetSampler",
            {
                "model": ["load", 0],
                "audio": ["speech", 0],
                "latents": ["prepare", 0],
                "emotion": ["timeline", 0],
                **sampling,
            },
        ),
        "faster": (
            "EADNetSpeedUp",
            {
                "model": ["load", 0],
                "window_mode": "moving",
                "cache_interval": 2,
                "guidance_start": 0.0,
                "guidance_end": 1.0,
                "guidance_every": 1,
            },
        ),
        "native": ("EADNetToModel", {"model": ["load", 0], "window": 8, "overlap": 2}),
        "conditions": (
            "EADNetConditioning",
            {
                "model": ["load", 0],
                "audio": ["speech", 0],
                "latents": ["prepare", 0],
                "emotion": ["timeline", 0],
            },
        ),
        "custom": (
            "EADNetCustomSampling",
            {"model": ["load", 0], "seed": 0, "steps": 1, "scheduler": "ddim"},
        ),
        "smooth": (
            "EADNetTFRMSmoother",
            {"tfrm": ["load", 4], "samples": ["sample", 0], "strength": 1.0, "top_k": 0},
        ),
        "decode": ("VAEDecode", {"samples": ["smooth", 0], "vae": ["load", 3]}),
        "track": (
            "EADNetFaceTrack",
            {
                "images": ["film", 0],
                "detector": "manual",
                "face": "largest",
                "order": "left-right",
                "index": 0,
                "point_x": 0,
                "point_y": 0,
                "missing_frame_fallback": "interpolate",
                "patience": 12,
                "smoothing": 1.0,
                "manual": "10, 10, 50, 54",
                "framing": "latentsync",
                "resolution": 64,
            },
        ),
        "back": (
            "EADNetFaceComposite",
            {
                "images": ["film", 0],
                "faces": ["decode", 0],
                "track": ["track", 0],
                "mask_region": "auto",
                "feather": 0.05,
                "colour_match": 0.5,
            },
        ),
        "shown": ("EADNetFaceTrackPreview", {"images": ["film", 0], "track": ["track", 0], "every": 1}),
        "score": (
            "EADNetSyncScore",
            {
                "syncnet": ["bundled", 5],
                "images": ["parts", 0],
                "audio": ["parts", 1],
                "fps": 25.0,
                "min_confidence": 0.0,
                "theme": "dark",
            },
        ),
        "compare": (
            "EADNetVideoMetrics",
            {"generated": ["parts", 0], "reference": ["parts", 0], "fps": 25.0, "theme": "dark"},
        ),
        "render": (
            "EADNetRenderVideo",
            {
                "model": ["load", 0],
                "vae": ["load", 3],
                "audio_encoder": ["load", 1],
                "source": ["film", 0],
                **sampling,
                "smoothing": 1.0,
                "length": "cut_off",
                "fps": 25.0,
                "silence_gate": True,
                "mask_region": "auto",
                "feather": 0.05,
                "colour_match": 0.5,
                "resume": True,
                "filename_prefix": "video/EAD-Net",
                "emotion": ["emotion", 0],
                "tfrm": ["load", 4],
            },
        ),
    }
    shutil.copyfile(ROOT / "eadnet" / "assets" / "portrait.png", base / "input" / "drawn.png")
    nodes |= {
        "drawn": ("LoadImage", {"image": "drawn.png"}),
        "rig": ("EADNetFaceRig", {"image": ["drawn", 0], "index": 0, "calm": 0.0}),
        "spoken": (
            "EADNetExpressionFromSpeech",
            {
                "model": ["bundled", 0],
                "vae": ["bundled", 3],
                "audio_encoder": ["bundled", 1],
                "audio": ["sound", 0],
                "seed": 0,
                "blinks": 18.0,
                "gaze": 1.0,
                "head_motion": 1.0,
            },
        ),
        "seen": ("EADNetExpressionFromVideo", {"images": ["film", 0], "fps": 25.0, "head_motion": 1.0}),
        "other": (
            "EADNetReEmote",
            {
                "images": ["film", 0],
                "expression": ["spoken", 0],
                "replace_lips": False,
                "index": 0,
                "fps": 25.0,
            },
        ),
        "edited": (
            "EADNetEditExpression",
            {
                "expression": ["spoken", 0],
                **dict.fromkeys(("mouth", "smile", "brows", "lids", "blink", "gaze", "head", "emotion"), 1.0),
                "add": "smile 0.2",
            },
        ),
        "moved": ("EADNetRenderRig", {"rig": ["rig", 0], "expression": ["edited", 0], "fps": 25.0}),
    }
    if not (ROOT / "eadnet" / "driving" / "mini_reader.safetensors").is_file():
        nodes = {name: node for name, node in nodes.items() if name not in ("spoken", "edited", "moved")}
    assert RESOLUTION == 32
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def part_for(graph: dict[str, dict], name: str, is_output: bool) -> dict[str, dict]:
    """The node, what it needs, and something that asks for its result."""
    part: dict[str, dict] = {}
    needed = [name]
    while needed:
        at = needed.pop()
        part[at] = {**graph[at], "inputs": dict(graph[at]["inputs"])}
        needed += [v[0] for v in graph[at]["inputs"].values() if isinstance(v, list) and v[0] not in part]
    if not is_output:
        part["asked"] = {"class_type": "PreviewAny", "inputs": {"source": [name, 0]}}
    return part


class Widgets:
    """Inputs: a node of the stage with one or two of its widgets set to something strange."""

    def __init__(self, graph: dict[str, dict], about: dict[str, dict]) -> None:
        self.graph, self.about = graph, about
        self.nodes = [name for name, node in graph.items() if node["class_type"].startswith("EADNet")]
        self.kinds = {
            name: {
                key: spec
                for group in about[graph[name]["class_type"]]["input"].values()
                for key, spec in group.items()
            }
            for name in self.nodes
        }

    def widgets(self, name: str) -> list[str]:
        """Inputs of a node that can be typed."""
        kinds = self.kinds[name]
        return [key for key in self.graph[name]["inputs"] if self._kind(kinds[key]) in (_PLAIN | {"COMBO"})]

    @staticmethod
    def _kind(spec: list) -> str:
        return "COMBO" if isinstance(spec[0], list) else str(spec[0])

    def make(self, turn: int) -> tuple[str, dict[str, Any], dict[str, dict]]:
        """(node, what is set, the graph) of input number ``turn``: widget by widget, again and again."""
        random = Random(f"widgets {turn}")
        every = [(name, widget) for name in self.nodes for widget in self.widgets(name)]
        name, widget = every[turn % len(every)]
        kind = self.graph[name]["class_type"]
        part = part_for(self.graph, name, self.about[kind]["output_node"])
        changes = {widget: self._value(random, name, widget)}
        if random.random() < 0.2:
            other = random.choice(self.widgets(name))
            changes[other] = self._value(random, name, other)
        if kind == "EADNetEmotionCaption" and random.random() < 0.5:
            changes.setdefault("backend", random.choice(("endpoint", "local model", "measured")))
        part[name]["inputs"].update(changes)
        return name, changes, part

    def _value(self, random: Random, name: str, widget: str) -> Any:
        kind = self._kind(self.kinds[name][widget])
        if random.random() < 0.15:
            strange = value(random)
        elif kind in ("INT", "FLOAT"):
            strange = number(random)
        elif kind == "BOOLEAN":
            strange = random.choice((None, 0, 2, -1, "false", "no", "", [], {}, 1e300))
        else:
            strange = text(random)
        if isinstance(strange, list) and len(strange) == 2:
            strange.append(0)  # two of them are a link
        if widget == "url" and "://" in str(strange):
            strange = _NOWHERE  # nobody else is called
        if (
            widget == "frame_count"
            and isinstance(strange, (int, float))
            and _LONGEST_CLIP < strange <= 1_000_000
        ):
            strange = _LONGEST_CLIP
        return strange


def run_widgets(
    server: Server, escapes: Path, count: int, on_fault: Callable[[Outcome], None] = lambda outcome: None
) -> Report:
    """Sends the inputs 0..count one after another and says how each ended; stops when the server has died."""
    assert server.comfy.base is not None
    client = Client(server.port)
    widgets = Widgets(stage(server.comfy.base), client.get("/object_info"))
    process = psutil.Process(server._process.pid)  # type: ignore[union-attr]
    socket = websocket.create_connection(f"ws://{client.address}/ws?clientId={client.id}", timeout=1)
    report = Report("widgets")
    with contextlib.closing(socket):
        for name in widgets.nodes:  # the graph works, and everything is loaded
            kind = widgets.graph[name]["class_type"]
            part = part_for(widgets.graph, name, widgets.about[kind]["output_node"])
            outcome = _sent(client, socket, process, part, limit=120)
            if outcome.kind != ("refused" if kind in NEED_A_FILE else "accepted"):
                raise RuntimeError(f"{kind} does not work: {outcome.said}")
        for turn in range(count):
            name, changes, part = widgets.make(turn)
            seen = escapes.stat().st_size
            outcome = _sent(client, socket, process, part)
            outcome.number = turn
            if outcome.kind != "fault" and escapes.stat().st_size > seen:
                with escapes.open(encoding="utf-8") as file:
                    file.seek(seen)
                    outcome.kind, outcome.said = "fault", f"it did {file.readline().strip()}"
            if outcome.kind == "fault":
                outcome.said += f" [{widgets.graph[name]['class_type']} {ascii(changes)[:200]}]"
                on_fault(outcome)
            report.outcomes.append(outcome)
            if outcome.said.startswith("the server"):
                break
    return report


def _sent(
    client: Client,
    socket: websocket.WebSocket,
    process: psutil.Process,
    graph: dict[str, dict],
    limit: float = SECONDS,
) -> Outcome:
    before, worked = _memory(process, forget=True), _worked(process)
    begun = time.monotonic()
    try:
        answer = client.request("/prompt", {"prompt": graph, "client_id": client.id})
    except HTTPError as error:
        return _refused(error)
    except OSError as error:
        return Outcome(0, "fault", f"the server does not answer: {error}")
    prompt = json.loads(answer)["prompt_id"]
    cancelled = 0.0
    while True:
        try:
            message = socket.recv()
        except websocket.WebSocketTimeoutException:
            message = b""
        except (OSError, websocket.WebSocketException) as error:
            return Outcome(0, "fault", f"the server closed the connection: {error}")
        now = time.monotonic()
        if cancelled and now - cancelled > 60:
            return Outcome(0, "fault", "the server runs no prompts any more", now - begun)
        if not cancelled and (_worked(process) - worked > limit or now - begun > 6 * limit):
            cancelled = now
            client.interrupt()
        event: dict[str, Any] = {"type": ""}
        if isinstance(message, str) and message:
            event = json.loads(message)
        if event["type"] in _ENDS and event["data"].get("prompt_id") == prompt:
            break
    growth = max(0, _memory(process) - before)
    outcome = _ended(event, cancelled > 0)
    outcome.seconds, outcome.growth = time.monotonic() - begun, growth
    if outcome.kind != "fault" and growth > BYTES:
        outcome.kind, outcome.said = "fault", f"it took {growth / 1e9:.1f} GB ({outcome.said})"
    return outcome


def _refused(error: HTTPError) -> Outcome:
    """What the server's own checks of a graph found; a node's check that raises is a fault."""
    body = error.read().decode("utf-8", "replace")
    if error.code != 400:
        return Outcome(0, "fault", f"HTTP {error.code}: {body[:300]}")
    for node in (json.loads(body).get("node_errors") or {}).values():
        for problem in node["errors"]:
            details = str(problem.get("details", ""))
            if problem["type"] == "exception_during_validation":
                return Outcome(0, "fault", f"its check raised: {details[:300]!a}")
            if problem["type"] == "custom_validation_failed" and " - " in details:
                sentence = details.split(" - ", 1)[1]
                if wrong := sentence_problem(sentence):
                    return Outcome(0, "fault", f"the message {sentence[:300]!a}: {wrong}")
    return Outcome(0, "refused", body[:200])


def _ended(event: dict[str, Any], cancelled: bool) -> Outcome:
    data = event["data"]
    if cancelled:
        return Outcome(0, "fault", f"no end after {SECONDS:g} s of work")
    if event["type"] == "execution_success":
        return Outcome(0, "accepted")
    kind, message = str(data.get("exception_type")), str(data.get("exception_message")).strip()
    if kind.rpartition(".")[2] not in OWN:
        where = (data.get("traceback") or [""])[-1].strip().replace("\n", " ")
        return Outcome(0, "fault", f"{kind}: {message[:200]!a} in {where[-200:]}")
    if wrong := sentence_problem(message):
        return Outcome(0, "fault", f"the message {message[:300]!a}: {wrong}")
    return Outcome(0, "refused", message)


def _worked(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _memory(process: psutil.Process, forget: bool = False) -> int:
    """The most memory that the server has had since the peak was forgotten; where Linux tells."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return 0
    if forget:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
