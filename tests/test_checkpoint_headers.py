"""Headers that lie: one sentence for each, at once, and before any tensor is made."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from eadnet.adapters import apply_adapter, save_adapter
from eadnet.checkpoints import bundled_mini, load_checkpoint, read_info, save_checkpoint
from eadnet.errors import CheckpointError, InputError
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.modules.unet import EADUNet
from eadnet.modules.whisper import WhisperEncoder
from eadnet.presets import PRESETS
from eadnet.weights import finite, open_weights
from tests.quick import some
from tests.tiny import UNET, tiny_components

NUMBERS: list[Any] = [
    -5, 0, 1, 3, 7, 10**9, 10**30, -1, 1e9, 1e-9, 1e999, float("nan"), True, None, "x", "\ud800", [], {},
    [1, 2, 3], [10**9] * 3, {"a": 1}, "9" * 500, 2**31, 2**63,
]  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    found = tiny_components()
    found["syncnet"] = MiniSyncNet(widths=(8, 8, 8, 8), hidden=16, dim=8)
    found["whisper"] = WhisperEncoder(80, 20, 12, 2, 1)
    return found


@pytest.fixture(scope="module")
def whole(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a checkpoint behind its header, and the header."""
    path = tmp_path_factory.mktemp("whole") / "a.safetensors"
    info = {**PRESETS["mini"].info(), "resolution": 32, "latent_rgb": [[0.1, 0.2, 0.3]] * 5}
    save_checkpoint(path, parts, info)
    load_checkpoint(path)  # the first time, torch imports for seconds what it builds networks with
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return data[8 + length :], json.loads(data[8 : 8 + length])


