"""`eadnet evaluate`: every metric that has what it needs, for a folder of clips, per clip and in total.

A metric without its weights or its reference is listed as not computed, with the reason, and never guessed.
Finished clips are kept beside the report, so an interrupted evaluation goes on where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checkpoints import bundled_mini, load_checkpoint, read_info
from .errors import InputError
from .faces.crops import centre_square
from .media.audio import load_audio, to_mono_16k
from .media.video import read_video
from .metrics.clip_scores import clip_scores, smaller
from .metrics.expression import read_expression
from .metrics.intervals import Interval, mean_interval, share_interval
from .metrics.landmarks import MOUTH_68, landmark_distance
from .metrics.pairs import as_floats
from .metrics.sync import FPS, SyncNetwork, judge
from .metrics.temporal import flicker, jitter, warped_difference
from .modules.face_api import FaceApiNetwork, FaceExpressions, FaceLandmarks68

logger = logging.getLogger(__name__)

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}
FORMAT = 1
# Where the face is in the centred square of a frame, as shares: left, top, right, bottom. Landmark and
# expression networks want it tight.
FACE_BOX = (0.12, 0.16, 0.88, 0.96)
LANDMARK_FILE, EXPRESSION_FILE = "face_landmark_68_model.bin", "face_expression_model.bin"
LABELS_FILE = "labels.json"


@dataclass(frozen=True)
class Metric:
    """A column: its key in the files, its title in tables, and which way is better (1, -1, 0 for neither)."""

    key: str
    title: str
    better: int
    digits: int = 3


def _sync_columns(network: str) -> list[Metric]:
    return [
        Metric(f"{network}_confidence", f"LSE-C ({network})", 1),
        Metric(f"{network}_distance", f"LSE-D ({network})", -1),
        Metric(f"{network}_offset", f"AV offset ({network})", 0, 1),
    ]


SYNC_NETWORKS = ("mini", "syncnet_v2", "stable_syncnet")
METRICS: tuple[Metric, ...] = (
    *(column for name in SYNC_NETWORKS for column in _sync_columns(name)),
    Metric("psnr", "PSNR, dB", 1, 2),
    Metric("ssim", "SSIM", 1, 4),
    Metric("lmd", "LMD", -1, 4),
    Metric("mouth_lmd", "M-LMD", -1, 4),
    Metric("expression", "Acc_emo", 1, 3),
    Metric("jitter", "jitter", -1, 5),
    Metric("flicker", "flicker", -1, 5),
    Metric("warped", "warped difference", -1, 5),
)
# Columns of the papers' tables that need a network this package neither has nor loads.
_PLUGGED = {
    "LPIPS": "needs a perceptual network: plug one into eadnet.metrics.perceptual",
    "FID": "needs Inception features: plug the network into eadnet.metrics.frechet",
    "FVD": "needs I3D or VideoMAE features: plug the network into eadnet.metrics.frechet",
    "CSIM": "needs a face recogniser: plug one into eadnet.metrics.identity",
}


@dataclass
class Judges:
    """The networks that were found, and why others were not."""

    sync: list[SyncNetwork] = field(default_factory=list)
    landmarks: FaceLandmarks68 | None = None
    expressions: FaceExpressions | None = None
    missing: dict[str, str] = field(default_factory=dict)


def find_judges(models: Path | None, mini: Path | None = None) -> Judges:
    """Load what is there.

    Args:
        models: a folder with `syncnet_v2.safetensors`, `stable_syncnet.safetensors` (from `eadnet
            convert`), `face_landmark_68_model.bin`, `face_expression_model.bin`; any of them may be missing.
        mini: a checkpoint with a SyncNet; the bundled one if None.

    Raises:
        CheckpointError: a file that is there but damaged or of another kind.
    """
    judges = Judges()
    path = mini or bundled_mini()
    if "syncnet" in read_info(path)["components"]:
        judges.sync.append(load_checkpoint(path, only={"syncnet"}).component("syncnet"))
    else:
        judges.missing["LSE-C, LSE-D, AV offset (mini)"] = f"no SyncNet in {path.name}"
    for name in SYNC_NETWORKS[1:]:
        file = None if models is None else models / f"{name}.safetensors"
        if file is None or not file.is_file():
            judges.missing[f"LSE-C, LSE-D, AV offset ({name})"] = f"file {name}.safetensors missing"
            continue
        judges.sync.append(load_checkpoint(file, only={"syncnet"}).component("syncnet"))
    for file_name, title in ((LANDMARK_FILE, "LMD, M-LMD, jitter"), (EXPRESSION_FILE, "Acc_emo")):
        if models is None or not (models / file_name).is_file():
            judges.missing[title] = f"file {file_name} missing"
        elif file_name == LANDMARK_FILE:
            judges.landmarks = FaceLandmarks68(FaceApiNetwork.load(models / file_name))
        else:
            judges.expressions = FaceExpressions(FaceApiNetwork.load(models / file_name))
    judges.missing |= _PLUGGED
    return judges


@dataclass(frozen=True)
class ClipResult:
    """One clip: its scores by metric key, notes on what was compared, curves and a strip of frames to show.

    Attributes:
        name: of the file, without its ending.
        scores: only what could be computed.
        notes: a sentence each.
        curve: mean distance at every offset by the first SyncNet, offsets from 15 to -15; empty without one.
        strip: some frames side by side, base64 of a JPEG.
        asked, read: expression that was asked for and the one read, where known.
    """

    name: str
    scores: dict[str, float]
    notes: list[str]
    curve: list[float]
    strip: str
    asked: str = ""
    read: str = ""


@dataclass(frozen=True)
class Evaluation:
    """All clips, the totals with their intervals, and what was not computed and why."""

    clips: list[ClipResult]
    totals: dict[str, Interval]
    missing: dict[str, str]

    def metrics(self) -> list[Metric]:
        """The columns that have a number."""
        return [metric for metric in METRICS if metric.key in self.totals]


def evaluate(
    generated: Path,
    out: Path,
    reference: Path | None = None,
    models: Path | None = None,
    mini: Path | None = None,
    on_clip: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score every video of a folder and write `report.json`, `clips.csv` and `index.html` into `out`.

    Args:
        generated: folder with videos of one face each; their sound is judged if they have any. A file
            `labels.json` in it ({"clip": "happy"}) says which expression was asked for.
        out: folder of the report, made if needed.
        reference: folder with true videos of the same names.
        models, mini: see `find_judges`.
        on_clip: called with (clips done, clips in all).

    Raises:
        InputError: a folder that is missing or holds no video.
        CheckpointError: a damaged file of weights.
    """
    from .report import html_page

    videos = list_videos(generated)
    truths = {path.stem: path for path in list_videos(reference)} if reference else {}
    judges = find_judges(models, mini)
    labels = _labels(generated / LABELS_FILE)
    results = []
    for done, path in enumerate(videos):
        truth, asked = truths.get(path.stem), labels.get(path.stem, "")
        kept = out / "clips" / f"{path.name}.json"
        mark = _mark(path, truth, judges, asked)
        result = _finished(kept, mark)
        if result is None:
            result = score_clip(path, truth, judges, asked)
            kept.parent.mkdir(parents=True, exist_ok=True)
            _write_text(kept, json.dumps({"mark": mark, "clip": _plain(vars(result))}))
        results.append(result)
        if on_clip:
            on_clip(done + 1, len(videos))
    missing = dict(judges.missing)
    if not truths:
        missing["PSNR, SSIM, LMD against a reference"] = "no reference folder"
    if judges.expressions and not labels:
        missing["Acc_emo"] = f"file {LABELS_FILE} missing"
    evaluation = Evaluation(results, totals(results), missing)
    _write_text(out / "report.json", json.dumps(_summary(evaluation), indent=1))
    _write_csv(out / "clips.csv", evaluation)
    _write_text(out / "index.html", html_page(evaluation, generated.name))
    return evaluation


