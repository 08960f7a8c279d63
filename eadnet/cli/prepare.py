"""``eadnet prepare``: from folders of video to a set to train on."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError
from .command import Command, say
from .progress import ProgressLine


def _left_out() -> bool:
    """Whether this is the node registry's archive, which prepares nothing."""
    return find_spec("..preparation", __package__) is None


def arguments(parser: argparse.ArgumentParser) -> None:
    if _left_out():
        parser.add_argument("anything", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        return
    from ..preparation.settings import LAYOUTS, RESOLUTIONS, Settings

    usual = Settings()
    parser.add_argument("folder", type=Path, metavar="DIR", help="the data set as it was downloaded")
    parser.add_argument("--out", type=Path, required=True, metavar="SET", help="resumes if it was begun")
    parser.add_argument("--layout", choices=LAYOUTS, default=usual.layout)
    parser.add_argument("--resolution", type=int, choices=RESOLUTIONS, default=usual.resolution)
    parser.add_argument(
        "--faces",
        type=Path,
        metavar="FILE",
        help="face_landmarker.task; default: where 'eadnet fetch' puts it",
    )
    sync = parser.add_mutually_exclusive_group()
    sync.add_argument(
        "--syncnet", type=Path, metavar="FILE", help="SyncNet v2 or LatentSync's; default: the bundled motion"
    )
    sync.add_argument("--no-sync", action="store_true", help="take the sound as it is; the manifest says so")
    parser.add_argument(
        "--confidence", type=float, metavar="N", help="least of the sync; default: 3, for mini's SyncNet 0.21"
    )
    parser.add_argument(
        "--offset", type=int, default=usual.most_offset, metavar="FRAMES", help="that sound may be apart"
    )
    parser.add_argument("--longest", type=float, default=usual.longest, metavar="S", help="of a segment")
    parser.add_argument("--shortest", type=float, default=usual.shortest, metavar="S", help="of a segment")
    parser.add_argument("--smallest-face", type=float, default=usual.smallest_face, metavar="PIXELS")
    parser.add_argument("--turned", type=float, default=usual.most_turned, metavar="DEGREES")
    parser.add_argument(
        "--edge", type=float, default=usual.most_beyond, metavar="SHARE", help="cut off at most"
    )
    parser.add_argument("--sharpness", type=float, default=usual.least_sharp, metavar="N", help="least of it")
    parser.add_argument("--views", default="", metavar="A,B", help="of MEAD, for instance front,left_30")
    parser.add_argument(
        "--captions", type=Path, metavar="JSONL", help="what 'eadnet caption' wrote about the same folder"
    )
    parser.add_argument(
        "--features", default="", metavar="PRESET", help="keep features for it, of the files:"
    )
    parser.add_argument("--vae", type=Path, metavar="FILE")
    parser.add_argument("--whisper", type=Path, metavar="FILE")
    parser.add_argument("--text-encoder", type=Path, metavar="DIR")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, of one thread each")
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--address", metavar="HOST:PORT", help="ray: of a cluster; default: this machine")
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N", help="ray: of each worker, 0.25 say")
    parser.add_argument("--device", default="cpu", help="for the networks, for instance cuda")


def run(options: argparse.Namespace) -> None:
    if _left_out():
        raise InputError(
            "This installation came without what prepares data sets, which no node needs. Clone the "
            "repository to use `eadnet prepare`."
        )
    from ..downloads import SETS, models_folder
    from ..preparation.prepare import REPORT, prepare
    from ..preparation.settings import NO_SYNC_MODEL, OWN_SYNC_MODEL, Cache, Settings

    faces = options.faces or models_folder() / SETS["faces"][0].folder / SETS["faces"][0].file
    others = (options.vae, options.whisper, options.text_encoder)
    if any(others) and not options.features:
        raise InputError("--vae, --whisper and --text-encoder are for --features: name a preset with it.")
    settings = Settings(
        layout=options.layout,
        resolution=options.resolution,
        longest=options.longest,
        shortest=options.shortest,
        smallest_face=options.smallest_face,
        most_turned=options.turned,
        most_beyond=options.edge,
        least_sharp=options.sharpness,
        sync_model=NO_SYNC_MODEL if options.no_sync else options.syncnet or OWN_SYNC_MODEL,
        confidence=options.confidence,
        most_offset=options.offset,
        faces=faces,
        views=tuple(filter(None, options.views.split(","))),
        captions=options.captions,
        cache=Cache(options.features, *others) if options.features else None,
        device=options.device,
    )
    line = ProgressLine(sys.stderr)
    result = prepare(
        options.folder,
        options.out,
        settings,
        workers=options.workers,
        engine=options.engine,
        address=options.address,
        gpus=options.gpus,
        on_task=lambda done, known: line("segments", done, max(done, known)),
    )
    if not result.anew:
        say(f"{options.out} is finished: nothing to do.")
    minutes = {split: f"{seconds / 60:.1f} min {split}" for split, seconds in result.seconds.items()}
    say(f"{result.accepted} segments accepted" + (f": {', '.join(minutes.values())}" if minutes else ""))
    for stage, count in sorted(result.rejected.items(), key=lambda item: -item[1]):
        say(f"{count} rejected: {stage}")
    say(options.out / REPORT)


COMMAND = Command("prepare", "make a set to train on from folders of video", arguments, run)
