"""The checkpoint file: what is saved comes back, and what is wrong with a file is said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eadnet.checkpoints import (
    CLASSES,
    bundled_mini,
    component_class,
    count_parameters,
    load_checkpoint,
    named_checkpoint,
    read_info,
    save_checkpoint,
)
from eadnet.errors import CheckpointError
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.tfrm import TFRM
from tests.tiny import write_tiny_checkpoint

INFO = {
    "preset": "mini",
    "resolution": 64,
    "fps": 25,
    "mask_region": "mouth",
    "scheduler": {"beta_end": 0.012},
}


def components() -> dict[str, Any]:
    torch.manual_seed(0)
    vae = MiniAutoencoder(8, 1, (8, 8, 8), (1, 1, 1))
    vae.latent_mean.fill_(0.25)
    return {"vae": vae, "tfrm": TFRM(hidden=8)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, components(), INFO)
    return path


def rewrite(path: Path, header: Any = None, **tensors: torch.Tensor | None) -> Path:
    """The same file with another header or other tensors (None removes one)."""
    with safe_open(path, "pt") as source:
        metadata = dict(source.metadata())
    state: dict[str, Any] = {**load_file(path), **tensors}
    if header is not None:
        metadata["eadnet"] = header if isinstance(header, str) else json.dumps(header)
    save_file({key: value for key, value in state.items() if value is not None}, path, metadata)
    return path


def test_what_is_saved_comes_back_bit_by_bit(tmp_path: Path) -> None:
    path, saved = tmp_path / "deep" / "full.safetensors", components()
    save_checkpoint(path, saved, INFO, dtype=None)
    loaded = load_checkpoint(path)
    assert set(loaded.components) == set(saved)
    for name, module in saved.items():
        got = loaded.component(name)
        assert type(got) is type(module) and got.config == module.config and not got.training
        for key, value in module.state_dict().items():
            assert torch.equal(got.state_dict()[key], value), key
    assert (loaded.preset, loaded.resolution, loaded.fps, loaded.mask_region) == ("mini", 64, 25.0, "mouth")
    assert loaded.scheduler_config == {"beta_end": 0.012}


def test_weights_are_stored_in_half_precision_and_loaded_in_the_type_asked_for(file: Path) -> None:
    stored = load_file(file)["vae.latent_mean"]
    assert stored.dtype == torch.float16
    assert next(load_checkpoint(file).component("vae").parameters()).dtype == torch.float32
    assert (
        next(load_checkpoint(file, dtype=torch.bfloat16).component("vae").parameters()).dtype
        == torch.bfloat16
    )


def test_tables_that_are_computed_and_not_stored_are_there_after_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithTable(TFRM):
        def __init__(self, **config: Any) -> None:
            super().__init__(**config)
            self.register_buffer("table", torch.arange(3.0), persistent=False)
            self.plain = torch.arange(2.0)

    monkeypatch.setattr("eadnet.modules.tfrm.WithTable", WithTable, raising=False)
    monkeypatch.setitem(CLASSES, "WithTable", ".modules.tfrm")
    save_checkpoint(tmp_path / "x.safetensors", {"tfrm": WithTable(hidden=8)}, INFO)
    loaded: Any = load_checkpoint(tmp_path / "x.safetensors").component("tfrm")
    assert loaded.table.tolist() == [0, 1, 2] and loaded.plain.tolist() == [0, 1]


def test_loaded_networks_can_be_trained_on(file: Path) -> None:
    vae: Any = load_checkpoint(file).component("vae")
    vae.decode(torch.zeros(1, 4, 2, 2)).square().mean().backward()
    assert all(p.requires_grad for p in vae.parameters())


def test_parts_can_be_loaded_alone(file: Path) -> None:
    loaded = load_checkpoint(file, only=["tfrm"])
    assert list(loaded.components) == ["tfrm"]
    with pytest.raises(CheckpointError, match="contains tfrm but no vae"):
        loaded.component("vae")
    with pytest.raises(CheckpointError, match=r"has no syncnet, unet \(it contains tfrm, vae\)"):
        load_checkpoint(file, only=["unet", "syncnet"])


def test_the_header_is_read_without_the_weights(file: Path) -> None:
    info = read_info(file)
    assert info["preset"] == "mini" and info["components"]["tfrm"]["class"] == "TFRM"
    sizes = {name: sum(v.numel() for v in m.state_dict().values()) for name, m in components().items()}
    assert count_parameters(file) == sizes


def test_an_interrupted_save_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full_disk(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("eadnet.checkpoints.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(file, components(), INFO)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_weights_that_half_precision_cannot_hold_are_not_saved(tmp_path: Path) -> None:
    parts = components()
    parts["vae"].latent_mean.fill_(1e6)
    with pytest.raises(CheckpointError, match="vae.latent_mean is not finite as torch.float16"):
        save_checkpoint(tmp_path / "x.safetensors", parts, INFO)


def test_non_contiguous_weights_survive(tmp_path: Path) -> None:
    parts = components()
    weight = parts["vae"].encoder[1].weight
    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "x.safetensors", parts, INFO, dtype=None)
    loaded = load_checkpoint(tmp_path / "x.safetensors").component("vae")
    assert torch.equal(loaded.encoder[1].weight, weight)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file .*gone.safetensors"):
        load_checkpoint(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(("name", "nearest"), [("maxi", "mini"), ("Motion2", "motion")])
def test_a_word_that_is_no_file_is_answered_with_the_nearest_bundled_checkpoint(
    name: str, nearest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"no bundled checkpoint '{name}': did you mean {nearest}?"):
        named_checkpoint(name)
    (tmp_path / name).touch()
    assert named_checkpoint(name) == Path(name), "a file of that name is a file"
    assert named_checkpoint(f"{name}.safetensors") == Path(f"{name}.safetensors")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.999])
def test_a_truncated_file_is_named(file: Path, kept: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CheckpointError, match=r"model.safetensors is truncated or damaged \(\d+ bytes\)"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a safetensors file"),
        (b"hello, world, this is no model", "is not a safetensors file"),
        (b"PK\3\4" + b"x" * 99, "PyTorch file: convert it"),
    ],
)
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_info(path)


def test_safetensors_of_another_program_are_named(tmp_path: Path) -> None:
    path = tmp_path / "sd15.safetensors"
    save_file({"model.weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="without EAD-Net's header.*'model.weight'.*convert"):
        load_checkpoint(path)


@pytest.mark.parametrize("header", ["{not json", "[]", "{}", {"format": 1, "components": {"vae": {}}}])
def test_a_damaged_header_is_named(file: Path, header: Any) -> None:
    with pytest.raises(CheckpointError, match="header in model.safetensors is damaged"):
        load_checkpoint(rewrite(file, header))


def test_a_newer_format_asks_for_an_update(file: Path) -> None:
    with pytest.raises(CheckpointError, match="has format 2 and this version reads 1: update"):
        load_checkpoint(rewrite(file, {**read_info(file), "format": 2}))


def test_an_unknown_class_asks_for_an_update(file: Path) -> None:
    info = read_info(file)
    info["components"]["vae"]["class"] = "os.system"
    with pytest.raises(
        CheckpointError, match="needs the class 'os.system', which this version does not have"
    ):
        load_checkpoint(rewrite(file, info))


def test_a_configuration_that_does_not_fit_the_class_is_named(file: Path) -> None:
    info = read_info(file)
    info["components"]["vae"]["config"]["colour"] = "red"
    with pytest.raises(CheckpointError, match="configuration of vae in model.safetensors does not fit"):
        load_checkpoint(rewrite(file, info))


def test_a_missing_tensor_is_named(file: Path) -> None:
    with pytest.raises(CheckpointError, match="vae in model.safetensors lacks latent_mean"):
        load_checkpoint(rewrite(file, **{"vae.latent_mean": None}))


def test_a_tensor_too_many_is_named(file: Path) -> None:
    with pytest.raises(CheckpointError, match="has the unknown extra"):
        load_checkpoint(rewrite(file, **{"vae.extra": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match="contains stray.weight, which its header does not describe"):
        load_checkpoint(rewrite(file, **{"vae.extra": None, "stray.weight": torch.zeros(1)}))


def test_a_wrong_shape_is_named(file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"latent_std of shape \[7\] where \[1, 4, 1, 1\] is needed"):
        load_checkpoint(rewrite(file, **{"vae.latent_std": torch.zeros(7)}))


def test_a_header_without_a_needed_entry_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "x.safetensors", components(), {})
    with pytest.raises(CheckpointError, match="has no 'resolution'"):
        _ = load_checkpoint(tmp_path / "x.safetensors").resolution


def test_a_network_the_format_does_not_know_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="A Linear cannot be saved"):
        save_checkpoint(tmp_path / "x.safetensors", {"unet": torch.nn.Linear(1, 1)}, INFO)


@pytest.mark.parametrize("name", CLASSES)
def test_every_registered_class_exists(name: str) -> None:
    assert component_class(name).__name__ == name


def test_the_bundled_checkpoint_is_found_or_named_as_missing() -> None:
    try:
        assert read_info(bundled_mini())["preset"] == "mini"
    except CheckpointError as error:
        assert "mini.safetensors is missing" in str(error)


def test_convolutions_of_the_unet_are_stored_as_they_compute(tmp_path: Path) -> None:
    """Channels-last, or each would copy its weights at every call; the numbers are those of the file."""
    path = write_tiny_checkpoint(tmp_path / "tiny.safetensors")
    weight = load_checkpoint(path).component("unet").state_dict()["conv_in.weight"]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(weight, load_file(path)["unet.conv_in.weight"].float())
