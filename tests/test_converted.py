"""Published files as they were downloaded: converted once, found again, never mistaken for another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import eadnet.convert
from eadnet.checkpoints import read_info
from eadnet.converted import converted
from eadnet.errors import CheckpointError
from tests.test_convert import TINY_UNET, unet_file

pytestmark = pytest.mark.slow  # each writes a U-Net


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eadnet.convert, "LATENTSYNC_UNET", TINY_UNET)


def test_it_is_converted_beside_the_file_once_with_progress(tmp_path: Path) -> None:
    source, seen = unet_file(tmp_path / "latentsync-1.6" / "latentsync_unet.pt"), list[tuple[int, int]]()
    made = converted(source, on_tensor=lambda done, total: seen.append((done, total)))
    assert made == source.with_name("latentsync-1.6.safetensors")
    assert read_info(made)["preset"] == "latentsync-1.6"
    assert seen[0][0] == 1 and seen[-1][0] == seen[-1][1] == len(seen)
    seen.clear()
    assert converted(source) == made and not seen


def test_what_the_command_line_made_under_another_name_is_found(tmp_path: Path) -> None:
    source = unet_file(tmp_path / "latentsync_unet.pt")
    mine = eadnet.convert.convert(source, tmp_path / "mine.safetensors", preset="latentsync-1.5")
    assert converted(source, preset="latentsync-1.5") == mine
    assert converted(source, preset="latentsync-1.6") == tmp_path / "latentsync-1.6.safetensors"


def test_a_file_that_was_downloaded_anew_is_converted_anew(tmp_path: Path) -> None:
    source = unet_file(tmp_path / "latentsync_unet.pt")
    made = converted(source, preset="latentsync-1.6")
    before = made.stat().st_mtime_ns
    os.utime(source, ns=(before + 10**9, before + 10**9))
    assert converted(source, preset="latentsync-1.6").stat().st_mtime_ns > before


def test_another_file_of_that_name_is_never_overwritten(tmp_path: Path) -> None:
    source = unet_file(tmp_path / "latentsync_unet.pt")
    (tmp_path / "latentsync-1.6.safetensors").write_bytes(b"mine")
    with pytest.raises(CheckpointError, match="another file: move one"):
        converted(source, preset="latentsync-1.6")
    assert (tmp_path / "latentsync-1.6.safetensors").read_bytes() == b"mine"


def test_where_the_folder_is_read_only_it_goes_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = unet_file(tmp_path / "fixed" / "latentsync_unet.pt")
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "fixed")
    made = converted(source, [tmp_path / "models"], "latentsync-1.6")
    assert made.parent == tmp_path / "models" and converted(source, [tmp_path / "models"]) == made
    made.unlink()
    with pytest.raises(CheckpointError, match="nothing can be written to"):
        converted(source, preset="latentsync-1.6")


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(eadnet.convert, "write_safetensors", full)
    with pytest.raises(CheckpointError, match=r"cannot be converted to .*\(No space left on device\)"):
        converted(unet_file(tmp_path / "latentsync_unet.pt"), preset="latentsync-1.6")
