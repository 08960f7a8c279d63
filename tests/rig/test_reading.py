"""Reading a picture between its pixels: from a finer copy, as sharp as bicubic interpolation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from eadnet.rig import reading
from eadnet.rig.emotions import emotion_parameters
from eadnet.rig.reading import MOST, Source, finer, together
from eadnet.rig.rig import Rig
from tests.quick import some

from .drawn import noise_head

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
    read = next(source.over(shifted(0, 0), REGION))[0]
    assert float((read - waves()[:, y0:y1, x0:x1]).abs().max()) < 0.05


@pytest.mark.parametrize("fine", [True, False])
def test_whole_pixels_away_are_the_pixels_there(fine: bool) -> None:
    x0, y0, x1, y1 = REGION
    source = Source.of(waves(), REGION, margin=7.0, fine=fine)
    for read in (
        next(source.over(shifted(3, -5), REGION)),
        source.in_box(torch.tensor([3.0, -5.0])[None, :, None, None].expand(1, 2, y1 - y0, x1 - x0), REGION),
    ):
        assert float((read[0] - waves()[:, y0 - 5 : y1 - 5, x0 + 3 : x1 + 3]).abs().max()) < 0.05


def test_between_pixels_the_finer_copy_is_nearer_to_bicubic_than_bilinear_reading_is() -> None:
    exact = Source.of(waves(), REGION, margin=7.0, fine=False)
    fine, plain = Source.of(waves(), REGION, margin=7.0), replace(exact, fine=True)
    missed = {"fine": [], "plain": []}  # type: dict[str, list[float]]
    for x, y in ((0.5, 0.5), (0.25, 0.0), (0.7, 0.35), (0.4, 0.9)):
        wanted = next(exact.over(shifted(x, y), REGION))
        for name, source in (("fine", fine), ("plain", plain)):
            missed[name].append(float((next(source.over(shifted(x, y), REGION)) - wanted).square().mean()))
    assert sum(missed["fine"]) < 0.1 * sum(missed["plain"])


def test_the_finer_copy_keeps_the_pixels() -> None:
    picture = waves()
    assert torch.equal(finer(picture)[:, ::2, ::2], picture)


def test_beyond_its_edge_the_picture_goes_on() -> None:
    source = Source.of(waves(), (0, 0, 50, 50), margin=0.0)
    read = next(source.over(shifted(-9, 0), (0, 0, 50, 50)))[0]
    assert float((read[:, :, :9] - waves()[:, :50, :1]).abs().max()) < 0.05


def test_of_a_large_picture_only_what_is_near_the_region_is_kept() -> None:
    large = torch.zeros(1, 2000, 4000)
    assert Source.of(large, (100, 100, 200, 180), margin=10.0).planes.shape == (1, 203, 243)
    whole = Source.of(large, (0, 0, 4000, 2000), margin=10.0)
    assert 4000 * 2000 > MOST and not whole.fine and whole.planes.shape == large.shape


def test_large_frames_are_read_one_by_one_and_on_threads_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    processor = torch.device("cpu")
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert together((1080, 1080), processor) == together((4000, 3000), processor) == threads
        assert together((512, 512), processor) == 4
    assert together((4000, 3000), torch.device("cuda")) >= 1000


@pytest.mark.parametrize("channels", some(1, [4, 1, 3]))
def test_how_many_frames_are_read_at_once_changes_no_pixel(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, mesh = noise_head(channels=channels)
    rig = Rig.build(picture, mesh)
    rows = torch.stack([emotion_parameters(name) for name in ("happy", "neutral", "surprised", "sad")])
    at_once = rig.frames(rows)
    assert not torch.equal(at_once[0], at_once[2])
    monkeypatch.setattr(reading, "_AT_ONCE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)  # three, and the fourth alone
    assert torch.equal(rig.frames(rows), at_once)
