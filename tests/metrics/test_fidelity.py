"""PSNR and SSIM against their definitions, and in the right order under growing damage."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import torch
import torch.nn.functional as F

from eadnet.errors import InputError
from eadnet.metrics.fidelity import psnr, ssim


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(40, 3, 12, 12, generator=random)
    return F.interpolate(coarse, (48, 64), mode="bicubic").clamp(0, 1)


def test_psnr_is_the_definition(clip):
    changed = (clip + 0.1).clamp(max=2.0)
    torch.testing.assert_close(psnr(changed, clip), torch.full((40,), 20.0), atol=1e-4, rtol=0)


def test_ssim_is_the_definition_with_a_gaussian_window(clip):
    a, b = clip[:1], (clip[:1] + 0.05 * torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(1)))
    values = []
    for x, y in zip(a[0].double().numpy(), b[0].double().numpy(), strict=True):

        def local(z):
            return scipy.ndimage.gaussian_filter(z, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

        mx, my = local(x), local(y)
        vx, vy, both = local(x * x) - mx**2, local(y * y) - my**2, local(x * y) - mx * my
        up = (2 * mx * my + 1e-4) * (2 * both + 9e-4)
        values.append((up / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean())
    assert float(ssim(a, b)) == pytest.approx(float(np.mean(values)), abs=1e-5)


def test_equal_pictures_are_equal_also_when_constant(clip):
    for pictures in (clip, torch.zeros(2, 3, 20, 20), torch.full((2, 3, 5, 7), 255, dtype=torch.uint8)):
        assert float(psnr(pictures, pictures).min()) == 100
        torch.testing.assert_close(ssim(pictures, pictures), torch.ones(len(pictures)))


@pytest.mark.slow
@pytest.mark.parametrize("metric", [psnr, ssim])
def test_more_noise_blur_and_shift_are_worse(clip, metric):
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(2))
    series = {
        "noise": [clip + s * noise for s in (0.01, 0.03, 0.1, 0.3)],
        "blur": [F.avg_pool2d(clip, k, 1, k // 2, count_include_pad=False) for k in (3, 5, 9, 17)],
        "shift": [clip.roll(s, -1) for s in (1, 2, 4, 8)],
    }
    for name, damaged in series.items():
        values = [float(metric(pictures, clip).mean()) for pictures in damaged]
        assert values == sorted(values, reverse=True) and len(set(values)) == 4, name


def test_bytes_are_the_same_picture_and_the_shorter_clip_counts(clip):
    coded = (clip * 255).round()
    torch.testing.assert_close(psnr(coded.byte(), clip), psnr(coded / 255, clip))
    assert psnr(clip[:7], clip).shape == ssim(clip, clip[:7]).shape == (7,)


def test_chunks_change_nothing_and_sizes_must_agree(clip):
    assert psnr(clip, clip * 0.9).shape == (40,)  # more than one chunk
    with pytest.raises(InputError, match="64 x 48 and 32 x 48"):
        psnr(clip, clip[..., :32])
    with pytest.raises(InputError, match="frames"):
        ssim(clip[0], clip[0])
