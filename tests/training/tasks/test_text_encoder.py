"""What the text encoder learns before the denoiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.modules.text_encoder import MiniTextEncoder
from eadnet.synthetic.datasets import LAYOUT
from eadnet.training.recipes.sentences import SENTENCES
from eadnet.training.regressors.targets import ParameterTargets
from eadnet.training.tasks.text_encoder import face_head, finetune_text, pretrain_text


def targets() -> ParameterTargets:
    columns = torch.tensor(LAYOUT.columns)
    return ParameterTargets(
        LAYOUT, columns, torch.zeros(len(columns) + 1), torch.full((len(columns) + 1,), 0.3)
    )


def test_the_text_encoder_learns_from_sentences(tmp_path: Path):
    torch.manual_seed(0)
    encoder = MiniTextEncoder(dim=32, layers=1, buckets=512)
    pretrain_text(encoder, SENTENCES.training, targets(), tmp_path, steps=30, batch=32)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    share = rows[0].index("share")
    assert float(rows[1][share]) > 0.8, "at first hardly better than the average face"
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 30
    torch.testing.assert_close(encoder.positions.detach(), state["average"]["text.positions"])


@pytest.mark.slow
def test_fine_tuning_makes_new_phrasings_mean_what_known_ones_do(tmp_path: Path):
    torch.manual_seed(0)
    known = MiniTextEncoder(dim=32, layers=1, buckets=512)
    pretrain_text(known, SENTENCES.training, targets(), tmp_path / "first", steps=30, batch=32)
    encoder = MiniTextEncoder(dim=32, layers=1, buckets=512)
    encoder.load_state_dict(known.state_dict())
    texts, faces = SENTENCES.training(np.random.default_rng(9), 200)
    head, _ = face_head(known, SENTENCES.clips, targets(), 400)
    wanted = faces[:, targets().columns] / 0.3

    def error() -> float:
        with torch.no_grad():
            predicted = head(encoder.encode(texts).mean(1))
        return float((predicted - wanted).square().mean())

    before = error()
    finetune_text(encoder, known, SENTENCES, targets(), tmp_path / "on", steps=120, batch=32)
    assert error() < before
    assert (tmp_path / "on" / "log.csv").read_text().startswith("step,loss,away,held_out")
