"""Reading a picture between its pixels: from a finer copy, as sharp as bicubic interpolation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from eadnet.rig.reading import MOST, Source, finer

REGION = (20, 10, 120, 90)


def waves() -> Tensor:
    """A picture [3, 100, 140] of waves that are four pixels long and more."""
    y, x = torch.meshgrid(torch.arange(100.0), torch.arange(140.0), indexing="ij")
    return torch.stack(
        [127 + 100 * torch.sin(x * a + y * b) for a, b in ((0.7, 0.2), (0.3, 1.1), (1.5, 0.4))]
    )


def shifted(x: float, y: float) -> Tensor:
    """Displacements of a grid over the region, [1, 9, 11, 2] pixels."""
    return torch.tensor([x, y]).expand(1, 9, 11, 2)


@pytest.mark.parametrize("fine", [True, False])
def test_without_displacement_it_is_the_picture(fine: bool) -> None:
    x0, y0, x1, y1 = REGION
    source = Source.of(waves(), REGION, margin=7.0, fine=fine)
    read = source.over(shifted(0, 0), REGION)[0]
    assert float((read - waves()[:, y0:y1, x0:x1]).abs().max()) < 0.05


@pytest.mark.parametrize("fine", [True, False])
def test_whole_pixels_away_are_the_pixels_there(fine: bool) -> None:
    x0, y0, x1, y1 = REGION
    source = Source.of(waves(), REGION, margin=7.0, fine=fine)
    for read in (
        source.over(shifted(3, -5), REGION),
        source.in_box(torch.tensor([3.0, -5.0])[None, :, None, None].expand(1, 2, y1 - y0, x1 - x0), REGION),
    ):
        assert float((read[0] - waves()[:, y0 - 5 : y1 - 5, x0 + 3 : x1 + 3]).abs().max()) < 0.05


def test_between_pixels_the_finer_copy_is_nearer_to_bicubic_than_bilinear_reading_is() -> None:
    exact = Source.of(waves(), REGION, margin=7.0, fine=False)
    fine, plain = Source.of(waves(), REGION, margin=7.0), replace(exact, fine=True)
    missed = {"fine": [], "plain": []}  # type: dict[str, list[float]]
    for x, y in ((0.5, 0.5), (0.25, 0.0), (0.7, 0.35), (0.4, 0.9)):
        wanted = exact.over(shifted(x, y), REGION)
        for name, source in (("fine", fine), ("plain", plain)):
            missed[name].append(float((source.over(shifted(x, y), REGION) - wanted).square().mean()))
    assert sum(missed["fine"]) < 0.1 * sum(missed["plain"])


def test_the_finer_copy_keeps_the_pixels() -> None:
    picture = waves()
    assert torch.equal(finer(picture)[:, ::2, ::2], picture)


def test_beyond_its_edge_the_picture_goes_on() -> None:
    source = Source.of(waves(), (0, 0, 50, 50), margin=0.0)
    read = source.over(shifted(-9, 0), (0, 0, 50, 50))[0]
    assert float((read[:, :, :9] - waves()[:, :50, :1]).abs().max()) < 0.05


def test_of_a_large_picture_only_what_is_near_the_region_is_kept() -> None:
    large = torch.zeros(1, 2000, 4000)
    assert Source.of(large, (100, 100, 200, 180), margin=10.0).planes.shape == (1, 203, 243)
    whole = Source.of(large, (0, 0, 4000, 2000), margin=10.0)
    assert 4000 * 2000 > MOST and not whole.fine and whole.planes.shape == large.shape
