"""A folder of videos into a report: `report.json`, `clips.csv` and one page."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..metrics.sync import FPS
from .clip import ClipResult, score_clip
from .networks import ScoringNetworks, find_networks, stamp
from .page import html_page
from .results import Evaluation, totals
from .sets import SetDistance, set_distances

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v"}
FORMAT = 3
LABELS_FILE = "labels.json"


def evaluate(
    generated: Path,
    out: Path,
    reference: Path | None = None,
    models: Path | None = None,
    mini: Path | None = None,
    faces: bool = True,
    on_clip: Callable[[int, int], None] | None = None,
    choose: Callable[[str], bool] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score every video of a folder and write `report.json`, `clips.csv` and `index.html` into `out`.

    Args:
        generated: folder with videos of one face each; their sound is scored if they have any. A file
            `labels.json` in it ({"clip": "happy"}) says which expression each shows.
        out: folder of the report, made if needed.
        reference: folder with true videos of the same names.
        models, mini, faces: see `find_networks`.
        on_clip: called with (clips done, clips in all).
        choose: which clips count, by their name without its ending; None: all.
        labels: which expression each shows, instead of `labels.json`.

    Raises:
        InputError: a folder that is missing or holds no video.
        CheckpointError: a damaged file of weights.
    """
    videos = [path for path in list_videos(generated) if choose is None or choose(path.stem)]
    references = list_videos(reference) if reference else []
    references = [path for path in references if choose is None or choose(path.stem)]
    truths = {path.stem: path for path in references}
    networks = find_networks(models, mini, faces)
    labels = _labels(generated / LABELS_FILE) if labels is None else labels
    results = []
    for done, path in enumerate(videos):
        truth, label = truths.get(path.stem), labels.get(path.stem, "")
        kept = out / "clips" / f"{path.name}.json"
        mark = _mark(path, truth, networks, label)
        result = _finished(kept, mark)
        if result is None:
            result = score_clip(path, truth, networks, label)
            _write_text(kept, json.dumps({"mark": mark, "clip": _plain(vars(result))}))
        if truths and truth is None and not result.problem:
            result = replace(result, notes=[*result.notes, "There is no reference of this name."])
        results.append(result)
        if on_clip:
            on_clip(done + 1, len(videos))
    missing = dict(networks.missing)
    if not truths:
        missing["PSNR, SSIM, LMD, FID, FVD against a reference"] = "no reference folder"
    if networks.expressions and not labels:
        missing["Acc_emo"] = f"file {LABELS_FILE} missing"
    sets: list[SetDistance] = []
    if truths:
        scored = [path for path, clip in zip(videos, results, strict=True) if not clip.problem]
        sets, failed = set_distances(scored, references, networks, out / "clips")
        missing |= failed
    evaluation = Evaluation(results, totals(results), missing, sets)
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


def _labels(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(label) for name, label in labels.items()}
    except (ValueError, AttributeError) as error:
        raise InputError(f'{path.name} is not a list of labels: write {{"clip": "happy", ...}}.') from error


def _mark(path: Path, truth: Path | None, networks: ScoringNetworks, label: str) -> str:
    """Changes whenever a clip's kept scores no longer hold: other files, other networks, another label."""
    parts = [str(FORMAT), label, str(networks.faces is not None), *networks.marks()]
    parts += [stamp(file) for file in (path, truth) if file is not None]
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
            "offsets": f"frames of 1/{FPS} s by which the sound is early; their total is of the sizes",
            "not_scored": {clip.name: clip.problem for clip in evaluation.not_scored()},
            "sets": [vars(distance) for distance in evaluation.sets],
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
        rows.append([clip.name, *values, " ".join([clip.problem, *clip.notes]).strip()])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _write_text(path: Path, text: str) -> None:
    """Whole or not at all. Raises InputError when the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"The report {path} cannot be written ({error}): choose another place.") from error
