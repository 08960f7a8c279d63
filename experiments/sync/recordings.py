"""Real recordings: the meter without weights, by landmarks of the mouth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.video import read_frames, video_fps
from eadnet.metrics.speech_fit import leave_one_out
from eadnet.modules.face_api import FaceApiNetwork, FaceLandmarks68, mouth_opening_of
from experiments.sync.clips import Bench

LATE = "talking/address_60s_sound_120ms_late.mp4"


def mouth_openings(path: Path, models: Path) -> Tensor:
    """Of every frame, by YuNet and face-api; NaN before a face is found."""
    import cv2

    landmarks = FaceLandmarks68(FaceApiNetwork.load(models / "face-api" / "face_landmark_68_model.bin"))
    detector = cv2.FaceDetectorYN.create(str(models / "face_detection_yunet_2023mar.onnx"), "", (320, 320))
    box: np.ndarray | None = None
    points = []
    for index, frame in enumerate(read_frames(path)):
        scale = min(1.0, 320 / max(frame.shape[:2]))
        if index % 5 == 0 or box is None:
            small = cv2.resize(frame[..., ::-1], None, fx=scale, fy=scale)
            detector.setInputSize((small.shape[1], small.shape[0]))
            _, found = detector.detect(small)
            if found is not None:
                x, y, width, height = found[np.argmax(found[:, 2] * found[:, 3])][:4] / scale
                # Centre and side of a square that holds the chin as well.
                seen = np.array([x + width / 2, y + 0.52 * height, 1.05 * max(width, height)])
                jumped = box is None or np.abs(seen[:2] - box[:2]).max() > 0.3 * box[2]
                box = seen if jumped or box is None else (box + seen) / 2
        if box is None:
            points.append(torch.full((68, 2), torch.nan))
            continue
        zoom = 112 / box[2]
        matrix = np.array([[zoom, 0, 56 - box[0] * zoom], [0, zoom, 56 - box[1] * zoom]])
        crop = cv2.warpAffine(
            frame, matrix, (112, 112), flags=cv2.INTER_AREA if zoom < 0.5 else cv2.INTER_LINEAR
        )
        points.append(landmarks(torch.from_numpy(crop).movedim(-1, 0)[None].float() / 255)[0])
    return mouth_opening_of(torch.stack(points))


def meter(bench: Bench) -> list[str]:
    media, models, cache = bench.options.recordings, bench.options.models, bench.options.data / "openings"
    entries = [
        entry
        for entry in json.loads((media / "MANIFEST.json").read_text())
        if entry["file"].startswith(("talking/grid_", "virtual/")) or entry["file"] == LATE
    ]
    openings, sounds, rates = [], [], []
    for entry in entries:
        path, kept = media / entry["file"], cache / f"{Path(entry['file']).stem}.npy"
        if not kept.exists():
            cache.mkdir(parents=True, exist_ok=True)
            np.save(kept, mouth_openings(path, models).numpy())
        openings.append(torch.from_numpy(np.load(kept)))
        sounds.append(to_mono_16k(*load_audio(path)))
        rates.append(float(video_fps(path)))
    lines = [
        "| recording | offset, frames | by the manifest | r | r with another clip's sound, best of 21 lags |",
        "|---|---:|---:|---:|---:|",
    ]
    near, counted = 0, 0
    for entry, fit, rate in zip(entries, leave_one_out(openings, sounds, rates), rates, strict=True):
        expected = entry["best_audio_lag_ms"] * rate / 1000
        if entry["file"] != LATE:
            counted += 1
            near += abs(fit.offset - expected) <= 1
        name = Path(entry["file"]).stem
        lines.append(
            f"| {name} | {fit.offset:+d} | {expected:+.0f} | {fit.correlation:.2f} | {fit.control:.2f} |"
        )
    return [*lines, "", f"Within one frame of the manifest: {near} of {counted} (without the late one)."]
