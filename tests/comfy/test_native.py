"""The MODEL in a real server: core samples what our sampler does, takes LoRA, and says what is wrong."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.comfy.client import Client, Failed, write_portrait, write_speech
from tests.in_comfy import ROOT
from tests.tiny import tiny_components
from tools.server import Server
from tools.workflow import load_workflow

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
NATIVE = load_workflow(ROOT / "workflows" / "api" / "cores_sampler.json")
OURS = load_workflow(ROOT / "workflows" / "api" / "talking_portrait_in_parts.json")
LAYER = "mid_block.attentions.0.transformer_blocks.0.emotion_attn.to_v"

Sample = Callable[..., torch.Tensor]


@pytest.fixture(scope="module")
def sample(server: Server) -> Sample:
    """Latents of a graph up to its sampler, with changed inputs by node, and nodes put in."""
    base = server.comfy.base
    assert base is not None
    write_portrait(base / "input" / "native.png", (64, 64))
    write_speech(base / "input" / "native.wav", 0.6)
    client = Client(server.port)

    def run(graph: dict, last: str, more: dict | None = None, **changes: dict[str, Any]) -> torch.Tensor:
        graph = {name: copy.deepcopy(part) for name, part in graph.items() if int(name) <= int(last)}
        graph["1"]["inputs"]["image"], graph["2"]["inputs"]["audio"] = "native.png", "native.wav"
        graph["3"]["inputs"]["checkpoint"] = "tiny.safetensors"
        graph |= more or {}
        for name, inputs in changes.items():
            graph[name.removeprefix("n")]["inputs"] |= inputs
        samples = {"samples": [last, 0], "filename_prefix": f"native_{uuid.uuid4().hex}"}
        graph["saved"] = {"class_type": "SaveLatent", "inputs": samples}
        before = set((base / "output").glob("*.latent"))
        client.run(graph)
        (made,) = set((base / "output").glob("*.latent")) - before
        return load_file(made)["latent_tensor"]

    return run


def native(sample: Sample, **changes: Any) -> torch.Tensor:
    sampling = {"n9": {"seed": 3, "steps": 3}, "n10": {"cfg_conds": 2.0, "cfg_cond2_negative": 1.7}}
    return sample(NATIVE, "11", **{"n7": {"window": 8, "overlap": 2}, **sampling, **changes})


def test_core_samples_what_our_sampler_does(sample: Sample) -> None:
    settings = {"seed": 3, "steps": 3, "audio_guidance": 1.7, "emotion_guidance": 2.0}
    ours = sample(OURS, "7", n7={**settings, "window": 8, "overlap": 2})
    assert len(ours) == 15
    torch.testing.assert_close(native(sample), ours, rtol=0, atol=1e-4)


def test_a_lora_changes_the_frames_and_goes_again(sample: Sample, server: Server) -> None:
    assert server.comfy.base is not None
    folder = server.comfy.base / "models" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    outputs, inputs = tiny_components()["unet"].state_dict()[f"{LAYER}.weight"].shape
    stem = f"diffusion_model.{LAYER}"
    pair = {f"{stem}.lora_A.weight": torch.ones(1, inputs), f"{stem}.lora_B.weight": torch.ones(outputs, 1)}
    save_file(pair, folder / "own.safetensors")
    save_file(
        {name.replace("mid_block", "blocks"): part for name, part in pair.items()}, folder / "f.safetensors"
    )

    def with_lora(name: str) -> torch.Tensor:
        lora = {"lora_name": name, "strength_model": 0.5, "model": ["7", 0]}
        node = {"lora": {"class_type": "LoraLoaderModelOnly", "inputs": lora}}
        guider = {"cfg_conds": 2.0, "cfg_cond2_negative": 1.7, "model": ["lora", 0]}
        return native(sample, more=node, n10=guider)

    before = native(sample)
    assert not torch.allclose(with_lora("own.safetensors"), before, atol=1e-3)
    # Another seed, so that nothing comes from the server's cache.
    again = native(sample, n9={"seed": 4, "steps": 3})
    settings = {"seed": 4, "steps": 3, "audio_guidance": 1.7, "emotion_guidance": 2.0}
    ours = sample(OURS, "7", n7={**settings, "window": 8, "overlap": 2})
    torch.testing.assert_close(again, ours, rtol=0, atol=1e-4)
    with pytest.raises(Failed) as failed:
        with_lora("f.safetensors")
    assert "LoRA is of another model" in failed.value.data["exception_message"]


def test_eight_bits_and_plain_ksampler(sample: Sample, server: Server) -> None:
    common = {"model": ["7", 0], "positive": ["8", 0], "negative": ["8", 2], "latent_image": ["8", 3]}
    settings = {"seed": 3, "steps": 3, "cfg": 1.5, "sampler_name": "euler", "scheduler": "sgm_uniform"}
    node = {"11": {"class_type": "KSampler", "inputs": {**common, **settings, "denoise": 1.0}}}
    plain = sample(NATIVE, "11", more=node)
    small = sample(NATIVE, "11", more=node, n3={"weight_dtype": "fp8_e4m3fn"})
    assert plain.shape == small.shape == (15, 4, 4, 4) and torch.isfinite(small).all()
    assert not torch.equal(plain, small)
    assert torch.nn.functional.cosine_similarity(plain.flatten(), small.flatten(), dim=0) > 0.9