def list_videos(folder: Path) -> list[Path]:
    """The videos of a folder by name. Raises InputError when there is no folder or no video in it."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: check the path.")
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS and path.is_file())
    if not videos:
        raise InputError(f"The folder {folder} holds no video: choose one with mp4, mov, mkv or webm files.")
    return videos


def score_clip(path: Path, truth: Path | None, judges: Judges, asked: str = "") -> ClipResult:
    """All scores of one video. What cannot be computed for this clip is said in its notes."""
    scores: dict[str, float] = {}
    notes: list[str] = []
    curve: list[float] = []
    read = ""
    try:
        video = read_video(path)
    except InputError as error:
        return ClipResult(path.stem, {}, [str(error)], [], "", asked)
    frames = torch.from_numpy(video.frames).movedim(-1, 1)
    square = centre_square(frames)
    if judges.sync:
        curve = _score_sync(path, square, float(video.fps), judges.sync, scores, notes)
    if truth is None:
        scores["flicker"], scores["warped"] = flicker(frames), warped_difference(smaller(frames))
    else:
        _score_pair(frames, truth, scores, notes)
    face = _face(square)
    if judges.landmarks:
        points = _points(face, judges.landmarks)
        scores["jitter"] = jitter(points)
        if truth is not None and "psnr" in scores:
            other = _face(centre_square(torch.from_numpy(read_video(truth).frames).movedim(-1, 1)))
            theirs = _points(other, judges.landmarks)
            scores["lmd"] = _mean(landmark_distance(points, theirs))
            scores["mouth_lmd"] = _mean(landmark_distance(points, theirs, MOUTH_68))
    if judges.expressions and asked:
        read = read_expression(face, judges.expressions)
        scores["expression"] = float(read == asked)
    finite = {key: value for key, value in scores.items() if math.isfinite(value)}
    return ClipResult(path.stem, finite, notes, curve, _strip(square), asked, read)


def _score_sync(
    path: Path,
    square: Tensor,
    fps: float,
    networks: Sequence[SyncNetwork],
    scores: dict[str, float],
    notes: list[str],
) -> list[float]:
    """Scores by every SyncNet into `scores`; returns the first one's curve."""
    try:
        waveform, rate = load_audio(path)
        sound = to_mono_16k(waveform, rate)
    except InputError as error:
        notes.append(f"No sync score: {error}")
        return []
    curve: list[float] = []
    for network in networks:
        try:
            verdict = judge(network, square, sound, fps)
        except InputError as error:
            notes.append(f"No sync score by {network.name}: {error}")
            continue
        scores[f"{network.name}_confidence"] = verdict.score.confidence
        scores[f"{network.name}_distance"] = verdict.score.distance
        scores[f"{network.name}_offset"] = float(verdict.score.offset)
        if not curve:
            curve = verdict.score.mean_distances.tolist()
            notes.extend(verdict.notes)
    return curve


