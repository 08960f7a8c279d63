from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

Prepare = Callable[..., tuple[dict[str, Any], torch.Tensor, torch.Tensor]]


@pytest.fixture
def prepare(nodes: Any, run: Callable[..., Any], loaded: Any) -> Prepare:
    """Prepares pictures for the small checkpoint."""

    def call(images: torch.Tensor, frame_count: int = 3, mask_region: str = "auto", vae: Any = None) -> Any:
        return run(
            nodes.EADNetPrepare,
            model=loaded.model,
            vae=vae or loaded.vae,
            images=images,
            frame_count=frame_count,
            mask_region=mask_region,
        )

    return call


def test_a_portrait_is_held_for_all_frames(prepare: Prepare, types: Any) -> None:
    latents, crops, region = prepare(torch.rand(1, 40, 60, 3), 5)
    assert latents["samples"].shape == latents[types.MASKED_SAMPLES].shape == (5, 4, 4, 4)
    assert latents[types.MASK].shape == (5, 1, 4, 4)
    assert crops.shape == (5, 32, 32, 3) and region.shape == (1, 32, 32)
    assert torch.equal(latents["samples"][0], latents["samples"][4])


def test_samples_are_the_autoencoders_own(prepare: Prepare, loaded: Any) -> None:
    picture = torch.rand(1, 32, 32, 3)
    latents, crops, _ = prepare(picture)
    torch.testing.assert_close(crops[:1], picture)
    torch.testing.assert_close(latents["samples"][:1], loaded.vae.encode(picture))


def test_the_region_is_hidden_and_the_rest_is_not(prepare: Prepare, loaded: Any, types: Any) -> None:
    latents, _, region = prepare(torch.rand(1, 32, 32, 3), mask_region="mouth")
    keep = latents[types.MASK][0, 0]
    assert set(keep.unique().tolist()) == {0.0, 1.0}
    assert keep[0].all(), "the top row is kept: 1 in the denoiser's mask, 0 in the region"
    assert not region[0, 0].any() and region[0, 24, 16] > 0
    assert not torch.equal(latents["samples"], latents[types.MASKED_SAMPLES])


def test_auto_is_the_mask_the_model_was_trained_with(prepare: Prepare, types: Any) -> None:
    picture = torch.rand(1, 32, 32, 3)
    masks = {name: prepare(picture, 1, name)[0][types.MASK] for name in ("auto", "face", "mouth")}
    assert torch.equal(masks["auto"], masks["face"]) and not torch.equal(masks["auto"], masks["mouth"])


def test_a_short_video_plays_back_and_forth(prepare: Prepare) -> None:
    latents, crops, _ = prepare(torch.rand(3, 32, 32, 3), 6)
    for frame, source in enumerate([0, 1, 2, 1, 0, 1]):
        assert torch.equal(crops[frame], crops[source])
        assert torch.equal(latents["samples"][frame], latents["samples"][source])


def test_frames_beyond_the_recording_are_not_even_encoded(
    prepare: Prepare, monkeypatch: Any, loaded: Any
) -> None:
    encoded = []
    encode = loaded.vae.encode

    def counting(pictures: torch.Tensor) -> torch.Tensor:
        encoded.append(len(pictures))
        return encode(pictures)

    monkeypatch.setattr(loaded.vae, "encode", counting)
    prepare(torch.rand(70, 32, 32, 3), 40)
    assert sum(encoded) == 2 * 40


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 64, 48, 4), (1, 50, 50, 1), (1, 4000, 4000, 3)])
def test_pictures_of_any_size_and_kind(prepare: Prepare, shape: tuple[int, ...]) -> None:
    latents, crops, _ = prepare(torch.rand(shape), 2)
    assert torch.isfinite(latents["samples"]).all() and crops.shape == (2, 32, 32, 3)


def test_half_precision_pictures(prepare: Prepare) -> None:
    assert prepare(torch.rand(1, 32, 32, 3).half(), 2)[0]["samples"].dtype == torch.float32


def test_nan_in_a_picture_is_named(prepare: Prepare, input_error: type[Exception]) -> None:
    with pytest.raises(input_error, match="not finite"):
        prepare(torch.full((1, 32, 32, 3), torch.nan))


def test_a_vae_of_another_family_is_named(prepare: Prepare, input_error: type[Exception]) -> None:
    class Wide:
        def encode(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(pictures), 16, 4, 4)

    with pytest.raises(
        input_error, match="This VAE encodes an image to .16, 4, 4. where .4, 4, 4. is needed"
    ):
        prepare(torch.rand(1, 32, 32, 3), vae=Wide())


def test_mini_says_when_it_gets_a_photograph_and_other_models_do_not(
    nodes: Any, run: Callable[..., Any], loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    grain = torch.rand(2, 32, 32, 3, generator=torch.Generator().manual_seed(0))

    def said(preset: str) -> int:
        caplog.clear()
        model = replace(loaded.model, info=replace(loaded.model.info, preset=preset))
        with caplog.at_level(logging.WARNING):
            run(
                nodes.EADNetPrepare,
                model=model,
                vae=loaded.vae,
                images=grain,
                frame_count=2,
                mask_region="auto",
            )
        return caplog.text.count("looks like a photograph")

    assert said("mini") == 1
    assert said("latentsync-1.5") == 0
