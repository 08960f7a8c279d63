"""The virtual environment: made once, kept while its files stay the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import environment
from tools.environment import Environment
from tools.errors import SetupError

FILES = {
    "pyproject.toml": "[project]\n",
    "requirements/torch.txt": "torch==1\n",
    "requirements/comfy.txt": "aiohttp\n",
    "requirements/constraints.txt": "aiohttp==3\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Environment:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Environment(tmp_path)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been run, as text."""
    ran: list[str] = []
    made: list[Path] = []

    def make(venv: Path) -> None:
        venv.mkdir(exist_ok=True)
        made.append(venv)
        ran.append("make")

    monkeypatch.setattr(
        environment, "run_quietly", lambda command, **_: ran.append(" ".join(map(str, command)))
    )
    monkeypatch.setattr(environment, "make_venv", make)
    monkeypatch.setattr(environment, "runs", lambda python: bool(made))
    monkeypatch.setattr(environment, "mend_audio_and_vision", lambda python: None)
    return ran


def test_torch_comes_first_and_everything_is_constrained(checkout: Environment, commands: list[str]) -> None:
    checkout.prepare(["dev"])
    make, torch, rest = commands
    assert make == "make"
    assert str(checkout.root / "requirements/torch.txt") in torch
    assert str(checkout.root / "requirements/comfy.txt") in rest and rest.endswith("-e .[dev]")
    assert all("-c " + str(checkout.root / "requirements/constraints.txt") in pip for pip in (torch, rest))


def test_second_run_installs_nothing(checkout: Environment, commands: list[str]) -> None:
    checkout.prepare()
    commands.clear()
    checkout.prepare()
    assert commands == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_changed_requirements_are_installed_without_a_new_environment(
    checkout: Environment, commands: list[str], name: str
) -> None:
    checkout.prepare()
    commands.clear()
    (checkout.root / name).write_text(FILES[name] + "# changed\n")
    assert not checkout.is_ready()
    checkout.prepare()
    assert len(commands) == 2 and "make" not in commands
    assert checkout.is_ready()


def test_extras_are_added_to_those_already_there(checkout: Environment, commands: list[str]) -> None:
    checkout.prepare(["train"])
    assert checkout.is_ready() and not checkout.is_ready(["dev"])
    checkout.prepare(["dev"])
    assert commands[-1].endswith("-e .[dev,train]")


def test_a_torch_of_ones_own_replaces_the_pin_and_is_remembered(
    checkout: Environment, commands: list[str]
) -> None:
    checkout.prepare(torch="torch==9 --index-url https://example.org/cu")
    assert "torch.txt" not in commands[1]
    assert commands[1].endswith("torch==9 --index-url https://example.org/cu torchvision torchaudio")
    commands.clear()
    checkout.prepare()
    assert commands == []
    checkout.prepare(["dev"])
    assert "torch==9" in commands[0]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("torch==2 'open", '--torch "torch==2 \'open" cannot be read: No closing quotation.'),
        ("2.9.1", "--torch '2.9.1' does not start with torch, as in --torch 'torch==2.9.1'."),
        ("--index-url x", "--torch '--index-url x' does not start with torch, as in --torch 'torch==2.9.1'."),
        (" ", "--torch ' ' does not start with torch, as in --torch 'torch==2.9.1'."),
    ],
)
def test_a_torch_that_is_no_requirement_is_one_sentence_before_anything_is_made(
    checkout: Environment, commands: list[str], spec: str, sentence: str
) -> None:
    with pytest.raises(SetupError) as refused:
        checkout.prepare(torch=spec)
    assert str(refused.value) == sentence
    assert commands == []


def test_a_torch_that_pip_does_not_find_is_one_sentence_and_not_remembered(
    checkout: Environment, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list, **_: object) -> None:
        raise SetupError("Installing torch failed.\nERROR: No matching distribution found for torch==99\nlog")

    monkeypatch.setattr(environment, "run_quietly", fail)
    with pytest.raises(SetupError) as failed:
        checkout.prepare(torch="torch==99")
    assert str(failed.value) == (
        "pip could not install --torch 'torch==99' (No matching distribution found for torch==99). "
        f"The log: {checkout.log}"
    )
    assert not (checkout.venv / "ead-net.json").exists()


def test_a_moved_checkout_is_installed_anew(checkout: Environment, commands: list[str]) -> None:
    checkout.prepare()
    stamp = checkout.venv / "ead-net.json"
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "root": "elsewhere"}))
    assert not checkout.is_ready()


def test_a_failed_installation_leaves_no_stamp(
    checkout: Environment, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list, **_: object) -> None:
        raise SetupError("pip failed")

    monkeypatch.setattr(environment, "run_quietly", fail)
    with pytest.raises(SetupError):
        checkout.prepare()
    assert not checkout.is_ready()


def test_an_unreadable_stamp_counts_as_none(checkout: Environment, commands: list[str]) -> None:
    checkout.prepare()
    (checkout.venv / "ead-net.json").write_text("{")
    assert not checkout.is_ready()


def test_requirement_files_name_what_is_constrained() -> None:
    """Every package that ComfyUI needs has exactly one version for every Python."""
    folder = Path(__file__).parents[2] / "requirements"
    pinned: dict[str, list[str]] = {}
    for line in (folder / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement, _, marker = line.partition(" ; ")
            pinned.setdefault(requirement.partition("==")[0], []).append(marker)
    wanted = [line.split("#")[0].strip() for line in (folder / "comfy.txt").read_text().splitlines()]
    assert not [name for name in wanted if name and "==" not in name and name not in pinned]
    split = {'python_version >= "3.11"', 'python_version < "3.11"'}
    assert not {n: m for n, m in pinned.items() if m != [""] and len(m) > 1 and set(m) != split}
