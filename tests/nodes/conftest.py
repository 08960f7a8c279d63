"""Runs the nodes beside ComfyUI's own modules, without its server. Skips where there is no ComfyUI."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tests.tiny import write_tiny_checkpoint

PACK = "eadnet_pack_under_test"  # ComfyUI, too, loads packs under a name of its own making


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The pack as ComfyUI imports it, with an empty base directory."""
    if not has_comfy():
        pytest.skip(MISSING)
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
        importlib.import_module(f"{PACK}.nodes.host").register_model_folder()
        yield module
    finally:
        sys.path.remove(str(TREE))


@pytest.fixture(scope="session")
def submodule(pack: ModuleType) -> Callable[[str], Any]:
    """Gives a module of the pack, for instance "nodes.host" or "eadnet.errors".

    The pack's `eadnet` is another copy of the package than the one tests import, with classes of its own.
    """
    return lambda name: importlib.import_module(f"{PACK}.{name}")


@pytest.fixture(scope="session")
def nodes(submodule: Callable[[str], Any]) -> Any:
    """The node classes by name."""
    return SimpleNamespace(**{node.__name__: node for node in submodule("nodes").NODES})


@pytest.fixture(scope="session")
def host(submodule: Callable[[str], Any]) -> Any:
    return submodule("nodes.host")


@pytest.fixture(scope="session")
def types(submodule: Callable[[str], Any]) -> Any:
    return submodule("nodes.types")


@pytest.fixture(scope="session")
def input_error(submodule: Callable[[str], Any]) -> type[Exception]:
    return submodule("eadnet.errors").InputError


@pytest.fixture(scope="session")
def checkpoint_error(submodule: Callable[[str], Any]) -> type[Exception]:
    return submodule("eadnet.errors").CheckpointError


@pytest.fixture(scope="session")
def model_folder(pack: ModuleType) -> Path:
    """models/eadnet of the empty base directory."""
    import folder_paths

    folder = Path(folder_paths.models_dir) / "eadnet"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> str:
    """A whole small checkpoint in models/eadnet, by its name there: 32 pixels, so 4 x 4 latents."""
    return write_tiny_checkpoint(model_folder / "tiny.safetensors").name


@pytest.fixture(scope="session")
def run() -> Callable[..., tuple[Any, ...]]:
    """Executes a node as ComfyUI does, hidden inputs included: `run(node, name=value, ...)` -> outputs."""

    def execute(node: Any, **inputs: Any) -> tuple[Any, ...]:
        return node.PREPARE_CLASS_CLONE({}).EXECUTE_NORMALIZED(**inputs).result

    return execute


@pytest.fixture(scope="session")
def loaded(nodes: Any, run: Callable[..., tuple[Any, ...]], tiny: str) -> Any:
    """What the checkpoint loader gives for `tiny`."""
    names = ("model", "audio_encoder", "text_encoder", "vae", "tfrm", "syncnet")
    output = run(nodes.EADNetCheckpointLoader, checkpoint=tiny)
    return SimpleNamespace(**dict(zip(names, output, strict=True)))


@pytest.fixture(scope="session")
def speech() -> Callable[..., dict[str, Any]]:
    """Makes an AUDIO: noise that swells and fades."""

    def make(seconds: float = 0.5, rate: int = 16000, channels: int = 1) -> dict[str, Any]:
        samples = round(seconds * rate)
        swell = torch.linspace(0, 12, samples).sin().abs()
        noise = torch.randn(1, channels, samples, generator=torch.Generator().manual_seed(1))
        return {"waveform": 0.2 * swell * noise, "sample_rate": rate}

    return make
