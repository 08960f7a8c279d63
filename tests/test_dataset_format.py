"""The names of a data set's facial parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadnet.dataset_format import ParameterLayout
from eadnet.errors import InputError
from eadnet.synthetic.datasets import LAYOUT


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    LAYOUT.write(tmp_path)
    assert ParameterLayout.read(tmp_path) == LAYOUT


def test_a_regressor_gives_all_but_the_pose_and_the_opening_of_the_mouth() -> None:
    layout = ParameterLayout(("turn", "smile", "jaw"), pose=("turn",), speech=("jaw",))
    assert layout.columns == [1, 2] and layout.regressed == ("smile", "jaw", "mouth_opening")


def test_a_folder_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run the stage that made"):
        ParameterLayout.read(tmp_path)
