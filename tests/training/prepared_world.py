"""Prepared sets for tests: of noise, or of real crops where recordings are at hand (EADNET_SHARED)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.faces.detectors import detector_from_file
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.video import read_video, write_video
from eadnet.modules.unet import EADUNet
from eadnet.modules.whisper import WhisperEncoder
from eadnet.preparation.shards import Sample, ShardWriter
from eadnet.presets import PRESETS, Preset
from eadnet.training.recipes.adapter import Files
from tests.tiny import UNET, tiny_components

SHARED = Path(os.environ.get("EADNET_SHARED", Path(__file__).parents[3] / "shared"))
YUNET = SHARED / "models" / "face_detection_yunet_2023mar.onnx"
SPOKEN = ("grid_1.mpg", "grid_2.mpg", "grid_3.mpg", "grid_4.mpg", "grid_5.mpg", "grid_6.mpg")
SENTENCES = ("looking happy", "looking sad", "very angry", "calm and friendly")
SIDE, LONG = 32, 40

WHISPER = {"n_mels": 80, "n_audio_ctx": 100, "n_audio_state": 8, "n_audio_head": 2, "n_audio_layer": 2}
EAD = {"emotion_attention": True, "stda": {"heads": 3, "strip": 2}}


def has_recordings() -> bool:
    return YUNET.is_file() and all((SHARED / "media" / "talking" / name).is_file() for name in SPOKEN)


NO_RECORDINGS = f"no recordings in {SHARED}: set EADNET_SHARED"


@lru_cache(maxsize=1)
def real_crops() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, crops uint8 [T, SIDE, SIDE, 3], sound [n]) of six recordings of people who speak."""
    detector = detector_from_file(YUNET)
    found = []
    for name in SPOKEN:
        path = SHARED / "media" / "talking" / name
        frames = read_video(path).frames
        track = track_face(detect_faces(frames, detector), "latentsync", SIDE)
        crops = (track.crop(frames, range(len(frames))) + 1) * 127.5
        sound = to_mono_16k(*load_audio(path)).numpy()
        found.append((path.stem, crops.round().clamp(0, 255).byte().movedim(1, -1).numpy(), sound))
    return found


def noise_crops(count: int = 8, side: int = SIDE) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The same shapes from nothing: squares that move."""
    made = []
    for number in range(count):
        rng = np.random.default_rng(number)
        frames = np.full((LONG, side, side, 3), rng.integers(40, 200, 3), np.uint8)
        for at in range(LONG):
            frames[at, (at + number) % 24 : (at + number) % 24 + 8, 8:20] = rng.integers(0, 255, 3)
        made.append((f"made_{number}", frames, rng.uniform(-0.5, 0.5, LONG * 640).astype(np.float32)))
    return made


def film(frames: np.ndarray, folder: Path) -> bytes:
    path = folder / "film.mp4"
    write_video(path, frames, 25, quality=12, key_every=25, threads=1)
    return path.read_bytes()


def segments(clips: list[tuple[str, np.ndarray, np.ndarray]], folder: Path) -> Iterator[Sample]:
    """Of every clip pieces of `LONG` frames; those of the last two are held out."""
    for number, (name, frames, sound) in enumerate(clips):
        split = "train" if number < len(clips) - 2 else "val"
        for part, start in enumerate(range(0, len(frames) - LONG + 1, 17)):
            cut = frames[start : start + LONG]
            record: dict[str, Any] = {
                "split": split,
                "speaker": name,
                "caption": SENTENCES[number % len(SENTENCES)],
                "fps": 25,
                "frames": LONG,
                "resolution": SIDE,
            }
            spoken = sound[start * 640 : (start + LONG) * 640]
            yield Sample(f"{name}-{part}", record, film(cut, folder), spoken)


def write_prepared(
    folder: Path,
    clips: list[tuple[str, np.ndarray, np.ndarray]],
    per_shard: int = 3,
    splits: tuple[str, ...] = ("train", "val"),
    **settings: Any,
) -> Path:
    """A set on disk, or some splits of it; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"resolution": SIDE, "features": None, **settings}
    with ShardWriter(folder / "set", samples_per_shard=per_shard, settings=told) as writer:
        for sample in segments(clips, folder):
            if sample.record["split"] in splits:
                writer.add(sample)
    return folder / "set"


def write_networks(folder: Path) -> Files:
    """A small LatentSync U-Net of random weights, a VAE, Whisper's encoder and a text encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = tiny_components()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        base = EADUNet.from_config({key: value for key, value in UNET.items() if key != "ead"})
        for name, parameter in base.named_parameters():
            if not parameter.any() and "motion_modules" not in name:
                torch.nn.init.normal_(parameter, std=0.05)
        whisper = WhisperEncoder.from_config(WHISPER)
    header = {**PRESETS["latentsync-1.5"].info(), "resolution": SIDE}
    save_checkpoint(folder / "base.safetensors", {"unet": base}, header)
    save_checkpoint(folder / "whisper.safetensors", {"audio_encoder": whisper}, {})
    save_checkpoint(
        folder / "others.safetensors", {k: parts[k] for k in ("vae", "text_encoder")}, {}, dtype=None
    )
    others = folder / "others.safetensors"
    return Files(folder / "base.safetensors", others, others, folder / "whisper.safetensors")


def tiny_preset() -> Preset:
    """ead-256 with parts as narrow as the U-Net."""
    known = PRESETS["ead-256"]
    return replace(known, unet_config={**known.unet_config, "ead": EAD})


def bytes_of(tensors: dict[str, torch.Tensor]) -> bytes:
    file = io.BytesIO()
    for key in sorted(tensors):
        file.write(key.encode() + tensors[key].numpy().tobytes())
    return file.getvalue()
