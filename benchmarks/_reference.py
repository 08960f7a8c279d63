"""A checkout of the published LatentSync, run as it is: nothing of it is copied, and nothing is changed.

Modules that it imports but that are not installed (decord, insightface, ...) are stood in for by empty ones:
the parts measured here do not call them.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

INTERVAL, BRANCH = 3, 0  # of the cache in the published command, `--enable_deepcache`


class _Nothing(ModuleType):
    """Whatever is asked of it is there; calling it is an error."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _StandIns(MetaPathFinder, Loader):
    """Modules of packages that are not installed, where the reference imports them."""

    NAMES = ("decord", "insightface", "soundfile", "matplotlib", "kornia", "cv2", "imageio", "torchvision")

    def __init__(self) -> None:
        self.missing = {name for name in self.NAMES if importlib.util.find_spec(name) is None}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name.partition(".")[0] in self.missing else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Nothing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class Reference:
    """What is measured of a checkout. Raises SystemExit, one sentence, where it is none."""

    def __init__(self, path: Path) -> None:
        if not (path / "latentsync" / "models" / "unet.py").is_file():
            raise SystemExit(f"{path} is no checkout of LatentSync: it has no latentsync/models/unet.py.")
        self.path = path
        self._finder = _StandIns()
        sys.meta_path.append(self._finder)
        sys.path.insert(0, str(path))
        self._unet = importlib.import_module("latentsync.models.unet")

    @property
    def version(self) -> str:
        """The commit, if the checkout knows it."""
        asked = ["git", "-C", str(self.path), "rev-parse", "--short", "HEAD"]
        try:
            return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    def unet(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
        """Its network with our weights: the keys are the same."""
        network = self._unet.UNet3DConditionModel.from_config(dict(config))
        network.load_state_dict(dict(weights))
        result: nn.Module = network.eval()
        return result

    def cached(self, network: nn.Module, scheduler: Any) -> Callable[[], Any]:
        """A context in which the network caches as in the published command; needs the package DeepCache."""
        # A package of the reference, not of ours: whoever compares has it.
        deep_cache: Any = importlib.import_module("DeepCache")
        helper = deep_cache.DeepCacheSDHelper(pipe=SimpleNamespace(unet=network, scheduler=scheduler))
        helper.set_params(cache_interval=INTERVAL, cache_branch_id=BRANCH)

        @contextmanager
        def within() -> Any:
            helper.enable()
            try:
                yield
            finally:
                helper.disable()

        return within

    def restorer(self, resolution: int) -> Any:
        """What cuts faces out and puts them back, in float32 on the processor; None where kornia or OpenCV is
        missing.
        """
        if self._finder.missing & {"kornia", "cv2"}:
            return None
        module = importlib.import_module("latentsync.utils.affine_transform")
        return module.AlignRestore(resolution=resolution, device="cpu", dtype=torch.float32)

    def whisper_encoder(self, dimensions: tuple[int, int, int, int, int]) -> nn.Module:
        """Its encoder of sound with random weights: mel bands, rows, width, heads, layers."""
        module = importlib.import_module("latentsync.whisper.whisper.model")
        network: nn.Module = module.AudioEncoder(*dimensions)
        return network.eval()
