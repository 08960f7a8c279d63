"""How well faces are found, followed, cropped and put back in real recordings.

    python -m experiments faces --media DIR --models DIR            print the tables
    python -m experiments faces --media DIR --models DIR --write    also record them in docs/results/faces.md

DIR of --media holds folders `talking`, `virtual` and `portraits`; that of --models holds YuNet's file and,
for the comparison with a dense mesh, MediaPipe's. Neither is part of the project: recordings of people are
not ours to give away. The environment variables EADNET_MEDIA and EADNET_MODELS stand in for the options.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from eadnet.errors import InputError
from experiments.faces.performance import memory, speed
from experiments.faces.tables import Report, found_and_jitter, lags, portraits, two_people
from experiments.paths import RESULTS

PAGE = RESULTS / "faces.md"

PARTS = {
    "memory": memory,
    "speed": speed,
    "people": two_people,
    "lag": lags,
    "portraits": portraits,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError without recordings and detectors."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments faces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--media", type=Path, default=os.environ.get("EADNET_MEDIA"))
    parser.add_argument("--models", type=Path, default=os.environ.get("EADNET_MODELS"))
    parser.add_argument("--frames", type=int, default=100_000, help="at most so many of each clip")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "clips"], default=[*PARTS, "clips"])
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(argv)
    if options.media is None or options.models is None:
        raise InputError("Recordings and detectors are missing: give --media and --models.")
    torch.set_num_threads(options.threads)
    with suppress(ImportError):
        importlib.import_module("cv2").setNumThreads(options.threads)
    report = Report()
    media, models = Path(options.media), Path(options.models)
    for name, part in PARTS.items():
        if name in options.parts:
            part(report, media, models)
    if "clips" in options.parts:
        found_and_jitter(report, media, models, options.frames)
    if options.write:
        PAGE.write_text("# Faces in real recordings\n" + "\n".join(report.lines) + "\n", encoding="utf-8")
