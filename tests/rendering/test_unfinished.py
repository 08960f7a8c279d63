"""Unfinished videos: found by their key, one render's at a time, and not kept for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from eadnet.errors import InputError
from eadnet.media import locks
from eadnet.media.locks import try_lock
from eadnet.rendering.unfinished import KEPT_DAYS, sweep, unfinished_video

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


def leave(folder: Path, stem: str, size: int = 10, days: float = 0.0) -> None:
    """What a render that was killed leaves."""
    folder.mkdir(exist_ok=True)
    for name, data in (("partial.mp4", b"x" * size), ("partial.json", b'{"window": 8}'), ("lock", b"")):
        path = folder / f"{stem}.{name}"
        path.write_bytes(data)
        at = time.time() - 86400 * days
        os.utime(path, (at, at))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_left_is_found_by_its_key_and_by_no_other(tmp_path: Path) -> None:
    leave(tmp_path, KEY)
    with unfinished_video(tmp_path, KEY, resume=True) as ours:
        assert ours.window() == 8 and ours.video.read_bytes() == b"x" * 10
    with unfinished_video(tmp_path, OTHER, resume=True) as ours:
        assert ours.window() is None and not ours.video.exists()


def test_a_second_render_of_the_same_has_its_own_place(tmp_path: Path) -> None:
    with (
        unfinished_video(tmp_path, KEY, resume=True) as one,
        unfinished_video(tmp_path, KEY, resume=True) as two,
        unfinished_video(tmp_path, KEY, resume=False) as three,
    ):
        assert len({one.path, two.path, three.path}) == 3
    assert not tmp_path.exists(), "an empty folder is removed"


def test_the_one_that_got_furthest_is_continued(tmp_path: Path) -> None:
    leave(tmp_path, KEY, size=10)
    leave(tmp_path, f"{KEY}-2", size=30)
    leave(tmp_path, f"{KEY}-3", size=20)
    with unfinished_video(tmp_path, KEY, resume=True) as best:
        assert best.path.stem == f"{KEY}-2"
        with unfinished_video(tmp_path, KEY, resume=True) as next_best:
            assert next_best.path.stem == f"{KEY}-3"


def test_what_is_old_goes_unless_somebody_holds_it_or_it_is_not_ours(tmp_path: Path) -> None:
    leave(tmp_path, KEY, days=KEPT_DAYS + 1)
    leave(tmp_path, OTHER, days=KEPT_DAYS + 1)
    leave(tmp_path, "0" * 16, days=KEPT_DAYS - 1)
    for name in ("mine.partial.mp4", f"{KEY}.mp4", f"{KEY}.partial.mp4.bak"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1, 1))
    held = try_lock(tmp_path / f"{OTHER}.lock")
    assert held is not None
    sweep(tmp_path, KEPT_DAYS)
    left = names(tmp_path)
    assert f"{KEY}.partial.mp4" not in left and f"{KEY}.lock" not in left
    assert f"{OTHER}.partial.mp4" in left and "0" * 16 + ".partial.mp4" in left
    assert {"mine.partial.mp4", f"{KEY}.mp4", f"{KEY}.partial.mp4.bak"} <= set(left)
    held.release()


def test_the_render_itself_sweeps_and_spares_what_it_continues(tmp_path: Path) -> None:
    leave(tmp_path, KEY, days=KEPT_DAYS + 1)
    leave(tmp_path, OTHER, days=KEPT_DAYS + 1)
    with unfinished_video(tmp_path, KEY, resume=True) as ours:
        assert ours.video.exists() and not (tmp_path / f"{OTHER}.partial.mp4").exists()


@pytest.mark.parametrize(
    "note",
    [b'{"window": "\xff', b'{"window": -5}', b'{"window": 0}', b'{"window": 1e400}', b'{"window": 1e30}',
     b'{"window": true}', b'{"window": NaN}', b"[]", b"[" * 100_000, b'{"window": ' + b"9" * 5000,
     b""],
    ids=lambda note: note[:20].decode("latin-1"),
)  # fmt: skip
def test_a_note_that_cannot_be_read_or_followed_starts_anew(tmp_path: Path, note: bytes) -> None:
    leave(tmp_path, KEY)
    (tmp_path / f"{KEY}.partial.json").write_bytes(note)
    with unfinished_video(tmp_path, KEY, resume=True) as ours:
        assert ours.window() is None


@pytest.mark.skipif(os.name == "nt", reason="Windows locks otherwise")
def test_without_locks_it_says_what_not_to_do(
    tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with unfinished_video(tmp_path, KEY, resume=True):
        pass
    assert "do not render the same video twice at once" in caplog.text


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with (
        pytest.raises(InputError, match="cannot be written"),
        unfinished_video(tmp_path / "a", KEY, resume=True),
    ):
        pass
