"""The picture of a training log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from eadnet.training.curves import draw_curves, read_log


def test_every_column_but_step_and_clock_gets_a_panel(tmp_path: Path) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "curves.png"
    log.write_text("step,minutes,loss,norm\n0,0.1,2,1\n50,0.2,1,nan\n100,0.3,0.5,1\n")
    draw_curves(log, out)
    picture = np.asarray(Image.open(out))
    assert picture.shape == (264, 2 * 392 + 12, 3)
    blue = (picture[..., 2] > 150) & (picture[..., 0] < 100)
    assert blue[:, :392].sum() > 100, "the curve of the loss"


def test_a_log_of_one_row_has_no_curves(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,loss\n0,2\n")
    draw_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    draw_curves(tmp_path / "none.csv", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
    assert read_log(tmp_path / "log.csv") == {"step": [0.0], "loss": [2.0]}
