"""Speaking to comfy-cli: a stand-in prints what the real one does, which tests/comfy meets."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from tools import comfy_cli
from tools.comfy_cli import ComfyCli, failure, refusal
from tools.errors import ServerError, SetupError

GRAPH = {"7": {"class_type": "EADNetSampler", "inputs": {}, "_meta": {"title": "Generate the talking face"}}}
PREVIEW = {"type": "prompt_preview", "prompt": GRAPH}
VIDEO = {"filename": "video_00001_.mp4", "subfolder": "EAD-Net", "type": "output"}
DONE = {"type": "envelope", "ok": True, "data": {}, "error": None}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComfyCli:
    """A comfy-cli that prints the lines of `script` and notes its arguments and environment in `seen`."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "comfy_cli.py").write_text(
        "import json, os, sys, time\n"
        f"json.dump([sys.argv, dict(os.environ)], open({str(tmp_path / 'seen')!r}, 'w'))\n"
        f"for line in open({str(tmp_path / 'script')!r}):\n"
        "    print(line, end='', flush=True)\n"
        f"if os.path.exists({str(tmp_path / 'hang')!r}): time.sleep(600)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.setattr(ComfyCli, "python", Path(sys.executable))
    return ComfyCli(tmp_path)


def says(cli: ComfyCli, *events: dict | str) -> None:
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    (cli.root / "script").write_text("".join(line + "\n" for line in lines))


def seen(cli: ComfyCli) -> tuple[list[str], dict[str, str]]:
    arguments, environment = json.loads((cli.root / "seen").read_text())
    return arguments, environment


def test_a_run_returns_what_the_graph_wrote_and_hands_on_every_event(cli: ComfyCli) -> None:
    says(cli, PREVIEW, "a warning of some library", {"type": "executed", "outputs": [VIDEO]}, DONE)
    events: list[dict] = []
    assert cli.run(Path("workflow.json"), 8199, events.append) == [VIDEO]
    assert [event["type"] for event in events] == ["prompt_preview", "executed", "envelope"]
    arguments, _ = seen(cli)
    assert arguments[1:6] == ["--json-stream", "--skip-prompt", "run", "--workflow", "workflow.json"]
    assert "--wait" in arguments and arguments[arguments.index("--port") + 1] == "8199"


def test_it_is_not_tracked_and_keeps_its_notes_to_itself(
    cli: ComfyCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    says(cli, DONE)
    assert list(cli.events("jobs", "ls")) == [DONE]
    _, environment = seen(cli)
    assert environment["DO_NOT_TRACK"] == environment["COMFY_NO_UPDATE_CHECK"] == "1"
    assert environment["HOME"] == environment["USERPROFILE"] == str(cli.folder / "home")
    assert environment["GIT_CONFIG_GLOBAL"].endswith(".gitconfig")


def test_a_node_that_fails_is_named_with_its_message(cli: ComfyCli) -> None:
    details = {
        "node_id": "7",
        "node_type": "EADNetSampler",
        "exception_type": "eadnet.errors.InputError",
        "exception_message": "The overlap is 9 frames.\n",
        "traceback": ["a\n", "b\n", "c\n"],
    }
    error = {"code": "execution_error", "message": "InputError: The overlap", "details": {}}
    says(cli, PREVIEW, {"type": "execution_error", "details": details}, {**DONE, "ok": False, "error": error})
    with pytest.raises(ServerError) as failed:
        cli.run(Path("workflow.json"), 8199)
    assert str(failed.value) == "EADNetSampler (node 7) failed: The overlap is 9 frames."
    surprise = {**details, "exception_type": "RuntimeError"}
    assert failure(surprise).endswith("The overlap is 9 frames. [RuntimeError]\nb\nc")


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        (  # what comfy-cli finds before it asks the server
            {"errors": [{"node_id": "7", "field": "steps", "message": "steps=-3 below catalog min 1"}]},
            "Generate the talking face (node 7): steps=-3 below catalog min 1",
        ),
        (
            {"errors": [{"node_id": "7", "message": "class_type 'A' not found", "suggestions": ["B", "C"]}]},
            "Generate the talking face (node 7): class_type 'A' not found (did you mean B, C?)",
        ),
        (  # what the server finds
            {
                "node_errors": [
                    {
                        "node_id": "7",
                        "errors": [{"message": "Validation failed", "details": "window - no"}],
                    }
                ]
            },
            "Generate the talking face (node 7): Validation failed window - no",
        ),
        ({"node_errors": [{"node_id": "8", "errors": [{"message": "Odd"}]}]}, "a node (node 8): Odd"),
    ],
)
def test_a_refused_workflow_names_node_and_input(details: dict, sentence: str) -> None:
    error = {"code": "prompt_rejected", "message": "Workflow has 1 validation error(s)", "details": details}
    assert refusal(error, GRAPH) == f"Workflow has 1 validation error(s)\n  {sentence}"


