"""Who somebody is, as numbers, and where the landmarks are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

pytest.importorskip("cv2", reason="rendering needs the 'synthetic' extra (opencv-python-headless)")

from eadnet.synthetic.datasets import LAYOUT, seeds_of  # noqa: E402
from eadnet.synthetic.expression import PARAMETERS, neutral  # noqa: E402
from eadnet.synthetic.renderer import Renderer  # noqa: E402
from eadnet.synthetic.studio import person  # noqa: E402
from eadnet.training.data.clips import SETTINGS  # noqa: E402
from experiments.world.identity import (  # noqa: E402
    FACTORS,
    IdentityRegressor,
    factors,
    identity_error,
    landmarks,
    people,
    train_identity_regressor,
)


def test_people_differ_in_every_factor():
    numbers = np.stack([factors(person(seed)) for seed in range(40)])
    assert numbers.shape == (40, len(FACTORS)) and len(set(FACTORS)) == len(FACTORS)
    assert (numbers.std(0) > 0).all() and np.isfinite(numbers).all()


def test_landmarks_are_the_renderers_without_drawing():
    renderer = Renderer(person(2), 24)
    assert np.array_equal(landmarks(person(2), neutral()[None], 24)[0], renderer.landmarks(neutral()))


def test_the_rows_of_a_data_set_are_known_people(tmp_path):
    rows = type("Rows", (), {"folder": tmp_path, "__len__": lambda self: 2})()
    assert people(rows, "test") == [person(0, "test"), person(1, "test")]
    (tmp_path / SETTINGS).write_text(json.dumps({"first_seed": 5}))
    assert people(rows, "test") == [person(5, "test"), person(6, "test")]
    (tmp_path / SETTINGS).write_text(json.dumps({"first_seed": 5, "kind": "word"}))
    seeds = seeds_of({"split": "test", "first_seed": 5, "clips": 2, "kind": "word"})
    assert seeds != [5, 6]
    assert people(rows, "test") == [person(seed, "test") for seed in seeds]


def test_the_error_counts_spreads_and_averages_over_frames():
    read = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert identity_error(read, torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.25])) == pytest.approx(1.5)


def test_it_learns_in_the_stated_number_of_steps(tmp_path):
    rng = np.random.default_rng(0)
    clips = type("Rows", (), {"__len__": lambda self: 4})()
    clips.folder = tmp_path
    clips.frames = rng.integers(0, 255, (4, 4, 128, 128, 3), dtype=np.uint8)
    clips.params = np.zeros((4, 4, len(PARAMETERS)), np.float32)
    clips.openings, clips.layout = np.zeros((4, 4), np.float32), LAYOUT
    model = train_identity_regressor(clips, "train", tmp_path / "likeness", steps=3, batch=4)
    points, who = model.read(torch.zeros(2, 3, 128, 128))
    assert points.shape == (2, 68, 2) and who.shape == (2, len(FACTORS))
    assert torch.load(tmp_path / "likeness" / "state.pt", weights_only=True)["step"] == 3
    assert 20 < float(points.mean()) < 110, "untrained it reads about the mean face, in pixels"
    assert isinstance(model, IdentityRegressor)
