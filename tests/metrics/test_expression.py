from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.metrics.expression import expression_accuracy, predict_expression


class Brightness:
    name = "brightness"
    labels = ("sad", "happy")

    def __call__(self, faces: torch.Tensor) -> torch.Tensor:
        bright = faces.mean((1, 2, 3))
        return torch.stack([1 - bright, bright], 1).clamp(min=1e-6).log()


def test_a_clip_is_read_as_a_whole():
    frames = torch.tensor([0.9] * 40 + [0.2] * 10)[:, None, None, None].expand(50, 3, 4, 4)
    assert predict_expression(frames, Brightness()) == "happy"
    assert predict_expression((frames * 255).byte(), Brightness()) == "happy"
    assert predict_expression(1 - frames, Brightness()) == "sad"


def test_accuracy_counts_clips_and_the_table_says_who_was_taken_for_whom():
    score = expression_accuracy(["sad", "sad", "happy"], ["sad", "happy", "happy"], ("sad", "happy"))
    assert score.accuracy.mean == pytest.approx(2 / 3) and score.accuracy.low < 2 / 3 < score.accuracy.high
    assert score.confusion == ((1, 1), (0, 1))


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="furious"):
        expression_accuracy(["furious"], ["sad"], ("sad", "happy"))
    with pytest.raises(InputError, match="each per clip"):
        expression_accuracy(["sad"], [], ("sad", "happy"))