def write(path: Path, body: bytes, header: Any) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a header."""
    if way:
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*way, key))


def changed(value: Any, way: tuple[Any, ...], to: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inside = copy
    for key in way[:-1]:
        inside = inside[key]
    inside[way[-1]] = to
    return copy


def check_loads_or_says(path: Path) -> bool:
    """Whether it loads; anything but that or one sentence fails, and so does taking long."""
    started = time.process_time()
    try:
        load_checkpoint(path)
    except CheckpointError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        str(error).encode()
        return False
    finally:
        assert time.process_time() - started < 3
    return True


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_a_header_with_any_value_replaced_loads_or_is_refused_in_one_sentence(
    tmp_path: Path, whole: tuple[bytes, dict[str, Any]], part: int
) -> None:
    body, header = whole
    info = json.loads(header["__metadata__"]["eadnet"])
    rng = random.Random(part)
    ways = list(places(info))
    loaded = 0
    for _ in range(20):
        lie = changed(info, rng.choice(ways), rng.choice(NUMBERS))
        metadata = {"eadnet": json.dumps(lie)}
        loaded += check_loads_or_says(
            write(tmp_path / "a.safetensors", body, {**header, "__metadata__": metadata})
        )
    assert loaded < 14, "most lies are found"
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 4))])
def test_so_does_a_tensor_that_is_described_wrongly(
    tmp_path: Path, whole: tuple[bytes, dict[str, Any]], part: int
) -> None:
    body, header = whole
    rng = random.Random(part)
    keys = [key for key in header if key != "__metadata__"]
    for _ in range(40):
        key = rng.choice(keys)
        field = rng.choice(["dtype", "shape", "data_offsets"])
        lies: dict[str, list[Any]] = {
            "dtype": ["F64", "I64", "I16", "U8", "BOOL", "BF16", "F8_E4M3", "C64", "X", 5],
            "shape": [[], [0], [-1], [10**9], [2**63, 2**63], [1] * 300, "x", [1.5], [10**30]],
            "data_offsets": [[0, 0], [0, 10**12], [5, 1], [-1, 4], [0], [10**30, 10**30], "x"],
        }
        to = rng.choice(lies[field])
        lie = {**header, key: {**header[key], field: to}}
        check_loads_or_says(write(tmp_path / "a.safetensors", body, lie))


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"{}",
        b"[]",
        b"null",
        b"\xff" * 100,
        b'{"__metadata__":{"eadnet":"' + b"[" * 100_000 + b'"}}',
        b'{"__metadata__":{"eadnet":"{\\"format\\":' + b"9" * 5000 + b'}"}}',
        b'{"__metadata__":{"eadnet":7}}',
        b'{"' + b"n" * 70_000 + b'":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        b"",
    ],
    ids=lambda header: repr(header[:24]),
)
def test_headers_that_are_none_are_refused_in_one_sentence(tmp_path: Path, header: bytes) -> None:
    assert not check_loads_or_says(write(tmp_path / "a.safetensors", b"", header))


@pytest.mark.parametrize("stated", [2**63, 2**64 - 1, 10**9, 100_000_001, 17 << 20])
def test_the_length_of_a_header_is_judged_before_it_is_read(tmp_path: Path, stated: int) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", stated) + b"{")
        file.truncate(min(stated, 200 << 20) + 8)
    assert not check_loads_or_says(path)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "\udcff" * 3])
def test_names_that_no_file_can_have_are_names_of_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        read_info(tmp_path / name)


@pytest.mark.parametrize(
    ("component", "setting", "value"),
    [
        ("text_encoder", "layers", 1_000_000_000),
        ("text_encoder", "layers", 60_000),
        ("text_encoder", "layers", 2),
        ("text_encoder", "dim", -5),
        ("text_encoder", "dim", 10**9),
        ("text_encoder", "heads", 5),
        ("text_encoder", "grams_per_word", 10**9),
        ("unet", "attention_head_dim", 7),
        ("unet", "layers_per_block", 60_000),
        ("unet", "norm_eps", -1),
        ("unet", "block_out_channels", [16] * 3000),
        ("tfrm", "top_k", 0),
        ("tfrm", "layers", 65_000),
        ("audio_encoder", "groups", 5),
        ("audio_encoder", "dilations", [0, 1]),
        ("whisper", "n_audio_layer", 65_000),
        ("whisper", "n_audio_head", 7),
        ("vae", "encoder_blocks", 65_000),
        ("vae", "decoder_widths", [1] * 2000),
    ],
)
def test_settings_that_no_network_has_or_the_tensors_contradict_are_named(
    tmp_path: Path, whole: tuple[bytes, dict[str, Any]], component: str, setting: str, value: Any
) -> None:
    body, header = whole
    info = json.loads(header["__metadata__"]["eadnet"])
    info["components"][component]["config"][setting] = value
    path = write(tmp_path / "a.safetensors", body, {**header, "__metadata__": {"eadnet": json.dumps(info)}})
    started = time.process_time()
    with pytest.raises(CheckpointError, match=component):
        load_checkpoint(path, only={component})
    assert time.process_time() - started < 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, parts: dict[str, Any], bad: float) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"tfrm": parts["tfrm"]}, PRESETS["mini"].info())
    tensors = load_file(path)
    tensors["tfrm.to_q.weight"][1, 2] = bad
    with open_weights(path) as file:
        metadata = file.metadata
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match="to_q.weight in a.safetensors has NaN or infinite weights"):
        load_checkpoint(path)


def test_weights_that_half_precision_cannot_hold_are_named_on_loading_in_it() -> None:
    with pytest.raises(CheckpointError, match="x has numbers that float16 cannot hold"):
        finite(torch.tensor([1e6]), "x", torch.float16)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_large_weights_are_finite_though_their_sum_is_not(dtype: torch.dtype) -> None:
    large = torch.full((9,), torch.finfo(dtype).max, dtype=dtype)
    assert finite(large, "x") is large


def test_whole_numbers_are_no_weights(tmp_path: Path, parts: dict[str, Any]) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"tfrm": parts["tfrm"]}, PRESETS["mini"].info())
    tensors = {**load_file(path), "tfrm.to_q.weight": torch.zeros(8, 8, dtype=torch.int32)}
    with open_weights(path) as file:
        metadata = file.metadata
    save_file(tensors, path, metadata)
    with pytest.raises(CheckpointError, match="to_q.weight without floating-point numbers"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "adapter",
    some(
        2,
        [
            {"emotion_attention": True, "emotion_dim": 10**9, "stda": {"heads": 3, "strip": 2}},
            {"emotion_attention": True, "emotion_dim": -3},
            {"emotion_attention": True, "emotion_dim": 12, "stda": {"heads": 50_000, "strip": 2}},
            {"stda": {"strip": 2, "max_positions": 60_000}},
            {"nonsense": 1},
            {"stda": "x"},
        ],
    ),
)
def test_an_adapter_that_lies_is_refused_before_a_network_is_made(
    tmp_path: Path, parts: dict[str, Any], adapter: dict[str, Any]
) -> None:
    path, info = tmp_path / "adapter.safetensors", PRESETS["mini"].info()
    save_adapter(path, parts["unet"], info)
    header = {**read_info(path), "adapter": adapter}
    save_file(load_file(path), path, {"eadnet": json.dumps(header)})
    plain = EADUNet.from_config({**UNET, "ead": {}})
    with pytest.raises(CheckpointError, match=r"adapter.safetensors"):
        apply_adapter(plain, path, info)


@pytest.mark.slow
def test_whole_headers_are_believed(tmp_path: Path, whole: tuple[bytes, dict[str, Any]]) -> None:
    body, header = whole
    assert set(load_checkpoint(write(tmp_path / "a.safetensors", body, header)).components) >= {"unet", "vae"}
    assert read_info(bundled_mini())["preset"] == "mini"
    with pytest.raises(InputError, match="share 12 channels evenly"):
        WhisperEncoder(80, 20, 12, 5, 1)
