"""The U-Net as core's MODEL: core's own samplers, guiders, windows, patches and LoRA work on it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

FRAMES, STEPS, SEED = 13, 3, 5
AUDIO_CFG, EMOTION_CFG = 1.7, 2.5


@pytest.fixture(scope="module")
def core(pack: Any) -> Any:
    """Core's node classes by name, and `call` to run one."""
    found: dict[str, Any] = {}
    for module in ("custom_sampler", "context_windows", "model_advanced", "torch_compile", "freelunch"):
        found.update(vars(importlib.import_module(f"comfy_extras.nodes_{module}")))
    return SimpleNamespace(**{name: value for name, value in found.items() if isinstance(value, type)})


@pytest.fixture(scope="module")
def clip(nodes: Any, run: Callable[..., Any], loaded: Any, speech: Callable[..., Any]) -> dict[str, Any]:
    """Sound, face and emotion of 13 frames, as both samplers take them."""
    audio, frames = run(
        nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=speech(0.52), fps=25.0
    )
    assert frames == FRAMES
    emotion, _ = run(nodes.EADNetEmotionEncode, text_encoder=loaded.text_encoder, text="happy")
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(4))
    latents, *_ = run(
        nodes.EADNetPrepare,
        model=loaded.model,
        vae=loaded.vae,
        images=picture,
        frame_count=frames,
        mask_region="auto",
        check_face=False,
    )
    return {"model": loaded.model, "audio": audio, "latents": latents, "emotion": emotion}


@pytest.fixture(scope="module")
def ours(nodes: Any, run: Callable[..., Any], clip: dict[str, Any]) -> Callable[..., Tensor]:
    """Frames of EAD-Net Lip Sync Sampler."""

    def sample(window: int = 8, overlap: int = 2, scheduler: str = "ddim", **changes: Any) -> Tensor:
        settings = {
            "seed": SEED,
            "steps": STEPS,
            "audio_guidance": AUDIO_CFG,
            "emotion_guidance": EMOTION_CFG,
            "scheduler": scheduler,
            "window": window,
            "overlap": overlap,
        }
        (latent,) = run(nodes.EADNetSampler, **{**clip, **settings, **changes})
        result: Tensor = latent["samples"]
        return result

    return sample


@pytest.fixture(scope="module")
def conditioning(nodes: Any, run: Callable[..., Any], clip: dict[str, Any]) -> Callable[..., Any]:
    def apply(**changes: Any) -> Any:
        names = ("positive", "audio_only", "negative", "latent")
        output = run(nodes.EADNetConditioning, **{**clip, **changes})
        return SimpleNamespace(**dict(zip(names, output, strict=True)))

    return apply


@pytest.fixture(scope="module")
def native(nodes: Any, run: Callable[..., Any], clip: dict[str, Any]) -> Callable[..., Any]:
    """MODEL with windows of our own."""

    def make(window: int = 8, overlap: int = 2) -> Any:
        (model,) = run(nodes.EADNetToModel, model=clip["model"], window=window, overlap=overlap)
        return model

    return make


@pytest.fixture(scope="module")
def sampled(
    nodes: Any, run: Callable[..., Any], core: Any, clip: dict[str, Any], conditioning: Callable[..., Any]
) -> Callable[..., Tensor]:
    """Frames of core's SamplerCustomAdvanced with DualCFGGuider, on our noise and steps."""

    def sample(
        model: Any, given: Any = None, scheduler: str = "ddim", sampler: Any = None, steps: int = STEPS
    ) -> Tensor:
        given = given or conditioning()
        ours = run(
            nodes.EADNetCustomSampling, model=clip["model"], seed=SEED, steps=steps, scheduler=scheduler
        )
        (guider,) = core.DualCFGGuider.execute(
            model, given.positive, given.audio_only, given.negative, EMOTION_CFG, AUDIO_CFG, "regular"
        ).result
        output, _ = core.SamplerCustomAdvanced.execute(
            ours[0], guider, sampler or ours[1], ours[2], given.latent
        ).result
        result: Tensor = output["samples"]
        return result

    return sample


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler", "lcm"])
def test_core_gives_the_frames_of_our_sampler(ours: Any, sampled: Any, native: Any, scheduler: str) -> None:
    expected = ours(scheduler=scheduler)
    result = sampled(native(), scheduler=scheduler)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.1


@pytest.mark.slow
def test_a_clip_of_one_window_needs_none(ours: Any, sampled: Any, native: Any) -> None:
    torch.testing.assert_close(sampled(native(16, 4)), ours(16, 4), rtol=0, atol=1e-4)


def test_cores_euler_on_our_steps_is_our_euler(ours: Any, sampled: Any, native: Any, core: Any) -> None:
    (euler,) = core.KSamplerSelect.execute("euler").result
    """But for the first noise, which core takes sqrt(1 + 1 / sigma^2) times as strong, 0.2 % here."""
    result, expected = sampled(native(), sampler=euler, scheduler="euler"), ours(scheduler="euler")
    assert (result - expected).abs().mean() < 0.01 * expected.std()


