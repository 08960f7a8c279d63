"""Pickles: what weights are made of passes, what would cost the process is refused unread."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eadnet.errors import CheckpointError
from eadnet.pickle_check import check_pickle
from tests.pickles import doubled_tuple, keyed, lists, storage_named, tuples
from tests.quick import examples

HERE = Path("model.pt")


def check(content: bytes) -> bool:
    return check_pickle(HERE, io.BytesIO(content), 1 << 20)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(keyed(tuples(101)), id="a key of 101 tuples in each other"),
        pytest.param(keyed(tuples(300_000)), id="a key whose hash would overflow the C stack"),
        pytest.param(storage_named(tuples(300_000)), id="a storage whose name's hash would"),
        pytest.param(keyed(doubled_tuple(60)), id="a key of a quintillion entries"),
        pytest.param(storage_named(doubled_tuple(60)), id="a storage whose name has as many"),
    ],
)
def test_tuples_deeper_or_larger_than_weights_need_are_refused_before_they_are_made(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"^model.pt describes more than any model has: choose"):
        check(content)


def test_a_list_that_is_written_out_again_and_again_counts_each_time() -> None:
    """Each turn puts the list into itself, and so doubles what it holds."""
    turns = b"h\x00a" * 60
    with pytest.raises(CheckpointError, match="more than any model has"):
        check(b"\x80\x02]q\x00K\x01a" + turns + b".")


def test_lists_may_be_deep_because_nothing_makes_a_hash_of_them() -> None:
    assert check(b"\x80\x02" + lists(10_000) + b".")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.tuples(st.integers(0, 9), st.text(max_size=3)), inner)
    ),
)


@examples(100)
@given(plain)
def test_plain_containers_within_each_other_are_followed_to_their_end(content: Any) -> None:
    assert check(pickle.dumps(content, protocol=2))


def test_a_training_state_with_optimizer_and_shared_weights_is_whole(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.zeros(4, 4)}
    groups = [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0, 1, 2, 3]}]
    state = {
        "state_dict": OrderedDict(network.state_dict()),
        "optimizer": {"state": dict.fromkeys(range(4), moments), "param_groups": groups},
        "ema": network.state_dict(),
        "history": [(1, (0.5, ("loss", 0.25)))],
        "sizes": network[0].weight.shape,
    }
    torch.save(state, tmp_path / "state.pt", _use_new_zipfile_serialization=False)
    with (tmp_path / "state.pt").open("rb") as file:
        assert [check_pickle(HERE, file, 1 << 20) for _ in range(5)] == [True] * 5


def test_operations_that_torch_refuses_are_left_to_it() -> None:
    assert not check(pickle.dumps({"a": 1}, protocol=4))
    assert not check(b"\x80\x02t.")  # a tuple of nothing
