"""comfy-cli against the real server: what run.py relies on, and its verdict on every workflow of the pack."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eadnet.media.video import read_video
from tests.comfy.client import Client, Studio, node_id, write_speech
from tests.in_comfy import ROOT
from tools.comfy_cli import ComfyCli
from tools.errors import ServerError
from tools.server import Server

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
# Files that a workflow names and that do not come with the pack. Validation reads their names alone.
NOT_BUNDLED = (
    "eadnet/latentsync-1.6.safetensors",
    "eadnet/whisper-tiny.safetensors",
    "vae/vae-ft-mse-840000-ema-pruned.safetensors",
)


def comfy(cli: ComfyCli, *arguments: str | Path) -> dict:
    """The envelope of a comfy-cli command."""
    *_, envelope = cli.events(*arguments)
    assert envelope["type"] == "envelope"
    return envelope


def written(workflow: dict, folder: Path) -> Path:
    path = folder / "workflow.json"
    path.write_text(json.dumps(workflow), encoding="utf-8")
    return path


def test_comfy_run_makes_the_video_and_tells_how_far_it_is(cli: ComfyCli, studio: Studio) -> None:
    workflow = studio.workflow(seed=21)
    events: list[dict] = []
    made = cli.run(written(workflow, studio.folder), studio.server.port, events.append)
    (video,) = (item for item in made if item["filename"].endswith(".mp4"))
    path = studio.base / "output" / video["subfolder"] / video["filename"]
    assert len(read_video(path).frames) == 5
    sampler = node_id(workflow, "EADNetSampler")
    steps = [(e["completed"], e["total"]) for e in events if e["type"] == "progress" and e["node"] == sampler]
    assert steps[0] == (1, 2)
    queued = next(event for event in events if event["type"] == "queued")
    assert {node["node_id"] for node in queued["nodes"]} == set(workflow)


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("EADNetSampler", {"steps": -1}, r"steps=-1 below catalog min"),
        ("EADNetSampler", {"window": 8, "overlap": 8}, r"overlap \(context_overlap\) is 8 frames"),
        ("LoadImage", {"image": "nobody.png"}, r"image - Invalid image file: nobody\.png"),
    ],
)
def test_a_refused_workflow_names_the_node_the_input_and_the_reason(
    cli: ComfyCli, studio: Studio, kind: str, inputs: dict, message: str
) -> None:
    workflow = studio.workflow(seed=22)
    node = node_id(workflow, kind)
    workflow[node]["inputs"].update(inputs)
    title = workflow[node]["_meta"]["title"]
    with pytest.raises(ServerError, match=rf"{title} \(node {node}\): .*{message}"):
        cli.run(written(workflow, studio.folder), studio.server.port)


def test_a_node_that_fails_says_why_in_its_own_words(cli: ComfyCli, studio: Studio, tmp_path: Path) -> None:
    workflow = studio.workflow(speech=write_speech(tmp_path / "short.wav", 0.01))
    with pytest.raises(
        ServerError, match=r"^EADNetAudioEncode \(node \d+\) failed: The audio lasts 0\.010 s"
    ):
        cli.run(written(workflow, studio.folder), studio.server.port)


def test_every_workflow_is_valid(cli: ComfyCli, server: Server, tmp_path: Path) -> None:
    """Both the graphs the browser loads and those in API format, against the nodes of the running server."""
    assert server.comfy.base is not None
    models = server.comfy.base / "models"
    made = [models / name for name in NOT_BUNDLED]
    for model in made:
        model.parent.mkdir(exist_ok=True)
        model.touch()
    nodes = tmp_path / "object_info.json"
    nodes.write_bytes(Client(server.port).request("/object_info"))
    for model in made:
        model.unlink()
    workflows = sorted((ROOT / "workflows").rglob("*.json"))
    assert len(workflows) >= 20

    def validate(path: Path) -> dict:
        return comfy(cli, "workflow", "validate", "--workflow", path, "--input", nodes)

    with ThreadPoolExecutor(2) as pool:
        verdicts = dict(zip(map(str, workflows), pool.map(validate, workflows), strict=True))
    found = {name: verdict["data"] or verdict["error"] for name, verdict in verdicts.items()}
    assert {name: facts for name, facts in found.items() if facts.get("errors") != []} == {}
    assert {name: facts["warnings"] for name, facts in found.items() if facts["warnings"]} == {}


def test_a_workflow_with_a_node_that_does_not_exist_is_not_valid(
    cli: ComfyCli, studio: Studio, tmp_path: Path
) -> None:
    nodes = tmp_path / "object_info.json"
    nodes.write_bytes(studio.client.request("/object_info"))
    workflow = studio.workflow()
    workflow[node_id(workflow, "EADNetSampler")]["class_type"] = "EADNetSamplr"
    verdict = comfy(cli, "workflow", "validate", "--workflow", written(workflow, tmp_path), "--input", nodes)
    assert not verdict["ok"] and verdict["data"]["errors"][0]["code"] == "unknown_class_type"