def _windowed(core: Any, model: Any, schedule: str = "standard_static", **chosen: Any) -> Any:
    """Context Windows (Manual) of 8 frames that share 2; what newer cores' node asks for besides is off."""
    node = core.ContextWindowsManualNode
    known = inspect.signature(node.execute).parameters
    settings = {"context_length": 8, "context_overlap": 2, "context_schedule": schedule, "context_stride": 1}
    settings |= {"closed_loop": False, "fuse_method": "pyramid", "dim": 0}
    settings |= {name: False for name in ("freenoise", "causal_window_fix") if name in known} | chosen
    return node.execute(model, **settings).result[0]


@pytest.mark.slow
@pytest.mark.parametrize("fuse", ["pyramid", "relative", "flat", "overlap-linear"])
def test_cores_context_windows_cut_every_condition(
    ours: Any, sampled: Any, native: Any, core: Any, fuse: str
) -> None:
    """Its windows of these frames are ours; blending differs only where they overlap, and only there in one
    step.
    """
    windowed = _windowed(core, native(16, 4), fuse_method=fuse)
    result, expected = sampled(windowed, steps=1), ours(8, 2, steps=1)
    alone = [*range(5), *range(8, FRAMES)]
    torch.testing.assert_close(result[alone], expected[alone], rtol=0, atol=1e-4)
    assert torch.isfinite(result).all()
    assert not torch.allclose(sampled(native(16, 4), steps=1)[alone], expected[alone], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["standard_uniform", "looped_uniform", "batched"])
def test_cores_other_schedules_run(sampled: Any, native: Any, core: Any, schedule: str) -> None:
    result = sampled(_windowed(core, native(), schedule))
    assert result.shape == (FRAMES, 4, 4, 4) and torch.isfinite(result).all()


@pytest.mark.slow
def test_newer_cores_frame_before_a_window_fits(sampled: Any, native: Any, core: Any) -> None:
    if "causal_window_fix" not in inspect.signature(core.ContextWindowsManualNode.execute).parameters:
        pytest.skip("this core puts no frame before a window")
    result = sampled(_windowed(core, native(), causal_window_fix=True, freenoise=True))
    assert result.shape == (FRAMES, 4, 4, 4) and torch.isfinite(result).all()


@pytest.mark.slow
def test_a_solver_of_two_evaluations_a_step_works_in_windows(sampled: Any, native: Any, core: Any) -> None:
    for model in (native(), _windowed(core, native(), "standard_uniform")):
        result = sampled(model, sampler=core.KSamplerSelect.execute("heun").result[0])
        assert torch.isfinite(result).all()


def test_windows_along_another_dimension_are_refused(
    sampled: Any, native: Any, core: Any, input_error: type[Exception]
) -> None:
    wrong = _windowed(core, native(), dim=2)
    with pytest.raises(input_error, match="set dim to 0"):
        sampled(wrong)


