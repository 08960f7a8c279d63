"""How well the rig shows emotions and speaks, on people, paintings and renders.

    python -m experiments rig --media DIR --models DIR               print the tables
    python -m experiments rig --media DIR --models DIR --write       also record them in docs/results/rig.md
    python -m experiments rig ... --sheets DIR                       also draw contact sheets there

DIR of --media holds folders `portraits`, `talking`, `emotion` and `virtual`; that of --models the face
landmarker and `face-api/face_expression_model.bin`, which reads expressions and which the rig does not
use. Neither is part of the project. The environment variables EADNET_MEDIA and EADNET_MODELS stand in for the
options.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from eadnet.errors import InputError
from eadnet.faces.landmarker import FaceLandmarker
from eadnet.modules.face_api import FaceApiNetwork, FaceExpressions
from eadnet.rig.emotions import DEFAULT_INTENSITY
from experiments.paths import RESULTS
from experiments.rig.motion import lips, speed
from experiments.rig.readings import contact_sheets, read_emotions
from experiments.rig.speaking import read_speaking
from experiments.rig.stills import stills

PAGE = RESULTS / "rig.md"
PARTS = ("emotions", "speaking", "lips", "speed")


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError without recordings or models."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments rig",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--media", type=Path, default=os.environ.get("EADNET_MEDIA"))
    parser.add_argument("--models", type=Path, default=os.environ.get("EADNET_MODELS"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--driver", choices=("motion", "mini"), default="motion", help="who speaks")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(argv)
    if options.media is None or options.models is None:
        raise InputError("Recordings and models are missing: give --media and --models.")
    torch.set_num_threads(options.threads)
    models = Path(options.models)
    tasks = sorted(models.glob("face_landmarker*"))
    if not tasks:
        raise InputError(f"There is no face landmarker in {models}: get it with 'eadnet fetch faces'.")
    landmarker = FaceLandmarker(tasks[0], blendshapes=True)
    faces = list(stills(Path(options.media), landmarker))
    lines: list[str] = []
    reader = FaceExpressions(FaceApiNetwork.load(models / "face-api" / "face_expression_model.bin"))
    some = faces[:: max(1, len(faces) // 10)][:10]
    if "emotions" in options.parts:
        for intensity in (1.0, DEFAULT_INTENSITY):
            lines += [*read_emotions(faces, reader, landmarker, intensity), ""]
    if "speaking" in options.parts:
        spoken = read_speaking(some, reader, landmarker, driver=options.driver, sheets=options.sheets)
        lines += [*spoken, ""]
    if "lips" in options.parts:
        lines += [*lips(some, landmarker), ""]
    if "speed" in options.parts:
        lines += [*speed(faces[0]), ""]
    if options.sheets and "emotions" in options.parts:
        for intensity in (1.0, DEFAULT_INTENSITY):
            contact_sheets(faces, options.sheets, intensity)
    print("\n".join(lines))
    if options.write:
        PAGE.write_text("# The face rig\n\n" + "\n".join(lines), encoding="utf-8")
