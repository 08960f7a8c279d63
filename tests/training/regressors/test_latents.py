"""The frozen network behind the expression loss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.parameter_regressors import LatentParameterRegressor
from eadnet.synthetic.datasets import LAYOUT
from eadnet.synthetic.expression import PARAMETERS
from eadnet.training.data.latents import Batch, Faces
from eadnet.training.regressors.latents import train_latent_parameter_regressor
from eadnet.training.regressors.targets import ParameterTargets
from tests.training.tiny_world import CROP


def data_of(params: torch.Tensor | None, openings: torch.Tensor | None) -> Any:
    return SimpleNamespace(params=params, openings=openings, layout=LAYOUT)


def test_targets_are_standardised_and_leave_the_pose_of_the_head_out():
    params, openings = torch.rand(6, 9, len(PARAMETERS)), torch.rand(6, 9)
    targets = ParameterTargets.of(data_of(params, openings))
    values = targets(params, openings)
    assert len(targets) == values.shape[-1] == len(PARAMETERS) - 5 + 1
    flat = values.flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(len(targets)), atol=1e-4, rtol=0)
    torch.testing.assert_close(flat.std(0), torch.ones(len(targets)), atol=1e-3, rtol=0)


def test_single_faces_and_windows_are_read_beside_their_people():
    model = LatentParameterRegressor(outputs=35, side=12).eval()
    windows, references = torch.randn(3, 2, 4, 12, 12), torch.randn(3, 4, 12, 12)
    read = model(windows, references)
    assert read.shape == (3, 2, 35)
    torch.testing.assert_close(read[:, 1], model(windows[:, 1], references), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(read, model(windows, references.roll(1, 0)), atol=1e-3)


class OneFace:
    """A set of clips or stills of one face each, which says how often it was drawn from."""

    def __init__(self, value: float, in_clips: bool) -> None:
        self.value, self.in_clips, self.drawn = value, in_clips, 0

    def draw(self, count: int, *rest: Any) -> Batch | Faces:
        self.drawn += 1
        frames = rest[:-1]
        face = torch.full((count, *frames, 4, 16, 16), self.value)
        params = torch.full((count, *frames, len(PARAMETERS)), self.value)
        opening = torch.full((count, *frames), self.value)
        reference = torch.zeros(count, 4, 16, 16)
        if not self.in_clips:
            return Faces(face, reference, params, opening)
        rows = torch.zeros(count, dtype=torch.long)
        return Batch(face, face, reference, params, opening, rows, rows)


@pytest.mark.slow
def test_it_learns_from_clips_and_from_stills(tmp_path):
    targets = ParameterTargets.of(data_of(torch.rand(6, 9, len(PARAMETERS)), torch.rand(6, 9)))
    clips, stills = OneFace(0.0, in_clips=True), OneFace(1.0, in_clips=False)
    trained = train_latent_parameter_regressor(clips, stills, targets, CROP, tmp_path / "long", steps=8)  # type: ignore[arg-type]
    assert clips.drawn == stills.drawn > 0
    assert not trained.training and not any(p.requires_grad for p in trained.parameters())
    barely = train_latent_parameter_regressor(clips, stills, targets, CROP, tmp_path / "short", steps=1)  # type: ignore[arg-type]
    face, wanted = (
        torch.ones(1, 4, CROP.side, CROP.side),
        targets(torch.ones(1, len(PARAMETERS)), torch.ones(1)),
    )

    def error(model: LatentParameterRegressor) -> float:
        return float((model(face, torch.zeros_like(face)) - wanted).abs().mean())

    assert error(trained) < error(barely)


def test_what_speech_moves_is_the_mouth_and_not_the_brows():
    params = torch.rand(2, 3, len(PARAMETERS))
    targets = ParameterTargets.of(data_of(params, torch.rand(2, 3)))
    names = [PARAMETERS[column] for column in targets.columns.tolist()]
    spoken = dict(zip([*names, "opening"], targets.spoken.tolist(), strict=True))
    assert spoken["jaw_open"] and spoken["lip_close"] and spoken["opening"]
    assert not (spoken["inner_brow_up_l"] or spoken["smile_r"] or spoken["blink_l"])


def test_data_without_facial_parameters_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="data set has no facial parameters"):
        ParameterTargets.of(data_of(None, None))
    targets = ParameterTargets.of(data_of(torch.rand(2, 3, len(PARAMETERS)), torch.rand(2, 3)))
    with pytest.raises(InputError, match="needs facial parameters"):
        targets(None, None)
