from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

Sample = Callable[..., torch.Tensor]


@pytest.fixture(scope="module")
def job(nodes: Any, run: Callable[..., Any], loaded: Any, speech: Callable[..., Any]) -> dict[str, Any]:
    """All inputs of the sampler for a clip of 13 frames, two steps."""
    audio, frames = run(
        nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=speech(0.52), fps=25.0
    )
    emotion, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="happy")
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(4))
    latents, *_ = run(
        nodes.EADNetPrepare,
        model=loaded.model,
        vae=loaded.vae,
        images=picture,
        frame_count=frames,
        mask_region="auto",
    )
    return {
        "model": loaded.model,
        "audio": audio,
        "latents": latents,
        "emotion": emotion,
        "seed": 3,
        "steps": 2,
        "audio_guidance": 1.5,
        "emotion_guidance": 2.0,
        "scheduler": "ddim",
        "window": 8,
        "overlap": 2,
    }


@pytest.fixture
def sample(nodes: Any, run: Callable[..., Any], job: dict[str, Any]) -> Sample:
    def call(**changes: Any) -> torch.Tensor:
        (latent,) = run(nodes.EADNetSampler, **{**job, **changes})
        return latent["samples"]

    return call


def test_latents_come_out_one_per_frame(sample: Sample) -> None:
    result = sample()
    assert result.shape == (13, 4, 4, 4) and torch.isfinite(result).all()


def test_the_same_seed_gives_the_same_clip_and_another_another(sample: Sample) -> None:
    assert torch.equal(sample(), sample())
    assert not torch.equal(sample(), sample(seed=4))


@pytest.mark.slow
def test_no_steps_are_the_checkpoints_own_number_and_the_default(
    sample: Sample, job: dict[str, Any], nodes: Any
) -> None:
    assert nodes.EADNetSampler.INPUT_TYPES()["required"]["steps"][1]["default"] == 0
    own = job["model"].info.defaults["steps"]
    assert torch.equal(sample(steps=0), sample(steps=own))
    assert not torch.equal(sample(steps=0), sample(steps=own + 1))


@pytest.mark.slow
def test_auto_is_the_checkpoints_own_sampler_and_one_that_was_saved_stays_what_it_was(
    sample: Sample, job: dict[str, Any], nodes: Any
) -> None:
    """Workflows store the sampler's name, and had "ddim" when it was the default."""
    assert nodes.EADNetSampler.INPUT_TYPES()["required"]["scheduler"][1]["default"] == "auto"
    info = job["model"].info
    own_sampler = replace(info.auto_sampler, scheduler="unipc", steps=4)
    model = replace(job["model"], info=replace(info, auto_sampler=own_sampler))
    own = sample(model=model, scheduler="auto", steps=0)
    assert torch.equal(own, sample(scheduler="unipc", steps=4))
    assert torch.equal(sample(model=model), sample())
    assert not torch.equal(own, sample(steps=4))


def test_emotion_may_stay_unconnected(sample: Sample) -> None:
    assert sample(emotion=None).shape == (13, 4, 4, 4)


@pytest.mark.slow
def test_no_sentence_needs_no_guidance_and_costs_no_evaluation_for_it(
    sample: Sample, nodes: Any, run: Callable[..., Any], loaded: Any, job: dict[str, Any], monkeypatch: Any
) -> None:
    unet = job["model"].network.use()
    forward, evaluations = unet.forward, set()

    def counting(batch: torch.Tensor, *others: Any) -> torch.Tensor:
        evaluations.add(len(batch))
        return forward(batch, *others)

    monkeypatch.setattr(unet, "forward", counting)
    nothing, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="")
    weak, strong = (sample(emotion=nothing, emotion_guidance=scale) for scale in (0.5, 4.0))
    torch.testing.assert_close(weak, strong)
    assert evaluations == {2}, "without and with the sound"


@pytest.mark.slow
def test_latents_are_scaled_for_the_denoiser_and_back(
    sample: Sample, job: dict[str, Any], types: Any
) -> None:
    """The same clip in the units of an autoencoder whose latents are 1 / 0.18215 as large."""
    scale = types.SD_LATENT_SCALE
    model = replace(job["model"], info=replace(job["model"].info, latent_scale=scale))
    latents = {
        **job["latents"],
        "samples": job["latents"]["samples"] / scale,
        types.MASKED_SAMPLES: job["latents"][types.MASKED_SAMPLES] / scale,
    }
    torch.testing.assert_close(sample(model=model, latents=latents) * scale, sample(), rtol=1e-4, atol=1e-4)


