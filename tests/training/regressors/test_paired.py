"""The paired regressor: it tells apart what clips always show together, and it knows whom it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from eadnet.dataset_format import MOMENTS_PER_STILL_PERSON
from eadnet.modules.parameter_regressors import PairedParameterRegressor
from eadnet.synthetic.datasets import LAYOUT
from eadnet.synthetic.expression import INDEX, PARAMETERS
from eadnet.training.data.images import to_model_range
from eadnet.training.regressors.paired import train_paired_parameter_regressor
from eadnet.training.regressors.pictures import true_values

LID, BROW = "lid_tighten_l", "brow_lower_l"


class Faces:
    """Pictures as bright above as brows are low, and below as lids are narrow, of people with narrower and
    wider eyes at rest: [people * 6, 128, 128, 3].
    """

    layout = LAYOUT

    def __init__(self, seed: int, people: int, together: bool = False) -> None:
        rng = np.random.default_rng(seed)
        count = people * MOMENTS_PER_STILL_PERSON
        rest = rng.uniform(0, 0.5, people).astype(np.float32)
        lids = rng.random(count).astype(np.float32)
        brows = lids if together else rng.random(count).astype(np.float32)
        self.stills = drawn(brows, lids + np.repeat(rest, MOMENTS_PER_STILL_PERSON))
        self.calm = drawn(0 * rest, rest)
        self.params = np.zeros((count, len(PARAMETERS)), np.float32)
        self.params[:, INDEX[LID]], self.params[:, INDEX[BROW]] = lids, brows
        self.openings = np.zeros(count, np.float32)

    def __len__(self) -> int:
        return len(self.stills)

    def as_clips(self) -> Any:
        """Each picture as a clip of one frame."""
        self.frames = self.stills[:, None]
        self.references = np.repeat(self.calm, MOMENTS_PER_STILL_PERSON, 0)[:, None]
        self.params, self.openings = self.params[:, None], self.openings[:, None]
        return self


def drawn(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    pictures = np.zeros((len(upper), 128, 128, 3), np.uint8)
    pictures[:, :64] = (160 * upper).astype(np.uint8)[:, None, None, None]
    pictures[:, 64:] = (160 * lower).astype(np.uint8)[:, None, None, None]
    return pictures


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> PairedParameterRegressor:
    clips, stills = Faces(0, 8, together=True).as_clips(), Faces(1, 24)
    return train_paired_parameter_regressor(clips, stills, tmp_path_factory.mktemp("run"), steps=80, batch=16)  # type: ignore[arg-type]


@pytest.mark.slow
def test_lids_that_narrow_alone_do_not_move_the_brows(trained: PairedParameterRegressor) -> None:
    pictures = to_model_range(drawn(np.zeros(2), np.array([0.3, 1.0])))
    reading = trained.read(pictures, to_model_range(drawn(np.zeros(1), np.array([0.3])))[0])
    moved = {name: float(reading[name][1] - reading[name][0]) for name in (LID, BROW)}
    assert moved[LID] > 0.3
    assert abs(moved[BROW]) < 0.4 * moved[LID]


@pytest.mark.slow
def test_the_same_eye_is_narrow_for_one_person_and_at_rest_for_another(
    trained: PairedParameterRegressor,
) -> None:
    picture = to_model_range(drawn(np.zeros(1), np.array([0.5])))
    at_rest, narrowed = (
        float(trained.read(picture, to_model_range(drawn(np.zeros(1), np.array([rest])))[0])[LID][0])
        for rest in (0.5, 0.0)
    )
    assert narrowed > at_rest + 0.15


def test_the_truth_of_clips_and_stills_has_the_regressors_names() -> None:
    stills: Any = Faces(2, 3)
    assert true_values(stills).shape == (18, len(LAYOUT.regressed))
    torch.testing.assert_close(
        true_values(stills)[:, LAYOUT.regressed.index(LID)], torch.from_numpy(stills.params[:, INDEX[LID]])
    )
    assert true_values(stills.as_clips()).shape == (18, 1, len(LAYOUT.regressed))
