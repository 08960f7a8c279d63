"""Published files: what is none of them is named, and nothing in one is ever run."""

from __future__ import annotations

import os
import pickle
import tarfile
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from eadnet.convert import (
    convert,
)
from eadnet.errors import CheckpointError
from eadnet.published import detect
from tests.pickles import doubled_tuple, keyed, tuples
from tests.quick import some


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_refused_and_never_run(tmp_path: Path) -> None:
    for name, zipped in (("new.pt", True), ("old.pt", False)):
        torch.save(
            {"state_dict": Malicious(tmp_path / "owned")},
            tmp_path / name,
            _use_new_zipfile_serialization=zipped,
        )
        with pytest.raises(CheckpointError, match=f"{name} holds more than weights .*never run"):
            detect(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, zipped: bool, kept: float) -> None:
    path = tmp_path / "syncnet_v2.model"
    state = {"netcnnaud.0.weight": torch.randn(64, 64), "netcnnlip.0.weight": torch.randn(64, 64)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CheckpointError, match="syncnet_v2.model is truncated"):
        detect(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>sign in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a Git LFS pointer"),
        (b"just some text that is no model at all", "truncated or not a PyTorch weights file"),
        (pickle.dumps([1, 2, 3]), "holds more than weights|not named weights"),
    ],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "latentsync_unet.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"latentsync_unet.pt .*({message})"):
        detect(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "contains a list, not named weights"),
        ((1, {"w": torch.zeros(1)}), "contains a tuple, not named weights"),
        ({"epoch": 3}, "contains no weights"),
        ({"epoch": 3, ("a", (1, 2)): [torch.zeros(1)]}, "contains no weights"),
        ({"ema": OrderedDict(w=torch.zeros(1)), "epoch": 3}, "weights inside 'ema', .* save that part alone"),
        ({"fc.weight": torch.zeros(1)}, "is not a file that can be converted .*'fc.weight'"),
        ({"model.diffusion_model.out.bias": torch.zeros(1)}, "is a Stable Diffusion checkpoint"),
    ],
)
def test_weights_of_something_else_are_named(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=message):
        detect(tmp_path / "model.pt")


@pytest.mark.parametrize("key", [tuples(300_000), doubled_tuple(60)], ids=["deep", "endless"])
def test_a_key_that_would_end_or_stop_the_process_is_refused(tmp_path: Path, key: bytes) -> None:
    path = _archive(tmp_path / "model.pt", zipfile.ZIP_STORED, keyed(key))
    with pytest.raises(CheckpointError, match="model.pt describes more than any model has"):
        convert(path)


def _archive(
    path: Path, compression: int, content: bytes, name: str = "a/data.pkl", repeated: int = 1
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open(name, "w") as file:
            for _ in range(repeated):
                file.write(content)
        archive.writestr("a/version", b"3\n")
    return path


def _storage(numel: int) -> bytes:
    """A pickle of an older kind of file that states one storage of so many numbers."""
    return (
        b"\x80\x02}X\x06\x00\x00\x00weight(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu\x8a\x05" + numel.to_bytes(5, "little") + b"NtQs."
    )


_BYTEARRAY = b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."
_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03." + b"\x80\x02}."


@pytest.mark.parametrize(
    ("make", "problem"),
    some(
        1,
        [
            (lambda p: _archive(p, zipfile.ZIP_DEFLATED, bytes(1 << 20), repeated=150), "compressed archive"),
            (lambda p: _archive(p, zipfile.ZIP_BZIP2, bytes(1 << 20), "a/data/0", 120), "compressed archive"),
            (lambda p: _archive(p, zipfile.ZIP_STORED, _BYTEARRAY), "more than weights"),
            (lambda p: _archive(p, zipfile.ZIP_STORED, _storage(2**36)), "states more numbers"),
            (lambda p: p.write_bytes(_MAGIC + _storage(2**36)), "states more numbers"),
            (lambda p: p.write_bytes(_BYTEARRAY), "more than weights"),
            (
                lambda p: p.write_bytes(b"\x80\x02\x95" + b"\x7f" * 8 + b"."),
                "truncated or not|more than weights",
            ),
            (lambda p: p.write_bytes(b"\x80\x02]r\xff\xff\xff\x7f."), "not named weights|truncated or not"),
            (lambda p: torch.save({"w": torch.zeros(1).expand(1 << 33)}, p), "no plain tensor"),
            (lambda p: torch.save({"w": torch.zeros(3, 3).to_sparse()}, p), "no plain tensor"),
            (lambda p: torch.save({"w": torch.zeros(9, device="meta")}, p), "no plain tensor"),
            (lambda p: torch.save({10**30: torch.zeros(9)}, p), "contains no weights"),
        ],
    ),
)
def test_what_states_more_than_its_file_holds_costs_no_memory(
    tmp_path: Path, make: Callable[[Path], Any], problem: str
) -> None:
    make(tmp_path / "a.pt")
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=problem):
        convert(tmp_path / "a.pt")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "kilobytes"


def test_a_tar_archive_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (tmp_path / "storages").write_bytes(b"x" * 100)
    with tarfile.open(tmp_path / "a.pt", "w") as archive:
        archive.add(tmp_path / "storages", "storages")
    with pytest.raises(CheckpointError, match="not a PyTorch weights file"):
        convert(tmp_path / "a.pt")
    assert not list(temporary.iterdir())
