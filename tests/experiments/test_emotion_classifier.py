"""Which emotion a face shows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.synthetic.datasets import LAYOUT
from eadnet.synthetic.expression import EMOTIONS, emotion_expression
from eadnet.training.regressors.pictures import true_values
from experiments.emotion_classifier import EmotionClassifier
from experiments.readings import NAMES


def clips(seed: int, intensities: tuple[float, float], count: int = 160) -> SimpleNamespace:
    """Still clips of the eight emotions with some disorder, as arrays in the form of a `ClipSet`."""
    rng = np.random.default_rng(seed)
    names = [list(EMOTIONS)[i % len(EMOTIONS)] for i in range(count)]
    faces = np.stack([emotion_expression(name, rng.uniform(*intensities)) for name in names])
    params = faces[:, None] + rng.normal(0, 0.05, (count, 3, faces.shape[1]))
    openings = rng.uniform(0, 0.2, (count, 3))
    return SimpleNamespace(
        layout=LAYOUT,
        params=params.astype(np.float32),
        openings=openings.astype(np.float32),
        texts=[{"emotion": name} for name in names],
    )


def truth_of(clips: SimpleNamespace, index: int) -> dict[str, torch.Tensor]:
    """The true values of a clip in the form of readings."""
    values = true_values(clips)  # type: ignore[arg-type]
    return dict(zip(NAMES, values[index].T.to(torch.float32), strict=True))


@pytest.fixture(scope="module")
def reader() -> EmotionClassifier:
    return EmotionClassifier(clips(0, (0.3, 1.0)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("intensities", "right"), [((0.9, 1.0), 1.0), ((0.4, 0.7), 0.95)])
def test_faces_it_has_not_seen_are_read_right(reader, intensities, right):
    seen = clips(1, intensities, 80)
    read = [reader(truth_of(seen, i)) for i in range(80)]
    assert np.mean([a == text["emotion"] for a, text in zip(read, seen.texts, strict=True)]) >= right


def test_a_face_at_rest_is_neutral(reader):
    seen = clips(2, (0.0, 0.0), 8)
    assert reader(truth_of(seen, 0)) == "neutral"


def test_readings_far_from_every_emotion_still_give_one_of_them(reader):
    readings = {name: torch.full((2,), 5.0) for name in truth_of(clips(3, (1, 1), 8), 0)}
    assert reader(readings) in EMOTIONS


def test_clips_whose_emotion_changes_do_not_fit_it(reader):
    mixed = clips(0, (0.3, 1.0))
    other = clips(4, (0.3, 1.0))
    mixed.params = np.concatenate([mixed.params, other.params[::-1]])
    mixed.openings = np.concatenate([mixed.openings, other.openings])
    mixed.texts = [*mixed.texts, *({**text, "later": "calm"} for text in other.texts)]
    again = EmotionClassifier(mixed)  # type: ignore[arg-type]
    assert np.array_equal(again.centroids, reader.centroids)


@pytest.mark.parametrize(
    ("count", "message"), [(2, r"sad, .* missing\): render more"), (8, "each only once")]
)
def test_too_few_clips_are_refused(count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EmotionClassifier(clips(0, (0.3, 1.0), count))  # type: ignore[arg-type]
