"""How many kernels a forward pass launches, without memory or arithmetic."""

from __future__ import annotations

import pytest

from benchmarks.kernels import kernels, of_preset


@pytest.mark.slow
@pytest.mark.parametrize(("laid_out", "most"), [(True, 1500), (False, 1608)])
def test_a_full_size_evaluation_launches_no_more_kernels_than_it_did(laid_out: bool, most: int) -> None:
    """2,115 at first. Six are the float32 detour of upsampling, which CUDA does without and the device that
    counts here takes. Apart, as ComfyUI's memory manager and LoRA need them, projections cost 144 more."""
    counts = kernels(of_preset("ead-256"), laid_out=laid_out)
    assert 1000 < counts.total() <= most
    assert counts["convolution"] == 66
