"""Runs the nodes inside a real ComfyUI tree, without its server. Skips where there is none.

The tree is `.comfyui/ComfyUI` (made by `python run.py comfy`) or the folder in EADNET_COMFYUI.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
TREE = Path(os.environ.get("EADNET_COMFYUI", ROOT / ".comfyui" / "ComfyUI"))
PACK = "custom_nodes_eadnet_under_test"  # ComfyUI, too, loads packs under a name of its own making


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The pack as ComfyUI imports it, with an empty base directory."""
    if not (TREE / "comfy" / "model_management.py").is_file():
        pytest.skip(f"no ComfyUI in {TREE}: run 'python run.py comfy' once, or set EADNET_COMFYUI")
    pytest.importorskip("torchsde", reason="ComfyUI's own requirements are not installed")
    sys.path.insert(0, str(TREE))
    try:
        from comfy.cli_args import args

        args.cpu = not torch.cuda.is_available()
        args.base_directory = str(tmp_path_factory.mktemp("base"))
        spec = importlib.util.spec_from_file_location(
            PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        spec.loader.exec_module(module)
        submodule("nodes.host").register_model_folder()
        yield module
    finally:
        sys.path.remove(str(TREE))


def submodule(name: str) -> Any:
    """A module of the pack, for instance "nodes.host" or "eadnet.errors"."""
    return importlib.import_module(f"{PACK}.{name}")


@pytest.fixture(scope="session", name="submodule")
def submodule_fixture(pack: ModuleType) -> Callable[[str], Any]:
    return submodule


@pytest.fixture(scope="session")
def nodes(pack: ModuleType) -> Any:
    """The node classes by name."""
    return SimpleNamespace(**{node.__name__: node for node in submodule("nodes").NODES})


@pytest.fixture(scope="session")
def host(pack: ModuleType) -> Any:
    return submodule("nodes.host")


@pytest.fixture(scope="session")
def types(pack: ModuleType) -> Any:
    return submodule("nodes.types")


@pytest.fixture(scope="session")
def input_error(pack: ModuleType) -> type[Exception]:
    return submodule("eadnet.errors").InputError


@pytest.fixture(scope="session")
def checkpoint_error(pack: ModuleType) -> type[Exception]:
    return submodule("eadnet.errors").CheckpointError


@pytest.fixture(scope="session")
def model_folder(pack: ModuleType) -> Path:
    """models/eadnet of the empty base directory."""
    import folder_paths

    folder = Path(folder_paths.models_dir) / "eadnet"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


MINI_UNET: dict[str, Any] = {
    "block_out_channels": [16, 32],
    "attention_head_dim": 2,
    "norm_num_groups": 4,
    "cross_attention_dim": 8,
    "down_block_types": ["CrossAttnDownBlock3D"] * 2,
    "up_block_types": ["CrossAttnUpBlock3D"] * 2,
    "layers_per_block": 1,
    "sample_size": 4,
    "motion_module_resolutions": [1, 2],
}


def unet_config(**changes: Any) -> dict[str, Any]:
    """The published U-Net's settings, shrunk to a few thousand weights."""
    presets = submodule("eadnet.presets")
    motion = {**presets.LATENTSYNC_UNET["motion_module_kwargs"], "num_attention_heads": 2}
    return {**presets.LATENTSYNC_UNET, **MINI_UNET, "motion_module_kwargs": motion, **changes}


EAD_PARTS: dict[str, Any] = {"emotion_attention": True, "emotion_dim": 12, "stda": {"heads": 3, "strip": 2}}


@pytest.fixture(scope="session")
def plain_config(pack: ModuleType) -> dict[str, Any]:
    """Configuration of a small LatentSync U-Net."""
    return unet_config()


@pytest.fixture(scope="session")
def ead_config(pack: ModuleType) -> dict[str, Any]:
    """The same with EAD-Net's parts."""
    return unet_config(ead=EAD_PARTS)


@pytest.fixture(scope="session")
def parts(ead_config: dict[str, Any]) -> dict[str, Any]:
    """Small random networks, one of each kind, as a checkpoint holds them."""
    torch.manual_seed(0)
    module = {
        name: submodule(f"eadnet.modules.{name}")
        for name in ("unet", "autoencoder", "mini_audio", "text_encoder", "tfrm")
    }
    tfrm = module["tfrm"].TFRM(hidden=8, top_k=3)
    torch.nn.init.normal_(tfrm.out.weight)  # trained, so that it does something
    return {
        "unet": module["unet"].EADUNet.from_config(ead_config),
        "vae": module["autoencoder"].MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)),
        "audio_encoder": module["mini_audio"].MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4),
        "text_encoder": module["text_encoder"].MiniTextEncoder(dim=12, length=8, layers=1, heads=2, buckets=64),
        "tfrm": tfrm,
    }


@pytest.fixture(scope="session")
def info(pack: ModuleType) -> dict[str, Any]:
    """The header of a small checkpoint: 32 pixels, so 4 x 4 latents."""
    info = submodule("eadnet.presets").PRESETS["mini"].info()
    return {**info, "preset": "tiny", "resolution": 32, "latent_rgb": [[0.1, 0.2, 0.3]] * 4 + [[0.5, 0.5, 0.5]]}


@pytest.fixture(scope="session")
def tiny(model_folder: Path, parts: dict[str, Any], info: dict[str, Any]) -> str:
    """A whole small checkpoint in models/eadnet, by its name there."""
    submodule("eadnet.checkpoints").save_checkpoint(model_folder / "tiny.safetensors", parts, info)
    return "tiny.safetensors"


@pytest.fixture(scope="session")
def loaded(nodes: Any, tiny: str) -> Any:
    """What the checkpoint loader gives for `tiny`."""
    names = ("model", "audio_encoder", "text_encoder", "vae", "tfrm", "syncnet")
    output = run(nodes.EADNetCheckpointLoader, checkpoint=tiny)
    return SimpleNamespace(**dict(zip(names, output)))


def run(node: Any, **inputs: Any) -> tuple[Any, ...]:
    """Execute a node as ComfyUI does, hidden inputs included."""
    clone = node.PREPARE_CLASS_CLONE({})
    return clone.EXECUTE_NORMALIZED(**inputs).result


@pytest.fixture(scope="session", name="run")
def run_fixture() -> Callable[..., tuple[Any, ...]]:
    return run


@pytest.fixture(scope="session")
def speech() -> Callable[..., dict[str, Any]]:
    return _speech


def _speech(seconds: float = 0.5, rate: int = 16000, channels: int = 1) -> dict[str, Any]:
    """An AUDIO: noise that swells and fades."""
    generator = torch.Generator().manual_seed(1)
    samples = int(seconds * rate)
    swell = torch.linspace(0, 12, samples).sin().abs()
    noise = torch.randn(1, channels, samples, generator=generator)
    return {"waveform": 0.2 * swell * noise, "sample_rate": rate}
