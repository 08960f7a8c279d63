"""The commands of `run.py`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import browser, comfyui
from .comfy_cli import ComfyCli
from .comfyui import ComfyUI
from .console import StatusLine, say
from .display import RunDisplay
from .environment import Environment
from .errors import ServerError, SetupError
from .landmarker import provide_landmarker
from .process import Command, run_in_foreground, run_quietly, signals_unwind
from .server import Server, free_port
from .workflow import load_workflow, with_inputs

ROOT = Path(__file__).resolve().parent.parent
# Of a portrait: "rig" moves its own pixels, "pixels" has mini draw the face.
WORKFLOWS = {
    "rig": ROOT / "workflows" / "api" / "photo_with_emotion.json",
    "pixels": ROOT / "workflows" / "api" / "talking_portrait_in_parts.json",
}
PORTRAIT = ROOT / "eadnet" / "assets" / "portrait.png"
SPEECH = ROOT / "eadnet" / "assets" / "speech.wav"
# Tests run in as many processes as there are cores, up to four, as each takes a gigabyte or two. Those of a
# file share its fixtures, so they stay together.
NO_BROWSER = ("-m", "not browser")  # it takes as long as all others together: only when it is asked for
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
COMFY_PORT = 8188  # where people expect ComfyUI


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, 1 with a message on stderr, or 128 + signal."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:at])
    options.passed_on = arguments[at + 1 :]
    if options.passed_on and options.command == "demo":
        _parser().error("demo takes nothing after --")
    try:
        with signals_unwind():
            return options.run(options)
    except SetupError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="EAD-Net for ComfyUI: set up and run. Everything is made on the first call and kept.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="demo | test | comfy | bench | experiments | train"
    )

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        sub.add_argument(
            "--torch",
            metavar="SPEC",
            help="install this torch, not the pinned one; pip options may follow: 'torch --index-url URL'",
        )
        return sub

    demo_parser = command("demo", demo, "make a talking portrait in a real ComfyUI: prints where the mp4 is")
    demo_parser.add_argument(
        "--portrait", type=Path, default=PORTRAIT, help="a face: photograph, painting, render or drawing"
    )
    demo_parser.add_argument(
        "--landmarker",
        metavar="FILE",
        help="MediaPipe's face_landmarker.task, which finds the face, or a web address that has it; without "
        "it, a download is offered",
    )
    demo_parser.add_argument(
        "--method",
        choices=tuple(WORKFLOWS),
        default="rig",
        help="rig moves the portrait's own pixels; pixels has mini draw the face of a drawn head",
    )
    demo_parser.add_argument(
        "--audio", type=Path, default=SPEECH, help="a recording of speech, of any length"
    )
    demo_parser.add_argument("--emotion", metavar="TEXT", help="a sentence, such as 'calm, a faint smile'")
    demo_parser.add_argument("--seed", type=int, help="another seed gives another video")
    demo_parser.add_argument("--steps", type=int, help="with --method pixels: denoising steps")
    comfy_parser = command(
        "comfy", comfy, "start ComfyUI with the pack, to use in a browser; -- passes options on to it"
    )
    comfy_parser.add_argument(
        "--port", type=int, help=f"by default {COMFY_PORT}, or a free one if that is taken"
    )
    for sub in (demo_parser, comfy_parser):
        sub.add_argument("--comfyui", metavar="PATH", type=Path, help="use this installation of ComfyUI")
    command("test", test, "run every check and test; -- passes arguments on to pytest")
    bench_parser = command(
        "bench", bench, "measure the parts of a render; -- NAME runs another benchmark, with its options"
    )
    bench_parser.add_argument(
        "--reference", type=Path, metavar="PATH", help="beside a checkout of the published LatentSync"
    )
    bench_parser.add_argument("--gpu", action="store_true", help="the published size, in ten minutes")
    command("experiments", experiments, "measure models, write docs/results; -- NAME and its options")
    command("train", train, "train a model; -- passes arguments on to eadnet.training")
    return parser


def demo(options: argparse.Namespace) -> int:
    """Portrait + recording + sentence -> mp4 with sound and a contact sheet: `comfy run` on a real server."""
    start = time.monotonic()
    for path, flag in ((options.portrait, "--portrait"), (options.audio, "--audio")):
        if not path.is_file():
            raise SetupError(f"{path} is not a file. Check {flag}.")
    if options.steps is not None and options.method != "pixels":
        raise SetupError("--steps is for --method pixels: the rig has none.")
    target = _unused(ROOT / "output", f"{options.portrait.stem}-{options.audio.stem}")
    installation, cli = _installation(options), ComfyCli(ROOT)
    if options.method == "rig" and not _is_bundled(options.portrait):
        provide_landmarker(installation, options.landmarker)
    cli.prepare()
    with tempfile.TemporaryDirectory(prefix="ead-net-") as temporary:
        folder = Path(temporary)
        workflow = folder / WORKFLOWS[options.method].name
        workflow.write_text(json.dumps(_demo_workflow(options, folder / "input")), encoding="utf-8")
        # Folders of the demo's own: nothing is uploaded, nothing is left in the user's ComfyUI.
        folders = ("--input-directory", str(folder / "input"), "--output-directory", str(folder / "output"))
        with Server(installation, ROOT / ".comfyui" / "logs" / "demo.log", arguments=folders) as server:
            made = _run(cli, workflow, server)
            videos = [item for item in made if item["filename"].endswith(".mp4")]
            if not videos:
                raise ServerError(f"ComfyUI finished the graph but wrote no mp4.\n{server.log_tail()}")
        target.parent.mkdir(exist_ok=True)
        shutil.move(folder / "output" / videos[-1]["subfolder"] / videos[-1]["filename"], target)
    sheet = target.with_suffix(".png")
    _contact_sheet(installation, target, sheet)
    say(f"video          {target}")
    say(f"contact sheet  {sheet}")
    say(f"done in {time.monotonic() - start:.0f} s")
    return 0


def _demo_workflow(options: argparse.Namespace, folder: Path) -> dict:
    """The workflow with the user's inputs, which are copied into the server's input folder."""
    folder.mkdir()
    portrait, audio = f"portrait{options.portrait.suffix}", f"audio{options.audio.suffix}"
    shutil.copyfile(options.portrait, folder / portrait)
    shutil.copyfile(options.audio, folder / audio)
    inputs: dict[str, dict] = {"LoadImage": {"image": portrait}, "LoadAudio": {"audio": audio}}
    if options.emotion is not None:
        inputs["EADNetEmotionEncode"] = {"text": options.emotion}
    seeded = "EADNetSampler" if options.method == "pixels" else "EADNetExpressionFromSpeech"
    chosen = {"seed": options.seed}
    if options.steps is not None:
        chosen["steps"] = options.steps
    inputs[seeded] = {name: value for name, value in chosen.items() if value is not None}
    return with_inputs(load_workflow(WORKFLOWS[options.method]), inputs)


def _is_bundled(portrait: Path) -> bool:
    return portrait.read_bytes() == PORTRAIT.read_bytes()


def _run(cli: ComfyCli, workflow: Path, server: Server) -> list[dict]:
    """What a workflow made; an error that the death of the server caused says so, with the end of its log."""
    try:
        with StatusLine() as status:
            return cli.run(workflow, server.port, RunDisplay(status.show))
    except ServerError as error:
        if server.is_alive():
            raise
        raise ServerError(f"ComfyUI ended while it was working.\n{server.log_tail()}") from error


def _contact_sheet(installation: ComfyUI, video: Path, sheet: Path) -> None:
    # ComfyUI's Python knows nothing of this checkout, and a portable one ignores the current folder.
    call = "from eadnet.cli import main; sys.exit(main(sys.argv[1:]))"
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); {call}"
    command: Command = [installation.python, "-c", code, ROOT, "contact-sheet", video, sheet]
    run_quietly(
        command, log=ROOT / ".comfyui" / "logs" / "contact-sheet.log", what="Making the contact sheet"
    )


def comfy(options: argparse.Namespace) -> int:
    """A server with the pack until Ctrl-C."""
    if options.port and free_port(options.port) != options.port:
        raise SetupError(f"Port {options.port} is taken. Give another --port, or none.")
    log = ROOT / ".comfyui" / "logs" / "comfy.log"
    port = options.port or free_port(COMFY_PORT)
    with Server(_installation(options), log, port, options.passed_on) as server:
        say(f"ComfyUI with EAD-Net: {server.url}")
        say("The workflow is under Workflow > Browse Templates > comfyui-ead-net. Ctrl-C stops the server.")
        server.follow_log()
        raise ServerError(f"ComfyUI ended by itself.\n{server.log_tail()}")


def test(options: argparse.Namespace) -> int:
    """ruff, mypy and pytest, with a ComfyUI for the tests that need one; in a browser with `-m browser`."""
    environment, cli = _environment(options, "dev"), ComfyCli(ROOT)
    python = environment.python
    comfyui.own(environment, cli)
    cli.prepare()
    marked = "-m" in options.passed_on
    chosen = options.passed_on if marked else [*NO_BROWSER, *options.passed_on]
    if marked and any("browser" in word for word in chosen):
        browser.prepare(environment)
    # The nodes import eadnet relative to a package around both, which ComfyUI makes up. mypy needs one, too.
    types = ROOT / ".comfyui" / "types"
    types.mkdir(exist_ok=True)
    comfyui.link_pack(ROOT, types, ours=True, name="ead_net")
    checks = [
        ("ruff check", ["-m", "ruff", "check", "."]),
        ("ruff format", ["-m", "ruff", "format", "--check", "."]),
        ("mypy", ["-m", "mypy"]),
        ("mypy of the nodes", ["-m", "mypy", "-p", "ead_net.nodes"]),
        ("pytest", ["-m", "pytest", *PARALLEL, *chosen]),
    ]
    # Two processes of tests with one thread each are faster than one with two: most tests are small.
    own = {"OMP_NUM_THREADS": "1", **with_bytecode(os.environ), "MYPYPATH": str(types)}
    failed = []
    for name, command in checks:
        say(f"--- {name}")
        if run_in_foreground([python, *command], cwd=ROOT, env=own):
            failed.append(name)
    say(f"FAILED: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def with_bytecode(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which Python keeps what it compiles; where it is told not to, in a folder of ours.

    Without, each process of tests compiles torch, ComfyUI, the library and the tests anew, which takes longer
    than many of the tests.
    """
    chosen = dict(environment)
    if chosen.pop("PYTHONDONTWRITEBYTECODE", ""):
        chosen.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".comfyui" / "__pycache__"))
    return chosen


