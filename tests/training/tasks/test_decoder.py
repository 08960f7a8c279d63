"""Fine-tuning the decoder: the encoder stays, and only wrong changes cost."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.faces.masks import mask_image
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.training.losses.reconstruction import motion_loss
from eadnet.training.tasks.autoencoder import CROP
from eadnet.training.tasks.decoder import draw_pairs, finetune_decoder

REGION = mask_image("face", 128)


class Clips:
    """Two clips of four frames; every frame is as bright as its number says."""

    frames = (10 * np.arange(8, dtype=np.uint8)).reshape(2, 4, 1, 1, 1) * np.ones((128, 128, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.frames)


CLIPS: Any = Clips()


def tiny() -> MiniAutoencoder:
    torch.manual_seed(0)
    return MiniAutoencoder(16, 1, (16, 16, 8), (1, 1, 1))


def test_pairs_are_neighbouring_frames_of_one_clip() -> None:
    pairs, parts = draw_pairs(CLIPS, REGION, 12, torch.Generator().manual_seed(0))
    assert pairs.shape == (12, 2, 3, CROP, CROP) and parts.shape == (12, 1, CROP, CROP)
    torch.testing.assert_close(pairs.diff(dim=1), torch.full_like(pairs[:, :1], 10 / 127.5))


def test_only_changes_that_the_truth_does_not_make_cost() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 2, 3, CROP, CROP, generator=generator)
    offset = torch.rand(2, 1, 3, CROP, CROP, generator=generator)
    everywhere = torch.ones(2, 1, CROP, CROP)
    assert motion_loss(target + offset, target, everywhere) < 1e-6
    moving = target + torch.tensor([0.0, 0.1])[None, :, None, None, None]
    assert abs(float(motion_loss(moving, target, everywhere)) - 0.1) < 1e-5
    assert motion_loss(moving, target, 0 * everywhere) == 0


def test_the_encoder_keeps_every_weight_and_the_log_says_how_still_it_is(tmp_path: Path) -> None:
    model, before = tiny(), tiny()
    tuned = finetune_decoder(model, CLIPS, CLIPS, tmp_path, "face", steps=3, pairs=2)
    after = tuned.state_dict()
    for name, value in before.state_dict().items():
        if not name.startswith("decoder"):
            assert torch.equal(after[name], value), name
    assert any(
        not torch.equal(after[n], v) for n, v in before.state_dict().items() if n.startswith("decoder")
    )
    with (tmp_path / "log.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert {"psnr_face", "flicker", "likeness", "motion"} <= set(row)
