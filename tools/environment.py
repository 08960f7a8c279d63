"""The one virtual environment of the project: package, pinned requirements, ComfyUI's requirements.

A stamp inside `.venv` records what was installed from which files, so that a second run installs nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import StatusLine, say
from .errors import SetupError
from .process import WINDOWS, Command, run_quietly

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


def python_in(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")


@dataclass(frozen=True)
class Environment:
    """The virtual environment of the checkout at `root`."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return python_in(self.venv)

    @property
    def log(self) -> Path:
        return self.root / ".comfyui" / "logs" / "install.log"

    def is_ready(self, extras: Collection[str] = (), torch: str | None = None) -> bool:
        """Whether the environment works and was made from the requirement files as they are now."""
        stamp = self._stamp()
        return (
            stamp.get("requirements") == self._fingerprint()
            and stamp.get("root") == str(self.root)
            and set(extras) <= set(stamp.get("extras", ()))
            and torch in (None, stamp.get("torch"))
            and runs(self.python)
        )

    def prepare(self, extras: Collection[str] = (), torch: str | None = None) -> None:
        """Makes the environment, or brings it up to date, or finds it ready.

        Args:
            extras: optional dependencies of `pyproject.toml` to install too.
            torch: what to give pip in place of the pinned torch, options included
                (`"torch --index-url ..."`); None keeps an earlier choice.

        Raises:
            SetupError: pip failed, or Python cannot make a virtual environment.
        """
        if self.is_ready(extras, torch):
            return
        stamp = self._stamp()
        torch = torch or stamp.get("torch")
        chosen = _torch_arguments(torch) if torch else ["-r", str(self.root / "requirements" / "torch.txt")]
        extras = sorted(set(extras) | set(stamp.get("extras", ())))
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("", encoding="utf-8")
        with StatusLine() as status:
            if not runs(self.python):
                status.show("making the virtual environment .venv")
                make_venv(self.venv)
            # setuptools builds our own package: bringing it now spares pip a second environment for that.
            try:
                self._pip("torch", ["setuptools>=77", *chosen], status)
            except SetupError as error:
                if not torch:
                    raise
                raise SetupError(
                    f"pip could not install --torch {torch!r} ({pip_error(error)}). The log: {self.log}"
                ) from error
            server = ["-r", str(self.root / "requirements" / "comfy.txt")]
            package = ["--no-build-isolation", "-e", f".[{','.join(extras)}]" if extras else "."]
            self._pip("the requirements", [*server, *package], status)
            status.show("checking torchvision and torchaudio")
            mend_audio_and_vision(self.python)
        self._write_stamp({"torch": torch, "extras": extras})
        say(f"installed into {self.venv}")

    def download(self, requirement: str, folder: Path) -> None:
        """Downloads one distribution, without its dependencies, into `folder`."""
        with StatusLine() as status:
            status.show(f"downloading {requirement}")
            command: Command = [self.python, *PIP, "download", "--no-deps", "--dest", folder, requirement]
            run_quietly(command, log=self.log, what=f"Downloading {requirement}")

    def _pip(self, what: str, arguments: list[str], status: StatusLine) -> None:
        status.show(f"installing {what}")
        # Modules are compiled when they are first imported: most of these packages' files never are.
        command: list[str | Path] = [self.python, *PIP, "install", "--no-compile", "--prefer-binary"]
        constraints = ["-c", str(self.root / "requirements" / "constraints.txt")]

        def follow(line: str) -> None:
            words = line.split()
            if words[:1] in (["Collecting"], ["Downloading"]):
                status.show(f"installing {what}: {' '.join(words[:2])}")
            elif words[:1] == ["Installing"]:
                status.show(f"installing {what}: unpacking")

        run_quietly(
            [*command, *constraints, *arguments],
            log=self.log,
            on_line=follow,
            cwd=self.root,
            what=f"Installing {what}",
        )

    def _fingerprint(self) -> str:
        """A hash of every file that says what to install."""
        files = [self.root / "pyproject.toml", *sorted((self.root / "requirements").glob("*.txt"))]
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
        return digest.hexdigest()

    @property
    def _stamp_file(self) -> Path:
        return self.venv / "ead-net.json"

    def _stamp(self) -> dict:
        try:
            stamp = json.loads(self._stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, facts: dict) -> None:
        stamp = {"requirements": self._fingerprint(), "root": str(self.root), **facts}
        self._stamp_file.write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def _torch_arguments(spec: str) -> list[str]:
    """What pip gets for `--torch SPEC`. Raises SetupError where that is no requirement with options."""
    try:
        words = shlex.split(spec)
    except ValueError as error:
        raise SetupError(f"--torch {spec!r} cannot be read: {error}.") from error
    if not words or not re.match(r"torch\b", words[0]):
        raise SetupError(f"--torch {spec!r} does not start with torch, as in --torch 'torch==2.9.1'.")
    return [*words, "torchvision", "torchaudio"]


