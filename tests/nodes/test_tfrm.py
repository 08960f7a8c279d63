from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture
def samples() -> torch.Tensor:
    return torch.randn(9, 4, 4, 4, generator=torch.Generator().manual_seed(6))


@pytest.fixture
def smooth(nodes: Any, run: Run, loaded: Any, samples: torch.Tensor) -> Run:
    def call(**changes: Any) -> tuple[Any, ...]:
        inputs = {"tfrm": loaded.tfrm, "samples": {"samples": samples}, "strength": 1.0, "top_k": 0}
        return run(nodes.EADNetTFRMSmoother, **{**inputs, **changes})

    return call


def test_frames_change_and_keep_their_shape(smooth: Run, samples: torch.Tensor) -> None:
    latent, graph = smooth()
    assert latent["samples"].shape == samples.shape and not torch.equal(latent["samples"], samples)
    assert graph.shape == (1, 512, 512, 3) and 0 <= graph.min() and graph.max() <= 1


def test_strength_zero_changes_nothing(smooth: Run, samples: torch.Tensor) -> None:
    latent, _ = smooth(strength=0.0)
    assert torch.equal(latent["samples"], samples)


def test_frames_are_the_nodes_of_the_graph(smooth: Run, samples: torch.Tensor) -> None:
    """A still clip has nothing to learn from itself; were another axis taken for time, it would change."""
    still = samples[:1].expand(9, -1, -1, -1)
    latent, _ = smooth(samples={"samples": still})
    torch.testing.assert_close(latent["samples"], still)


def test_top_k_zero_is_the_trained_number(smooth: Run) -> None:
    assert torch.equal(smooth(top_k=0)[0]["samples"], smooth(top_k=3)[0]["samples"])
    assert not torch.equal(smooth(top_k=0)[0]["samples"], smooth(top_k=1)[0]["samples"])


def test_latents_are_scaled_for_the_module_and_back(smooth: Run, loaded: Any, samples: torch.Tensor) -> None:
    half = replace(loaded.tfrm, latent_scale=0.5)
    scaled, _ = smooth(tfrm=half, samples={"samples": samples * 2})
    torch.testing.assert_close(scaled["samples"] / 2, smooth()[0]["samples"])


def test_what_else_the_latent_carries_is_kept(smooth: Run, samples: torch.Tensor) -> None:
    latent, _ = smooth(samples={"samples": samples, "batch_index": [1]})
    assert latent["batch_index"] == [1]