class TestHost:
    def test_progress_counts_every_window_of_every_step(
        self, sample: Sample, host: Any, monkeypatch: Any
    ) -> None:
        updates = []
        monkeypatch.setattr(
            host.NodeProgress, "update", lambda self, done, preview=None: updates.append(done)
        )
        sample()
        assert updates == [1, 2, 3, 4], "two steps of two windows"

    def test_cancel_stops_within_one_window(self, sample: Sample, host: Any, monkeypatch: Any) -> None:
        import comfy.model_management as management

        done = []
        update = host.NodeProgress.update

        def press_cancel(self: Any, at: int, preview: Any = None) -> None:
            done.append(at)
            management.interrupt_current_processing()
            update(self, at, preview)

        monkeypatch.setattr(host.NodeProgress, "update", press_cancel)
        with pytest.raises(management.InterruptProcessingException):
            sample()
        assert done == [1]

    def test_previews_show_the_middle_frame_where_they_are_on(self, host: Any, job: dict[str, Any]) -> None:
        from comfy.cli_args import LatentPreviewMethod, args

        latents = torch.zeros(3, 4, 4, 4)
        latents[1] = 1
        assert host.latent_previewer(job["model"].info.latent_rgb)(latents) is None
        args.preview_method = LatentPreviewMethod.Latent2RGB
        try:
            kind, picture, _ = host.latent_previewer(job["model"].info.latent_rgb)(latents)
        finally:
            args.preview_method = LatentPreviewMethod.NoPreviews
        assert kind == "JPEG" and picture.size == (4, 4)
        # 0.5 + 4 * 0.1 red, 0.5 + 4 * 0.2 green and 0.5 + 4 * 0.3 blue, clipped
        assert picture.getpixel((0, 0)) == (229, 255, 255)

    def test_the_preview_of_stable_diffusion_latents_is_comfyuis(self, host: Any) -> None:
        from comfy.cli_args import LatentPreviewMethod, args

        args.preview_method = LatentPreviewMethod.Latent2RGB
        try:
            assert host.latent_previewer(None)(torch.zeros(1, 4, 4, 4)) is not None
        finally:
            args.preview_method = LatentPreviewMethod.NoPreviews

    @pytest.mark.slow
    def test_memory_that_runs_out_is_answered_with_smaller_windows(
        self, sample: Sample, job: dict[str, Any], monkeypatch: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        unet = job["model"].network.use()
        forward = unet.forward

        def small_only(batch: torch.Tensor, *others: Any) -> torch.Tensor:
            if batch.shape[2] > 4:
                raise torch.cuda.OutOfMemoryError("out of memory")
            return forward(batch, *others)

        monkeypatch.setattr(unet, "forward", small_only)
        assert sample().shape == (13, 4, 4, 4)
        assert "goes on with 4 frames in a window" in caplog.text


class TestInput:
    @pytest.mark.parametrize(
        ("window", "overlap", "message"),
        [(16, 16, "use 0 to 15"), (0, 0, "use 1 to 64"), (100, 4, "use 1 to 64"), (8, -1, "use 0 to 7")],
    )
    def test_windows_that_cannot_work_are_refused_before_anything_runs(
        self, nodes: Any, window: int, overlap: int, message: str
    ) -> None:
        assert message in nodes.EADNetSampler.validate_inputs(window, overlap)

    def test_windows_that_work_pass(self, nodes: Any) -> None:
        assert nodes.EADNetSampler.validate_inputs(16, 4) is True

    def test_fewer_than_no_steps_are_refused_by_the_schema(self, nodes: Any) -> None:
        assert nodes.EADNetSampler.INPUT_TYPES()["required"]["steps"][1]["min"] == 0

    def test_a_window_beyond_the_position_table_is_named(
        self, sample: Sample, input_error: type[Exception]
    ) -> None:
        with pytest.raises(input_error, match="position table of 24"):
            sample(window=32)

    def test_sound_of_another_length_is_named(
        self, sample: Sample, job: dict[str, Any], input_error: type[Exception]
    ) -> None:
        shorter = replace(job["audio"], tokens=job["audio"].tokens[:-1])
        with pytest.raises(input_error, match="covers 12 frames and the latents 13"):
            sample(audio=shorter)

    def test_sound_of_another_encoder_is_named(
        self, sample: Sample, job: dict[str, Any], input_error: type[Exception]
    ) -> None:
        with pytest.raises(input_error, match="384"):
            sample(audio=replace(job["audio"], tokens=torch.zeros(13, 50, 384)))

    def test_an_emotion_of_another_encoder_is_named(
        self, sample: Sample, types: Any, input_error: type[Exception]
    ) -> None:
        with pytest.raises(input_error, match="768"):
            sample(emotion=types.EmotionTokens(torch.ones(77, 768), torch.zeros(77, 768)))

    def test_latents_that_were_not_prepared_are_named(
        self, sample: Sample, input_error: type[Exception]
    ) -> None:
        with pytest.raises(input_error, match="connect EAD-Net Prepare"):
            sample(latents={"samples": torch.zeros(13, 4, 4, 4)})

    def test_latents_of_another_resolution_are_named(
        self, sample: Sample, types: Any, input_error: type[Exception]
    ) -> None:
        large = torch.zeros(13, 4, 32, 32)
        latents = {"samples": large, types.MASKED_SAMPLES: large, types.MASK: large[:, :1]}
        with pytest.raises(input_error, match="connect the same model to EAD-Net Prepare Face"):
            sample(latents=latents)


NO_SAVING = {
    "window_mode": "overlap",
    "cache_interval": 1,
    "guidance_start": 0.0,
    "guidance_end": 1.0,
    "guidance_every": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [{}, {"window_mode": "moving"}, {"cache_interval": 2}, {"guidance_end": 0.5}, {"guidance_every": 2}],
)
def test_each_saving_of_speed_up_changes_the_clip_and_none_of_them_nothing(
    sample: Sample, job: dict[str, Any], nodes: Any, run: Callable[..., Any], change: dict[str, Any]
) -> None:
    (faster,) = run(nodes.EADNetSpeedUp, model=job["model"], **{**NO_SAVING, **change})
    made, plain = sample(model=faster, steps=4), sample(steps=4)
    assert torch.equal(made, plain) == (not change) and made.shape == plain.shape


def test_guidance_that_ends_before_it_begins_is_refused(
    nodes: Any, run: Callable[..., Any], job: dict[str, Any], input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="Guidance from 0.8 to 0.2 of the steps cannot be"):
        run(
            nodes.EADNetSpeedUp,
            model=job["model"],
            **{**NO_SAVING, "guidance_start": 0.8, "guidance_end": 0.2},
        )
