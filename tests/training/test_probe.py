"""The judge behind the expression loss."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from eadnet.synthetic.expression import PARAMETERS
from eadnet.training.probe import ExpressionProbe, Targets


def test_targets_are_standardised_and_leave_the_pose_of_the_head_out():
    params, openings = torch.rand(6, 9, len(PARAMETERS)), torch.rand(6, 9)
    targets = Targets.of(SimpleNamespace(params=params, openings=openings))  # type: ignore[arg-type]
    values = targets(params, openings)
    assert len(targets) == values.shape[-1] == len(PARAMETERS) - 5 + 1
    flat = values.flatten(0, 1)
    torch.testing.assert_close(flat.mean(0), torch.zeros(len(targets)), atol=1e-4, rtol=0)
    torch.testing.assert_close(flat.std(0), torch.ones(len(targets)), atol=1e-3, rtol=0)


def test_the_probe_reads_the_block_it_is_made_for():
    probe = ExpressionProbe(outputs=35, side=12)
    assert probe(torch.randn(3, 4, 12, 12)).shape == (3, 35)


def test_what_speech_moves_is_the_mouth_and_not_the_brows():
    params = torch.rand(2, 3, len(PARAMETERS))
    targets = Targets.of(SimpleNamespace(params=params, openings=torch.rand(2, 3)))  # type: ignore[arg-type]
    names = [PARAMETERS[column] for column in targets.columns.tolist()]
    spoken = dict(zip([*names, "opening"], targets.spoken.tolist(), strict=True))
    assert spoken["jaw_open"] and spoken["lip_close"] and spoken["opening"]
    assert not (spoken["inner_brow_up_l"] or spoken["smile_r"] or spoken["blink_l"])
