"""Teach a copy of `motion`'s encoder of sound to hear closed lips: `python -m eadnet.training closures TALK
OUT`.

TALK holds shards of synthetic talk (`python -m eadnet.synthetic.talk`), whose phonemes' times are exact. The
encoder keeps its layers and gets one output: whether p, b or m holds the lips at a row, 50 rows a second.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...checkpoints import load_checkpoint, named_checkpoint, save_checkpoint
from ...modules.mini_audio import MiniAudioEncoder, log_mel_of_power
from ...synthetic.openness import CLASS
from ..trainer import Trainer
from .front_end import LOUDNESS, Talks, masked

_SHUT = CLASS["p"]
_RATE = 1e-3
_RARE = 2.5  # weight of closed moments, of which there is one in ten


def new_listener(encoder: MiniAudioEncoder) -> MiniAudioEncoder:
    """An encoder with one output, and all layers but the last one of ``encoder``."""
    torch.manual_seed(0)
    listener = MiniAudioEncoder(**{**encoder.config, "dim": 1})
    known = {k: v.float() for k, v in encoder.state_dict().items() if not k.startswith("conv_out.")}
    listener.load_state_dict(known, strict=False)
    return listener


def train(
    talks: Talks, listener: MiniAudioEncoder, folder: Path, minutes: float, steps: int | None = None
) -> MiniAudioEncoder:
    """Teach it; log and state are in ``folder``, where a run that was interrupted goes on."""
    trainer = Trainer(
        folder,
        listener,
        torch.optim.AdamW(listener.parameters(), _RATE, weight_decay=1e-2),
        minutes=minutes,
        steps=steps,
        warmup=30,
        decay=0.99,
    )
    for step in trainer.steps():
        rng = np.random.default_rng([1, step])
        power, _, classes = talks.draw(rng)
        heard = listener(masked(log_mel_of_power(power * LOUDNESS), rng))[..., 0]
        loss = F.binary_cross_entropy_with_logits(
            heard, (classes == _SHUT).float(), pos_weight=torch.tensor(_RARE)
        )
        trainer.optimize(loss)
        if step % 20 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    listener.load_state_dict(trainer.average.weights)
    return listener.eval()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training closures", description=__doc__)
    parser.add_argument("talk", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, help="a motion checkpoint; default: the bundled one")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    start = options.start or named_checkpoint("motion")
    encoder = load_checkpoint(start, only=["audio_encoder"]).component("audio_encoder")
    assert isinstance(encoder, MiniAudioEncoder)
    listener = train(
        Talks(options.talk), new_listener(encoder).train(), options.out.with_suffix(""), options.minutes
    )
    save_checkpoint(
        options.out, {"closures": listener.half()}, {"hears": "p, b and m", "minutes": options.minutes}
    )
