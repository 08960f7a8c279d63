"""TFRM: a learned graph over frames that smooths a clip and leaves a still one alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.modules.tfrm import PIECE, TFRM, graph_of, needed_from, smooth_stream
from tests.golden_weights import array, fill


def trained(**config: Any) -> TFRM:
    """Every parameter away from its initial value, except the prior over distances."""
    tfrm = TFRM.from_config({"channels": 4, "hidden": 16, "top_k": 3, **config})
    prior = None if tfrm.prior is None else tfrm.prior.detach().clone()
    fill(tfrm, "tfrm")
    if tfrm.prior is not None and prior is not None:
        tfrm.prior.data.copy_(prior)
    return tfrm.double()


def clip(frames: int = 6, batch: int = 2, size: tuple[int, int] = (5, 7)) -> torch.Tensor:
    return array("clip", batch, 4, frames, *size).double()


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_untrained_it_changes_no_bit(frames: int) -> None:
    x = array("x", 2, 4, frames, 5, 7)
    assert torch.equal(TFRM()(x)[0], x)


def test_with_a_local_gate_it_starts_as_an_identity_and_leaves_a_still_clip_alone() -> None:
    x = array("x", 2, 4, 6, 5, 7)
    assert torch.equal(TFRM(local=True)(x)[0], x)
    still = clip(frames=1).expand(-1, -1, 6, -1, -1)
    torch.testing.assert_close(trained(local=True)(still)[0], still)


def test_a_local_gate_smooths_one_place_and_not_another() -> None:
    """What a mouth needs: motion is kept where the gate is shut, shimmer goes where it is open."""
    tfrm = trained(local=True)
    assert tfrm.local_gate is not None
    first, last = (m for m in tfrm.local_gate if isinstance(m, torch.nn.Conv2d))
    for conv in (first, last):
        for parameter in conv.parameters():
            parameter.data.zero_()
    first.weight.data[:, 0, 1, 1] = 50.0
    last.weight.data[:, :, 1, 1] = -50.0
    x = clip()
    x[:, 0] = 0.0
    x[:, 0, :, :, 4:] = 1.0
    moved = (tfrm(x)[0] - x).abs().amax(dim=(0, 1, 2, 3))
    assert float(moved[5:].max()) < 1e-6 < 1e-3 < float(moved[:3].min())


@pytest.mark.parametrize("top_k", [1, 2, 5, 6, 50])
def test_rows_of_the_graph_sum_to_one_and_keep_top_k_edges(top_k: int) -> None:
    _, adjacency = trained()(clip(), top_k=top_k)
    assert adjacency.shape == (2, 6, 6)
    torch.testing.assert_close(adjacency.sum(-1), torch.ones(2, 6, dtype=torch.float64))
    assert torch.equal((adjacency > 0).sum(-1), torch.full((2, 6), min(top_k, 6)))


def test_the_kept_edges_are_the_strongest() -> None:
    tfrm = trained()
    _, dense = tfrm(clip(), top_k=6)
    _, sparse = tfrm(clip(), top_k=2)
    strongest = torch.zeros_like(dense).scatter(-1, dense.topk(2, dim=-1).indices, 1.0)
    assert torch.equal(sparse > 0, strongest > 0)


def test_the_configured_top_k_is_the_default() -> None:
    _, adjacency = trained(top_k=2)(clip())
    assert torch.equal((adjacency > 0).sum(-1), torch.full((2, 6), 2))


def test_one_frame_is_returned_as_it_is() -> None:
    x = clip(frames=1)
    out, adjacency = trained()(x)
    assert torch.equal(out, x) and torch.equal(adjacency, torch.ones(2, 1, 1, dtype=torch.float64))


def test_a_still_clip_is_left_alone() -> None:
    x = clip(frames=1).expand(-1, -1, 5, -1, -1)
    out, _ = trained()(x)
    torch.testing.assert_close(out, x, rtol=0, atol=1e-12)


def test_a_moving_clip_is_changed_in_every_frame() -> None:
    x = clip()
    out, _ = trained()(x)
    assert ((out - x).abs().amax(dim=(0, 1, 3, 4)) > 1e-6).all()


def test_messages_stay_in_place() -> None:
    """A pixel in which the frames agree does not change, whatever happens elsewhere."""
    x = clip()
    x[:, :, :, 2, 3] = 0.5
    out, _ = trained()(x)
    torch.testing.assert_close(out[:, :, :, 2, 3], x[:, :, :, 2, 3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_strength_scales_the_residual(strength: float) -> None:
    tfrm, x = trained(), clip()
    torch.testing.assert_close(tfrm(x, strength=strength)[0] - x, strength * (tfrm(x)[0] - x))


def test_without_the_prior_it_does_not_see_the_order_of_frames() -> None:
    tfrm, x = trained(temporal_prior=False), clip()
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    out, adjacency = tfrm(x)
    shuffled, shuffled_adjacency = tfrm(x[:, :, order])
    torch.testing.assert_close(shuffled, out[:, :, order])
    torch.testing.assert_close(shuffled_adjacency, adjacency[:, order][:, :, order])


def test_with_the_prior_it_does() -> None:
    tfrm, x = trained(), clip()
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    assert not torch.allclose(tfrm(x[:, :, order])[0], tfrm(x)[0][:, :, order])


def test_the_prior_prefers_neighbours_before_training() -> None:
    tfrm = TFRM(top_k=5)
    _, adjacency = tfrm(torch.ones(1, 4, 5, 4, 4))
    assert (adjacency[0, 0].diff() < 0).all()


def test_clips_longer_than_the_prior() -> None:
    """Distances beyond the table share its last entry."""
    _, adjacency = trained(max_distance=2)(clip(frames=9))
    torch.testing.assert_close(adjacency.sum(-1), torch.ones(2, 9, dtype=torch.float64))


def test_edges_join_frames_within_reach_only() -> None:
    _, adjacency = trained(top_k=9, reach=3)(clip(frames=12))
    index = torch.arange(12)
    near = (index[:, None] - index).abs() <= 3
    assert (adjacency[:, near] > 0).all() and not adjacency[:, ~near].any()
    torch.testing.assert_close(adjacency.sum(-1), torch.ones(2, 12, dtype=torch.float64))


def test_within_a_training_window_the_reach_changes_nothing() -> None:
    bounded, boundless = trained(), trained(reach=None)
    for got, expected in zip(bounded(clip(frames=16)), boundless(clip(frames=16)), strict=True):
        assert torch.equal(got, expected)


def test_checkpoints_from_before_the_reach_have_that_of_16() -> None:
    config = {key: value for key, value in TFRM().config.items() if key != "reach"}
    assert TFRM.from_config(config).reach == 16 and TFRM.from_config(config).halo == 32


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_frame_depends_on_its_halo_and_on_nothing_else(layers: int) -> None:
    tfrm, x = trained(layers=layers, reach=2, top_k=2), clip(frames=15)
    assert tfrm.halo is not None
    other = x.clone()
    other[:, :, 7] += 1.0
    changed = (tfrm(other)[0] != tfrm(x)[0]).flatten(3).any(-1).any(0).any(0)
    assert not changed[: 7 - tfrm.halo].any() and not changed[8 + tfrm.halo :].any() and changed[7]


@pytest.mark.slow
@given(
    frames=st.integers(1, 3 * PIECE + 17), reach=st.sampled_from([5, 16, None]), stretch=st.integers(1, 40)
)
@example(1, 16, 7)
@example(2, None, 7)
@example(PIECE - 1, 5, 7)
@example(PIECE, 16, 7)
@example(PIECE + 1, 5, 7)
@example(3 * PIECE, 5, 7)
@example(3 * PIECE + 17, 16, 7)
@example(3 * PIECE + 17, None, 7)
def test_in_pieces_it_is_the_whole_clip(frames: int, reach: int | None, stretch: int) -> None:
    tfrm, x = trained(reach=reach, top_k=4), clip(frames=frames, batch=1, size=(4, 4))
    whole, graph = tfrm(x)
    stretches = x[0].transpose(0, 1).split(stretch)
    pieces = list(smooth_stream(tfrm, stretches, frames))
    torch.testing.assert_close(
        torch.cat([p for p, _ in pieces]), whole[0].transpose(0, 1), rtol=0, atol=1e-12
    )
    edges = torch.cat([e for _, e in pieces])
    torch.testing.assert_close(graph_of(edges), graph[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("first", [0, 1, PIECE - 1, PIECE, PIECE + 9, 2 * PIECE + 8])
def test_from_any_frame_on_it_is_the_same_clip_to_the_bit(first: int) -> None:
    tfrm, x = trained(reach=4), clip(frames=2 * PIECE + 9, batch=1, size=(4, 4))[0].transpose(0, 1)
    whole = torch.cat([p for p, _ in smooth_stream(tfrm, x.split(10), len(x), strength=0.5)])
    needed = x[needed_from(tfrm, first) :]
    tail = torch.cat(
        [p for p, _ in smooth_stream(tfrm, needed.split(10), len(x), strength=0.5, first_frame=first)]
    )
    assert torch.equal(tail, whole[first:])


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (16, 16)])
def test_any_frame_size(size: tuple[int, int]) -> None:
    x = clip(size=size)
    assert trained()(x)[0].shape == x.shape


def test_half_precision_latents_keep_their_type() -> None:
    x = array("x", 1, 4, 3, 4, 4).half()
    out, _ = TFRM()(x)
    assert torch.equal(out, x)


def test_gradients_reach_every_parameter() -> None:
    tfrm = trained(max_distance=5)
    tfrm(clip(), top_k=6)[0].square().sum().backward()
    assert [k for k, p in tfrm.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_configuration_rebuilds_the_module() -> None:
    tfrm = trained(layers=1)
    again = TFRM.from_config(tfrm.config).double()
    again.load_state_dict(tfrm.state_dict())
    assert torch.equal(again(clip())[0], tfrm(clip())[0])


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 3, 5, 4, 4), {}, "[1, 3, 5, 4, 4]"),
        ((4, 5, 4, 4), {}, "[4, 5, 4, 4]"),
        ((1, 4, 5, 4, 4), {"strength": 1.5}, "1.5"),
        ((1, 4, 5, 4, 4), {"top_k": 0}, "top_k must be at least 1, not 0"),
    ],
)
def test_bad_input_is_named(shape: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        TFRM()(torch.zeros(shape), **options)
    assert message in str(error.value)
