"""What the encoders learn before the denoiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from eadnet.modules.text_encoder import MiniTextEncoder
from eadnet.synthetic import lexicon
from eadnet.synthetic.expression import INDEX, PARAMETERS
from eadnet.training.encoders import (
    draw_descriptions,
    face_reading,
    meant_faces,
    pretrain_text,
    teach_text_on,
)
from eadnet.training.probe import Targets


def targets() -> Targets:
    columns = torch.tensor([i for i, name in enumerate(PARAMETERS) if not name.startswith("head_")])
    return Targets(columns, torch.zeros(len(columns) + 1), torch.full((len(columns) + 1,), 0.3))


def test_the_sentences_are_drawn_from_a_seed_and_mean_what_they_say():
    drawn = draw_descriptions(np.random.default_rng(3), 40)
    again = draw_descriptions(np.random.default_rng(3), 40)
    assert [d.text for d in drawn] == [d.text for d in again]
    faces = meant_faces(drawn)
    assert faces.shape == (40, len(PARAMETERS))
    for row, description in enumerate(drawn):
        for name, value in description.parameters.items():
            assert faces[row, INDEX[name]] == np.float32(value)
    assert (faces != 0).sum() == sum(value != 0 for d in drawn for value in d.parameters.values())


def test_words_that_no_clip_may_use_are_among_them_and_so_is_silence():
    texts = [d.text.lower() for d in draw_descriptions(np.random.default_rng(0), 14000)]
    held_out = [word.text for word in lexicon.entries() if word.split == "test"]
    assert sum(any(word in text for text in texts) for word in held_out) > len(held_out) / 2
    assert "" in texts


def test_the_text_encoder_learns_from_them(tmp_path: Path):
    torch.manual_seed(0)
    encoder = MiniTextEncoder(dim=32, layers=1, buckets=512)
    pretrain_text(encoder, targets(), tmp_path, steps=30, batch=32)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    share = rows[0].index("share")
    assert float(rows[1][share]) > 0.8, "at first hardly better than the average face"
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 30
    torch.testing.assert_close(encoder.positions.detach(), state["average"]["text.positions"])


def test_teaching_on_makes_new_phrasings_mean_what_known_ones_do(tmp_path: Path):
    torch.manual_seed(0)
    known = MiniTextEncoder(dim=32, layers=1, buckets=512)
    pretrain_text(known, targets(), tmp_path / "first", steps=30, batch=32)
    encoder = MiniTextEncoder(dim=32, layers=1, buckets=512)
    encoder.load_state_dict(known.state_dict())
    lessons = draw_descriptions(np.random.default_rng(9), 200)
    head, _ = face_reading(known, targets(), 400)
    wanted = meant_faces(lessons)[:, targets().columns] / 0.3

    def error() -> float:
        with torch.no_grad():
            read = head(encoder.encode([description.text for description in lessons]).mean(1))
        return float((read - wanted).square().mean())

    before = error()
    teach_text_on(encoder, known, targets(), tmp_path / "on", steps=120, batch=32)
    assert error() < before
    assert (tmp_path / "on" / "log.csv").read_text().startswith("step,loss,away,held_out")