def test_windows_longer_than_the_position_table_are_refused(
    sampled: Any, native: Any, core: Any, input_error: type[Exception], clip: dict[str, Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(clip["model"].network.use(), "frame_limit", 12)
    with pytest.raises(input_error, match="at most 12 frames at once, not 13.*context_length of 12"):
        sampled(native(16, 4))
    sampled(native(12, 4))


def _ksampler(
    model: Any, given: Any, cfg: float = 1.5, scheduler: str = "sgm_uniform", **settings: Any
) -> Tensor:
    nodes = importlib.import_module("nodes")
    latent = nodes.common_ksampler(
        model, SEED, STEPS, cfg, "euler", scheduler, given.positive, given.negative, given.latent, **settings
    )[0]
    result: Tensor = latent["samples"]
    return result


@pytest.mark.slow
def test_plain_ksampler(native: Any, conditioning: Any) -> None:
    """Sound and emotion share a scale; every frame starts from the same noise, as the model was made for."""
    given = conditioning()
    assert given.latent["batch_index"] == [0] * FRAMES
    result = _ksampler(native(16, 4), given)
    assert result.shape == (FRAMES, 4, 4, 4) and torch.isfinite(result).all()
    silent = SimpleNamespace(positive=given.negative, negative=given.negative, latent=given.latent)
    assert not torch.allclose(_ksampler(native(16, 4), silent), result)


@pytest.mark.slow
def test_without_emotion_and_with_one_that_changes(
    ours: Any, sampled: Any, native: Any, conditioning: Any, clip: dict[str, Any], types: Any
) -> None:
    tokens = clip["emotion"]
    share = torch.linspace(0, 1, FRAMES)[:, None, None]
    moving = types.EmotionTokens(share * tokens.tokens + (1 - share) * tokens.null, tokens.null)
    torch.testing.assert_close(
        sampled(native(), conditioning(emotion=moving)), ours(emotion=moving), rtol=0, atol=1e-4
    )
    quiet = conditioning(emotion=None)
    expected = ours(emotion=None, emotion_guidance=AUDIO_CFG)
    torch.testing.assert_close(sampled(native(), quiet), expected, rtol=0, atol=1e-4)


# Patches of core


@pytest.mark.slow
def test_model_sampling_and_rescale_cfg(sampled: Any, native: Any, core: Any, conditioning: Any) -> None:
    plain = sampled(native())
    same = core.ModelSamplingDiscrete().patch(native(), "v_prediction", False)[0]
    torch.testing.assert_close(sampled(same), plain, rtol=0, atol=1e-5)
    other = core.ModelSamplingDiscrete().patch(native(), "eps", False)[0]
    assert not torch.allclose(sampled(other), plain, atol=1e-3)
    given = conditioning()
    rescaled = core.RescaleCFG().patch(native(), 0.7)[0]
    assert not torch.allclose(_ksampler(rescaled, given), _ksampler(native(), given), atol=1e-4)


def test_patches_of_stable_diffusions_blocks_are_refused(
    native: Any, core: Any, input_error: type[Exception]
) -> None:
    with pytest.raises(input_error, match="Stable Diffusion's own U-Net"):
        core.FreeU_V2().patch(native(), 1.3, 1.4, 0.9, 0.2)


# LoRA


def _lora(model: Any, layers: dict[str, tuple[int, int]], kohya: bool = False) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    made: dict[str, Tensor] = {}
    for name, (outputs, inputs) in layers.items():
        up, down = (torch.randn(shape, generator=generator) for shape in ((outputs, 2), (2, inputs)))
        if kohya:
            stem = "lora_unet_" + name.replace(".", "_")
            made |= {f"{stem}.lora_up.weight": up, f"{stem}.lora_down.weight": down}
            made[f"{stem}.alpha"] = torch.tensor(2.0)
        else:
            made |= {
                f"diffusion_model.{name}.lora_B.weight": up,
                f"diffusion_model.{name}.lora_A.weight": down,
            }
    return made


_LAYERS = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": (16, 8),
    "mid_block.attentions.0.transformer_blocks.0.emotion_attn.to_v": (32, 12),
    "mid_block.stda.to_qkv": (72, 32),
}


def _with_lora(model: Any, lora: dict[str, Tensor], strength: float = 1.0) -> Any:
    return importlib.import_module("comfy.sd").load_lora_for_models(model, None, lora, strength, 0)[0]


@pytest.mark.slow
@pytest.mark.parametrize("kohya", [False, True], ids=["by path", "kohya"])
def test_a_lora_changes_the_result_and_taking_it_off_restores_it(
    sampled: Any, ours: Any, native: Any, clip: dict[str, Any], kohya: bool
) -> None:
    model = native()
    weights = clip["model"].network.use().state_dict()
    layers = {name: (len(weights[f"{name}.weight"]), weights[f"{name}.weight"].shape[1]) for name in _LAYERS}
    before = sampled(model)
    patched = _with_lora(model, _lora(model, layers, kohya), 0.3)
    assert len(patched.patches) == len(_LAYERS)
    assert not torch.allclose(sampled(patched), before, atol=1e-2)
    assert torch.equal(sampled(model), before)
    sampled(patched)
    torch.testing.assert_close(ours(), before, rtol=0, atol=1e-4)  # nor does it stay on EADNET_MODEL


def test_a_lora_of_another_model_is_refused(native: Any, input_error: type[Exception]) -> None:
    model = native()
    with pytest.raises(input_error, match="no layer of this one"):
        _with_lora(model, _lora(model, {"joint_blocks.0.x_block.attn.qkv": (64, 64)}))
    with pytest.raises(input_error, match=r"16 outputs of 768 inputs for .*attn2.to_k.weight.*\[16, 8\]"):
        _with_lora(
            model, _lora(model, {"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": (16, 768)})
        )


# Wrong inputs


def test_conditionings_of_other_nodes_are_refused(
    sampled: Any, native: Any, conditioning: Any, input_error: type[Exception]
) -> None:
    given = conditioning()
    given.positive = [[torch.zeros(1, 77, 768), {}]]
    with pytest.raises(input_error, match="not for a talking head"):
        sampled(native(), given)


def test_latents_of_another_length_are_refused(
    sampled: Any, native: Any, conditioning: Any, input_error: type[Exception]
) -> None:
    given = conditioning()
    given.latent = {"samples": torch.zeros(7, 4, 4, 4)}
    with pytest.raises(input_error, match="7 frames .* for 13"):
        sampled(native(), given)


def test_sigmas_of_another_schedule_are_refused(
    native: Any, core: Any, nodes: Any, run: Any, clip: Any, conditioning: Any, input_error: type[Exception]
) -> None:
    given = conditioning()
    noise, solver, _ = run(
        nodes.EADNetCustomSampling, model=clip["model"], seed=SEED, steps=STEPS, scheduler="ddim"
    )
    (sigmas,) = core.KarrasScheduler.execute(STEPS, 14.6, 0.03, 7.0).result
    (guider,) = core.BasicGuider.execute(native(), given.positive).result
    with pytest.raises(input_error, match="sigmas of the same EAD-Net Custom Sampling"):
        core.SamplerCustomAdvanced.execute(noise, guider, solver, sigmas, given.latent)
