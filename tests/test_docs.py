"""What the pages name exists: files, commands with their options, and the targets of links."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Pages whose numbered rows name the tests that hold them, and how many there are.
HELD = {"docs/requirements.md": 45, "docs/mended-faults.md": 55}
SUFFIXES = "py md json toml txt yml yaml svg png npz wav onnx safetensors".split()
# Folders of the user's ComfyUI and of what training writes: no part of the repository.
ELSEWHERE = ("ComfyUI/", "models/", ".work/", "custom_nodes/")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(
    r"(?:python -m (?P<module>[\w.]+)|python (?P<script>\w+\.py)|(?P<tool>eadnet))(?= |$)(?P<rest>.*)"
)


def _pages() -> list[str]:
    """Every Markdown page of the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("web/docs/*/*.md")]
    found += ROOT.glob("benchmarks/results/*.md")
    return sorted(page.relative_to(ROOT).as_posix() for page in found)


def _inline(text: str) -> list[str]:
    """What stands in backticks, joined where a line ends within it."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def _paths(text: str) -> set[str]:
    """Files and folders of the repository that the page names in backticks and in commands."""
    words = {word.strip(",;:()\"'") for code in _inline(text) for word in code.split()}
    named = rf"[\w.\-]+(/[\w.\-]+)*/([\w.\-]+\.({'|'.join(SUFFIXES)}))?|[\w\-]+\.py"
    words |= {
        word for code in _commands(text) for word in code.split() if (ROOT / word.split("/")[0]).is_dir()
    }
    return {word for word in words if re.fullmatch(named, word) and not word.startswith(ELSEWHERE)}


def _commands(text: str) -> list[str]:
    """Command lines: what stands in backticks, and the lines of code blocks without their comments."""
    text = re.sub(r"\\\n\s*", "", text)
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    codes = [*_inline(text), *(re.sub(r"\s#.*", "", line).strip() for line in lines)]
    return sorted({code for code in codes if PROGRAM.match(code)})


def _help(command: str) -> tuple[str, list[str]]:
    """The program's help for the words before the first option, and the options the command gives."""
    match = PROGRAM.match(
        command.replace("run.py train -- ", "-m eadnet.training ")
    )  # what follows -- is its
    assert match
    rest = shlex.split(match["rest"].split(" -- ")[0])
    options = [word.split("=")[0] for word in rest if re.fullmatch(r"--[a-z][\w-]*(=.*)?", word)]
    first = next((i for i, word in enumerate(rest) if not re.match(r"[\w./]", word)), len(rest))
    module, printed = match["module"] or match["tool"], io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [module or match["script"], *rest[:first], "--help"])
        with pytest.raises(SystemExit) as ended:
            if module:
                runpy.run_module(module, run_name="__main__")
            else:
                runpy.run_path(match["script"], run_name="__main__")
    assert not ended.value.code, f"`{command}` is refused"
    return printed.getvalue(), options


@pytest.mark.parametrize("page", _pages())
def test_files_named_on_a_page_exist(page: str) -> None:
    """Paths start at the root, at `eadnet/` (in tables), or the page; bare `.py` names may be anywhere."""
    text, missing = (ROOT / page).read_text(encoding="utf-8"), []
    for path in _paths(text):
        bases = (ROOT, ROOT / "eadnet", (ROOT / page).parent)
        anywhere = "/" not in path and any(ROOT.glob(f"[!.]*/**/{path}"))
        if not anywhere and not any((base / path).exists() for base in bases):
            missing.append(path)
    assert not missing, f"{page} names what does not exist: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("page", _pages())
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    own = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    folder = (ROOT / page).parent
    if page.startswith("web/docs/"):  # frontends look from the folder of all help pages on
        folder = folder.parent
    missing = [target for target in own if not (folder / target).exists()]
    assert not missing, f"{page} links to what does not exist: {', '.join(missing)}"


@pytest.mark.parametrize("page", HELD)
def test_every_row_names_a_test_that_exists_or_says_that_it_is_open(page: str) -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, HELD[page] + 1))
    for number, held in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", held)
        assert named or held.startswith("open: "), f"row {number} is held by nothing"
        for path, test in named:
            source = (ROOT / path).read_text("utf-8") if (ROOT / path).is_file() else ""
            assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"row {number}: no {path}::{test}"


def test_the_bundled_weights_are_those_of_the_model_card() -> None:
    stated = re.findall(r"\b[0-9a-f]{64}\b", (ROOT / "docs" / "model-card.md").read_text("utf-8"))
    weights = (ROOT / "eadnet" / "assets" / "mini.safetensors").read_bytes()
    assert stated == [hashlib.sha256(weights).hexdigest()]


COMMANDS = sorted({command for page in _pages() for command in _commands((ROOT / page).read_text("utf-8"))})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_the_pages_are_accepted(command: str) -> None:
    usage, options = _help(command)
    unknown = [option for option in options if not re.search(rf"{option}(?![\w-])", usage)]
    assert not unknown, f"`{command}`: no such option as {', '.join(unknown)}"