def _score_pair(frames: Tensor, truth: Path, scores: dict[str, float], notes: list[str]) -> None:
    try:
        pair = clip_scores(frames, torch.from_numpy(read_video(truth).frames).movedim(-1, 1))
    except InputError as error:
        notes.append(f"Not compared with the reference: {error}")
        return
    scores["psnr"], scores["ssim"] = float(pair.psnr.mean()), float(pair.ssim.mean())
    scores["flicker"], scores["warped"] = pair.flicker, pair.warped
    notes.extend(pair.notes)


def _face(square: Tensor) -> Tensor:
    side = square.shape[-1]
    left, top, right, bottom = (round(share * side) for share in FACE_BOX)
    return square[..., top : max(top + 1, bottom), left : max(left + 1, right)]


def _points(face: Tensor, landmarks: FaceLandmarks68) -> Tensor:
    return torch.cat([landmarks(as_floats(part)) for part in face.split(32)])


def _mean(values: Tensor) -> float:
    return float(values[values.isfinite()].mean())


def _strip(square: Tensor, count: int = 8, side: int = 96) -> str:
    """Frames from all over the clip side by side, as base64 of a JPEG."""
    import base64
    import io

    from PIL import Image

    moments = np.linspace(0, len(square) - 1, min(count, len(square))).round().astype(int)
    pictures = [square[int(m)].movedim(0, -1).numpy() for m in moments]
    sheet = Image.new("RGB", (side * len(pictures), side))
    for place, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture).resize((side, side)), (place * side, 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def totals(clips: Sequence[ClipResult]) -> dict[str, Interval]:
    """Mean over clips with 95 % interval of every metric that any clip has; offsets count by their size."""
    result = {}
    for metric in METRICS:
        values = [clip.scores[metric.key] for clip in clips if metric.key in clip.scores]
        if not values:
            continue
        if metric.key == "expression":
            result[metric.key] = share_interval(int(sum(values)), len(values))
        else:
            result[metric.key] = mean_interval(values)
    return result


def worst_clips(evaluation: Evaluation, count: int = 5) -> list[ClipResult]:
    """Clips to look at first: the lowest confidence, else the lowest SSIM, else the most flicker."""
    for key, sign in (*((f"{name}_confidence", 1) for name in SYNC_NETWORKS), ("ssim", 1), ("flicker", -1)):
        having = [clip for clip in evaluation.clips if key in clip.scores]
        if having:
            return sorted(having, key=lambda clip: sign * clip.scores[key])[:count]
    return evaluation.clips[:count]


def _labels(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(label) for name, label in labels.items()}
    except (ValueError, AttributeError) as error:
        raise InputError(f'{path.name} is not a list of labels: write {{"clip": "happy", ...}}.') from error


def _mark(path: Path, truth: Path | None, judges: Judges, asked: str) -> str:
    """Changes whenever a clip's kept scores no longer hold: other files, other judges, another label."""
    parts: list[str] = [str(FORMAT), asked, *(network.name for network in judges.sync)]
    parts += [str(judges.landmarks is not None), str(judges.expressions is not None)]
    for file in (path, truth):
        if file is not None:
            stat = file.stat()
            parts.append(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}")
    for network in judges.sync:
        first = next(network.parameters())  # type: ignore[attr-defined]
        parts.append(f"{float(first.detach().double().sum()):.9e}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _finished(kept: Path, mark: str) -> ClipResult | None:
    try:
        entry: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if entry["mark"] != mark:
            return None
        clip = entry["clip"]
        clip["curve"] = [math.nan if value is None else value for value in clip["curve"]]
        return ClipResult(**clip)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _plain(value: Any) -> Any:
    """The same with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    clips = [{k: v for k, v in vars(clip).items() if k != "strip"} for clip in evaluation.clips]
    return _plain(
        {
            "format": FORMAT,
            "clips_in_all": len(clips),
            "offsets": f"frames of 1/{FPS} s by which the sound is early",
            "totals": {key: vars(interval) for key, interval in evaluation.totals.items()},
            "not_computed": evaluation.missing,
            "clips": clips,
        }
    )


def _write_csv(path: Path, evaluation: Evaluation) -> None:
    metrics = evaluation.metrics()
    rows = [["clip", *(metric.key for metric in metrics), "notes"]]
    for clip in evaluation.clips:
        values = [f"{clip.scores[m.key]:.6g}" if m.key in clip.scores else "" for m in metrics]
        rows.append([clip.name, *values, " ".join(clip.notes)])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _write_text(path: Path, text: str) -> None:
    """Whole or not at all. Raises InputError when the place cannot be written."""
    import os

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"The report {path} cannot be written ({error}): choose another place.") from error
