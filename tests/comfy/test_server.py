"""The pack in a real ComfyUI: everything through HTTP and WebSocket, as a browser or a script would."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from eadnet.media.audio import load_audio
from eadnet.media.video import read_video
from tests.comfy.client import Client, Failed, Refused, Studio, node_id, write_portrait, write_speech
from tests.in_comfy import ROOT
from tools.comfyui import LINK
from tools.server import Server

NODES = sorted(json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8")))
pytestmark = [pytest.mark.comfy, pytest.mark.slow]
LONG = 10_000  # steps that nobody waits for


def test_the_pack_is_imported_and_every_node_is_there(server: Server) -> None:
    assert "IMPORT FAILED" not in server.log.read_text(encoding="utf-8")
    assert not set(NODES) - set(Client(server.port).get("/object_info"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("node", NODES)
def test_every_node_has_a_help_page(server: Server, node: str, language: str) -> None:
    page = Client(server.port).request(f"/extensions/{LINK}/docs/{node}/{language}.md").decode("utf-8")
    assert page.startswith("# ") and len(page) > 200


def test_the_browser_is_offered_the_workflow_and_knows_all_its_nodes(server: Server) -> None:
    client = Client(server.port)
    assert "01 Talking portrait" in client.get("/workflow_templates")[LINK]
    graph = client.get(f"/api/workflow_templates/{LINK}/01%20Talking%20portrait.json")
    drawn_by_the_browser = {"Note", "MarkdownNote", "PrimitiveNode", "Reroute"}
    kinds = {node["type"] for node in graph["nodes"]} - drawn_by_the_browser
    assert not kinds - set(client.get("/object_info"))
    thumbnail = client.request(f"/api/workflow_templates/{LINK}/01%20Talking%20portrait.jpg")
    assert Image.open(io.BytesIO(thumbnail)).width >= 256


@pytest.mark.parametrize(("seconds", "frames"), [(0.02, 1), (0.3, 8), (0.9, 23)])
def test_the_video_has_every_frame_of_the_recording_and_its_sound(
    studio: Studio, seconds: float, frames: int
) -> None:
    speech = write_speech(studio.folder / "speech.wav", seconds)
    path = studio.run(studio.workflow(speech=speech, window=8, overlap=2))
    video = read_video(path)
    assert len(video.frames) == frames == round(seconds * 25 + 1e-6)
    assert video.fps == 25
    waveform, rate = load_audio(path)
    assert waveform.shape[-1] / rate == pytest.approx(seconds, abs=0.06)  # AAC works in blocks of 1024
    assert seconds < 0.1 or waveform.abs().max() > 0.05


def test_progress_and_previews_arrive_while_it_works(studio: Studio) -> None:
    speech = write_speech(studio.folder / "speech.wav", 0.5)
    workflow = studio.workflow(speech=speech, steps=3, window=8, overlap=4, seed=1)
    studio.run(workflow)
    sampler = node_id(workflow, "EADNetSampler")
    steps = [(data["value"], data["max"]) for data in studio.data("progress", sampler)]
    windows = 3  # 13 frames in windows of 8 that share 4
    assert steps == [(done, 3 * windows) for done in range(1, 3 * windows + 1)]
    cached = {node for data in studio.data("execution_cached") for node in data["nodes"]}
    assert cached | {data["node"] for data in studio.data("executing")} >= set(workflow)
    previews = [Image.open(io.BytesIO(data["image"])) for data in studio.data("preview")]
    assert previews and all(picture.size[0] == picture.size[1] for picture in previews)
    assert studio.events[-1][0] == "execution_success"


def test_cancel_stops_the_sampler_at_once_and_the_server_stays_usable(studio: Studio) -> None:
    pressed = 0.0

    def press_cancel(event: tuple[str, dict]) -> None:
        nonlocal pressed
        kind, data = event
        if kind == "progress" and data["max"] >= LONG and not pressed:
            pressed = time.monotonic()
            studio.client.interrupt()

    workflow = studio.workflow(steps=200, seed=2)
    workflow[node_id(workflow, "LoadAudio")]["inputs"]["audio"] = studio.input(
        write_speech(studio.folder / "long.wav", 40.0, rate=8000)
    )
    with pytest.raises(Failed, match="execution_interrupted in EADNetSampler"):
        studio.client.run(workflow, press_cancel)
    assert time.monotonic() - pressed < 10
    assert read_video(studio.run(studio.workflow(seed=3))).frames.any()


def test_the_same_request_is_served_from_the_cache(studio: Studio) -> None:
    workflow = studio.workflow(seed=4)
    studio.run(workflow)
    studio.events.clear()
    studio.client.run(workflow, studio.events.append)
    assert not studio.data("progress", node_id(workflow, "EADNetSampler"))


def test_another_seed_or_sentence_is_another_take(studio: Studio) -> None:
    frames = []
    for seed, text in ((5, "calm"), (6, "calm"), (5, "furious, brows pulled down")):
        workflow = studio.workflow(seed=seed)
        workflow[node_id(workflow, "EADNetEmotionEncode")]["inputs"]["text"] = text
        frames.append(read_video(studio.run(workflow)).frames)
    assert not (frames[0] == frames[1]).all()
    assert not (frames[0] == frames[2]).all()


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("EADNetSampler", {"steps": -1}, "smaller than min of 0 steps"),
        ("EADNetSampler", {"window": 8, "overlap": 8}, "overlap"),
        ("EADNetSampler", {"audio": None}, "Required input is missing audio"),
        ("EADNetCheckpointLoader", {"checkpoint": "nothing.safetensors"}, "nothing.safetensors"),
        ("EADNetSampler", {"model": ["LoadImage", 0]}, "type"),
        ("LoadImage", {"image": "nobody.png"}, "nobody.png"),
    ],
)
def test_a_bad_request_is_refused_before_anything_runs(
    studio: Studio, kind: str, inputs: dict, message: str
) -> None:
    workflow = studio.workflow(seed=7)
    node = node_id(workflow, kind)
    for name, value in inputs.items():
        if value is None:
            del workflow[node]["inputs"][name]
        elif isinstance(value, list):
            workflow[node]["inputs"][name] = [node_id(workflow, value[0]), value[1]]
        else:
            workflow[node]["inputs"][name] = value
    with pytest.raises(Refused) as refused:
        studio.client.queue(workflow)
    errors = json.loads(str(refused.value))["node_errors"][node]["errors"]
    said = [f"{error['message']} {error['details']}".lower() for error in errors]
    assert any(message.lower() in sentence for sentence in said)


def test_a_choice_that_does_not_exist_is_named(studio: Studio) -> None:
    # ComfyUI 0.3.75 does not check the choices of V3 nodes, so that this one may get as far as the sampler.
    with pytest.raises((Failed, Refused), match=r"EADNetSampler.*karras"):
        studio.client.run(studio.workflow(scheduler="karras"))


def test_a_checkpoint_that_is_broken_is_refused_by_name(studio: Studio) -> None:
    models = studio.base / "models" / "eadnet"
    whole = (models / "tiny.safetensors").read_bytes()
    (models / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    workflow = studio.workflow(seed=8)
    workflow[node_id(workflow, "EADNetCheckpointLoader")]["inputs"]["checkpoint"] = "cut.safetensors"
    with pytest.raises((Failed, Refused), match=r"cut\.safetensors"):
        studio.client.run(workflow)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48000, 2)])
def test_recordings_of_any_rate_and_number_of_channels_work(studio: Studio, rate: int, channels: int) -> None:
    speech = write_speech(studio.folder / f"{rate}.wav", 0.2, rate, channels)
    assert len(read_video(studio.run(studio.workflow(speech=speech))).frames) == 5


def test_a_silent_recording_works(studio: Studio) -> None:
    speech = write_speech(studio.folder / "silent.wav", 0.2, volume=0.0)
    assert len(read_video(studio.run(studio.workflow(speech=speech))).frames) == 5


@pytest.mark.parametrize(
    ("size", "mode"), [((1, 1), "RGB"), ((300, 20), "RGB"), ((64, 64), "RGBA"), ((64, 64), "L")]
)
def test_pictures_of_any_size_and_kind_work(studio: Studio, size: tuple[int, int], mode: str) -> None:
    portrait = write_portrait(studio.folder / f"{mode}{size[0]}.png", size, mode)
    assert len(read_video(studio.run(studio.workflow(portrait=portrait))).frames) == 5


def test_a_recording_too_short_for_a_frame_is_one_clear_sentence(studio: Studio, tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "short.wav", 0.01)
    with pytest.raises(Failed, match=r"^execution_error in EADNetAudioEncode: The audio lasts 0\.010 s"):
        studio.client.run(studio.workflow(speech=speech))
