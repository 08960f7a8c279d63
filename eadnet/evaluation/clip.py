"""All scores of one clip."""

from __future__ import annotations

import base64
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames, changed
from ..media.sound import SoundFile
from ..media.speech import record_speech
from ..metrics.clip_scores import clip_scores, smaller
from ..metrics.expression import predict_expression
from ..metrics.landmarks import MOUTH_68, MOUTH_478, landmark_distance
from ..metrics.perceptual import lpips
from ..metrics.sync import SyncNetwork, measure_sync
from ..metrics.temporal import flicker, jitter, warped_difference
from .networks import ScoringNetworks
from .subject import Subject


@dataclass(frozen=True)
class ClipResult:
    """One clip: its scores by metric key, notes on what was compared, curves and a strip of frames to show.

    Attributes:
        name: of the file, without its ending.
        scores: only what could be computed.
        notes: a sentence each.
        curve: mean distance at every offset by the first SyncNet, offsets from 15 to -15; empty without one.
        strip: some frames side by side, base64 of a JPEG.
        asked, read: the target expression and the prediction, where known (named as in `report.json`).
        problem: why the clip was not scored at all; empty if it was.
    """

    name: str
    scores: dict[str, float]
    notes: list[str]
    curve: list[float]
    strip: str
    asked: str = ""
    read: str = ""
    problem: str = ""


def score_clip(path: Path, truth: Path | None, networks: ScoringNetworks, label: str = "") -> ClipResult:
    """All scores of one video. What cannot be computed for this clip is said in its notes.

    A file that cannot be read and a clip without a face are not scored; the result says why.
    """
    try:
        with Subject(path, networks.detector()) as subject:
            return _scored(path, subject, truth, networks, label)
    except InputError as error:
        return ClipResult(path.stem, {}, [], [], "", label, problem=str(error))


def _scored(
    path: Path, subject: Subject, truth: Path | None, networks: ScoringNetworks, label: str
) -> ClipResult:
    scores: dict[str, float] = {}
    notes = list(subject.notes)
    curve = _score_sync(path, subject, networks.sync, scores, notes) if networks.sync else []
    points = subject.points(networks.landmarks) if networks.landmarks else None
    if points is not None:
        scores["jitter"] = jitter(points)
    if truth is None or not _score_pair(subject, truth, networks, points, scores, notes):
        scores["flicker"] = flicker(subject.frames)
        scores["warped"] = warped_difference(changed(subject.frames, smaller))
    read = ""
    if networks.expressions and label:
        read = predict_expression(subject.tight_where_seen(), networks.expressions)
        scores["expression"] = float(read == label)
    finite = {key: value for key, value in scores.items() if math.isfinite(value)}
    return ClipResult(path.stem, finite, notes, curve, _strip(subject.seen_by("mini")), label, read)


def _score_sync(
    path: Path,
    subject: Subject,
    networks: Sequence[SyncNetwork],
    scores: dict[str, float],
    notes: list[str],
) -> list[float]:
    """Scores by every SyncNet into `scores`; returns the first one's curve."""
    try:
        sound = _speech(path)
    except InputError as error:
        notes.append(f"No sync score: {error}")
        return []
    curve: list[float] = []
    for network in networks:
        try:
            measured = measure_sync(network, subject.seen_by(network.name), sound, subject.fps)
        except InputError as error:
            notes.append(f"No sync score by {network.name}: {error}")
            continue
        scores[f"{network.name}_confidence"] = measured.score.confidence
        scores[f"{network.name}_distance"] = measured.score.distance
        scores[f"{network.name}_offset"] = float(measured.score.offset)
        if not curve:
            curve = measured.score.mean_distances.tolist()
            notes.extend(measured.notes)
    return curve


def _speech(path: Path) -> Tensor:
    """The sound of a video [S], mono, 16 kHz; never the whole of it at its own rate and channels.

    Raises:
        InputError: no sound, or sound that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="eadnet-") as folder:
        speech = record_speech(SoundFile(path), Path(folder) / "speech.f32")
        return speech.read(0, speech.samples)


def _score_pair(
    subject: Subject,
    truth: Path,
    networks: ScoringNetworks,
    points: Tensor | None,
    scores: dict[str, float],
    notes: list[str],
) -> bool:
    """Scores against the true clip into `scores`; False where the two cannot be compared."""
    try:
        looks = points is not None or networks.dense is not None
        with Subject(truth, networks.detector() if looks else None) as other:
            if abs(subject.fps - other.fps) > 0.01:
                raise InputError(
                    f"the clip has {subject.fps:g} frames per second and the reference {other.fps:g}; bring "
                    "both to one rate."
                )
            pair = clip_scores(subject.frames, other.frames)
            theirs = None if points is None else other.points(networks.landmarks)
            _score_networks(subject, other, networks, scores)
    except InputError as error:
        notes.append(f"Not compared with the reference: {error}")
        return False
    scores["psnr"], scores["ssim"] = float(pair.psnr.mean()), float(pair.ssim.mean())
    scores["flicker"], scores["warped"] = pair.flicker, pair.warped
    notes.extend(pair.notes)
    if points is not None and theirs is not None:
        scores["lmd"] = _mean(landmark_distance(points, theirs))
        scores["mouth_lmd"] = _mean(landmark_distance(points, theirs, MOUTH_68))
    return True


def _score_networks(
    subject: Subject, truth: Subject, networks: ScoringNetworks, scores: dict[str, float]
) -> None:
    """LPIPS of whole frames, and distances of the mesh of 478 points."""
    if networks.lpips is not None:
        scores["lpips"] = float(
            lpips(subject.frames, truth.frames, networks.lpips, networks.lpips.weights).mean()
        )
    if networks.dense is not None:
        ours, theirs = (one.dense_points(networks.dense) for one in (subject, truth))
        scores["dense_lmd"] = _mean(landmark_distance(ours, theirs))
        scores["dense_mouth_lmd"] = _mean(landmark_distance(ours, theirs, MOUTH_478))


def _mean(values: Tensor) -> float:
    return float(values[values.isfinite()].mean())


def _strip(frames: Frames, count: int = 8, side: int = 96) -> str:
    """Frames from all over the clip side by side, as base64 of a JPEG."""
    from PIL import Image

    length = frames.shape[0]
    moments = np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()
    sheet = Image.new("RGB", (side * len(moments), side))
    for place, moment in enumerate(moments):
        picture = frames[moment : moment + 1][0].movedim(0, -1).numpy()
        sheet.paste(Image.fromarray(picture).resize((side, side)), (place * side, 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