def pip_error(error: SetupError) -> str:
    """The line in which pip says why it failed, out of the log in a `run_quietly` error."""
    lines = [line.removeprefix("ERROR: ") for line in str(error).splitlines() if line.startswith("ERROR: ")]
    return lines[-1].rstrip(".") if lines else "see its log"


def runs(python: Path) -> bool:
    """Whether an interpreter is there and starts with pip; that of a half-made environment does not."""
    try:
        return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv(venv: Path) -> None:
    """Makes a virtual environment with pip in it.

    Some systems ship `venv` without the pip it should bring; then the pip of the Python that runs us serves.
    """
    make = [sys.executable, "-m", "venv", "--clear", str(venv)]
    made = _try(make)
    if made.returncode == 0:
        return
    bare = _try([*make, "--without-pip"])
    if bare.returncode:
        raise SetupError(f"Python could not make a virtual environment in {venv}:\n{bare.stdout}")
    site = ask(python_in(venv), _SITE)
    borrowed = _try([sys.executable, *PIP, "install", "--quiet", "--target", site, "pip"])
    if borrowed.returncode:
        raise SetupError(
            "This Python makes virtual environments without pip, and has no pip itself to add one. Install "
            f"your system's package for Python's venv module, or pip.\n{made.stdout}{borrowed.stdout}"
        )


def _try(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def ask(python: Path, code: str) -> str:
    """What some Python prints in an interpreter. Raises SetupError with its traceback when it fails."""
    answer = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False
    )
    if answer.returncode:
        raise SetupError(f"{python} failed on\n{code.strip()}\n{answer.stderr.strip()}")
    return answer.stdout.strip()


def has_accelerator(python: Path) -> bool:
    """Whether the interpreter's torch sees a GPU of any kind. A torch built for none is not even imported."""
    return ask(python, _SEES_GPU) == "True"


_SEES_GPU = """
import importlib.util, pathlib, runpy, sys
version = runpy.run_path(str(pathlib.Path(importlib.util.find_spec("torch").origin).with_name("version.py")))
found = sys.platform == "darwin" or any(version.get(kind) for kind in ("cuda", "hip", "xpu"))
if found:
    import torch
    api = getattr(torch, "accelerator", None)
    found = api.is_available() if api else torch.cuda.is_available() or torch.backends.mps.is_available()
print(bool(found))
"""


def mend_audio_and_vision(python: Path) -> None:
    """Makes torchvision and torchaudio importable where their compiled parts do not fit a CPU build of torch.

    ComfyUI imports both but needs only their Python code; where they import, nothing is touched.
    """
    broken = ask(python, _BROKEN).split()
    site = Path(ask(python, _SITE))
    if "torchvision" in broken:
        registrations = site / "torchvision" / "_meta_registrations.py"
        source = registrations.read_text(encoding="utf-8")
        pattern = r'^@(torch\.library\.register_fake\("torchvision::q?nms"\))$'
        guarded = r"@(\1 if torchvision.extension._has_ops() else (lambda f: f))"
        registrations.write_text(re.sub(pattern, guarded, source, flags=re.MULTILINE), encoding="utf-8")
    if "torchaudio" in broken:
        shutil.rmtree(site / "torchaudio" / "lib", ignore_errors=True)
    if broken:
        ask(python, "import torchvision, torchaudio")


_SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"
_BROKEN = """
import importlib
for name in ("torchvision", "torchaudio"):
    try:
        importlib.import_module(name)
    except Exception:
        print(name)
"""
