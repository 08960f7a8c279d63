from __future__ import annotations

import numpy as np
import pytest

from eadnet.media.plots import colours, matrix_picture


@pytest.mark.parametrize("frames", [1, 2, 7, 100, 600])
def test_graphs_of_any_length_are_drawn(frames: int) -> None:
    picture = matrix_picture(np.eye(frames))
    assert picture.shape == (512, 512, 3)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() and picture.max() <= 1


def test_the_diagonal_is_bright_and_the_rest_dark() -> None:
    picture = matrix_picture(np.eye(4))
    left, top, side = 512 // 12, 512 // 8, 512 - 512 // 8 - 512 // 12
    cell = side / 4

    def brightness(row: int, column: int) -> float:
        return float(picture[int(top + (row + 0.5) * cell), int(left + (column + 0.5) * cell)].sum())

    assert min(brightness(i, i) for i in range(4)) > 2
    assert max(brightness(i, j) for i in range(4) for j in range(4) if i != j) < 0.5


def test_rows_go_down_and_columns_go_right() -> None:
    matrix = np.zeros((4, 4))
    matrix[0, 3] = 1
    picture = matrix_picture(matrix)
    assert picture[100, 380].sum() > 2, "row 0, column 3 is at the upper right"
    assert picture[380, 100].sum() < 0.5


def test_an_empty_graph_is_dark_but_drawn() -> None:
    assert matrix_picture(np.zeros((5, 5))).shape == (512, 512, 3)


def test_colours_grow_lighter_with_the_value() -> None:
    lightness = colours(np.linspace(0, 1, 64)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()
    assert colours(np.array([-1.0, 2.0])).tolist() == colours(np.array([0.0, 1.0])).tolist()
