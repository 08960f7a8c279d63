"""Everything that computes does so on a device like MPS: no float64, no nearest resize in half precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from eadnet.faces.choice import Choice
from eadnet.faces.crops import prepare_portrait
from eadnet.faces.detectors import make_detector
from eadnet.faces.masks import composite, feathered, mask_image
from eadnet.faces.tracking import detect_faces, track_face
from eadnet.media.speech import SpeechInMemory
from eadnet.metrics.face_crops import in_frame
from eadnet.metrics.fidelity import psnr, ssim
from eadnet.metrics.landmarks import landmark_distance
from eadnet.metrics.temporal import flicker, jitter
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.modules.stda import STDA
from eadnet.modules.tfrm import TFRM, smooth_stream
from eadnet.modules.vae import SDAutoencoder
from eadnet.modules.whisper import WhisperEncoder
from eadnet.presets import PRESETS
from eadnet.sampling import SCHEDULERS, Conditions, Sampling, sample
from tests.pretend_device import DEVICE, CannotDo, OnDevice
from tests.tiny import tiny_components

SMALL_VAE = {
    "block_out_channels": [4, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


def there(*shape: int) -> Tensor:
    return torch.rand(*shape).to(DEVICE)


def sampled(scheduler: str, dtype: torch.dtype) -> Tensor:
    unet = tiny_components()["unet"].to(DEVICE, dtype)
    conditions = Conditions(
        masked_latents=torch.randn(6, 4, 4, 4),
        mask=torch.ones(6, 1, 4, 4),
        reference_latents=torch.randn(6, 4, 4, 4),
        audio=torch.randn(6, 10, 8),
        emotion=torch.randn(8, 12),
        null_emotion=torch.zeros(8, 12),
    )
    how = Sampling(
        PRESETS["mini"].scheduler_config, scheduler, steps=2, emotion_guidance=2.0, window=4, overlap=2
    )
    return sample(unet, conditions, replace(how, device=DEVICE, dtype=dtype))


def followed(frames: Tensor) -> Any:
    pictures = (frames.cpu().numpy() * 255).astype(np.uint8)
    found = detect_faces(pictures, make_detector("manual", [], "4, 4, 28, 28"))
    return track_face(found, "latentsync", 32, Choice())


def pasted() -> Tensor:
    frames = there(2, 32, 40, 3)
    track = followed(frames)
    crops = track.crop(frames, [0, 1]) + 0.1
    region = track.crop_mask(there(1, 32, 40), [0, 1])
    assert region.device.type == crops.device.type == DEVICE.type
    track.paste(frames, crops, [0, 1], region, 2, 0.5)
    return track.paste(frames, crops, [0, 1], "face", 2, 0.5)


def heard(encoder: Any) -> Tensor:
    encoder = encoder.to(DEVICE)
    streamed = list(encoder.stream_speech(SpeechInMemory(torch.randn(16000)), Fraction(25), 20))
    return torch.cat([*streamed, encoder.encode_speech(there(16000), 25, 20)])


def scored() -> Tensor:
    frames, points = there(6, 3, 40, 40), there(6, 5, 2)
    track = followed(there(6, 40, 40, 3))
    flicker(frames, frames)
    jitter(points)
    landmark_distance(points, points)
    in_frame(points, track)
    ssim(frames, frames)
    return psnr(frames, frames)


def smoothed() -> Tensor:
    refined = smooth_stream(TFRM(hidden=8, top_k=3, local=True).to(DEVICE), [there(9, 4, 4, 4)], 9)
    return torch.cat([piece for piece, _ in refined])


def through_vae() -> Tensor:
    vae = SDAutoencoder.from_config(SMALL_VAE).eval().to(DEVICE)
    return vae.decode(vae.encode(there(1, 3, 16, 16)))


def embedded() -> Tensor:
    network = MiniSyncNet().eval().to(DEVICE)
    return torch.stack(network.embed(torch.rand(8, 3, 64, 64), there(16000)))


def masked() -> Tensor:
    crop = prepare_portrait(there(1, 32, 32, 3), 32)
    return composite(crop, crop, feathered(mask_image("face", 32).to(DEVICE), 2))


WORK: dict[str, Callable[[], Tensor]] = {
    **{f"sampler, {name}": lambda name=name: sampled(name, torch.float32) for name in SCHEDULERS},  # type: ignore[misc]
    "sampler in half precision": lambda: sampled("ddim", torch.float16),
    "STDA": lambda: STDA(24, heads=3, strip=2).to(DEVICE)(there(1, 24, 3, 4, 4)),
    "text encoder": lambda: tiny_components()["text_encoder"].to(DEVICE).encode(["happy"]),  # type: ignore[operator]
    "mini's audio encoder": lambda: heard(tiny_components()["audio_encoder"]),
    "Whisper": lambda: heard(WhisperEncoder(n_audio_state=8, n_audio_head=1, n_audio_layer=1).eval()),
    "VAE": through_vae,
    "TFRM": smoothed,
    "SyncNet": embedded,
    "crop and put back": pasted,
    "metrics": scored,
    "mask and composite": masked,
}


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_it_runs_on_a_device_without_float64(work: Callable[[], Tensor]) -> None:
    with torch.no_grad(), OnDevice():
        assert torch.isfinite(work().cpu()).all()


def test_the_pretended_device_refuses_what_mps_cannot_do() -> None:
    with OnDevice():
        value = torch.ones(1, 1, 2, 2).to(DEVICE)
        assert value.device.type == DEVICE.type and (value + 1).device.type == DEVICE.type
        for forbidden in (
            lambda: value.double(),
            lambda: torch.zeros(1, dtype=torch.float64, device=DEVICE),
            lambda: value + torch.ones(1, 1, 2, 2),
            lambda: torch.nn.functional.interpolate(value.half(), scale_factor=2, mode="nearest"),
            lambda: torch.nn.functional.interpolate(value, scale_factor=2, mode="bicubic", antialias=True),
        ):
            with pytest.raises(CannotDo):
                forbidden()
