"""Train the reader of the performer's facial parameters: `python -m eadnet.training reader`.

Moments of one drawn person are rendered and encoded by mini's VAE; the network learns to read from the
latents what the person does. Written as a checkpoint of its own, beside `mini`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...checkpoints import bundled_mini, load_checkpoint, save_checkpoint
from ...modules.expression_reader import ExpressionReader
from ...printable import get_logger
from ...synthetic.datasets import LAYOUT
from ...synthetic.performer import at_rest, moments
from ..data.images import to_model_range
from ..regressors.pictures import r_squared
from ..tasks.expression_reader import train_expression_reader

logger = get_logger(__name__)

HELD_OUT = 60  # clips of sentences, voices and phrasings that training does not have


def encoded(folder: Path, split: str, clips: int, vae: nn.Module, resolution: int) -> tuple[Tensor, Tensor]:
    """Latents [N, 4, h, w] and parameters [N, P] of a split; kept in ``folder``."""
    place = folder / f"{split}-{clips}.npz"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        latents, params = [], []
        for part in moments(clips, split, resolution):
            with torch.no_grad():
                latents.append(vae.encode(to_model_range(part.pictures)).half().numpy())  # type: ignore[operator]
            params.append(part.params)
            if len(params) % 50 == 0:
                logger.info("%s: %d of %d clips", split, len(params), clips)
        partial = place.with_suffix(".partial.npz")
        np.savez(partial, latents=np.concatenate(latents), params=np.concatenate(params))
        partial.rename(place)
    data = np.load(place)
    return torch.from_numpy(data["latents"]).float(), torch.from_numpy(data["params"])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training reader", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".work/reader"))
    parser.add_argument("--clips", type=int, default=800)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("eadnet/driving/mini_reader.safetensors"))
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    mini = load_checkpoint(bundled_mini(), only=["vae"])
    vae = mini.component("vae")
    train = encoded(options.folder, "train", options.clips, vae, mini.resolution)
    held_out = encoded(options.folder, "validation", HELD_OUT, vae, mini.resolution)
    columns = LAYOUT.columns
    names = [LAYOUT.names[column] for column in columns]
    reader = ExpressionReader(names, mini.resolution)
    reader.face.copy_(to_model_range(at_rest(mini.resolution)[None])[0])
    latents, params = train
    train_expression_reader(reader, latents, params[:, columns], options.folder / "training", options.steps)
    latents, params = held_out
    scores = r_squared(reader.read(latents), params[:, columns], reader.names)
    logger.info("R² on held-out moments: %s", json.dumps({k: round(v, 3) for k, v in scores.items()}))
    save_checkpoint(
        options.out,
        {"reader": reader.half()},
        {"reads": "mini", "r_squared": {k: round(v, 3) for k, v in scores.items() if math.isfinite(v)}},
    )
