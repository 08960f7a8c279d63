"""comfy-cli, ComfyUI's own command line: installed once, spoken to in its machine-readable mode.

It has an environment of its own, `.comfyui/cli`, because it brings fifty packages that ComfyUI does not need,
and because `--comfyui PATH` runs in a Python that is not ours to change. What it remembers (jobs, the last
workspace) goes into a home folder in there, so that a user's own comfy-cli is left as it was.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .console import StatusLine, say
from .environment import PIP, make_venv, python_in, runs
from .errors import ServerError, SetupError
from .process import Command, run_quietly, start_group, stop_group

# comfy-cli ends a run after so many seconds without a word from the server. A node may work for hours in
# silence, and a server that dies closes the connection, which is noticed at once.
SILENCE_SECONDS = 7 * 24 * 3600
Event = dict[str, Any]


@dataclass(frozen=True)
class ComfyCli:
    """The comfy-cli of the checkout at `root`."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / ".comfyui" / "cli"

    @property
    def python(self) -> Path:
        return python_in(self.folder)

    def is_ready(self) -> bool:
        """Whether it is installed, in the versions that the requirements name now."""
        mark = self._mark
        return mark.is_file() and mark.read_text(encoding="utf-8") == self._wanted() and runs(self.python)

    def prepare(self) -> None:
        """Installs it on the first call, and again when its requirements have changed."""
        if self.is_ready():
            return
        requirements = self.root / "requirements" / "comfy-cli.txt"
        install: Command = [self.python, *PIP, "install", "--no-compile", "--no-deps", "-r", requirements]
        with StatusLine() as status:
            status.show("installing comfy-cli")
            make_venv(self.folder)
            log = self.root / ".comfyui" / "logs" / "comfy-cli.log"
            run_quietly(install, log=log, what="Installing comfy-cli")
        self._mark.write_text(self._wanted(), encoding="utf-8")
        say(f"installed comfy-cli into {self.folder}")

    def command(self, *arguments: str | os.PathLike[str]) -> Command:
        """A command line that prints one JSON object per line, of which the last is the envelope."""
        return [self.python, "-m", "comfy_cli", "--json-stream", "--skip-prompt", *arguments]

    def environment(self, **variables: str) -> dict[str, str]:
        """The process environment: no telemetry, no look for updates, a home folder of its own."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        own = {"DO_NOT_TRACK": "1", "COMFY_NO_UPDATE_CHECK": "1", "COMFY_CLI_NO_REMOTE_REFRESH": "1"}
        own |= {"COMFY_WHERE": "local", "PYTHONUTF8": "1", "HOME": str(home), "USERPROFILE": str(home)}
        # git keeps the user's settings, such as a proxy.
        own |= {"GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL", str(Path.home() / ".gitconfig"))}
        return {**os.environ, **own, **variables}

    def events(self, *arguments: str | os.PathLike[str]) -> Iterator[Event]:
        """Runs a command and hands on its events as they come; leaving the loop ends the command."""
        process = start_group(self.command(*arguments), env=self.environment(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        other = []  # anything that is not an event, such as a traceback
        seen = False
        try:
            for line in process.stdout:
                event = _event(line)
                if event is None:
                    other.append(line.rstrip())
                else:
                    seen = True
                    yield event
        finally:
            stop_group(process)
            process.stdout.close()
        if not seen:
            raise SetupError("\n".join(["comfy-cli failed.", *other[-30:]]))

    def run(
        self,
        workflow: Path,
        port: int,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> list[Event]:
        """Queues a workflow file on the server at `port`, waits for its end, and returns what it wrote.

        Args:
            workflow: in API format, or as the browser saves it.
            on_event: gets every event: `queued`, `executing`, `progress`, `executed`, ...

        Returns:
            the outputs in the order they were made: `filename`, `subfolder`, `type`, `class_type`, `url`.

        Raises:
            ServerError: it was refused, a node failed, it was cancelled, or the server died.
        """
        outputs: list[Event] = []
        graph: Event = {}
        failed: Event = {}
        address = ("--host", "127.0.0.1", "--port", str(port), "--timeout", str(SILENCE_SECONDS))
        for event in self.events("run", "--workflow", workflow, "--wait", *address):
            on_event(event)
            kind = event.get("type")
            if kind == "prompt_preview":
                graph = event.get("prompt") or {}
            elif kind == "executed":
                outputs += event.get("outputs") or []
            elif kind == "execution_error":
                failed = event.get("details") or {}
            elif kind == "envelope":
                if not event.get("ok"):
                    error = event.get("error") or {}
                    raise ServerError(failure(failed) if failed else refusal(error, graph))
                return outputs
        raise ServerError("comfy-cli ended before the graph did.")

    def install_comfyui(self, tree: Path, version: str, venv: Path) -> None:
        """`comfy install`: ComfyUI's source as `tree`; `venv` has its packages already."""
        source = ("--version", version, "--cpu", "--skip-manager")
        packages = ("--skip-torch-or-directml", "--skip-requirement")
        command: Command = [self.python, "-m", "comfy_cli", "--skip-prompt", "--workspace", tree, "install"]
        run_quietly(
            [*command, *source, *packages],
            log=self.root / ".comfyui" / "logs" / "install.log",
            env=self.environment(VIRTUAL_ENV=str(venv), GIT_TERMINAL_PROMPT="0"),
            what="comfy install",
        )

    @property
    def _mark(self) -> Path:
        return self.folder / "comfy-cli.txt"

    def _wanted(self) -> str:
        return (self.root / "requirements" / "comfy-cli.txt").read_text(encoding="utf-8")


def _event(line: str) -> Event | None:
    if not line.startswith("{"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None


def failure(details: Event) -> str:
    """An `execution_error` as text: the node, its error, and where it was raised."""
    kind = str(details.get("exception_type", "")).rpartition(".")[2]
    where = "".join((details.get("traceback") or [])[-2:]).rstrip()  # the server's log has all of it
    message = str(details.get("exception_message")).strip()
    head = f"{details.get('node_type')} (node {details.get('node_id')}) failed: {message}"
    return head if kind in ("InputError", "CheckpointError") else f"{head} [{kind}]\n{where}"


def refusal(error: Event, graph: Event) -> str:
    """The error of an envelope as sentences: a line for each node and input where it names them."""
    lines = [str(error.get("message") or "ComfyUI refused the workflow").strip()]
    details = error.get("details") or {}
    for entry in details.get("errors") or details.get("node_errors") or []:
        lines += [f"  {sentence}" for sentence in _sentences(entry, graph)]
    if len(lines) == 1 and error.get("hint"):
        lines.append(f"  {error['hint']}")
    return "\n".join(lines)


def _sentences(entry: Event, graph: Event) -> Iterator[str]:
    """What is wrong with one node: comfy-cli's own finding, or the list that the server gives."""
    number = str(entry.get("node_id"))
    node = graph.get(number) or {}
    title = (node.get("_meta") or {}).get("title") or node.get("class_type") or "a node"
    for problem in entry.get("errors") or [entry]:
        text = f"{problem.get('message', '')} {problem.get('details') or ''}".strip()
        suggestions = problem.get("suggestions") or []
        ending = f" (did you mean {', '.join(suggestions)}?)" if suggestions else ""
        yield f"{title} (node {number}): {text}{ending}"
