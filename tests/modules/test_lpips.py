"""LPIPS: the published formula on the published networks, from the two published files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from eadnet.checkpoints import load_checkpoint
from eadnet.cli import main
from eadnet.convert import convert
from eadnet.convert_lpips import convert_lpips
from eadnet.errors import CheckpointError
from eadnet.metrics.perceptual import lpips
from eadnet.modules.lpips import LPIPS, feature_distance

WIDTHS = {"vgg16": (64, 128, 256, 512, 512), "alexnet": (64, 192, 384, 256, 256)}


def published(folder: Path, trunk: str) -> tuple[Path, Path]:
    """Files with the names and shapes of torchvision's classifier and of LPIPS' weights of version 0.1."""
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    network = getattr(models, trunk)(weights=None)
    # Classifiers are large, and no part of LPIPS.
    state = {
        k: v[:2, :2].clone() if "classifier" in k and v.ndim == 2 else v
        for k, v in network.state_dict().items()
    }
    channels = {f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1) for n, width in enumerate(WIDTHS[trunk])}
    torch.save(state, folder / f"{trunk}.pth")
    torch.save(channels, folder / f"{trunk}-channels.pth")
    return folder / f"{trunk}.pth", folder / f"{trunk}-channels.pth"


def by_hand(trunk: Path, channels: Path, kind: str, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The paper's distance with torchvision's own layers, taken behind the ReLUs that LPIPS names."""
    models = pytest.importorskip("torchvision.models")
    layers = getattr(models, kind)(weights=None).features
    state = torch.load(trunk, weights_only=True)
    layers.load_state_dict(
        {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    )
    ends = {"vgg16": (3, 8, 15, 22, 29), "alexnet": (1, 4, 7, 9, 11)}[kind]
    weights = torch.load(channels, weights_only=True)
    mean, deviation = (
        torch.tensor(v)[:, None, None] for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
    )
    total = torch.zeros(len(a))
    x, y = ((2 * z - 1 - mean) / deviation for z in (a, b))
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
        x, y = layer(x), layer(y)
        if number in ends:
            p, q = (z / (z.norm(dim=1, keepdim=True) + 1e-10) for z in (x, y))
            total += (
                (weights[f"lin{ends.index(number)}.model.1.weight"][0] * (p - q) ** 2).sum(1).mean((1, 2))
            )
    return total


@pytest.mark.slow
@pytest.mark.parametrize("kind", WIDTHS)
@torch.no_grad()
def test_two_published_files_give_the_published_distance(tmp_path: Path, kind: str) -> None:
    trunk, channels = published(tmp_path, kind)
    assert main(["convert", str(trunk), "--lpips", str(channels)]) == 0
    made = tmp_path / {"vgg16": "lpips-vgg.safetensors", "alexnet": "lpips-alex.safetensors"}[kind]
    network = load_checkpoint(made, only=["lpips"]).component("lpips")
    a, b = torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = by_hand(trunk, channels, kind, a, b)
    torch.testing.assert_close(network.distance(a, b), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(lpips(a, b, network, network.weights), expected, rtol=1e-4, atol=1e-6)
    assert expected.min() > 0 and float(network.distance(a, a).max()) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", WIDTHS)
def test_names_and_shapes_are_torchvisions(kind: str) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = getattr(models, kind)(weights=None).state_dict()
        ours = LPIPS(kind).state_dict()
    shapes = {k: v.shape for k, v in theirs.items() if k.startswith("features.")}
    assert {k: v.shape for k, v in ours.items() if not k.startswith("lin.")} == shapes
    assert tuple(len(ours[f"lin.{n}"]) for n in range(5)) == WIDTHS[kind]


@pytest.mark.slow
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    trunk, channels = published(tmp_path, "alexnet")
    other, others = published(tmp_path, "vgg16")
    with pytest.raises(CheckpointError, match="do not belong together"):
        convert_lpips(trunk, others)
    with pytest.raises(CheckpointError, match="is a lpips_weights file, not VGG16 or AlexNet"):
        convert_lpips(channels, channels)
    with pytest.raises(CheckpointError, match="one half of LPIPS.*--lpips"):
        convert(other)
    state = torch.load(trunk, weights_only=True)
    del state["features.0.bias"]
    torch.save(state, trunk)
    with pytest.raises(CheckpointError, match="neither VGG16 nor AlexNet"):
        convert_lpips(trunk, channels)


def test_features_that_are_all_nothing_have_a_slope_all_the_same() -> None:
    nothing = torch.zeros(1, 4, 2, 2, requires_grad=True)
    distance = feature_distance([nothing], [torch.rand(1, 4, 2, 2)], [torch.ones(4)])
    (slope,) = torch.autograd.grad(distance.sum(), nothing)
    assert slope.isfinite().all()
