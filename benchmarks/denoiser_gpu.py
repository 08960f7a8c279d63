"""How long the U-Net takes on a GPU, and how much memory: every preset at its default steps and guidances.

    python -m benchmarks.denoiser_gpu            print the table
    python -m benchmarks.denoiser_gpu --write    also record it in benchmarks/results/denoiser_gpu.md

Weights are random, in bfloat16: time and memory do not depend on what they are. The VAE, the encoders
and the face are not part of it. Memory is the peak of what torch has in use, weights included.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from eadnet.faces.masks import latent_mask, mask_image
from eadnet.modules.unet import EADUNet
from eadnet.presets import PRESETS, Preset
from eadnet.rendering import RenderSettings
from eadnet.sampling import Conditions, sample

FPS = 25
FRAMES = 28  # two windows of 16 that overlap by 4
RESULTS = Path(__file__).parent / "results" / "denoiser_gpu.md"


def conditions(preset: Preset, frames: int, device: str) -> Conditions:
    """Random ones of the preset's shapes."""
    side = preset.resolution // 8
    config = preset.unet_config
    ead = config.get("ead") or {}
    tokens = 10 if preset.name == "mini" else 50
    words = torch.randn(32, ead.get("emotion_dim", 768), device=device) if ead else None
    region = latent_mask(mask_image(preset.mask_region, preset.resolution)).to(device)
    return Conditions(
        masked_latents=torch.randn(frames, 4, side, side, device=device),
        mask=region[None].expand(frames, -1, -1, -1),
        reference_latents=torch.randn(frames, 4, side, side, device=device),
        audio=torch.randn(frames, tokens, config["cross_attention_dim"], device=device),
        emotion=words,
        null_emotion=words,
    )


def measured(preset: Preset, device: str, dtype: torch.dtype) -> dict[str, float]:
    """Seconds for a second of video after a first run, and GB."""
    torch.manual_seed(0)
    with torch.device(device):
        unet = EADUNet.from_config(preset.unet_config).to(dtype).eval()
    given = conditions(preset, FRAMES, device)

    def once(steps: int) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        sample(
            unet,
            given,
            replace(RenderSettings(steps=steps).sampling(preset), device=device, dtype=dtype),
        )
        torch.cuda.synchronize()
        return time.perf_counter() - start

    once(1)
    torch.cuda.reset_peak_memory_stats()
    seconds = once(preset.defaults["steps"])
    return {
        "seconds": seconds / FRAMES * FPS,
        "memory": torch.cuda.max_memory_allocated() / 1e9,
        "parameters": sum(p.numel() for p in unet.parameters()) / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [
        "# The denoiser on a GPU",
        "",
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, bfloat16, {FRAMES} frames in windows of "
        "16 that overlap by 4, random weights. Repeat with `python -m benchmarks.denoiser_gpu --write`.",
        "",
        "| preset | million parameters | steps | guidance, sound and emotion | seconds for a second of video "
        "| peak GB |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for name, preset in PRESETS.items():
        found = measured(preset, "cuda", torch.bfloat16)
        torch.cuda.empty_cache()
        d = preset.defaults
        lines.append(
            f"| {name} | {found['parameters']:.0f} | {d['steps']} | {d['audio_guidance']:g}, "
            f"{d['emotion_guidance']:g} | {found['seconds']:.2f} | {found['memory']:.1f} |"
        )
        print(lines[-1], flush=True)
    if options.write:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
