"""The ``eadnet`` command. Each sub-command is one `Command`: what it takes and what it runs."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from . import __version__
from .errors import CheckpointError, InputError

if TYPE_CHECKING:
    from .captions.base import Captioner
    from .faces.detectors import FaceDetector
    from .pipeline import Progress


@dataclass(frozen=True)
class Command:
    """A sub-command: its name, one line of help, its arguments, and the function that runs it."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace], None]


class ProgressLine:
    """One line on a terminal that is written over; on anything else a line for each tenth of a stage."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.last = ""

    def __call__(self, progress: Progress) -> None:
        share = progress.done / max(progress.total, 1)
        text = f"{progress.stage} {progress.done}/{progress.total}"
        if progress.seconds_left is not None and progress.done < progress.total:
            minutes, seconds = divmod(round(progress.seconds_left), 60)
            text += f", {minutes}:{seconds:02} left"
        if self.terminal:
            self.stream.write(f"\r{text} {math.floor(share * 100)} %\x1b[K")
            if progress.done == progress.total:
                self.stream.write("\n")
        elif (mark := f"{progress.stage} {math.floor(share * 10)}") != self.last:
            self.last = mark
            self.stream.write(f"{text}\n")
        self.stream.flush()


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    from .media.lengths import LENGTH_MODES
    from .sampling.schedulers import SCHEDULERS

    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--portrait", type=Path, metavar="IMG", help="the face, as a picture")
    source.add_argument("--video", type=Path, metavar="VID", help="the face, as a video (bounces when short)")
    parser.add_argument(
        "--face-detector",
        type=Path,
        metavar="FILE",
        help="YuNet's .onnx or MediaPipe's .task: finds the face in the video and writes whole frames",
    )
    parser.add_argument("--face", metavar="NUMBERS", help="the video's face by hand: a box or five points")
    parser.add_argument("--face-index", type=int, metavar="N", help="which face, from the left, from 0")
    parser.add_argument(
        "--colour-match",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="with a found face: how far it takes on the colours around it, 0 to 1",
    )
    parser.add_argument(
        "--feather",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="with a found face: width of its soft edge, 0 to 0.25 of the crop",
    )
    parser.add_argument("--audio", type=Path, required=True, help="the recording to say")
    parser.add_argument("--emotion", default="", metavar="TEXT", help="how to say it, in words")
    parser.add_argument("--out", type=Path, required=True, metavar="MP4", help="where the video goes")
    parser.add_argument("--checkpoint", default="mini", metavar="FILE", help="default: the bundled mini")
    parser.add_argument("--audio-encoder", type=Path, metavar="FILE", help="converted Whisper, if not in it")
    parser.add_argument("--vae", type=Path, metavar="FILE", help="Stable Diffusion autoencoder, if not in it")
    parser.add_argument("--text-encoder", type=Path, metavar="DIR", help="CLIP ViT-L/14, if not in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="default: the checkpoint's")
    parser.add_argument("--audio-guidance", type=float, help="how strictly to follow the sound; 1 is off")
    parser.add_argument("--emotion-guidance", type=float, help="how strictly to follow the text; 1 is off")
    parser.add_argument("--scheduler", choices=SCHEDULERS, default="ddim")
    parser.add_argument("--window", type=int, default=16, help="frames denoised at once")
    parser.add_argument("--overlap", type=int, default=4, help="frames that neighbouring windows share")
    parser.add_argument("--smoothing", type=float, default=1.0, help="strength of the TFRM, 0 to 1")
    parser.add_argument(
        "--length", choices=LENGTH_MODES, default="bounce", help="when sound and video last differently long"
    )
    parser.add_argument("--fps", type=float, help="frames per second from a portrait; a video keeps its own")
    parser.add_argument(
        "--no-silence-gate", action="store_true", help="do not close the mouth where the recording pauses"
    )
    parser.add_argument("--resume", action="store_true", help="continue a render that was broken off")
    parser.add_argument("--device", default="cpu", help="for instance cuda")
    parser.add_argument("--half", action="store_true", help="denoise in float16 (GPU)")
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="also write a sheet of frames")


def _generate(options: argparse.Namespace) -> None:
    import numpy as np
    import torch

    from .faces.choice import Choice
    from .media.images import contact_sheet, write_png
    from .media.reader import VideoReader
    from .pipeline import generate_file, load_model

    logging.getLogger("eadnet.produce").setLevel(logging.INFO)  # what the render will need
    model = load_model(
        options.checkpoint,
        audio_encoder=options.audio_encoder,
        vae=options.vae,
        text_encoder=options.text_encoder,
    )
    try:
        model.to(options.device, torch.float16 if options.half else None)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {options.device} cannot be used: choose cpu or another one.") from error
    made = generate_file(
        options.out,
        options.audio,
        options.emotion,
        portrait=options.portrait,
        video=options.video,
        model=model,
        seed=options.seed,
        steps=options.steps,
        audio_guidance=options.audio_guidance,
        emotion_guidance=options.emotion_guidance,
        scheduler=options.scheduler,
        window=options.window,
        overlap=options.overlap,
        smoothing=options.smoothing,
        length=options.length,
        fps=options.fps,
        silence_gate=not options.no_silence_gate,
        colour_match=options.colour_match,
        feather=options.feather,
        resume=options.resume,
        detector=_detector(options.face_detector, options.face) if options.video else None,
        choice=None if options.face_index is None else Choice("index", "left-right", options.face_index),
        on_progress=ProgressLine(sys.stderr),
    )
    with VideoReader(options.out) as film:
        if options.contact_sheet:
            shown = sorted({round(i * (film.count - 1) / 15) for i in range(16)})
            write_png(options.contact_sheet, contact_sheet(np.stack([film.picture(i) for i in shown])))
        print(f"{options.out}: {made.frames} frames, {float(made.frames / film.fps):.2f} s")


def _detector(file: Path | None, by_hand: str | None) -> FaceDetector | None:
    """What finds the face in a video; None leaves the centred square."""
    from .faces.manual import ManualDetector, parse_face
    from .faces.mediapipe import MediaPipe
    from .faces.yunet import YuNet

    if by_hand is not None:
        return ManualDetector(parse_face(by_hand))
    if file is None:
        return None
    return MediaPipe(file) if file.suffix == ".task" else YuNet(file)


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a file, or mini for the bundled one")
    parser.add_argument("--json", action="store_true", help="the whole header, for programs")


def _info(options: argparse.Namespace) -> None:
    from .checkpoints import bundled_mini, count_parameters, read_info

    path = bundled_mini() if options.checkpoint == "mini" else Path(options.checkpoint)
    info = read_info(path)
    if options.json:
        print(json.dumps(info, indent=1))
        return
    print(f"{path}\npreset      {info.get('preset', 'unnamed')}")
    for name in ("resolution", "fps", "mask_region", "defaults"):
        if name in info:
            print(f"{name:12}{_flat(info[name])}")
    for name, count in count_parameters(path).items():
        print(f"{name:15}{info['components'][name]['class']:18}{count / 1e6:10.2f} M")


def _flat(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="SRC", help="latentsync_unet.pt, tiny.pt, stable_syncnet.pt, ..."
    )
    parser.add_argument("target", type=Path, nargs="?", metavar="DST", help="default: beside the source")
    parser.add_argument("--resolution", type=int, help="256 (LatentSync 1.5) or 512 (1.6)")
    parser.add_argument("--preset", help="latentsync-1.5 or latentsync-1.6, instead of the resolution")


def _convert(options: argparse.Namespace) -> None:
    from .convert import convert

    print(convert(options.source, options.target, resolution=options.resolution, preset=options.preset))


def _sheet_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--count", type=int, default=16, help="frames shown")
    parser.add_argument("--columns", type=int, default=8)


def _sheet(options: argparse.Namespace) -> None:
    from .media.images import contact_sheet, write_png
    from .media.video import read_video

    frames = read_video(options.video).frames
    write_png(options.out, contact_sheet(frames, options.count, options.columns))
    print(options.out)


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "generated", type=Path, nargs="?", metavar="GENERATED_DIR", help="videos of one face each"
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="true videos of the same names")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument("--models", type=Path, metavar="DIR", help="syncnet_v2.safetensors and other judges")
    parser.add_argument("--mini", type=Path, metavar="FILE", help="checkpoint with mini's SyncNet")
    parser.add_argument("--no-faces", action="store_true", help="judge the centred square of every frame")
    world = parser.add_argument_group(
        "the synthetic world", "held-out clips with known truth, generated and measured; goes on if stopped"
    )
    world.add_argument("--world", choices=("test", "validation"), help="instead of GENERATED_DIR")
    world.add_argument("--checkpoint", default="mini", metavar="FILE", help="default: the bundled mini")
    world.add_argument("--count", type=int, default=64, help="clips")
    world.add_argument("--frames", type=int, default=48, help="of each clip, 16 or more")
    world.add_argument("--work", type=Path, default=Path(".work/world"), help="clips and takes, kept")
    world.add_argument("--train", type=Path, metavar="DIR", help="rendered clips to train the instruments")
    world.add_argument("--instrument-steps", type=int, default=1500)
    world.add_argument("--workers", type=int, default=1, help="processes that render")
    world.add_argument("--minutes", type=float, help="report on what is complete after so long")
    world.add_argument("--recordings", type=Path, nargs="*", default=[], help="real speech to try as well")


def _evaluate_world(options: argparse.Namespace) -> None:
    from .pipeline import Progress
    from .training.world.command import Settings, evaluate_world

    line = ProgressLine(sys.stderr)
    settings = Settings(
        out=options.out,
        world=options.world,
        checkpoint=options.checkpoint,
        work=options.work,
        train=options.train,
        count=options.count,
        frames=options.frames,
        instrument_steps=options.instrument_steps,
        workers=options.workers,
        minutes=options.minutes,
        recordings=tuple(options.recordings),
    )
    print(evaluate_world(settings, lambda done, total: line(Progress("takes", done, total))))


def _evaluate(options: argparse.Namespace) -> None:
    from .evaluation.folder import evaluate

    if (options.world is None) == (options.generated is None):
        raise InputError("Name a folder of videos to score, or --world for the synthetic world: one of them.")
    if options.world is not None:
        _evaluate_world(options)
        return

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"{done}/{total}\n")

    result = evaluate(
        options.generated,
        options.out,
        options.reference,
        options.models,
        options.mini,
        faces=not options.no_faces,
        on_clip=show,
    )
    for metric in result.metrics():
        total = result.totals[metric.key]
        print(
            f"{metric.title:28}{total.mean:10.{metric.digits}f}  "
            f"[{total.low:.3g}, {total.high:.3g}]  n={total.count}"
        )
    for found in result.sets:
        print(f"{found.title:28}{found.value:10.3f}  {found.generated} and {found.reference} features")
    for clip in result.not_scored():
        print(f"{clip.name}: not scored: {clip.problem}")
    for title, reason in result.missing.items():
        print(f"{title}: not computed: {reason}")
    print(options.out / "index.html")


def _caption_arguments(parser: argparse.ArgumentParser) -> None:
    from .captions.schema import EMOTIONS

    parser.add_argument("folder", type=Path, metavar="DIR", help="clips, in folders of any depth")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL", help="goes on where it stopped")
    parser.add_argument(
        "--backend", choices=("measured", "local", "endpoint", "template"), default="measured"
    )
    parser.add_argument(
        "--task", type=Path, metavar="FILE", help="measured: MediaPipe's face_landmarker .task"
    )
    parser.add_argument(
        "--model", default="", metavar="NAME", help="local: a folder; endpoint: the model's name"
    )
    parser.add_argument("--url", default="", help="endpoint, for instance http://localhost:11434/v1")
    parser.add_argument("--timeout", type=float, default=120.0, help="endpoint: seconds for one attempt")
    parser.add_argument(
        "--label", choices=EMOTIONS, default="neutral", help="template: the emotion of all clips"
    )
    parser.add_argument("--device", default="cpu", help="local: for instance cuda")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N parts of the data set")
    parser.add_argument("--frames", type=int, default=8, help="frames looked at in each clip")
    parser.add_argument("--seed", type=int, default=0)


def _captioner(options: argparse.Namespace) -> Captioner:
    if options.backend == "template":
        from .captions.template import TemplateCaptioner

        return TemplateCaptioner(options.label)
    if options.backend == "endpoint":
        from .captions.endpoint import EndpointCaptioner

        return EndpointCaptioner(options.url, options.model, timeout=options.timeout)
    if options.backend == "local":
        from .captions.local_vlm import LocalCaptioner, LocalVLM

        if not options.model:
            raise InputError("No model is given: name its folder with --model.")
        try:
            return LocalCaptioner(LocalVLM.from_folder(options.model).to(options.device))
        except (RuntimeError, AssertionError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise InputError(
                f"The device {options.device} cannot be used: choose cpu or another one."
            ) from error
    from .captions.measured import MeasuredCaptioner

    if options.task is None:
        raise InputError("Measuring needs MediaPipe's face landmarker: name the .task file with --task.")
    return MeasuredCaptioner(options.task)


def _caption(options: argparse.Namespace) -> None:
    from .captions.dataset import Shard, caption_folder, skip_list
    from .pipeline import Progress

    line = ProgressLine(sys.stderr)
    done, skipped = caption_folder(
        options.folder,
        options.out,
        _captioner(options),
        shard=Shard.parse(options.shard),
        frames=options.frames,
        seed=options.seed,
        on_clip=lambda done, total: line(Progress("caption", done, total)),
    )
    print(
        f"{options.out}: {done} clips described"
        + (f", {skipped} in {skip_list(options.out)}" if skipped else "")
    )


def _synth_arguments(parser: argparse.ArgumentParser) -> None:
    if find_spec(".synthetic", __package__) is None:  # the archive of the node registry leaves it out
        parser.add_argument("anything", nargs="*", help=argparse.SUPPRESS)
        return
    from .synthetic import commands

    commands.arguments(parser)


def _synth(options: argparse.Namespace) -> None:
    if find_spec(".synthetic", __package__) is None:
        raise InputError(
            "This installation came without the synthetic world, which no node needs. Clone the repository "
            "to use `eadnet synth`."
        )
    from .synthetic import commands

    try:
        print(commands.run(options))
    except ModuleNotFoundError as error:
        raise InputError(
            f"The synthetic world needs the package {error.name}: pip install 'ead-net[synthetic]'."
        ) from error


COMMANDS: tuple[Command, ...] = (
    Command("generate", "make a face say a recording with an emotion", _generate_arguments, _generate),
    Command("info", "what a checkpoint holds", _info_arguments, _info),
    Command("convert", "published weights into a checkpoint", _convert_arguments, _convert),
    Command("contact-sheet", "frames of a video on one picture", _sheet_arguments, _sheet),
    Command("evaluate", "score a folder of videos, with a report", _evaluate_arguments, _evaluate),
    Command("caption", "describe the faces in a folder of clips", _caption_arguments, _caption),
    Command("synth", "render synthetic people, make data sets of them", _synth_arguments, _synth),
)


def build_parser(commands: Sequence[Command] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the ``eadnet`` command."""
    parser = argparse.ArgumentParser(prog="eadnet", description="Emotion-aware talking heads.")
    parser.add_argument("--version", action="version", version=f"eadnet {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    choices = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands:
        child = choices.add_parser(command.name, help=command.help, description=command.help)
        command.arguments(child)
        child.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 2 for what the user can put right, 130 for Ctrl-C."""
    options = build_parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(message)s")
    try:
        options.run(options)
    except (InputError, CheckpointError) as error:
        print(f"eadnet: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eadnet: stopped", file=sys.stderr)
        return 130
    return 0
