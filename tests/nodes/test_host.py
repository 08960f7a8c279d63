"""How the pack behaves as a guest of ComfyUI: it uses what the host offers and leaves the host as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.in_comfy import MISSING, has_comfy, run_in_comfy
from tests.tiny import write_tiny_checkpoint

# What a process has that a pack could change: the host's functions and classes, and settings of its own.
STATE = """
import asyncio, inspect, json, logging, os, signal, sys, tempfile
import torch
import comfy.model_management, comfy.model_patcher, comfy.sd, comfy.utils, comfy.sample, comfy.samplers
import comfy_api.latest, comfy_execution.progress, execution, folder_paths, latent_preview, nodes

HOST = [name for name in sys.modules if name.split(".")[0] in
        ("comfy", "comfy_api", "comfy_execution", "execution", "folder_paths", "latent_preview", "nodes",
         "torch", "numpy", "PIL", "av")]
OWN = ("comfy", "folder_paths", "latent_preview")

def state():
    "Every function and class of the host by identity, and the settings of the process."
    things = {}
    for name in HOST:
        for key, value in list(vars(sys.modules[name]).items()):
            if inspect.isclass(value) or inspect.isroutine(value):
                things[f"{name}.{key}"] = id(value)
                if inspect.isclass(value) and name.split(".")[0] in OWN:
                    own = {k: v for k, v in vars(value).items() if inspect.isroutine(v)}
                    things |= {f"{name}.{key}.{k}": id(v) for k, v in own.items()}
    things |= {f"environment {key}": value for key, value in os.environ.items()}
    things["path"] = sys.path[:]
    things["folder"] = os.getcwd()
    things["temporary"] = (tempfile.gettempdir(), folder_paths.get_temp_directory())
    things["output"] = folder_paths.get_output_directory()
    # Pictures that core shows in a node, and the list of a server's results, belong in its temporary folder.
    left = [name for name in os.listdir(folder_paths.get_temp_directory()) if not name.endswith(".png")]
    things["temporary files"] = sorted(set(left) - {"eadnet_results"})
    things["torch"] = (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(),
                       torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark,
                       torch.backends.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision())
    things["random"] = torch.initial_seed()
    things["signals"] = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    things["hooks"] = (id(sys.excepthook), id(sys.stdout), id(sys.stderr), id(__builtins__))
    things["logging"] = (logging.getLogger().level, [id(handler) for handler in logging.getLogger().handlers])
    kinds = folder_paths.folder_names_and_paths
    return things | {"folders": {key: str(kinds[key]) for key in kinds if key != "eadnet"}}

os.makedirs(folder_paths.get_temp_directory(), exist_ok=True)
before = state()
pack = load_pack()
extension = asyncio.run(pack.comfy_entrypoint())
kinds = {node.__name__: node for node in asyncio.run(extension.get_node_list())}

def run(name, **inputs):
    return kinds[name].PREPARE_CLASS_CLONE({}).EXECUTE_NORMALIZED(**inputs).result
"""

COMPARE = """
after = state()
every = before.keys() | after.keys()
print("FACTS" + json.dumps(sorted(key for key in every if before.get(key) != after.get(key))))
"""

# The main job, node by node, and the one that writes a file.
JOB = """
noise = torch.rand(1, 40, 48, 3)
audio = {"waveform": torch.rand(1, 1, 3200) - 0.5, "sample_rate": 16000}
sampling = {"seed": 1, "steps": 1, "audio_guidance": 1.5, "emotion_guidance": 1.5, "scheduler": "ddim",
            "window": 8, "overlap": 2}
model, encoder, words, vae, tfrm, _ = run("EADNetCheckpointLoader", checkpoint="tiny.safetensors")
tokens, count = run("EADNetAudioEncode", audio_encoder=encoder, audio=audio, fps=25.0, silence_gate=True)
emotion, _ = run("EADNetEmotionEncode", text_encoder=words, text="happy", strength=1.0)
latents, *_ = run("EADNetPrepare", model=model, vae=vae, images=noise, frame_count=count, mask_region="auto")
result, = run("EADNetSampler", model=model, audio=tokens, latents=latents, emotion=emotion, **sampling)
run("EADNetTFRMSmoother", tfrm=tfrm, samples=result, strength=1.0, top_k=0)
run("EADNetRenderVideo", model=model, vae=vae, audio_encoder=encoder, source=noise, **sampling, smoothing=1.0,
    length="bounce", fps=25.0, silence_gate=True, mask_region="auto", feather=0.05, colour_match=0.5,
    resume=True, filename_prefix="film", audio=audio, emotion=emotion, tfrm=tfrm)
