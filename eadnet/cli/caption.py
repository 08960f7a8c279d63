"""``eadnet caption``: describe the faces in a folder of clips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, InputError
from .command import Command, say
from .progress import ProgressLine

if TYPE_CHECKING:
    from ..captions.base import Captioner


def arguments(parser: argparse.ArgumentParser) -> None:
    from ..captions.schema import EMOTIONS

    parser.add_argument("folder", type=Path, metavar="DIR", help="clips, in folders of any depth")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL", help="resumes if it exists")
    parser.add_argument(
        "--backend", choices=("measured", "local", "endpoint", "template"), default="measured"
    )
    parser.add_argument("--task", type=Path, metavar="FILE", help="measured: face_landmarker.task")
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
    parser.add_argument("--frames", type=int, default=8, help="frames analysed per clip")
    parser.add_argument("--seed", type=int, default=0)


def _captioner(options: argparse.Namespace) -> Captioner:
    if options.backend == "template":
        from ..captions.template import TemplateCaptioner

        return TemplateCaptioner(options.label)
    if options.backend == "endpoint":
        from ..captions.endpoint import EndpointCaptioner

        return EndpointCaptioner(options.url, options.model, timeout=options.timeout)
    if options.backend == "local":
        from ..captions.local_vlm import LocalCaptioner, LocalVLM

        if not options.model:
            raise InputError("No model: set its folder with --model.")
        try:
            return LocalCaptioner(LocalVLM.from_folder(options.model).to(options.device))
        except (RuntimeError, AssertionError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise InputError(
                f"The device {options.device} cannot be used: choose cpu or another one."
            ) from error
    from ..captions.measured import MeasuredCaptioner

    if options.task is None:
        raise InputError(
            "The measured backend needs the face landmarker: set face_landmarker.task with --task ('eadnet "
            "fetch faces' downloads it)."
        )
    return MeasuredCaptioner(options.task)


def run(options: argparse.Namespace) -> None:
    from ..captions.dataset import Shard, caption_folder, skip_list

    line = ProgressLine(sys.stderr)
    done, skipped = caption_folder(
        options.folder,
        options.out,
        _captioner(options),
        shard=Shard.parse(options.shard),
        frames=options.frames,
        seed=options.seed,
        on_clip=lambda done, total: line("caption", done, total),
    )
    say(
        f"{options.out}: {done} clips described"
        + (f", {skipped} in {skip_list(options.out)}" if skipped else "")
    )


COMMAND = Command("caption", "describe the faces in a folder of clips", arguments, run)
