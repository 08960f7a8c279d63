from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from eadnet.adapters import apply_adapter, is_ead_key, read_adapter_info, save_adapter
from eadnet.checkpoints import save_checkpoint
from eadnet.errors import CheckpointError
from eadnet.modules.unet import EADUNet
from tests.tiny import UNET

PLAIN = {key: value for key, value in UNET.items() if key != "ead"}
INFO: dict[str, Any] = {"preset": "ead-256", "resolution": 256}


@pytest.fixture
def trained() -> EADUNet:
    torch.manual_seed(5)
    unet = EADUNet.from_config(UNET)
    for weights in unet.state_dict().values():
        weights.normal_(std=0.05)
    return unet


def outputs(unet: EADUNet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    sample = torch.randn(1, 13, 3, 4, 4, generator=generator)
    audio = torch.randn(1, 3, 10, 8, generator=generator)
    emotion = torch.randn(1, 8, 12, generator=generator)
    with torch.no_grad():
        return unet(sample, 500, audio, emotion if unet.emotion_dim else None)


@pytest.mark.slow
def test_the_parts_are_exactly_what_latentsync_lacks() -> None:
    whole, plain = (EADUNet.from_config(config).state_dict().keys() for config in (UNET, PLAIN))
    assert {key for key in whole if is_ead_key(key)} == whole - plain


@pytest.mark.slow
def test_base_and_adapter_together_are_the_trained_network(tmp_path: Path, trained: EADUNet) -> None:
    save_adapter(tmp_path / "adapter.safetensors", trained, INFO)
    base = EADUNet.from_config(PLAIN)
    base.load_state_dict({key: value for key, value in trained.state_dict().items() if not is_ead_key(key)})
    adapted = apply_adapter(base, tmp_path / "adapter.safetensors", INFO)
    expected = EADUNet.from_config(UNET)
    expected.load_state_dict(
        {k: v.half().float() if is_ead_key(k) else v for k, v in trained.state_dict().items()}
    )
    assert torch.equal(outputs(adapted), outputs(expected.eval()))


def test_the_file_holds_nothing_but_the_parts(tmp_path: Path, trained: EADUNet) -> None:
    from safetensors import safe_open

    save_adapter(tmp_path / "adapter.safetensors", trained, INFO)
    with safe_open(tmp_path / "adapter.safetensors", framework="pt") as file:
        assert set(file.keys()) == {key for key in trained.state_dict() if is_ead_key(key)} != set()


def test_another_resolution_is_refused(tmp_path: Path, trained: EADUNet) -> None:
    save_adapter(tmp_path / "adapter.safetensors", trained, INFO)
    with pytest.raises(CheckpointError, match="trained at 256 pixels and the U-Net at 512"):
        read_adapter_info(tmp_path / "adapter.safetensors", {**INFO, "resolution": 512})


def test_another_architecture_is_refused(tmp_path: Path, trained: EADUNet) -> None:
    save_adapter(tmp_path / "adapter.safetensors", trained, INFO)
    deeper = EADUNet.from_config({**PLAIN, "layers_per_block": 2})
    with pytest.raises(CheckpointError, match="The adapter adapter.safetensors lacks .* made for this U-Net"):
        apply_adapter(deeper, tmp_path / "adapter.safetensors", INFO)


def test_a_checkpoint_is_no_adapter(tmp_path: Path, trained: EADUNet) -> None:
    save_checkpoint(tmp_path / "whole.safetensors", {"unet": trained}, INFO)
    with pytest.raises(CheckpointError, match="not an adapter"):
        read_adapter_info(tmp_path / "whole.safetensors", INFO)


@pytest.mark.slow
def test_a_network_without_parts_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no EAD-Net parts"):
        save_adapter(tmp_path / "adapter.safetensors", EADUNet.from_config(PLAIN), INFO)