def test_an_error_without_nodes_keeps_its_hint() -> None:
    error = {"message": "Lost connection", "hint": "check the server", "details": {"prompt_id": "1"}}
    assert refusal(error, {}) == "Lost connection\n  check the server"


def test_a_run_that_ends_without_a_verdict_is_an_error(cli: ComfyCli) -> None:
    says(cli, PREVIEW)
    with pytest.raises(ServerError, match="ended before the graph did"):
        cli.run(Path("workflow.json"), 8199)


def test_a_crash_is_shown(cli: ComfyCli) -> None:
    says(cli, "Traceback (most recent call last):", "ImportError: no module named rich")
    with pytest.raises(SetupError, match="comfy-cli failed.\n.*\nImportError: no module named rich"):
        list(cli.events("jobs", "ls"))


@pytest.mark.skipif(os.name == "nt", reason="Windows ends process trees in its own way")
def test_stopping_in_the_middle_leaves_no_process(cli: ComfyCli) -> None:
    (cli.root / "hang").touch()
    says(cli, PREVIEW)

    def press_ctrl_c(event: dict) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cli.run(Path("workflow.json"), 8199, press_ctrl_c)
    mine = psutil.Process().children(recursive=True)
    assert not [child for child in mine if "comfy_cli" in " ".join(child.cmdline())]


def test_it_is_installed_once_and_again_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    requirements = tmp_path / "requirements" / "comfy-cli.txt"
    requirements.parent.mkdir()
    requirements.write_text("comfy-cli==1\n")
    monkeypatch.setattr(comfy_cli, "make_venv", lambda venv: venv.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(comfy_cli, "runs", lambda python: True)
    monkeypatch.setattr(comfy_cli, "run_quietly", lambda command, **_: ran.append([str(c) for c in command]))
    cli = ComfyCli(tmp_path)
    cli.prepare()
    cli.prepare()
    assert len(ran) == 1 and ran[0][-1] == str(requirements)
    requirements.write_text("comfy-cli==2\n")
    assert not cli.is_ready()
    cli.prepare()
    assert len(ran) == 2 and cli.is_ready()


def test_comfy_install_brings_the_source_alone_and_uses_our_environment(
    cli: ComfyCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], dict]] = []
    monkeypatch.setattr(
        comfy_cli, "run_quietly", lambda command, **k: ran.append(([str(c) for c in command], k["env"]))
    )
    cli.install_comfyui(cli.root / "ComfyUI", "0.3.75", cli.root / ".venv")
    ((command, environment),) = ran
    assert command[command.index("--workspace") + 1] == str(cli.root / "ComfyUI")
    assert command[command.index("--version") + 1] == "0.3.75"
    assert {"--skip-manager", "--skip-torch-or-directml", "--skip-requirement"} <= set(command)
    assert environment["VIRTUAL_ENV"] == str(cli.root / ".venv")
