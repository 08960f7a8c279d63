"""The U-Net's weights in core's care: by parts, in eight bits, mapped from their file, and what all takes."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from eadnet.presets import PRESETS
from tests.quick import some

GB = 1e9


@pytest.fixture
def model(nodes: Any, run: Callable[..., Any], tiny: str) -> Callable[..., Any]:
    """EADNET_MODEL of the tiny checkpoint."""
    return lambda **chosen: run(nodes.EADNetCheckpointLoader, checkpoint=tiny, **chosen)[0]


def _evaluate(unet: Any) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shapes = (1, 13, 5, 4, 4), (1, 5, 6, 8), (1, 7, 12)
    sample, audio, emotion = (torch.randn(shape, generator=generator) for shape in shapes)
    with torch.no_grad():
        result: Tensor = unet(sample, torch.tensor([500]), audio, emotion)
    return result


def _by_parts(patcher: Any, share: float) -> None:
    """As ComfyUI loads where so much of the weights fits."""
    patcher.patch_model(torch.device("cpu"), lowvram_model_memory=int(share * patcher.model_size()))
    assert patcher.model.model_lowvram


@pytest.mark.parametrize("share", some(1, [0.5, 0.01]))
def test_a_part_of_the_weights_on_the_device_gives_the_same_numbers(model: Any, share: float) -> None:
    held = model().network
    whole = _evaluate(held.use())
    held.patcher.detach()
    _by_parts(held.patcher, share)
    assert held.patcher.model.model_loaded_weight_memory <= share * held.get_ram_usage()
    assert torch.equal(_evaluate(held._unet), whole)


def test_a_lora_reaches_layers_that_are_not_on_the_device(model: Any) -> None:
    """Also those whose weights the network takes out of the layer (proj_in)."""
    held, other = model().network, model().network
    weight = held._unet.down_blocks[0].attentions[0].proj_in.weight
    key = "diffusion_model.down_blocks.0.attentions.0.proj_in.weight"
    patch = {key: ("diff", (0.3 * torch.ones_like(weight),))}
    plain = _evaluate(held.use())
    for patcher in (held.patcher, other.patcher):
        patcher.add_patches(patch, 1.0)
    whole = _evaluate(other.use())
    held.patcher.detach()
    _by_parts(held.patcher, 0.01)
    parts = _evaluate(held._unet)
    torch.testing.assert_close(parts, whole)
    assert not torch.allclose(parts, plain, atol=1e-3)


@pytest.mark.parametrize("kind", some(1, ["fp8_e4m3fn", "fp8_e5m2"]))
def test_eight_bits_store_the_matrices_alone_and_compute_in_more(model: Any, kind: str) -> None:
    full, small = model().network, model(weight_dtype=kind).network
    weights = small._unet.state_dict()
    stored = getattr(torch, kind.replace("fp8_", "float8_"))
    for name, weight in weights.items():
        matrix = name.endswith(".weight") and weight.ndim > 1
        assert weight.dtype == (stored if matrix else torch.float32), name
    expected, result = _evaluate(full.use()), _evaluate(small.use())
    assert result.dtype == torch.float32
    close = torch.nn.functional.cosine_similarity(result.flatten(), expected.flatten(), dim=0)
    assert 0.9 < close < 1


@pytest.mark.slow
def test_eight_bits_take_patches(model: Any) -> None:
    held = model(weight_dtype="fp8_e4m3fn").network
    before = _evaluate(held.use())
    patched = held.patcher.clone()
    weight = held._unet.mid_block.stda.to_qkv.weight
    key = "diffusion_model.mid_block.stda.to_qkv.weight"
    patched.add_patches({key: ("diff", (0.5 * torch.ones(weight.shape),))}, 1.0)
    importlib.import_module("comfy.model_management").load_models_gpu([patched])
    assert not torch.equal(_evaluate(held._unet), before)
    assert torch.equal(_evaluate(held.use()), before)


def test_weights_of_the_files_type_are_the_file_and_no_copy(
    submodule: Any, host: Any, model_folder: Any, tiny: str
) -> None:
    """Mapped: memory that the system may take back at any time."""
    load = submodule("eadnet.checkpoints").load_checkpoint
    types = host.UNetTypes(1)
    types.stored = types.computed = torch.float16
    unet = load(
        model_folder / tiny, only={"unet"}, dtype=torch.float16, build={"unet": types.build}
    ).component("unet")
    maps = [line.split() for line in open("/proc/self/maps", encoding="utf-8") if tiny in line]
    spans = [tuple(int(end, 16) for end in line[0].split("-")) for line in maps]
    if not spans:
        pytest.skip("this system does not say what is mapped")
    for name, weight in unet.state_dict().items():
        mapped = any(start <= weight.data_ptr() < stop for start, stop in spans)
        # Convolutions may be laid out anew for speed, one by one.
        assert mapped or weight.ndim == 4, name


class _FusedAttention(TorchFunctionMode):
    """Attention without the matrix of all pairs, as devices run it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


class _Live(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, but for those `known` before."""

    def __init__(self, known: Any) -> None:
        super().__init__()
        self._seen = {value.untyped_storage()._cdata for value in known}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(value, Tensor):
                self._count(value.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._seen:
            self._seen.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@pytest.mark.slow
def test_the_full_size_network_at_512_pixels_takes_six_gigabytes_and_four_by_parts(
    host: Any, submodule: Any
) -> None:
    """Counted without memory, in bfloat16: evaluations of 16 frames beside the weights."""
    memory = submodule("eadnet.rendering.memory")
    preset = PRESETS["ead-512"]
    types = host.UNetTypes(1)
    types.stored = types.computed = torch.bfloat16
    with torch.device("meta"), torch.no_grad():
        unet = types.build(preset.unet_config).to(torch.bfloat16).eval()
        state = unet.state_dict().values()
        weights = sum(value.numel() * value.itemsize for value in state)
        side, batch, frames = preset.resolution // 8, 3, 16
        sample = torch.empty(batch, 13, frames, side, side, dtype=torch.bfloat16)
        audio = torch.empty(batch, frames, 50, 384, dtype=torch.bfloat16)
        emotion = torch.empty(batch, 77, unet.emotion_dim, dtype=torch.bfloat16)
        with _Live(state) as live, _FusedAttention():
            unet(sample, torch.zeros(batch), audio, emotion)
    assert weights + live.peak < 6 * GB
    assert live.peak < 2.4 * GB  # a third more is soon lost where a frame of Python's holds what is used up
    assert live.peak < memory.unet_memory(unet, frames, side, branches=batch) < 1.3 * live.peak
    # By parts: what is computed, and the largest layers of which two may be under way.
    largest = sorted((module.weight.numel() * 2 for module in _layers(unet)), reverse=True)
    assert live.peak + sum(largest[:3]) < 4 * GB


def _layers(unet: Any) -> list[Any]:
    return [module for module in unet.modules() if isinstance(getattr(module, "weight", None), Tensor)]
