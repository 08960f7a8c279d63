"""Our features, embeddings and sweep against the numbers of the published code."""

from __future__ import annotations

import torch

from eadnet.media.features import latentsync_mel, mfcc
from eadnet.metrics.sync import sweep
from eadnet.modules.stable_syncnet import StableSyncNet
from eadnet.modules.syncnet_v2 import SyncNetV2
from experiments.sync.clips import Bench


def published(bench: Bench) -> list[str]:
    """Largest differences from what the published code computes, on weights that are made from key names."""
    from tests.golden_weights import array, fill, load_golden

    golden, speech = load_golden("syncnet_v2.safetensors"), load_golden("whisper_features.safetensors")
    samples = speech["waveform"]
    video = array("syncnet-v2:sweep", 60, 1024)
    swept = sweep(video, video.roll(-3, 0) + 0.3 * array("syncnet-v2:noise", 60, 1024))
    network = SyncNetV2.from_config({"dim": 1024})
    fill(network, "syncnet-v2")
    lips = (array("syncnet-v2:lip", 2, 3, 5, 224, 224) * 40 + 128).clamp(0, 255)
    with torch.no_grad():
        lips_embedding, audio_embedding = (
            network.embed_lips(lips),
            network.embed_audio(array("syncnet-v2:audio", 2, 1, 13, 20) * 10),
        )
        tiny = load_golden("stable_syncnet_tiny.safetensors")
        stable = StableSyncNet.from_config(load_golden("stable_syncnet_tiny.config.json"))
        fill(stable, "syncnet-tiny")
        shown, spoken = stable(
            array("syncnet-tiny:video", 2, 48, 128, 256), array("syncnet-tiny:mel", 2, 1, 80, 52)
        )
    pairs = {
        "sweep: 31 mean distances": (swept.mean_distances, golden["sweep_mean_dists"]),
        "sweep: smallest distance": (torch.tensor(swept.distance), golden["sweep_min_dist"]),
        "sweep: confidence": (torch.tensor(swept.confidence), golden["sweep_conf"]),
        "MFCC of 4 s": (mfcc((samples * 32767).to(torch.int16)), golden["mfcc"]),
        "LatentSync's mel of 4 s": (latentsync_mel(samples), golden["latentsync_mel"]),
        "embeddings of lips": (lips_embedding, golden["lip_embed"]),
        "embeddings of sound": (audio_embedding, golden["audio_embed"]),
        "LatentSync's SyncNet in small: embeddings of pictures": (shown, tiny["vision_embeds"]),
        "LatentSync's SyncNet in small: embeddings of sound": (spoken, tiny["audio_embeds"]),
    }
    lines = [
        "| what | numbers | relative error | largest difference over the largest number |",
        "|---|---:|---:|---:|",
    ]
    for name, (ours, theirs) in pairs.items():
        gap, theirs = (ours - theirs).double(), theirs.double()
        lines.append(
            f"| {name} | {theirs.numel()} | {float(gap.norm() / theirs.norm()):.1e} "
            f"| {float(gap.abs().max() / theirs.abs().max()):.1e} |"
        )
    offset = int(golden["sweep_offset"])
    return [*lines, "", f"Offset of the sweep: {swept.offset}, published {offset}."]
