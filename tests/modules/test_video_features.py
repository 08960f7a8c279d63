"""A VideoMAE from a local folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from eadnet.errors import CheckpointError, InputError
from eadnet.modules.video_features import VideoMAEFeatures


def videomae_folder(folder: Path) -> Path:
    """A tiny random one."""
    from transformers import VideoMAEConfig, VideoMAEModel

    config = VideoMAEConfig(
        image_size=16, patch_size=8, num_frames=4, hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    torch.manual_seed(0)
    VideoMAEModel(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_features_are_the_mean_of_the_last_tokens(tmp_path: Path) -> None:
    from transformers import VideoMAEModel

    network = VideoMAEFeatures.load(videomae_folder(tmp_path / "videomae"))
    assert (network.frames, network.dim) == (4, 16) and "videomae" in network.name
    clips = torch.rand(2, 3, 4, 16, 16)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None, None]
    with torch.no_grad():
        tokens = VideoMAEModel.from_pretrained(tmp_path / "videomae").eval()(
            pixel_values=((clips - mean) / deviation).transpose(1, 2)
        )
    torch.testing.assert_close(network(clips), tokens.last_hidden_state.mean(1))
    assert network(torch.rand(1, 3, 4, 30, 20)).isfinite().all()


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    for name in ("config.json", "pytorch_model.bin"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="no model.safetensors"):
        VideoMAEFeatures.load(tmp_path)


@pytest.mark.slow
def test_half_a_network_is_refused(tmp_path: Path) -> None:
    folder = videomae_folder(tmp_path / "videomae")
    state = load_file(folder / "model.safetensors")
    del state[min(state)]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="incomplete"):
        VideoMAEFeatures.load(folder)


def test_features_that_are_no_numbers_are_named() -> None:
    class Broken(torch.nn.Module):
        config = SimpleNamespace(num_frames=2, hidden_size=4, image_size=16)

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(last_hidden_state=torch.full((len(pixel_values), 3, 4), torch.nan))

    with pytest.raises(InputError, match="VideoMAE .tiny.'s result is not finite"):
        VideoMAEFeatures(Broken(), "VideoMAE (tiny)")(torch.rand(1, 3, 2, 16, 16))
