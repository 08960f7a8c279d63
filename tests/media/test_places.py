"""A finished file gets its name whole, and takes nobody else's."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from eadnet.errors import InputError
from eadnet.media.places import Named, Numbered, check_place, move_to


def made(path: Path, words: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(words, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_named_file_replaces_what_is_there(tmp_path: Path) -> None:
    made(tmp_path / "out" / "a.mp4", "old")
    assert move_to(Named(tmp_path / "out" / "a.mp4"), made(tmp_path / "w", "new")).name == "a.mp4"
    assert contents(tmp_path / "out") == {"a.mp4": "new"}


def test_a_numbered_file_replaces_nothing(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        made(tmp_path / "out" / f"a_{number:05}_.mp4", "old")
    for words in ("x", "y"):
        move_to(Numbered(tmp_path / "out", "a", 2), made(tmp_path / "w", words))
    assert contents(tmp_path / "out") == {
        "a_00001_.mp4": "old",
        "a_00002_.mp4": "old",
        "a_00003_.mp4": "x",
        "a_00004_.mp4": "old",
        "a_00005_.mp4": "y",
    }
    assert not (tmp_path / "w").exists()


def refusing(code: int) -> Any:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize("code", [0, errno.EPERM, errno.EOPNOTSUPP])
def test_those_who_finish_at_once_get_a_number_each(tmp_path: Path, monkeypatch: Any, code: int) -> None:
    """Also on file systems that give no file a second name."""
    if code:
        monkeypatch.setattr("os.link", refusing(code))
    files = [made(tmp_path / str(i), str(i)) for i in range(24)]
    barrier = threading.Barrier(len(files))

    def finish(file: Path) -> None:
        barrier.wait()
        move_to(Numbered(tmp_path / "out", "a"), file)

    threads = [threading.Thread(target=finish, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = contents(tmp_path / "out")
    assert sorted(found) == [f"a_{number:05}_.mp4" for number in range(1, 25)]
    assert sorted(map(int, found.values())) == list(range(24))


@pytest.mark.parametrize("place", [Named(Path("out/a.mp4")), Numbered(Path("out"), "a")])
def test_another_disk_is_reached_by_copying(tmp_path: Path, monkeypatch: Any, place: Any) -> None:
    monkeypatch.chdir(tmp_path)
    file = made(tmp_path / "w", "film")
    link, replace = os.link, os.replace

    def apart(act: Any) -> Any:
        def checked(source: Path, target: Path) -> None:
            if Path(source).parent.resolve() != Path(target).parent.resolve():
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            act(source, target)

        return checked

    monkeypatch.setattr("os.link", apart(link))
    monkeypatch.setattr("os.replace", apart(replace))
    assert move_to(place, file).read_text() == "film"
    assert len(contents(tmp_path / "out")) == 1 and not file.exists()


@pytest.mark.parametrize(
    "name",
    ["x" * 250, "\N{SNOWMAN}" * 90, "nul\0", "\ud800"],
    ids=["long", "long in bytes", "null", "half an emoji"],
)
def test_a_name_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^filename_prefix: .* cannot be written"):
        check_place(Numbered(tmp_path, name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 200, "\N{SNOWMAN}", "a b", "a%b", "-"], ids=range(5))
def test_odd_names_that_can_be_written_pass(tmp_path: Path, name: str) -> None:
    place = Numbered(tmp_path / "deep" / "er", name)
    check_place(place)
    assert move_to(place, made(tmp_path / "w", "film")).name == f"{name}_00001_.mp4"


def test_a_folder_that_is_a_file_is_refused_beforehand(tmp_path: Path) -> None:
    made(tmp_path / "out", "")
    with pytest.raises(InputError, match="cannot be written"):
        check_place(Numbered(tmp_path / "out", "a"))
