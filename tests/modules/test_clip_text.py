"""CLIP's text encoder from local files: loaded strictly, nothing fetched, long sentences cut."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from eadnet.errors import CheckpointError
from eadnet.modules.clip_text import CLIPTextEncoder

SMALL: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "bos_token_id": 38,
    "eos_token_id": 39,
    "pad_token_id": 39,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights and a tokenizer that knows single letters."""
    from transformers import CLIPTextConfig, CLIPTextModel

    letters = [f"{letter}{end}" for end in ("", "</w>") for letter in "abcdefghijklmnopqr"]
    vocabulary = {token: index for index, token in enumerate(letters)}
    vocabulary |= {"<|startoftext|>": 38, "<|endoftext|>": 39}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    model = CLIPTextModel(CLIPTextConfig(**SMALL, max_position_embeddings=77, hidden_act="quick_gelu"))
    save_file({k: v.clone() for k, v in model.state_dict().items()}, tmp_path / "model.safetensors")
    return tmp_path


@pytest.mark.slow
def test_sentences_become_77_tokens(folder: Path) -> None:
    encoder = CLIPTextEncoder.from_files(folder, **SMALL)
    tokens = encoder.encode(["a bad cab", ""])
    assert tokens.shape == (2, 77, 16) and encoder.dim == 16
    assert not torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[1], encoder.encode([""])[0])


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["text_model.", "cond_stage_model.transformer.text_model."])
def test_the_names_of_other_programs_are_understood(folder: Path, prefix: str) -> None:
    expected = CLIPTextEncoder.from_files(folder, **SMALL).encode(["a face"])
    tensors = load_file(folder / "model.safetensors")
    renamed = {prefix + key.removeprefix("text_model."): value for key, value in tensors.items()}
    save_file(renamed, folder / "clip_l.safetensors")
    assert torch.equal(
        CLIPTextEncoder.from_files(folder / "clip_l.safetensors", **SMALL).encode(["a face"]), expected
    )


@pytest.mark.slow
def test_a_long_sentence_is_cut_with_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = CLIPTextEncoder.from_files(folder, **SMALL)
    with caplog.at_level(logging.WARNING):
        assert encoder.encode(["a b c " * 3000]).shape == (1, 77, 16)
    assert "longer than CLIP's 77 tokens" in caplog.text


def test_missing_files_are_named(tmp_path: Path) -> None:
    for name in ("model.safetensors", "vocab.json"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="lacks merges.txt: put the files of CLIP"):
        CLIPTextEncoder.from_files(tmp_path)
    with pytest.raises(CheckpointError, match="^The folder of .*model.safetensors lacks merges.txt"):
        CLIPTextEncoder.from_files(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="^There is no nope: choose the folder with CLIP"):
        CLIPTextEncoder.from_files("nope")


@pytest.mark.slow
def test_weights_of_something_else_are_named(folder: Path) -> None:
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="is not CLIP ViT-L/14's text encoder .it lacks"):
        CLIPTextEncoder.from_files(folder, **SMALL)
    (folder / "model.safetensors").write_bytes(b"\x99" * 40)
    with pytest.raises(CheckpointError, match="model.safetensors is not a safetensors file"):
        CLIPTextEncoder.from_files(folder, **SMALL)