"""


@pytest.mark.comfy
@pytest.mark.slow
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_the_host_is_as_it_was_after_loading_the_pack_and_after_a_render(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "models" / "eadnet" / "tiny.safetensors")
    changed = json.loads(run_in_comfy(STATE + JOB + COMPARE, tmp_path).rpartition("FACTS")[2])
    assert changed == []
    # Loading the pack leaves its examples, and a render one file, the one it was asked for; the crop that
    # Prepare shows is core's preview.
    files = (path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    made = {name for name in files if not (name.startswith("temp/") and name.endswith(".png"))}
    examples = {"input/ead-net-portrait.png", "input/ead-net-speech.wav", "input/ead-net-talking.mp4"}
    assert made == {"models/eadnet/tiny.safetensors", "output/film_00001_.mp4"} | examples


@pytest.mark.comfy
@pytest.mark.slow
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_a_change_of_the_host_would_be_noticed(tmp_path: Path) -> None:
    change = """
comfy.model_management.free_memory = lambda *arguments: None
comfy.sd.VAE.decode = lambda *arguments: None
os.environ["EADNET"] = "1"
torch.set_num_threads(torch.get_num_threads() + 1)
"""
    changed = json.loads(run_in_comfy(STATE + change + COMPARE, tmp_path).rpartition("FACTS")[2])
    assert {
        "comfy.model_management.free_memory",
        "comfy.sd.VAE.decode",
        "environment EADNET",
        "torch",
    } <= set(changed)


@pytest.mark.comfy
@pytest.mark.slow
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_the_same_job_is_done_without_a_network(tmp_path: Path) -> None:
    """Neither a connection nor a name look-up, and nothing of a hub's cache: its folders are empty here."""
    write_tiny_checkpoint(tmp_path / "models" / "eadnet" / "tiny.safetensors")
    alone = """
import os, sys, tempfile
calls = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        calls.append(f"{event} {arguments}")
        raise OSError("there is no network")
sys.addaudithook(hook)
os.environ["HF_HOME"] = os.environ["TORCH_HOME"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(dir=base)
"""
    print_calls = '\nimport json\nprint("FACTS" + json.dumps(calls))\n'
    assert json.loads(run_in_comfy(alone + STATE + JOB + print_calls, tmp_path).rpartition("FACTS")[2]) == []


@pytest.mark.comfy
@pytest.mark.slow
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_extra_model_paths_yaml_adds_a_folder_and_the_usual_one_stays_first(tmp_path: Path) -> None:
    """Whether the file says `eadnet:` with a folder of its own or beside those of other models."""
    shared = tmp_path / "shared"
    write_tiny_checkpoint(shared / "talking heads" / "elsewhere.safetensors")
    write_tiny_checkpoint(tmp_path / "models" / "eadnet" / "usual.safetensors")
    paths = tmp_path / "extra_model_paths.yaml"
    paths.write_text(f"mine:\n  base_path: {shared}\n  eadnet: talking heads\n  vae: vae\n", encoding="utf-8")
    code = f"""
import utils.extra_config
utils.extra_config.load_extra_path_config({str(paths)!r})
{STATE}
checkpoint = kinds["EADNetCheckpointLoader"].define_schema().inputs[0]
model, *_ = run("EADNetCheckpointLoader", checkpoint="elsewhere.safetensors")
folders = folder_paths.get_folder_paths("eadnet")
print("FACTS" + json.dumps([checkpoint.options, model.info.preset, folders]))
"""
    options, preset, folders = json.loads(run_in_comfy(code, tmp_path).rpartition("FACTS")[2])
    assert options[0] == "mini.safetensors"
    assert {"usual.safetensors", "elsewhere.safetensors"} < set(options)
    assert preset == "tiny"
    assert folders[0] == str(tmp_path / "models" / "eadnet")
    assert str(shared / "talking heads") in folders


def test_networks_go_where_comfyui_says(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options (`--cuda-device`, `--cpu`, `--directml`) decide the device; a node has no widget for it."""
    from comfy import model_management

    chosen, parked = torch.device("meta"), torch.device("meta", 1)
    monkeypatch.setattr(model_management, "get_torch_device", lambda: chosen)
    monkeypatch.setattr(model_management, "unet_offload_device", lambda: parked)
    held = host.Held(nn.Linear(2, 2))
    assert (held.patcher.load_device, held.patcher.offload_device) == (chosen, parked)
    assert host.compute_device() == chosen
