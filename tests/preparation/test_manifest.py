"""The manifest: every decision in a row, in a file that other programs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadnet.errors import InputError
from eadnet.preparation import manifest
from eadnet.preparation.clip import Rejection, Source
from eadnet.preparation.manifest import COLUMNS, read_manifest, row_of, write_manifest

SOURCE = Source("a-1", Path("a.mp4"), "ordner ü/a.mp4", "Åsa", "val", emotion="sad", level=2)


def rows() -> list[dict[str, object]]:
    far = Rejection("sync", "the sound is 9 frames late, more than 6", {"sync_offset_frames": -9})
    return [
        row_of(SOURCE, 0, 50, 125, far, {"face_px": 123.45678, "sync_offset_frames": -9}),
        row_of(SOURCE, None, 0, 0, Rejection("readable", "it is empty"), {"sharpness": float("nan")}),
    ]


def test_rows_come_back() -> None:
    first, second = rows()
    assert list(first) == list(COLUMNS)
    assert first["id"] == "a-1-00000" and second["id"] == "a-1"
    assert (first["start_s"], first["duration_s"], first["face_px"]) == (2.0, 5.0, 123.4568)
    assert (first["status"], first["stage"], first["sync_offset_frames"]) == ("rejected", "sync", -9)
    assert second["sharpness"] is None and second["sync_judge"] == ""


def test_the_file_comes_back_the_same_and_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name in ("one.parquet", "two.parquet"):
        write_manifest(tmp_path / name, rows(), {"layout": "folder"})
    assert read_manifest(tmp_path / "one.parquet") == rows()
    assert read_manifest(tmp_path / "one.parquet", ["id"]) == [{"id": "a-1-00000"}, {"id": "a-1"}]
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_another_version_and_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="no manifest"):
        read_manifest(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("hello", "utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path / "text.parquet")
    monkeypatch.setattr(manifest, "VERSION", 7)
    write_manifest(tmp_path / "new.parquet", rows(), {})
    monkeypatch.undo()
    with pytest.raises(InputError, match="version 7"):
        read_manifest(tmp_path / "new.parquet")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ead-net\[prepare\]'"):
        manifest.check_pyarrow()
