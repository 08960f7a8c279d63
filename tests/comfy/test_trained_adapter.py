"""What `eadnet train adapter` wrote, chosen in EAD-Net Load LatentSync of a real server."""

from __future__ import annotations

import copy
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from eadnet.checkpoints import load_checkpoint, save_checkpoint
from eadnet.cli import main
from eadnet.presets import PRESETS
from tests.comfy.client import Client, write_portrait, write_speech
from tests.in_comfy import ROOT
from tests.training.prepared_world import noise_crops, write_networks, write_prepared
from tools.server import Server
from tools.workflow import load_workflow

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
PARTS = load_workflow(ROOT / "workflows" / "api" / "talking_portrait_in_parts.json")
SIDE = 256  # the page's, as the base's header says; the networks are small ones
UNET, WHISPER, ADAPTER = "latentsync-1.5.safetensors", "whisper-tiny.safetensors", "trained.safetensors"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of docs/train-on-real-video.md, and run/adapter.safetensors by its command."""
    folder = tmp_path_factory.mktemp("trained")
    files = write_networks(folder / "networks")
    unet = load_checkpoint(files.base).component("unet")
    save_checkpoint(folder / UNET, {"unet": unet}, PRESETS["latentsync-1.5"].info())
    assert files.whisper is not None
    shutil.copy(files.whisper, folder / WHISPER)
    made = write_prepared(folder / "sets", noise_crops(4, SIDE), resolution=SIDE)
    words = ["train", "adapter", "--set", made, "--out", folder / "run", "--base", folder / UNET]
    words += ["--text", files.text, "--vae", files.vae, "--whisper", folder / WHISPER]
    words += [
        "--steps",
        6,
        "--window",
        4,
        "--rate",
        "1e-2",
        "--average",
        "0.5",
        "--validate-every",
        0,
        "--cpu",
    ]
    assert main(list(map(str, words))) == 0
    return folder


def test_it_changes_the_frames_follows_the_sentence_and_none_restores_the_base_bit_for_bit(
    server: Server, trained: Path
) -> None:
    base = server.comfy.base
    assert base is not None
    for source, name in (
        (trained / UNET, UNET),
        (trained / WHISPER, WHISPER),
        (trained / "run" / "adapter.safetensors", ADAPTER),
    ):
        shutil.copy(source, base / "models" / "eadnet" / name)
    write_portrait(base / "input" / "adapter.png", (SIDE, SIDE))
    write_speech(base / "input" / "adapter.wav", 0.2)
    client = Client(server.port)

    def latents(adapter: str, text: str = "very angry") -> torch.Tensor:
        graph: dict[str, Any] = {name: copy.deepcopy(PARTS[name]) for name in ("1", "2", "4", "5", "6", "7")}
        graph["1"]["inputs"]["image"], graph["2"]["inputs"]["audio"] = "adapter.png", "adapter.wav"
        chosen = {"unet": UNET, "whisper": WHISPER, "adapter": adapter}
        graph["3"] = {"class_type": "EADNetLatentSyncLoader", "inputs": chosen}
        graph["8"] = {"class_type": "EADNetCheckpointLoader", "inputs": {"checkpoint": "tiny.safetensors"}}
        graph["4"]["inputs"] |= {"text_encoder": ["8", 2], "text": text}
        graph["6"]["inputs"] |= {"vae": ["8", 3], "check_face": False}
        graph["7"]["inputs"] |= {"steps": 2, "window": 4, "overlap": 0}
        samples = {"samples": ["7", 0], "filename_prefix": f"adapter_{uuid.uuid4().hex}"}
        graph["saved"] = {"class_type": "SaveLatent", "inputs": samples}
        if adapter == "none":  # the base hears no sentence
            del graph["4"], graph["7"]["inputs"]["emotion"]
        before = set((base / "output").glob("*.latent"))
        client.run(graph)
        (made,) = set((base / "output").glob("*.latent")) - before
        return load_file(made)["latent_tensor"]

    plain, angry, happy, after = (
        latents("none"), latents(ADAPTER), latents(ADAPTER, "looking happy"), latents("none")
    )  # fmt: skip
    assert plain.shape == angry.shape and plain.shape[-1] == SIDE // 8
    assert (angry - plain).abs().max() > 1e-2
    assert (angry - happy).abs().max() > 1e-3
    assert torch.equal(plain, after)
