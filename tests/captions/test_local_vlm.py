"""Local vision-language models, end to end with real classes and random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from eadnet.captions.local_vlm import LONGEST_REPLY, LocalCaptioner, LocalVLM, folder_problem
from eadnet.errors import CheckpointError, InputError
from tests.captions.tiny_vlm import write_tiny_vlm

FRAMES = [np.random.default_rng(i).integers(0, 255, (90, 70, 3), dtype=np.uint8) for i in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vlm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalVLM:
    return LocalVLM.from_folder(folder)


@pytest.mark.slow
def test_it_sees_every_frame_and_answers_the_same_again(model: LocalVLM) -> None:
    reply = model.reply(FRAMES, "What do you see?")
    assert reply and reply == model.reply(FRAMES, "What do you see?", seed=1)
    assert reply != model.reply([255 - frame for frame in FRAMES], "What do you see?")
    assert "<|" not in reply


@pytest.mark.slow
def test_half_precision_works_too(folder: Path) -> None:
    model = LocalVLM.from_folder(folder, torch.bfloat16)
    assert next(model.parameters()).dtype == torch.bfloat16
    assert model.reply(FRAMES[:1], "Hello").strip()


@pytest.mark.slow
def test_every_token_is_reported_and_cancel_stops_at_once(model: LocalVLM) -> None:
    class Cancelled(Exception):
        pass

    seen: list[int] = []

    def watch(count: int) -> None:
        seen.append(count)
        if count == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.reply(FRAMES[:1], "Hello", on_token=watch)
    assert seen == [1, 2, 3, 4, 5] and LONGEST_REPLY > 5


@pytest.mark.slow
def test_a_reply_without_sense_is_quoted(model: LocalVLM) -> None:
    with pytest.raises(InputError, match="tiny: The language model's reply"):
        LocalCaptioner(model).describe(FRAMES[:1])


@pytest.mark.slow
def test_a_good_reply_becomes_a_description(model: LocalVLM, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def reply(self: LocalVLM, frames: object, text: str, *_: object) -> str:
        asked.append(text)
        return '{"emotion": "sad", "intensity": 0.6}'

    monkeypatch.setattr(LocalVLM, "reply", reply)
    made = LocalCaptioner(model).describe(FRAMES)
    assert (made.description.emotion, made.description.intensity) == ("sad", 0.6)
    assert made.prompt == "describe-1" and made.source == "tiny" and "JSON" in asked[0]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A folder with the files of a model, all of them empty: what is missing is judged by name."""
    folder = tmp_path / "names"
    folder.mkdir()
    for name in (
        "config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ):
        (folder / name).touch()
    return folder


def broken(folder: Path, target: Path, *removed: str) -> Path:
    shutil.copytree(folder, target)
    for name in removed:
        (target / name).unlink()
    return target


@pytest.mark.parametrize(
    ("removed", "problem"),
    [
        (["config.json"], "no config.json"),
        (["processor_config.json"], "no processor"),
        (["tokenizer.json", "tokenizer_config.json"], "no tokenizer"),
        (["model.safetensors"], "no .safetensors weights"),
    ],
)
def test_a_folder_that_is_not_whole_says_what_is_missing(
    names: Path, tmp_path: Path, removed: list[str], problem: str
) -> None:
    target = broken(names, tmp_path / "part", *removed)
    assert problem in str(folder_problem(target))
    with pytest.raises(CheckpointError, match=problem):
        LocalVLM.from_folder(target)


def test_pickled_weights_are_not_read(names: Path, tmp_path: Path) -> None:
    target = broken(names, tmp_path / "pickled", "model.safetensors")
    torch.save({}, target / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="no .safetensors weights"):
        LocalVLM.from_folder(target)


@pytest.mark.slow
def test_code_in_the_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    target = broken(folder, tmp_path / "trojan")
    mark = tmp_path / "ran"
    (target / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass A: ...\n")
    config = json.loads((target / "config.json").read_text())
    config["model_type"] = "unheard-of"
    config["auto_map"] = {"AutoConfig": "evil.A", "AutoModelForImageTextToText": "evil.A"}
    (target / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        LocalVLM.from_folder(target)
    assert not mark.exists()


@pytest.mark.slow
def test_truncated_weights_are_an_error_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    target = broken(folder, tmp_path / "short")
    data = (target / "model.safetensors").read_bytes()
    (target / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="download it again"):
        LocalVLM.from_folder(target)


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_named(folder: Path, tmp_path: Path) -> None:
    target = broken(folder, tmp_path / "spoilt")
    tensors = load_file(target / "model.safetensors")
    name = min(tensors)
    tensors[name].view(-1)[0] = torch.nan
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="spoilt has NaN or infinite weights"):
        LocalVLM.from_folder(target)
