"""Still faces: what a reader says of each emotion, and where the detector finds the points again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from eadnet.faces.landmarker import FaceLandmarker
from eadnet.media.images import write_png
from eadnet.modules.face_api import EXPRESSIONS, FaceExpressions
from eadnet.rig.emotions import EMOTIONS, emotion_parameters
from eadnet.rig.rig import Rig
from experiments.rig.stills import Still, face_crop

SIX = ("happy", "sad", "angry", "fearful", "disgusted", "surprised")


def read_emotions(
    faces: Sequence[Still], reader: FaceExpressions, landmarker: FaceLandmarker, intensity: float
) -> list[str]:
    """A table in Markdown: for each emotion, the share of faces that are read so, and so without the rig."""
    hits = dict.fromkeys(("neutral", *SIX), 0)
    control = dict.fromkeys(("neutral", *SIX), 0)
    errors = []
    for still in faces:
        rig = Rig.build(still.picture, still.points, shapes=still.shapes)
        frames = rig.frames(torch.stack([emotion_parameters(name, intensity) for name in hits]))
        crops = [face_crop(still.picture, still.points)]
        for place, frame in enumerate(frames):
            found = landmarker.detect(frame.numpy())
            points = torch.as_tensor(found[0].points) if found else still.points
            crops.append(face_crop(frame, points))
            if place == 0 and found:
                away = (points[:468, :2] - still.points[:468, :2]).norm(dim=1)
                errors.append(float(away.mean()) / rig.face.scale)
        read = [EXPRESSIONS[place] for place in reader(torch.stack(crops)).argmax(1).tolist()]
        control[read[0]] += 1
        for name, seen in zip(hits, read[1:], strict=True):
            hits[name] += name == seen
    count = len(faces)
    lines = [f"| emotion at {intensity:g} | read as it | untouched picture read so |", "|---|---|---|"]
    lines += [f"| {name} | {hits[name] / count:.2f} | {control[name] / count:.2f} |" for name in hits]
    six = [sum(table[name] for name in SIX) / count / len(SIX) for table in (hits, control)]
    lines.append(f"| mean of six | **{six[0]:.2f}** | **{six[1]:.2f}** |")
    lines.append("")
    lines.append(
        f"{count} faces. A neutral frame's points lie {100 * np.median(errors):.2f} % of the eye distance "
        f"from the picture's (median; worst {100 * max(errors):.1f} %, of stills that are calmed)."
    )
    return lines


def contact_sheets(faces: Sequence[Still], folder: Path, intensity: float, rows: int = 10) -> None:
    """Sheets of the picture and the eight emotions, a face to a row."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(faces), rows):
        lines = []
        for still in faces[first : first + rows]:
            rig = Rig.build(still.picture, still.points, shapes=still.shapes)
            frames = rig.frames(torch.stack([emotion_parameters(name, intensity) for name in EMOTIONS]))
            tiles = torch.cat([still.picture[None], frames]).permute(0, 3, 1, 2).float()
            small = torch.nn.functional.interpolate(tiles, (240, 240), mode="bilinear", antialias=True)
            lines.append(torch.cat(list(small.round().to(torch.uint8).permute(0, 2, 3, 1)), 1))
        write_png(folder / f"emotions_{intensity:g}_{first // rows + 1}.png", torch.cat(lines, 0).numpy())
