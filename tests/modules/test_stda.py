"""STDA: strips of the space-time volume, any size, each direction on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from eadnet.errors import InputError
from eadnet.modules.stda import DIRECTIONS, STDA, StripAttention
from tests.golden_weights import array, fill


def trained(channels: int = 24, heads: int = 4, **options: Any) -> STDA:
    """Every parameter away from its initial value, in double precision."""
    stda = STDA(channels, heads, **options)
    fill(stda, "stda")
    with torch.no_grad():
        for name in DIRECTIONS:
            table(stda, name).copy_(array("bias", *table(stda, name).shape))
    return stda.double()


def table(stda: STDA, direction: str) -> Tensor:
    """The position bias of one direction: [heads, distances along, offsets across]."""
    return cast(StripAttention, stda.strips[direction]).bias


def brute_force(stda: STDA, x: Tensor, strip: int, max_positions: int) -> Tensor:
    """The definition, without windows: all pairs of tokens, all but those of the same strip masked out."""
    batch, channels, *size = x.shape
    where = torch.cartesian_prod(*(torch.arange(n) for n in size)).view(-1, 3)
    t, row, column = where.T
    offset = where[:, None] - where[None]  # [N, N, 3]
    same = lambda a: a[:, None] == a[None]  # noqa: E731
    members = {
        "horizontal": same(t) & same(row // strip),
        "vertical": same(t) & same(column // strip),
        "temporal": same(row // strip) & same(column // strip),
    }
    span = 2 * strip - 1
    across = {
        "horizontal": offset[..., 1] + strip - 1,
        "vertical": offset[..., 2] + strip - 1,
        "temporal": (offset[..., 1] + strip - 1) * span + offset[..., 2] + strip - 1,
    }
    along = {"horizontal": offset[..., 2], "vertical": offset[..., 1], "temporal": offset[..., 0]}

    tokens = x.flatten(2).transpose(1, 2)
    q, k, v = stda.to_qkv(stda.norm(tokens)).chunk(3, dim=-1)
    outputs, start = [], 0
    for index, name in enumerate(DIRECTIONS):
        biases = table(stda, name)
        heads, width = biases.shape[0], stda.widths[index]
        part = slice(start, start + width)
        start += width
        if name not in stda.directions:
            outputs.append(torch.zeros_like(q[..., part]))
            continue
        qh, kh, vh = (a[..., part].unflatten(-1, (heads, -1)).transpose(1, 2) for a in (q, k, v))
        scores = qh @ kh.transpose(-1, -2) / qh.shape[-1] ** 0.5
        distance = along[name].clamp(1 - max_positions, max_positions - 1) + max_positions - 1
        bias = biases[:, distance, across[name].clamp(0, biases.shape[2] - 1)]
        scores = (scores + bias).masked_fill(~members[name], float("-inf"))
        outputs.append((scores.softmax(-1) @ vh).transpose(1, 2).flatten(2) * stda.gates[index])
    mixed = stda.mix(torch.cat(outputs, dim=-1))
    return x + mixed.transpose(1, 2).reshape(x.shape)


@pytest.mark.slow
@given(size=st.tuples(*3 * [st.integers(1, 6)]), strip=st.integers(1, 4))
@example((4, 4, 6), 2)
@example((3, 5, 7), 3)
@example((1, 6, 6), 1)
@example((5, 1, 4), 2)
@example((2, 7, 1), 3)
@example((1, 1, 1), 2)
def test_padding_does_not_leak(size: tuple[int, int, int], strip: int) -> None:
    """Sizes that are no multiple of the strip give exactly what the definition gives."""
    stda = trained(strip=strip)
    x = array("x", 2, 24, *size).double()
    torch.testing.assert_close(stda(x), brute_force(stda, x, strip, 64), rtol=1e-9, atol=1e-9)


def test_distances_beyond_the_position_table_share_its_last_entry() -> None:
    stda = trained(strip=2, max_positions=3)
    x = array("x", 1, 24, 7, 8, 9).double()
    torch.testing.assert_close(stda(x), brute_force(stda, x, 2, 3), rtol=1e-9, atol=1e-9)


def test_the_position_bias_matters() -> None:
    stda = trained()
    x = array("x", 1, 24, 3, 4, 4).double()
    before = stda(x)
    with torch.no_grad():
        table(stda, "temporal").mul_(-1)
    assert not torch.allclose(stda(x), before)


@pytest.mark.parametrize("size", [(4, 6, 6), (1, 3, 5)])
def test_untrained_it_changes_no_bit(size: tuple[int, int, int]) -> None:
    x = array("x", 2, 24, *size)
    assert torch.equal(STDA(24, heads=6)(x), x)


@pytest.mark.parametrize(
    ("direction", "reached"),
    [
        ("horizontal", lambda t, y, x: (t == 1) & (y // 2 == 1)),
        ("vertical", lambda t, y, x: (t == 1) & (x // 2 == 2)),
        ("temporal", lambda t, y, x: (y // 2 == 1) & (x // 2 == 2)),
    ],
)
def test_each_direction_reaches_its_strip_and_nothing_else(
    direction: str, reached: Callable[..., Tensor]
) -> None:
    """Changing one place of one frame changes exactly the strip it lies in."""
    stda = trained(strip=2, directions=[direction])
    x = array("x", 1, 24, 3, 6, 8).double()
    changed = x.clone()
    changed[:, :, 1, 2, 5] += array("bump", 24).double()
    difference = (stda(changed) - stda(x)).abs().amax(dim=(0, 1)) > 1e-12
    t, y, column = torch.meshgrid(*(torch.arange(n) for n in (3, 6, 8)), indexing="ij")
    assert torch.equal(difference, reached(t, y, column))


def test_together_the_directions_reach_along_all_three() -> None:
    stda = trained(strip=1)
    x = array("x", 1, 24, 3, 4, 5).double()
    changed = x.clone()
    changed[:, :, 1, 2, 3] += array("bump", 24).double()
    difference = (stda(changed) - stda(x)).abs().amax(dim=(0, 1)) > 1e-12
    assert int(difference.sum()) == 3 + 4 + 5 - 2


@pytest.mark.parametrize("off", DIRECTIONS)
def test_switching_a_direction_off_changes_the_output_but_not_the_weights(off: str) -> None:
    full = trained()
    ablated = trained(directions=[name for name in DIRECTIONS if name != off])
    ablated.load_state_dict(full.state_dict())
    x = array("x", 1, 24, 3, 4, 4).double()
    assert not torch.allclose(ablated(x), full(x))
    with torch.no_grad():
        full.gates[DIRECTIONS.index(off)] = 0
    torch.testing.assert_close(ablated(x), full(x))


def test_gradients_reach_every_parameter() -> None:
    stda = trained()
    stda(array("x", 1, 24, 3, 5, 5).double()).square().sum().backward()
    assert [k for k, p in stda.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_untrained_it_can_start_learning() -> None:
    """The zero-initialised projection itself has a gradient, or nothing would ever move."""
    stda = STDA(24, heads=3)
    (stda(array("x", 1, 24, 2, 4, 4)) * array("target", 1, 24, 2, 4, 4)).sum().backward()
    assert stda.mix.weight.grad is not None and stda.mix.weight.grad.any()


@pytest.mark.parametrize("layout", ["channels last", "frames in the batch"])
def test_the_memory_layout_does_not_matter(layout: str) -> None:
    stda = trained()
    x = array("x", 2, 24, 3, 4, 6).double()
    if layout == "channels last":
        other = x.contiguous(memory_format=torch.channels_last_3d)
    else:
        other = x.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(stda(other), stda(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 2}, "at least one head per direction"),
        ({"heads": 3, "directions": ["diagonal"]}, "'diagonal'"),
        ({"heads": 3, "strip": 0}, "strip width"),
    ],
)
def test_impossible_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        STDA(24, **options)


@pytest.mark.parametrize("size", [(3, 4, 4), (3, 5, 3)])
def test_kept_tables_follow_the_weights_and_let_gradients_through(size: tuple[int, int, int]) -> None:
    stda = trained(24)
    x = array("kept", 1, 24, *size).double()
    with torch.inference_mode():
        before = stda(x)
        assert torch.equal(stda(x), before)
    with torch.no_grad():
        for name in DIRECTIONS:
            table(stda, name).mul_(-3)
        after = stda(x)
    assert not torch.allclose(after, before)
    stda(x).sum().backward()
    for name in DIRECTIONS:
        gradient = table(stda, name).grad
        assert gradient is not None and gradient.any()


def test_tables_are_made_once_for_a_shape_and_are_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    make = StripAttention._table_index

    def counted(self: StripAttention, window: tuple[int, ...], *rest: Any) -> Tensor:
        made.append(window)
        return make(self, window, *rest)

    monkeypatch.setattr(StripAttention, "_table_index", counted)
    stda = trained(24)
    names = set(stda.state_dict())
    for frames in (4, 5, 4, 5):
        stda(array("once", 1, 24, frames, 4, 4).double())
    assert len(made) == 4 and set(stda.state_dict()) == names  # two strips in space, two in time
    for frames in range(1, 60):
        stda(array("once", 1, 24, frames, 2, 2).double())
    assert all(len(cast(StripAttention, strip)._offsets) <= 16 for strip in stda.strips.values())


@pytest.mark.parametrize("size", [(65, 2, 2), (100, 3, 2), (130, 1, 1)])
def test_in_a_long_clip_a_frame_sees_those_around_it(size: tuple[int, int, int]) -> None:
    """Each 32 frames are as in a shorter clip of them and 16 frames on either side."""
    stda = trained(24, directions=("temporal",))
    x = array("long", 1, 24, *size).double()
    whole = stda(x)
    for start in range(0, size[0], 32):
        first, stop = max(0, start - 16), min(size[0], start + 48)
        around = stda(x[:, :, first:stop])[:, :, start - first : start - first + 32]
        torch.testing.assert_close(whole[:, :, start : start + 32], around)


def test_up_to_64_frames_are_seen_as_a_whole() -> None:
    stda = trained(24, directions=("temporal",))
    x = array("whole", 1, 24, 64, 2, 2).double()
    moved = x.clone()
    moved[:, :, -1] += 1
    assert (stda(moved) - stda(x))[:, :, 0].abs().max() > 0