def bench(options: argparse.Namespace) -> int:
    """The parts of a render side by side, or the benchmarks that were named."""
    python = _environment(options, "dev").python
    return run_in_foreground([python, "-m", "benchmarks", *bench_arguments(options)], cwd=ROOT)


def bench_arguments(options: argparse.Namespace) -> list[str]:
    """What `python -m benchmarks` is given."""
    if options.passed_on and not options.passed_on[0].startswith("-"):
        return list(options.passed_on)
    own = ["--reference", str(options.reference.resolve())] if options.reference else []
    return ["side_by_side", *own, *["--gpu"] * options.gpu, *options.passed_on]


def experiments(options: argparse.Namespace) -> int:
    """An experiment by name; without one, a line for each."""
    python = _environment(options, "dev").python
    return run_in_foreground([python, "-m", "experiments", *options.passed_on], cwd=ROOT)


def train(options: argparse.Namespace) -> int:
    """A training run."""
    python = _environment(options, "train").python
    return run_in_foreground([python, "-m", "eadnet.training", *options.passed_on], cwd=ROOT)


def _environment(options: argparse.Namespace, *extras: str) -> Environment:
    environment = Environment(ROOT)
    environment.prepare(extras, options.torch)
    return environment


def _installation(options: argparse.Namespace) -> ComfyUI:
    if not options.comfyui:
        return comfyui.own(_environment(options), ComfyCli(ROOT))
    if options.torch:
        raise SetupError("--torch is for run.py's own ComfyUI; the one in --comfyui has its own torch.")
    return comfyui.existing(options.comfyui, ROOT)


def _unused(folder: Path, stem: str) -> Path:
    """`stem.mp4` in a folder, or `stem-2.mp4`, ... where that is taken."""
    names = (f"{stem}.mp4" if n == 1 else f"{stem}-{n}.mp4" for n in range(1, 1_000_000))
    return next(folder / name for name in names if not (folder / name).exists())
