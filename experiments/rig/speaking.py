"""Portraits that speak with an emotion: what a reader of expressions says of whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech
from eadnet.faces.landmarker import FaceLandmarker
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.images import write_png
from eadnet.modules.face_api import EXPRESSIONS, FaceExpressions
from eadnet.rendering import RenderSettings, load_model
from eadnet.rig.rig import Rig
from experiments.paths import ASSETS
from experiments.rig.readings import SIX
from experiments.rig.stills import Still, face_crop

# A plain sentence for each emotion, as the README's; nobody tuned them for this measurement.
SENTENCES = {
    "neutral": "neutral, a calm face",
    "happy": "happy, a broad smile, cheeks raised",
    "sad": "sad, inner brows raised, mouth corners down",
    "angry": "furious, brows pulled down, lips pressed",
    "fearful": "afraid, eyes wide open, brows raised and drawn together",
    "disgusted": "disgusted, nose wrinkled, upper lip raised",
    "surprised": "surprised, brows and lids raised",
}
_EVERY = 4  # frames
_TILES, _TILE = 9, 240  # frames of a person on a sheet, and the pixels of each


def read_speaking(
    faces: Sequence[Still],
    reader: FaceExpressions,
    landmarker: FaceLandmarker,
    strength: float = 1.0,
    driver: str = "motion",
    sheets: Path | None = None,
) -> list[str]:
    """A table in Markdown: clips of the bundled recording whose mean reading is the sentence's emotion.

    The control is the same people saying the same with a neutral face. ``strength`` multiplies the emotion.
    ``driver`` is the bundled model that makes the tracks, motion or mini. ``sheets``: a folder for a contact
    sheet of each sentence, a person to a row.
    """
    model = MotionModel.load() if driver == "motion" else load_model()
    speech = to_mono_16k(*load_audio(ASSETS / "speech.wav"))
    tracks = {
        name: track_from_speech(speech, text, model=model, settings=RenderSettings(seed=3)).edited(
            multiply={"emotion": strength}
        )
        for name, text in SENTENCES.items()
    }
    read: dict[str, list[str]] = {name: [] for name in SENTENCES}
    rows: dict[str, list[Tensor]] = {name: [] for name in SENTENCES}
    for still in faces:
        rig = Rig.build(still.picture, still.points, shapes=still.shapes)
        for name, track in tracks.items():
            crops = []
            frames = rig.frames(track.values[::_EVERY])
            rows[name].append(_row(frames))
            for frame in frames:
                found = landmarker.detect(frame.numpy())
                points = torch.as_tensor(found[0].points) if found else still.points
                crops.append(face_crop(frame, points))
            read[name].append(EXPRESSIONS[int(reader(torch.stack(crops)).mean(0).argmax())])
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        for name, people in rows.items():
            write_png(sheets / f"speaking_{name}.png", torch.cat(people).numpy())
    lines = [
        f"| by {driver}, strength {strength:g} | read as its emotion | neutral talking read so | read as |",
        "|---|---:|---:|---|",
    ]
    hits = {name: float(np.mean([seen == name for seen in read[name]])) for name in SENTENCES}
    control = {name: float(np.mean([seen == name for seen in read["neutral"]])) for name in SENTENCES}
    for name in SENTENCES:
        seen = ", ".join(f"{word} {read[name].count(word)}" for word in sorted(set(read[name])))
        lines.append(f"| {name} | {hits[name]:.2f} | {control[name]:.2f} | {seen} |")
    six, plain = (float(np.mean([table[name] for name in SIX])) for table in (hits, control))
    lines.append(f"| mean of six | **{six:.2f}** | **{plain:.2f}** | |")
    return [*lines, "", f"{len(faces)} people, {len(next(iter(tracks.values())))} frames each."]


def _row(frames: Tensor) -> Tensor:
    """Some of the frames [T, H, W, 3] beside each other, small: uint8 [h, w, 3]."""
    tiles = frames[:: max(1, len(frames) // _TILES)][:_TILES].permute(0, 3, 1, 2).float()
    small = F.interpolate(tiles, (_TILE, _TILE), mode="bilinear", antialias=True)
    return torch.cat(list(small.round().to(torch.uint8).permute(0, 2, 3, 1)), 1)
